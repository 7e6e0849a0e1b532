/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel to be booted: its image, its release and the directory of its modules.
 * arch.h has the loading.
 */
#ifndef KVM_KERNEL_H
#define KVM_KERNEL_H

#include <stdbool.h>

struct kernel {
	char *image;		/* path */
	bool host;		/* the host's running kernel, as no other was found */
	char *release;		/* as of uname -r, or NULL: the image does not contain it */
	char *modules;		/* directory, or NULL: none was found */
	bool tree;		/* @modules is a build tree (modules.order), not an installed one */
};

/*
 * Fill @k in. @image NULL: kernel_search().
 * @modules NULL: the tree that the image lies in, if that has modules, else
 * lib/modules/<release> beside it or in @root, the guest's root (NULL: /). Not
 * NULL: that directory, the one above it, or a prefix of lib/modules.
 * Returns 0, or -errno with the reason printed; kernel_free() in either case.
 */
int kernel_find(struct kernel *k, const char *image, const char *modules, const char *root);
void kernel_free(struct kernel *k);

/*
 * The default kernel, malloc()ed into @image: vmlinux or
 * arch/x86/boot/bzImage of the kernel tree around the current directory, or of its
 * KBUILD_OUTPUT. Outside of any tree: vmlinux, bzImage or arch/x86/boot/bzImage here,
 * then the running kernel's in /boot, with @is_host set. 0, or -errno with the
 * reason printed; -ENOENT also for a tree without a kernel.
 */
int kernel_search(char **image, bool *is_host);

/*
 * The descriptor of the vmlinux that @image carries inside, unpacked and owned by
 * the caller; -ENOENT: the guest unpacks it faster, or there is none; or -errno.
 */
int kernel_unpack(const char *image);

/*
 * Are all @options ("CONFIG_ACPI", ..., NULL) =y in the kernel's configuration, as
 * config-RELEASE beside the image or in /boot, or .config of the tree that it lies
 * in? False if there is none to be found.
 */
bool kernel_enables(const struct kernel *k, const char *const *options);

/*
 * The text of the kernel's configuration, from one of these files or from the image itself
 * (CONFIG_IKCONFIG): malloc()ed, or NULL if there is none.
 */
char *kernel_config(const struct kernel *k);
/* The value of @option ("CONFIG_PCI") in such a text: 'y', 'm', or 'n'. */
char kernel_config_value(const char *config, const char *option);

/* "vmlinux (6.1.0)", for the message about the choice. Valid until the next call with @buf. */
const char *kernel_describe(const struct kernel *k, char *buf, unsigned int size);

/* Is the file @path a Linux kernel, and no program that Linux could run? Prints nothing. */
bool kernel_is_image(const char *path);

/*
 * The release that an image contains, malloc()ed, or NULL: the string in a
 * bzImage's setup header, or the banner of an ELF image.
 */
char *kernel_release(const void *image, unsigned long len);

#endif
