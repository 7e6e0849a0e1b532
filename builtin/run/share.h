/* SPDX-License-Identifier: GPL-2.0 */
/* --share DIR[:GUESTDIR][,OPTION...], taken apart. Part of the group of files.h. */
#ifndef RUN_SHARE_H
#define RUN_SHARE_H

#include <kvm/types.h>

/* The options are those of virtio-fs, and go there as they are. */
struct share_spec {
	char *text;			/* that the others point into */
	const char *dir, *guest;
	const char *opts;		/* or "" */
	bool ro;
};

/* 0, and share_free() when done; or -errno with the message printed. */
int share_parse(struct share_spec *s, const char *arg);
void share_free(struct share_spec *s);

#endif
