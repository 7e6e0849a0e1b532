// SPDX-License-Identifier: GPL-2.0
/*
 * State: the format, which comes from a file that nobody vouches for, and each
 * device, which is saved in the middle of its work, made anew, and goes on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/button.h>
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
	struct state *s = NULL;
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

/* Serial ports have their other end here. */
static int to_guest[2], from_guest[2];

static void start_serial(void)
{
	char opts[64];

	CHECK_EQ(pipe(to_guest), 0);
	CHECK_EQ(pipe(from_guest), 0);
	snprintf(opts, sizeof(opts), "base=0x3f8,irq=4,tty=fd:%d:%d", to_guest[0], from_guest[1]);
	machine_init(&m);
	add("serial", opts);
}

TEST(serial)
{
	start_serial();
	/* FIFOs on, in loopback, with three bytes received, the interrupt waiting. */
	out(0x3f8 + 1, 1);
	out(0x3f8 + 2, 1);
	out(0x3f8 + 4, 0x1b);
	out(0x3f8, 'a');
	out(0x3f8, 'b');
	CHECK_EQ(in(0x3f8), 'a');
	out(0x3f8, 'c');
	out(0x3f8 + 7, 0x42);
	save();
	start_serial();
	CHECK_EQ(load(), 0);
	CHECK_EQ(in(0x3f8 + 4), 0x1b);
	CHECK_EQ(in(0x3f8 + 2) & 0xf, 0x4);
	CHECK_EQ(in(0x3f8), 'b');
	CHECK_EQ(in(0x3f8), 'c');
	CHECK_EQ(in(0x3f8 + 5) & 1, 0);
	CHECK_EQ(in(0x3f8 + 7), 0x42);
	machine_free(&m);
}

static void start_ged(void)
{
	machine_init(&m);
	add("ged", "base=0x604,irq=20");
	add("power-button", NULL);
	add("sleep-button", NULL);
}

TEST(events)
{
	start_ged();
	CHECK_EQ(button_press(&m.vm, BUTTON_SLEEP), 0);
	save();
	start_ged();
	CHECK_EQ(load(), 0);
	CHECK_EQ(bus_read(&m.vm.pio, 0x604, 4), 2);
	machine_free(&m);
}

static void start_rtc(void)
{
	machine_init(&m);
	add("rtc", "base=0x70,irq=8");
}

static void cmos(u8 reg, u8 val)
{
	out(0x70, reg);
	out(0x71, val);
}

static u8 cmos_read(u8 reg)
{
	out(0x70, reg);
	return in(0x71);
}

TEST(rtc)
{
	start_rtc();
	cmos(0x0b, 0x82);		/* set it */
	cmos(0x32, 0x21);
	cmos(0x09, 0x07);
	cmos(0x08, 0x06);
	cmos(0x07, 0x05);
	cmos(0x04, 0x04);
	cmos(0x02, 0x03);
	cmos(0x00, 0x00);
	cmos(0x0b, 0x12);		/* go, with an interrupt at each update */
	cmos(0x40, 0x77);
	out(0x70, 0x40);
	save();
	start_rtc();
	CHECK_EQ(load(), 0);
	CHECK_EQ(in(0x71), 0x77);
	CHECK_EQ(cmos_read(0x32), 0x21);
	CHECK_EQ(cmos_read(0x09), 0x07);
	CHECK_EQ(cmos_read(0x04), 0x04);
	CHECK_EQ(cmos_read(0x0b), 0x12);
	machine_free(&m);
}

static void start_esb(void)
{
	machine_pci(&m);
	log_set_level(LOG_ERROR);
	add("i6300esb", "action=poweroff");
}

static u64 esb_cfg(u32 off, unsigned int len)
{
	return bus_read(&m.vm.mmio, 0xe0000000 + (1 << 15) + off, len);
}

static void esb_cfg_write(u32 off, unsigned int len, u64 val)
{
	bus_write(&m.vm.mmio, 0xe0000000 + (1 << 15) + off, len, val);
}

TEST(watchdog_and_its_pci_function)
{
	u64 bar;

	start_esb();
	esb_cfg_write(0x10, 4, 0xd0000000);
	esb_cfg_write(0x04, 2, 2);
	bar = esb_cfg(0x10, 4) & ~0xfULL;
	CHECK_EQ(bar, 0xd0000000);
	/* The first of the two words, the preload, and it counts, locked. */
	bus_write(&m.vm.mmio, bar + 0xc, 2, 0x80);
	bus_write(&m.vm.mmio, bar + 0xc, 2, 0x86);
	bus_write(&m.vm.mmio, bar, 4, 0x1234);
	esb_cfg_write(0x68, 1, 3);
	bus_write(&m.vm.mmio, bar + 0xc, 2, 0x80);
	save();
	start_esb();
	CHECK_EQ(load(), 0);
	CHECK_EQ(esb_cfg(0x10, 4), 0xd0000000);
	CHECK_EQ(bus_read(&m.vm.mmio, 0xd0000000, 4), 0x1234);
	esb_cfg_write(0x68, 1, 0);
	CHECK_EQ(esb_cfg(0x68, 1), 3);
	bus_write(&m.vm.mmio, bar + 0xc, 2, 0x86);
	bus_write(&m.vm.mmio, bar, 4, 0x77);
	CHECK_EQ(bus_read(&m.vm.mmio, 0xd0000000, 4), 0x77);
	machine_free(&m);
}

TEST(state_of_another_machine_is_refused)
{
	log_set_level(LOG_ERROR - 1);
	start_i8042();
	save();
	start_rtc();
	CHECK_EQ(load(), -EINVAL);
	machine_free(&m);
	start_i8042();
	save();
	machine_init(&m);
	CHECK_EQ(load(), -EINVAL);
	machine_free(&m);
}

/* Each type, with what a guest that writes anything anywhere makes of it. */

static const struct chip {
	const char *type, *opts;
	bool pci, ticks;	/* ticks: it looks at the clock */
} chips[] = {
	{ "acpi-pm", NULL, .ticks = true },
	{ "debug-exit", "base=0xf4" },
	{ "debugcon", "base=0x402,tty=null" },
	{ "fw-cfg", "base=0x510,cpus=1,mem=4096" },
	{ "ged", "base=0x604,irq=20" },
	{ "i6300esb", "action=none", .pci = true, .ticks = true },
	{ "i8042", "base=0x60,irq=1,aux-irq=12" },
	{ "pc-testdev", NULL },
	{ "pci-host", NULL, .pci = true },
	{ "pm", "reset=0x600,sleep-control=0x601,sleep-status=0x602" },
	{ "pvpanic", "base=0x505" },
	{ "rtc", "base=0x70,irq=8", .ticks = true },
	{ "serial", "base=0x3f8,irq=4,tty=null" },
	/* Others that they need, or that need another machine: they are met elsewhere. */
	{ "ioapic", NULL }, { "pit", NULL }, { "power-button", NULL }, { "sleep-button", NULL },
	{ "vmgenid", NULL }, { "pci-hotplug", NULL },
};

static bool chip_start(const struct chip *c)
{
	if (c->pci)
		machine_pci(&m);
	else
		machine_init(&m);
	log_set_level(LOG_ERROR - 1);
	if (!c->opts && strcmp(c->type, "acpi-pm") && strcmp(c->type, "pc-testdev"))
		return !strcmp(c->type, "pci-host");
	add(c->type, c->opts);
	return true;
}

static u64 random_state = 1;

static u32 any(u32 n)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (random_state >> 33) % n;
}

static void poke(struct bus *bus)
{
	const struct region *r;
	u32 len = 1 << any(3);

	if (!bus->nr)
		return;
	r = bus->region[any(bus->nr)];
	if (any(3))
		bus_write(bus, r->base + any(min(r->len, (u64)MIB)), len, any(2) ? any(256) : any(~0u));
	else
		bus_read(bus, r->base + any(min(r->len, (u64)MIB)), len);
}

static void check_chip(const struct chip *c)
{
	u8 *first;
	size_t len;
	int i;

	if (!chip_start(c)) {
		machine_free(&m);
		return;
	}
	for (i = 0; i < 300; i++)
		poke(any(2) ? &m.vm.pio : &m.vm.mmio);
	save();
	first = saved;
	len = saved_len;
	saved = malloc(len);
	memcpy(saved, first, len);
	chip_start(c);
	if (load()) {
		printf("# %s\n", c->type);
		CHECK(!"a state that was made is read");
	}
	/* The same comes out again. */
	save();
	if (!c->ticks) {
		CHECK_EQ(saved_len, len);
		CHECK_MEM(saved, first, len);
	}
	free(saved);
	/* And any other does no harm. */
	for (i = 0; i < 30; i++) {
		saved = malloc(len);
		memcpy(saved, first, len);
		saved[any(len)] ^= 1 << any(8);
		saved[any(len)] ^= 1 << any(8);
		saved_len = len;
		chip_start(c);
		if (!load()) {
			poke(&m.vm.pio);
			poke(&m.vm.mmio);
		}
		machine_free(&m);
	}
	free(first);
}

TEST(whatever_the_guest_makes_of_a_chip)
{
	unsigned int i, round;

	for (round = 0; round < 10; round++)
		for (i = 0; i < ARRAY_SIZE(chips); i++)
			check_chip(&chips[i]);
}

TEST(no_type_is_forgotten)
{
	const struct device_type *type;
	unsigned int i, j;

	for (i = 0; (type = device_type_get(i)); i++) {
		for (j = 0; j < ARRAY_SIZE(chips) && strcmp(chips[j].type, type->name); j++)
			;
		if (j == ARRAY_SIZE(chips) && !!strncmp(type->name, "virtio-", 7))
			printf("# %s\n", type->name);
		CHECK(j < ARRAY_SIZE(chips) || !strncmp(type->name, "virtio-", 7));
	}
}
