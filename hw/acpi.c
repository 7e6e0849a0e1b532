// SPDX-License-Identifier: GPL-2.0
/*
 * Writing ACPI tables and AML (ACPI 6.4: 5.2 tables, 6.4 resources, 20.2
 * encoding), and deriving the description of the machine from its devices.
 * Runs while the machine is built, on the main thread.
 */
#include <stdio.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/acpi.h>
#include <kvm/device.h>
#include <kvm/pci.h>
#include <kvm/vm.h>

#define AML_ZERO		0x00
#define AML_ONE			0x01
#define AML_NAME		0x08
#define AML_BYTE		0x0a
#define AML_WORD		0x0b
#define AML_DWORD		0x0c
#define AML_STRING		0x0d
#define AML_QWORD		0x0e
#define AML_SCOPE		0x10
#define AML_MULTI_NAME		0x2f
#define AML_BUFFER		0x11
#define AML_PACKAGE		0x12
#define AML_METHOD		0x14
#define AML_STORE		0x70
#define AML_AND			0x7b
#define AML_NOTIFY		0x86
#define AML_IF			0xa0
#define AML_RETURN		0xa4
#define AML_EXT			0x5b
#define AML_EXT_REGION		0x80
#define AML_EXT_FIELD		0x81
#define AML_EXT_DEVICE		0x82

#define AML_SERIALIZED		(1u << 3)	/* of a method */
/* Address spaces, of regions and of the Generic Address Structure */
#define ACPI_SYSTEM_MEMORY	0
#define ACPI_SYSTEM_IO		1

/* 5.6.6: values of Notify() */
#define ACPI_NOTIFY_BUS_CHECK	0
#define ACPI_NOTIFY_EJECT	3

#define PCI_PORTS_LEN		8

void acpi_init(struct acpi *a, void *buf, size_t cap)
{
	*a = (struct acpi) { .buf = buf, .cap = cap };
}

bool acpi_failed(const struct acpi *a)
{
	return a->failed || a->depth;
}

void acpi_bytes(struct acpi *a, const void *src, size_t len)
{
	if (a->failed || len > a->cap - a->len) {
		a->failed = true;
		return;
	}
	memcpy(a->buf + a->len, src, len);
	a->len += len;
}

static void acpi_le(struct acpi *a, u64 val, unsigned int len)
{
	u8 bytes[8];
	unsigned int i;

	for (i = 0; i < len; i++)
		bytes[i] = val >> (8 * i);
	acpi_bytes(a, bytes, len);
}

void acpi_u8(struct acpi *a, u8 val)
{
	acpi_le(a, val, 1);
}

void acpi_u16(struct acpi *a, u16 val)
{
	acpi_le(a, val, 2);
}

void acpi_u32(struct acpi *a, u32 val)
{
	acpi_le(a, val, 4);
}

void acpi_u64(struct acpi *a, u64 val)
{
	acpi_le(a, val, 8);
}

void acpi_zero(struct acpi *a, size_t len)
{
	while (len-- && !a->failed)
		acpi_u8(a, 0);
}

void acpi_align(struct acpi *a, size_t align)
{
	acpi_zero(a, ALIGN(a->len, align) - a->len);
}

void acpi_checksum(struct acpi *a, size_t start, size_t len, size_t sum)
{
	u8 total = 0;

	if (a->failed)
		return;
	a->buf[sum] = 0;
	while (len--)
		total += a->buf[start + len];
	a->buf[sum] = -total;
}

size_t acpi_table_begin(struct acpi *a, const char signature[4], u8 revision)
{
	size_t table;

	acpi_align(a, 16);
	table = a->len;
	acpi_bytes(a, signature, 4);
	acpi_u32(a, 0);			/* length */
	acpi_u8(a, revision);
	acpi_u8(a, 0);			/* checksum */
	acpi_bytes(a, "LKVM  ", 6);
	acpi_bytes(a, "LKVM    ", 8);
	acpi_u32(a, 1);			/* of the table */
	acpi_bytes(a, "LKVM", 4);
	acpi_u32(a, 1);			/* of its writer */
	return table;
}

void acpi_table_end(struct acpi *a, size_t table)
{
	size_t len = a->len - table, i;

	if (acpi_failed(a)) {
		a->failed = true;
		return;
	}
	for (i = 0; i < 4; i++)
		a->buf[table + 4 + i] = len >> (8 * i);
	acpi_checksum(a, table, len, table + 9);
}

static void aml_begin(struct acpi *a, bool buffer)
{
	if (a->depth == ACPI_NESTING) {
		a->failed = true;
		return;
	}
	a->open[a->depth].pos = a->len;
	a->open[a->depth++].buffer = buffer;
}

/* Open up @n bytes at @pos and put @src there. */
static void aml_insert(struct acpi *a, size_t pos, const u8 *src, size_t n)
{
	size_t tail = a->len - pos;

	acpi_zero(a, n);
	if (a->failed)
		return;
	memmove(a->buf + pos + n, a->buf + pos, tail);
	memcpy(a->buf + pos, src, n);
}

/* PkgLength (20.2.4): counts itself; the first byte says how many follow. */
static void aml_pkg_length(struct acpi *a, size_t pos)
{
	size_t body = a->len - pos, len;
	unsigned int n = body + 1 < 0x40 ? 1 : body + 2 < 0x1000 ? 2 : body + 3 < 0x100000 ? 3 : 4;
	u8 bytes[4];
	unsigned int i;

	len = body + n;
	bytes[0] = n == 1 ? len : (n - 1) << 6 | (len & 0xf);
	for (i = 1; i < n; i++)
		bytes[i] = len >> (4 + 8 * (i - 1));
	aml_insert(a, pos, bytes, n);
}

void aml_end(struct acpi *a)
{
	size_t pos;

	if (a->failed || !a->depth) {
		a->failed = true;
		return;
	}
	a->depth--;
	pos = a->open[a->depth].pos;
	if (a->open[a->depth].buffer) {
		u8 size[3] = { AML_WORD };

		/* The end tag (6.4.2.9) with the checksum that is not checked, then BufferSize. */
		acpi_u8(a, 0x79);
		acpi_u8(a, 0);
		size[1] = a->len - pos;
		size[2] = (a->len - pos) >> 8;
		aml_insert(a, pos, size, sizeof(size));
	}
	aml_pkg_length(a, pos);
}

static void aml_nameseg(struct acpi *a, const char *name)
{
	size_t n = 0;

	if (*name == '\\')
		acpi_u8(a, *name++);
	for (; n < 4 && name[n]; n++)
		acpi_u8(a, name[n]);
	for (; n < 4; n++)
		acpi_u8(a, '_');
}

void aml_scope(struct acpi *a, const char *name)
{
	acpi_u8(a, AML_SCOPE);
	aml_begin(a, false);
	aml_nameseg(a, name);
}

void aml_device(struct acpi *a, const char *name)
{
	acpi_u8(a, AML_EXT);
	acpi_u8(a, AML_EXT_DEVICE);
	aml_begin(a, false);
	aml_nameseg(a, name);
}

void aml_package(struct acpi *a, u8 elements)
{
	acpi_u8(a, AML_PACKAGE);
	aml_begin(a, false);
	acpi_u8(a, elements);
}

void aml_resources(struct acpi *a)
{
	acpi_u8(a, AML_BUFFER);
	aml_begin(a, true);
}

void aml_name(struct acpi *a, const char *name)
{
	acpi_u8(a, AML_NAME);
	aml_nameseg(a, name);
}

void aml_int(struct acpi *a, u64 val)
{
	if (val <= 1) {
		acpi_u8(a, val ? AML_ONE : AML_ZERO);
	} else if (val <= 0xff) {
		acpi_u8(a, AML_BYTE);
		acpi_u8(a, val);
	} else if (val <= 0xffff) {
		acpi_u8(a, AML_WORD);
		acpi_u16(a, val);
	} else if (val <= 0xffffffff) {
		acpi_u8(a, AML_DWORD);
		acpi_u32(a, val);
	} else {
		acpi_u8(a, AML_QWORD);
		acpi_u64(a, val);
	}
}

void aml_string(struct acpi *a, const char *s)
{
	acpi_u8(a, AML_STRING);
	acpi_bytes(a, s, strlen(s) + 1);
}

static u32 aml_hex(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

void aml_hid(struct acpi *a, const char *id)
{
	unsigned int i;
	u32 v = 0;

	if (strlen(id) != 7) {
		aml_string(a, id);
		return;
	}
	/* 19.3.4: three letters of five bits, four hex digits, most significant byte first. */
	for (i = 0; i < 3; i++)
		v = v << 5 | ((id[i] - '@') & 0x1f);
	for (; i < 7; i++)
		v = v << 4 | aml_hex(id[i]);
	acpi_u8(a, AML_DWORD);
	acpi_u32(a, __builtin_bswap32(v));
}

void aml_method(struct acpi *a, const char *name, u8 args)
{
	acpi_u8(a, AML_METHOD);
	aml_begin(a, false);
	aml_nameseg(a, name);
	acpi_u8(a, args | AML_SERIALIZED);
}

void aml_ref(struct acpi *a, const char *name)
{
	aml_nameseg(a, name);
}

void aml_store(struct acpi *a)
{
	acpi_u8(a, AML_STORE);
}

void aml_return(struct acpi *a)
{
	acpi_u8(a, AML_RETURN);
}

void aml_if_bits(struct acpi *a, u8 local, u64 bits)
{
	acpi_u8(a, AML_IF);
	aml_begin(a, false);
	acpi_u8(a, AML_AND);
	acpi_u8(a, local);
	aml_int(a, bits);
	acpi_u8(a, AML_ZERO);		/* stored nowhere */
}

void aml_field(struct acpi *a, const char *region, const char *name, const struct resource *r)
{
	acpi_u8(a, AML_EXT);
	acpi_u8(a, AML_EXT_REGION);
	aml_nameseg(a, region);
	acpi_u8(a, r->kind == RES_PIO ? ACPI_SYSTEM_IO : ACPI_SYSTEM_MEMORY);
	aml_int(a, r->base);
	aml_int(a, r->len);

	acpi_u8(a, AML_EXT);
	acpi_u8(a, AML_EXT_FIELD);
	aml_begin(a, false);
	aml_nameseg(a, region);
	acpi_u8(a, r->len == 1 ? 1 : r->len == 2 ? 2 : 3);	/* byte, word, dword access */
	aml_nameseg(a, name);
	acpi_u8(a, r->len * 8);				/* bits, as a package's length */
	aml_end(a);
}

/* 5.2.3.2: the Generic Address Structure of a byte-wide register. */
void acpi_address(struct acpi *a, const struct resource *r)
{
	acpi_u8(a, r->kind == RES_PIO ? ACPI_SYSTEM_IO : ACPI_SYSTEM_MEMORY);
	acpi_u8(a, 8);		/* bits wide */
	acpi_u8(a, 0);		/* from bit */
	acpi_u8(a, 1);		/* byte access */
	acpi_u64(a, r->base);
}

/* 6.4.2.5, 16-bit decode */
void aml_res_io(struct acpi *a, u16 base, u8 len)
{
	acpi_u8(a, 0x47);
	acpi_u8(a, 1);
	acpi_u16(a, base);
	acpi_u16(a, base);
	acpi_u8(a, 1);
	acpi_u8(a, len);
}

/* 6.4.3.6: consumer, edge or level, active high, exclusive */
void aml_res_irq(struct acpi *a, u32 gsi, bool level)
{
	acpi_u8(a, 0x89);
	acpi_u16(a, 6);
	acpi_u8(a, level ? 0x01 : 0x03);
	acpi_u8(a, 1);
	acpi_u32(a, gsi);
}

/* 6.4.3.4: writeable */
void aml_res_mem32(struct acpi *a, u32 base, u32 len)
{
	acpi_u8(a, 0x86);
	acpi_u16(a, 9);
	acpi_u8(a, 1);
	acpi_u32(a, base);
	acpi_u32(a, len);
}

/* 6.4.3.5: an address space descriptor: producer, both ends fixed. */
static void aml_res_space(struct acpi *a, u8 type, u8 flags, u64 first, u64 last, unsigned int width)
{
	acpi_u8(a, width == 2 ? 0x88 : width == 4 ? 0x87 : 0x8a);
	acpi_u16(a, 3 + 5 * width);
	acpi_u8(a, type);
	acpi_u8(a, 0x0c);
	acpi_u8(a, flags);
	acpi_le(a, 0, width);			/* granularity */
	acpi_le(a, first, width);
	acpi_le(a, last, width);
	acpi_le(a, 0, width);			/* translation */
	acpi_le(a, last - first + 1, width);
}

void aml_res_bus(struct acpi *a, u16 first, u16 last)
{
	aml_res_space(a, 2, 0, first, last, 2);
}

void aml_res_window(struct acpi *a, u64 base, u64 len)
{
	/* Memory, read-write; what is behind it decides about caching. */
	aml_res_space(a, 0, 1, base, base + len - 1, base + len - 1 <= 0xffffffff ? 4 : 8);
}

static void acpi_resource(struct acpi *a, const struct resource *r)
{
	switch (r->kind) {
	case RES_PIO:
		aml_res_io(a, r->base, r->len);
		break;
	case RES_MMIO:
		aml_res_mem32(a, r->base, r->len);
		break;
	case RES_IRQ:
	case RES_IRQ_LEVEL:
		aml_res_irq(a, r->base, r->kind == RES_IRQ_LEVEL);
		break;
	case RES_EVENT:
		break;
	}
}

/* By their order: in the DSDT devices have no other names. */
static void acpi_device_name(const struct device *dev, char name[8])
{
	const struct device *other;
	unsigned int nr = 0;

	list_for_each_entry(other, &dev->vm->devices, node) {
		if (other == dev)
			break;
		nr++;
	}
	snprintf(name, 8, "D%03X", nr & 0xfff);
}

void acpi_device_path(const struct device *dev, char path[ACPI_PATH_MAX])
{
	char name[8];

	acpi_device_name(dev, name);
	snprintf(path, ACPI_PATH_MAX, "\\_SB.%s", name);
}

void aml_notify(struct acpi *a, const struct device *dev, u8 value)
{
	char name[8];

	acpi_device_name(dev, name);
	acpi_u8(a, AML_NOTIFY);
	aml_nameseg(a, name);
	aml_int(a, value);
}

/* Is @r described with its device, or with the motherboard? Only registers can be the latter. */
static bool acpi_describes(const struct device *dev, const struct resource *r)
{
	return dev->type->acpi_hid && (r->kind > RES_MMIO || !dev->type->acpi_irqs_only);
}

static bool acpi_pci_port(const struct vm *vm, const struct resource *r)
{
	return r->kind == RES_PIO && r->base - pci_host_layout(vm)->ports < PCI_PORTS_LEN;
}

static void acpi_device(struct acpi *a, const struct device *dev)
{
	bool resources = false;
	char name[8];
	unsigned int i;

	acpi_device_name(dev, name);
	aml_device(a, name);
	aml_name(a, "_HID");
	aml_hid(a, dev->type->acpi_hid);
	if (dev->type->acpi_cid) {
		aml_name(a, "_CID");
		aml_hid(a, dev->type->acpi_cid);
	}
	aml_name(a, "_UID");
	aml_int(a, dev->index);
	for (i = 0; i < dev->nr_res; i++)
		resources |= dev->res[i].kind != RES_EVENT;
	if (resources) {
		aml_name(a, "_CRS");
		aml_resources(a);
		for (i = 0; i < dev->nr_res; i++)
			if (acpi_describes(dev, &dev->res[i]))
				acpi_resource(a, &dev->res[i]);
		aml_end(a);
	}
	if (dev->type->acpi)
		dev->type->acpi(dev, a);
	aml_end(a);
}

/*
 * The registers of devices without an ACPI ID, and others that have to be reserved.
 * PCI's ports are with the host bridge.
 */
static void acpi_motherboard(struct acpi *a, const struct vm *vm)
{
	const struct device *dev;
	unsigned int i;

	aml_device(a, "MB");
	aml_name(a, "_HID");
	aml_hid(a, "PNP0C02");
	aml_name(a, "_UID");
	aml_int(a, 0);
	aml_name(a, "_CRS");
	aml_resources(a);
	list_for_each_entry(dev, &vm->devices, node)
		for (i = 0; i < dev->nr_res; i++)
			if (dev->res[i].kind <= RES_MMIO && !acpi_describes(dev, &dev->res[i]) &&
			    !acpi_pci_port(vm, &dev->res[i]))
				acpi_resource(a, &dev->res[i]);
	aml_end(a);
	aml_end(a);
}

void acpi_devices(struct acpi *a, const struct vm *vm)
{
	const struct device *dev;

	acpi_motherboard(a, vm);
	list_for_each_entry(dev, &vm->devices, node)
		if (dev->type->acpi_hid)
			acpi_device(a, dev);
}

/* _PRT (6.2.13): pin to interrupt controller input, for every slot that there could be. */
static void acpi_pci_routing(struct acpi *a, const struct vm *vm)
{
	const u8 *intx = pci_host_layout(vm)->intx;
	unsigned int slot, pin;

	aml_name(a, "_PRT");
	aml_package(a, (PCI_SLOTS - 1) * 4);
	for (slot = 1; slot < PCI_SLOTS; slot++) {
		for (pin = 0; pin < 4; pin++) {
			aml_package(a, 4);
			aml_int(a, slot << 16 | 0xffff);
			aml_int(a, pin);
			aml_int(a, 0);
			aml_int(a, irqs_gsi(vm->irqs, intx[(slot + pin) % 4]));
			aml_end(a);
		}
	}
	aml_end(a);
}

static u8 acpi_last_bus(const struct pci_layout *pci)
{
	return pci->ecam_len / MIB - 1;
}

/* Slots whose devices come and go: the registers are fields in the scope of the bridge. */

static void acpi_slot_name(unsigned int slot, char name[5])
{
	snprintf(name, 5, "S%02X", slot & 0xff);
}

/* 6.1.1, 6.1.11, 6.3.3: within the bridge. */
static void acpi_slots(struct acpi *a, u32 slots)
{
	unsigned int slot;
	char name[5];

	for (slot = 1; slot < PCI_SLOTS; slot++) {
		if (!(slots & 1U << slot))
			continue;
		acpi_slot_name(slot, name);
		aml_device(a, name);
		aml_name(a, "_ADR");
		aml_int(a, slot << 16);
		aml_name(a, "_SUN");
		aml_int(a, slot);
		aml_method(a, "_EJ0", 1);
		aml_store(a);
		aml_int(a, 1U << slot);
		aml_ref(a, "PEJT");
		aml_end(a);
		aml_end(a);
	}
}

/* 5.3: a path of several names is not searched for, so it begins at the root. */
static void acpi_bridge_path(struct acpi *a, const char *slot)
{
	acpi_u8(a, '\\');
	acpi_u8(a, AML_MULTI_NAME);
	acpi_u8(a, slot ? 3 : 2);
	aml_nameseg(a, "_SB");
	aml_nameseg(a, "PCI0");
	if (slot)
		aml_nameseg(a, slot);
}

/*
 * Notify(\_SB.PCI0, Bus Check) if any slot of @local is set. A Device Check of a slot would
 * do for a device that came; but Linux looks for devices that went only below a bridge.
 */
static void acpi_bridge_notify(struct acpi *a, u32 slots, u8 local)
{
	aml_if_bits(a, local, slots);
	acpi_u8(a, AML_NOTIFY);
	acpi_bridge_path(a, NULL);
	aml_int(a, ACPI_NOTIFY_BUS_CHECK);
	aml_end(a);
}

/* Notify(\_SB.PCI0.Sxx, Eject Request) for each slot of @local */
static void acpi_slots_notify(struct acpi *a, u32 slots, u8 local)
{
	unsigned int slot;
	char name[5];

	for (slot = 1; slot < PCI_SLOTS; slot++) {
		if (!(slots & 1U << slot))
			continue;
		acpi_slot_name(slot, name);
		aml_if_bits(a, local, 1U << slot);
		acpi_u8(a, AML_NOTIFY);
		acpi_bridge_path(a, name);
		aml_int(a, ACPI_NOTIFY_EJECT);
		aml_end(a);
	}
}

static void acpi_hotplug(struct acpi *a, const struct vm *vm)
{
	const struct device *dev = device_find(vm, "pci-hotplug");
	u32 slots = pci_hot(vm);
	struct resource r;

	if (!dev || !slots)
		return;
	r = *device_registers(dev);
	r.len = 4;
	aml_field(a, "PHR0", "PCHG", &r);
	r.base += 4;
	aml_field(a, "PHR1", "PEJT", &r);
	aml_method(a, ACPI_HOTPLUG_METHOD, 0);
	aml_store(a);
	aml_ref(a, "PCHG");
	acpi_u8(a, AML_LOCAL(0));
	acpi_bridge_notify(a, slots, AML_LOCAL(0));
	aml_store(a);
	aml_ref(a, "PEJT");
	acpi_u8(a, AML_LOCAL(1));
	acpi_slots_notify(a, slots, AML_LOCAL(1));
	aml_end(a);
}

void acpi_pci_host(struct acpi *a, const struct vm *vm)
{
	const struct pci_layout *pci = pci_host_layout(vm);

	aml_device(a, "PCI0");
	aml_name(a, "_HID");
	aml_hid(a, "PNP0A08");
	aml_name(a, "_CID");
	aml_hid(a, "PNP0A03");
	aml_name(a, "_UID");
	aml_int(a, 0);
	aml_name(a, "_SEG");
	aml_int(a, 0);
	aml_name(a, "_BBN");
	aml_int(a, 0);
	aml_name(a, "_CRS");
	aml_resources(a);
	aml_res_bus(a, 0, acpi_last_bus(pci));
	if (pci->ports)
		aml_res_io(a, pci->ports, PCI_PORTS_LEN);
	aml_res_window(a, pci->mem32, pci->mem32_len);
	if (pci->mem64_len)
		aml_res_window(a, pci->mem64, pci->mem64_len);
	aml_end(a);
	if (!pci->plain)
		acpi_pci_routing(a, vm);

	/*
	 * _OSC (PCI Firmware Specification 3.2, 4.5.1): the firmware keeps no
	 * PCI Express feature to itself, so that what the system asks for,
	 * its fourth argument, is also the answer.
	 */
	aml_method(a, "_OSC", 4);
	aml_return(a);
	acpi_u8(a, AML_ARG(3));
	aml_end(a);
	acpi_slots(a, pci_hot(vm));
	aml_end(a);
	acpi_hotplug(a, vm);
}

void acpi_processors(struct acpi *a, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		char name[8];

		snprintf(name, sizeof(name), "C%03X", i & 0xfff);
		aml_device(a, name);
		aml_name(a, "_HID");
		aml_hid(a, "ACPI0007");
		aml_name(a, "_UID");
		aml_int(a, i);
		aml_end(a);
	}
}

/* PCI Firmware Specification 3.2, 4.1.2 */
size_t acpi_mcfg(struct acpi *a, const struct pci_layout *pci)
{
	size_t table = acpi_table_begin(a, "MCFG", 1);

	acpi_zero(a, 8);
	acpi_u64(a, pci->ecam);
	acpi_u16(a, 0);		/* segment */
	acpi_u8(a, 0);		/* first bus */
	acpi_u8(a, acpi_last_bus(pci));
	acpi_zero(a, 4);
	acpi_table_end(a, table);
	return table;
}
