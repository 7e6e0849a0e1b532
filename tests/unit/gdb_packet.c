// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>

#include "../../hw/debug/gdb_packet.h"

#include "tap.h"

static struct gdb_decoder *decoder(void)
{
	struct gdb_decoder *d = calloc(1, sizeof(*d));

	CHECK(d);
	return d;
}

/* What the last byte completes; those before it complete nothing. */
static enum gdb_event feed(struct gdb_decoder *d, const char *text, size_t len)
{
	for (; len > 1; len--)
		CHECK_EQ(gdb_decode(d, *text++), GDB_NOTHING);
	return gdb_decode(d, *text);
}

#define FEED(d, text) feed(d, text, sizeof(text) - 1)

TEST(a_packet_is_its_data)
{
	struct gdb_decoder *d = decoder();

	CHECK_EQ(FEED(d, "$g#67"), GDB_PACKET);
	CHECK_STR(d->data, "g");
	CHECK_EQ(FEED(d, "$#00"), GDB_PACKET);
	CHECK_EQ(d->len, 0);
	CHECK_EQ(FEED(d, "$OK#9A"), GDB_PACKET);
	CHECK_STR(d->data, "OK");
	free(d);
}

TEST(a_wrong_checksum_is_said_and_the_next_packet_is_read)
{
	struct gdb_decoder *d = decoder();

	CHECK_EQ(FEED(d, "$g#68"), GDB_CORRUPT);
	CHECK_EQ(FEED(d, "$g#67"), GDB_PACKET);
	free(d);
}

TEST(between_packets_there_are_acknowledgements_and_interrupts)
{
	struct gdb_decoder *d = decoder();

	CHECK_EQ(FEED(d, "+"), GDB_ACK);
	CHECK_EQ(FEED(d, "-"), GDB_NAK);
	CHECK_EQ(FEED(d, "\x03"), GDB_INTERRUPT);
	/* Within one it is data. */
	CHECK_EQ(FEED(d, "$\x03#03"), GDB_PACKET);
	CHECK_EQ(d->len, 1);
	free(d);
}

TEST(other_protocols_are_none)
{
	static const char *const text[] = { "GET / HTTP/1.1", "\n", "#00", "\xff" };

	for (unsigned int i = 0; i < 4; i++) {
		struct gdb_decoder *d = decoder();

		CHECK_EQ(gdb_decode(d, text[i][0]), GDB_ALIEN);
		free(d);
	}
}

TEST(a_checksum_has_hexadecimal_digits)
{
	struct gdb_decoder *d = decoder();

	CHECK_EQ(FEED(d, "$g#x"), GDB_ALIEN);
	free(d);
	d = decoder();
	CHECK_EQ(FEED(d, "$g#6x"), GDB_ALIEN);
	free(d);
}

TEST(a_packet_has_an_end)
{
	struct gdb_decoder *d = decoder();

	CHECK_EQ(gdb_decode(d, '$'), GDB_NOTHING);
	for (unsigned int i = 0; i < GDB_PACKET_MAX; i++)
		CHECK_EQ(gdb_decode(d, 'a'), GDB_NOTHING);
	CHECK_EQ(gdb_decode(d, 'a'), GDB_ALIEN);
	free(d);
}

TEST(all_bytes_survive_the_wire)
{
	struct gdb_decoder *d = decoder();
	u8 *data = malloc(GDB_PACKET_MAX);
	char *wire = malloc(GDB_WIRE_MAX);
	size_t len;

	for (unsigned int i = 0; i < GDB_PACKET_MAX; i++)
		data[i] = i;
	len = gdb_encode(wire, data, GDB_PACKET_MAX);
	CHECK_EQ(feed(d, wire, len), GDB_PACKET);
	CHECK_EQ(d->len, GDB_PACKET_MAX);
	CHECK_MEM(d->data, data, GDB_PACKET_MAX);
	/* As many as there can be */
	memset(data, '}', GDB_PACKET_MAX);
	len = gdb_encode(wire, data, GDB_PACKET_MAX);
	CHECK_EQ(len, GDB_WIRE_MAX);
	CHECK_EQ(feed(d, wire, len), GDB_PACKET);
	CHECK_MEM(d->data, data, GDB_PACKET_MAX);
	free(wire);
	free(data);
	free(d);
}

TEST(a_reply_looks_as_the_manual_says)
{
	char *wire = malloc(GDB_WIRE_MAX);

	CHECK_EQ(gdb_encode(wire, "OK", 2), 6);
	CHECK_MEM(wire, "$OK#9a", 6);
	CHECK_EQ(gdb_encode(wire, "", 0), 4);
	CHECK_MEM(wire, "$#00", 4);
	CHECK_EQ(gdb_encode(wire, "*", 1), 6);
	CHECK_MEM(wire, "$}\n#87", 6);
	free(wire);
}

TEST(numbers)
{
	const char *p = "ffffffff81000000,4";
	u64 val;

	CHECK(gdb_number(&p, &val));
	CHECK_EQ(val, 0xffffffff81000000);
	CHECK_STR(p, ",4");
	CHECK(!gdb_number(&p, &val));
	p = "10000000000000000";
	CHECK(!gdb_number(&p, &val));
	p = "";
	CHECK(!gdb_number(&p, &val));
}

TEST(hexadecimal_text)
{
	char text[7], back[4];

	gdb_hex(text, "\x01\xab\xff", 3);
	CHECK_STR(text, "01abff");
	CHECK(gdb_unhex(back, text, 3));
	CHECK_MEM(back, "\x01\xab\xff", 3);
	CHECK(!gdb_unhex(back, "0", 1));
	CHECK(!gdb_unhex(back, "0g", 1));
	CHECK(!gdb_unhex(back, "", 1));
}
