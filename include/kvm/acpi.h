/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writing ACPI tables (ACPI 6.4): a buffer that grows at its end, the parts of
 * AML that these machines need, and the description of devices, derived from the
 * resources that they claimed. All of it is independent of the architecture.
 *
 * Errors stick: once the buffer is full or a nesting is wrong, nothing more is
 * written, and acpi_failed() is true. Everything is single-threaded.
 */
#ifndef KVM_ACPI_H
#define KVM_ACPI_H

#include <kvm/types.h>

struct device;
struct numa;
struct pci_layout;
struct resource;
struct vm;

/* Values that the guest writes by these tables to reset (5.2.9, RESET_VALUE) and to sleep (7.4.2). */
#define ACPI_RESET_VALUE	0x06
#define ACPI_SLEEP_S3		1
#define ACPI_SLEEP_S5		5

#define ACPI_NESTING	8

struct acpi {
	u8 *buf;		/* not owned */
	size_t len, cap;
	bool failed;
	/* Open AML packages: the offset of their length, and its kind. */
	struct {
		size_t pos;
		bool buffer;
	} open[ACPI_NESTING];
	unsigned int depth;
};

void acpi_init(struct acpi *a, void *buf, size_t cap);
bool acpi_failed(const struct acpi *a);

/* Raw, little-endian. */
void acpi_bytes(struct acpi *a, const void *src, size_t len);
void acpi_u8(struct acpi *a, u8 val);
void acpi_u16(struct acpi *a, u16 val);
void acpi_u32(struct acpi *a, u32 val);
void acpi_u64(struct acpi *a, u64 val);
void acpi_zero(struct acpi *a, size_t len);
void acpi_align(struct acpi *a, size_t align);

/*
 * A table with the standard header (5.2.6): begin returns its offset in the
 * buffer, end fills in length and checksum.
 */
size_t acpi_table_begin(struct acpi *a, const char signature[4], u8 revision);
void acpi_table_end(struct acpi *a, size_t table);
/* The byte at @sum makes the @len bytes at @start add up to 0. */
void acpi_checksum(struct acpi *a, size_t start, size_t len, size_t sum);

/* AML (20.2). Names have at most four characters and are padded with '_'. */
void aml_scope(struct acpi *a, const char *name);	/* "\\_SB" too */
void aml_device(struct acpi *a, const char *name);
void aml_package(struct acpi *a, u8 elements);
void aml_resources(struct acpi *a);			/* a resource template */
void aml_end(struct acpi *a);				/* the innermost of these */
void aml_name(struct acpi *a, const char *name);	/* Name(name, the next operand) */
void aml_int(struct acpi *a, u64 val);
void aml_string(struct acpi *a, const char *s);
/* A hardware ID: "PNP0501" as a compressed EISA ID, "ACPI0007" as a string. */
void aml_hid(struct acpi *a, const char *id);

/* Methods: up to aml_end(). They are serialized, @args is 0 to 7. */
void aml_method(struct acpi *a, const char *name, u8 args);
void aml_ref(struct acpi *a, const char *name);		/* an object, as an operand */
#define AML_LOCAL(n)	(0x60 + (n))			/* with acpi_u8(): Local0 .. Local7 */
#define AML_ARG(n)	(0x68 + (n))			/* Arg0 .. Arg6 */
void aml_store(struct acpi *a);				/* the next operand into the one after it */
void aml_return(struct acpi *a);			/* the next operand */
/* If (@local & @bits) { up to aml_end() */
void aml_if_bits(struct acpi *a, u8 local, u64 bits);
void aml_notify(struct acpi *a, const struct device *dev, u8 value);

/* Registers: a field @name of all the 1, 2 or 4 bytes of @r, in @region. */
void aml_field(struct acpi *a, const char *region, const char *name, const struct resource *r);
/* @r as a generic address structure (5.2.3.2). */
void acpi_address(struct acpi *a, const struct resource *r);

/* Resource descriptors (6.4), within aml_resources(). */
void aml_res_io(struct acpi *a, u16 base, u8 len);
void aml_res_irq(struct acpi *a, u32 gsi, bool level);	/* active high */
void aml_res_mem32(struct acpi *a, u32 base, u32 len);
/* Windows that a bus passes on. */
void aml_res_bus(struct acpi *a, u16 first, u16 last);
void aml_res_window(struct acpi *a, u64 base, u64 len);

/*
 * The machine's devices, in the open scope. Each device with an ACPI ID gets a
 * Device() with its resources. One motherboard device (PNP0C02) has the registers of
 * all others, ECAM included (PCI Firmware Specification 3.2, 4.1.2).
 */
void acpi_devices(struct acpi *a, const struct vm *vm);
/* The name of @dev for aml_notify() and tables: "\\_SB.D003". */
#define ACPI_PATH_MAX	16
void acpi_device_path(const struct device *dev, char path[ACPI_PATH_MAX]);
/*
 * The PCI host bridge with its windows and interrupts, and what tells the guest of devices
 * that come and go: ACPI_HOTPLUG_METHOD, without arguments, in the open scope.
 */
#define ACPI_HOTPLUG_METHOD	"PHOT"
void acpi_pci_host(struct acpi *a, const struct vm *vm);
/* @n processor devices with _UID 0... */
void acpi_processors(struct acpi *a, unsigned int n);

/*
 * Whole tables; the functions return their offset in the buffer. Also RAM of a node
 * within the SRAT, and the RSDP, which is at the front: kernels search for it there.
 */
size_t acpi_mcfg(struct acpi *a, const struct pci_layout *pci);
/* The console, as firmware would have used it; @irq: the interrupt's kind, SPCR_... */
#define SPCR_IOAPIC	(1u << 1)
#define SPCR_GIC	(1u << 3)
size_t acpi_spcr(struct acpi *a, const struct device *serial, u8 irq);
size_t acpi_dbg2(struct acpi *a, const struct device *serial);
void acpi_srat_ram(struct acpi *a, u32 node, u64 gpa, u64 len);
size_t acpi_slit(struct acpi *a, const struct numa *numa);
/* @tables: where the @nr others are in the guest's memory. */
size_t acpi_xsdt(struct acpi *a, const u64 *tables, unsigned int nr);
void acpi_rsdp(struct acpi *a, u64 xsdt);

#endif
