// SPDX-License-Identifier: GPL-2.0
/*
 * The firmware configuration device (QEMU, docs/specs/fw_cfg and vmcoreinfo;
 * Linux, include/uapi/linux/qemu_fw_cfg.h): items by number, read byte by byte
 * at a port or whole by DMA. There is one file, etc/vmcoreinfo. Linux writes the
 * address of its vmcoreinfo note to it by DMA, and lkvm reads the crashed kernel's
 * release from there. The numbers of CPUs and bytes of RAM are for programs without
 * ACPI, such as kvm-unit-tests.
 *
 * On vCPU threads, machine lock held. A transfer is bounded, its descriptor is
 * copied once, and only RAM is read or written.
 */
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include <linux/qemu_fw_cfg.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/fw_cfg.h>
#include <kvm/memory.h>
#include <kvm/opt.h>
#include <kvm/vm.h>

/* Registers */
#define FW_CFG_PORTS		12
#define FW_CFG_SELECT		0
#define FW_CFG_DATA		1
#define FW_CFG_DMA_HIGH		4	/* big-endian, as all of DMA */
#define FW_CFG_DMA_LOW		8	/* writing it starts the transfer */

#define FW_CFG_VMCOREINFO	FW_CFG_FILE_FIRST
#define FW_CFG_DMA_MAX		(64 * KIB)	/* of one transfer */

#define VMCOREINFO_READ		256	/* of the note; what is looked for comes first */
#define VMCOREINFO_NAME		"VMCOREINFO"
#define VMCOREINFO_RELEASE	"OSRELEASE="

struct fw_cfg_dir {
	__be32 count;
	struct fw_cfg_file file[1];
};

struct fw_cfg {
	struct device dev;
	int base, nr_cpus;	/* suboptions */
	u64 mem;
	struct region ports;
	u16 key;		/* of the item that is selected, */
	u32 pos;		/* and where in it */
	u64 dma;		/* address, as far as it has been written */
	struct fw_cfg_dir dir;
	struct fw_cfg_vmcoreinfo vmcoreinfo;
	__le32 id;
	__le64 ram;
	__le16 cpus;
};

/* The selected item; one that does not exist has no bytes. */
static void *fw_cfg_item(struct fw_cfg *f, u32 *len)
{
	static const char signature[] = "QEMU";

	switch (f->key) {
	case FW_CFG_SIGNATURE:
		*len = 4;
		return (void *)signature;
	case FW_CFG_ID:
		*len = sizeof(f->id);
		return &f->id;
	case FW_CFG_RAM_SIZE:
		*len = sizeof(f->ram);
		return &f->ram;
	case FW_CFG_NB_CPUS:
	case FW_CFG_MAX_CPUS:
		*len = sizeof(f->cpus);
		return &f->cpus;
	case FW_CFG_FILE_DIR:
		*len = sizeof(f->dir);
		return &f->dir;
	case FW_CFG_VMCOREINFO:
		*len = sizeof(f->vmcoreinfo);
		return &f->vmcoreinfo;
	default:
		*len = 0;
		return NULL;
	}
}

static void fw_cfg_select(struct fw_cfg *f, u16 key)
{
	f->key = key;
	f->pos = 0;
}

/* Move on, but never beyond what 32 bits can say. */
static void fw_cfg_skip(struct fw_cfg *f, u32 len)
{
	if (__builtin_add_overflow(f->pos, len, &f->pos))
		f->pos = ~0u;
}

static u8 fw_cfg_byte(struct fw_cfg *f)
{
	u32 len, pos = f->pos;
	const u8 *item = fw_cfg_item(f, &len);

	fw_cfg_skip(f, 1);
	return pos < len ? item[pos] : 0;
}

/* DMA: 0, or -errno which becomes the error bit. */

static int fw_cfg_dma_read(struct fw_cfg *f, gpa_t addr, u32 len)
{
	static const u8 zero[512];
	u32 size, n, done = 0;
	const u8 *item = fw_cfg_item(f, &size);
	int ret = 0;

	if (len && !mem_map(dev_mem(&f->dev), addr, len))
		return -EFAULT;
	/* Beyond the item there are zeroes. */
	if (f->pos < size) {
		done = min(len, size - f->pos);
		ret = done ? mem_write(dev_mem(&f->dev), addr, item + f->pos, done) : 0;
	}
	for (; !ret && done < len; done += n) {
		n = min(len - done, (u32)sizeof(zero));
		ret = mem_write(dev_mem(&f->dev), addr + done, zero, n);
	}
	return ret;
}

static int fw_cfg_dma_write(struct fw_cfg *f, gpa_t addr, u32 len)
{
	u32 size;
	u8 *item = fw_cfg_item(f, &size);

	if (f->key != FW_CFG_VMCOREINFO || f->pos > size || len > size - f->pos)
		return -EPERM;
	return len ? mem_read(dev_mem(&f->dev), addr, item + f->pos, len) : 0;
}

static void fw_cfg_dma(struct fw_cfg *f, gpa_t desc)
{
	struct fw_cfg_dma_access access;
	__be32 result;
	u32 control, len;
	gpa_t addr;
	int ret = 0;

	if (mem_read(dev_mem(&f->dev), desc, &access, sizeof(access)))
		return;			/* nowhere to tell */
	control = be32toh((u32)access.control);
	len = be32toh((u32)access.length);
	addr = be64toh((u64)access.address);
	if (control & FW_CFG_DMA_CTL_SELECT)
		fw_cfg_select(f, control >> 16);
	/* Reading goes before writing goes before skipping. */
	if (control & (FW_CFG_DMA_CTL_READ | FW_CFG_DMA_CTL_WRITE) &&
	    (len > FW_CFG_DMA_MAX || addr + len < addr))
		ret = -EINVAL;
	else if (control & FW_CFG_DMA_CTL_READ)
		ret = fw_cfg_dma_read(f, addr, len);
	else if (control & FW_CFG_DMA_CTL_WRITE)
		ret = fw_cfg_dma_write(f, addr, len);
	if (!ret && control & (FW_CFG_DMA_CTL_READ | FW_CFG_DMA_CTL_WRITE | FW_CFG_DMA_CTL_SKIP))
		fw_cfg_skip(f, len);
	result = (__be32)htobe32(ret ? FW_CFG_DMA_CTL_ERROR : 0);
	/* It was readable, so it is RAM. */
	mem_write(dev_mem(&f->dev), desc, &result, sizeof(result));
}

static u64 fw_cfg_read(void *obj, u64 off, unsigned int len)
{
	static const char signature[] = "QEMU CFG";
	struct fw_cfg *f = obj;
	u64 val = 0;

	if (off == FW_CFG_DATA && len == 1)
		return fw_cfg_byte(f);
	/* A guest detects DMA by reading its register. */
	if (off >= FW_CFG_DMA_HIGH && off + len <= FW_CFG_PORTS)
		memcpy(&val, signature + off - FW_CFG_DMA_HIGH, len);
	return val;
}

static void fw_cfg_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct fw_cfg *f = obj;
	gpa_t desc;

	if (off == FW_CFG_SELECT && len == 2) {
		fw_cfg_select(f, val);
	} else if (off == FW_CFG_DMA_HIGH && len == 4) {
		f->dma = (u64)be32toh(val) << 32;
	} else if (off == FW_CFG_DMA_LOW && len == 4) {
		desc = f->dma | be32toh(val);
		f->dma = 0;
		fw_cfg_dma(f, desc);
	}
}

static const struct region_ops fw_cfg_ops = {
	.read = fw_cfg_read, .write = fw_cfg_write,
};

static int fw_cfg_init(struct device *dev)
{
	struct fw_cfg *f = container_of(dev, struct fw_cfg, dev);

	f->id = (__le32)htole32(FW_CFG_VERSION | FW_CFG_VERSION_DMA);
	f->ram = (__le64)htole64(f->mem);
	f->cpus = (__le16)htole16(f->nr_cpus);
	f->dir.count = (__be32)htobe32(1);
	f->dir.file[0].size = (__be32)htobe32(sizeof(f->vmcoreinfo));
	f->dir.file[0].select = (__be16)htobe16(FW_CFG_VMCOREINFO);
	strcpy(f->dir.file[0].name, FW_CFG_VMCOREINFO_FILENAME);
	return dev_regs(dev, &f->ports, f->base, FW_CFG_PORTS, &fw_cfg_ops, f);
}

static const struct state_field fw_cfg_state[] = {
	STATE(struct fw_cfg, key),
	STATE(struct fw_cfg, pos),
	STATE(struct fw_cfg, dma),
	STATE(struct fw_cfg, vmcoreinfo),
	STATE_END
};

static const struct opt fw_cfg_opts[] = {
	OPT_INT(0, "base", struct fw_cfg, base, 1, INT_MAX, "ADDR", "the first of twelve ports, or bytes"),
	OPT_INT(0, "cpus", struct fw_cfg, nr_cpus, 1, 0xffff, "N", "how many CPUs it tells of"),
	OPT_SIZE(0, "mem", struct fw_cfg, mem, 1, 1, ~0ULL, "BYTES", "how much RAM it tells of"),
	OPT_END
};

DEVICE_TYPE(fw_cfg_type) = {
	.name = "fw-cfg",
	.help = "firmware configuration device: the guest's kernel reports its vmcoreinfo",
	.size = sizeof(struct fw_cfg),
	.opts = fw_cfg_opts,
	.init = fw_cfg_init,
	.state = fw_cfg_state,
	.acpi_hid = "QEMU0002",
	.internal = true,
};

/* The first line of the note's text is OSRELEASE=... (Linux, kernel/crash_core.c). */
static void fw_cfg_note(const u8 *note, u32 len, char release[FW_CFG_RELEASE_MAX])
{
	u32 head = 12 + ALIGN(sizeof(VMCOREINFO_NAME), 4), i;
	const char *text = (const char *)note + head;

	if (len < head + strlen(VMCOREINFO_RELEASE) ||
	    memcmp(note + 12, VMCOREINFO_NAME, sizeof(VMCOREINFO_NAME)) ||
	    memcmp(text, VMCOREINFO_RELEASE, strlen(VMCOREINFO_RELEASE)))
		return;
	text += strlen(VMCOREINFO_RELEASE);
	len -= head + strlen(VMCOREINFO_RELEASE);
	for (i = 0; i < len && i < FW_CFG_RELEASE_MAX - 1 && text[i] > ' ' && text[i] < 0x7f; i++)
		release[i] = text[i];
	release[i] = '\0';
}

bool fw_cfg_vmcoreinfo(const struct vm *vm, gpa_t *gpa, u32 *len)
{
	const struct device *dev = device_find(vm, fw_cfg_type.name);
	const struct fw_cfg_vmcoreinfo *info;

	if (!dev)
		return false;
	info = &container_of(dev, struct fw_cfg, dev)->vmcoreinfo;
	*gpa = le64toh((u64)info->paddr);
	*len = le32toh((u32)info->size);
	return le16toh((u16)info->guest_format) == FW_CFG_VMCOREINFO_FORMAT_ELF;
}

void fw_cfg_release(const struct vm *vm, char release[FW_CFG_RELEASE_MAX])
{
	u8 note[VMCOREINFO_READ];
	gpa_t gpa;
	u32 len;

	release[0] = '\0';
	if (!fw_cfg_vmcoreinfo(vm, &gpa, &len))
		return;
	len = min(len, (u32)sizeof(note));
	if (!mem_read(&vm->mem, gpa, note, len))
		fw_cfg_note(note, len, release);
}
