// SPDX-License-Identifier: GPL-2.0
/*
 * From a function to its caller in Linux: by ORC's tables (Documentation/arch/x86/
 * orc-unwinder.rst; struct orc_entry is in arch/x86/include/asm/orc_types.h), by frame
 * pointers, or by looking for an address of code on the stack. All that is read is the
 * guest's.
 */
#include <errno.h>

#include <linux/kernel.h>
#include <kvm/arch.h>

#define ORC_ENTRY	6		/* bytes */
#define ORC_SAMPLE	64		/* entries that tell which form they have */
#define GUESS_MAX	512		/* words of a stack that are looked at */

/* Registers that an entry counts from. */
enum {
	ORC_UNDEFINED, ORC_PREV_SP, ORC_DX, ORC_DI, ORC_BP, ORC_SP, ORC_R10, ORC_R13,
	ORC_BP_INDIRECT, ORC_SP_INDIRECT,
};

enum orc_kind { KIND_END, KIND_CALL, KIND_REGS, KIND_IRET };

struct orc {
	s16 sp_offset, bp_offset;
	u8 sp_reg, bp_reg;
	enum orc_kind kind;
};

/* struct pt_regs (arch/x86/include/asm/ptrace.h), by words. */
enum {
	REG_R15, REG_R14, REG_R13, REG_R12, REG_BP, REG_BX, REG_R11, REG_R10, REG_R9, REG_R8, REG_AX,
	REG_CX, REG_DX, REG_SI, REG_DI, REG_ORIG_AX, REG_IP, REG_CS, REG_FLAGS, REG_SP, REG_SS, REGS,
};

/* frame->other */
enum { OTHER_DX, OTHER_DI, OTHER_R10, OTHER_R13 };

/* struct inactive_task_frame (arch/x86/include/asm/switch_to.h), by words, since 4.9. */
enum { TASK_R15, TASK_R14, TASK_R13, TASK_R12, TASK_BX, TASK_BP, TASK_RET, TASK_WORDS };

static bool orc_read(const struct arch_unwind *u, const struct arch_tables *t, u32 i, u8 e[ORC_ENTRY])
{
	return !u->read(u->obj, t->entry + (u64)ORC_ENTRY * i, e, ORC_ENTRY);
}

/*
 * Until 6.3 the type of a call is 0, in two bits. From 6.4 on it is 2, in three. Nearly all
 * entries are calls.
 */
static bool orc_is_new(const struct arch_unwind *u, const struct arch_tables *t)
{
	unsigned int seen = 0, calls = 0;
	u8 e[ORC_ENTRY];

	for (u32 i = t->nr / 2; i < t->nr && seen < ORC_SAMPLE; i++, seen++)
		if (orc_read(u, t, i, e))
			calls += (e[5] & 7) == 2;
	return calls > seen / 2;
}

static bool orc_get(const struct arch_unwind *u, const struct arch_tables *t, u32 i, struct orc *orc)
{
	static const enum orc_kind old_kind[] = { KIND_CALL, KIND_REGS, KIND_IRET, KIND_END };
	static const enum orc_kind new_kind[] = {
		KIND_END, KIND_END, KIND_CALL, KIND_REGS, KIND_IRET, KIND_END, KIND_END, KIND_END,
	};
	u8 e[ORC_ENTRY];

	if (!orc_read(u, t, i, e))
		return false;
	*orc = (struct orc) {
		.sp_offset = e[0] | e[1] << 8, .bp_offset = e[2] | e[3] << 8,
		.sp_reg = e[4] & 15, .bp_reg = e[4] >> 4,
		.kind = orc_is_new(u, t) ? new_kind[e[5] & 7] : old_kind[e[5] & 3],
	};
	return true;
}

/* The last entry at or below @ip. The table has offsets from each entry to its code. */
static bool orc_find(const struct arch_unwind *u, const struct arch_tables *t, u64 ip, struct orc *orc)
{
	u32 low = 0, high = t->nr;

	while (low < high) {
		u32 mid = low + (high - low) / 2;
		u64 at = t->ip + 4ULL * mid;
		s32 offset;

		if (u->read(u->obj, at, &offset, sizeof(offset)))
			return false;
		if (at + offset <= ip)
			low = mid + 1;
		else
			high = mid;
	}
	return low && orc_get(u, t, low - 1, orc);
}

static bool unwind_word(const struct arch_unwind *u, u64 addr, u64 *val)
{
	return !u->read(u->obj, addr, val, sizeof(*val));
}

/* Where the caller's stack begins. */
static bool orc_stack(const struct arch_unwind *u, const struct orc *orc, const struct arch_frame *f, u64 *sp)
{
	static const u8 other[] = {
		[ORC_DX] = OTHER_DX, [ORC_DI] = OTHER_DI, [ORC_R10] = OTHER_R10, [ORC_R13] = OTHER_R13,
	};

	switch (orc->sp_reg) {
	case ORC_SP:
		*sp = f->sp + orc->sp_offset;
		return true;
	case ORC_BP:
		*sp = f->fp + orc->sp_offset;
		return true;
	case ORC_SP_INDIRECT:
		if (!unwind_word(u, f->sp, sp))
			return false;
		*sp += orc->sp_offset;
		return true;
	case ORC_BP_INDIRECT:
		return unwind_word(u, f->fp + orc->sp_offset, sp);
	case ORC_DX:
	case ORC_DI:
	case ORC_R10:
	case ORC_R13:
		*sp = f->other[other[orc->sp_reg]];
		return f->full;
	default:
		return false;
	}
}

/* All registers, as an exception has pushed them at @sp. */
static bool orc_regs(const struct arch_unwind *u, u64 sp, struct arch_frame *f)
{
	u64 regs[REGS];

	if (u->read(u->obj, sp, regs, sizeof(regs)))
		return false;
	*f = (struct arch_frame) {
		.ip = regs[REG_IP], .sp = regs[REG_SP], .fp = regs[REG_BP],
		.other = { regs[REG_DX], regs[REG_DI], regs[REG_R10], regs[REG_R13] },
		.full = true, .exact = true, .kernel = !(regs[REG_CS] & 3),
	};
	return true;
}

/* Only what the processor has pushed. */
static bool orc_iret(const struct arch_unwind *u, u64 sp, struct arch_frame *f)
{
	u64 regs[REGS - REG_IP];

	if (u->read(u->obj, sp, regs, sizeof(regs)))
		return false;
	f->ip = regs[0];
	f->kernel = !(regs[REG_CS - REG_IP] & 3);
	f->sp = regs[REG_SP - REG_IP];
	f->full = false;
	f->exact = true;
	return true;
}

static bool orc_call(const struct arch_unwind *u, const struct orc *orc, u64 sp, struct arch_frame *f)
{
	u64 fp = f->fp;

	if (!unwind_word(u, sp - 8, &f->ip))
		return false;
	if ((orc->bp_reg == ORC_PREV_SP && !unwind_word(u, sp + orc->bp_offset, &f->fp)) ||
	    (orc->bp_reg == ORC_BP && !unwind_word(u, fp + orc->bp_offset, &f->fp)))
		return false;
	f->sp = sp;
	f->full = f->exact = false;
	return true;
}

/* 0; -ENOENT: it has no caller; -EFAULT: the tables do not say. */
static int unwind_orc(const struct arch_unwind *u, const struct arch_tables *t, struct arch_frame *f)
{
	struct arch_frame next = *f;
	struct orc orc;
	bool done;
	u64 sp;

	if (!orc_find(u, t, f->ip - !f->exact, &orc))
		return -EFAULT;
	if (orc.kind == KIND_END || orc.sp_reg == ORC_UNDEFINED)
		return -ENOENT;
	if (!orc_stack(u, &orc, f, &sp))
		return -EFAULT;
	done = orc.kind == KIND_CALL ? orc_call(u, &orc, sp, &next) :
	       orc.kind == KIND_REGS ? orc_regs(u, sp, &next) : orc_iret(u, sp, &next);
	if (!done)
		return -EFAULT;
	*f = next;
	return f->kernel ? 0 : -ENOENT;
}

static bool unwind_code(const struct arch_unwind *u, u64 addr)
{
	struct arch_tables t;

	return u->code(u->obj, addr, &t);
}

/* The caller's frame pointer is where this one points to, and the return address behind it. */
static bool unwind_fp(const struct arch_unwind *u, struct arch_frame *f)
{
	u64 words[2];

	if (f->fp < f->sp || f->fp & 7 || u->read(u->obj, f->fp, words, sizeof(words)) ||
	    !unwind_code(u, words[1]))
		return false;
	f->sp = f->fp + sizeof(words);
	f->fp = words[0];
	f->ip = words[1];
	f->exact = f->full = false;
	return true;
}

/* The next word on the stack that is an address of code, whoever left it there. */
static int unwind_guess(const struct arch_unwind *u, struct arch_frame *f)
{
	u64 sp = ALIGN(f->sp, 8), val;

	for (unsigned int i = 0; i < GUESS_MAX; i++, sp += 8) {
		if (!unwind_word(u, sp, &val))
			return -ENOENT;
		if (!unwind_code(u, val))
			continue;
		f->ip = val;
		f->sp = sp + 8;
		f->exact = f->full = false;
		f->guess = true;
		return 0;
	}
	return -ENOENT;
}

int arch_unwind(const struct arch_unwind *u, struct arch_frame *f)
{
	struct arch_tables tables = { .nr = 0 };
	int ret = -EFAULT;

	f->guess = false;
	if (u->code(u->obj, f->ip, &tables) && tables.nr)
		ret = unwind_orc(u, &tables, f);
	if (ret != -EFAULT)
		return ret;
	return unwind_fp(u, f) ? 0 : unwind_guess(u, f);
}

int arch_unwind_task(const struct arch_unwind *u, u64 sp, struct arch_frame *f)
{
	u64 words[TASK_WORDS];

	if (u->read(u->obj, sp, words, sizeof(words)))
		return -EFAULT;
	*f = (struct arch_frame) {
		.ip = words[TASK_RET], .sp = sp + sizeof(words), .fp = words[TASK_BP], .kernel = true,
	};
	return 0;
}
