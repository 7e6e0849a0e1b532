/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The initramfs that lkvm makes in memory when it is to run a command: its PID
 * 1, what that is told, and the modules that it needs to get at the host's
 * files. What both sides have agreed on is in guest.h.
 */
#ifndef KVM_INITRAMFS_H
#define KVM_INITRAMFS_H

#include <kvm/kernel.h>
#include <kvm/types.h>

/* What the guest must be able to do, besides virtio-pci and virtio-console. */
#define INITRAMFS_9P		(1U << 0)
#define INITRAMFS_VIRTIOFS	(1U << 1)
#define INITRAMFS_OVERLAY	(1U << 2)
#define INITRAMFS_RNG		(1U << 3)	/* wanted, but nothing fails without */
#define INITRAMFS_BLK		(1U << 4)
#define INITRAMFS_NET		(1U << 5)
#define INITRAMFS_BALLOON	(1U << 6)	/* wanted */
#define INITRAMFS_VSOCK		(1U << 7)

/* lkvm.conf as it grows. Zero-initialised; guest_conf_free() when done. */
struct guest_conf {
	char *data;
	size_t len, cap;
};

/* Append "key=value". 0 or -ENOMEM. */
int guest_conf_add(struct guest_conf *c, const char *key, const char *value);
/* The same with printf()'s format for the value. */
int guest_conf_addf(struct guest_conf *c, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void guest_conf_free(struct guest_conf *c);

/*
 * Make the archive (cpio "newc"; uncompressed, as it is copied once and read
 * once). The module= records are added to @conf, which is used up by it.
 * Returns 0 with a malloc()ed *data of *len bytes; or -errno, and the reason
 * has been printed: -ENOENT if the kernel is known to lack something.
 */
int initramfs_build(const struct kernel *k, unsigned int features, struct guest_conf *conf,
		    void **data, size_t *len);

/*
 * Modules, by name, where "-" and "_" are the same. A build tree is as good as
 * an installed one: there is no modules.dep in it, the modules themselves tell.
 */
struct modules;

enum module_state {
	MODULE_ABSENT,		/* the kernel has it neither built in nor as a module */
	MODULE_BUILTIN,
	MODULE_FOUND,
	MODULE_UNKNOWN,		/* no directory to look in */
};

/* @dir NULL: everything is MODULE_UNKNOWN. NULL: errno tells why. */
struct modules *modules_open(const char *dir, bool tree);
/*
 * Add the files of @name and of all that it depends on, those first, each once.
 * MODULE_FOUND if there are any. -errno if a module cannot be read.
 */
int modules_add(struct modules *m, const char *name);
/* The paths so far, in the order of loading. */
const char *const *modules_paths(const struct modules *m, unsigned int *nr);
void modules_close(struct modules *m);

/*
 * Take the debug information out of a module in memory, which in a build tree
 * is nine tenths of it. Returns what is left of @len; all of it if the module
 * is signed, compressed or not understood.
 */
size_t module_strip(void *module, size_t len);

/*
 * Is @dir fit to be a guest's root: a directory, with a shell or with the
 * command (@argv, NULL: none), for this machine, and with @user (a name or numbers;
 * NULL: root) in its /etc/passwd? Symbolic links are followed inside @dir. 0, or
 * -errno with the reason printed.
 */
int root_check(const char *dir, char *const *argv, const char *user);

#endif
