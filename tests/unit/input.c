// SPDX-License-Identifier: GPL-2.0
/* What people type, on its way to the devices (kvm/input.h). */
#include <stdlib.h>
#include <string.h>

#include <linux/input-event-codes.h>

#include <kvm/input.h>

#include "driver.h"
#include "tap.h"

struct keyboard {
	struct device dev;
	struct input_sink sink;
	unsigned int woken;
};

static void keyboard_wake(struct input_sink *sink)
{
	container_of(sink, struct keyboard, sink)->woken++;
}

static int keyboard_init(struct device *dev)
{
	struct keyboard *k = container_of(dev, struct keyboard, dev);

	k->sink.rank = dev->index;
	k->sink.wake = keyboard_wake;
	return dev_input(dev, &k->sink);
}

DEVICE_TYPE(keyboard_type) = {
	.name = "test-keyboard", .help = "", .size = sizeof(struct keyboard), .init = keyboard_init,
	.state = STATELESS,
};

static struct machine m;
static struct inputs *in;

static struct keyboard *add(void)
{
	struct device *dev;

	CHECK_EQ(device_add(&m.vm, "test-keyboard", NULL, &dev), 0);
	return container_of(dev, struct keyboard, dev);
}

static void start(void)
{
	machine_init(&m);
	CHECK_EQ(inputs_new(&in), 0);
	m.cfg.inputs = in;
}

static void stop(void)
{
	machine_free(&m);
	inputs_free(in);
}

/* code, or -code for a release; 0: nothing */
static int next(struct keyboard *k)
{
	unsigned int code;
	bool down;

	if (!input_sink_key(&k->sink, &code, &down))
		return 0;
	return down ? (int)code : -(int)code;
}

TEST(keys_come_in_order)
{
	struct keyboard *k;

	start();
	k = add();
	input_key(in, KEY_A, true);
	CHECK(!input_has_keyboard(in));
	CHECK_EQ(next(k), 0);
	input_sink_ready(&k->sink, true);
	CHECK(input_has_keyboard(in));
	input_key(in, KEY_LEFTSHIFT, true);
	input_key(in, KEY_A, true);
	input_key(in, KEY_A, false);
	input_key(in, KEY_LEFTSHIFT, false);
	CHECK(k->woken);
	CHECK_EQ(next(k), KEY_LEFTSHIFT);
	CHECK_EQ(next(k), KEY_A);
	CHECK_EQ(next(k), -KEY_A);
	CHECK_EQ(next(k), -KEY_LEFTSHIFT);
	CHECK_EQ(next(k), 0);
	/* Codes that are no keys', and a key that was not down. */
	input_key(in, 0, true);
	input_key(in, INPUT_KEYS, true);
	input_key(in, ~0U, true);
	input_key(in, KEY_B, false);
	CHECK_EQ(next(k), 0);
	stop();
}

TEST(a_guest_that_takes_nothing_has_no_key_down_for_ever)
{
	struct keyboard *k;
	unsigned int i, n = 0;
	int code, down[KEY_MAX] = { 0 };

	start();
	k = add();
	input_sink_ready(&k->sink, true);
	input_key(in, KEY_LEFTCTRL, true);
	CHECK_EQ(next(k), KEY_LEFTCTRL);
	for (i = 0; i < 10 * INPUT_KEY_QUEUE; i++)
		input_key(in, KEY_1 + i / 2 % 40, !(i % 2));
	input_key(in, KEY_LEFTCTRL, false);
	input_key(in, KEY_RIGHTALT, true);
	down[KEY_LEFTCTRL] = 1;
	while ((code = next(k))) {
		down[abs(code)] = code > 0;
		n++;
	}
	CHECK_EQ(n, INPUT_KEY_QUEUE + 1);
	for (i = 0; i < KEY_MAX; i++)
		CHECK_EQ(down[i], 0);
	/* Its press was dropped, so is its release. */
	input_key(in, KEY_RIGHTALT, false);
	CHECK_EQ(next(k), 0);
	input_key(in, KEY_A, true);
	CHECK_EQ(next(k), KEY_A);
	stop();
}

TEST(the_best_that_listens_gets_them)
{
	struct keyboard *poor, *good;

	start();
	poor = add();
	good = add();
	input_sink_ready(&poor->sink, true);
	input_key(in, KEY_A, true);
	CHECK_EQ(next(poor), KEY_A);
	input_sink_ready(&good->sink, true);
	/* Nothing stays down at the one that was left. */
	CHECK_EQ(next(poor), -KEY_A);
	CHECK_EQ(next(poor), 0);
	input_key(in, KEY_A, false);
	CHECK_EQ(next(good), 0);
	input_key(in, KEY_B, true);
	CHECK_EQ(next(good), KEY_B);
	input_sink_leds(&poor->sink, INPUT_CAPS_LOCK);
	CHECK_EQ(input_leds(in), 0);
	input_sink_leds(&good->sink, ~0U);
	CHECK_EQ(input_leds(in), INPUT_LEDS);
	/* Its driver goes, perhaps with the device. */
	pthread_mutex_lock(&m.vm.lock);
	device_del(&good->dev);
	pthread_mutex_unlock(&m.vm.lock);
	input_key(in, KEY_C, true);
	CHECK_EQ(next(poor), KEY_C);
	stop();
	CHECK(true);
}

TEST(positions_merge_and_clicks_do_not)
{
	struct input_point p;
	struct keyboard *k;
	unsigned int i;
	int wheel = 0;

	start();
	k = add();
	k->sink.kind = INPUT_SINK_POINTER;
	input_sink_ready(&k->sink, true);
	input_pointer(in, 1, 2, 0, 0);
	input_pointer(in, 3, 4, 0, 0);
	input_pointer(in, 3, 4, INPUT_LEFT, 0);
	input_pointer(in, 3, 4, 0, 0);
	input_pointer(in, ~0U, 5, ~0U, 1000);
	CHECK(input_sink_point(&k->sink, &p) && p.x == 3 && p.y == 4 && !p.buttons);
	CHECK(input_sink_point(&k->sink, &p) && p.buttons == INPUT_LEFT);
	CHECK(input_sink_point(&k->sink, &p) && !p.buttons && !p.wheel);
	CHECK(input_sink_point(&k->sink, &p) && p.x == INPUT_POINTER_MAX && p.buttons == INPUT_BUTTONS);
	CHECK_EQ(p.wheel, 127);
	CHECK(!input_sink_point(&k->sink, &p));
	/* Too many: the last one is right in the end. */
	for (i = 0; i < 100; i++)
		input_pointer(in, i, i, i & 1, i % 3 ? 0 : -1);
	for (i = 0; input_sink_point(&k->sink, &p); i++)
		wheel += p.wheel;
	CHECK_EQ(i, INPUT_POINTER_QUEUE);
	CHECK_EQ(p.x, 99);
	CHECK_EQ(p.buttons, 1);
	CHECK_EQ(wheel, -34);
	stop();
}

static void taken(struct work *w)
{
	loop_stop(m.vm.loop);
}

TEST(who_waits_is_told)
{
	struct work work = { .fn = taken };
	struct input_wait w = { .loop = NULL, .work = &work }, leds;
	struct keyboard *k;

	start();
	w.loop = m.vm.loop;
	leds = w;
	k = add();
	input_sink_ready(&k->sink, true);
	input_wait_taken(in, &w);
	loop_run(m.vm.loop);
	input_key(in, KEY_A, true);
	input_wait_taken(in, &w);
	CHECK(!list_empty(&w.node));
	CHECK_EQ(next(k), KEY_A);
	loop_run(m.vm.loop);
	input_watch_leds(in, &leds);
	input_sink_leds(&k->sink, INPUT_NUM_LOCK);
	loop_run(m.vm.loop);
	input_unwait(in, &leds);
	/* The driver goes while keys wait. */
	input_key(in, KEY_A, false);
	input_wait_taken(in, &w);
	input_sink_ready(&k->sink, false);
	loop_run(m.vm.loop);
	stop();
	CHECK(true);
}
