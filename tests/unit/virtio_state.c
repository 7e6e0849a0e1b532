// SPDX-License-Identifier: GPL-2.0
/*
 * Virtio devices are held and saved in the middle of their work, made anew in another
 * machine with the same RAM, and go on. What is loaded is not trusted.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_console.h>

#include <linux/kernel.h>
#include <kvm/state.h>

#include "driver.h"
#include "tap.h"

#define BUF	(4 * MIB)
#define RAM	(8 * MIB)	/* as much of it is used */

static struct machine m;
static struct driver d;
static u8 *saved, *ram;
static size_t saved_len;

static void lock(void)
{
	pthread_mutex_lock(&m.vm.lock);
}

static void unlock(void)
{
	pthread_mutex_unlock(&m.vm.lock);
}

static void start(const char *type, const char *opts)
{
	machine_pci(&m);
	log_set_level(LOG_ERROR);
	driver_probe(&d, &m, machine_add(&m, type, opts));
	machine_run(&m);
}

/* Hold the devices, write everything down, and end the machine. */
static void save(void)
{
	const void *data;
	struct state *s;

	lock();
	CHECK_EQ(devices_hold(&m.vm), 0);
	CHECK_EQ(state_write(&s, STATE_ALL), 0);
	CHECK_EQ(vm_state(&m.vm, s), 0);
	CHECK_EQ(state_written(s, &data, &saved_len), 0);
	saved = malloc(saved_len);
	memcpy(saved, data, saved_len);
	state_free(s);
	ram = malloc(RAM);
	CHECK_EQ(mem_read(&m.vm.mem, 0, ram, RAM), 0);
	unlock();
	machine_free(&m);
}

/* Another machine, with the RAM; the devices are on hold. */
static int load(const char *type, const char *opts)
{
	struct state *s = NULL;
	int ret;

	machine_pci(&m);
	d.dev = machine_add(&m, type, opts);
	CHECK_EQ(mem_write(&m.vm.mem, 0, ram, RAM), 0);
	ret = state_read(&s, saved, saved_len);
	if (!ret)
		ret = vm_state(&m.vm, s);
	state_free(s);
	return ret;
}

static void go_on(void)
{
	machine_run(&m);
	lock();
	devices_release(&m.vm);
	unlock();
}

static void end(void)
{
	machine_free(&m);
	free(saved);
	free(ram);
}

static void nothing(void *arg)
{
}

static void settle(struct virtio_dev *dev)
{
	loop_call(dev->loop[0], nothing, NULL);
	loop_call(dev->loop[0], nothing, NULL);
}

static void ask_random(int n)
{
	while (n--)
		ring_add(&d.ring[0], 0, 0, BUF, 64);
	driver_kick(&d, 0);
}

static void random_comes(int n)
{
	u32 len;

	while (n--) {
		CHECK(driver_wait(&d, 0, NULL, &len));
		CHECK_EQ(len, 64);
	}
}

TEST(a_hold_keeps_requests_in_the_ring)
{
	start("virtio-rng", NULL);
	driver_start(&d, 16);
	ask_random(3);
	random_comes(3);
	lock();
	CHECK_EQ(devices_hold(&m.vm), 0);
	CHECK_EQ(virtio_hold(d.dev), 0);
	unlock();
	ask_random(3);
	settle(d.dev);
	CHECK(!ring_take(&d.ring[0], NULL, NULL));
	/* The last hold counts. */
	lock();
	virtio_release(d.dev);
	unlock();
	settle(d.dev);
	CHECK(!ring_take(&d.ring[0], NULL, NULL));
	lock();
	devices_release(&m.vm);
	unlock();
	random_comes(3);
	machine_free(&m);
}

/* It comes while the others are held: it is held as well, and the release is not one too many. */
TEST(a_device_that_comes_during_a_hold)
{
	struct virtio_dev *late;

	start("virtio-rng", NULL);
	lock();
	CHECK_EQ(devices_hold(&m.vm), 0);
	CHECK_EQ(devices_hold(&m.vm), 0);
	late = machine_add(&m, "virtio-rng", NULL);
	CHECK_EQ(late->holds, 2);
	devices_release(&m.vm);
	CHECK_EQ(late->holds, 1);
	devices_release(&m.vm);
	CHECK_EQ(late->holds, 0);
	unlock();
	machine_free(&m);
}

TEST(a_driver_resets_and_starts_a_device_on_hold)
{
	start("virtio-rng", NULL);
	driver_start(&d, 16);
	lock();
	CHECK_EQ(devices_hold(&m.vm), 0);
	unlock();
	driver_set_status(&d, 0);
	driver_start(&d, 16);
	ask_random(1);
	settle(d.dev);
	CHECK(!ring_take(&d.ring[0], NULL, NULL));
	lock();
	devices_release(&m.vm);
	unlock();
	random_comes(1);
	machine_free(&m);
}

TEST(rng_goes_on)
{
	start("virtio-rng", NULL);
	driver_start(&d, 16);
	ask_random(5);
	random_comes(5);
	lock();
	CHECK_EQ(devices_hold(&m.vm), 0);
	unlock();
	ask_random(3);
	save();
	CHECK_EQ(load("virtio-rng", NULL), 0);
	go_on();
	/* What was asked for before, by the interrupt that the driver had set up then. */
	random_comes(3);
	ask_random(10);
	random_comes(10);
	driver_set_status(&d, 0);
	driver_start(&d, 8);
	ask_random(1);
	random_comes(1);
	end();
}

TEST(before_the_driver_and_broken)
{
	start("virtio-rng", NULL);
	driver_features(&d, ~0ULL);
	driver_queue(&d, 0, 16);
	save();
	CHECK_EQ(load("virtio-rng", NULL), 0);
	go_on();
	driver_ok(&d);
	ask_random(1);
	random_comes(1);
	free(saved);
	free(ram);

	ring_offer(&d.ring[0], 99);
	driver_kick(&d, 0);
	CHECK(driver_wait_broken(&d));
	save();
	CHECK_EQ(load("virtio-rng", NULL), 0);
	go_on();
	CHECK(driver_status(&d) & VIRTIO_CONFIG_S_NEEDS_RESET);
	driver_set_status(&d, 0);
	driver_start(&d, 8);
	ask_random(1);
	random_comes(1);
	end();
}

/* A console whose host end is a pipe that is full: a request is written in part. */

enum { RX, TX };

#define TEXT	(200 * 1024)	/* more than a pipe takes */

static int to[2], from[2];

static void console_opts(char *opts, size_t len)
{
	CHECK_EQ(pipe(to), 0);
	CHECK_EQ(pipe(from), 0);
	snprintf(opts, len, "console=fd:%d:%d", to[0], from[1]);
}

static size_t drain(char *text, size_t len, size_t want)
{
	size_t done = 0;

	while (done < want) {
		ssize_t n = read(from[0], text + done, len - done);

		CHECK(n > 0);
		done += n;
	}
	return done;
}

TEST(console_goes_on)
{
	static char text[TEXT], back[TEXT + 1];
	char opts[64], hello[8] = "";
	size_t first;
	int i;
	u32 len;

	for (i = 0; i < TEXT; i++)
		text[i] = i * 7 + i / 251;
	console_opts(opts, sizeof(opts));
	start("virtio-console", opts);
	driver_start(&d, 16);
	/* A buffer that waits for input, and one that is more than the pipe takes. */
	ring_add(&d.ring[RX], 0, 0, BUF, 64);
	driver_kick(&d, RX);
	CHECK_EQ(mem_write(&m.vm.mem, BUF + 4096, text, TEXT), 0);
	ring_add(&d.ring[TX], BUF + 4096, TEXT, 0, 0);
	driver_kick(&d, TX);
	first = drain(back, 4096, 1);	/* it has begun */
	settle(d.dev);
	CHECK(!ring_take(&d.ring[TX], NULL, NULL));
	save();
	close(from[1]);
	while ((i = read(from[0], back + first, TEXT - first)) > 0)
		first += i;
	CHECK(first > 4096 && first < TEXT);

	console_opts(opts, sizeof(opts));
	CHECK_EQ(load("virtio-console", opts), 0);
	go_on();
	CHECK_EQ(drain(back + first, TEXT + 1 - first, TEXT - first), TEXT - first);
	CHECK_MEM(back, text, TEXT);
	CHECK(driver_wait(&d, TX, NULL, NULL));
	CHECK_EQ(write(to[1], "hello", 5), 5);
	CHECK(driver_wait(&d, RX, NULL, &len));
	CHECK_EQ(len, 5);
	CHECK_EQ(mem_read(&m.vm.mem, BUF, hello, 5), 0);
	CHECK_STR(hello, "hello");
	end();
}

/* Whatever the file says, nothing happens but that it is refused, or that a driver has to reset. */
TEST_TIMEOUT(a_state_of_any_kind, 60)
{
	char opts[64];
	u32 seed = 1;
	size_t i;

	console_opts(opts, sizeof(opts));
	start("virtio-console", opts);
	driver_start(&d, 16);
	ring_add(&d.ring[RX], 0, 0, BUF, 64);
	driver_kick(&d, RX);
	CHECK_EQ(mem_write(&m.vm.mem, BUF + 4096, "text", 4), 0);
	ring_add(&d.ring[TX], BUF + 4096, TEXT, 0, 0);
	driver_kick(&d, TX);
	settle(d.dev);
	save();
	log_set_level(-1);
	for (i = 0; i < saved_len; i++) {
		u8 old = saved[i];

		seed = seed * 1103515245 + 12345;
		/* All of it would take long: the values, not the names. */
		if (old > ' ' && old < 127 && seed >> 28)
			continue;
		saved[i] = seed & 0x10000 ? seed >> 20 : old ^ 1U << (seed >> 20 & 7);
		if (!load("virtio-console", opts)) {
			go_on();
			driver_set_status(&d, 0);
		}
		machine_free(&m);
		saved[i] = old;
	}
	CHECK_EQ(load("virtio-console", opts), 0);
	end();
}
