/* SPDX-License-Identifier: GPL-2.0 */
/*
 * BTF (Documentation/bpf/btf.rst): the layout of a kernel's structures, which it carries
 * with it. The bytes are the guest's: what does not fit is not there.
 */
#ifndef HW_DEBUG_BTF_H
#define HW_DEBUG_BTF_H

#include <kvm/types.h>

#define BTF_MAX		(64u << 20)	/* bytes */

struct btf {
	const u8 *types;
	u32 types_len;
	const char *strings;		/* ends with a NUL */
	u32 strings_len;
	u32 *at;			/* where type N begins; type 0 is void */
	u32 nr;
};

/* @data stays the caller's, for as long as @b is used. 0, -ENOEXEC: that is no BTF, -ENOMEM. */
int btf_open(struct btf *b, const void *data, size_t len);
void btf_close(struct btf *b);

/*
 * The offset in bytes of a member: @path is "member" or "member.member...", where
 * arrays mean their first element. False: there is no such structure or member.
 */
bool btf_offset(const struct btf *b, const char *structure, const char *path, u32 *offset);

#endif
