/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A server for drgn --qemu: the part of the QEMU Machine Protocol that it speaks. It reads
 * the memory of a machine that runs, or stands still, and changes nothing. Main thread.
 */
#ifndef KVM_QMP_H
#define KVM_QMP_H

#include <kvm/opt.h>

struct qmp;
struct vm;

/*
 * @fd, a unix socket that listens at @path and does not block, is the server's from now on, also
 * if it is refused; @path is removed in the end. @version stays the caller's. 0, or -errno with
 * @err filled in.
 */
int qmp_adopt(struct qmp **out, int fd, const char *path, const char *version, struct opt_err *err);
void qmp_close(struct qmp *q);
const char *qmp_path(const struct qmp *q);

/* Serve @vm: before it runs, or on its main loop. 0 or -errno. */
int qmp_start(struct qmp *q, struct vm *vm);
void qmp_leave(struct qmp *q);

#endif
