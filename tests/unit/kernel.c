// SPDX-License-Identifier: GPL-2.0
/*
 * Which kernel is booted when none is named, what release it is, where its
 * modules are.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kvm/kernel.h>
#include <kvm/types.h>

#include "tap.h"

static char dir[64];

static void dir_make(void)
{
	strcpy(dir, "/tmp/lkvm-test-XXXXXX");
	CHECK(mkdtemp(dir));
	CHECK(!chdir(dir));
}

static void dir_remove(void)
{
	char cmd[128];

	CHECK(!chdir("/"));
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	CHECK(!system(cmd));
}

static void file_make(const char *path, const void *data, size_t len)
{
	char part[256];
	int fd;

	for (const char *s = strchr(path, '/'); s; s = strchr(s + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(s - path), path);
		mkdir(part, 0755);
	}
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, data, len), len);
	close(fd);
}

/* A bzImage as far as its setup header. */
static void bzimage_make(const char *path, const char *version)
{
	char image[4096] = "";
	u16 at = 0x300 - 0x200;

	memcpy(image + 0x1fe, "\x55\xaa\xeb\x66HdrS", 8);
	memcpy(image + 0x20e, &at, 2);
	strcpy(image + 0x300, version);
	file_make(path, image, sizeof(image));
}

/* An ELF image with a banner behind what looks like one. */
static void vmlinux_make(const char *path, const char *release)
{
	char image[4096] = "";
	Elf64_Ehdr eh = { .e_ident = ELFMAG, .e_phentsize = sizeof(Elf64_Phdr) };

	eh.e_ident[EI_CLASS] = ELFCLASS64;
	eh.e_ident[EI_DATA] = ELFDATA2LSB;
	memcpy(image, &eh, sizeof(eh));
	strcpy(image + 1000, "Linux version %s");
	snprintf(image + 2000, 200, "Linux version %s (a@b) (gcc) #1 SMP", release);
	file_make(path, image, sizeof(image));
}

TEST(release_of_a_bzimage)
{
	struct kernel k;

	dir_make();
	bzimage_make("k", "6.1.0-56-amd64 (debian@kernel) #1 SMP");
	CHECK_EQ(kernel_find(&k, "k", NULL, NULL), 0);
	CHECK_STR(k.release, "6.1.0-56-amd64");
	kernel_free(&k);
	/* A path comes of a release with a slash. */
	bzimage_make("k", "6.1/../../../etc (x)");
	CHECK_EQ(kernel_find(&k, "k", NULL, NULL), 0);
	CHECK_STR(k.release, NULL);
	kernel_free(&k);
	dir_remove();
}

TEST(release_of_an_elf_image)
{
	struct kernel k;

	dir_make();
	vmlinux_make("k", "6.12.0-rc3+");
	CHECK_EQ(kernel_find(&k, "k", NULL, NULL), 0);
	CHECK_STR(k.release, "6.12.0-rc3+");
	kernel_free(&k);
	dir_remove();
}

TEST(release_of_something_else_is_unknown)
{
	/* The offset of the string leads out of the file. */
	char image[0x210] = "";
	u16 at = 0xffff;

	CHECK(!kernel_release("", 0));
	CHECK(!kernel_release(ELFMAG, SELFMAG));
	memcpy(image + 0x1fe, "\x55\xaa\xeb\x66HdrS", 8);
	memcpy(image + 0x20e, &at, 2);
	CHECK(!kernel_release(image, sizeof(image)));
	at = 8;
	memcpy(image + 0x20e, &at, 2);
	memcpy(image + 0x208, "6.1.0-12", 8);
	CHECK(!kernel_release(image, sizeof(image)));
}

static void tree_make(const char *top)
{
	static const char *const names[] = { "Kbuild", "MAINTAINERS", "arch/x86/Makefile" };
	char path[256];

	for (unsigned int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", top, names[i]);
		file_make(path, "", 0);
	}
}

/* What is found is @path below the test's directory, NULL: nothing. */
#define FOUND(path) do {							\
	char found_path[256];							\
	struct kernel found;							\
										\
	snprintf(found_path, sizeof(found_path), "%s/%s", dir, path);		\
	CHECK_EQ(kernel_find(&found, NULL, NULL, NULL), 0);			\
	CHECK_STR(found.image, found_path);					\
	CHECK(!found.host);							\
	kernel_free(&found);							\
} while (0)

TEST(an_image_is_no_command)
{
	dir_make();
	bzimage_make("bzImage", "6.1.0 x");
	vmlinux_make("vmlinux", "6.1.0");
	file_make("script", "#!/bin/sh", 9);
	CHECK(kernel_is_image("vmlinux"));
	CHECK(!kernel_is_image("/bin/sh"));
	CHECK(!kernel_is_image("/proc/self/exe"));
	CHECK(!kernel_is_image("script"));
	CHECK(!kernel_is_image("gone"));
	CHECK(!kernel_is_image("."));
	CHECK(kernel_is_image("bzImage"));
	dir_remove();
}

TEST(kernel_of_the_tree_one_stands_in)
{
	struct kernel k;

	unsetenv("KBUILD_OUTPUT");
	dir_make();
	tree_make("linux");
	file_make("linux/tools/testing/selftests/x", "", 0);
	/* The decompressor's, which is no kernel. */
	vmlinux_make("linux/arch/x86/boot/compressed/vmlinux", "1.1.0");
	CHECK(!chdir("linux/tools/testing/selftests"));
	/* Never another kernel than the tree's. */
	CHECK_EQ(kernel_find(&k, NULL, NULL, NULL), -ENOENT);
	kernel_free(&k);

	CHECK(!chdir("../../.."));
	bzimage_make("arch/x86/boot/bzImage", "4.1.0 x");
	CHECK(!chdir("tools/testing/selftests"));
	FOUND("linux/arch/x86/boot/bzImage");
	CHECK(!chdir("../../../arch/x86/boot/compressed"));
	FOUND("linux/arch/x86/boot/bzImage");
	CHECK(!chdir("../../../.."));
	FOUND("linux/arch/x86/boot/bzImage");
	vmlinux_make("vmlinux", "4.1.0");
	FOUND("linux/vmlinux");
	CHECK(!chdir("tools"));
	FOUND("linux/vmlinux");
	dir_remove();
}

TEST(kernel_of_a_build_elsewhere)
{
	struct kernel k;

	dir_make();
	tree_make("linux");
	vmlinux_make("linux/vmlinux", "1.1.0");
	file_make("linux/out/.config", "", 0);
	file_make("linux/out/source/x", "", 0);
	file_make("linux/out/drivers/x", "", 0);

	/* Within what O= has made. */
	CHECK(!chdir("linux/out/drivers"));
	CHECK_EQ(kernel_find(&k, NULL, NULL, NULL), -ENOENT);
	kernel_free(&k);
	vmlinux_make("../vmlinux", "2.1.0");
	FOUND("linux/out/vmlinux");

	/* In the source. */
	CHECK(!chdir("../../arch"));
	FOUND("linux/vmlinux");
	setenv("KBUILD_OUTPUT", "out", 1);
	FOUND("linux/out/vmlinux");
	setenv("KBUILD_OUTPUT", "", 1);
	FOUND("linux/vmlinux");
	setenv("KBUILD_OUTPUT", "/nowhere", 1);
	CHECK_EQ(kernel_find(&k, NULL, NULL, NULL), -ENOENT);
	kernel_free(&k);
	/* It says nothing about what is no source tree. */
	CHECK(!chdir("../out"));
	FOUND("linux/out/vmlinux");
	unsetenv("KBUILD_OUTPUT");
	dir_remove();
}

TEST(kernel_outside_of_any_tree)
{
	struct kernel k;
	int ret;

	unsetenv("KBUILD_OUTPUT");
	dir_make();
	ret = kernel_find(&k, NULL, NULL, NULL);
	CHECK(ret || (k.host && !strncmp(k.image, "/boot/", 6)));
	kernel_free(&k);
	bzimage_make("bzImage", "1.1.0 x");
	CHECK_EQ(kernel_find(&k, NULL, NULL, NULL), 0);
	CHECK_STR(k.image, "bzImage");
	CHECK(!k.host);
	kernel_free(&k);
	vmlinux_make("vmlinux", "1.1.0");
	CHECK_EQ(kernel_find(&k, NULL, NULL, NULL), 0);
	CHECK_STR(k.image, "vmlinux");
	CHECK_STR(k.release, "1.1.0");
	CHECK(!k.modules);
	kernel_free(&k);
	dir_remove();
}

TEST(kernel_that_is_none)
{
	struct kernel k;

	dir_make();
	CHECK_EQ(kernel_find(&k, "gone", NULL, NULL), -ENOENT);
	kernel_free(&k);
	CHECK_EQ(kernel_find(&k, dir, NULL, NULL), -EISDIR);
	kernel_free(&k);
	/* Nobody writes to it, and nobody waits for that. */
	CHECK(!mkfifo("fifo", 0600));
	CHECK_EQ(kernel_find(&k, "fifo", NULL, NULL), -EINVAL);
	kernel_free(&k);
	dir_remove();
}

TEST(modules_of_a_build_tree)
{
	struct kernel k;

	dir_make();
	file_make("t/modules.order", "", 0);
	bzimage_make("t/arch/x86/boot/bzImage", "6.1.0 x");
	vmlinux_make("t/vmlinux", "6.1.0");
	CHECK_EQ(kernel_find(&k, "t/arch/x86/boot/bzImage", NULL, NULL), 0);
	CHECK(k.tree);
	CHECK_STR(strrchr(k.modules, '/'), "/t");
	kernel_free(&k);
	CHECK_EQ(kernel_find(&k, "t/vmlinux", NULL, NULL), 0);
	CHECK(k.tree);
	CHECK_STR(strrchr(k.modules, '/'), "/t");
	kernel_free(&k);
	dir_remove();
}

TEST(modules_beside_an_unpacked_kernel)
{
	struct kernel k;

	dir_make();
	bzimage_make("p/boot/vmlinuz", "6.1.0 x");
	file_make("p/lib/modules/6.1.0/modules.dep", "", 0);
	file_make("p/lib/modules/6.1.0/modules.order", "", 0);
	CHECK_EQ(kernel_find(&k, "p/boot/vmlinuz", NULL, NULL), 0);
	CHECK(k.modules && strstr(k.modules, "lib/modules/6.1.0"));
	CHECK(!k.tree);
	kernel_free(&k);

	/* In the guest's root, for a kernel from elsewhere. */
	CHECK(!rename("p/boot/vmlinuz", "k"));
	CHECK_EQ(kernel_find(&k, "k", NULL, "p"), 0);
	CHECK_STR(k.modules, "p/lib/modules/6.1.0");
	kernel_free(&k);
	CHECK_EQ(kernel_find(&k, "k", NULL, NULL), 0);
	CHECK_STR(k.modules, NULL);
	kernel_free(&k);
	dir_remove();
}

TEST(modules_that_are_given)
{
	static const char *const given[] = { "p", "p/lib/modules", "p/lib/modules/6.1.0" };
	struct kernel k;

	dir_make();
	bzimage_make("k", "6.1.0 x");
	file_make("p/lib/modules/6.1.0/modules.dep", "", 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(kernel_find(&k, "k", given[i], NULL), 0);
		CHECK_STR(k.modules, "p/lib/modules/6.1.0");
		CHECK(!k.tree);
		kernel_free(&k);
	}
	CHECK_EQ(kernel_find(&k, "k", "p/lib", NULL), -ENOENT);
	kernel_free(&k);
	bzimage_make("k", "6.2.0 x");
	CHECK_EQ(kernel_find(&k, "k", "p", NULL), -ENOENT);
	kernel_free(&k);
	file_make("t/modules.order", "", 0);
	CHECK_EQ(kernel_find(&k, "k", "t", NULL), 0);
	CHECK(k.tree);
	kernel_free(&k);
	dir_remove();
}

TEST(the_configuration_of_a_kernel)
{
	static const char config[] = "CONFIG_PCI=y\n# CONFIG_A is not set\nCONFIG_B=m\nCONFIG_BC=y\nCONFIG_D=yes\nCONFIG_E=y";

	CHECK_EQ(kernel_config_value(config, "CONFIG_PCI"), 'y');
	CHECK_EQ(kernel_config_value(config, "CONFIG_A"), 'n');
	CHECK_EQ(kernel_config_value(config, "CONFIG_B"), 'm');
	CHECK_EQ(kernel_config_value(config, "CONFIG_BC"), 'y');
	CHECK_EQ(kernel_config_value(config, "CONFIG_D"), 'n');
	CHECK_EQ(kernel_config_value(config, "CONFIG_E"), 'y');
	CHECK_EQ(kernel_config_value(config, "CONFIG_F"), 'n');
	CHECK_EQ(kernel_config_value("", "CONFIG_F"), 'n');
}

TEST(the_configuration_that_a_kernel_carries)
{
	struct kernel k = { .image = (char *)"image" };
	char *config;

	dir_make();
	CHECK(!system("{ head -c 5000 /dev/zero; printf IKCFG_ST; echo CONFIG_PCI=y | gzip -n; printf IKCFG_ED; } > image"));
	config = kernel_config(&k);
	CHECK_STR(config, "CONFIG_PCI=y\n");
	free(config);
	/* Cut off, and no gzip at all */
	CHECK(!system("head -c 5025 image > cut; mv cut image"));
	CHECK(!kernel_config(&k));
	CHECK(!system("printf 'IKCFG_STIKCFG_ED' > image"));
	CHECK(!kernel_config(&k));
	/* A file beside it comes first. */
	file_make(".config", "CONFIG_X=y\n", 11);
	k.image = (char *)"vmlinux";
	config = kernel_config(&k);
	CHECK_STR(config, "CONFIG_X=y\n");
	free(config);
	dir_remove();
}
