/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The commands of lkvm. A command is one file in builtin/ with its options,
 * its text and its function, and a line in the table of commands.c; help and
 * the manual's check follow from that. A command may have subcommands, which are
 * commands too. Only builtin/ prints usage or exits.
 */
#ifndef KVM_BUILTIN_H
#define KVM_BUILTIN_H

#include <kvm/opt.h>

/*
 * lkvm's own exit statuses, besides those of the guest's command. "git bisect run"
 * takes 125 for "cannot be tested".
 */
#define STATUS_USAGE	2	/* of any command but run */
#define STATUS_PANIC	123	/* the guest's kernel panicked or died */
#define STATUS_TIMEOUT	124	/* --timeout ran out */
#define STATUS_FAILED	125	/* lkvm could not start or run the machine */

struct command {
	const char *name;		/* as it is typed after "lkvm": "run", "disk create" */
	const char *synopsis;		/* what may follow the name, or "" */
	const char *summary;		/* one line, no full stop, for the list of commands */
	const char *about;		/* printed below the options, or NULL; lines end with \n */
	const struct opt *opts;		/* or NULL: none */
	unsigned int flags;		/* of opt_parse() */
	int usage_status;		/* exit status of a mistake on the command line */
	/* Subcommands, then NULL; or NULL: none. With them there are neither opts nor fn. */
	const struct command *const *sub;
	/* @argv is what follows the name, ended by NULL. Returns the exit status. */
	int (*fn)(const struct command *cmd, int argc, char **argv);
};

/* All of them, in the order of the help; the last is NULL. */
extern const struct command *const commands[];

extern const struct command command_clone;
extern const struct command command_balloon;
extern const struct command command_check;
extern const struct command command_completion;
extern const struct command command_console;
extern const struct command command_cp;
extern const struct command command_debug;
extern const struct command command_disk;
extern const struct command command_drgn;
extern const struct command command_dump;
extern const struct command command_forward;
extern const struct command command_gdb;
extern const struct command command_exec;
extern const struct command command_help;
extern const struct command command_kconfig;
extern const struct command command_link;
extern const struct command command_list;
extern const struct command command_mem;
extern const struct command command_pause;
extern const struct command command_power_cut;
extern const struct command command_reset;
extern const struct command command_restore;
extern const struct command command_resume;
extern const struct command command_run;
extern const struct command command_sandbox;
extern const struct command command_setup;
extern const struct command command_shell;
extern const struct command command_snapshot;
extern const struct command command_stat;
extern const struct command command_stop;
extern const struct command command_test;
extern const struct command command_version;

/*
 * opt_parse() for a command: returns the number of operands; or -1, and the command
 * returns *status: help or an error has been printed.
 */
int command_parse(const struct command *cmd, void *obj, int argc, char **argv, int *status);

/*
 * Flush stdout. Returns @status; if stdout cannot be written, another status than 0, with
 * the message printed.
 */
int command_flush(int status);

/* Report an error of the command line; returns the exit status. */
int command_usage(const struct command *cmd, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The command that @words name; at least one word, ended by NULL. *@used is the number
 * of words in its name. A word with a dash is no name, so a command with subcommands may
 * be found itself. NULL, with the message printed, if there is none.
 */
const struct command *command_find(const struct command *const *table, char **words, int *used);
/* Find it and call it: returns the exit status. */
int command_call(const struct command *const *table, int argc, char **argv);
/* The last word of its name. */
const char *command_word(const struct command *cmd);

void command_help_print(FILE *f, const struct command *cmd);
void command_list_print(FILE *f, const struct command *const *table);

/* "6.1.0" or what git calls it. */
const char *lkvm_version(void);

#endif
