/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The directory of the user's sockets: $XDG_RUNTIME_DIR/lkvm, if that is ours (sudo may
 * leave another user's in the environment), else /tmp/lkvm-UID. Closed to others.
 */
#ifndef KVM_USER_DIR_H
#define KVM_USER_DIR_H

#include <stddef.h>

#include <kvm/opt.h>
#include <kvm/types.h>

/*
 * Its path in @path, with @create made if it is not there; @what names it in messages.
 * A descriptor, which the caller closes and may lock by flock(); -errno with @err filled in.
 */
int user_dir_open(char *path, size_t size, bool create, const char *what, struct opt_err *err);

/* May @name be part of a socket's name? "a machine" is @what. 0, or -EINVAL with @err filled in. */
int user_dir_name(const char *name, const char *what, struct opt_err *err);

#endif
