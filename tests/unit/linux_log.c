// SPDX-License-Identifier: GPL-2.0
/* The messages of a Linux kernel in guest memory, and a ring that lies. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "../../hw/debug/linux_log.h"
#include "fake_linux.h"
#include "tap.h"

#define LOG	(FAKE_IMAGE + 6 * MIB)
#define PRB	(LOG + 0x100)		/* struct printk_ringbuffer, behind the pointer to it */
#define DESCS	(LOG + 0x1000)
#define INFOS	(LOG + 0x2000)
#define TEXT	(LOG + 0x3000)
#define COUNT	8			/* descriptors */
#define SIZE	256			/* bytes of text */

#define FINAL	(2ULL << 62)

/* As Linux lays them out on 64 bits. */
struct desc {
	u64 state, begin, next;
};
struct info {
	u64 seq, ts;
	u16 len;
	u8 rest[70];
};

static const char layout[] =
	"SYMBOL(prb)=%llx\n"
	"OFFSET(printk_ringbuffer.desc_ring)=0\nOFFSET(printk_ringbuffer.text_data_ring)=48\n"
	"OFFSET(prb_desc_ring.count_bits)=0\nOFFSET(prb_desc_ring.descs)=8\nOFFSET(prb_desc_ring.infos)=16\n"
	"OFFSET(prb_desc_ring.head_id)=24\nOFFSET(prb_desc_ring.tail_id)=32\n"
	"SIZE(prb_desc)=24\nOFFSET(prb_desc.state_var)=0\nOFFSET(prb_desc.text_blk_lpos)=8\n"
	"OFFSET(prb_data_blk_lpos.begin)=0\nOFFSET(prb_data_blk_lpos.next)=8\n"
	"SIZE(printk_info)=88\nOFFSET(printk_info.ts_nsec)=8\nOFFSET(printk_info.text_len)=16\n"
	"OFFSET(prb_data_ring.size_bits)=0\nOFFSET(prb_data_ring.data)=8\nOFFSET(atomic_long_t.counter)=0\n";

static struct vm vm;
static u64 lpos;

static void put(u64 addr, u64 val)
{
	fake_write(&vm, addr, &val, sizeof(val));
}

static void ring(u64 count_bits, u64 size_bits, u64 tail, u64 head)
{
	char note[2048];

	fake_linux(&vm);
	snprintf(note, sizeof(note), layout, (unsigned long long)LOG);
	fake_note(&vm, note);
	put(LOG, PRB);
	put(PRB, count_bits);
	put(PRB + 8, DESCS);
	put(PRB + 16, INFOS);
	put(PRB + 24, head);
	put(PRB + 32, tail);
	put(PRB + 48, size_bits);
	put(PRB + 56, TEXT);
	lpos = 0;
}

static void record(u64 id, u64 ts, const char *text)
{
	struct info info = { .seq = id, .ts = ts, .len = strlen(text) };
	struct desc desc = { .state = FINAL | id };
	u64 need = ALIGN(sizeof(u64) + info.len, 8);

	/* As in Linux, one that does not fit before the end is at the beginning. */
	desc.begin = lpos;
	desc.next = lpos + need;
	if (lpos / SIZE != (lpos + need - 1) / SIZE)
		desc.next = (lpos / SIZE + 1) * SIZE + need;
	lpos = desc.next;
	fake_write(&vm, DESCS + id % COUNT * sizeof(desc), &desc, sizeof(desc));
	fake_write(&vm, INFOS + id % COUNT * sizeof(info), &info, sizeof(info));
	fake_write(&vm, TEXT + (desc.next - need) % SIZE + sizeof(u64), text, info.len);
}

/* What is printed, until the next call. */
static const char *printed(int want)
{
	static char *text;
	struct linux_view view;
	size_t len;
	FILE *f;

	free(text);
	f = open_memstream(&text, &len);
	CHECK_EQ(view_open(&view, &vm), 0);
	CHECK_EQ(linux_log_print(&view, f), want);
	view_close(&view);
	fclose(f);
	fake_linux_free(&vm);
	return text;
}

TEST(messages)
{
	ring(3, 8, 5, 7);
	record(5, 1002003000, "one");
	record(6, 12000000000, "two\nlines\x1b[2J");
	record(7, 12000001000, "three");
	CHECK_STR(printed(0), "[    1.002003] one\n[   12.000000] two\n[   12.000000] lines?[2J\n[   12.000001] three\n");
}

TEST(the_ring_goes_round)
{
	char text[41] = "";

	ring(3, 8, 3, 10);
	memset(text, 'x', 40);
	for (u64 id = 0; id <= 10; id++)
		record(id, id * 1000000000, id < 7 ? text : "new");
	/* All text before that of 7 has been overwritten, in part: its length still is what it was. */
	CHECK(strstr(printed(0), "[    7.000000] new\n[    8.000000] new\n[    9.000000] new\n[   10.000000] new\n"));
}

TEST(lies)
{
	struct desc desc = { .state = FINAL | 1, .begin = 8, .next = ~0ULL & ~7ULL };
	struct info info = { .len = 0xffff };

	/* A record as long as all of the text, and one without any. */
	ring(3, 8, 1, 1);
	fake_write(&vm, DESCS + sizeof(desc), &desc, sizeof(desc));
	fake_write(&vm, INFOS + sizeof(info), &info, sizeof(info));
	CHECK(strlen(printed(0)) < 2 * SIZE * 16);
	/* Rings of no size, or of one that memory does not have. */
	ring(0, 8, 0, 0);
	printed(-EFAULT);
	ring(63, 8, 0, 5);
	printed(-EFAULT);
	ring(3, 200, 0, 5);
	printed(-EFAULT);
	/* Numbers far apart: no more records than there are descriptors. */
	ring(3, 8, 1, ~0ULL);
	CHECK_STR(printed(0), "");
	/* Structures elsewhere. */
	ring(3, 8, 0, 5);
	put(PRB + 8, 0x123456789abcULL);
	put(PRB + 16, ~0ULL - 8);
	CHECK_STR(printed(0), "");
}

TEST(a_kernel_that_does_not_say)
{
	fake_linux(&vm);
	printed(-ENOENT);
}
