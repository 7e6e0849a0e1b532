// SPDX-License-Identifier: GPL-2.0
/*
 * What a debugger needs of a vCPU: registers by number, addresses by the guest's page
 * tables, breakpoints and single steps. The features and their order are gdb's
 * ("Debugging with GDB", G.5.4); debug registers: Intel SDM volume 3, 18.2;
 * KVM_SET_GUEST_DEBUG: Documentation/virt/kvm/api.rst.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/kvm.h>
#include <kvm/vcpu.h>
#include <kvm/vm.h>

#define MSR_KERNEL_GS_BASE	0xc0000102

/* XSAVE's area in its standard form (SDM volume 1, 13.4): bytes from its beginning. */
#define XSAVE_BV	512
#define XSAVE_YMMH	576
#define XSAVE_AVX	(1u << 2)
#define XSAVE_MAX	(1 << 20)

#define DB_VECTOR	1
#define BP_VECTOR	3
#define DR6_POINT(i)	(1u << (i))
#define DR6_STEP	(1u << 14)
#define DR7_FIXED	(1u << 10)
#define DR7_ENABLE(i)	(2u << ((i) * 2))
#define DR7_KIND(i, k)	((u64)(k) << (16 + (i) * 4))
#define DR7_LEN(i, l)	((u64)(l) << (18 + (i) * 4))

/* The FPU's registers as gdb has them: 32 bits each. */
struct x87 {
	u32 fctrl, fstat, ftag, fiseg, fioff, foseg, fooff, fop;
};

struct x86_regs {
	struct kvm_regs r;
	struct kvm_sregs s;
	struct kvm_fpu f;
	struct x87 x87;
	u64 k_gs_base;
	u8 ymmh[16][16];		/* the upper halves of YMM0 to YMM15 */
};

#define REG(n, t, b, member)								\
	{ .name = (n), .type = (t), .bytes = (b), .off = offsetof(struct x86_regs, member),	\
	  .size = sizeof(((struct x86_regs *)0)->member) }
#define GENERAL(n)	REG(#n, "int64", 8, r.n)
#define SELECTOR(n)	REG(#n, "int32", 4, s.n.selector)
#define ST(i)		REG("st" #i, "i387_ext", 10, f.fpr[i])
#define X87(n)		REG(#n, "int", 4, x87.n)
#define XMM(i)		REG("xmm" #i, "vec128", 16, f.xmm[i])
#define YMMH(i)		REG("ymm" #i "h", "uint128", 16, ymmh[i])
#define CONTROL(n)	REG(#n, "int64", 8, s.n)

static const struct arch_reg core_regs[] = {
	GENERAL(rax), GENERAL(rbx), GENERAL(rcx), GENERAL(rdx), GENERAL(rsi), GENERAL(rdi),
	REG("rbp", "data_ptr", 8, r.rbp), REG("rsp", "data_ptr", 8, r.rsp),
	GENERAL(r8), GENERAL(r9), GENERAL(r10), GENERAL(r11), GENERAL(r12), GENERAL(r13),
	GENERAL(r14), GENERAL(r15), REG("rip", "code_ptr", 8, r.rip),
	REG("eflags", "i386_eflags", 4, r.rflags),
	SELECTOR(cs), SELECTOR(ss), SELECTOR(ds), SELECTOR(es), SELECTOR(fs), SELECTOR(gs),
	ST(0), ST(1), ST(2), ST(3), ST(4), ST(5), ST(6), ST(7),
	X87(fctrl), X87(fstat), X87(ftag), X87(fiseg), X87(fioff), X87(foseg), X87(fooff), X87(fop),
};

static const struct arch_reg sse_regs[] = {
	XMM(0), XMM(1), XMM(2), XMM(3), XMM(4), XMM(5), XMM(6), XMM(7), XMM(8), XMM(9), XMM(10),
	XMM(11), XMM(12), XMM(13), XMM(14), XMM(15), REG("mxcsr", "int", 4, f.mxcsr),
};

static const struct arch_reg avx_regs[] = {
	YMMH(0), YMMH(1), YMMH(2), YMMH(3), YMMH(4), YMMH(5), YMMH(6), YMMH(7), YMMH(8), YMMH(9), YMMH(10),
	YMMH(11), YMMH(12), YMMH(13), YMMH(14), YMMH(15),
};

static const struct arch_reg segment_regs[] = {
	REG("fs_base", "int64", 8, s.fs.base), REG("gs_base", "int64", 8, s.gs.base),
};

static const struct arch_reg system_regs[] = {
	REG("k_gs_base", "int64", 8, k_gs_base),
	CONTROL(cr0), CONTROL(cr2), CONTROL(cr3), CONTROL(cr4), CONTROL(cr8), CONTROL(efer),
};

static const char core_types[] =
	"<flags id=\"i386_eflags\" size=\"4\"><field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"\" start=\"1\" end=\"1\"/>"
	"<field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/><field name=\"ZF\" start=\"6\" end=\"6\"/>"
	"<field name=\"SF\" start=\"7\" end=\"7\"/><field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/>"
	"<field name=\"DF\" start=\"10\" end=\"10\"/><field name=\"OF\" start=\"11\" end=\"11\"/><field name=\"NT\" start=\"14\" end=\"14\"/>"
	"<field name=\"RF\" start=\"16\" end=\"16\"/><field name=\"VM\" start=\"17\" end=\"17\"/><field name=\"AC\" start=\"18\" end=\"18\"/>"
	"<field name=\"VIF\" start=\"19\" end=\"19\"/><field name=\"VIP\" start=\"20\" end=\"20\"/><field name=\"ID\" start=\"21\" end=\"21\"/></flags>";

static const char sse_types[] =
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
	"<vector id=\"v16i8\" type=\"int8\" count=\"16\"/><vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
	"<vector id=\"v4i32\" type=\"int32\" count=\"4\"/><vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
	"<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" type=\"v2d\"/>"
	"<field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
	"<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>";

const struct arch_reg_set arch_reg_sets[] = {
	{ "org.gnu.gdb.i386.core", core_types, core_regs, ARRAY_SIZE(core_regs) },
	{ "org.gnu.gdb.i386.sse", sse_types, sse_regs, ARRAY_SIZE(sse_regs) },
	{ "org.gnu.gdb.i386.avx", NULL, avx_regs, ARRAY_SIZE(avx_regs) },
	{ "org.gnu.gdb.i386.segments", NULL, segment_regs, ARRAY_SIZE(segment_regs) },
	{ "org.lkvm.i386.system", NULL, system_regs, ARRAY_SIZE(system_regs) },
	{ .feature = NULL }
};
const char *const arch_gdb_name = "i386:x86-64";
const char *const arch_name = "x86_64";

/* FXSAVE has one bit for a register that is in use, the FPU two: 3 is empty (SDM volume 1, 8.1.7, 10.5.1.1). */
static u32 debug_tags(u8 used)
{
	u32 tags = 0;

	for (unsigned int i = 0; i < 8; i++)
		if (!(used >> i & 1))
			tags |= 3u << (2 * i);
	return tags;
}

static u8 debug_used(u32 tags)
{
	u8 used = 0;

	for (unsigned int i = 0; i < 8; i++)
		if ((tags >> (2 * i) & 3) != 3)
			used |= 1u << i;
	return used;
}

static void debug_x87(struct x86_regs *regs)
{
	const struct kvm_fpu *f = &regs->f;

	regs->x87 = (struct x87) {
		.fctrl = f->fcw, .fstat = f->fsw, .ftag = debug_tags(f->ftwx), .fop = f->last_opcode,
		.fiseg = f->last_ip >> 32, .fioff = f->last_ip, .foseg = f->last_dp >> 32, .fooff = f->last_dp,
	};
}

static void debug_x87_back(struct x86_regs *regs)
{
	const struct x87 *x = &regs->x87;
	struct kvm_fpu *f = &regs->f;

	f->fcw = x->fctrl;
	f->fsw = x->fstat;
	f->ftwx = debug_used(x->ftag);
	f->last_opcode = x->fop;
	f->last_ip = (u64)x->fiseg << 32 | x->fioff;
	f->last_dp = (u64)x->foseg << 32 | x->fooff;
}

/* KVM_GET_MSRS or KVM_SET_MSRS of the one MSR: true if KVM has it. */
static bool debug_msr(struct vcpu *vcpu, unsigned long request, u64 *val)
{
	union {
		struct kvm_msrs msrs;
		char space[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
	} one = { .space = { 0 } };

	one.msrs.nmsrs = 1;
	one.msrs.entries[0].index = MSR_KERNEL_GS_BASE;
	one.msrs.entries[0].data = *val;
	if (ioctl(vcpu->fd, request, &one) != 1)
		return false;
	*val = one.msrs.entries[0].data;
	return true;
}

/*
 * The upper halves of the YMM registers, between KVM's copy of XSAVE's area and @ymmh. A component that
 * XSTATE_BV does not name has its initial value, zeros (SDM volume 1, 13.4.2 and 13.6). True if KVM has them.
 */
static bool debug_avx(struct vcpu *vcpu, u8 ymmh[16][16], bool write)
{
	int cap = vm_cap(vcpu->vm, KVM_CAP_XSAVE2);
	size_t size = max((size_t)max(cap, 0), sizeof(struct kvm_xsave));
	u8 *area = size <= XSAVE_MAX ? calloc(1, size) : NULL;
	bool done = area && !ioctl(vcpu->fd, cap > 0 ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, area);
	u64 present = 0;

	if (done)
		memcpy(&present, area + XSAVE_BV, sizeof(present));
	if (done && write) {
		present |= XSAVE_AVX;
		memcpy(area + XSAVE_BV, &present, sizeof(present));
		memcpy(area + XSAVE_YMMH, ymmh, 256);
		done = !ioctl(vcpu->fd, KVM_SET_XSAVE, area);
	} else if (done && present & XSAVE_AVX) {
		memcpy(ymmh, area + XSAVE_YMMH, 256);
	}
	free(area);
	return done;
}

static int debug_read(struct vcpu *vcpu, struct x86_regs *regs)
{
	memset(regs, 0, sizeof(*regs));
	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs->r) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, &regs->s) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_FPU, &regs->f) < 0)
		return -errno;
	debug_msr(vcpu, KVM_GET_MSRS, &regs->k_gs_base);
	debug_avx(vcpu, regs->ymmh, false);
	debug_x87(regs);
	return 0;
}

/* Copy between @buf and @regs, by the tables. */
static void debug_copy(struct x86_regs *regs, u8 *out, const u8 *in)
{
	const struct arch_reg_set *set;
	size_t at = 0;

	for (set = arch_reg_sets; set->feature; set++) {
		for (unsigned int i = 0; i < set->nr; i++) {
			const struct arch_reg *reg = &set->reg[i];
			u8 *val = (u8 *)regs + reg->off;
			size_t len = min(reg->bytes, reg->size);

			if (out)
				memcpy(out + at, val, len);
			else
				memcpy(val, in + at, len);
			at += reg->bytes;
		}
	}
}

int arch_regs_read(struct vcpu *vcpu, u8 buf[ARCH_REGS_MAX])
{
	struct x86_regs regs;
	int ret = debug_read(vcpu, &regs);

	if (ret)
		return ret;
	memset(buf, 0, ARCH_REGS_MAX);
	debug_copy(&regs, buf, NULL);
	return 0;
}

int arch_regs_write(struct vcpu *vcpu, const u8 buf[ARCH_REGS_MAX])
{
	struct x86_regs old, regs;
	int ret = debug_read(vcpu, &old);

	if (ret)
		return ret;
	regs = old;
	debug_copy(&regs, NULL, buf);
	if (memcmp(&regs.x87, &old.x87, sizeof(old.x87)))
		debug_x87_back(&regs);
	if ((memcmp(&regs.r, &old.r, sizeof(old.r)) && ioctl(vcpu->fd, KVM_SET_REGS, &regs.r) < 0) ||
	    (memcmp(&regs.s, &old.s, sizeof(old.s)) && ioctl(vcpu->fd, KVM_SET_SREGS, &regs.s) < 0) ||
	    (memcmp(&regs.f, &old.f, sizeof(old.f)) && ioctl(vcpu->fd, KVM_SET_FPU, &regs.f) < 0))
		return -errno;
	if (memcmp(regs.ymmh, old.ymmh, sizeof(old.ymmh)) && !debug_avx(vcpu, regs.ymmh, true))
		return -EINVAL;
	if (regs.k_gs_base != old.k_gs_base && !debug_msr(vcpu, KVM_SET_MSRS, &regs.k_gs_base))
		return -EINVAL;
	return 0;
}

int arch_vcpu_translate(struct vcpu *vcpu, u64 addr, gpa_t *gpa)
{
	struct kvm_translation tr = { .linear_address = addr };

	if (ioctl(vcpu->fd, KVM_TRANSLATE, &tr) < 0 || !tr.valid)
		return -EFAULT;
	*gpa = tr.physical_address;
	return 0;
}

/* ELF cores: struct elf_prstatus of Linux (include/uapi/linux/elfcore.h), its user_regs of x86-64. */

#define PRSTATUS_PID	32		/* offsets */
#define PRSTATUS_REGS	112
#define PRSTATUS_SIZE	336

const u16 arch_elf_machine = EM_X86_64;

int arch_prstatus(struct vcpu *vcpu, u32 pid, u8 buf[ARCH_PRSTATUS_MAX], size_t *len)
{
	struct kvm_regs r;
	struct kvm_sregs s;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &r) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, &s) < 0)
		return -errno;
	u64 regs[] = {
		r.r15, r.r14, r.r13, r.r12, r.rbp, r.rbx, r.r11, r.r10, r.r9, r.r8, r.rax, r.rcx, r.rdx,
		r.rsi, r.rdi, ~0ULL, r.rip, s.cs.selector, r.rflags, r.rsp, s.ss.selector, s.fs.base,
		s.gs.base, s.ds.selector, s.es.selector, s.fs.selector, s.gs.selector,
	};

	memset(buf, 0, PRSTATUS_SIZE);
	memcpy(buf + PRSTATUS_PID, &pid, sizeof(pid));
	memcpy(buf + PRSTATUS_REGS, regs, sizeof(regs));
	*len = PRSTATUS_SIZE;
	return 0;
}

int arch_vcpu_frame(struct vcpu *vcpu, struct arch_frame *frame)
{
	struct kvm_regs r;
	struct kvm_sregs s;
	u64 other = 0;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &r) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, &s) < 0)
		return -errno;
	debug_msr(vcpu, KVM_GET_MSRS, &other);
	*frame = (struct arch_frame) {
		.ip = s.cs.l ? r.rip : (u32)(s.cs.base + r.rip), .sp = r.rsp, .fp = r.rbp, .kernel = !s.ss.dpl,
		.other = { r.rdx, r.rdi, r.r10, r.r13 }, .full = true, .exact = true,
		/* SWAPGS exchanges them at the kernel's border, and not at once: the kernel's is in its half. */
		.percpu = (s64)s.gs.base < 0 ? s.gs.base : (s64)other < 0 ? other : 0,
	};
	return 0;
}

/* Breakpoints */

const u8 arch_break_insn[] = { 0xcc };
const size_t arch_break_len = sizeof(arch_break_insn);

bool arch_point_valid(const struct arch_point *point)
{
	if (point->kind == ARCH_EXEC)
		return true;
	return (point->len == 1 || point->len == 2 || point->len == 4 || point->len == 8) &&
	       !(point->addr & (point->len - 1));
}

/* SDM volume 3, 18.2.4. The processor cannot tell a read from a write: reads are all accesses. */
static u64 debug_dr7(const struct arch_debug *debug)
{
	static const u8 len_bits[] = { [1] = 0, [2] = 1, [4] = 3, [8] = 2 };
	static const u8 kind_bits[] = { [ARCH_EXEC] = 0, [ARCH_WRITE] = 1, [ARCH_READ] = 3, [ARCH_ACCESS] = 3 };
	u64 dr7 = DR7_FIXED;

	for (unsigned int i = 0; i < debug->nr; i++) {
		const struct arch_point *point = &debug->point[i];

		dr7 |= DR7_ENABLE(i) | DR7_KIND(i, kind_bits[point->kind]);
		if (point->kind != ARCH_EXEC)
			dr7 |= DR7_LEN(i, len_bits[point->len]);
	}
	return dr7;
}

static int debug_set(struct vcpu *vcpu, const struct arch_debug *debug, u32 inject)
{
	struct kvm_guest_debug arg = { .control = inject };

	if (debug->on)
		arg.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP;
	if (debug->step)
		arg.control |= KVM_GUESTDBG_SINGLESTEP |
			(vm_cap(vcpu->vm, KVM_CAP_SET_GUEST_DEBUG2) & KVM_GUESTDBG_BLOCKIRQ);
	if (debug->nr)
		arg.control |= KVM_GUESTDBG_USE_HW_BP;
	for (unsigned int i = 0; i < debug->nr; i++)
		arg.arch.debugreg[i] = debug->point[i].addr;
	arg.arch.debugreg[7] = debug_dr7(debug);
	return ioctl(vcpu->fd, KVM_SET_GUEST_DEBUG, &arg) < 0 ? -errno : 0;
}

int arch_debug_set(struct vcpu *vcpu, const struct arch_debug *debug)
{
	if (debug->on && !vm_cap(vcpu->vm, KVM_CAP_SET_GUEST_DEBUG))
		return -ENOTSUP;
	return debug_set(vcpu, debug, 0);
}

/*
 * KVM cannot emulate the instruction at RIP and has queued an invalid opcode exception:
 * setting the registers takes that back. It may be INT3.
 */
static enum arch_stop debug_emulation(struct vcpu *vcpu, u64 *addr)
{
	struct kvm_regs r;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &r) < 0 || ioctl(vcpu->fd, KVM_SET_REGS, &r) < 0)
		return ARCH_STOP_NONE;
	*addr = r.rip;
	return ARCH_STOP_BREAK;
}

enum arch_stop arch_debug_stop(struct vcpu *vcpu, const struct arch_debug *debug, u64 *addr,
			       unsigned int *nr)
{
	const struct kvm_debug_exit_arch *exit = &vcpu->run->debug.arch;

	if (vcpu->run->exit_reason != KVM_EXIT_DEBUG)
		return debug->on ? debug_emulation(vcpu, addr) : ARCH_STOP_NONE;
	*addr = exit->pc;
	if (exit->exception == BP_VECTOR)
		return ARCH_STOP_BREAK;
	for (*nr = 0; *nr < debug->nr; ++*nr)
		if (exit->dr6 & DR6_POINT(*nr))
			return ARCH_STOP_POINT;
	return exit->dr6 & DR6_STEP && debug->step ? ARCH_STOP_STEP : ARCH_STOP_NONE;
}

int arch_debug_reflect(struct vcpu *vcpu, const struct arch_debug *debug)
{
	return debug_set(vcpu, debug, vcpu->run->debug.arch.exception == BP_VECTOR ?
			 KVM_GUESTDBG_INJECT_BP : KVM_GUESTDBG_INJECT_DB);
}
