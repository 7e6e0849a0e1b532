// SPDX-License-Identifier: GPL-2.0
/*
 * Filters of system calls: tables become a classic BPF program
 * (Documentation/userspace-api/seccomp_filter.rst). The program compares the number
 * with each call in turn. The kernel remembers which calls a filter always allows,
 * so only calls with a condition run it. Any thread.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/seccomp.h>

/* BPF_MAXINSNS of <linux/bpf_common.h> is the kernel's limit. */
#define SECCOMP_INSNS	BPF_MAXINSNS

struct seccomp_filter {
	unsigned int len;
	u32 arch;
	enum seccomp_deny deny;
	struct sock_filter insn[SECCOMP_INSNS];
};

static void seccomp_emit(struct seccomp_filter *f, u16 code, u8 jt, u8 jf, u32 k)
{
	if (f->len < SECCOMP_INSNS)
		f->insn[f->len] = (struct sock_filter) { code, jt, jf, k };
	f->len++;
}

static u32 seccomp_denied(const struct seccomp_filter *f)
{
	return f->deny == SECCOMP_DENY_NOTIFY ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_TRAP;
}

static u32 seccomp_arg(unsigned int n)
{
	size_t at = offsetof(struct seccomp_data, args) + n * sizeof(u64);

	return at + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? sizeof(u32) : 0);
}

/* The instructions of one rule of a call whose number has been found. */
static void seccomp_emit_rule(struct seccomp_filter *f, const struct seccomp_rule *r)
{
	u32 ret = r->err ? SECCOMP_RET_ERRNO | ((u32)r->err & SECCOMP_RET_DATA) : SECCOMP_RET_ALLOW;

	if (r->mask) {
		seccomp_emit(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, seccomp_arg(r->arg));
		if (r->mask != ~0U)
			seccomp_emit(f, BPF_ALU | BPF_AND | BPF_K, 0, 0, r->mask);
		seccomp_emit(f, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, r->value);
	}
	seccomp_emit(f, BPF_RET | BPF_K, 0, 0, ret);
}

/* All tables as one list, which the caller frees; *nr of them. NULL: no memory. */
static const struct seccomp_rule **seccomp_flatten(const struct seccomp_rule *const *tables,
						   unsigned int nr_tables, unsigned int *nr)
{
	const struct seccomp_rule **list, *r;
	unsigned int t, n = 0;

	for (t = 0; t < nr_tables; t++)
		for (r = tables[t]; r->name; r++)
			n++;
	list = calloc(n + 1, sizeof(*list));
	*nr = 0;
	for (t = 0; list && t < nr_tables; t++)
		for (r = tables[t]; r->name; r++)
			list[(*nr)++] = r;
	return list;
}

static bool seccomp_is_first(const struct seccomp_rule *const *list, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (list[i]->nr == list[n]->nr)
			return false;
	return true;
}

/* All rules of the call of @list[0]: a jump past them when the number is another. */
static int seccomp_emit_call(struct seccomp_filter *f, const struct seccomp_rule *const *list,
			     unsigned int nr)
{
	unsigned int jump = f->len, skip, i;
	bool always = false;

	seccomp_emit(f, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, list[0]->nr);
	for (i = 0; i < nr && !always; i++) {
		if (list[i]->nr != list[0]->nr)
			continue;
		seccomp_emit_rule(f, list[i]);
		always = !list[i]->mask;
	}
	if (!always)
		seccomp_emit(f, BPF_RET | BPF_K, 0, 0, seccomp_denied(f));
	skip = f->len - jump - 1;
	if (skip > 255 || f->len > SECCOMP_INSNS)
		return -E2BIG;
	f->insn[jump].jf = skip;
	return 0;
}

int seccomp_filter_new(struct seccomp_filter **out, u32 arch, const struct seccomp_rule *const *tables,
		       unsigned int nr_tables, enum seccomp_deny deny)
{
	unsigned int nr, i;
	const struct seccomp_rule **list = seccomp_flatten(tables, nr_tables, &nr);
	struct seccomp_filter *f = list ? malloc(sizeof(*f)) : NULL;
	int ret = 0;

	if (!f) {
		free(list);
		return -ENOMEM;
	}
	f->len = 0;
	f->arch = arch;
	f->deny = deny;
	/* Calls of another ABI have other numbers: none is allowed. */
	seccomp_emit(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	seccomp_emit(f, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, arch);
	seccomp_emit(f, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
	seccomp_emit(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	for (i = 0; !ret && i < nr; i++)
		if (seccomp_is_first(list, i))
			ret = seccomp_emit_call(f, list + i, nr - i);
	seccomp_emit(f, BPF_RET | BPF_K, 0, 0, seccomp_denied(f));
	free(list);
	if (!ret && f->len > SECCOMP_INSNS)
		ret = -E2BIG;
	if (ret)
		free(f);
	else
		*out = f;
	return ret;
}

void seccomp_filter_free(struct seccomp_filter *f)
{
	free(f);
}

unsigned int seccomp_filter_len(const struct seccomp_filter *f)
{
	return f->len;
}

unsigned int seccomp_count(const struct seccomp_rule *const *tables, unsigned int nr_tables)
{
	unsigned int nr, i, count = 0;
	const struct seccomp_rule **list = seccomp_flatten(tables, nr_tables, &nr);

	for (i = 0; list && i < nr; i++)
		count += !list[i]->err && seccomp_is_first(list, i);
	free(list);
	return count;
}

int seccomp_enter(const struct seccomp_filter *f)
{
	struct sock_fprog prog = { .len = f->len, .filter = (struct sock_filter *)f->insn };
	unsigned long flags = f->deny == SECCOMP_DENY_NOTIFY ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
	int ret = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);

	return ret < 0 ? -errno : ret;
}

/* The instructions that seccomp_emit() makes, and no others. */
int seccomp_try(const struct seccomp_filter *f, int nr, const u64 args[6])
{
	struct seccomp_data data = { .nr = nr, .arch = f->arch };
	const struct sock_filter *i;
	u32 acc = 0;

	memcpy(data.args, args, sizeof(data.args));
	for (i = f->insn; ; i++) {
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&acc, (char *)&data + i->k, sizeof(acc));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			acc &= i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			i += acc == i->k ? i->jt : i->jf;
			break;
		default:	/* BPF_RET */
			if (i->k == SECCOMP_RET_ALLOW)
				return 0;
			if ((i->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
				return i->k & SECCOMP_RET_DATA;
			return -EACCES;
		}
	}
}

const char *seccomp_call_name(int nr)
{
	static const char *const name[] = {
#include "syscalls.inc"
	};

	return nr >= 0 && (size_t)nr < ARRAY_SIZE(name) ? name[nr] : NULL;
}
