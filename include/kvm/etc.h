/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files that the guest has in place of those in its root's /etc. They are in the upper
 * layer of its overlay; nothing changes on the host.
 */
#ifndef KVM_ETC_H
#define KVM_ETC_H

#include <kvm/guest_conf.h>

/*
 * Add records for /etc/hosts, with the guest's @hostname. If this process cannot read
 * the files of @root, the guest cannot either; then also add shadow and gshadow with all
 * passwords locked, sudoers that gives root and the user ID @caller all rights, and an
 * empty home of root. 0 or -ENOMEM.
 */
int etc_add(struct guest_conf *conf, const char *root, const char *hostname, unsigned int caller);

#endif
