/* SPDX-License-Identifier: GPL-2.0 */
/* Tasks of a Linux kernel: which one runs where, and what the others wait for. */
#ifndef HW_DEBUG_LINUX_TASKS_H
#define HW_DEBUG_LINUX_TASKS_H

#include <kvm/types.h>

struct linux_info;

#define TASK_COMM	16		/* bytes of a task's name, with a NUL */

struct linux_task {
	u64 addr;			/* of its structure */
	int pid;			/* -1: unknown */
	char comm[TASK_COMM];		/* "": unknown */
	u32 state;			/* bits of TASK_*, ~0: unknown */
	u64 sp;				/* of a task that does not run: its kernel stack, 0: unknown */
	bool user;			/* it is a program's */
};

/* The task that runs on a CPU whose data is at @percpu: false: not known. */
bool task_current(const struct linux_info *info, u64 percpu, struct linux_task *task);
/*
 * Call @fn for all processes, until it is false or the list does not end. False: there is no
 * list to be found (CONFIG_DEBUG_INFO_BTF and CONFIG_KALLSYMS_ALL tell where it is).
 */
bool task_each(const struct linux_info *info, bool (*fn)(void *obj, const struct linux_task *task), void *obj);
/* "R", "S", "D", ... as ps(1) says it. */
const char *task_state(const struct linux_task *task);

#endif
