/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bare-metal guests share: the ports, the console, checks, interrupts,
 * the ACPI tables and PCI. A test is one C file with
 *
 *	int main(void)
 *
 * which returns 0 if all is well: the exit port then makes lkvm's status 1
 * (a value v is status 2v + 1). A failed CHECK() prints where and is status 3,
 * an exception that nobody handles is status 5. The comment at the head of the
 * file says how to run it and what to expect: tests/lib/stanza.sh.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdarg.h>

#include <linux/kernel.h>
#include <linux/types.h>

#define PORT_EXIT	0xf4
#define PORT_SERIAL	0x3f8
#define EXIT_FAILED	1
#define EXIT_EXCEPTION	2

#define maybe_unused	__attribute__((unused))

int main(void);

/* Instructions */

static inline void outb(u16 port, u8 val)
{
	asm volatile("outb %0, %1" : : "a"(val), "Nd"(port) : "memory");
}

static inline void outw(u16 port, u16 val)
{
	asm volatile("outw %0, %1" : : "a"(val), "Nd"(port) : "memory");
}

static inline void outl(u16 port, u32 val)
{
	asm volatile("outl %0, %1" : : "a"(val), "Nd"(port) : "memory");
}

static inline u8 inb(u16 port)
{
	u8 val;

	asm volatile("inb %1, %0" : "=a"(val) : "Nd"(port) : "memory");
	return val;
}

static inline u16 inw(u16 port)
{
	u16 val;

	asm volatile("inw %1, %0" : "=a"(val) : "Nd"(port) : "memory");
	return val;
}

static inline u32 inl(u16 port)
{
	u32 val;

	asm volatile("inl %1, %0" : "=a"(val) : "Nd"(port) : "memory");
	return val;
}

/* Plain moves, so that KVM meets no instruction that it cannot emulate. */
#define GUEST_MMIO(bits, suffix, reg)							\
static inline u##bits mmio_read##bits(u64 addr)					\
{											\
	u##bits val;									\
											\
	asm volatile("mov" suffix " %1, %0" : "=" reg(val) : "m"(*(volatile u##bits *)addr)	\
		     : "memory");							\
	return val;									\
}											\
static inline void mmio_write##bits(u64 addr, u##bits val)				\
{											\
	asm volatile("mov" suffix " %1, %0" : "=m"(*(volatile u##bits *)addr) : reg(val)	\
		     : "memory");							\
}
GUEST_MMIO(8, "b", "q")
GUEST_MMIO(16, "w", "r")
GUEST_MMIO(32, "l", "r")
GUEST_MMIO(64, "q", "r")

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return lo | (u64)hi << 32;
}

static inline void wrmsr(u32 msr, u64 val)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)val), "d"((u32)(val >> 32)) : "memory");
}

struct cpuid {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(u32 leaf, u32 sub)
{
	struct cpuid r;

	asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
		     : "a"(leaf), "c"(sub));
	return r;
}

static inline u64 rdtsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return lo | (u64)hi << 32;
}

static inline void cpu_relax(void)
{
	asm volatile("pause" : : : "memory");
}

static inline void irq_enable(void)
{
	asm volatile("sti" : : : "memory");
}

static inline void irq_disable(void)
{
	asm volatile("cli" : : : "memory");
}

/* Wait for the next interrupt; they are off before and after. */
static inline void irq_wait(void)
{
	asm volatile("sti; hlt; cli" : : : "memory");
}

/* What the compiler may call. */

void *memcpy(void *dst, const void *src, size_t len);
void *memset(void *dst, int c, size_t len);
int memcmp(const void *a, const void *b, size_t len);

void *memcpy(void *dst, const void *src, size_t len)
{
	void *d = dst;

	asm volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(len) : : "memory");
	return dst;
}

void *memset(void *dst, int c, size_t len)
{
	void *d = dst;

	asm volatile("rep stosb" : "+D"(d), "+c"(len) : "a"(c) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const u8 *x = a, *y = b;

	for (; len; len--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

static inline maybe_unused bool str_starts(const char *s, const char *head)
{
	while (*head)
		if (*s++ != *head++)
			return false;
	return true;
}

/* Console and end */

void guest_exit(u32 val) __attribute__((noreturn));
void guest_exit(u32 val)
{
	outl(PORT_EXIT, val);
	for (;;)
		asm volatile("cli; hlt");
}

static void guest_putc(char c)
{
	while (!(inb(PORT_SERIAL + 5) & 0x20))
		;
	outb(PORT_SERIAL, c);
}

static void guest_number(u64 val, unsigned int base, unsigned int width)
{
	char buf[20];
	unsigned int n = 0;

	do {
		buf[n++] = "0123456789abcdef"[val % base];
		val /= base;
	} while (val);
	while (n < width && n < sizeof(buf))
		buf[n++] = '0';
	while (n)
		guest_putc(buf[--n]);
}

/* %s %c %u %x %lu %lx, and %0Nx; nothing else. */
static maybe_unused __attribute__((format(printf, 1, 2))) void print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		unsigned int width = 0;
		bool is_long = false;
		const char *s;

		if (*fmt != '%') {
			guest_putc(*fmt);
			continue;
		}
		for (fmt++; *fmt >= '0' && *fmt <= '9'; fmt++)
			width = width * 10 + *fmt - '0';
		for (; *fmt == 'l'; fmt++)
			is_long = true;
		switch (*fmt) {
		case 's':
			for (s = va_arg(ap, const char *); *s; s++)
				guest_putc(*s);
			break;
		case 'c':
			guest_putc(va_arg(ap, int));
			break;
		case 'u':
		case 'x':
			guest_number(is_long ? va_arg(ap, unsigned long) : va_arg(ap, unsigned int),
				     *fmt == 'u' ? 10 : 16, width);
			break;
		}
	}
	va_end(ap);
}

#define CHECK(cond) do {								\
	if (!(cond)) {									\
		print("%s:%u: %s\n", __FILE__, __LINE__, #cond);			\
		guest_exit(EXIT_FAILED);						\
	}										\
} while (0)

#define CHECK_EQ(a, b) do {								\
	u64 check_a = (a), check_b = (b);						\
	if (check_a != check_b) {							\
		print("%s:%u: %s == %s: 0x%lx, 0x%lx\n", __FILE__, __LINE__, #a, #b,	\
		      (unsigned long)check_a, (unsigned long)check_b);			\
		guest_exit(EXIT_FAILED);						\
	}										\
} while (0)

/* Start info (PVH) */

struct guest_start_info {
	u32 magic, version, flags, nr_modules;
	u64 modlist, cmdline, rsdp, memmap;
	u32 memmap_entries, reserved;
};

struct guest_memmap {
	u64 addr, size;
	u32 type, reserved;
};

/* EBX and EAX, written by crt.S before anything else */
u32 guest_start_info, guest_boot_magic;

static inline const struct guest_start_info *start_info(void)
{
	return (void *)(u64)*(volatile u32 *)&guest_start_info;
}

static inline const char *cmdline(void)
{
	return (void *)start_info()->cmdline;
}

/* Interrupts */

struct frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector, error, rip, cs, rflags, rsp, ss;
};

struct guest_gate {
	u16 offset_lo, selector, flags, offset_mid;
	u32 offset_hi, zero;
};

extern char guest_vectors[];
static struct guest_gate guest_idt[256];
static void (*guest_handler[256])(struct frame *f);

void guest_interrupt(struct frame *f);
void guest_interrupt(struct frame *f)
{
	if (guest_handler[f->vector]) {
		guest_handler[f->vector](f);
		return;
	}
	print("unexpected interrupt %lu, error %lx, at %lx\n", (unsigned long)f->vector,
	      (unsigned long)f->error, (unsigned long)f->rip);
	guest_exit(EXIT_EXCEPTION);
}

static void guest_load_idt(void)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) p = { sizeof(guest_idt) - 1, (u64)guest_idt };

	asm volatile("lidt %0" : : "m"(p));
}

static inline maybe_unused void irq_handle(u8 vector, void (*fn)(struct frame *f))
{
	guest_handler[vector] = fn;
}

int guest_main(void);
int guest_main(void)
{
	unsigned int i;

	for (i = 0; i < 256; i++) {
		u64 addr = (u64)guest_vectors + i * 16;

		guest_idt[i] = (struct guest_gate) {
			.offset_lo = addr, .selector = 8, .flags = 0x8e00,
			.offset_mid = addr >> 16, .offset_hi = addr >> 32,
		};
	}
	guest_load_idt();
	return main();
}

/* What other CPUs do, if the test starts any: set it before. */
static void (*guest_ap_fn)(void);

void guest_ap_main(void);
void guest_ap_main(void)
{
	guest_load_idt();
	if (guest_ap_fn)
		guest_ap_fn();
}

/* Local APIC, as x2APIC MSRs (SDM volume 3, 11.12) or, in xAPIC mode, memory */

#define APIC_BASE	0xfee00000
#define APIC_ID		0x20
#define APIC_EOI	0xb0
#define APIC_SVR	0xf0
#define APIC_ICR	0x300
#define APIC_ICR_HIGH	0x310

static inline maybe_unused void apic_enable(void)
{
	mmio_write32(APIC_BASE + APIC_SVR, 0x1ff);
}

static inline maybe_unused u32 apic_id(void)
{
	return mmio_read32(APIC_BASE + APIC_ID) >> 24;
}

static inline maybe_unused void apic_eoi(void)
{
	mmio_write32(APIC_BASE + APIC_EOI, 0);
}

static inline maybe_unused void apic_ipi(u32 dest, u32 icr)
{
	mmio_write32(APIC_BASE + APIC_ICR_HIGH, dest << 24);
	mmio_write32(APIC_BASE + APIC_ICR, icr);
	while (mmio_read32(APIC_BASE + APIC_ICR) & 1 << 12)
		cpu_relax();
}

/* Start the CPU with this APIC ID by INIT and SIPI; it runs guest_ap_fn(). */
#define GUEST_AP_BOOT	0x8000		/* page 8, of the SIPI */
extern char guest_ap_boot[], guest_ap_boot_end[];
static inline maybe_unused void guest_ap_start(u32 id)
{
	memcpy((void *)GUEST_AP_BOOT, guest_ap_boot, guest_ap_boot_end - guest_ap_boot);
	apic_enable();
	apic_ipi(id, 0xc500);				/* INIT, assert */
	apic_ipi(id, 0x8500);				/* INIT, de-assert */
	apic_ipi(id, 0x600 | GUEST_AP_BOOT >> 12);	/* SIPI */
}

/* I/O APIC input @gsi, an edge, to @vector on this CPU. */
static inline maybe_unused void ioapic_write(u8 reg, u32 val)
{
	mmio_write32(0xfec00000, reg);
	mmio_write32(0xfec00010, val);
}

static inline maybe_unused void ioapic_route(u32 gsi, u32 vector)
{
	ioapic_write(0x11 + gsi * 2, apic_id() << 24);
	ioapic_write(0x10 + gsi * 2, vector);
}

/* The same for a level, active low as PCI has it. */
static inline maybe_unused void ioapic_route_level(u32 gsi, u32 vector)
{
	ioapic_write(0x11 + gsi * 2, apic_id() << 24);
	ioapic_write(0x10 + gsi * 2, vector | 1 << 15 | 1 << 13);
}

/* Map a GiB at @addr to itself, where it is beyond the first 4 GiB and below 512. */
extern u64 pdpt[512];
static maybe_unused void guest_map(u64 addr)
{
	static u64 dir[4][512] __attribute__((aligned(4096)));
	static unsigned int used;
	unsigned int i;

	addr &= ~((1ULL << 30) - 1);
	if (pdpt[addr >> 30])
		return;
	CHECK(used < ARRAY_SIZE(dir) && addr >> 39 == 0);
	for (i = 0; i < 512; i++)
		dir[used][i] = (addr + i * 0x200000ULL) | 0x83;
	pdpt[addr >> 30] = (u64)dir[used++] | 3;
}

/* ACPI */

struct acpi_header {
	char signature[4];
	u32 len;
	u8 revision, checksum;
	char oem[6], oem_table[8];
	u32 oem_revision;
	char creator[4];
	u32 creator_revision;
} __attribute__((packed));

static inline maybe_unused u8 acpi_sum(const void *p, u32 len)
{
	const u8 *b = p;
	u8 sum = 0;

	while (len--)
		sum += *b++;
	return sum;
}

/* By RSDP and XSDT; NULL if there is no such table. */
static maybe_unused const struct acpi_header *acpi_table(const char *signature)
{
	const u8 *rsdp = (const u8 *)start_info()->rsdp;
	const struct acpi_header *xsdt;
	u64 addr;
	u32 i;

	CHECK(!memcmp(rsdp, "RSD PTR ", 8));
	memcpy(&addr, rsdp + 24, 8);
	xsdt = (void *)addr;
	CHECK(!memcmp(xsdt, "XSDT", 4));
	for (i = sizeof(*xsdt); i < xsdt->len; i += 8) {
		memcpy(&addr, (const u8 *)xsdt + i, 8);
		if (!memcmp((void *)addr, signature, 4))
			return (void *)addr;
	}
	return NULL;
}

/* PCI, by ECAM */

static maybe_unused u64 pci_ecam(void)
{
	const struct acpi_header *mcfg = acpi_table("MCFG");
	u64 base;

	CHECK(mcfg);
	memcpy(&base, (const u8 *)mcfg + 44, 8);
	return base;
}

/* Configuration space of the function with these IDs, or 0. */
static maybe_unused u64 pci_find(u16 vendor, u16 device)
{
	u64 ecam = pci_ecam();
	unsigned int slot;

	for (slot = 0; slot < 32; slot++)
		if (mmio_read32(ecam + slot * 0x8000) == (vendor | (u32)device << 16))
			return ecam + slot * 0x8000;
	return 0;
}

#endif
