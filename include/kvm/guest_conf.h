/* SPDX-License-Identifier: GPL-2.0 */
/* The file that configures PID 1 of the guest: its records are in pid1.h. */
#ifndef KVM_GUEST_CONF_H
#define KVM_GUEST_CONF_H

#include <stddef.h>

/* lkvm.conf as it grows. Zero-initialised; guest_conf_free() when done. */
struct guest_conf {
	char *data;
	size_t len, cap;
};

/* Append "key=value". 0 or -ENOMEM. */
int guest_conf_add(struct guest_conf *c, const char *key, const char *value);
/* The same with printf()'s format for the value. */
int guest_conf_addf(struct guest_conf *c, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void guest_conf_free(struct guest_conf *c);

#endif
