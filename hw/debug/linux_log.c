// SPDX-License-Identifier: GPL-2.0
/*
 * See linux_log.h. The kernel's ring has descriptors, a structure with times and lengths for
 * each, and a second ring with the text (kernel/printk/printk_ringbuffer.h describes them);
 * vmcoreinfo has addresses, sizes and offsets (Documentation/admin-guide/kdump/vmcoreinfo.rst).
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include <linux/kernel.h>

#include "linux_log.h"

#define LOG_COUNT_BITS	20		/* more descriptors or text than that is a lie */
#define LOG_SIZE_BITS	27
#define LOG_LINE_MAX	1024
#define LOG_STRUCT_MAX	256		/* bytes of a structure */

/* The two upper bits of a descriptor's state_var are its state, the others its number. */
#define LOG_STATE(var)	((var) >> 62)
#define LOG_ID(var)	((var) & ~(3ULL << 62))
#define LOG_COMMITTED	1
#define LOG_FINALIZED	2

struct log_ring {
	const struct linux_view *v;
	u64 descs, infos, text;		/* virtual addresses */
	u64 nr, text_len;		/* powers of two */
	u64 desc_size, info_size;
	u64 state, begin, next;		/* offsets in a descriptor */
	u64 ts, len;			/* in the structure beside it */
};

/* A number of vmcoreinfo, "OFFSET(printk_info.ts_nsec)" and the like, below LOG_STRUCT_MAX. */
static int log_number(const struct linux_view *v, const char *key, u64 *val)
{
	return view_number(v, key, 10, val) && *val < LOG_STRUCT_MAX ? 0 : -ENOENT;
}

static u64 log_word(const struct log_ring *r, u64 addr)
{
	u64 val;

	return view_read(r->v, addr, &val, sizeof(val)) ? 0 : val;
}

static int log_layout(struct log_ring *r)
{
	u64 lpos = 0, first = 0, second = 0, counter = 0;
	const struct { const char *key; u64 *val; } number[] = {
		{ "SIZE(prb_desc)", &r->desc_size }, { "SIZE(printk_info)", &r->info_size },
		{ "OFFSET(prb_desc.state_var)", &r->state }, { "OFFSET(atomic_long_t.counter)", &counter },
		{ "OFFSET(prb_desc.text_blk_lpos)", &lpos },
		{ "OFFSET(prb_data_blk_lpos.begin)", &first }, { "OFFSET(prb_data_blk_lpos.next)", &second },
		{ "OFFSET(printk_info.ts_nsec)", &r->ts }, { "OFFSET(printk_info.text_len)", &r->len },
	};
	int ret = 0;

	for (unsigned int i = 0; !ret && i < ARRAY_SIZE(number); i++)
		ret = log_number(r->v, number[i].key, number[i].val);
	r->state += counter;
	r->begin = lpos + first;
	r->next = lpos + second;
	if (!ret && (r->state + 8 > r->desc_size || r->begin + 8 > r->desc_size || r->next + 8 > r->desc_size ||
		     r->ts + 8 > r->info_size || r->len + 2 > r->info_size))
		ret = -ENOENT;
	return ret;
}

/* Where the two rings are, and the numbers of the oldest and the newest descriptor. */
static int log_find(struct log_ring *r, u64 *tail, u64 *head)
{
	u64 prb, desc_ring, text_ring, bits, at[7];
	static const char *const key[] = {
		"OFFSET(printk_ringbuffer.desc_ring)", "OFFSET(printk_ringbuffer.text_data_ring)",
		"OFFSET(prb_desc_ring.count_bits)", "OFFSET(prb_desc_ring.descs)", "OFFSET(prb_desc_ring.infos)",
		"OFFSET(prb_data_ring.size_bits)", "OFFSET(prb_data_ring.data)",
	};
	u64 head_at, tail_at;
	int ret = view_number(r->v, "SYMBOL(prb)", 16, &prb) ? log_layout(r) : -ENOENT;

	for (unsigned int i = 0; !ret && i < ARRAY_SIZE(key); i++)
		ret = log_number(r->v, key[i], &at[i]);
	if (!ret)
		ret = log_number(r->v, "OFFSET(prb_desc_ring.head_id)", &head_at);
	if (!ret)
		ret = log_number(r->v, "OFFSET(prb_desc_ring.tail_id)", &tail_at);
	if (ret)
		return ret;
	prb = log_word(r, prb);
	desc_ring = prb + at[0];
	text_ring = prb + at[1];
	bits = log_word(r, desc_ring + at[2]) & 0xffffffff;
	r->nr = 1ULL << min(bits, 63ULL);
	r->descs = log_word(r, desc_ring + at[3]);
	r->infos = log_word(r, desc_ring + at[4]);
	*head = LOG_ID(log_word(r, desc_ring + head_at));
	*tail = LOG_ID(log_word(r, desc_ring + tail_at));
	r->text_len = log_word(r, text_ring + at[5]) & 0xffffffff;
	r->text = log_word(r, text_ring + at[6]);
	if (!bits || bits > LOG_COUNT_BITS || !r->text_len || r->text_len > LOG_SIZE_BITS || !r->text)
		return -EFAULT;
	r->text_len = 1ULL << r->text_len;
	return 0;
}

/* @text is what one call of printk() said: it may be several lines. */
static void log_lines(const char *text, size_t len, u64 ns, FILE *f)
{
	bool begin = true;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = text[i];

		if (begin)
			fprintf(f, "[%5llu.%06llu] ", (unsigned long long)(ns / 1000000000),
				(unsigned long long)(ns / 1000 % 1000000));
		begin = c == '\n';
		fputc(c == '\n' || c == '\t' || isprint(c) ? c : '?', f);
	}
	if (!begin)
		fputc('\n', f);
}

static void log_record(const struct log_ring *r, u64 id, FILE *f)
{
	u64 at = id & (r->nr - 1), var, begin, next, ns;
	u8 desc[LOG_STRUCT_MAX], info[LOG_STRUCT_MAX];
	char text[LOG_LINE_MAX];
	u16 len;

	if (view_read(r->v, r->descs + at * r->desc_size, desc, r->desc_size) ||
	    view_read(r->v, r->infos + at * r->info_size, info, r->info_size))
		return;
	memcpy(&var, desc + r->state, sizeof(var));
	if (LOG_ID(var) != id || (LOG_STATE(var) != LOG_COMMITTED && LOG_STATE(var) != LOG_FINALIZED))
		return;
	memcpy(&begin, desc + r->begin, sizeof(begin));
	memcpy(&next, desc + r->next, sizeof(next));
	memcpy(&ns, info + r->ts, sizeof(ns));
	memcpy(&len, info + r->len, sizeof(len));
	/* Odd positions mean that it has no text. One that did not fit before the end is at the beginning. */
	if ((begin | next) & 1)
		return;
	begin &= r->text_len - 1;
	next &= r->text_len - 1;
	if (begin > next)
		begin = 0;
	begin += sizeof(u64);		/* the number of its descriptor */
	if (begin >= next)
		return;
	len = min((u64)min((size_t)len, sizeof(text)), next - begin);
	if (!view_read(r->v, r->text + begin, text, len))
		log_lines(text, len, ns, f);
}

int linux_log_print(const struct linux_view *v, FILE *f)
{
	struct log_ring r = { .v = v };
	u64 tail, head;
	int ret = log_find(&r, &tail, &head);

	if (ret)
		return ret;
	if (LOG_ID(head - tail) >= r.nr)
		tail = LOG_ID(head - r.nr + 1);
	for (u64 i = 0; i <= LOG_ID(head - tail); i++)
		log_record(&r, LOG_ID(tail + i), f);
	return 0;
}
