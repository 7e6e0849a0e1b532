/* SPDX-License-Identifier: GPL-2.0 */
/* The host's files that the guest sees: its root, and folders. */
#ifndef RUN_FILES_H
#define RUN_FILES_H

#include "plan.h"

struct run_files {
	const char *root;
	bool rw;
	int fs;
	struct opt_list share, tmpfs, p9, hide;
	bool no_secrets;		/* hide the user's keys and passwords, too */
};

extern const struct opt files_opts[];

/* Options that need a guest with the host's files: before boot_config(), which depends on them. */
int files_wanted(struct plan *plan, struct run_files *own);
/* Root and shares, for a guest with PID 1 of ours; @user runs the command, NULL: root. */
int files_config(struct plan *plan, struct run_files *own, const char *user);
/* Folders that the guest mounts itself. */
int files_plain(struct plan *plan, struct run_files *own);

#endif
