// SPDX-License-Identifier: GPL-2.0
/*
 * A machine on KVM that is saved in the middle of its work, with all that it has,
 * destroyed, created anew and restored, several times before it is done. Whether it
 * is the same the guest itself sees (tests/guest/saved.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/life.h>
#include <kvm/log.h>
#include <kvm/state.h>
#include <kvm/vm.h>

#include "tap.h"

#define RAM		(16 * MIB)
#define SAVES		6
#define SAVED		77		/* the machine's status when it was saved */
#define EVERY_NS	(25 * 1000 * 1000)

static struct vm vm;
static struct vm_config cfg;
static char dir[] = "/tmp/restore-XXXXXX", path[64];
static unsigned int saves;

static u8 *saved;
static size_t saved_len;
static struct timer save_timer;

static void save_ram(void)
{
	const void *ram = (__force const void *)mem_map(&vm.mem, 0, RAM);
	int fd;

	CHECK(ram);
	snprintf(path, sizeof(path), "%s/ram%u", dir, saves);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, ram, RAM), (ssize_t)RAM);
	close(fd);
}

/* On the main loop, as a command would. */
static void save(struct timer *t)
{
	int ret = vm_pause(&vm, HOLD_STATE);
	const void *data;
	struct state *s;

	if (ret == -ESHUTDOWN)
		return;
	CHECK_EQ(ret, 0);
	CHECK_EQ(devices_hold(&vm), 0);
	CHECK_EQ(state_write(&s, STATE_ALL), 0);
	CHECK_EQ(vm_state(&vm, s), 0);
	CHECK_EQ(state_written(s, &data, &saved_len), 0);
	saved = malloc(saved_len);
	memcpy(saved, data, saved_len);
	state_free(s);
	save_ram();
	saves++;
	vm_end(&vm, VM_EXIT, SAVED);
}

static void restore(void)
{
	struct state *s;

	CHECK_EQ(state_read(&s, saved, saved_len), 0);
	cfg.ram = (struct mem_config) { .kind = MEM_SNAPSHOT, .path = path };
	CHECK_EQ(vm_restore(&vm, &cfg, s), 0);
	state_free(s);
	free(saved);
	saved = NULL;
	unlink(path);
}

/* Until it ends by itself; its output is in @out. */
static void run(enum irqchip irqchip, unsigned int cpus, const char *device, int out)
{
	const char *tests = getenv("LKVM_TESTS");
	char kernel[4096], console[32];

	snprintf(kernel, sizeof(kernel), "%s/guest/saved.elf", tests ? tests : "tests/build");
	snprintf(console, sizeof(console), "fd::%d", out);
	if (access("/dev/kvm", R_OK | W_OK) < 0)
		SKIP("/dev/kvm cannot be opened");
	CHECK(!access(kernel, R_OK));
	CHECK(mkdtemp(dir));
	cfg = (struct vm_config) {
		.name = "restore", .kvm_path = "/dev/kvm", .cpus = cpus, .sockets = 1, .cores = cpus,
		.threads = 1, .irqchip = irqchip, .mem = RAM, .kernel = kernel, .kernel_cmdline = "",
		.console = console,
	};
	if (device)
		cfg.device[cfg.nr_devices++] = (struct device_config) { device, NULL };
	CHECK_EQ(vm_create(&vm, &cfg), 0);
	for (;;) {
		save_timer = (struct timer) { .fn = save };
		if (saves < SAVES)
			loop_timer(vm.loop, &save_timer, loop_now() + EVERY_NS);
		CHECK_EQ(vm_run(&vm), VM_EXIT);
		if (vm.status != SAVED)
			break;
		vm_destroy(&vm);
		restore();
	}
	CHECK_EQ(vm.status, 1);
	vm_destroy(&vm);
	rmdir(dir);
	CHECK(saves >= 2);
}

static void check_output(int out, unsigned int cpus, unsigned int requests)
{
	char text[4096] = "", want[4096] = "begin\n";
	unsigned int i;

	CHECK(pread(out, text, sizeof(text) - 1, 0) > 0);
	for (i = 0; i < 8; i++)
		sprintf(want + strlen(want), "line %u\n", i);
	sprintf(want + strlen(want), "done, %u CPUs, %u requests\n", cpus, requests);
	CHECK_MEM(text, want, strlen(want));
}

static void check(enum irqchip irqchip, const char *device)
{
	int out = memfd_create("out", 0);

	log_set_level(LOG_WARNING);
	run(irqchip, 3, device, out);
	check_output(out, 3, device ? 160 : 0);
	printf("# saved %u times, %zu bytes beside the RAM\n", saves, saved_len);
}

TEST_TIMEOUT(no_device_but_the_board_s, 60)
{
	check(IRQCHIP_SPLIT, NULL);
}

TEST_TIMEOUT(kvms_interrupt_controllers, 60)
{
	check(IRQCHIP_KERNEL, "virtio-rng");
}

TEST_TIMEOUT(an_io_apic_of_lkvms, 60)
{
	check(IRQCHIP_SPLIT, "virtio-rng");
}

TEST_TIMEOUT(only_pins_in_use, 60)
{
	check(IRQCHIP_COMPACT, "virtio-rng");
}
