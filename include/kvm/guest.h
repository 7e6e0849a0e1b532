/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What lkvm and its own PID 1 in the guest (builtin/init/) agree on: the
 * file that configures it, the virtio-console ports, and the control words.
 * Both are always of one build, so there is no version.
 *
 * The initramfs holds /init, /lkvm.conf and /modules/NNN-name.ko (in load
 * order). lkvm.conf is a sequence of NUL-terminated "key=value" records: any
 * byte but NUL in a value, repeated keys are lists.
 *
 * Ports (by name, see /sys/class/virtio-ports): stdin, stdout and stderr carry
 * bytes and nothing else; control carries lines.
 */
#ifndef KVM_GUEST_H
#define KVM_GUEST_H

#define GUEST_CONF		"/lkvm.conf"
#define GUEST_PORT_CONTROL	"lkvm.control"
#define GUEST_PORT_STDIN	"lkvm.stdin"
#define GUEST_PORT_STDOUT	"lkvm.stdout"
#define GUEST_PORT_STDERR	"lkvm.stderr"

/* The 9p or virtio-fs tag of the root. Shares are GUEST_TAG_SHARE plus a number. */
#define GUEST_TAG_ROOT		"lkvm.root"
#define GUEST_TAG_SHARE		"lkvm.share"

#endif
