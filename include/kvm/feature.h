/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KVM's capabilities that lkvm uses, each with its purpose and the consequence if it is
 * missing. Every KVM_CAP_ of the source is in one of the two tables
 * (tests/doc/features.sh).
 */
#ifndef KVM_FEATURE_H
#define KVM_FEATURE_H

#include <stdio.h>

#include <kvm/types.h>

struct vm;

struct feature {
	unsigned int cap;
	const char *name;	/* NULL: the end of the table */
	const char *use;
	const char *without;	/* NULL: lkvm needs it */
};
#define FEATURE(cap, use, without)	{ cap, #cap, use, without }

/* Those of every architecture, and those of x86/feature.c. */
extern const struct feature features[];
extern const struct feature arch_features[];

/*
 * 0; or -ENODEV with the message printed if KVM lacks a required capability. Missing
 * optional ones are reported at LOG_INFO. On the main thread, the machine just created
 * in KVM.
 */
int feature_check(struct vm *vm);

/* The first capability that lkvm needs and the KVM at @path has not; NULL: there is none, or KVM cannot be asked. */
const struct feature *feature_lacking(const char *path);

/* Print the tables with the values of the KVM at @path. 0 or -errno with the message printed. */
int feature_print(const char *path, FILE *f);

#endif
