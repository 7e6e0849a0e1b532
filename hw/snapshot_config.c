// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration in a snapshot: see kvm/snapshot.h. Kernel and ramdisk are not in it,
 * as they are in RAM. Neither are the host's means: descriptors, pinned processors, NUMA
 * nodes of the host.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/opt.h>
#include <kvm/snapshot.h>

#define CONFIG_TEXT_MAX	65536
#define CONFIG_CPUS_MAX	4096
#define CONFIG_MEM_MAX	(1ULL << 46)

static const struct state_field config_fields[] = {
	STATE(struct vm_config, cpus),
	STATE(struct vm_config, sockets),
	STATE(struct vm_config, cores),
	STATE(struct vm_config, threads),
	STATE(struct vm_config, pc),
	STATE(struct vm_config, mem),
	STATE(struct vm_config, nr_devices),
	STATE(struct vm_config, hotplug),
	STATE_END
};

/* A text that is read is @snap's; NULL is a text of its own. */
static int config_text(struct state *s, const char *name, const char **text, struct snapshot *snap)
{
	bool none = !*text;
	size_t len = none ? 0 : strlen(*text);
	char **grown, *buf;

	if (!state_reads(s)) {
		state_begin(s, name);
		state_flag(s, "none", &none);
		state_bytes(s, "text", (void *)(none ? "" : *text), &len, CONFIG_TEXT_MAX);
		return state_end(s);
	}
	buf = calloc(1, CONFIG_TEXT_MAX + 1);
	grown = buf ? reallocarray(snap->text, snap->nr_text + 1, sizeof(*grown)) : NULL;
	if (!grown) {
		free(buf);
		return state_refuse(s, "out of memory");
	}
	snap->text = grown;
	snap->text[snap->nr_text++] = buf;
	state_begin(s, name);
	state_flag(s, "none", &none);
	if (!state_bytes(s, "text", buf, &len, CONFIG_TEXT_MAX) && strlen(buf) != len)
		state_refuse(s, "a text with a NUL in it");
	buf = realloc(buf, len + 1);
	if (buf)
		snap->text[snap->nr_text - 1] = buf;
	*text = none ? NULL : snap->text[snap->nr_text - 1];
	return state_end(s);
}

static int config_check(const struct vm_config *cfg, struct state *s)
{
	if (!cfg->cpus || cfg->cpus > CONFIG_CPUS_MAX || !cfg->sockets || !cfg->cores || !cfg->threads ||
	    cfg->sockets > cfg->cpus || cfg->cores > cfg->cpus || cfg->threads > cfg->cpus ||
	    (u64)cfg->sockets * cfg->cores * cfg->threads != cfg->cpus)
		return state_refuse(s, "an impossible number of processors");
	if (!cfg->mem || cfg->mem > CONFIG_MEM_MAX || cfg->mem % 4096)
		return state_refuse(s, "an impossible size of RAM");
	if (cfg->nr_devices > VM_DEVICES_MAX - 1)
		return state_refuse(s, "too many devices");
	return 0;
}

static bool config_is_terminal(const char *type)
{
	return !strcmp(type, "serial") || !strcmp(type, "virtio-console") || !strcmp(type, "debugcon");
}

static int config_device_check(const struct device_config *dev, struct state *s)
{
	const struct device_type *type = dev->type ? device_type_find(dev->type) : NULL;
	struct opt_err err;

	if (!type || type->internal)
		return state_refuse(s, "this lkvm has no device \"%.64s\"", dev->type ? dev->type : "");
	if (dev->opts && config_is_terminal(dev->type) && (strstr(dev->opts, "fd:") || strstr(dev->opts, "stdio")))
		return state_refuse(s, "%s has a descriptor of the lkvm that took the snapshot", dev->type);
	/* The session's streams are filled in later. */
	if (dev->opts && !dev->again && device_check(dev->type, dev->opts, &err))
		return state_refuse(s, "%s: %s", dev->type, err.text);
	return 0;
}

static int config_devices(struct vm_config *cfg, struct state *s, struct snapshot *snap)
{
	unsigned int i;

	for (i = 0; !state_status(s) && i < cfg->nr_devices; i++) {
		struct device_config *dev = &cfg->device[i];
		const char *opts = dev->again ? dev->again : dev->opts;
		bool again = dev->again;
		char name[24];

		snprintf(name, sizeof(name), "device%u", i);
		state_begin(s, name);
		config_text(s, "type", &dev->type, snap);
		state_flag(s, "session", &again);
		config_text(s, "options", &opts, snap);
		if (state_end(s))
			break;
		if (state_reads(s)) {
			dev->opts = opts;
			dev->again = again ? opts : NULL;
		}
		config_device_check(&(struct device_config){ .type = dev->type, .opts = opts, .again = dev->again }, s);
	}
	return state_status(s);
}

int snapshot_config_state(struct vm_config *cfg, struct state *s, struct snapshot *snap)
{
	u8 irqchip = cfg->irqchip;
	const char *console = cfg->console_again ? cfg->console_again : cfg->console;

	state_fields(s, config_fields, cfg);
	state_value(s, "irqchip", &irqchip, sizeof(irqchip));
	config_text(s, "cpu", &cfg->cpu, snap);
	config_text(s, "kernel", &cfg->kernel, snap);
	config_text(s, "parameters", &cfg->kernel_cmdline, snap);
	config_text(s, "console", &console, snap);
	if (state_status(s))
		return state_status(s);
	if (state_reads(s)) {
		if (irqchip > IRQCHIP_COMPACT || !cfg->kernel_cmdline || !cfg->kernel)
			return state_refuse(s, "an impossible machine");
		cfg->irqchip = irqchip;
		cfg->console = console;
		if (config_check(cfg, s))
			return state_status(s);
	}
	return config_devices(cfg, s, snap);
}

int snapshot_config(struct snapshot *snap, struct vm_config *cfg)
{
	struct state *s;
	int ret = state_read(&s, snap->part[SNAPSHOT_CONFIG].data, snap->part[SNAPSHOT_CONFIG].len);

	if (ret)
		return ret;
	ret = snapshot_config_state(cfg, s, snap);
	if (!ret)
		ret = state_finish(s);
	if (!ret && cfg->mem != snap->ram)
		ret = state_refuse(s, "the RAM has another size");
	state_free(s);
	return ret;
}
