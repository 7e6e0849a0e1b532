// SPDX-License-Identifier: GPL-2.0
/*
 * The generation of the machine (Microsoft, Virtual Machine Generation ID,
 * August 2012): 128 random bits in memory that the guest may read at any time, new
 * at each start. They also change when a running guest becomes one of several from the
 * same state. The guest is notified then, and Linux reseeds its random numbers. Reading
 * them makes no exits. Main thread, machine lock held.
 */
#include <errno.h>
#include <sys/random.h>

#include <linux/kernel.h>
#include <kvm/acpi.h>
#include <kvm/device.h>
#include <kvm/event.h>
#include <kvm/opt.h>
#include <kvm/vm.h>
#include <kvm/vmgenid.h>

#define VMGENID_LEN	16
#define VMGENID_CHANGED	0x80

struct vmgenid {
	struct device dev;
	u64 addr;		/* suboption */
	struct event event;
};

static int vmgenid_write(struct vmgenid *v)
{
	u8 id[VMGENID_LEN];

	if (getrandom(id, sizeof(id), 0) != sizeof(id))
		return -EIO;
	return mem_write(dev_mem(&v->dev), v->addr, id, sizeof(id));
}

static void vmgenid_acpi(const struct device *dev, struct acpi *a)
{
	const struct vmgenid *v = container_of(dev, struct vmgenid, dev);

	aml_name(a, "_DDN");
	aml_string(a, "VM_Gen_Counter");
	aml_name(a, "ADDR");
	aml_package(a, 2);
	aml_int(a, (u32)v->addr);
	aml_int(a, v->addr >> 32);
	aml_end(a);
}

static int vmgenid_init(struct device *dev)
{
	struct vmgenid *v = container_of(dev, struct vmgenid, dev);
	/* RAM has one if it was there before. */
	int ret = dev->vm->state ? 0 : vmgenid_write(v);

	return ret ? dev_err(dev, ret, "generation ID") : dev_event(dev, &v->event, VMGENID_CHANGED);
}

static const struct opt vmgenid_opts[] = {
	OPT_SIZE(0, "addr", struct vmgenid, addr, 1, 16, ~0ULL, "ADDRESS", "of the 16 bytes, a multiple of that"),
	OPT_END
};

DEVICE_TYPE(vmgenid) = {
	.name = "vmgenid",
	.help = "generation ID",
	.size = sizeof(struct vmgenid),
	.opts = vmgenid_opts,
	.init = vmgenid_init,
	.state = STATELESS,		/* the ID is in RAM, and another one in each machine */
	.acpi_hid = "LKVM0001",
	.acpi_cid = "VM_Gen_Counter",
	.acpi = vmgenid_acpi,
	.internal = true,
};

int vmgenid_renew(struct vm *vm)
{
	struct device *dev = device_find(vm, vmgenid.name);
	struct vmgenid *v;
	int ret;

	if (!dev)
		return -ENOTSUP;
	v = container_of(dev, struct vmgenid, dev);
	ret = vmgenid_write(v);
	if (!ret)
		event_raise(&v->event);
	return ret;
}
