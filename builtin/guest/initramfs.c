// SPDX-License-Identifier: GPL-2.0
/*
 * The initramfs: a cpio archive of the kind "newc" (Documentation/driver-api/
 * early-userspace/buffer-format.rst of Linux) with our PID 1, its configuration
 * and the modules. Main thread, before the machine is made.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>

#include <kvm/file.h>
#include <kvm/guest_conf.h>
#include <kvm/initramfs.h>
#include <kvm/kernel.h>
#include <kvm/log.h>
#include <kvm/modules.h>
#include <kvm/pid1.h>

#include "packed.h"

/* builtin/init/blob.S */
extern const char guest_init[], guest_init_end[];

struct initramfs_need {
	unsigned int feature;		/* 0: always */
	bool optional;
	const char *module, *option;
};

/* The control port first: by the time that the others are loaded, its driver has found it. */
static const struct initramfs_need initramfs_needs[] = {
	{ 0, false, "virtio_pci", "CONFIG_VIRTIO_PCI" },
	{ 0, false, "virtio_console", "CONFIG_VIRTIO_CONSOLE" },
	{ INITRAMFS_9P, false, "9pnet_virtio", "CONFIG_NET_9P_VIRTIO" },
	{ INITRAMFS_9P, false, "9p", "CONFIG_9P_FS" },
	{ INITRAMFS_VIRTIOFS, false, "virtiofs", "CONFIG_VIRTIO_FS" },
	{ INITRAMFS_OVERLAY, false, "overlay", "CONFIG_OVERLAY_FS" },
	{ INITRAMFS_RNG, true, "virtio_rng", "CONFIG_HW_RANDOM_VIRTIO" },
	{ INITRAMFS_BLK, false, "virtio_blk", "CONFIG_VIRTIO_BLK" },
	{ INITRAMFS_SCSI, false, "sd_mod", "CONFIG_BLK_DEV_SD" },
	{ INITRAMFS_SCSI, false, "virtio_scsi", "CONFIG_SCSI_VIRTIO" },
	{ INITRAMFS_NET, true, "virtio_net", "CONFIG_VIRTIO_NET" },
	{ INITRAMFS_BALLOON, true, "virtio_balloon", "CONFIG_VIRTIO_BALLOON" },
	{ INITRAMFS_VSOCK, false, "vmw_vsock_virtio_transport", "CONFIG_VIRTIO_VSOCKETS" },
};

/*
 * The archive under way. With data NULL it only counts, so the same calls
 * first find how much memory is enough and then fill it.
 */
struct cpio {
	char *data;
	size_t len;
	unsigned int ino;
};

#define CPIO_HEADER	110

/*
 * A header and the name. Both together are padded to 4 bytes, as is the
 * contents that follows; the archive's memory is zeroed before.
 */
static void cpio_header(struct cpio *c, const char *name, unsigned int mode, size_t size,
			unsigned int major, unsigned int minor)
{
	char header[CPIO_HEADER + 1];

	c->ino++;
	if (c->data) {
		snprintf(header, sizeof(header),
			 "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
			 c->ino, mode, 0, 0, S_ISDIR(mode) ? 2 : 1, 0, (unsigned int)size,
			 0, 0, major, minor, (unsigned int)strlen(name) + 1, 0);
		memcpy(c->data + c->len, header, CPIO_HEADER);
		strcpy(c->data + c->len + CPIO_HEADER, name);
	}
	c->len = ALIGN(c->len + CPIO_HEADER + strlen(name) + 1, 4);
}

static void cpio_file(struct cpio *c, const char *name, unsigned int mode,
		      const void *contents, size_t size)
{
	cpio_header(c, name, S_IFREG | mode, size, 0, 0);
	if (c->data && size)
		memcpy(c->data + c->len, contents, size);
	c->len = ALIGN(c->len + size, 4);
}

struct initramfs_module {
	char name[96];		/* in the archive, without the leading slash */
	int fd;
	size_t size;
	struct packed packed;	/* being unpacked, if it has a descriptor */
};

static int initramfs_copy(struct cpio *c, const struct initramfs_module *mod, const char *path)
{
	struct cpio header = *c;
	size_t done = 0, size = mod->size;
	char *to, *elf;
	ssize_t n;

	cpio_header(c, mod->name, S_IFREG | 0644, size, 0, 0);
	if (!c->data) {
		c->len = ALIGN(c->len + size, 4);
		return 0;
	}
	/* The archive aligns to 4, what is in an ELF file wants 8: see initramfs_build(). */
	to = c->data + c->len;
	elf = c->data + ALIGN(c->len, 8);
	while (done < size) {
		n = pread(mod->fd, elf + done, size - done, done);
		if (n <= 0) {
			pr_err("%s: %s", path, n ? strerror(errno) : "it has just become shorter");
			return n ? -errno : -EIO;
		}
		done += n;
	}
	size = module_strip(elf, size);
	memmove(to, elf, size);
	memset(to + size, 0, mod->size + 4 - size);
	cpio_header(&header, mod->name, S_IFREG | 0644, size, 0, 0);
	c->len = ALIGN(c->len + size, 4);
	return 0;
}

/* The files of the archive, but for those that are always the same. */
struct initramfs {
	const struct guest_conf *conf;
	struct initramfs_module *mods;
	const char *const *paths;
	unsigned int nr;
	struct module_index index;
};

static int initramfs_write(struct cpio *c, const struct initramfs *r)
{
	char name[64];
	int ret;

	cpio_header(c, "dev", S_IFDIR | 0755, 0, 0, 0);
	cpio_header(c, "dev/console", S_IFCHR | 0600, 0, 5, 1);
	cpio_file(c, "init", 0755, guest_init, guest_init_end - guest_init);
	cpio_file(c, &GUEST_CONF[1], 0600, r->conf->data, r->conf->len);
	cpio_header(c, "modules", S_IFDIR | 0755, 0, 0, 0);
	for (unsigned int i = 0; i < r->nr; i++) {
		ret = initramfs_copy(c, &r->mods[i], r->paths[i]);
		if (ret)
			return ret;
	}
	if (r->index.nr)
		cpio_header(c, &GUEST_INDEX[1], S_IFDIR | 0755, 0, 0, 0);
	for (unsigned int i = 0; i < r->index.nr; i++) {
		snprintf(name, sizeof(name), "%s/%s", &GUEST_INDEX[1], r->index.file[i].name);
		cpio_file(c, name, 0644, r->index.file[i].data, r->index.file[i].len);
	}
	cpio_header(c, "TRAILER!!!", 0, 0, 0, 0);
	return 0;
}

/* Find the files for all needs; name what the kernel is known to lack, and tell PID 1 what it has. */
static int initramfs_modules(struct modules *m, const struct kernel *k, unsigned int features,
			     struct guest_conf *conf)
{
	char lacking[512] = "";
	size_t len = 0;
	int ret;

	for (size_t i = 0; i < ARRAY_SIZE(initramfs_needs); i++) {
		const struct initramfs_need *need = &initramfs_needs[i];

		if (need->feature && !(need->feature & features))
			continue;
		ret = modules_add(m, need->module);
		if (ret < 0)
			return ret;
		if (ret == MODULE_ABSENT && !need->optional && len < sizeof(lacking))
			len += snprintf(lacking + len, sizeof(lacking) - len, "%s%s",
					len ? ", " : "", need->option);
		if ((ret == MODULE_BUILTIN || ret == MODULE_FOUND) &&
		    guest_conf_add(conf, "has", need->option))
			return -ENOMEM;
	}
	if (!len)
		return 0;
	pr_err("the kernel %s lacks %s (neither built in nor a module in %s): see 'lkvm kconfig'",
	       k->release ? k->release : k->image, lacking, k->modules);
	return -ENOENT;
}

/* @unpack: the kernel may not be able to. Unpacking begins here, and ends in initramfs_unpacked(). */
static int initramfs_open(struct initramfs_module *mod, const char *path, bool unpack)
{
	size_t packed_len;
	int ret = 0;

	mod->fd = file_open(path, &packed_len);
	if (mod->fd < 0)
		ret = mod->fd;
	else if (unpack && packed_suffix(path))
		ret = packed_start(&mod->packed, path, mod->fd);
	if (ret)
		pr_err("module %s: %s", path, strerror(-ret));
	return ret;
}

/* If it cannot be unpacked here, the kernel may still be able to; else PID 1 says that it is not. */
static void initramfs_unpacked(struct initramfs_module *mod, const char *path)
{
	int fd = packed_end(&mod->packed);

	if (fd >= 0) {
		close(mod->fd);
		mod->fd = fd;
	} else if (fd == -ENOENT) {
		pr_warn("module %s: there is no program '%s' to unpack it", path, mod->packed.program);
	} else {
		pr_warn("module %s: '%s' cannot unpack it", path, mod->packed.program);
	}
}

static int initramfs_name(struct initramfs_module *mod, unsigned int i, const char *path,
			  struct guest_conf *conf)
{
	const char *base = strrchr(path, '/');
	int len = strlen(path), fd = mod->fd;
	struct stat st;

	if (mod->packed.fd >= 0) {
		initramfs_unpacked(mod, path);
		if (mod->fd != fd)
			len -= packed_suffix(path);
	}
	if (fstat(mod->fd, &st)) {
		int err = errno;

		pr_err("module %s: %s", path, strerror(err));
		return -err;
	}
	mod->size = st.st_size;
	base = base ? base + 1 : path;
	if ((size_t)snprintf(mod->name, sizeof(mod->name), "modules/%03u-%.*s", i,
			     (int)(path + len - base), base) >= sizeof(mod->name) ||
	    mod->size > 256 * MIB) {
		pr_err("module %s: this is no module", path);
		return -EINVAL;
	}
	return guest_conf_addf(conf, "module", "/%s", mod->name);
}

/*
 * Device nodes that load their module when they are opened, as "kmod static-nodes" has
 * them: "tun net/tun c10:200" of modules.devname is "node=c10:200 net/tun".
 */
static int initramfs_nodes(const struct modules *m, const struct initramfs *r,
			   struct guest_conf *conf)
{
	char *text = modules_devname(m, &r->index), name[64], dev[32];
	int ret = 0, left = 256;

	for (const char *line = text; line && *line && !ret && left--;
	     line = strchrnul(line, '\n'), line += *line == '\n')
		if (*line != '#' && sscanf(line, "%*s %63s %31s", name, dev) == 2 &&
		    *name != '/' && !strstr(name, ".."))
			ret = guest_conf_addf(conf, "node", "%s %s", dev, name);
	free(text);
	return ret;
}

static int initramfs_collect(struct initramfs *r, struct modules *m, const struct kernel *k,
			     unsigned int features, struct guest_conf *conf)
{
	static const char *const unpacks[] = { "CONFIG_MODULE_DECOMPRESS", NULL };
	int ret = initramfs_modules(m, k, features, conf);
	bool unpack = false;

	if (ret)
		return ret;
	r->conf = conf;
	r->paths = modules_paths(m, &r->nr);
	r->mods = calloc(r->nr + 1, sizeof(*r->mods));
	if (!r->mods)
		return -ENOMEM;
	for (unsigned int i = 0; i < r->nr; i++)
		r->mods[i].fd = r->mods[i].packed.fd = -1;
	for (unsigned int i = 0; i < r->nr && !unpack; i++)
		unpack = packed_suffix(r->paths[i]) && !kernel_enables(k, unpacks);
	for (unsigned int i = 0; i < r->nr && !ret; i++)
		ret = initramfs_open(&r->mods[i], r->paths[i], unpack);
	for (unsigned int i = 0; i < r->nr && !ret; i++)
		ret = initramfs_name(&r->mods[i], i, r->paths[i], conf);
	if (!ret && k->tree && k->release)
		ret = module_index_make(&r->index, m);
	return ret ? ret : initramfs_nodes(m, r, conf);
}

int initramfs_build(const struct kernel *k, unsigned int features, struct guest_conf *conf,
		    void **data, size_t *len)
{
	struct modules *m = modules_open(k->modules, k->tree);
	struct initramfs r = { 0 };
	struct cpio c = { 0 };
	int ret;

	if (!m) {
		ret = -errno;
		pr_err("modules in %s: %s", k->modules, strerror(errno));
		return ret;
	}
	ret = initramfs_collect(&r, m, k, features, conf);
	if (ret)
		goto out;

	initramfs_write(&c, &r);
	/* 4 more for a module that is read 4 bytes further on. */
	c = (struct cpio){ .data = calloc(1, c.len + 4) };
	ret = c.data ? initramfs_write(&c, &r) : -ENOMEM;
	*len = c.len;
	if (ret)
		free(c.data);
	else
		*data = c.data;
out:
	for (unsigned int i = 0; i < r.nr && r.mods; i++) {
		packed_drop(&r.mods[i].packed);
		if (r.mods[i].fd >= 0)
			close(r.mods[i].fd);
	}
	free(r.mods);
	module_index_free(&r.index);
	modules_close(m);
	return ret;
}
