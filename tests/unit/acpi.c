// SPDX-License-Identifier: GPL-2.0
/*
 * The ACPI tables of the real board, built without KVM: found and walked as a
 * guest does it, and given to Intel's compiler, which reads and rebuilds them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/acpi.h>
#include <kvm/arch.h>
#include <kvm/device.h>
#include <kvm/hotplug.h>
#include <kvm/memory.h>
#include <kvm/pci.h>
#include <kvm/vm.h>
#include <kvm/vmgenid.h>

#include "../../x86/layout.h"
#include "../../x86/x86.h"
#include "tap.h"

struct machine {
	struct vm vm;
	struct vm_config cfg;
	u8 tables[LAYOUT_ACPI_LEN];
};

static const struct numa *numa;		/* of the next machine */
static bool fixed_hardware;		/* it has ACPI's */

static struct machine *machine_new_console(unsigned int cpus, u64 mem, const char *console)
{
	struct machine *m = calloc(1, sizeof(*m));
	struct vm *vm = &m->vm;

	CHECK(m);
	m->cfg = (struct vm_config) {
		.cpus = cpus, .sockets = 1, .cores = cpus, .threads = 1, .mem = mem, .console = console,
		.numa = numa, .hotplug = true,
	};
	vm->cfg = &m->cfg;
	vm->kvm_fd = vm->vm_fd = -1;
	undo_init(&vm->undo);
	undo_init(&vm->ram);
	INIT_LIST_HEAD(&vm->devices);
	INIT_LIST_HEAD(&vm->drives);
	pthread_mutex_init(&vm->lock, NULL);
	CHECK_EQ(loop_new(&vm->loop, &vm->lock), 0);
	CHECK_EQ(irqs_new(&vm->irqs, &vm->undo, vm, -1), 0);
	bus_init(&vm->pio, "I/O port", 0x10000);
	bus_init(&vm->mmio, "memory", 0);
	bus_init(&vm->pcicfg, "PCI configuration space", MIB);
	CHECK_EQ(arch_memory(vm), 0);
	CHECK_EQ(arch_board(vm), 0);
	if (fixed_hardware)
		CHECK_EQ(device_add(vm, "acpi-pm", NULL, NULL), 0);
	hotplug_ready(vm);
	CHECK_EQ(arch_firmware(vm), 0);
	CHECK_EQ(mem_read(&vm->mem, LAYOUT_ACPI, m->tables, sizeof(m->tables)), 0);
	return m;
}

static struct machine *machine_new(unsigned int cpus, u64 mem)
{
	return machine_new_console(cpus, mem, "null");
}

static void machine_free(struct machine *m)
{
	undo_run(&m->vm.undo);
	bus_free(&m->vm.pio);
	bus_free(&m->vm.mmio);
	bus_free(&m->vm.pcicfg);
	loop_free(m->vm.loop);
	free(m);
}

static u64 get(const u8 *p, unsigned int len)
{
	u64 val = 0;

	while (len--)
		val = val << 8 | p[len];
	return val;
}

static u8 sum(const u8 *p, size_t len)
{
	u8 total = 0;

	while (len--)
		total += *p++;
	return total;
}

/* The table at a guest address, after a look at its header. */
static const u8 *table_at(struct machine *m, u64 gpa, const char *signature)
{
	const u8 *t = m->tables + (gpa - LAYOUT_ACPI);
	u32 len;

	CHECK(gpa >= LAYOUT_ACPI && gpa < LAYOUT_ACPI + LAYOUT_ACPI_LEN - 36);
	len = get(t + 4, 4);
	CHECK(len >= 36 && len <= LAYOUT_ACPI + LAYOUT_ACPI_LEN - gpa);
	CHECK_MEM(t, signature, 4);
	CHECK_EQ(sum(t, len), 0);
	return t;
}

/* By way of the XSDT. */
static const u8 *table_find(struct machine *m, const char *signature)
{
	const u8 *rsdp = m->tables, *xsdt;
	u32 len, i;

	CHECK_MEM(rsdp, "RSD PTR ", 8);
	CHECK_EQ(sum(rsdp, 20), 0);
	CHECK_EQ(sum(rsdp, 36), 0);
	xsdt = table_at(m, get(rsdp + 24, 8), "XSDT");
	len = get(xsdt + 4, 4);
	for (i = 36; i < len; i += 8) {
		u64 gpa = get(xsdt + i, 8);

		if (!memcmp(m->tables + (gpa - LAYOUT_ACPI), signature, 4))
			return table_at(m, gpa, signature);
	}
	tap_fail(__FILE__, __LINE__, "no table %s", signature);
}

TEST(tables_are_found_and_add_up)
{
	struct machine *m = machine_new(1, 256 * MIB);
	const u8 *fadt = table_find(m, "FACP");

	CHECK_EQ(get(fadt + 4, 4), 276);
	CHECK_EQ(get(fadt + 40, 4), get(fadt + 140, 8));
	table_at(m, get(fadt + 140, 8), "DSDT");
	table_find(m, "APIC");
	table_find(m, "MCFG");
	machine_free(m);
}

TEST(fixed_hardware_and_s3_if_asked_for)
{
	struct machine *m = machine_new(1, 256 * MIB);
	const u8 *fadt = table_find(m, "FACP"), *madt, *dsdt;
	u8 facs[64];
	u64 gpa;

	CHECK_EQ(get(fadt + 112, 4) & (1 << 20 | 1 << 4), 1 << 20 | 1 << 4);
	/* Legacy devices, no VGA; no keyboard controller to be probed. */
	CHECK_EQ(get(fadt + 109, 2), 1 | 1 << 2);
	CHECK_EQ(get(fadt + 36, 4), 0);
	CHECK_EQ(get(fadt + 44, 8) | get(fadt + 52, 8) | get(fadt + 60, 8) | get(fadt + 76, 8), 0);
	dsdt = table_at(m, get(fadt + 140, 8), "DSDT");
	CHECK(!memmem(dsdt, get(dsdt + 4, 4), "_S3_", 4));
	machine_free(m);

	fixed_hardware = true;
	m = machine_new(1, 256 * MIB);
	fadt = table_find(m, "FACP");
	CHECK_EQ(get(fadt + 4, 4), 276);
	/* Fixed are the power button and the RTC's alarm, but not the sleep button. */
	CHECK_EQ(get(fadt + 112, 4) & (1 << 20 | 1 << 4 | 1 << 5 | 1 << 6), 1 << 5);
	CHECK_EQ(get(fadt + 46, 2), 9);
	CHECK_EQ(get(fadt + 48, 4), 0);
	CHECK_EQ(get(fadt + 56, 4), 0x608);
	CHECK_EQ(get(fadt + 64, 4), 0x60c);
	CHECK_EQ(get(fadt + 76, 4), 0x610);
	CHECK_EQ(get(fadt + 88, 4), 0x04000204);
	CHECK_EQ(get(fadt + 108, 1), 0x32);
	gpa = get(fadt + 36, 4);
	CHECK_EQ(gpa % 64, 0);
	CHECK_EQ(mem_read(&m->vm.mem, gpa, facs, sizeof(facs)), 0);
	CHECK_MEM(facs, "FACS", 4);
	CHECK_EQ(get(facs + 4, 4), sizeof(facs));
	dsdt = table_at(m, get(fadt + 140, 8), "DSDT");
	CHECK(memmem(dsdt, get(dsdt + 4, 4), "_S3_\x12\x06\x04\x01", 8));
	/* Level, active high. */
	madt = table_find(m, "APIC");
	CHECK(memmem(madt, get(madt + 4, 4), "\x02\x0a\x00\x09\x09\x00\x00\x00\x0d\x00", 10));
	machine_free(m);
}

/* What the guest leaves as its vector is hostile: only its 20 bits count. */
TEST(waking_vector_is_in_real_mode)
{
	static const u32 vector[][2] = { { 0x12345, 0x12345 }, { 0xfffffff0, 0xffff0 }, { 0, 0 } };
	struct machine *m;
	unsigned int i;

	fixed_hardware = true;
	m = machine_new(1, 256 * MIB);
	for (i = 0; i < ARRAY_SIZE(vector); i++) {
		CHECK_EQ(mem_write(&m->vm.mem, LAYOUT_FACS + 12, vector[i], 4), 0);
		CHECK_EQ(arch_wake(&m->vm), 0);
		CHECK_EQ(vm_x86(&m->vm)->mode, X86_REAL);
		CHECK_EQ(vm_x86(&m->vm)->entry, vector[i][1]);
	}
	machine_free(m);
}

TEST(fadt_says_how_to_reset_and_to_power_off)
{
	struct machine *m = machine_new(1, 256 * MIB);
	const u8 *fadt = table_find(m, "FACP");

	CHECK(get(fadt + 112, 4) & 1 << 20);		/* hardware-reduced */
	CHECK(get(fadt + 112, 4) & 1 << 10);		/* has a reset register */
	CHECK_EQ(fadt[116], 1);
	CHECK_EQ(get(fadt + 120, 8), PORT_RESET);
	CHECK_EQ(get(fadt + 248, 8), PORT_SLEEP_CONTROL);
	CHECK_EQ(get(fadt + 260, 8), PORT_SLEEP_STATUS);

	/* And the board does it. */
	bus_write(&m->vm.pio, PORT_SLEEP_CONTROL, 1, ACPI_SLEEP_S5 << 2 | 1 << 5);
	CHECK_EQ(m->vm.end, VM_POWEROFF);
	machine_free(m);
	m = machine_new(1, 256 * MIB);
	bus_write(&m->vm.pio, PORT_RESET, 1, table_find(m, "FACP")[128]);
	CHECK_EQ(m->vm.end, VM_RESET);
	machine_free(m);
}

TEST(madt_has_every_cpu_once)
{
	struct machine *m = machine_new(255, 256 * MIB);
	const u8 *madt = table_find(m, "APIC");
	u32 len = get(madt + 4, 4), i, cpus = 0, ioapics = 0;

	CHECK_EQ(get(madt + 36, 4), LAYOUT_LAPIC);
	for (i = 44; i < len; i += madt[i + 1]) {
		CHECK(madt[i + 1] >= 2 && i + madt[i + 1] <= len);
		if (madt[i] == 0) {
			CHECK_EQ(madt[i + 3], cpus);
			CHECK_EQ(get(madt + i + 4, 4), 1);
			cpus++;
		} else if (madt[i] == 1) {
			CHECK_EQ(get(madt + i + 4, 4), LAYOUT_IOAPIC);
			ioapics++;
		}
	}
	CHECK_EQ(cpus, 255);
	CHECK_EQ(ioapics, 1);
	machine_free(m);
}

TEST(mcfg_is_the_ecam_of_bus_0)
{
	struct machine *m = machine_new(1, 256 * MIB);
	const u8 *mcfg = table_find(m, "MCFG");

	CHECK_EQ(get(mcfg + 4, 4), 60);
	CHECK_EQ(get(mcfg + 44, 8), LAYOUT_ECAM);
	CHECK_EQ(mcfg[54], 0);
	CHECK_EQ(mcfg[55], 0);
	/* The host bridge answers there. */
	CHECK_EQ(bus_read(&m->vm.mmio, LAYOUT_ECAM + 10, 2), 0x0600);
	machine_free(m);
}

TEST(spcr_and_dbg2_are_the_console)
{
	struct machine *m = machine_new(1, 256 * MIB);
	const u8 *spcr = table_find(m, "SPCR"), *dbg2 = table_find(m, "DBG2");

	CHECK_EQ(get(spcr + 4, 4), 80);
	CHECK_EQ(spcr[40], 1);
	CHECK_EQ(get(spcr + 44, 8), PORT_SERIAL);
	CHECK_EQ(get(spcr + 54, 4), GSI_SERIAL);
	CHECK_EQ(get(dbg2 + 4, 4), 44 + get(dbg2 + 45, 2));
	CHECK_EQ(get(dbg2 + 44 + 22 + 4, 8), PORT_SERIAL);
	CHECK_STR((const char *)dbg2 + 44 + get(dbg2 + 50, 2), "\\_SB.D001");
	machine_free(m);
}

TEST(without_a_serial_port_there_is_no_spcr)
{
	struct machine *m = machine_new_console(1, 256 * MIB, NULL);
	const u8 *xsdt = table_at(m, get(m->tables + 24, 8), "XSDT");
	u32 i;

	for (i = 36; i < get(xsdt + 4, 4); i += 8) {
		const u8 *t = m->tables + (get(xsdt + i, 8) - LAYOUT_ACPI);

		CHECK(memcmp(t, "SPCR", 4) && memcmp(t, "DBG2", 4));
	}
	machine_free(m);
}

TEST(the_generation_is_another_each_time)
{
	u8 id[4][16];
	unsigned int i, j;

	for (i = 0; i < 4; i += 2) {
		struct machine *m = machine_new(1, 256 * MIB);

		CHECK_EQ(mem_read(&m->vm.mem, LAYOUT_VMGENID, id[i], 16), 0);
		CHECK_EQ(vmgenid_renew(&m->vm), 0);
		CHECK_EQ(mem_read(&m->vm.mem, LAYOUT_VMGENID, id[i + 1], 16), 0);
		/* And the guest is told: its event, after those of the buttons. */
		CHECK_EQ(bus_read(&m->vm.pio, PORT_EVENTS, 4), 4);
		machine_free(m);
	}
	for (i = 0; i < 4; i++)
		for (j = 0; j < i; j++)
			CHECK(memcmp(id[i], id[j], 16));
}

TEST(package_lengths_are_right_at_their_boundaries)
{
	static const unsigned int body[] = { 0, 56, 57, 58, 59, 4082, 4083, 4084, 4085, 5000, 70000 };
	static u8 buf[80000];
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(body); i++) {
		struct acpi a;
		size_t len;

		acpi_init(&a, buf, sizeof(buf));
		aml_scope(&a, "\\_SB");
		for (j = 0; j < body[i]; j++)
			acpi_u8(&a, 0xa5);
		aml_end(&a);
		CHECK(!acpi_failed(&a));
		/* ScopeOp, then a length that counts everything behind ScopeOp. */
		len = buf[1] >> 6 ? buf[1] & 0xf : buf[1] & 0x3f;
		for (j = 0; j < (unsigned int)buf[1] >> 6; j++)
			len |= (size_t)buf[2 + j] << (4 + 8 * j);
		CHECK_EQ(len, a.len - 1);
		CHECK_MEM(buf + 2 + (buf[1] >> 6), "\\_SB_", 5);
	}
}

TEST(names_and_numbers_are_encoded_as_the_specification_says)
{
	static const u8 want[] = {
		0x08, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x05, 0x01,		/* EISAID("PNP0501") */
		0x08, '_', 'U', 'I', 'D', 0x00,
		0x08, 'A', '_', '_', '_', 0x0b, 0x34, 0x12,
		0x08, 'B', 'C', '_', '_', 0x0d, 'h', 'i', 0,
	};
	u8 buf[100];
	struct acpi a;

	acpi_init(&a, buf, sizeof(buf));
	aml_name(&a, "_HID");
	aml_hid(&a, "PNP0501");
	aml_name(&a, "_UID");
	aml_int(&a, 0);
	aml_name(&a, "A");
	aml_int(&a, 0x1234);
	aml_name(&a, "BC");
	aml_string(&a, "hi");
	CHECK_EQ(a.len, sizeof(want));
	CHECK_MEM(buf, want, sizeof(want));
}

TEST(writing_beyond_the_buffer_fails_and_does_no_harm)
{
	u8 *buf = malloc(64);		/* with the sanitizer's fence behind it */
	struct acpi a;
	size_t table;

	acpi_init(&a, buf, 64);
	table = acpi_table_begin(&a, "DSDT", 2);
	aml_scope(&a, "\\_SB");
	aml_string(&a, "this does not fit into the rest");
	aml_int(&a, 5);
	aml_end(&a);
	acpi_table_end(&a, table);
	CHECK(acpi_failed(&a));

	acpi_init(&a, buf, 64);
	aml_end(&a);
	CHECK(acpi_failed(&a));
	acpi_init(&a, buf, 64);
	table = acpi_table_begin(&a, "DSDT", 2);
	aml_device(&a, "X");
	acpi_table_end(&a, table);		/* while a package is open */
	CHECK(acpi_failed(&a));
	free(buf);
}

/* Intel's compiler */

static void run(const char *dir, const char *command, char *out, size_t len)
{
	char line[512];
	size_t n;
	FILE *p;

	snprintf(line, sizeof(line), "cd %s && %s 2>&1", dir, command);
	p = popen(line, "r");
	CHECK(p);
	n = fread(out, 1, len - 1, p);
	out[n] = '\0';
	pclose(p);
	tap_note("%s: %s", command, out);
}

static void table_save(const char *dir, const char *name, const u8 *table)
{
	char path[256];
	u32 len = get(table + 4, 4);
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	CHECK(f);
	CHECK_EQ(fwrite(table, 1, len, f), len);
	fclose(f);
}

static char out[1 << 20];

static void iasl_check(const char *dir, const char *name)
{
	char command[128];

	snprintf(command, sizeof(command), "iasl -d %s.aml", name);
	run(dir, command, out, sizeof(out));
	CHECK(!strcasestr(out, "warning") && !strcasestr(out, "error"));
	snprintf(command, sizeof(command), "iasl -p again %s.dsl", name);
	run(dir, command, out, sizeof(out));
	if (!strstr(out, "Compilation successful. 0 Errors, 0 Warnings, 0 Remarks"))
		tap_fail(__FILE__, __LINE__, "%.2000s", out);
}

/* Nothing that acpiexec complains about. @own: it chooses the arguments, and gives _OSC integers. */
static void acpiexec_check(bool own)
{
	static const char *const bad[] = { "error", "warning", "exception" };
	const char *line, *p;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		for (p = out; (p = strcasestr(p, bad[i])); p++) {
			for (line = p; line > out && line[-1] != '\n'; line--)
				;
			CHECK(own && memmem(line, strcspn(line, "\n"), "_OSC: Argument", 14));
		}
	}
}

/* A line of its output has both. */
static bool acpiexec_says(const char *a, const char *b)
{
	const char *p = strstr(out, a);

	return p && memmem(p, strcspn(p, "\n"), b, strlen(b));
}

/* Each method of the DSDT by its path, with arguments that it could get. */
static void acpiexec_methods(const char *dir)
{
	static char methods[1 << 16];
	char command[256], *line, *next;
	unsigned int nr = 0;

	run(dir, "acpiexec -b methods DSDT.aml", methods, sizeof(methods));
	for (line = methods; *line; line = next) {
		char path[64];
		int args;

		next = strchrnul(line, '\n');
		next += *next == '\n';
		if (sscanf(line, " \\_SB%60s Method %*s %*s Args %d", path, &args) != 2)
			continue;
		/* _OSC: UUID of PCI host bridges, revision, words, capabilities. */
		snprintf(command, sizeof(command), "acpiexec -fv 0xff -b 'execute \\_SB%s %s' DSDT.aml", path,
			 args == 4 ? "(5B 4D DB 33 F7 1F 1C 40 96 57 74 41 C0 3D D7 66) 1 3 "
				     "(00 00 00 00 1F 00 00 00 1D 00 00 00)" : args ? "20" : "");
		run(dir, command, out, sizeof(out));
		CHECK(strstr(out, "valuat"));
		acpiexec_check(false);
		/* An event is told to whom it belongs. */
		if (strstr(path, "_EVT"))
			CHECK(strstr(out, "Received a Device Notify"));
		if (strstr(path, ACPI_HOTPLUG_METHOD))
			CHECK(acpiexec_says("[PCI0]", "(Bus Check)") && acpiexec_says("[S18_]", "(Eject Request)"));
		nr++;
	}
	CHECK(nr >= 2);
}

static void acpiexec_all(void)
{
	struct machine *m = machine_new(4, 5 * GIB);
	char dir[] = "/tmp/lkvm-acpi-XXXXXX", command[64], *p;
	unsigned int nr = 0;

	CHECK(mkdtemp(dir));
	table_save(dir, "DSDT.aml", table_at(m, get(table_find(m, "FACP") + 140, 8), "DSDT"));
	run(dir, "acpiexec -b 'execute predefined' DSDT.aml", out, sizeof(out));
	acpiexec_check(true);
	for (p = out; (p = strstr(p, "AE_")); p++, nr++)
		CHECK(!strncmp(p, "AE_OK", 5));
	CHECK(nr > 40);
	acpiexec_methods(dir);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	CHECK_EQ(system(command), 0);
	machine_free(m);
}

TEST_TIMEOUT(acpiexec_executes_the_dsdt, 120)
{
	if (system("command -v acpiexec >/dev/null"))
		SKIP("acpiexec is not installed (Debian: acpica-tools)");
	acpiexec_all();
	fixed_hardware = true;
	acpiexec_all();
}

TEST_TIMEOUT(iasl_reads_and_rebuilds_the_tables, 60)
{
	static const char *const name[] = { "FACP", "APIC", "MCFG", "SRAT", "SLIT", "WAET", "SPCR", "DBG2" };
	static unsigned char node_of[4] = { 0, 1, 0, 1 };
	static const struct numa two = {
		.nr = 2, .node = { { 2 * GIB, -1 }, { 3 * GIB, -1 } },
		.distance = { { 10, 20 }, { 20, 10 } }, .cpu = node_of,
	};
	struct machine *m;
	char dir[] = "/tmp/lkvm-acpi-XXXXXX", command[64];
	unsigned int i;
	u8 facs[64];

	if (system("command -v iasl >/dev/null"))
		SKIP("iasl is not installed (Debian: acpica-tools)");
	numa = &two;
	m = machine_new(4, 5 * GIB);
	CHECK(mkdtemp(dir));
	table_save(dir, "DSDT.aml", table_at(m, get(table_find(m, "FACP") + 140, 8), "DSDT"));
	iasl_check(dir, "DSDT");
	for (i = 0; i < ARRAY_SIZE(name); i++) {
		char file[16];

		snprintf(file, sizeof(file), "%s.aml", name[i]);
		table_save(dir, file, table_find(m, name[i]));
		iasl_check(dir, name[i]);
	}
	/* What the compiler read is what the layout says. */
	run(dir, "cat DSDT.dsl", out, sizeof(out));
	CHECK(strstr(out, "\"PNP0A08\""));
	CHECK(strstr(out, "0xE0000000"));
	CHECK(strstr(out, "\"PNP0501\""));
	CHECK(strstr(out, "0x03F8"));
	CHECK(strstr(out, "\"ACPI0013\""));
	CHECK(strstr(out, "\"PNP0C0C\""));
	CHECK(strstr(out, "\"PNP0C0E\""));
	CHECK(strstr(out, "\"QEMU0001\""));
	CHECK(strstr(out, "\"VM_Gen_Counter\""));
	CHECK(strstr(out, "C003"));
	CHECK(!strstr(out, "C004"));
	machine_free(m);
	/* With fixed hardware, what that changes. */
	fixed_hardware = true;
	m = machine_new(4, 5 * GIB);
	CHECK_EQ(mem_read(&m->vm.mem, LAYOUT_FACS, facs, sizeof(facs)), 0);
	table_save(dir, "FACS.aml", facs);
	iasl_check(dir, "FACS");
	table_save(dir, "FACP.aml", table_find(m, "FACP"));
	iasl_check(dir, "FACP");
	table_save(dir, "APIC.aml", table_find(m, "APIC"));
	iasl_check(dir, "APIC");
	table_save(dir, "DSDT.aml", table_at(m, get(table_find(m, "FACP") + 140, 8), "DSDT"));
	iasl_check(dir, "DSDT");
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	CHECK_EQ(system(command), 0);
	machine_free(m);
}

/* DSP0134, 5.2.2: as dmidecode looks for it. */
TEST(smbios_says_what_the_machine_is)
{
	struct machine *m = machine_new(2, 256 * MIB);
	static u8 last[0x10000];
	const u8 *entry = NULL, *s, *end;
	unsigned int i, types = 0, cores = 0, array = 0;

	CHECK_EQ(mem_read(&m->vm.mem, 0xf0000, last, sizeof(last)), 0);
	for (i = 0; !entry && i < sizeof(last); i += 16)
		if (!memcmp(last + i, "_SM3_", 5))
			entry = last + i;
	CHECK(entry);
	CHECK_EQ(sum(entry, entry[6]), 0);
	s = last + (get(entry + 16, 8) - 0xf0000);
	end = s + get(entry + 12, 4);
	CHECK(end <= last + sizeof(last));
	while (s < end) {
		u8 type = s[0];

		types++;
		if (type == 1)
			CHECK_STR((const char *)s + s[1], "lkvm");
		if (type == 4) {		/* a processor, of two cores */
			CHECK_EQ(s[1], 0x30);
			CHECK_EQ(s[0x18], 0x41);
			cores += s[0x23];
			CHECK_EQ(get(s + 0x2e, 2), 2);
			CHECK_STR((const char *)s + s[1], "CPU");
		}
		if (type == 16) {
			CHECK_EQ(s[1], 0x17);
			CHECK_EQ(get(s + 0xf, 8), 256 * MIB);
			array = get(s + 2, 2);
		}
		if (type == 17) {
			CHECK_EQ(s[1], 0x28);
			CHECK_EQ(get(s + 4, 2), array);
			CHECK_EQ(get(s + 0xc, 2), 256);
		}
		for (s += s[1]; s[0] || s[1]; s++)
			CHECK(s < end);
		s += 2;
		if (type == 127)
			break;
	}
	CHECK_EQ(s, end);
	CHECK_EQ(types, 7);
	CHECK_EQ(cores, 2);
	machine_free(m);
}
