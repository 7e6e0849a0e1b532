// SPDX-License-Identifier: GPL-2.0
/*
 * The initramfs: that the archive is one by an own reader of the format, that
 * the modules in it are those that the kernel needs, in an order that it can
 * load; from an installed directory and from a build tree.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kvm/etc.h>
#include <kvm/guest_conf.h>
#include <kvm/initramfs.h>
#include <kvm/kernel.h>
#include <kvm/modules.h>
#include <kvm/pid1.h>
#include <kvm/root.h>

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

/* A file with the directories above it. */
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

static void text_make(const char *path, const char *text)
{
	file_make(path, text, strlen(text));
}

/* A file of the archive, by its own reading of the format. */
struct entry {
	char name[128];
	unsigned int mode, major, minor;
	const char *data;
	size_t size;
};

static unsigned int hex(const char *p)
{
	char digits[9] = "", *end;
	unsigned int v;

	memcpy(digits, p, 8);
	v = strtoul(digits, &end, 16);
	CHECK_EQ(end - digits, 8);
	return v;
}

/* Returns the offset of the next entry, or 0 behind the trailer. */
static size_t entry_read(const char *p, size_t off, size_t len, struct entry *e)
{
	size_t name_len;

	CHECK_EQ(off % 4, 0);
	CHECK(off + 110 <= len);
	CHECK_MEM(p + off, "070701", 6);
	e->mode = hex(p + off + 14);
	e->size = hex(p + off + 54);
	e->major = hex(p + off + 78);
	e->minor = hex(p + off + 86);
	name_len = hex(p + off + 94);
	CHECK(name_len > 1 && name_len < sizeof(e->name));
	CHECK(off + 110 + name_len <= len);
	memcpy(e->name, p + off + 110, name_len);
	CHECK_EQ(strlen(e->name) + 1, name_len);
	off = (off + 110 + name_len + 3) & ~3UL;
	CHECK(off + e->size <= len);
	e->data = p + off;
	off = (off + e->size + 3) & ~3UL;
	return strcmp(e->name, "TRAILER!!!") ? off : 0;
}

static bool entry_find(const char *p, size_t len, const char *name, struct entry *e)
{
	size_t off = 0;

	while ((off = entry_read(p, off, len, e)))
		if (!strcmp(e->name, name))
			return true;
	return false;
}

TEST(archive_has_init_conf_and_console)
{
	struct kernel k = { 0 };
	struct guest_conf conf = { 0 };
	struct entry e;
	size_t len;
	void *p;

	CHECK(!guest_conf_add(&conf, "arg", "two words\nand a line"));
	CHECK(!guest_conf_addf(&conf, "winsize", "%d %d", 24, 80));
	CHECK_EQ(initramfs_build(&k, INITRAMFS_9P | INITRAMFS_OVERLAY, &conf, &p, &len), 0);
	CHECK(entry_find(p, len, "dev/console", &e));
	CHECK(S_ISCHR(e.mode));
	CHECK_EQ(e.major, 5);
	CHECK_EQ(e.minor, 1);
	CHECK(entry_find(p, len, "init", &e));
	CHECK(S_ISREG(e.mode));
	CHECK_EQ(e.mode & 0777, 0755);
	CHECK_MEM(e.data, ELFMAG, SELFMAG);
	CHECK(e.size < 65536);
	CHECK(entry_find(p, len, GUEST_CONF + 1, &e));
	CHECK_EQ(e.size, sizeof("arg=two words\nand a line\0winsize=24 80"));
	CHECK_MEM(e.data, "arg=two words\nand a line\0winsize=24 80", e.size);
	free(p);
	guest_conf_free(&conf);
}

TEST(conf_grows_with_long_commands)
{
	struct guest_conf conf = { 0 };
	char *word = malloc(100001);

	memset(word, 'x', 100000);
	word[100000] = 0;
	for (int i = 0; i < 20; i++)
		CHECK(!guest_conf_add(&conf, "arg", word));
	CHECK_EQ(conf.len, 20 * 100005);
	CHECK_STR(conf.data + 19 * 100005 + 4, word);
	free(word);
	guest_conf_free(&conf);
}

static void installed_make(void)
{
	dir_make();
	text_make("m/modules.dep",
		  "kernel/fs/9p/9p.ko: kernel/net/9p/9pnet.ko kernel/fs/netfs/netfs.ko\n"
		  "kernel/net/9p/9pnet.ko:\n"
		  "kernel/fs/netfs/netfs.ko:\n"
		  "kernel/net/9p/9pnet_virtio.ko: kernel/net/9p/9pnet.ko kernel/drivers/virtio/virtio.ko "
		  "kernel/drivers/virtio/virtio_ring.ko\n"
		  "kernel/drivers/char/hw_random/virtio-rng.ko.xz:\n"
		  "kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko\n"
		  "kernel/drivers/virtio/virtio_ring.ko:\n"
		  "kernel/fs/overlayfs/overlay.ko:\n");
	text_make("m/modules.builtin",
		  "kernel/drivers/virtio/virtio_pci.ko\nkernel/drivers/char/virtio_console.ko\n");
	text_make("m/kernel/fs/9p/9p.ko", "nine");
	text_make("m/kernel/net/9p/9pnet.ko", "net");
	text_make("m/kernel/fs/netfs/netfs.ko", "netfs");
	text_make("m/kernel/net/9p/9pnet_virtio.ko", "netvirtio");
	text_make("m/kernel/drivers/char/hw_random/virtio-rng.ko.xz", "rng");
	text_make("m/kernel/drivers/virtio/virtio.ko", "virtio");
	text_make("m/kernel/drivers/virtio/virtio_ring.ko", "ring");
	text_make("m/kernel/fs/overlayfs/overlay.ko", "overlay");
}

/* The position of a module in the order of loading, or -1. */
static int path_at(const struct modules *m, const char *path)
{
	unsigned int nr;
	const char *const *paths = modules_paths(m, &nr);

	for (unsigned int i = 0; i < nr; i++)
		if (!strcmp(paths[i], path))
			return i;
	return -1;
}

TEST(dependencies_come_first_and_once)
{
	struct modules *m;
	unsigned int nr;

	installed_make();
	m = modules_open("m", false);
	CHECK(m);
	CHECK_EQ(modules_add(m, "9pnet_virtio"), MODULE_FOUND);
	CHECK_EQ(modules_add(m, "9p"), MODULE_FOUND);
	modules_paths(m, &nr);
	CHECK_EQ(nr, 6);
	CHECK(path_at(m, "m/kernel/drivers/virtio/virtio_ring.ko") <
	      path_at(m, "m/kernel/drivers/virtio/virtio.ko"));
	CHECK(path_at(m, "m/kernel/net/9p/9pnet.ko") <
	      path_at(m, "m/kernel/net/9p/9pnet_virtio.ko"));
	CHECK(path_at(m, "m/kernel/fs/netfs/netfs.ko") >= 0);
	CHECK(path_at(m, "m/kernel/fs/netfs/netfs.ko") < path_at(m, "m/kernel/fs/9p/9p.ko"));
	CHECK_EQ(path_at(m, "m/kernel/fs/overlayfs/overlay.ko"), -1);
	modules_close(m);
	dir_remove();
}

TEST(names_with_dash_and_underscore_are_the_same)
{
	struct modules *m;

	installed_make();
	m = modules_open("m", false);
	CHECK(m);
	CHECK_EQ(modules_add(m, "virtio_rng"), MODULE_FOUND);
	CHECK_EQ(path_at(m, "m/kernel/drivers/char/hw_random/virtio-rng.ko.xz"), 0);
	CHECK_EQ(modules_add(m, "virtio-pci"), MODULE_BUILTIN);
	CHECK_EQ(modules_add(m, "virtio"), MODULE_FOUND);
	/* The whole name counts, not how it begins. */
	CHECK_EQ(modules_add(m, "virt"), MODULE_ABSENT);
	CHECK_EQ(modules_add(m, "virtio_p"), MODULE_ABSENT);
	modules_close(m);
	dir_remove();
}

TEST(archive_has_the_modules_and_conf_names_them)
{
	struct kernel k = { .image = "m/vmlinuz", .modules = "m", .release = "1.2.3" };
	struct guest_conf conf = { 0 };
	struct entry e;
	size_t len;
	void *p;

	installed_make();
	text_make("m/config-1.2.3", "CONFIG_MODULE_DECOMPRESS=y\n");
	CHECK(!guest_conf_add(&conf, "root", "overlay"));
	CHECK_EQ(initramfs_build(&k, INITRAMFS_OVERLAY | INITRAMFS_RNG, &conf, &p, &len), 0);
	CHECK(entry_find(p, len, "modules/000-overlay.ko", &e));
	CHECK_EQ(e.size, 7);
	CHECK_MEM(e.data, "overlay", 7);
	CHECK(entry_find(p, len, "modules/001-virtio-rng.ko.xz", &e));
	CHECK(!entry_find(p, len, "modules/002-9p.ko", &e));
	CHECK(entry_find(p, len, GUEST_CONF + 1, &e));
	CHECK_MEM(e.data, "root=overlay\0has=CONFIG_VIRTIO_PCI\0has=CONFIG_VIRTIO_CONSOLE\0"
		  "has=CONFIG_OVERLAY_FS\0has=CONFIG_HW_RANDOM_VIRTIO\0"
		  "module=/modules/000-overlay.ko\0module=/modules/001-virtio-rng.ko.xz", e.size);
	free(p);
	guest_conf_free(&conf);
	dir_remove();
}

/* A kernel that cannot unpack modules gets them unpacked. */
TEST(packed_modules_are_unpacked)
{
	static const char *const packers[][2] = { { "gzip", ".gz" }, { "xz", ".xz" }, { "zstd", ".zst" } };
	struct kernel k = { .image = "m/vmlinuz", .modules = "m", .release = "1.2.3" };
	char cmd[256];
	size_t len;
	void *p;

	for (int i = 0; i < 3; i++) {
		struct guest_conf conf = { 0 };
		struct entry e;

		snprintf(cmd, sizeof(cmd), "command -v %s >/dev/null", packers[i][0]);
		if (system(cmd))
			continue;
		installed_make();
		snprintf(cmd, sizeof(cmd), "%s -c < m/kernel/fs/overlayfs/overlay.ko > m/kernel/fs/overlayfs/overlay.ko%s;"
			 "rm m/kernel/fs/overlayfs/overlay.ko; sed -i 's/overlay.ko:/overlay.ko%s:/' m/modules.dep",
			 packers[i][0], packers[i][1], packers[i][1]);
		CHECK(!system(cmd));
		text_make("m/config-1.2.3", "CONFIG_MODULE_DECOMPRESS=m\n");
		CHECK_EQ(initramfs_build(&k, INITRAMFS_OVERLAY, &conf, &p, &len), 0);
		CHECK(entry_find(p, len, "modules/000-overlay.ko", &e));
		CHECK_EQ(e.size, 7);
		CHECK_MEM(e.data, "overlay", 7);
		CHECK(memmem(conf.data, conf.len, "module=/modules/000-overlay.ko", 31));
		free(p);
		guest_conf_free(&conf);
		dir_remove();
	}
}

/* The guest will have to say what it makes of it. */
TEST(what_cannot_be_unpacked_goes_as_it_is)
{
	struct kernel k = { .image = "m/vmlinuz", .modules = "m", .release = "1.2.3" };
	struct guest_conf conf = { 0 };
	struct entry e;
	size_t len;
	void *p;

	for (int i = 0; i < 2; i++) {
		installed_make();	/* virtio-rng.ko.xz is none */
		if (i)
			CHECK(!setenv("PATH", "/nowhere", 1));
		CHECK_EQ(initramfs_build(&k, INITRAMFS_RNG, &conf, &p, &len), 0);
		CHECK(entry_find(p, len, "modules/000-virtio-rng.ko.xz", &e));
		CHECK_MEM(e.data, "rng", 3);
		free(p);
		guest_conf_free(&conf);
		CHECK(!setenv("PATH", "/usr/bin:/bin", 1));
		dir_remove();
	}
}

TEST(what_the_kernel_lacks_is_an_error_before_the_boot)
{
	struct kernel k = { .modules = "m", .release = "1.2.3" };
	struct guest_conf conf = { 0 };
	size_t len;
	void *p;

	installed_make();
	CHECK_EQ(initramfs_build(&k, INITRAMFS_BLK, &conf, &p, &len), -ENOENT);
	/* The random number generator is only wanted; and this kernel has no balloon. */
	CHECK_EQ(initramfs_build(&k, INITRAMFS_BALLOON, &conf, &p, &len), 0);
	free(p);
	guest_conf_free(&conf);
	dir_remove();
}

TEST(missing_module_file_is_an_error)
{
	struct kernel k = { .modules = "m", .release = "1.2.3" };
	struct guest_conf conf = { 0 };
	size_t len;
	void *p;

	installed_make();
	CHECK(!unlink("m/kernel/fs/overlayfs/overlay.ko"));
	CHECK_EQ(initramfs_build(&k, INITRAMFS_OVERLAY, &conf, &p, &len), -ENOENT);
	guest_conf_free(&conf);
	dir_remove();
}

/* Opening a FIFO, and reading it, would wait for a writer. */
TEST(a_fifo_is_no_module)
{
	struct kernel k = { .image = "m/vmlinuz", .modules = "m", .release = "1.2.3" };
	static const char *const options[] = { "CONFIG_SLUB", NULL };
	struct guest_conf conf = { 0 };
	size_t len;
	void *p;

	installed_make();
	CHECK(!unlink("m/kernel/fs/overlayfs/overlay.ko"));
	CHECK(!mkfifo("m/kernel/fs/overlayfs/overlay.ko", 0600));
	CHECK_EQ(initramfs_build(&k, INITRAMFS_OVERLAY, &conf, &p, &len), -EINVAL);
	guest_conf_free(&conf);
	CHECK(!mkfifo("m/config-1.2.3", 0600));
	CHECK(!kernel_enables(&k, options));
	dir_remove();
}

/* A module that says only that. */
static void info_make(const char *path, const char *info, size_t len)
{
	static const char names[] = "\0.modinfo\0.shstrtab";
	struct {
		Elf64_Ehdr eh;
		Elf64_Shdr sh[3];
		char names[24], info[256];
	} ko = { 0 };

	memcpy(ko.eh.e_ident, ELFMAG, SELFMAG);
	ko.eh.e_ident[EI_CLASS] = ELFCLASS64;
	ko.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	ko.eh.e_type = ET_REL;
	ko.eh.e_shoff = offsetof(typeof(ko), sh);
	ko.eh.e_shentsize = sizeof(Elf64_Shdr);
	ko.eh.e_shnum = 3;
	ko.eh.e_shstrndx = 2;
	memcpy(ko.names, names, sizeof(names));
	CHECK(len < sizeof(ko.info));
	memcpy(ko.info, info, len);
	ko.sh[1] = (Elf64_Shdr){ .sh_name = 1, .sh_type = SHT_PROGBITS, .sh_size = len + 1,
				 .sh_offset = offsetof(typeof(ko), info) };
	ko.sh[2] = (Elf64_Shdr){ .sh_name = 10, .sh_type = SHT_STRTAB, .sh_size = sizeof(names),
				 .sh_offset = offsetof(typeof(ko), names) };
	file_make(path, &ko, sizeof(ko));
}

static void ko_make(const char *path, const char *depends)
{
	char info[128];
	int n = snprintf(info, sizeof(info), "license=GPL%cdepends=%s", 0, depends);

	info_make(path, info, n);
}

TEST(build_tree_modules_tell_their_dependencies)
{
	/* As written by Linux before 5.3, until 6.2, and since. */
	static const char *const orders[] = {
		"kernel/fs/9p/9p.ko\nkernel/net/9p/9pnet.ko\nkernel/fs/netfs/netfs.ko\n",
		"fs/9p/9p.ko\nnet/9p/9pnet.ko\nfs/netfs/netfs.ko\n",
		"fs/9p/9p.o\nnet/9p/9pnet.o\nfs/netfs/netfs.o\n",
	};
	struct modules *m;
	unsigned int nr;

	for (int i = 0; i < 3; i++) {
		dir_make();
		text_make("t/modules.order", orders[i]);
		text_make("t/modules.builtin", "kernel/fs/overlayfs/overlay.ko\n");
		ko_make("t/fs/9p/9p.ko", "9pnet,netfs");
		ko_make("t/net/9p/9pnet.ko", "");
		ko_make("t/fs/netfs/netfs.ko", "");
		m = modules_open("t", true);
		CHECK(m);
		CHECK_EQ(modules_add(m, "9p"), MODULE_FOUND);
		CHECK_EQ(modules_add(m, "overlay"), MODULE_BUILTIN);
		CHECK_EQ(modules_add(m, "fuse"), MODULE_ABSENT);
		modules_paths(m, &nr);
		CHECK_EQ(nr, 3);
		CHECK_EQ(path_at(m, "t/net/9p/9pnet.ko"), 0);
		CHECK_EQ(path_at(m, "t/fs/netfs/netfs.ko"), 1);
		CHECK_EQ(path_at(m, "t/fs/9p/9p.ko"), 2);
		modules_close(m);
		dir_remove();
	}
}

/* A build tree of which three modules have been built. */
static void tree_make(void)
{
	dir_make();
	text_make("t/modules.order", "fs/9p/9p.o\nnet/9p/9pnet.o\nfs/netfs/netfs.o\ndrivers/net/tun.o\n"
		  "drivers/not/built.o\n");
	text_make("t/modules.builtin", "kernel/fs/overlayfs/overlay.ko\n");
	file_make("t/modules.builtin.modinfo", "overlay.alias=fs-overlay\0overlay.license=GPL", 45);
	text_make("t/Module.symvers", "0x1\tp9_client\tnet/9p/9pnet\tEXPORT_SYMBOL\t\n"
		  "0x2\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n");
	ko_make("t/fs/9p/9p.ko", "9pnet,netfs");
	ko_make("t/net/9p/9pnet.ko", "netfs");
	ko_make("t/fs/netfs/netfs.ko", "");
	info_make("t/drivers/net/tun.ko", "alias=char-major-10-200\0alias=devname:net/tun\0alias=block-major-7-*\0"
		  "alias=pci:v0000A-B*sv[0-9-a]*\0softdep=pre: netfs\0depends=", 125);
}

static const struct module_index_file *index_file(const struct module_index *x, const char *name)
{
	for (unsigned int i = 0; i < x->nr; i++)
		if (!strcmp(x->file[i].name, name))
			return &x->file[i];
	tap_fail(__FILE__, __LINE__, "no %s", name);
}

TEST(build_tree_modules_have_an_index)
{
	struct module_index x;
	struct modules *m;
	char *text;

	tree_make();
	m = modules_open("t", true);
	CHECK(m);
	CHECK_EQ(module_index_make(&x, m), 0);
	CHECK_STR(index_file(&x, "modules.dep")->data,
		  "kernel/fs/9p/9p.ko: kernel/net/9p/9pnet.ko kernel/fs/netfs/netfs.ko\n"
		  "kernel/net/9p/9pnet.ko: kernel/fs/netfs/netfs.ko\n"
		  "kernel/fs/netfs/netfs.ko:\n"
		  "kernel/drivers/net/tun.ko:\n");
	CHECK_STR(index_file(&x, "modules.alias")->data, "alias char-major-10-200 tun\n"
		  "alias devname:net/tun tun\nalias block-major-7-* tun\nalias pci:v0000A-B*sv[0-9-a]* tun\n");
	CHECK_STR(index_file(&x, "modules.softdep")->data, "softdep tun pre: netfs\n");
	text = modules_devname(m, &x);
	CHECK_STR(text, "tun net/tun c10:200\n");
	free(text);
	module_index_free(&x);
	modules_close(m);
	dir_remove();
}

/* What modprobe makes of it. */
TEST(modprobe_understands_the_index)
{
	static const char *const asked[][2] = {
		{ "9p", "insmod */kernel/fs/netfs/netfs.ko*insmod */kernel/net/9p/9pnet.ko*insmod */kernel/fs/9p/9p.ko*" },
		{ "char-major-10-200", "insmod */kernel/fs/netfs/netfs.ko*insmod */kernel/drivers/net/tun.ko*" },
		{ "pci:v0000A-Bxsv5yy", "*tun.ko*" },
		{ "symbol:p9_client", "*9pnet.ko*" },
		{ "overlay", "builtin overlay*" },
		{ "fs-overlay", "builtin overlay*" },
	};
	struct module_index x;
	struct modules *m;
	char path[128], cmd[256], out[4096];
	size_t len;
	FILE *f;

	if (system("PATH=$PATH:/usr/sbin:/sbin command -v modprobe >/dev/null"))
		SKIP("modprobe is not installed");
	tree_make();
	m = modules_open("t", true);
	CHECK(m);
	CHECK_EQ(module_index_make(&x, m), 0);
	text_make("r/lib/modules/1.2.3/x", "");
	CHECK(!symlink("../../../../t", "r/lib/modules/1.2.3/kernel"));
	for (unsigned int i = 0; i < x.nr; i++) {
		snprintf(path, sizeof(path), "r/lib/modules/1.2.3/%s", x.file[i].name);
		file_make(path, x.file[i].data, x.file[i].len);
	}
	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
		snprintf(cmd, sizeof(cmd), "PATH=$PATH:/usr/sbin:/sbin modprobe -d r -S 1.2.3 -C /dev/null "
			 "--show-depends '%s' 2>&1", asked[i][0]);
		f = popen(cmd, "r");
		CHECK(f);
		len = fread(out, 1, sizeof(out) - 1, f);
		out[len] = 0;
		pclose(f);
		if (fnmatch(asked[i][1], out, 0))
			tap_fail(__FILE__, __LINE__, "%s: %s", asked[i][0], out);
	}
	module_index_free(&x);
	modules_close(m);
	dir_remove();
}

TEST(archive_has_the_index_of_a_build_tree_and_its_nodes)
{
	struct kernel k = { .modules = "t", .tree = true, .release = "1.2.3" };
	struct guest_conf conf = { 0 };
	struct entry e;
	size_t len;
	void *p;

	tree_make();
	CHECK_EQ(initramfs_build(&k, INITRAMFS_OVERLAY, &conf, &p, &len), -ENOENT);
	guest_conf_free(&conf);
	text_make("t/modules.builtin", "kernel/fs/overlayfs/overlay.ko\nkernel/drivers/virtio/virtio_pci.ko\n"
		  "kernel/drivers/char/virtio_console.ko\n");
	CHECK_EQ(initramfs_build(&k, INITRAMFS_OVERLAY, &conf, &p, &len), 0);
	CHECK(entry_find(p, len, "index", &e));
	CHECK(S_ISDIR(e.mode));
	CHECK(entry_find(p, len, "index/modules.dep.bin", &e));
	CHECK(memmem(conf.data, conf.len, "\0node=c10:200 net/tun", 22));
	free(p);
	guest_conf_free(&conf);
	dir_remove();
}

TEST(nodes_of_installed_modules_stay_in_dev)
{
	struct kernel k = { .modules = "m", .release = "1.2.3" };
	struct guest_conf conf = { 0 };
	size_t len;
	void *p;

	installed_make();
	text_make("m/modules.devname", "# Device nodes\nloop loop-control c10:237\nx ../x c1:2\n"
		  "x /x c1:2\nmd md0 b9:0\nshort\n");
	CHECK_EQ(initramfs_build(&k, INITRAMFS_OVERLAY, &conf, &p, &len), 0);
	CHECK(memmem(conf.data, conf.len, "node=c10:237 loop-control\0node=b9:0 md0", 40));
	CHECK(!memmem(conf.data, conf.len, "c1:2", 4));
	free(p);
	guest_conf_free(&conf);
	dir_remove();
}

TEST(debug_information_is_left_behind)
{
	enum { DEBUG = 100000 };
	static const char names[] = "\0.text\0.debug_info\0.rela.debug_info\0.modinfo\0.shstrtab";
	static struct {
		Elf64_Ehdr eh;
		char text[64], debug[DEBUG], rela[DEBUG], names[64], info[16];
		Elf64_Shdr sh[6];
		char signature[32];
	} ko, other;
	Elf64_Shdr *sh;
	size_t len;
	void *p = &ko;

	memcpy(ko.eh.e_ident, ELFMAG, SELFMAG);
	ko.eh.e_ident[EI_CLASS] = ELFCLASS64;
	ko.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	ko.eh.e_shoff = offsetof(typeof(ko), sh);
	ko.eh.e_shentsize = sizeof(Elf64_Shdr);
	ko.eh.e_shnum = 6;
	ko.eh.e_shstrndx = 5;
	memcpy(ko.names, names, sizeof(names));
	memset(ko.text, 0x90, sizeof(ko.text));
	strcpy(ko.info, "depends=a");
#define SECTION(n, name, type, flags, member)						\
	ko.sh[n] = (Elf64_Shdr){ name, type, flags, 0, offsetof(typeof(ko), member),	\
				 sizeof(ko.member), 0, 0, 1, 0 }
	SECTION(1, 1, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, text);
	SECTION(2, 7, SHT_PROGBITS, 0, debug);
	SECTION(3, 19, SHT_RELA, 0, rela);
	SECTION(4, 36, SHT_PROGBITS, SHF_ALLOC, info);
	SECTION(5, 45, SHT_STRTAB, 0, names);
	other = ko;
	len = module_strip(p, sizeof(ko));
	CHECK(len < 1024);
	sh = p + ko.eh.e_shoff;
	CHECK(ko.eh.e_shoff + 6 * sizeof(*sh) <= len);
	CHECK_EQ(sh[1].sh_size, sizeof(ko.text));
	CHECK_EQ(*(unsigned char *)(p + sh[1].sh_offset + 63), 0x90);
	CHECK_EQ(sh[2].sh_type, SHT_NULL);
	CHECK_EQ(sh[3].sh_type, SHT_NULL);
	CHECK_STR(p + sh[4].sh_offset, "depends=a");
	CHECK_MEM(p + sh[5].sh_offset, names, sizeof(names));
	/* Once more finds nothing. */
	CHECK_EQ(module_strip(p, len), len);
	/* What is signed is signed as it is. */
	memcpy(other.signature + 4, "~Module signature appended~\n", 28);
	CHECK_EQ(module_strip(&other, sizeof(other)), sizeof(other));
}

TEST(modules_that_depend_on_each_other_are_refused)
{
	struct modules *m;

	dir_make();
	text_make("t/modules.order", "a.ko\nb.ko\n");
	text_make("t/modules.builtin", "");
	ko_make("t/a.ko", "b");
	ko_make("t/b.ko", "a");
	m = modules_open("t", true);
	CHECK(m);
	CHECK_EQ(modules_add(m, "a"), -ELOOP);
	modules_close(m);
	dir_remove();
}

TEST(damaged_modules_are_refused)
{
	struct modules *m;
	Elf64_Ehdr eh = { .e_shoff = ~0ULL, .e_shnum = 60000, .e_shentsize = sizeof(Elf64_Shdr) };

	dir_make();
	text_make("t/modules.order", "a.ko\nb.ko\nc.ko\n");
	text_make("t/modules.builtin", "");
	text_make("t/a.ko", "no ELF");
	memcpy(eh.e_ident, ELFMAG, SELFMAG);
	eh.e_ident[EI_CLASS] = ELFCLASS64;
	eh.e_ident[EI_DATA] = ELFDATA2LSB;
	file_make("t/b.ko", &eh, sizeof(eh));
	text_make("t/c.ko", "");
	m = modules_open("t", true);
	CHECK(m);
	CHECK_EQ(modules_add(m, "a"), -ENOEXEC);
	CHECK_EQ(modules_add(m, "b"), -ENOEXEC);
	CHECK_EQ(modules_add(m, "c"), -ENOEXEC);
	modules_close(m);
	dir_remove();
}

TEST(without_a_directory_nothing_is_known)
{
	struct modules *m = modules_open(NULL, false);

	CHECK(m);
	CHECK_EQ(modules_add(m, "9p"), MODULE_UNKNOWN);
	modules_close(m);
	CHECK(!modules_open("/nonexistent", false));
}

/* A program of a machine, as far as anybody looks. */
static void elf_make(const char *path, u16 machine)
{
	Elf64_Ehdr eh = { .e_machine = machine };

	memcpy(eh.e_ident, ELFMAG, SELFMAG);
	eh.e_ident[EI_DATA] = ELFDATA2LSB;
	file_make(path, &eh, sizeof(eh));
}

static u16 machine_own(void)
{
	Elf64_Ehdr eh;
	int fd = open("/proc/self/exe", O_RDONLY);

	CHECK_EQ(read(fd, &eh, sizeof(eh)), sizeof(eh));
	close(fd);
	return eh.e_machine;
}

TEST(root_must_be_a_directory_with_a_shell)
{
	dir_make();
	CHECK_EQ(root_check("r", NULL, NULL), -ENOENT);
	text_make("r", "");
	CHECK_EQ(root_check("r", NULL, NULL), -ENOTDIR);
	CHECK(!unlink("r"));
	CHECK(!mkdir("r", 0755));
	CHECK_EQ(root_check("r", NULL, NULL), -ENOENT);
	elf_make("r/bin/sh", machine_own());
	CHECK_EQ(root_check("r", NULL, NULL), 0);
	dir_remove();
}

TEST(root_of_another_machine_is_refused)
{
	u16 own = machine_own();

	dir_make();
	elf_make("r/bin/sh", own == EM_AARCH64 ? EM_X86_64 : EM_AARCH64);
	CHECK_EQ(root_check("r", NULL, NULL), -ENOEXEC);
	/* No name for it is needed to see that it is another. */
	elf_make("r/bin/sh", 4242);
	CHECK_EQ(root_check("r", NULL, NULL), -ENOEXEC);
	if (own == EM_X86_64) {
		elf_make("r/bin/sh", EM_386);
		CHECK_EQ(root_check("r", NULL, NULL), 0);
	}
	dir_remove();
}

TEST(root_links_are_followed_inside_the_root)
{
	dir_make();
	/* On the host /usr/bin/dash would be of this machine, if it is there. */
	elf_make("r/usr/bin/dash", machine_own() == EM_AARCH64 ? EM_X86_64 : EM_AARCH64);
	CHECK(!symlink("/usr/bin", "r/bin"));
	CHECK(!symlink("/bin/dash", "r/usr/bin/sh"));
	CHECK_EQ(root_check("r", NULL, NULL), -ENOEXEC);
	elf_make("r/usr/bin/dash", machine_own());
	CHECK_EQ(root_check("r", NULL, NULL), 0);
	dir_remove();
}

TEST(root_has_the_user)
{
	dir_make();
	elf_make("r/bin/sh", machine_own());
	/* Without a user database it is the guest that tells. */
	CHECK_EQ(root_check("r", NULL, "nobody"), 0);
	text_make("r/etc/passwd", "root:x:0:0::/:\nsomebody:x:5:5::/:\nlast:x:6:6::/:");
	CHECK_EQ(root_check("r", NULL, "somebody"), 0);
	CHECK_EQ(root_check("r", NULL, "last"), 0);
	CHECK_EQ(root_check("r", NULL, "1000:1000"), 0);
	CHECK_EQ(root_check("r", NULL, "some"), -ENOENT);
	CHECK_EQ(root_check("r", NULL, "somebody:x"), -ENOENT);
	CHECK_EQ(root_check("r", NULL, ""), -ENOENT);
	/* A link leads to where it will lead in the guest. */
	CHECK(!rename("r/etc/passwd", "r/users"));
	CHECK(!symlink("/users", "r/etc/passwd"));
	CHECK_EQ(root_check("r", NULL, "somebody"), 0);
	CHECK_EQ(root_check("r", NULL, "some"), -ENOENT);
	dir_remove();
}

TEST(root_without_a_shell_will_do_for_a_command)
{
	char *here[] = { "/prog", NULL }, *path[] = { "prog", NULL }, *not[] = { "gone", NULL };

	dir_make();
	elf_make("r/prog", machine_own());
	CHECK_EQ(root_check("r", here, NULL), 0);
	CHECK_EQ(root_check("r", path, NULL), -ENOENT);
	elf_make("r/usr/bin/prog", machine_own());
	CHECK_EQ(root_check("r", path, NULL), 0);
	CHECK_EQ(root_check("r", not, NULL), -ENOENT);
	dir_remove();
}

static bool conf_has(const struct guest_conf *c, const char *record)
{
	for (const char *s = c->data; s && s < c->data + c->len; s += strlen(s) + 1)
		if (!strcmp(s, record))
			return true;
	return false;
}

static bool conf_has_file(const struct guest_conf *c, const char *path)
{
	for (const char *s = c->data; s && s < c->data + c->len; s += strlen(s) + 1)
		if (!strncmp(s, "file=", 5) && strstr(s, path))
			return true;
	return false;
}

TEST(etc_resolves_the_guests_name)
{
	struct guest_conf conf = { 0 };
	char own[64];

	dir_make();
	text_make("r/etc/hosts", "127.0.0.1 localhost # not box");
	CHECK(!chmod("r/etc", 0750));
	CHECK_EQ(etc_add(&conf, "r", "box", 5), 0);
	snprintf(own, sizeof(own), "dir=488 %u %u /etc", geteuid(), getegid());
	CHECK(conf_has(&conf, own));
	CHECK(conf_has(&conf, "file=420 0 0 /etc/hosts\n127.0.0.1 localhost # not box\n127.0.1.1\tbox\n"));
	guest_conf_free(&conf);
	/* It is there already; or it is none that a line of hosts could have. */
	text_make("r/etc/hosts", "127.0.0.1 localhost\n1.2.3.4\tbox.net box\n");
	CHECK_EQ(etc_add(&conf, "r", "box", 5), 0);
	CHECK_EQ(etc_add(&conf, "r", "a\n1.1.1.1 b", 5), 0);
	CHECK(!conf_has_file(&conf, "/etc/hosts"));
	/* What the host's user can read is left alone; a link of the root's is not hidden. */
	text_make("r/etc/shadow", "root:x:::::::\n");
	CHECK_EQ(etc_add(&conf, "r", "box", 5), 0);
	CHECK(!conf_has_file(&conf, "/etc/shadow"));
	guest_conf_free(&conf);
	CHECK(!rename("r/etc", "r/other") && !symlink("other", "r/etc"));
	CHECK_EQ(etc_add(&conf, "r", "box", 5), 0);
	CHECK_EQ(conf.len, 0);
	dir_remove();
}

TEST(etc_has_what_the_host_does_not_show)
{
	struct guest_conf conf = { 0 };

	if (geteuid())
		SKIP("only root can become somebody who may not read a file");
	dir_make();
	CHECK(!chmod(".", 0755));
	text_make("r/etc/passwd", "root:x:0:0::/root:/bin/sh\nuser:x:5:5::/:\n\n#x\n+nis\n");
	text_make("r/etc/group", "root:x:0:\nstaff:x:50:user\n");
	text_make("r/etc/hosts", "1.1.1.1 box\n");
	text_make("r/etc/shadow", "root:secret:::::::\n");
	text_make("r/etc/gshadow", "secret");
	text_make("r/etc/sudoers", "secret");
	CHECK(!mkdir("r/root", 0700));
	CHECK(!chmod("r/etc/shadow", 0640) && !chown("r/etc/shadow", 0, 42));
	CHECK(!chmod("r/etc/gshadow", 0600) && !chmod("r/etc/sudoers", 0440));
	CHECK(!setgroups(0, NULL) && !setegid(65534) && !seteuid(65534));
	CHECK_EQ(etc_add(&conf, "r", "box", 5), 0);
	CHECK(conf_has(&conf, "file=416 0 42 /etc/shadow\nroot:*:::::::\nuser:*:::::::\n"));
	CHECK(conf_has(&conf, "file=384 0 0 /etc/gshadow\nroot:*::\nstaff:*::\n"));
	CHECK(conf_has(&conf, "file=288 0 0 /etc/sudoers\nroot ALL=(ALL:ALL) NOPASSWD: ALL\n"
		       "#5 ALL=(ALL:ALL) NOPASSWD: ALL\n"));
	CHECK(conf_has(&conf, "tmpfs=700 /root"));
	CHECK(!memmem(conf.data, conf.len, "secret", 6));
	CHECK(!seteuid(0) && !setegid(0));
	guest_conf_free(&conf);
	dir_remove();
}
