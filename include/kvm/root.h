/* SPDX-License-Identifier: GPL-2.0 */
/* The host's directory that becomes the guest's root. */
#ifndef KVM_ROOT_H
#define KVM_ROOT_H

/*
 * Is @dir fit to be a guest's root: a directory, with a shell or with the
 * command (@argv, NULL: none), for this machine, and with @user (a name or numbers;
 * NULL: root) in its /etc/passwd? Symbolic links are followed inside @dir. 0, or
 * -errno with the reason printed.
 */
int root_check(const char *dir, char *const *argv, const char *user);

/* Has the root @dir the program @path? 0 (also if it may not be read), or -errno with the reason printed. */
int root_has(const char *dir, const char *path);

#endif
