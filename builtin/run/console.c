// SPDX-License-Identifier: GPL-2.0
/* The console, and the serial ports: see console.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"
#include "snapshot.h"

enum { KIND_SERIAL, KIND_VIRTIO };
static const char *const console_kinds[] = { "serial", "virtio", NULL };

static int console_tty(void *obj, const char *arg, struct opt_err *err)
{
	struct run_console *own = obj;
	unsigned int n = *arg - '0';

	if (n >= RUN_TTYS || (arg[1] && (arg[1] != ',' || !arg[2]))) {
		snprintf(err->text, sizeof(err->text), "\"%s\" has to be N or N,TTY with N from 0 to %d, as in 1,unix:PATH",
			 arg, RUN_TTYS - 1);
		return -EINVAL;
	}
	if (own->tty[n]) {
		snprintf(err->text, sizeof(err->text), "ttyS%u is given twice", n);
		return -EINVAL;
	}
	own->tty[n] = arg[1] ? arg + 2 : "pty";
	return 0;
}

const struct opt console_opts[] = {
	OPT_CHOICE(0, "console", struct run_console, kind, console_kinds,
		   "console of the kernel: ttyS0 (default) or hvc0"),
	OPT_CALL(0, "tty", console_tty, "N[,TTY]",
		 "connect serial port ttySN (0 to 3) to a pty (default), unix:PATH, file:PATH, fd:N, stdio or null"),
	OPT_END
};

/* A serial port, or port 0 of a virtio-console, which may have others too: those of PID 1. */
static int console_device(struct plan *plan, const struct run_console *own)
{
	const char *ports = plan->session.device;
	char *quoted;
	int ret;

	if (own->kind == KIND_SERIAL) {
		plan->cfg.console = plan->session.console;
		plan->cfg.console_again = SNAPSHOT_CONSOLE;
		ret = ports ? plan_device(plan, "virtio-console", "%s", ports) : 0;
		return ret || !ports ? ret : plan_device_again(plan, SNAPSHOT_PORTS);
	}
	plan->cfg.console = NULL;
	quoted = opt_quote(plan->session.console);
	if (!quoted)
		return plan_err(-ENOMEM, "out of memory");
	ret = plan_device(plan, "virtio-console", "console=%s%s%s", quoted, ports ? "," : "",
			  ports ? ports : "");
	free(quoted);
	if (!ret)
		ret = plan_device_again(plan, ports ? "console=" SNAPSHOT_CONSOLE "," SNAPSHOT_PORTS :
					"console=" SNAPSHOT_CONSOLE);
	return ret;
}

static int console_serial(struct plan *plan, unsigned int n, const char *spec)
{
	bool session = spec == plan->session.console;
	char again[48], *quoted;
	int ret;

	if (!n) {
		plan->cfg.console = spec;
		plan->cfg.console_again = session ? SNAPSHOT_CONSOLE : NULL;
		return 0;
	}
	quoted = opt_quote(spec);
	if (!quoted)
		return plan_err(-ENOMEM, "out of memory");
	ret = plan_device(plan, "serial", "nr=%u,tty=%s", n, quoted);
	free(quoted);
	if (ret || !session)
		return ret;
	snprintf(again, sizeof(again), "nr=%u,tty=" SNAPSHOT_CONSOLE, n);
	return plan_device_again(plan, again);
}

/* The serial ports that --tty names. One of them may be what the console would be else: stdio. */
static int console_ttys(struct plan *plan, const struct run_console *own)
{
	bool taken = plan_commands(plan) || own->kind != KIND_SERIAL || !own->tty[0];
	int ret = 0;

	for (unsigned int n = 0; !ret && n < RUN_TTYS; n++) {
		const char *spec = own->tty[n];

		if (!spec)
			continue;
		if (!strcmp(spec, "stdio")) {
			if (taken)
				return plan_err(-EINVAL, "--tty %u,stdio: stdin and stdout are %s", n,
						plan_commands(plan) ? "the command's" :
						own->kind != KIND_SERIAL || own->tty[0] ? "taken" :
						"the console's, ttyS0: --tty 0 moves that elsewhere");
			taken = true;
			spec = plan->session.console;
		}
		ret = console_serial(plan, n, spec);
	}
	return ret;
}

int console_config(struct plan *plan, struct run_console *own)
{
	int ret = console_device(plan, own);

	plan->console = own->kind == KIND_SERIAL ? "ttyS0" : "hvc0";
	for (plan->serials = RUN_TTYS; plan->serials > 1 && !own->tty[plan->serials - 1]; )
		plan->serials--;
	return ret ? ret : console_ttys(plan, own);
}
