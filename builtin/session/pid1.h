/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The conversation with the guest's PID 1 on the control port: the lines of
 * kvm/pid1.h, of which none is trusted. Main thread.
 */
#ifndef SESSION_PID1_H
#define SESSION_PID1_H

#include <kvm/log.h>
#include <kvm/pid1.h>
#include <kvm/session.h>

/* Zeroed at first. */
struct pid1 {
	/* The command has ended, or cannot be run: once for each start of the guest. */
	void (*reported)(void *obj);
	/* It waits for a command. */
	void (*waits)(void *obj);
	void *obj;
	bool other;			/* it only hands over to another PID 1, or says why it cannot */
	struct session *s;		/* its times are filled in */
	/* PID 1's reports since pid1_start(). */
	bool started;
	enum session_report report;
	int value;			/* with REPORT_EXIT and REPORT_SIGNAL */
	bool oops;			/* since ever */
	/* private */
	struct tty *tty;		/* NULL: there is no PID 1 of ours */
	char line[GUEST_LINE_MAX];
	size_t line_len;
	bool line_bad;			/* too long: skipped up to its end */
	struct log_limit limit;
	bool stop;			/* it is to be told when it is ready */
};

/* @fd is the host's end of the control port, duplicated. 0 or -errno with the message printed. */
int pid1_open(struct pid1 *p, int fd);
/* On @loop from now on, with a guest that has said nothing yet. */
void pid1_start(struct pid1 *p, struct loop *loop);
/* After pid1_start(): the guest goes on. One that waits gets @conf. */
void pid1_resume(struct pid1 *p, const struct session_guest *guest, const char *conf, size_t len);
void pid1_leave(struct pid1 *p);
/* Read what has been said meanwhile, without a loop. */
void pid1_read_rest(struct pid1 *p);
/* A line of the kernel's console: it may be PID 1's, which has no other way before it is ready. */
void pid1_console(struct pid1 *p, const char *text);
/* Send "LINE\n"; nothing happens if there is no PID 1. */
void pid1_say(struct pid1 *p, const char *line);
/* Have the command ended, at once if it is ready, else as soon as it is. 0 or -ENOTSUP. */
int pid1_stop(struct pid1 *p);
void pid1_close(struct pid1 *p);

#endif
