/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets of gdb's remote serial protocol ("Debugging with GDB", appendix E.1):
 * $DATA#CC, with } before a byte that would be taken for something else. Bytes
 * only: what a packet asks for is gdb.c's business. The other side is not trusted.
 */
#ifndef HW_DEBUG_GDB_PACKET_H
#define HW_DEBUG_GDB_PACKET_H

#include <kvm/types.h>

#define GDB_PACKET_MAX	0x8000		/* bytes of data, before escapes */
/* Bytes that a packet of GDB_PACKET_MAX may take on the wire: all of them escaped. */
#define GDB_WIRE_MAX	(2 * GDB_PACKET_MAX + 4)

/* What a byte has completed. */
enum gdb_event {
	GDB_NOTHING,
	GDB_PACKET,			/* data[0..len), and a NUL behind it */
	GDB_CORRUPT,			/* a packet whose checksum is wrong: to be sent again */
	GDB_ACK, GDB_NAK,		/* the last reply has arrived, or is to be sent again */
	GDB_INTERRUPT,			/* stop the machine: a byte of its own, between packets */
	GDB_ALIEN,			/* not this protocol, or a packet that is too long */
};

struct gdb_decoder {
	enum gdb_state {
		GDB_BETWEEN, GDB_DATA, GDB_ESCAPED, GDB_SUM_HIGH, GDB_SUM_LOW,
	} state;
	u8 sum, want;
	size_t len;
	char data[GDB_PACKET_MAX + 1];
};

/* One more byte. After GDB_ALIEN the decoder is of no more use. */
enum gdb_event gdb_decode(struct gdb_decoder *d, u8 byte);

/* The packet of @len bytes, at most GDB_PACKET_MAX, as it goes over the wire: its length. */
size_t gdb_encode(char out[GDB_WIRE_MAX], const void *data, size_t len);

/* The value of a hexadecimal digit, or -1. */
int gdb_digit(char c);
/* *@p is at a hexadecimal number: take it, all of its digits. False: there is none, or it has more than 64 bits. */
bool gdb_number(const char **p, u64 *val);
/* Two digits a byte, NUL at the end: @out has room for 2 * @len + 1. */
void gdb_hex(char *out, const void *data, size_t len);
/* @len bytes of 2 * @len digits. False: a character is none. */
bool gdb_unhex(void *out, const char *text, size_t len);

#endif
