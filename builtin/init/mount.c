// SPDX-License-Identifier: GPL-2.0
/*
 * From the initramfs to the guest's root: modules, the host's files (read only under
 * a tmpfs, unless configured otherwise), the kernel's file systems, the shares. If the
 * kernel lacks a feature, the message names its configuration option.
 */
#include <linux/mount.h>
#include <linux/resource.h>
#include <linux/sockios.h>

#include <kvm/pid1.h>

#include "init.h"

/* Missing from the uapi headers that can be included without a libc and beside tools/include of a kernel tree. */
#define MODULE_INIT_COMPRESSED_FILE 4
#define MNT_DETACH	2
#define OVERLAY_LAYERS	"lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work"
struct mount_point {
	const char *dir, *type, *data;
	unsigned long flags;
	bool optional;		/* not having it is nothing to talk about */
};

static const struct mount_point mount_points[] = {
	{ "/dev/pts", "devpts", "mode=620,gid=5,ptmxmode=666", MS_NOSUID | MS_NOEXEC, false },
	{ "/dev/shm", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV, false },
	{ "/dev/mqueue", "mqueue", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, true },
	{ "/run", "tmpfs", "mode=755", MS_NOSUID | MS_NODEV, false },
	{ "/sys/kernel/debug", "debugfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, true },
	{ "/sys/kernel/tracing", "tracefs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, true },
	{ "/sys/kernel/security", "securityfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, true },
	{ "/sys/kernel/config", "configfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, true },
	{ "/sys/fs/bpf", "bpf", "mode=700", MS_NOSUID | MS_NODEV | MS_NOEXEC, true },
	{ "/sys/fs/cgroup", "cgroup2", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, true },
};

/* The option behind a file system that /proc/filesystems does not list. */
static const char *mount_option(const char *type)
{
	static const char *const options[][2] = {
		{ "9p", "CONFIG_9P_FS" },
		{ "virtiofs", "CONFIG_VIRTIO_FS" },
		{ "overlay", "CONFIG_OVERLAY_FS" },
		{ "tmpfs", "CONFIG_TMPFS" },
		{ "devpts", "CONFIG_UNIX98_PTYS" },
		{ "proc", "CONFIG_PROC_FS" },
		{ "sysfs", "CONFIG_SYSFS" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (!strcmp(options[i][0], type))
			return options[i][1];
	return type;
}

/* Mount or say why there will be no command. */
static void mount_or_fail(const char *src, const char *dir, const char *type,
			  unsigned long flags, const char *data)
{
	long ret = sys_mount(src, dir, type, flags, data);

	if (ret == -ENODEV)
		fail("cannot mount %s: %s", dir, option_trouble(mount_option(type)));
	if (ret && !strcmp(type, "9p") && sys_access("/sys/bus/virtio/drivers/9pnet_virtio", 0))
		fail("cannot mount %s: %s", dir, option_trouble("CONFIG_NET_9P_VIRTIO"));
	if (ret)
		fail("cannot mount %s (%s, options '%s') on %s: %s", src, type, data ? data : "",
		     dir, str_error(ret));
}

/* Make the directories above a file. */
static void make_parents(const char *file, int mode)
{
	char path[4096];

	for (size_t n = 0; file[n] && n < sizeof(path); n++) {
		if (n && file[n] == '/') {
			path[n] = 0;
			sys_mkdir(path, mode);
		}
		path[n] = file[n];
	}
}

/* Make a directory and those above it. */
static void make_dirs(const char *dir, int mode)
{
	make_parents(dir, mode);
	sys_mkdir(dir, mode);
}

/* Without devtmpfs: the nodes that programs take for granted. */
static void mount_plain_dev(void)
{
	static const struct { const char *path; int major, minor; } nodes[] = {
		{ "/dev/kmsg", 1, 11 },
		{ "/dev/console", 5, 1 },
		{ "/dev/null", 1, 3 },
		{ "/dev/zero", 1, 5 },
		{ "/dev/full", 1, 7 },
		{ "/dev/random", 1, 8 },
		{ "/dev/urandom", 1, 9 },
		{ "/dev/tty", 5, 0 },
		{ "/dev/ptmx", 5, 2 },
		{ "/dev/kvm", 10, 232 },
		{ "/dev/fuse", 10, 229 },
		{ "/dev/net/tun", 10, 200 },
	};

	mount_or_fail("tmpfs", "/dev", "tmpfs", MS_NOSUID, "mode=755");
	sys_mkdir("/dev/net", 0755);
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		sys_mknod(nodes[i].path, S_IFCHR | 0666, nodes[i].major << 8 | nodes[i].minor);
	note("the kernel lacks CONFIG_DEVTMPFS: /dev has only the most common nodes");
}

void mount_early(void)
{
	long ret;

	/* The mode of what is made here is meant. */
	sys_call(__NR_umask, 0, 0, 0, 0, 0, 0);
	sys_mkdir("/dev", 0755);
	sys_mkdir("/proc", 0755);
	sys_mkdir("/sys", 0755);
	ret = sys_mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	if (!ret)
		ret = sys_mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	if (sys_mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=755"))
		mount_plain_dev();
	if (ret)
		fail("the kernel lacks CONFIG_PROC_FS or CONFIG_SYSFS");

	sys_symlink("/proc/self/fd", "/dev/fd");
	sys_symlink("/proc/self/fd/0", "/dev/stdin");
	sys_symlink("/proc/self/fd/1", "/dev/stdout");
	sys_symlink("/proc/self/fd/2", "/dev/stderr");
}

/* "foo" of /modules/003-foo.ko.xz */
static bool module_is_compressed(const char *path)
{
	size_t n = strlen(path);

	return n < 3 || strcmp(path + n - 3, ".ko");
}

void modules_load(void)
{
	const char *path = NULL;
	long fd, ret;

	while ((path = conf_next("module", path))) {
		bool compressed = module_is_compressed(path);

		fd = ret = sys_open(path, O_RDONLY);
		if (fd >= 0) {
			ret = sys_call(__NR_finit_module, fd, (long)"",
				       compressed ? MODULE_INIT_COMPRESSED_FILE : 0, 0, 0, 0);
			sys_close(fd);
		}
		sys_unlink(path);
		if (!ret || ret == -EEXIST)
			continue;
		if (ret == -ENOSYS)
			note("the kernel lacks CONFIG_MODULES: %s is not loaded", path);
		else if (compressed && (ret == -EINVAL || ret == -EOPNOTSUPP))
			note("the kernel lacks CONFIG_MODULE_DECOMPRESS: %s is not loaded", path);
		else if (ret == -ENOEXEC)
			note("%s is not a module of this kernel", path);
		else
			note("%s is not loaded: %s", path, str_error(ret));
	}
}

void file_write(const char *path, const char *text)
{
	long fd = sys_open(path, O_WRONLY);

	if (fd < 0)
		return;
	sys_write(fd, text, strlen(text));
	sys_close(fd);
}

/* Linux reads 128 KiB of a file ahead, unless it is told that what it asks may be larger. */
static void mount_read_ahead(const char *dir)
{
	struct statx stx;
	char path[64];

	if (sys_call(__NR_statx, AT_FDCWD_, (long)dir, 0, STATX_BASIC_STATS, (long)&stx, 0))
		return;
	str_format(path, sizeof(path), "/sys/class/bdi/%lu:%lu/read_ahead_kb",
		   (unsigned long)stx.stx_dev_major, (unsigned long)stx.stx_dev_minor);
	file_write(path, "1024");
}

/* A 9p or virtio-fs share of lkvm's. */
static void mount_share(const char *tag, const char *dir, unsigned long flags)
{
	const char *type = conf_get("fs", "9p");
	char options[512];

	if (strcmp(type, "9p")) {
		mount_or_fail(tag, dir, type, flags, NULL);
		mount_read_ahead(dir);
		return;
	}
	/* The bytes that fit in the descriptors that Linux uses for one message. */
	str_format(options, sizeof(options), "trans=virtio,version=9p2000.L,msize=512000%s%s",
		   *conf_get("9p", "") ? "," : "", conf_get("9p", ""));
	mount_or_fail(tag, dir, type, flags, options);
}

static void mount_points_mount(void)
{
	const struct mount_point *m;
	long ret;

	for (size_t i = 0; i < ARRAY_SIZE(mount_points); i++) {
		m = &mount_points[i];
		if (!m->optional)
			sys_mkdir(m->dir, 0755);
		else if (str_after(m->dir, "/dev/"))
			sys_mkdir(m->dir, 0777);
		ret = sys_mount(m->type, m->dir, m->type, m->flags, m->data);
		if (!ret || m->optional)
			continue;
		if (ret == -ENODEV)
			note("the kernel lacks %s: there is no %s", mount_option(m->type), m->dir);
		else
			note("cannot mount %s: %s", m->dir, str_error(ret));
	}
	sys_mkdir("/run/lock", 01777);
}

/* Directories that are to be empty and the guest's own. */
static void mount_tmpfs(void)
{
	const char *tmpfs = NULL, *dir;
	char mode[32];
	size_t n;

	while ((tmpfs = conf_next("tmpfs", tmpfs))) {
		for (dir = tmpfs; *dir && *dir != ' '; dir++)
			;
		str_format(mode, sizeof(mode), "mode=%s", tmpfs);
		n = strlen("mode=") + (dir - tmpfs);
		if (!*dir++ || n >= sizeof(mode))
			fail("bad tmpfs '%s'", tmpfs);
		mode[n] = 0;
		make_dirs(dir, 0755);
		mount_or_fail("tmpfs", dir, "tmpfs", MS_NOSUID | MS_NODEV, mode);
	}
}

/* "MODE UID GID " before a path: the path, or NULL. */
static const char *upper_owner(const char *s, long owner[3])
{
	const char *end = s;

	for (int i = 0; i < 3; i++) {
		owner[i] = str_number(s, &end);
		if (owner[i] < 0 || *end != ' ')
			return NULL;
		s = end + 1;
	}
	return s;
}

/* The file that a record is of goes into @to, below @dir; returns its contents, or NULL. */
static const char *upper_file(const char *item, const char *dir, char *to, size_t size, long own[3])
{
	const char *path = upper_owner(item, own);
	size_t n, len;

	for (n = 0; path && path[n] && path[n] != '\n'; n++)
		;
	if (!path || !path[n])
		return NULL;
	len = strlen(dir) + n;
	if (len >= size)
		return NULL;
	str_format(to, size, "%s%s", dir, path);
	to[len] = 0;
	return path + n + 1;
}

static bool upper_write(const char *to, const char *text, const long own[3])
{
	long fd = sys_create(to, own[0]);

	if (fd < 0)
		return false;
	sys_write(fd, text, strlen(text));
	sys_call(__NR_fchown, fd, own[1], own[2], 0, 0, 0);
	sys_close(fd);
	return true;
}

/* lkvm's part of the upper layer: directories, which are merged with the host's, and files. */
static void upper_fill(void)
{
	const char *item = NULL, *path, *text;
	char to[512];
	long own[3];

	while ((item = conf_next("dir", item))) {
		path = upper_owner(item, own);
		if (!path)
			continue;
		str_format(to, sizeof(to), "/upper/files%s", path);
		sys_mkdir(to, own[0]);
		sys_call(__NR_fchownat, AT_FDCWD_, (long)to, own[1], own[2], 0, 0);
	}
	while ((item = conf_next("file", item))) {
		text = upper_file(item, "/upper/files", to, sizeof(to), own);
		if (text)
			upper_write(to, text, own);
	}
}

/* Without an upper layer lkvm's files are mounted over those of the root, which stay as they are. */
static void files_cover(void)
{
	static const char cover[] = "/run/lkvm";
	const char *item = NULL, *text;
	char to[512];
	long own[3];

	while ((item = conf_next("file", item))) {
		text = upper_file(item, "", to, sizeof(to), own);
		if (!text || sys_access(to, 0) || !upper_write(cover, text, own))
			continue;
		sys_mount(cover, to, NULL, MS_BIND, NULL);
		sys_unlink(cover);
	}
}

static void mount_shares(void)
{
	const char *share = NULL, *dir, *mode;
	char tag[64];
	size_t n;

	while ((share = conf_next("share", share))) {
		for (n = 0; share[n] && share[n] != ',' && n < sizeof(tag) - 1; n++)
			tag[n] = share[n];
		tag[n] = 0;
		mode = share[n] ? share + n + 1 : "";
		dir = str_after(mode, "ro,");
		if (!dir)
			dir = str_after(mode, "rw,");
		if (!dir || *dir != '/')
			fail("bad share '%s'", share);
		make_dirs(dir, 0755);
		if (sys_access(dir, 0))
			fail("the guest's root has no directory %s for a share, and none can be made",
			     dir);
		mount_share(tag, dir, mode[1] == 'o' ? MS_RDONLY : 0);
	}
}

/*
 * Have a directory /lib/modules/RELEASE. On the host itself none is made: a tmpfs over
 * /lib/modules has it then.
 */
static bool modules_place(const char *dir, bool overlay)
{
	if (overlay)
		make_dirs(dir, 0755);
	if (!sys_access(dir, 0))
		return true;
	if (sys_mount("tmpfs", "/lib/modules", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")) {
		note("the guest's root has no /lib/modules: modprobe will find no modules");
		return false;
	}
	return !sys_mkdir(dir, 0755);
}

/* "RELEASE,KIND,DIR": the kernel's modules, where modprobe looks for them. @index: /index, or -1. */
static void mount_modules(bool overlay, long index)
{
	const char *from = conf_get("modules", ""), *path;
	char dir[128], kernel[144], fd[32];
	bool tree;
	size_t n;

	for (n = 0; from[n] && from[n] != ','; n++)
		;
	if (!from[n] || n > 64)
		return;
	str_format(dir, sizeof(dir), "/lib/modules/%s", from);
	dir[strlen("/lib/modules/") + n] = 0;
	from += n + 1;
	path = str_after(from, "tree,");
	tree = path;
	if (!path)
		path = str_after(from, "dir,");
	if (!path || !strcmp(path, dir) || !strcmp(str_after(path, "/usr") ? path + 4 : path, dir) ||
	    !modules_place(dir, overlay))
		return;
	str_format(kernel, sizeof(kernel), "%s/kernel", dir);
	if (tree) {
		str_format(fd, sizeof(fd), "/proc/self/fd/%ld", index);
		if (sys_mount(fd, dir, NULL, MS_BIND, NULL))
			return;
		sys_mkdir(kernel, 0755);
	}
	if (*path == '/')
		sys_mount(path, tree ? kernel : dir, NULL, MS_BIND, NULL);
	else
		mount_share(path, tree ? kernel : dir, MS_RDONLY);
	str_format(kernel, sizeof(kernel), "%s/build", dir);
	if (tree)
		sys_symlink("kernel", kernel);
}

/* "cMAJOR:MINOR NAME": nodes that nobody has loaded the driver of. Only some are everybody's. */
static void nodes_make(void)
{
	const char *node = NULL, *end;
	char path[96];
	long major, minor;
	int mode;

	while ((node = conf_next("node", node))) {
		major = str_number(node + !!*node, &end);
		if (major < 0 || *end != ':')
			continue;
		minor = str_number(end + 1, &end);
		if (minor < 0 || *end != ' ')
			continue;
		str_format(path, sizeof(path), "/dev/%s", end + 1);
		mode = !strcmp(path, "/dev/fuse") || !strcmp(path, "/dev/net/tun") ? 0666 : 0600;
		make_parents(path, 0755);
		sys_mknod(path, (*node == 'b' ? S_IFBLK : S_IFCHR) | mode,
			  (minor & 0xff) | major << 8 | (minor & ~0xffL) << 12);
	}
}

void host_name(void)
{
	const char *name = conf_get("hostname", "lkvm");

	sys_call(__NR_sethostname, (long)name, strlen(name), 0, 0, 0, 0);
}

void root_mount(void)
{
	static const char *const moved[] = { "/dev", "/proc", "/sys" };
	const char *root = conf_get("root", "overlay");
	struct { u64 cur, max; } files = { 1024, 524288 };
	bool overlay = !strcmp(root, "overlay");
	char to[32];
	long ret, index = sys_open(GUEST_INDEX, O_PATH | O_DIRECTORY);

	nodes_make();
	sys_mkdir("/root", 0755);
	if (overlay) {
		sys_mkdir("/lower", 0755);
		sys_mkdir("/upper", 0755);
		mount_share(GUEST_TAG_ROOT, "/lower", MS_RDONLY);
		mount_or_fail("tmpfs", "/upper", "tmpfs", 0, "mode=755");
		sys_mkdir("/upper/files", 0755);
		sys_mkdir("/upper/work", 0755);
		upper_fill();
		/* A directory of the lower layer can be renamed; not before Linux 4.10. */
		if (sys_mount("overlay", "/root", "overlay", 0, OVERLAY_LAYERS ",redirect_dir=on"))
			mount_or_fail("overlay", "/root", "overlay", 0, OVERLAY_LAYERS);
		/* The overlay has its own hold on both. */
		sys_umount("/lower", MNT_DETACH);
		sys_umount("/upper", MNT_DETACH);
	} else {
		mount_share(GUEST_TAG_ROOT, "/root", strcmp(root, "ro") ? 0 : MS_RDONLY);
	}

	for (size_t i = 0; i < ARRAY_SIZE(moved); i++) {
		str_format(to, sizeof(to), "/root%s", moved[i]);
		sys_mkdir(to, 0755);
		ret = sys_mount(moved[i], to, NULL, MS_MOVE, NULL);
		if (ret)
			fail("the guest's root has no %s to mount on: %s", moved[i], str_error(ret));
	}
	sys_unlink("/init");
	if (sys_chdir("/root") || sys_mount(".", "/", NULL, MS_MOVE, NULL) || sys_chroot(".") ||
	    sys_chdir("/"))
		fail("cannot enter the guest's root");

	if (conf_get("host", NULL))
		mount_share(conf_get("host", NULL), "/host", MS_RDONLY);
	mount_modules(overlay, index);	/* before a tmpfs covers them */
	if (index >= 0)
		sys_close(index);
	mount_points_mount();
	if (overlay)
		sys_mkdir("/tmp", 01777);
	else
		files_cover();
	mount_tmpfs();
	mount_shares();
	host_name();
	network_setup();
	/* All of SysRq: the user who sends one examines a guest that hangs, and owns it. */
	file_write("/proc/sys/kernel/sysrq", "1");
	sys_call(__NR_prlimit64, 0, RLIMIT_NOFILE, (long)&files, 0, 0, 0);
	sys_call(__NR_umask, 022, 0, 0, 0, 0, 0);
}

/* /proc/mounts writes blank, tab, newline and backslash as three octal digits. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*to++ = (s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0');
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = 0;
}

void unmount_disks(void)
{
	size_t len = 0;
	char *text = file_read("/proc/mounts", &len), *dir, *s;

	/* The last mounted first. */
	while (text && len) {
		while (len && text[len - 1] == '\n')
			text[--len] = 0;
		while (len && text[len - 1] != '\n')
			len--;
		if (!str_after(text + len, "/dev/"))
			continue;
		for (dir = text + len; *dir && *dir != ' '; dir++)
			;
		if (*dir)
			dir++;
		for (s = dir; *s && *s != ' '; s++)
			;
		*s = 0;
		unescape(dir);
		if (sys_umount(dir, 0))
			sys_mount(NULL, dir, NULL, MS_REMOUNT | MS_RDONLY, NULL);
	}
}
