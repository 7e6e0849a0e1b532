// SPDX-License-Identifier: GPL-2.0
/* Packets of gdb's remote protocol: see gdb_packet.h. */
#include "gdb_packet.h"

#define GDB_ESCAPE	'}'
#define GDB_FLIP	0x20		/* an escaped byte is sent xor this */

int gdb_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static char gdb_digit_of(unsigned int val)
{
	return "0123456789abcdef"[val & 15];
}

static enum gdb_event gdb_begin(struct gdb_decoder *d, u8 byte)
{
	switch (byte) {
	case '$':
		d->state = GDB_DATA;
		d->sum = 0;
		d->len = 0;
		return GDB_NOTHING;
	case '+':
		return GDB_ACK;
	case '-':
		return GDB_NAK;
	case 0x03:
		return GDB_INTERRUPT;
	default:
		return GDB_ALIEN;
	}
}

static enum gdb_event gdb_data(struct gdb_decoder *d, u8 byte)
{
	bool escaped = d->state == GDB_ESCAPED;

	if (!escaped && byte == '#') {
		d->state = GDB_SUM_HIGH;
		return GDB_NOTHING;
	}
	d->sum += byte;
	if (!escaped && byte == GDB_ESCAPE) {
		d->state = GDB_ESCAPED;
		return GDB_NOTHING;
	}
	if (d->len == GDB_PACKET_MAX)
		return GDB_ALIEN;
	d->data[d->len++] = escaped ? byte ^ GDB_FLIP : byte;
	d->state = GDB_DATA;
	return GDB_NOTHING;
}

enum gdb_event gdb_decode(struct gdb_decoder *d, u8 byte)
{
	int digit = gdb_digit(byte);

	switch (d->state) {
	case GDB_BETWEEN:
		return gdb_begin(d, byte);
	case GDB_DATA:
	case GDB_ESCAPED:
		return gdb_data(d, byte);
	case GDB_SUM_HIGH:
		if (digit < 0)
			return GDB_ALIEN;
		d->want = digit << 4;
		d->state = GDB_SUM_LOW;
		return GDB_NOTHING;
	case GDB_SUM_LOW:
		d->state = GDB_BETWEEN;
		d->data[d->len] = '\0';
		if (digit < 0)
			return GDB_ALIEN;
		return (d->want | digit) == d->sum ? GDB_PACKET : GDB_CORRUPT;
	}
	return GDB_ALIEN;
}

size_t gdb_encode(char out[GDB_WIRE_MAX], const void *data, size_t len)
{
	const char *p = data, *end = p + len;
	char *to = out;
	u8 sum = 0;

	*to++ = '$';
	for (; p < end; p++) {
		char c = *p;

		if (c == '$' || c == '#' || c == '*' || c == GDB_ESCAPE) {
			sum += *to++ = GDB_ESCAPE;
			c ^= GDB_FLIP;
		}
		sum += *to++ = c;
	}
	*to++ = '#';
	*to++ = gdb_digit_of(sum >> 4);
	*to++ = gdb_digit_of(sum);
	return to - out;
}

bool gdb_number(const char **p, u64 *val)
{
	const char *begin = *p;
	int digit;

	for (*val = 0; (digit = gdb_digit(**p)) >= 0; ++*p) {
		if (*val >> 60)
			return false;
		*val = *val << 4 | digit;
	}
	return *p > begin;
}

void gdb_hex(char *out, const void *data, size_t len)
{
	const u8 *p = data;

	for (; len; len--, p++) {
		*out++ = gdb_digit_of(*p >> 4);
		*out++ = gdb_digit_of(*p);
	}
	*out = '\0';
}

bool gdb_unhex(void *out, const char *text, size_t len)
{
	u8 *to = out;

	for (; len; len--, text += 2) {
		int high = gdb_digit(text[0]), low = high < 0 ? -1 : gdb_digit(text[1]);

		if (low < 0)
			return false;
		*to++ = high << 4 | low;
	}
	return true;
}
