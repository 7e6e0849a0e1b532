// SPDX-License-Identifier: GPL-2.0
/*
 * A debugger comes later: see debugger.h. The command that the user types makes the
 * socket, and its listening end comes with the request. It is beside the control socket,
 * where this process may remove it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <kvm/builtin.h>
#include <kvm/gdb.h>
#include <kvm/look.h>
#include <kvm/qmp.h>
#include <kvm/verbs.h>
#include <kvm/vm.h>

#include "debugger.h"

#define CONTROL_END	".sock"

/* "DIRECTORY/NAME.gdb" and the like. */
static void debugger_beside(const struct verbs *s, const char *end, char *path, size_t size)
{
	const char *control = control_path(s->control);

	snprintf(path, size, "%.*s%s", (int)(strlen(control) - strlen(CONTROL_END)), control, end);
}

static int debugger_serve(struct verbs *s, int fd, struct control_reply *reply)
{
	char path[256];
	int ret;

	debugger_beside(s, ".gdb", path, sizeof(path));
	ret = gdb_adopt(&s->late, fd, path, lkvm_version(), &reply->err);
	if (ret)
		return ret;
	ret = gdb_start(s->late, s->vm);
	if (!ret)
		return 0;
	gdb_close(s->late);
	s->late = NULL;
	return control_refuse(reply, ret, "%s", strerror(-ret));
}

int debugger_verb(struct verbs *s, struct control_reply *reply)
{
	int fd = control_take(reply, 0), ret = 0;
	struct gdb *gdb = s->gdb ? s->gdb : s->late;
	struct look_linux l;
	char path[256];

	if (fd >= 0 && gdb)
		close(fd);
	else if (fd >= 0)
		ret = debugger_serve(s, fd, reply);
	if (ret)
		return ret;
	gdb = s->gdb ? s->gdb : s->late;
	if (gdb)
		control_value(reply, "address", "%s", gdb_address(gdb));
	debugger_beside(s, ".gdb", path, sizeof(path));
	control_value(reply, "beside", "%s", path);
	control_value(reply, "kernel", "%s", s->cfg->kernel);
	/* Held by a debugger, or ending: what the kernel is has to wait. */
	if (look_linux(s->vm, &l) || !l.found)
		return 0;
	control_value(reply, "release", "%s", l.release);
	control_value(reply, "build", "%s", l.build_id);
	control_value(reply, "moved", "0x%llx", (unsigned long long)l.moved);
	control_value(reply, "text", "0x%llx", (unsigned long long)l.text);
	return 0;
}

int debugger_qmp_verb(struct verbs *s, struct control_reply *reply)
{
	int fd = control_take(reply, 0), ret = 0;
	bool served = s->qmp;
	char path[256];

	debugger_beside(s, ".qmp", path, sizeof(path));
	if (fd >= 0 && s->qmp)
		close(fd);
	else if (fd >= 0)
		ret = qmp_adopt(&s->qmp, fd, path, lkvm_version(), &reply->err);
	if (ret)
		return ret;
	if (fd >= 0 && !served)
		ret = qmp_start(s->qmp, s->vm);
	if (ret) {
		qmp_close(s->qmp);
		s->qmp = NULL;
		return control_refuse(reply, ret, "%s", strerror(-ret));
	}
	if (s->qmp)
		control_value(reply, "address", "%s", qmp_path(s->qmp));
	control_value(reply, "beside", "%s", path);
	return 0;
}

int debugger_start(struct verbs *s)
{
	int ret = s->late ? gdb_start(s->late, s->vm) : 0;

	return ret || !s->qmp ? ret : qmp_start(s->qmp, s->vm);
}

void debugger_leave(struct verbs *s)
{
	if (s->late)
		gdb_leave(s->late);
	if (s->qmp)
		qmp_leave(s->qmp);
}

void debugger_close(struct verbs *s)
{
	gdb_close(s->late);
	s->late = NULL;
	qmp_close(s->qmp);
	s->qmp = NULL;
}
