// SPDX-License-Identifier: GPL-2.0
/* The disks of a running machine by its control verbs: found, resized, told to fail, marked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_blk.h>

#include <linux/kernel.h>
#include <kvm/drive.h>
#include <kvm/verbs.h>

#include "../../builtin/session/disks.h"
#include "driver.h"
#include "scratch.h"
#include "tap.h"

static struct machine m;
static struct verbs verbs;
static struct driver d;
static struct control_reply reply;

static void start(void)
{
	char opts[300];

	setenv("TMPDIR", scratch_dir(), 1);
	machine_pci(&m);
	log_set_level(LOG_ERROR);
	snprintf(opts, sizeof(opts), "new:1M,serial=one,keep-log=%s", scratch("log"));
	driver_probe(&d, &m, machine_add(&m, "virtio-blk", opts));
	machine_add(&m, "virtio-blk", "new:2M");
	machine_run(&m);
	driver_start(&d, 16);
	verbs = (struct verbs){ .vm = &m.vm };
}

static int ask(const char *line)
{
	int ret;

	memset(&reply, 0, sizeof(reply));
	pthread_mutex_lock(&m.vm.lock);
	ret = disks_verb(&verbs, line, &reply);
	pthread_mutex_unlock(&m.vm.lock);
	return ret;
}

static void refused(const char *line, const char *text)
{
	CHECK(ask(line) < 0);
	if (!strstr(reply.err.text, text))
		tap_fail(__FILE__, __LINE__, "%s: \"%s\" does not say \"%s\"", line, reply.err.text, text);
}

TEST(disks_are_found)
{
	start();
	CHECK_EQ(ask("list"), 0);
	CHECK_STR(reply.values, "disk=one virtio-blk0 1048576 new:1M\ndisk=disk1 virtio-blk1 2097152 new:2M\n");
	CHECK_EQ(ask("fault virtio-blk1"), 0);
	CHECK_EQ(ask("fault disk1"), 0);
	refused("fault disk0", "no disk \"disk0\"");
	refused("fault", "no disk");
	refused("list2", "list, attach");
	refused("", "list, attach");
	device_del(drive_find(&m.vm, "one")->dev);
	CHECK_EQ(ask("list"), 0);
	CHECK_STR(reply.values, "disk=disk1 virtio-blk1 2097152 new:2M\n");
	machine_free(&m);
}

TEST(a_disk_grows_and_shrinks)
{
	u32 at = offsetof(struct virtio_blk_config, capacity);
	u64 one;

	start();
	CHECK_EQ(driver_read(&d, d.config + at, 4), 2048);
	CHECK_EQ(ask("resize one 3M"), 0);
	CHECK_EQ(driver_read(&d, d.config + at, 4), 6144);
	CHECK_EQ(ask("resize one 1"), 0);
	CHECK_EQ(driver_read(&d, d.config + at, 4), 2048);
	/* The driver was told: the vector of the configuration is none here, but the ISR has its bit. */
	one = driver_read(&d, d.isr, 1);
	CHECK_EQ(one & 2, 2);
	refused("resize one", "no size");
	refused("resize one 0", "multiple");
	refused("resize one 1000B", "multiple");
	refused("resize one x", "no size");
	CHECK_EQ(driver_read(&d, d.config + at, 4), 2048);
	machine_free(&m);
}

TEST(faults_and_marks)
{
	start();
	CHECK_EQ(ask("fault one eio,op=write"), 0);
	CHECK_EQ(ask("fault one delay=5,share=50"), 0);
	CHECK_EQ(ask("fault one"), 0);
	CHECK_STR(reply.values, "fault=eio op=write hits=0\nfault=delay=5 share=50 hits=0\n");
	refused("fault one oops", "oops");
	CHECK_EQ(ask("fault one clear"), 0);
	CHECK_EQ(ask("fault one"), 0);
	CHECK_STR(reply.values, "");
	CHECK_EQ(ask("mark one here it is"), 0);
	refused("mark disk1 here", "keep-log=FILE");
	machine_free(&m);
}
