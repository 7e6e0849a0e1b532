/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files that the guest has in place of those in its root's /etc. They are in the upper
 * layer of its overlay; nothing changes on the host.
 */
#ifndef KVM_ETC_H
#define KVM_ETC_H

#include <kvm/guest_conf.h>

/*
 * Add records for: /etc/hosts, with the guest's @hostname; and, where the files of @root
 * cannot be read by this process and so not by the guest either, shadow and gshadow with
 * all passwords locked, sudoers that lets root and the user ID @caller do everything, and
 * an empty home of root. 0 or -ENOMEM.
 */
int etc_add(struct guest_conf *conf, const char *root, const char *hostname, unsigned int caller);

#endif
