/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host side of a session: lkvm's stdin, stdout, stderr and terminal, the
 * conversation with the guest's PID 1 (kvm/guest.h), the kernel's console, and
 * the exit status that all of it comes to. One per process: it owns the
 * terminal's mode and the signals.
 *
 *	streams_open(&s, &cfg);		first of all: before descriptors and threads
 *	... put s.device into a virtio-console, s.console into vm_config.console,
 *	    s.mode[], s.rows, s.cols into lkvm.conf ...
 *	vm_create(&vm, ...);
 *	streams_start(&s, vm.loop, &ops, obj);
 *	end = vm_run(&vm);
 *	streams_leave(&s);
 *	vm_destroy(&vm);		(a guest that reboots: from vm_create() on again)
 *	status = streams_status(&s, end, vm.status);
 *	streams_close(&s);
 */
#ifndef KVM_STREAMS_H
#define KVM_STREAMS_H

#include <kvm/loop.h>
#include <kvm/types.h>
#include <kvm/vm.h>

struct streams_config {
	bool console;		/* no PID 1 of ours: the console is stdin and stdout */
	bool command;		/* a command was given: the guest ends with it */
	bool oops_fail;		/* an oops makes the status 123 */
	bool verbose;		/* the kernel's console to stderr */
	const char *kmsg;	/* file for the kernel's console, or NULL */
	unsigned int timeout;	/* seconds, 0: none */
};

/* Called on the main loop, the machine lock held. */
struct streams_ops {
	/* End the machine: vm_end(vm, VM_EXIT, 0). */
	void (*end)(void *obj);
	/* The terminal's size: console_resize() for every virtio-console. */
	void (*resize)(void *obj, u16 rows, u16 cols);
	/* console_drain(): post @done to the main loop once all output of the guest has been taken. */
	void (*drain)(void *obj, struct work *done);
};

/* All that is known at the end. */
enum streams_report { REPORT_NONE, REPORT_EXIT, REPORT_SIGNAL, REPORT_ERROR };

struct streams_outcome {
	enum vm_end end;
	int exit_port;		/* with VM_EXIT that nobody here asked for: what the guest wrote */
	bool console, command, oops_fail;	/* streams_config */
	bool started;		/* PID 1 said "ready" */
	enum streams_report report;
	int value;		/* with REPORT_EXIT and REPORT_SIGNAL */
	bool panic, oops;
	const char *release;	/* of the guest's kernel, if it is known, or NULL or "" */
	bool timeout;
	bool quit;		/* Ctrl-a x */
	int signal;		/* that lkvm got, or 0 */
};

/* Exit status (kvm/builtin.h); the verdict for stderr in @text, or "" if there is nothing to say. Pure. */
int streams_decide(const struct streams_outcome *o, char *text, size_t len);

struct streams_private;

struct streams {
	/* Filled in by streams_open() for the configuration of the machine. */
	const char *console;	/* tty spec of the serial port */
	const char *device;	/* suboptions of the virtio-console with the ports, NULL with cfg.console */
	const char *mode[3];	/* of stdin, stdout, stderr, as in lkvm.conf */
	u16 rows, cols;		/* of the terminal, 0 if there is none */
	/*
	 * When PID 1 was entered and when it started the command: ns since the guest's
	 * kernel started, the latter by loop_now() as well, and when the command had ended.
	 * 0: it has not come to that.
	 */
	u64 init_ns, ready_ns, ready_at, report_at;
	/* Filled in by the caller before streams_status(): which kernel the guest ran, or "". */
	char release[72];
	/* private */
	struct streams_private *priv;
};

/*
 * Blocks the signals that the main loop is to see, ignores SIGPIPE, finds out
 * what the descriptors 0, 1 and 2 are. Nothing on the terminal changes yet. 0
 * or -errno with the message printed.
 */
int streams_open(struct streams *s, const struct streams_config *cfg);

/* Raw mode, input, signals, the timeout (which counts from the first start). 0 or -errno with the message printed. */
int streams_start(struct streams *s, struct loop *loop, const struct streams_ops *ops, void *obj);

/* The loop does not run any more: read what is left, and forget the loop. */
void streams_leave(struct streams *s);

/*
 * Have the guest's PID 1 end the command and switch the machine off; at once if
 * it is ready, else as soon as it is. 0, or -ENOTSUP: there is no PID 1 of ours.
 */
int streams_stop(struct streams *s);

/* End the machine as a SIGTERM for lkvm does. */
void streams_kill(struct streams *s);

/* After VM_RESET: may the machine start again? Not after a panic, and not when there is a command. */
bool streams_reboot(const struct streams *s);

/*
 * The machine has ended (@end, and @status of VM_EXIT): restore the terminal,
 * say what there is to say, return lkvm's exit status. After streams_leave().
 */
int streams_status(struct streams *s, enum vm_end end, int status);

/* Also after a failed streams_open() or streams_start(). */
void streams_close(struct streams *s);

#endif
