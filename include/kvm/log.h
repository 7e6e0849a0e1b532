/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages to the person who runs lkvm: one line each, on stderr, with the
 * prefix "lkvm: ". The log is the process's, not a machine's.
 */
#ifndef KVM_LOG_H
#define KVM_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <kvm/types.h>

enum log_level {
	LOG_ERROR,
	LOG_WARNING,
	LOG_INFO,	/* shown by -v */
	LOG_DEBUG,	/* shown by -vv */
};

/* Messages above @level are not printed. The default is LOG_WARNING. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* The terminal on stderr is in raw mode: end lines with CR LF. */
void log_set_raw(bool raw);

/*
 * The first error that this thread prints from now on is copied to @text, too, for
 * somebody who asked from elsewhere. NULL: no longer. @text is "" until then.
 */
void log_capture(char *text, size_t size);

/*
 * strerror(@err) with @err or -@err an errno. Once the process is confined, a refusal may be its own
 * confinement's (Landlock says EACCES): then the text says so, and what to try. Any thread.
 */
const char *log_reason(int err);
void log_set_confined(void);

void log_msg(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void log_vmsg(enum log_level level, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* The same as "WHERE: TEXT", and ": REASON" if @err is -errno and not 0. */
void log_prefixed(enum log_level level, const char *where, int err, const char *fmt, va_list ap)
	__attribute__((format(printf, 4, 0)));

#define pr_err(...)	log_msg(LOG_ERROR, __VA_ARGS__)
#define pr_warn(...)	log_msg(LOG_WARNING, __VA_ARGS__)
#define pr_info(...)	log_msg(LOG_INFO, __VA_ARGS__)
#define pr_debug(...)	log_msg(LOG_DEBUG, __VA_ARGS__)

/*
 * At most LOG_BURST messages in five seconds pass through one log_limit. The rest are
 * counted, and the count is printed when messages pass again. All log_limits of the
 * process together pass LOG_LIMITED_MAX messages, over all starts of the machine, so
 * that a guest cannot fill the file behind stderr. For every message that a guest can
 * cause. Zero-initialised, embedded in its owner, any thread.
 */
#define LOG_BURST 5
#define LOG_LIMITED_MAX 1000
struct log_limit {
	u64 since;		/* start of the window, monotonic ns */
	u32 passed, dropped;
};
void log_limited(struct log_limit *l, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
