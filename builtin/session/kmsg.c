// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's console as a stream of lines: see kmsg.h. The signs of
 * trouble are those that Linux prints (kernel/panic.c, arch/.../dumpstack.c,
 * lib/bug.c, mm/kasan), besides those of the architecture. Main thread.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/arch.h>

#include "kmsg.h"

enum kmsg_class kmsg_classify(const char *line)
{
	static const char *const oops[] = {
		"Oops: ", "Oops - ", "kernel BUG at ", "KASAN: ", "KFENCE: ", "KMSAN: ",
		"Unable to handle kernel ", "Internal error: ",
		"general protection fault, ", "general protection fault: ",
		"double fault: ", "stack-protector: Kernel stack is corrupted",
	};
	/* They say BUG, but the kernel goes on, and a slow host can cause them. */
	static const char *const slow[] = {
		"soft lockup", "workqueue lockup", "hard LOCKUP",
	};
	const char *bug;

	if (strstr(line, "---[ end Kernel panic - not syncing"))
		return KMSG_PANIC_OVER;
	if (strstr(line, "Kernel panic - not syncing"))
		return KMSG_PANIC;
	/* A program's fault, not the kernel's. */
	if (strstr(line, "traps: "))
		return KMSG_PLAIN;
	for (unsigned int i = 0; i < ARRAY_SIZE(oops); i++)
		if (strstr(line, oops[i]))
			return KMSG_OOPS;
	bug = strstr(line, "BUG: ");
	if (bug && bug > line && isalnum((unsigned char)bug[-1]))
		bug = NULL;		/* DEBUG */
	for (unsigned int i = 0; bug && i < ARRAY_SIZE(slow); i++)
		if (strstr(bug, slow[i]))
			bug = NULL;
	return bug || arch_is_die(line) ? KMSG_OOPS : KMSG_PLAIN;
}

bool kmsg_is_halt(const char *line)
{
	const char *end = *line == '[' ? strstr(line, "] ") : NULL;

	return !strcmp(end ? end + 2 : line, "reboot: System halted");
}

static void kmsg_keep(struct kmsg *k, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		k->kept[k->total++ % KMSG_KEPT] = text[i];
	k->kept[k->total++ % KMSG_KEPT] = '\n';
}

static void kmsg_line(struct kmsg *k)
{
	enum kmsg_class class;

	while (k->len && k->text[k->len - 1] == '\r')
		k->len--;
	/* The guest's output may end up on the user's terminal. */
	for (size_t i = 0; i < k->len; i++)
		if ((unsigned char)k->text[i] < ' ' && k->text[i] != '\t')
			k->text[i] = '.';
	k->text[k->len] = 0;
	class = kmsg_classify(k->text);
	splats_line(&k->splats, k->text);
	if (class != KMSG_PLAIN && !(class == KMSG_OOPS ? k->oops || k->panic : k->panic))
		memcpy(k->cause, k->text, k->len + 1);
	if (class == KMSG_OOPS)
		k->oops = true;
	if (class == KMSG_PANIC_OVER && k->panic)
		k->panic_over = true;
	if (class == KMSG_PANIC || class == KMSG_PANIC_OVER)
		k->panic = true;
	/* After a panic it resets the machine, and its registers are lost then. */
	if (k->panic || (k->oops && strstr(k->text, "---[ end trace ")))
		k->told = true;
	kmsg_keep(k, k->text, k->len);
	if (k->line)
		k->line(k->obj, k->text, k->len);
	k->len = 0;
}

void kmsg_feed(struct kmsg *k, const char *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (buf[i] == '\n') {
			kmsg_line(k);
			continue;
		}
		if (k->len == sizeof(k->text) - 1)
			kmsg_line(k);
		k->text[k->len++] = buf[i];
	}
}

void kmsg_end(struct kmsg *k)
{
	if (k->len)
		kmsg_line(k);
}

void kmsg_last(const struct kmsg *k, unsigned int max,
	       void (*fn)(void *obj, const char *text, size_t len), void *obj)
{
	size_t oldest = max(k->total > KMSG_KEPT ? k->total - KMSG_KEPT : 0, k->from), from = k->total;
	char line[KMSG_LINE];
	size_t len = 0;

	/* Back over @max line ends, and the one that ends the last line. */
	while (from > oldest) {
		if (k->kept[(from - 1) % KMSG_KEPT] == '\n' && !max--)
			break;
		from--;
	}
	for (; from < k->total; from++) {
		char c = k->kept[from % KMSG_KEPT];

		if (c == '\n') {
			line[len] = 0;
			fn(obj, line, len);
			len = 0;
		} else if (len < sizeof(line) - 1) {
			line[len++] = c;
		}
	}
}
