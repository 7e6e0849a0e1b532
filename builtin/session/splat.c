// SPDX-License-Identifier: GPL-2.0
/*
 * See splat.h. The texts are those of Linux: kernel/panic.c, lib/bug.c, lib/ubsan.c,
 * mm/kasan/report.c, kernel/locking/lockdep.c, kernel/rcu/tree_stall.h, kernel/hung_task.c,
 * kernel/watchdog.c, arch/x86/mm/fault.c and arch/x86/kernel/dumpstack.c.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <linux/kernel.h>

#include "splat.h"

/* How a report begins. The first one that fits counts. */
struct splat_sign {
	const char *text;		/* is in the line */
	enum session_fault class;
	const char *what;		/* NULL: the line from @text on, or what is behind it (@skip) */
	bool skip;
	bool site;			/* "... at FILE:LINE function" follows */
};

static const struct splat_sign splat_signs[] = {
	{ "BUG: KASAN: ", FAULT_OOPS, .skip = false },
	{ "BUG: KFENCE: ", FAULT_OOPS, .skip = false },
	{ "BUG: KMSAN: ", FAULT_OOPS, .skip = false },
	{ "UBSAN: ", FAULT_UBSAN, .skip = false },
	{ "BUG: soft lockup", FAULT_LOCKUP, "soft lockup" },
	{ "BUG: workqueue lockup", FAULT_LOCKUP, "workqueue lockup" },
	{ "hard LOCKUP", FAULT_LOCKUP, "hard lockup" },
	{ "rcu: INFO: ", FAULT_RCU, "RCU stall" },
	{ "blocked for more than ", FAULT_HUNG, "hung task" },
	{ "WARNING: CPU: ", FAULT_WARN, "WARNING", .site = true },
	{ "possible circular locking dependency detected", FAULT_LOCKDEP },
	{ "possible recursive locking detected", FAULT_LOCKDEP },
	{ "possible irq lock inversion dependency detected", FAULT_LOCKDEP },
	{ "inconsistent lock state", FAULT_LOCKDEP },
	{ "-safe -> ", FAULT_LOCKDEP, "unsafe lock order" },
	{ "suspicious RCU usage", FAULT_LOCKDEP },
	{ "bad unlock balance detected", FAULT_LOCKDEP },
	{ "held lock freed", FAULT_LOCKDEP },
	{ "Invalid wait context", FAULT_LOCKDEP },
	{ "lock held when returning to user space", FAULT_LOCKDEP },
	{ "kernel BUG at ", FAULT_OOPS },
	{ "general protection fault", FAULT_OOPS, "general protection fault" },
	{ "Kernel panic - not syncing: ", FAULT_PANIC },
	{ "double fault: ", FAULT_OOPS, "double fault" },
	{ "stack guard page was hit", FAULT_OOPS, "stack overflow" },
	{ "kernel stack overflow", FAULT_OOPS, "stack overflow" },
	{ "BUG: ", FAULT_OOPS, .skip = true },
	{ "Oops: ", FAULT_OOPS, "Oops" },
};

/* Functions that report, and those that any stack has on top: they do not tell reports apart. */
static const char *const splat_noise[] = {
	"dump_stack", "__dump_stack", "show_stack", "print_report", "print_address", "kasan_", "__kasan_", "__asan_",
	"kmsan_", "__msan_", "kfence_", "panic", "check_panic", "__warn", "report_bug", "handle_bug", "exc_",
	"asm_exc_", "die", "__die", "page_fault_oops", "do_user_addr_fault", "do_kern_addr_fault", "ubsan_",
	"__ubsan_", "lockdep_", "print_", "check_noncircular", "check_prev", "validate_chain", "__lock_acquire",
	"lock_acquire", "mark_lock", "__might_", "__schedule", "schedule", "watchdog_", "rcu_check", "rcu_sched_clock",
	"rcu_dump", "_raw_spin", "bad_area", "__bad_area", "oops_end", "oops_begin", "nmi_", "sched_show",
};

static bool text_begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* The line without "[  time] " and "[ task] ". */
static const char *splat_body(const char *line)
{
	const char *end;

	while (*line == '[' && (line[1] == ' ' || isdigit((unsigned char)line[1]) || line[1] == 'T' || line[1] == 'C') &&
	       (end = strchr(line, ']')))
		for (line = end + 1; *line == ' '; line++)
			;
	return line;
}

/* "function+0x12/0x34" is at the beginning of @text: copy its name, without what a compiler adds. */
static bool splat_function(const char *text, char *name, size_t size)
{
	size_t len = strcspn(text, "+ ");
	const char *p, *dot;

	if (!len || text[len] != '+' || !text_begins(text + len, "+0x"))
		return false;
	for (p = text; p < text + len; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_.$", *p))
			return false;
	dot = memchr(text, '.', len);
	if (dot && dot > text)
		len = dot - text;
	snprintf(name, size, "%.*s", (int)min(len, size - 1), text);
	return true;
}

static bool splat_is_noise(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(splat_noise); i++)
		if (text_begins(name, splat_noise[i]))
			return true;
	return false;
}

/* What happened: up to where numbers begin that differ from time to time. */
static void splat_what(struct splat *s, const char *text)
{
	static const char *const ends[] = {
		" in ", ", address", " for address", ": 0", "! [", ", probably", " at addr", ": CPU", " by task",
	};
	size_t len = min(strlen(text), sizeof(s->what) - 1);

	for (unsigned int i = 0; i < ARRAY_SIZE(ends); i++) {
		const char *end = strstr(text, ends[i]);

		if (end && end > text)
			len = min(len, (size_t)(end - text));
	}
	while (len && strchr("!:., ", text[len - 1]))
		len--;
	snprintf(s->what, sizeof(s->what), "%.*s", (int)len, text);
}

/* "... at FILE:LINE function+..." */
static void splat_site(struct splat *s, const char *text)
{
	const char *at = strstr(text, " at "), *end;
	size_t len = strlen(s->what);

	if (!at)
		return;
	at += 4;
	end = at + strcspn(at, " ");
	snprintf(s->what + len, sizeof(s->what) - len, " at %.*s", (int)min((ptrdiff_t)80, end - at), at);
	if (*end)
		splat_function(end + 1, s->where, sizeof(s->where));
}

static const struct splat_sign *splat_find(const char *line, const char **at)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(splat_signs); i++) {
		*at = strstr(line, splat_signs[i].text);
		/* DEBUG: is no BUG: */
		if (*at && (*at == line || !isalnum((unsigned char)(*at)[-1])))
			return &splat_signs[i];
	}
	return NULL;
}

static void splat_begin(struct splats *all, const struct splat_sign *sign, const char *line, const char *at)
{
	struct splat *s = &all->of[sign->class];
	const char *in;

	/* One report may have several such lines: "BUG: ...", "Oops: ...". */
	if (all->open == s && s->count && sign->class == FAULT_OOPS && !all->trace)
		return;
	all->trace = false;
	all->open = s->count++ ? NULL : s;
	if (!all->open)
		return;
	if (sign->what)
		snprintf(s->what, sizeof(s->what), "%s", sign->what);
	else
		splat_what(s, sign->skip ? at + strlen(sign->text) : text_begins(at, "BUG: K") ? at + 5 : at);
	if (sign->site)
		splat_site(s, at);
	in = strstr(at, " in ");
	if (in && !sign->what)
		splat_function(in + 4, s->where, sizeof(s->where));
	/* UBSAN says where in the source. */
	if (in && sign->class == FAULT_UBSAN)
		snprintf(s->where, sizeof(s->where), "%.*s", (int)strcspn(in + 4, " "), in + 4);
}

static void splat_trace(struct splat *s, const char *text)
{
	char name[sizeof(s->function[0])];

	if (s->nr == SPLAT_FUNCTIONS || !splat_function(text, name, sizeof(name)) || splat_is_noise(name))
		return;
	memcpy(s->function[s->nr++], name, sizeof(name));
}

static void splat_more(struct splats *all, const char *text)
{
	struct splat *s = all->open;
	const char *rip = strstr(text, "RIP: 0010:");

	if (rip && !*s->where)
		splat_function(rip + strlen("RIP: 0010:"), s->where, sizeof(s->where));
	else if (text_begins(text, "Call Trace:"))
		all->trace = true;
	else if (strstr(text, "---[ end "))
		all->open = NULL;
	else if (all->trace)
		splat_trace(s, text);
}

void splats_line(struct splats *s, const char *line)
{
	const char *text = splat_body(line), *at;
	const struct splat_sign *sign;

	/* A program's fault */
	if (strstr(text, "traps: "))
		return;
	sign = splat_find(text, &at);
	if (sign)
		splat_begin(s, sign, text, at);
	else if (s->open)
		splat_more(s, text + strspn(text, " "));
}

void splat_text(const struct splat *s, char text[SPLAT_TEXT_MAX])
{
	size_t len = 0;

	*text = '\0';
	if (!s->count)
		return;
	len = snprintf(text, SPLAT_TEXT_MAX, "%s", s->what);
	if (*s->where)
		len += snprintf(text + len, SPLAT_TEXT_MAX - len, " in %s", s->where);
	for (unsigned int i = 0; i < s->nr; i++)
		len += snprintf(text + len, SPLAT_TEXT_MAX - len, "%s%s", i ? " < " : ": ", s->function[i]);
}
