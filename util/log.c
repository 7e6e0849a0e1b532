// SPDX-License-Identifier: GPL-2.0
/*
 * Messages to the user: each is formatted whole and written at once, so that
 * lines of several threads do not mix. Any thread.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <kvm/log.h>
#include <kvm/loop.h>

#define LOG_LINE_MAX	1024
#define LOG_WINDOW_NS	(5ULL * 1000 * 1000 * 1000)

/* The one stderr that a process has, and how it is to be written to. */
static _Atomic int log_level = LOG_WARNING;
static _Atomic bool log_raw;
static _Atomic bool log_confined;
static _Atomic u32 log_total;	/* messages that log_limited() has printed */

/* Who wants to know the first error. */
static __thread struct {
	char *text;
	size_t size;
} log_copy;

void log_capture(char *text, size_t size)
{
	log_copy.text = text;
	log_copy.size = size;
	if (text)
		*text = '\0';
}

void log_set_level(enum log_level level)
{
	log_level = level;
}

bool log_enabled(enum log_level level)
{
	return (int)level <= log_level;
}

void log_set_raw(bool raw)
{
	log_raw = raw;
}

void log_set_confined(void)
{
	log_confined = true;
}

const char *log_reason(int err)
{
	err = abs(err);
	if (log_confined && err == EACCES)
		return "Permission denied (lkvm is confined, --confine off tells whether that is why)";
	if (log_confined && err == EPERM)
		return "Operation not permitted (lkvm is confined, --confine off tells whether that is why)";
	return strerror(err);
}

void log_vmsg(enum log_level level, const char *fmt, va_list ap)
{
	static const char *const prefix[] = {
		[LOG_ERROR] = "lkvm: ", [LOG_WARNING] = "lkvm: warning: ",
		[LOG_INFO] = "lkvm: ", [LOG_DEBUG] = "lkvm: debug: ",
	};
	char line[LOG_LINE_MAX];
	const char *end = log_raw ? "\r\n" : "\n";
	size_t len;
	int n;

	if (!log_enabled(level))
		return;
	len = strlen(prefix[level]);
	memcpy(line, prefix[level], len);
	n = vsnprintf(line + len, sizeof(line) - len - 2, fmt, ap);
	if (n < 0)
		return;
	if (level == LOG_ERROR && log_copy.text && !*log_copy.text)
		snprintf(log_copy.text, log_copy.size, "%s", line + len);
	len = min(len + (size_t)n, sizeof(line) - 3);
	memcpy(line + len, end, strlen(end));
	len += strlen(end);
	if (write(STDERR_FILENO, line, len) < 0)
		return;		/* there is nowhere left to say it */
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vmsg(level, fmt, ap);
	va_end(ap);
}

void log_prefixed(enum log_level level, const char *where, int err, const char *fmt, va_list ap)
{
	char text[LOG_LINE_MAX];

	vsnprintf(text, sizeof(text), fmt, ap);
	if (err)
		log_msg(level, "%s: %s: %s", where, text, log_reason(err));
	else
		log_msg(level, "%s: %s", where, text);
}

/* Count one more message of the guest's. False: there have been too many. */
static bool log_take(void)
{
	u32 total;

	if (log_total > LOG_LIMITED_MAX)	/* the counter does not wrap */
		return false;
	total = ++log_total;
	if (total == LOG_LIMITED_MAX + 1)
		pr_warn("the guest has caused %u messages: lkvm prints no more of this kind", LOG_LIMITED_MAX);
	return total <= LOG_LIMITED_MAX;
}

void log_limited(struct log_limit *l, enum log_level level, const char *fmt, ...)
{
	u64 now = loop_now();
	u64 since = __atomic_load_n(&l->since, __ATOMIC_RELAXED);
	va_list ap;

	if (!log_enabled(level))
		return;
	/* Races between threads cost a message more or less, nothing else. */
	if (!since || now - since > LOG_WINDOW_NS) {
		u32 dropped = __atomic_exchange_n(&l->dropped, 0, __ATOMIC_RELAXED);

		__atomic_store_n(&l->since, now, __ATOMIC_RELAXED);
		__atomic_store_n(&l->passed, 0, __ATOMIC_RELAXED);
		if (dropped && log_take())
			log_msg(level, "(%u more messages like the next one)", dropped);
	}
	if (__atomic_add_fetch(&l->passed, 1, __ATOMIC_RELAXED) > LOG_BURST) {
		__atomic_add_fetch(&l->passed, -1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&l->dropped, 1, __ATOMIC_RELAXED);
		return;
	}
	if (!log_take())
		return;
	va_start(ap, fmt);
	log_vmsg(level, fmt, ap);
	va_end(ap);
}
