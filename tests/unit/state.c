// SPDX-License-Identifier: GPL-2.0
/*
 * State: the format, which comes from a file that nobody vouches for, and each
 * device, which is saved in the middle of its work, made anew, and goes on.
 */
#include <errno.h>
#include <stdlib.h>

#include <linux/kernel.h>
#include <kvm/state.h>

#include "driver.h"
#include "tap.h"

struct thing {
	u32 number;
	bool flag;
	u8 bytes[5];
	struct {
		u16 inner;
	} nested;
	u64 not_state;
};

static const struct state_field thing_fields[] = {
	STATE(struct thing, number),
	STATE_KEPT(struct thing, flag),
	STATE(struct thing, bytes),
	STATE(struct thing, nested.inner),
	STATE_END
};

static int thing_state(struct state *s, struct thing *t)
{
	state_begin(s, "thing");
	state_fields(s, thing_fields, t);
	state_end(s);
	return state_finish(s);
}

static const struct thing thing = {
	.number = 0x12345678, .flag = true, .bytes = "abcd", .nested = { 7 }, .not_state = 9,
};

/* The caller frees it. */
static u8 *save_thing(struct thing t, enum state_kind kind, size_t *len)
{
	struct state *s;
	const void *data;
	u8 *copy;

	CHECK_EQ(state_write(&s, kind), 0);
	CHECK_EQ(thing_state(s, &t), 0);
	CHECK_EQ(state_written(s, &data, len), 0);
	copy = malloc(*len);
	memcpy(copy, data, *len);
	state_free(s);
	return copy;
}

static int load_thing(struct thing *t, const void *data, size_t len)
{
	struct state *s;
	int ret = state_read(&s, data, len);

	if (ret)
		return ret;
	ret = thing_state(s, t);
	state_free(s);
	return ret;
}

TEST(members_come_back)
{
	struct thing t = { .not_state = 1 };
	size_t len;
	u8 *data = save_thing(thing, STATE_ALL, &len);

	CHECK_EQ(load_thing(&t, data, len), 0);
	CHECK_EQ(t.number, 0x12345678);
	CHECK(t.flag);
	CHECK_STR((char *)t.bytes, "abcd");
	CHECK_EQ(t.nested.inner, 7);
	CHECK_EQ(t.not_state, 1);
	free(data);
}

TEST(sleep_keeps_what_is_marked)
{
	struct thing t = { .number = 1 };
	size_t len;
	u8 *data = save_thing(thing, STATE_SLEEP, &len);

	CHECK_EQ(load_thing(&t, data, len), 0);
	CHECK_EQ(t.number, 1);
	CHECK(t.flag);
	free(data);
}

TEST(what_is_cut_short_is_refused)
{
	struct thing t = { .number = 1 };
	size_t len, i;
	u8 *data = save_thing(thing, STATE_ALL, &len);

	log_set_level(LOG_ERROR - 1);
	for (i = 0; i < len; i++) {
		/* Of its own size, so that a read beyond it is seen. */
		u8 *part = malloc(i + 1);

		memcpy(part, data, i);
		CHECK_EQ(load_thing(&t, part, i), -EINVAL);
		free(part);
	}
	free(data);
}

TEST(any_other_byte_does_no_harm)
{
	size_t len, i;
	u8 *data = save_thing(thing, STATE_ALL, &len);
	unsigned int bit;

	log_set_level(LOG_ERROR - 1);
	for (i = 0; i < len; i++) {
		for (bit = 0; bit < 8; bit++) {
			struct thing t = { .number = 1 };

			data[i] ^= 1 << bit;
			load_thing(&t, data, len);
			CHECK_EQ(t.not_state, 0);
			data[i] ^= 1 << bit;
		}
	}
	free(data);
}

TEST(what_is_not_expected_is_refused)
{
	static const struct state_field fewer[] = { STATE(struct thing, number), STATE_END };
	struct thing t = thing;
	struct state *s;
	const void *data;
	size_t len;
	u8 *copy;

	log_set_level(LOG_ERROR - 1);
	/* A value that is not there. */
	CHECK_EQ(state_write(&s, STATE_ALL), 0);
	state_begin(s, "thing");
	state_fields(s, fewer, &t);
	state_end(s);
	CHECK_EQ(state_written(s, &data, &len), 0);
	CHECK_EQ(load_thing(&t, data, len), -EINVAL);
	/* A section more. */
	state_free(s);
	CHECK_EQ(state_write(&s, STATE_ALL), 0);
	CHECK_EQ(thing_state(s, &t), 0);
	state_begin(s, "other");
	state_end(s);
	CHECK_EQ(state_written(s, &data, &len), 0);
	CHECK_EQ(load_thing(&t, data, len), -EINVAL);
	state_free(s);
	/* Another version. */
	copy = save_thing(thing, STATE_ALL, &len);
	copy[5 + strlen("lkvm-state")]++;
	CHECK_EQ(load_thing(&t, copy, len), -EINVAL);
	free(copy);
}

TEST(bytes_are_bounded)
{
	u8 buf[8] = { 0 };
	size_t n = 6, len;
	const void *data;
	struct state *s, *r;

	log_set_level(LOG_ERROR - 1);
	CHECK_EQ(state_write(&s, STATE_ALL), 0);
	CHECK_EQ(state_bytes(s, "text", "sixty", &n, sizeof(buf)), 0);
	CHECK_EQ(state_written(s, &data, &len), 0);
	CHECK_EQ(state_read(&r, data, len), 0);
	CHECK_EQ(state_bytes(r, "text", buf, &n, sizeof(buf)), 0);
	CHECK_EQ(n, 6);
	CHECK_STR((char *)buf, "sixty");
	CHECK_EQ(state_finish(r), 0);
	state_free(r);
	CHECK_EQ(state_read(&r, data, len), 0);
	CHECK_EQ(state_bytes(r, "text", buf, &n, 5), -EINVAL);
	/* The first error stays. */
	CHECK_EQ(state_value(r, "text", buf, 6), -EINVAL);
	state_free(r);
	state_free(s);
}

/* Devices. A machine and the one that is made anew in its place. */

static struct machine m;

/* What is saved is freed by load(). */
static u8 *saved;
static size_t saved_len;

static void save(void)
{
	const void *data;
	struct state *s;

	CHECK_EQ(state_write(&s, STATE_ALL), 0);
	CHECK_EQ(vm_state(&m.vm, s), 0);
	CHECK_EQ(state_written(s, &data, &saved_len), 0);
	saved = malloc(saved_len);
	memcpy(saved, data, saved_len);
	state_free(s);
	machine_free(&m);
}

static int load(void)
{
	struct state *s;
	int ret = state_read(&s, saved, saved_len);

	if (!ret)
		ret = vm_state(&m.vm, s);
	state_free(s);
	free(saved);
	return ret;
}

static struct device *add(const char *type, const char *opts)
{
	struct device *dev = NULL;

	CHECK_EQ(device_add(&m.vm, type, opts, &dev), 0);
	return dev;
}

static u64 in(u16 port)
{
	return bus_read(&m.vm.pio, port, 1);
}

static void out(u16 port, u64 val)
{
	bus_write(&m.vm.pio, port, 1, val);
}

static void start_i8042(void)
{
	machine_init(&m);
	add("i8042", "base=0x60,irq=1,aux-irq=12");
}

TEST(i8042)
{
	start_i8042();
	/* The mouse's ID is half read, and the keyboard waits for a rate. */
	out(0x64, 0xd4);
	out(0x60, 0xff);
	CHECK_EQ(in(0x60), 0xfa);
	out(0x60, 0xf3);
	out(0x64, 0x60);
	save();
	start_i8042();
	CHECK_EQ(load(), 0);
	CHECK_EQ(in(0x64) & 0x20, 0x20);
	CHECK_EQ(in(0x60), 0xaa);
	CHECK_EQ(in(0x60), 0x00);
	CHECK_EQ(in(0x60), 0xfa);
	out(0x60, 0x47);
	out(0x64, 0x20);
	CHECK_EQ(in(0x60), 0x47);
	machine_free(&m);
}
