// SPDX-License-Identifier: GPL-2.0
/*
 * Filters of system calls: tables become a classic BPF program
 * (Documentation/userspace-api/seccomp_filter.rst). The program searches for the number
 * in a tree. The kernel runs it on each number when it is installed, and remembers which
 * calls it always allows. After that only calls with a condition run it. Any thread.
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
/* System calls have smaller numbers. */
#define SECCOMP_CALLS	1024
/* So many rules are looked through one after the other. */
#define SECCOMP_LEAF	12
/* The longest conditional jump; one more is a jump to the end of a leaf, not known yet. */
#define SECCOMP_JUMP	254
#define SECCOMP_PATCH	255

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

/*
 * All tables as one list, which the caller frees; *nr of them. Sorted by the call's number, the
 * rules of one call in the order of the tables. NULL: no memory, or a number that no kernel has.
 */
static const struct seccomp_rule **seccomp_flatten(const struct seccomp_rule *const *tables,
						   unsigned int nr_tables, unsigned int *nr)
{
	unsigned short place[SECCOMP_CALLS + 1] = { 0 };
	const struct seccomp_rule **list, *r;
	unsigned int t, i, n = 0;

	for (t = 0; t < nr_tables; t++)
		for (r = tables[t]; r->name; r++, n++) {
			if (r->nr < 0 || r->nr >= SECCOMP_CALLS)
				return NULL;
			place[r->nr + 1]++;
		}
	for (i = 1; i < SECCOMP_CALLS; i++)
		place[i] += place[i - 1];
	list = calloc(n + 1, sizeof(*list));
	for (t = 0; list && t < nr_tables; t++)
		for (r = tables[t]; r->name; r++)
			list[place[r->nr]++] = r;
	*nr = n;
	return list;
}

static bool seccomp_is_first(const struct seccomp_rule *const *list, unsigned int n)
{
	return !n || list[n - 1]->nr != list[n]->nr;
}

/* A jump to the end of the leaf if the accumulator is @k: see seccomp_emit_leaf(). */
static void seccomp_emit_allow(struct seccomp_filter *f, u32 k)
{
	seccomp_emit(f, BPF_JMP | BPF_JEQ | BPF_K, SECCOMP_PATCH, 0, k);
}

/* The consequence of a rule that fits if the accumulator is @k. */
static void seccomp_emit_result(struct seccomp_filter *f, const struct seccomp_rule *r, u32 k)
{
	if (!r->err) {
		seccomp_emit_allow(f, k);
		return;
	}
	seccomp_emit(f, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, k);
	seccomp_emit(f, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ((u32)r->err & SECCOMP_RET_DATA));
}

/* The @nr rules of a call whose number has been found. The accumulator has its number. */
static void seccomp_emit_rules(struct seccomp_filter *f, const struct seccomp_rule *const *list,
			       unsigned int nr)
{
	const struct seccomp_rule *loaded = NULL;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		const struct seccomp_rule *r = list[i];

		if (!r->mask) {
			if (loaded)
				seccomp_emit(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
			seccomp_emit_result(f, r, r->nr);
			return;
		}
		if (!loaded || loaded->arg != r->arg || loaded->mask != ~0U)
			seccomp_emit(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, seccomp_arg(r->arg));
		if (r->mask != ~0U)
			seccomp_emit(f, BPF_ALU | BPF_AND | BPF_K, 0, 0, r->mask);
		seccomp_emit_result(f, r, r->value);
		loaded = r;
	}
}

/* A few calls, one after the other. At the end are the two instructions that most of them jump to. */
static int seccomp_emit_leaf(struct seccomp_filter *f, const struct seccomp_rule *const *list,
			     unsigned int nr)
{
	unsigned int start = f->len, i, n, jump;

	for (i = 0; i < nr; i += n) {
		for (n = 1; i + n < nr && !seccomp_is_first(list, i + n); n++)
			;
		if (!list[i]->mask) {
			seccomp_emit_result(f, list[i], list[i]->nr);
			continue;
		}
		jump = f->len;
		seccomp_emit(f, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, list[i]->nr);
		seccomp_emit_rules(f, list + i, n);
		seccomp_emit(f, BPF_RET | BPF_K, 0, 0, seccomp_denied(f));
		if (f->len - jump - 1 > SECCOMP_JUMP)
			return -E2BIG;
		f->insn[jump].jf = f->len - jump - 1;
	}
	seccomp_emit(f, BPF_RET | BPF_K, 0, 0, seccomp_denied(f));
	seccomp_emit(f, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	if (f->len - start > SECCOMP_JUMP || f->len > SECCOMP_INSNS)
		return -E2BIG;
	for (i = start; i < f->len; i++)
		if (f->insn[i].jt == SECCOMP_PATCH)
			f->insn[i].jt = f->len - 2 - i;
	return 0;
}

/* A binary search for the number, down to a few calls. */
static int seccomp_emit_tree(struct seccomp_filter *f, const struct seccomp_rule *const *list,
			     unsigned int nr)
{
	unsigned int mid = nr / 2, jump;
	int ret;

	while (mid && !seccomp_is_first(list, mid))
		mid--;
	if (!mid)
		for (mid = nr / 2; mid < nr && !seccomp_is_first(list, mid); mid++)
			;
	if (nr <= SECCOMP_LEAF || !mid || mid >= nr)
		return seccomp_emit_leaf(f, list, nr);
	seccomp_emit(f, BPF_JMP | BPF_JGE | BPF_K, 0, 1, list[mid]->nr);
	jump = f->len;
	seccomp_emit(f, BPF_JMP | BPF_JA, 0, 0, 0);
	ret = seccomp_emit_tree(f, list, mid);
	if (ret)
		return ret;
	f->insn[jump].k = f->len - jump - 1;
	return seccomp_emit_tree(f, list + mid, nr - mid);
}

int seccomp_filter_new(struct seccomp_filter **out, u32 arch, const struct seccomp_rule *const *tables,
		       unsigned int nr_tables, enum seccomp_deny deny)
{
	unsigned int nr;
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
	ret = seccomp_emit_tree(f, list, nr);
	free(list);
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

bool seccomp_available(enum seccomp_deny deny)
{
	u32 action = deny == SECCOMP_DENY_NOTIFY ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_TRAP;

	return !syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action);
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
		case BPF_JMP | BPF_JGE | BPF_K:
			i += acc >= i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JA:
			i += i->k;
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
