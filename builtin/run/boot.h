/* SPDX-License-Identifier: GPL-2.0 */
/* Options of the boot: the kernel, its parameters, its initial ramdisk. */
#ifndef RUN_BOOT_H
#define RUN_BOOT_H

#include "plan.h"

struct run_boot {
	const char *kernel, *flat, *modules, *params;
	struct opt_list initrd;
	/* private */
	int vmlinux;			/* unpacked from the image, or -1 */
	char vmlinux_path[32];
	char *cmdline, *flat_file;
	void *ramdisk;
};
#define RUN_BOOT_INIT { .vmlinux = -1 }

extern const struct opt boot_opts[];

/* The kernel may be the first operand, as with kvmtool: no program that Linux runs is one. */
int boot_operand(struct plan *plan, struct run_boot *own);
/* Which kernel, and so which kind of guest. After all that has a say in wants_root. */
int boot_config(struct plan *plan, struct run_boot *own);
/* Its parameters: after the console's group. */
int boot_cmdline(struct plan *plan, struct run_boot *own);
/* The user's ramdisk, or one with PID 1, when all is known that that is told. */
int boot_ramdisk(struct plan *plan, struct run_boot *own);
void boot_free(struct run_boot *own);

/* Is @word, the whole of it, among the kernel parameters in @params (NULL: none)? */
bool boot_has_param(const char *params, const char *word);

#endif
