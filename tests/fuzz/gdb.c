// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz the packets of gdb's remote protocol: any bytes are decoded, and what was a
 * packet is the same after it has gone over the wire again.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../hw/debug/gdb_packet.h"

#include "fuzz_input.h"

static void again(const struct gdb_decoder *d, struct gdb_decoder *back, char *wire)
{
	size_t len = gdb_encode(wire, d->data, d->len), i;

	require(len <= GDB_WIRE_MAX, "longer than the longest");
	back->state = GDB_BETWEEN;
	for (i = 0; i + 1 < len; i++)
		require(gdb_decode(back, wire[i]) == GDB_NOTHING, "ended early");
	require(gdb_decode(back, wire[i]) == GDB_PACKET, "refused its own packet");
	require(back->len == d->len && !memcmp(back->data, d->data, d->len), "became another packet");
}

static void numbers(const char *p)
{
	u64 val;

	while (*p)
		if (!gdb_number(&p, &val) && *p)
			p++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct gdb_decoder *d = calloc(1, sizeof(*d)), *back = calloc(1, sizeof(*back));
	char *wire = malloc(GDB_WIRE_MAX);

	for (; d && back && wire && len; len--) {
		enum gdb_event event = gdb_decode(d, *data++);

		if (event == GDB_ALIEN)
			break;
		require(d->len <= GDB_PACKET_MAX, "too long");
		if (event == GDB_PACKET) {
			again(d, back, wire);
			numbers(d->data);
		}
	}
	free(wire);
	free(back);
	free(d);
	return 0;
}
