// SPDX-License-Identifier: GPL-2.0
/*
 * Tasks: see linux_tasks.h. BTF tells the layout of struct task_struct. Without it the name is
 * found all the same: it is where the first task's is.
 */
#include <ctype.h>
#include <string.h>

#include <linux/kernel.h>

#include "linux_info.h"
#include "linux_tasks.h"

#define TASKS_MAX	65536		/* of the list that are looked at */
#define TASK_SEARCH	8192		/* bytes of the first task that may have its name */
#define STATE_NOLOAD	(1u << 10)
#define FIRST_COMM	"swapper"

/* Offsets in struct task_struct, 0: unknown; none of them is the first. */
struct task_layout {
	u32 pid, comm, state, sp, mm, tasks;
};

static u32 task_member(const struct linux_info *info, const char *path)
{
	u32 offset;

	return btf_offset(&info->btf, "task_struct", path, &offset) ? offset : 0;
}

static u32 task_search_comm(const struct linux_info *info)
{
	u64 init = info_symbol(info, "init_task");
	char text[TASK_COMM + sizeof(FIRST_COMM)];

	for (u32 i = 8; init && i < TASK_SEARCH; i++)
		if (!view_read(&info->view, init + i, text, sizeof(text)) &&
		    !memcmp(text, FIRST_COMM, strlen(FIRST_COMM)))
			return i;
	return 0;
}

static struct task_layout task_layout(const struct linux_info *info)
{
	struct task_layout l = {
		.pid = task_member(info, "pid"), .comm = task_member(info, "comm"),
		.state = task_member(info, "__state"), .sp = task_member(info, "thread.sp"),
		.mm = task_member(info, "mm"), .tasks = task_member(info, "tasks"),
	};

	/* Before 5.14 */
	if (!l.state)
		l.state = task_member(info, "state");
	if (!l.comm)
		l.comm = task_search_comm(info);
	return l;
}

static bool task_read(const struct linux_info *info, const struct task_layout *l, u64 addr, struct linux_task *t)
{
	u32 val;

	*t = (struct linux_task) { .addr = addr, .pid = -1, .state = ~0u };
	/* Is there anything? */
	if (view_read(&info->view, addr, &val, sizeof(val)))
		return false;
	if (l->comm && view_read(&info->view, addr + l->comm, t->comm, sizeof(t->comm) - 1))
		return false;
	for (char *p = t->comm; *p; p++)
		if (!isprint((unsigned char)*p))
			*p = '.';
	if (l->pid && !view_read(&info->view, addr + l->pid, &val, sizeof(val)))
		t->pid = val;
	if (l->state && !view_read(&info->view, addr + l->state, &val, sizeof(val)))
		t->state = val;
	if (l->sp)
		t->sp = info_pointer(info, addr + l->sp);
	t->user = l->mm && info_pointer(info, addr + l->mm);
	return true;
}

bool task_current(const struct linux_info *info, u64 percpu, struct linux_task *task)
{
	u64 symbol = info_symbol(info, "current_task"), addr;
	struct task_layout l;

	/* From 6.2 to 6.14 it is the first member of something else. */
	if (!symbol)
		symbol = info_symbol(info, "pcpu_hot");
	addr = symbol && percpu ? info_pointer(info, percpu + symbol) : 0;
	if (!addr)
		return false;
	l = task_layout(info);
	return task_read(info, &l, addr, task);
}

bool task_each(const struct linux_info *info, bool (*fn)(void *obj, const struct linux_task *task), void *obj)
{
	u64 init = info_symbol(info, "init_task"), at;
	struct task_layout l = task_layout(info);
	struct linux_task task;

	if (!init || !l.tasks)
		return false;
	at = info_pointer(info, init + l.tasks);
	for (unsigned int i = 0; i < TASKS_MAX && at && at != init + l.tasks; i++) {
		if (!task_read(info, &l, at - l.tasks, &task) || !fn(obj, &task))
			break;
		at = info_pointer(info, at);
	}
	return true;
}

const char *task_state(const struct linux_task *t)
{
	/* include/linux/sched.h */
	if (t->state == ~0u)
		return "?";
	if (!t->state)
		return "R";
	if (t->state & 1)
		return "S";
	if (t->state & 2)
		return t->state & STATE_NOLOAD ? "I" : "D";
	return t->state & 4 ? "T" : t->state & 8 ? "t" : "other";
}
