/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host side of a session: lkvm's stdin, stdout, stderr and terminal, the
 * protocol with the guest's PID 1 (kvm/pid1.h), the kernel's console, and lkvm's
 * exit status. One per process: it owns the terminal's mode and the signals.
 *
 *	session_open(&s, &cfg);		first of all: before descriptors and threads
 *	... put s.device into a virtio-console, s.console into vm_config.console,
 *	    s.mode[], s.rows, s.cols into lkvm.conf ...
 *	vm_create(&vm, ...);
 *	session_start(&s, vm.loop, &ops, obj);
 *	end = vm_run(&vm);
 *	session_leave(&s);
 *	vm_destroy(&vm);		(a guest that reboots: from vm_create() on again)
 *	status = session_status(&s, end, vm.status);
 *	session_close(&s);
 */
#ifndef KVM_SESSION_H
#define KVM_SESSION_H

#include <kvm/loop.h>
#include <kvm/state.h>
#include <kvm/types.h>
#include <kvm/vm.h>

/* A guest in a snapshot (kvm/snapshot.h), as its session sees it. */
struct session_guest {
	u8 mode[3];		/* of the command's streams: an index, see session_guest_state() */
	bool tty;		/* the command has a terminal */
	bool console, command, oops_fail;	/* session_config */
	bool started;		/* PID 1 runs the command */
	bool waits;		/* PID 1 waits for a command */
};
/* Write or read it. @guest is a struct session_guest. As state_value(). */
int session_guest_state(void *guest, struct state *s);

/* What a kernel reports of its own trouble. */
enum session_fault {
	FAULT_PANIC,
	FAULT_OOPS,		/* a fault, BUG, KASAN, KFENCE, KMSAN */
	FAULT_WARN, FAULT_UBSAN, FAULT_LOCKDEP,
	FAULT_RCU, FAULT_HUNG, FAULT_LOCKUP,	/* something takes too long; a slow host can be why */
	FAULT_CLASSES
};

struct session_config {
	bool console;		/* no PID 1 of ours: the console is stdin and stdout */
	bool init;		/* with @console: PID 1 of ours hands over to another, if it can */
	bool command;		/* a command was given: the guest ends with it */
	bool oops_fail;		/* an oops makes the status 123 */
	u32 fails;		/* so do these, 1 << FAULT_WARN and the like */
	bool no_stdin;		/* stdin is not read: the guest's is empty */
	bool verbose;		/* the kernel's console to stderr */
	const char *kmsg;	/* file for the kernel's console, or NULL */
	const char *outcome;	/* file for how it ended, or NULL: "WORD STATUS\nTEXT\n" */
	unsigned int timeout;	/* seconds, 0: none */
	const struct session_guest *guest;	/* the guest goes on, NULL: it boots */
	bool wait;		/* once PID 1 waits for a command, session_ops.waits() and the end */
};

/* Called on the main loop, the machine lock held. */
struct session_ops {
	/* End the machine: vm_end(vm, VM_EXIT, 0). */
	void (*end)(void *obj);
	/* The terminal's size: console_resize() for every virtio-console. */
	void (*resize)(void *obj, u16 rows, u16 cols);
	/* console_drain(): post @done to the main loop once all output of the guest has been taken. */
	void (*drain)(void *obj, struct work *done);
	/* A BREAK and then @key to the serial console: 0, -ENODEV, or as serial_break(). */
	int (*brk)(void *obj, char key);
	/* Hold all vCPUs, as lkvm is about to be stopped; or release them. */
	void (*hold)(void *obj, bool hold);
	/* Print the vCPUs' registers and what they do to stderr. */
	void (*dump)(void *obj);
	/* The guest's kernel begins to panic, or has said all of an oops: the first time only. */
	void (*died)(void *obj);
	/* With session_config.wait: PID 1 waits for a command. */
	void (*waits)(void *obj);
};

/* All that is known at the end. */
enum session_report { REPORT_NONE, REPORT_EXIT, REPORT_SIGNAL, REPORT_ERROR };

struct session_outcome {
	enum vm_end end;
	int exit_port;		/* with VM_EXIT by the guest: the status that it wrote */
	bool console, command, oops_fail;	/* session_config */
	bool started;		/* PID 1 said "ready" */
	enum session_report report;
	int value;		/* with REPORT_EXIT and REPORT_SIGNAL */
	bool panic, oops;
	const char *fault;	/* oops is "a WARNING" or the like; NULL: an oops */
	const char *release;	/* of the guest's kernel, if it is known, or NULL or "" */
	bool timeout;
	bool quit;		/* Ctrl-a x */
	int signal;		/* that lkvm got, or 0 */
};

/* Exit status (kvm/builtin.h); the verdict for stderr in @text, or "" if there is none. Pure. */
int session_decide(const struct session_outcome *o, char *text, size_t len);
/*
 * Write to @fd for --outcome "WORD STATUS\n", and what is known: @text and @cause, or "".
 * The word is "exit", the command's or the guest's own; "panic", "oops", "timeout"; "gone", the
 * guest went before its command had ended; "interrupted" by the user; "error", lkvm could
 * not go on. @status is what session_decide() says. -1 with errno.
 */
int session_outcome_write(int fd, const struct session_outcome *o, int status, const char *text, const char *cause);

struct session_private;

struct session {
	/* Filled in by session_open() for the configuration of the machine. */
	const char *console;	/* tty spec of the serial port */
	const char *device;	/* suboptions of the virtio-console with the ports, NULL with cfg.console */
	const char *mode[3];	/* of stdin, stdout, stderr, as in lkvm.conf */
	u16 rows, cols;		/* of the terminal, 0 if there is none */
	/*
	 * Times: PID 1 was entered, and started the command (ns since the guest's kernel
	 * started); it started the command, and the command ended (loop_now()). 0: not yet.
	 */
	u64 init_ns, ready_ns, ready_at, report_at;
	/* Filled in by the caller before session_status(): the release of the guest's kernel, or "". */
	char release[72];
	/*
	 * Set by the caller, or NULL: the machine has ended, and lkvm waits for a reader of
	 * its output. Requests of users may be served on @loop until it is NULL.
	 */
	void (*rest)(void *obj, struct loop *loop);
	void *rest_obj;
	/* private */
	struct agent *agent;	/* NULL: there is no PID 1 of ours */
	struct screen *screen;	/* the console, for those who attach to it */
	struct session_private *priv;
};

/*
 * Block the signals that the main loop reads, ignore SIGPIPE, and examine the
 * descriptors 0, 1 and 2. The terminal does not change yet. 0 or -errno with the message
 * printed.
 */
int session_open(struct session *s, const struct session_config *cfg);

/* The descriptor of the file of --kmsg, which stays the session's, or -1. After session_open(). */
int session_kmsg(const struct session *s);

/* Raw mode, input, signals, the timeout (which counts from the first start). 0 or -errno with the message printed. */
int session_start(struct session *s, struct loop *loop, const struct session_ops *ops, void *obj);

/* The loop has ended: read the rest of the guest's output, and forget the loop. */
void session_leave(struct session *s);

/*
 * Have the guest's PID 1 end the command and switch the machine off; at once if
 * it is ready, else as soon as it is. 0, or -ENOTSUP: there is no PID 1 of ours.
 */
int session_stop(struct session *s);

/*
 * A client of the agent in the guest (kvm/agent.h), at the socket @fd, which is taken also if this
 * fails. 0; -ENOTSUP: there is no PID 1 of ours; -EBUSY: too many; -errno.
 */
struct threads;
int session_exec(struct session *s, struct threads *threads, int fd);

/*
 * Somebody attaches to the guest's console at the socket @fd, which is taken also if this fails. What
 * was printed before comes first, what is sent is typed. @once: that is all, the socket is closed then. 0; -EBUSY: too many; -errno.
 */
int session_console(struct session *s, int fd, bool once);

/*
 * Before session_start(), for a guest that waits: more records of lkvm.conf, which say what
 * is run. @conf stays the caller's, and stays until then.
 */
void session_conf(struct session *s, const char *conf, size_t len);
#define SESSION_CONF_MAX	(128 << 10)

/* As a snapshot that is taken now has it. */
void session_guest_now(const struct session *s, struct session_guest *guest);
/* For builtin/session: what the configuration says of it. */
void session_guest(const struct session *s, const struct session_config *cfg, struct session_guest *guest);

/* End the machine as a SIGTERM for lkvm does. */
void session_kill(struct session *s);

/* After session_leave(), the machine has ended by @end: is that for the guest's kernel, or the time, and not as it should? */
bool session_died(const struct session *s, enum vm_end end);

/* After VM_RESET: may the machine start again? Not after a panic, before our PID 1 was ready, or when there is a command. */
bool session_reboot(const struct session *s);

/*
 * The machine has ended (@end, and @status of VM_EXIT): restore the terminal, print the
 * verdict, return lkvm's exit status. After session_leave().
 */
int session_status(struct session *s, enum vm_end end, int status);

/* Restore the terminal and end the process with STATUS_FAILED: for signal handlers. Does not return. */
void session_abort(void) __attribute__((noreturn));

/* Also after a failed session_open() or session_start(). */
void session_close(struct session *s);

#endif
