// SPDX-License-Identifier: GPL-2.0
/*
 * SipHash-2-4 of a flow: without the key nobody can predict it, or make flows collide.
 * For sequence numbers and buckets.
 */
#include <string.h>

#include "tcp.h"

static u64 rotl(u64 x, unsigned int n)
{
	return x << n | x >> (64 - n);
}

static void sip_round(u64 v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

u64 tcp_hash(const struct tcp_table *t, const struct flow *f)
{
	u64 v[4] = { t->secret[0] ^ 0x736f6d6570736575ULL, t->secret[1] ^ 0x646f72616e646f6dULL,
		     t->secret[0] ^ 0x6c7967656e657261ULL, t->secret[1] ^ 0x7465646279746573ULL };
	u64 word[6] = { 0 };
	unsigned int i;

	memcpy(word, &f->guest, 16);
	memcpy(word + 2, &f->host, 16);
	word[4] = (u64)f->guest_port << 16 | f->host_port;
	word[5] = 40ULL << 56;
	for (i = 0; i < 6; i++) {
		v[3] ^= word[i];
		sip_round(v);
		sip_round(v);
		v[0] ^= word[i];
	}
	v[2] ^= 0xff;
	for (i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
