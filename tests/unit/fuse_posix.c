// SPDX-License-Identifier: GPL-2.0
/*
 * The FUSE server mounted by the host's own kernel, under the sanitizers: do files
 * behave as the host's do? No guest, so at native speed. Skipped without /dev/fuse.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/types.h>

#include "fuse_mount.h"
#include "scratch.h"
#include "tap.h"

/* "src" as the host has it, "mnt" as the server gives it back. */
static char src[64], mnt[64];
static pid_t server;
static uid_t server_uid;	/* 0: as we are */

static void unmount(void)
{
	if (!server)
		return;
	if (geteuid())
		CHECK(!system("fusermount3 -u -z \"$MNT\""));
	else
		umount2(mnt, MNT_DETACH);
}

static void start(const struct fuse_options *opts)
{
	struct fuse_options o = { .locks = true };
	int fd;

	if (opts)
		o = *opts;
	snprintf(src, sizeof(src), "%s/src", scratch_dir());
	snprintf(mnt, sizeof(mnt), "%s/mnt", scratch_dir());
	setenv("SRC", src, 1);
	setenv("MNT", mnt, 1);
	umask(022);
	mkdir(src, 0755);
	mkdir(mnt, 0755);
	chmod(scratch_dir(), 0755);
	/* Gone with us, however we end. */
	if (!geteuid() && !unshare(CLONE_NEWNS))
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	fd = fuse_mount_open(mnt);
	if (fd < 0)
		SKIP("cannot mount by /dev/fuse: %s", strerror(-fd));
	server = fork();
	CHECK(server >= 0);
	if (!server) {
		if (server_uid && (chown(src, server_uid, server_uid) || setgroups(0, NULL) ||
				   setresgid(server_uid, server_uid, server_uid) ||
				   setresuid(server_uid, server_uid, server_uid) ||
				   prctl(PR_SET_DUMPABLE, 1)))
			exit(2);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		o.dir = src;
		exit(fuse_mount_serve(&o, fd, 4) ? 1 : 0);
	}
	close(fd);
	atexit(unmount);
}

/* Whatever the server has to say, the sanitizers' word included. */
static void stop(void)
{
	int status;

	unmount();
	CHECK_EQ(waitpid(server, &status, 0), server);
	server = 0;
	CHECK_EQ(status, 0);
}

/* The path of @name there, static, the last eight are valid. */
static const char *path(const char *dir, const char *fmt, ...)
{
	static char buf[8][PATH_MAX];
	static unsigned int n;
	char *p = buf[n++ % 8];
	va_list ap;
	int len;

	len = snprintf(p, PATH_MAX, "%s/", dir);
	va_start(ap, fmt);
	vsnprintf(p + len, PATH_MAX - len, fmt, ap);
	va_end(ap);
	return p;
}

static void file(const char *p, const char *content)
{
	int fd = open(p, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, content, strlen(content)), strlen(content));
	CHECK(!close(fd));
}

static const char *content(const char *p)
{
	static char buf[256];
	int fd = open(p, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return strerror(errno);
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	buf[max(n, (ssize_t)0)] = '\0';
	return buf;
}

/* A shell script in $MNT; it fails with its first command that does. */
static void script(const char *text)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (chdir(mnt))
			_exit(99);
		dup2(1, 2);
		execl("/bin/bash", "bash", "-ec", text, NULL);
		_exit(98);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static bool have(const char *program)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "command -v %s >/dev/null 2>&1", program);
	return !system(cmd);
}

static u32 random_below(u32 n)
{
	static u64 x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (x >> 16) % n;
}

/* Data: random operations, compared with what they mean */

#define FSX_MAX	(256 << 10)

static void fsx_check(int fd, const u8 *model, u32 off, u32 len)
{
	static u8 got[FSX_MAX];

	CHECK_EQ(pread(fd, got, len, off), len);
	CHECK_MEM(got, model + off, len);
}

static void fsx(unsigned int ops)
{
	static u8 model[FSX_MAX], data[FSX_MAX], whole[FSX_MAX];
	const char *name = path(mnt, "fsx");
	int fd = open(name, O_RDWR | O_CREAT, 0644), host;
	u32 size = 0, off, len, i;
	struct stat st;
	u8 *map;

	CHECK(fd >= 0);
	memset(model, 0, sizeof(model));
	for (i = 0; i < ops; i++) {
		off = random_below(FSX_MAX - 1);
		len = 1 + random_below(min((u32)FSX_MAX - off, 40000U));
		memset(data, i, len);
		switch (random_below(10)) {
		case 0:
		case 1:
			CHECK_EQ(pwrite(fd, data, len, off), len);
			memcpy(model + off, data, len);
			size = max(size, off + len);
			break;
		case 2:
		case 3:
			if (off < size)
				fsx_check(fd, model, off, min(len, size - off));
			break;
		case 4:
			CHECK(!ftruncate(fd, off));
			if (off < size)
				memset(model + off, 0, size - off);
			size = off;
			break;
		case 5:
		case 6:
			if (!size)
				break;
			map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
			CHECK(map != MAP_FAILED);
			off %= size;
			len = min(len, size - off);
			if (i & 1) {
				memcpy(map + off, data, len);
				memcpy(model + off, data, len);
			} else {
				CHECK_MEM(map + off, model + off, len);
			}
			CHECK(!munmap(map, size));
			break;
		case 7:
			if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len)) {
				CHECK_EQ(errno, EOPNOTSUPP);
				break;
			}
			memset(model + off, 0, len);
			break;
		case 8:
			CHECK(!close(fd));
			fd = open(name, O_RDWR);
			CHECK(fd >= 0);
			break;
		case 9:
			if (i & 1) {
				CHECK(!fsync(fd));
				host = open(path(src, "fsx"), O_RDONLY);
				CHECK_EQ(pread(host, whole, FSX_MAX, 0), size);
				CHECK_MEM(whole, model, size);
				close(host);
			} else if (size) {
				off_t from = off % size, to = random_below(FSX_MAX);
				ssize_t n;

				len = min(len, size - (u32)from);
				len = min(len, FSX_MAX - (u32)to);
				/* No overlap: the system call does not take it. */
				if (from < to + len && to < from + len)
					break;
				n = copy_file_range(fd, &from, fd, &to, len, 0);
				CHECK(n > 0 && n <= len);
				memcpy(model + to - n, model + from - n, n);
				size = max(size, (u32)to);
			}
			break;
		}
		CHECK(!fstat(fd, &st));
		CHECK_EQ(st.st_size, size);
	}
	fsx_check(fd, model, 0, size);
	close(fd);
}

TEST_TIMEOUT(random_operations_on_a_file, 60)
{
	start(NULL);
	fsx(20000);
	stop();
}

TEST_TIMEOUT(random_operations_with_writeback, 60)
{
	struct fuse_options opts = { .writeback = true };

	start(&opts);
	fsx(20000);
	stop();
}

TEST_TIMEOUT(random_operations_without_a_cache, 60)
{
	struct fuse_options opts = { .cache = FUSE_CACHE_NONE };
	int fd;
	void *p;

	start(&opts);
	file(path(mnt, "f"), "x");
	fd = open(path(mnt, "f"), O_RDWR);
	p = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED && errno == ENODEV)
		SKIP("this kernel cannot map without a cache");
	CHECK(!munmap(p, 1));
	close(fd);
	fsx(1000);
	stop();
}

/* Names: random operations, compared with the same on the host */

static int random_names(int dir, u32 seed)
{
	char a[64], b[64];
	u32 x = seed, i;
	int fd, ret;
	static const char *const dirs[] = { "", "d1/", "d2/", "d1/e/" };

	for (i = 0; i < 2; i++) {
		x = x * 1103515245 + 12345;
		snprintf(i ? b : a, sizeof(a), "%s%c", dirs[x >> 16 & 3], 'a' + (x >> 20) % 6);
	}
	switch (seed % 12) {
	case 0:
	case 1:
		fd = ret = openat(dir, a, O_CREAT | O_WRONLY | (seed & 16 ? O_EXCL : 0), 0644);
		if (fd >= 0) {
			ret = write(fd, "x", 1);
			close(fd);
		}
		break;
	case 2:
		ret = mkdirat(dir, seed & 16 ? "d1" : seed & 32 ? "d2" : "d1/e", 0755);
		break;
	case 3:
		ret = unlinkat(dir, a, 0);
		break;
	case 4:
		ret = unlinkat(dir, seed & 16 ? "d1" : seed & 32 ? "d2" : "d1/e", AT_REMOVEDIR);
		break;
	case 5:
	case 6:
		ret = renameat(dir, a, dir, b);
		break;
	case 7:
		ret = renameat2(dir, a, dir, b, seed & 16 ? RENAME_EXCHANGE : RENAME_NOREPLACE);
		break;
	case 8:
		ret = linkat(dir, a, dir, b, 0);
		break;
	case 9:
		ret = symlinkat("target", dir, a);
		break;
	case 10:
		ret = fchmodat(dir, a, 0600 + (seed >> 8 & 077), 0);
		break;
	default:
		ret = renameat(dir, seed & 16 ? "d1" : "d2", dir, seed & 32 ? "d2/z" : "d1/e");
		break;
	}
	return ret < 0 ? -errno : ret;
}

TEST_TIMEOUT(random_names_as_on_the_host, 60)
{
	int host, here, i, want, got;

	start(NULL);
	mkdir(path(src, "t"), 0755);
	mkdir(path(src, "ref"), 0755);
	here = open(path(mnt, "t"), O_RDONLY | O_DIRECTORY);
	host = open(path(src, "ref"), O_RDONLY | O_DIRECTORY);
	CHECK(here >= 0 && host >= 0);
	for (i = 0; i < 40000; i++) {
		u32 seed = random_below(~0U);

		want = random_names(host, seed);
		got = random_names(here, seed);
		if (want != got)
			tap_fail(__FILE__, __LINE__, "operation %u (%u): %d on the host, %d here",
				 seed % 12, seed, want, got);
	}
	close(here);
	close(host);
	script("list() { (cd \"$1\" && find . -printf '%p %y %m %n %s %l\\n' | LC_ALL=C sort); }\n"
	       "diff <(list \"$SRC/ref\") <(list t); diff <(list t) <(list \"$SRC/t\")");
	stop();
}

/* Several at once, on both sides of the server */

struct racer {
	const char *dir;
	unsigned int seed, done;
};

static void *race_thread(void *arg)
{
	struct racer *r = arg;
	unsigned int x = r->seed, i;
	char a[PATH_MAX], b[PATH_MAX], buf[16];
	ssize_t n;
	int fd;

	for (i = 0; i < 1500; i++) {
		x = x * 1103515245 + 12345;
		snprintf(a, sizeof(a), "%s/n%u", r->dir, x >> 16 & 7);
		snprintf(b, sizeof(b), "%s/n%u", r->dir, x >> 20 & 7);
		switch (x >> 24 & 3) {
		case 0:
			fd = open(a, O_CREAT | O_WRONLY | O_EXCL, 0644);
			if (fd < 0)
				break;
			/* All or nothing: nobody sees half of it. */
			CHECK_EQ(write(fd, "0123456789", 10), 10);
			close(fd);
			break;
		case 1:
			rename(a, b);
			break;
		case 2:
			unlink(a);
			break;
		case 3:
			fd = open(a, O_RDONLY);
			if (fd < 0)
				break;
			n = read(fd, buf, sizeof(buf));
			CHECK(n == 0 || n == 10);
			CHECK(!n || !memcmp(buf, "0123456789", 10));
			r->done++;
			close(fd);
			break;
		}
	}
	return NULL;
}

TEST_TIMEOUT(races, 60)
{
	struct racer r[6] = { { mnt, 1, 0 }, { mnt, 2, 0 }, { mnt, 3, 0 }, { mnt, 4, 0 },
			      { src, 5, 0 }, { src, 6, 0 } };
	pthread_t thread[6];
	unsigned int i;

	start(NULL);
	for (i = 0; i < 6; i++)
		CHECK(!pthread_create(&thread[i], NULL, race_thread, &r[i]));
	for (i = 0; i < 6; i++)
		CHECK(!pthread_join(thread[i], NULL));
	CHECK(r[0].done);
	stop();
}

static void *append_thread(void *arg)
{
	volatile bool *stop = arg;
	int fd = open(path(src, "log"), O_WRONLY | O_APPEND | O_CREAT, 0644);

	while (!*stop && write(fd, "line\n", 5) == 5)
		sched_yield();
	close(fd);
	return NULL;
}

static void *open_thread(void *arg)
{
	const char *name = arg;
	int i, fd;

	for (i = 0; i < 1000; i++) {
		fd = open(name, O_RDONLY);
		CHECK(fd >= 0);
		close(fd);
	}
	return NULL;
}

/* A file that never stays the same can be opened all the same. */
TEST_TIMEOUT(a_file_that_grows_all_the_time, 60)
{
	volatile bool end = false;
	pthread_t append, thread[3];
	char name[PATH_MAX];
	int i;

	start(NULL);
	file(path(src, "log"), "");
	snprintf(name, sizeof(name), "%s/log", mnt);
	CHECK(!pthread_create(&append, NULL, append_thread, (void *)&end));
	for (i = 0; i < 3; i++)
		CHECK(!pthread_create(&thread[i], NULL, open_thread, name));
	for (i = 0; i < 3; i++)
		CHECK(!pthread_join(thread[i], NULL));
	end = true;
	CHECK(!pthread_join(append, NULL));
	stop();
}

/* What is open stays */

TEST(open_files_without_a_name)
{
	char buf[16];
	struct stat st;
	int fd, dir;

	start(NULL);
	fd = open(path(mnt, "f"), O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0);
	CHECK(!unlink(path(mnt, "f")));
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_EQ(pread(fd, buf, 3, 0), 3);
	CHECK(!fchmod(fd, 0600));
	CHECK(!ftruncate(fd, 1));
	CHECK(!fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(st.st_size, 1);
	CHECK_EQ(st.st_mode, S_IFREG | 0600);
	close(fd);
	/* A directory that somebody is in, removed here; a file, removed by the host. */
	CHECK(!mkdir(path(mnt, "d"), 0755));
	dir = open(path(mnt, "d"), O_RDONLY | O_DIRECTORY);
	CHECK(!rmdir(path(mnt, "d")));
	CHECK(!fstat(dir, &st));
	CHECK(openat(dir, "x", O_CREAT | O_WRONLY, 0644) < 0);
	CHECK_EQ(errno, ENOENT);
	close(dir);
	file(path(src, "g"), "host");
	fd = open(path(mnt, "g"), O_RDWR);
	CHECK(!unlink(path(src, "g")));
	CHECK_EQ(pread(fd, buf, 4, 0), 4);
	CHECK(!fstat(fd, &st));
	close(fd);
	stop();
}

TEST(files_without_a_name_get_one)
{
	char link[64];
	int fd;

	start(NULL);
	fd = open(mnt, O_TMPFILE | O_RDWR, 0644);
	if (fd < 0 && errno == EOPNOTSUPP)
		SKIP("no O_TMPFILE in this kernel's FUSE");
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "tmp", 3), 3);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	CHECK(!linkat(AT_FDCWD, link, AT_FDCWD, path(mnt, "f"), AT_SYMLINK_FOLLOW));
	close(fd);
	CHECK_STR(content(path(src, "f")), "tmp");
	stop();
}

TEST(names_of_any_kind)
{
	char name[NAME_MAX + 2];
	struct stat st;
	int i;

	start(NULL);
	memset(name, 'n', sizeof(name));
	name[NAME_MAX + 1] = '\0';
	CHECK(open(path(mnt, "%s", name), O_CREAT | O_WRONLY, 0644) < 0);
	CHECK_EQ(errno, ENAMETOOLONG);
	name[NAME_MAX] = '\0';
	file(path(mnt, "%s", name), "long");
	CHECK(!stat(path(src, "%s", name), &st));
	for (i = 1; i < 256; i++) {
		if (i == '/')
			continue;
		name[0] = i;
		name[1] = '\0';
		if (i == '.')
			strcpy(name, "..a");
		file(path(mnt, "%s", name), name);
		CHECK_STR(content(path(src, "%s", name)), name);
	}
	script("[ $(ls -A | wc -l) = $(ls -A \"$SRC\" | wc -l) ]; rm -rf -- * ..a; [ -z \"$(ls -A)\" ]");
	stop();
}

TEST(attributes_and_lists)
{
	char list[256];

	start(NULL);
	file(path(mnt, "f"), "x");
	if (setxattr(path(src, "f"), "user.try", "1", 1, 0))
		SKIP("no extended attributes here");
	CHECK(!setxattr(path(mnt, "f"), "user.a", "one", 3, XATTR_CREATE));
	CHECK(setxattr(path(mnt, "f"), "user.a", "one", 3, XATTR_CREATE));
	CHECK_EQ(errno, EEXIST);
	CHECK_EQ(getxattr(path(src, "f"), "user.a", list, sizeof(list)), 3);
	CHECK_EQ(getxattr(path(mnt, "f"), "user.a", NULL, 0), 3);
	CHECK_EQ(getxattr(path(mnt, "f"), "user.a", list, 2), -1);
	CHECK_EQ(errno, ERANGE);
	CHECK(listxattr(path(mnt, "f"), list, sizeof(list)) >= 16);
	CHECK(!removexattr(path(mnt, "f"), "user.a"));
	CHECK_EQ(getxattr(path(src, "f"), "user.a", list, sizeof(list)), -1);
	stop();
}

TEST(access_control_lists)
{
	start(NULL);
	if (!have("setfacl"))
		SKIP("no setfacl");
	if (geteuid())
		SKIP("needs root");
	script("setfacl -m u:12345:rx \"$SRC\" 2>/dev/null || exit 0\n"
	       "mkdir d && setfacl -d -m u:12345:rwx,g::rx,o::- d\n"
	       "umask 077; touch d/f; mkdir d/e\n"
	       "diff <(getfacl -cp d/f) <(getfacl -cp \"$SRC/d/f\")\n"
	       "getfacl -cp d/f | grep -q user:12345:rwx\n"
	       "getfacl -cp d/e | grep -q default:user:12345:rwx\n"
	       /* ...as the host's own do: the mask of the default counts, the umask does not. */
	       "mkdir \"$SRC/h\"; setfacl -d -m u:12345:rwx,g::rx,o::- \"$SRC/h\"; touch \"$SRC/h/f\"\n"
	       "diff <(getfacl -cp d/f) <(getfacl -cp \"$SRC/h/f\")\n"
	       /* They are checked. */
	       "umask 022; echo secret > s; chmod 600 s; chmod 755 .\n"
	       "! setpriv --reuid 12345 --clear-groups cat s 2>/dev/null\n"
	       "setfacl -m u:12345:r s; [ \"$(setpriv --reuid 12345 --clear-groups cat s)\" = secret ]\n");
	stop();
}

TEST(modes_and_owners)
{
	start(NULL);
	script("umask 027; mkdir d; touch f; mkfifo p; [ \"$(stat -c %a d f p)\" = $'750\\n640\\n640' ]\n"
	       "chmod 4755 f; [ $(stat -c %a f) = 4755 ]; ln -s f l; [ $(stat -c %N l | grep -c f) = 1 ]\n");
	if (!geteuid())
		script("chown 1234:5678 f; [ $(stat -c %u:%g \"$SRC/f\") = 1234:5678 ]; chmod 6755 f\n"
		       "chown 1234 .; chmod 6757 f\n"
		       "setpriv --reuid 1234 --regid 99 --clear-groups touch mine\n"
		       "[ $(stat -c %u:%g mine) = 1234:99 ]\n"
		       /* A write by somebody else ends set-user-ID; here that shows within a second. */
		       "chmod o+w f; setpriv --reuid 4321 --clear-groups sh -c 'echo x >> f'\n"
		       "[ $(stat -c %a \"$SRC/f\") = 757 ]\n"
		       /* Sticky directories, and those that hand down their group. */
		       "chmod 1777 d; setpriv --reuid 1234 --clear-groups touch d/a\n"
		       "! setpriv --reuid 4321 --clear-groups rm -f d/a 2>/dev/null\n"
		       "chgrp 42 d; chmod 2777 d; setpriv --reuid 1234 --regid 99 --clear-groups mkdir d/s\n"
		       "[ $(stat -c %g:%a d/s) = 42:2755 ]\n");
	stop();
}

TEST(times)
{
	struct timespec ts[2] = { { 1000000000, 123456789 }, { 1100000000, 987654321 } };
	struct stat here, host;

	start(NULL);
	file(path(mnt, "f"), "x");
	CHECK(!utimensat(AT_FDCWD, path(mnt, "f"), ts, 0));
	CHECK(!stat(path(mnt, "f"), &here));
	CHECK(!stat(path(src, "f"), &host));
	CHECK_EQ(here.st_mtim.tv_sec, 1100000000);
	CHECK_EQ(here.st_mtim.tv_nsec, host.st_mtim.tv_nsec);
	CHECK_EQ(here.st_atim.tv_sec, 1000000000);
	CHECK_EQ(here.st_ctim.tv_nsec, host.st_ctim.tv_nsec);
	CHECK_EQ(here.st_ino, host.st_ino);
	stop();
}

TEST(holes)
{
	int fd;

	start(NULL);
	fd = open(path(mnt, "f"), O_RDWR | O_CREAT, 0644);
	CHECK_EQ(pwrite(fd, "x", 1, 1 << 20), 1);
	CHECK(!ftruncate(fd, 4 << 20));
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 1 << 20);
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
	CHECK_EQ(lseek(fd, 2 << 20, SEEK_DATA), -1);
	CHECK_EQ(errno, ENXIO);
	close(fd);
	script("cp --sparse=always --reflink=never f g; cmp f g; [ $(stat -c %b g) -le $(stat -c %b f) ]");
	stop();
}

/* Who appends, here and on the host */
TEST(appending)
{
	int here, host, i;

	start(NULL);
	here = open(path(mnt, "f"), O_WRONLY | O_CREAT | O_APPEND, 0644);
	host = open(path(src, "f"), O_WRONLY | O_APPEND);
	for (i = 0; i < 4; i++)
		CHECK_EQ(write(i & 1 ? host : here, i & 1 ? "b" : "a", 1), 1);
	close(here);
	close(host);
	CHECK_STR(content(path(src, "f")), "abab");
	stop();
}

static void append_lines(const char *dir, char c, unsigned int lines)
{
	int fd = open(path(dir, "log"), O_WRONLY | O_APPEND | O_CREAT, 0644);
	char line[10];

	CHECK(fd >= 0);
	memset(line, c, sizeof(line));
	line[sizeof(line) - 1] = '\n';
	while (lines--)
		CHECK_EQ(write(fd, line, sizeof(line)), sizeof(line));
	close(fd);
}

static void *append_here(void *arg)
{
	append_lines(mnt, 'g', 20000);
	return NULL;
}

/* Lines of two who append to a file are whole, wherever its pages end. */
TEST_TIMEOUT(appending_on_both_sides, 60)
{
	pthread_t thread;
	unsigned int i, n = 0, torn = 0;
	char line[10];
	FILE *log;

	start(NULL);
	file(path(src, "log"), "");
	CHECK(!pthread_create(&thread, NULL, append_here, NULL));
	append_lines(src, 'h', 20000);
	CHECK(!pthread_join(thread, NULL));
	log = fopen(path(src, "log"), "r");
	CHECK(log);
	while (fread(line, sizeof(line), 1, log)) {
		for (i = 1; i < 9 && line[i] == line[0]; i++)
			;
		torn += i < 9 || line[9] != '\n';
		n++;
	}
	fclose(log);
	CHECK_EQ(n, 40000);
	CHECK_EQ(torn, 0);
	stop();
}

/* Who reads what is appended to reads all of it: one that has it open, and one that opens it. */
TEST(what_is_appended_is_read)
{
	char line[16], want[24];
	int fd, log, i;

	start(NULL);
	file(path(mnt, "log"), "line 000\n");
	fd = open(path(mnt, "log"), O_RDONLY);
	CHECK_EQ(read(fd, line, 16), 9);
	for (i = 1; i < 600; i++) {
		log = open(path(mnt, "log"), O_WRONLY | O_APPEND);
		snprintf(want, sizeof(want), "line %03d\n", i);
		CHECK_EQ(write(log, want, 9), 9);
		CHECK_EQ(read(fd, line, 16), 9);
		CHECK_MEM(line, want, 9);
		close(log);
	}
	close(fd);
	script("[ $(wc -l < log) = 600 ]; cmp log \"$SRC/log\"");
	stop();
}

/* chattr +a: the host lets go by only if it is told that nothing is overwritten. */
TEST(what_may_only_be_appended_to)
{
	int fd;

	start(NULL);
	file(path(src, "log"), "1\n");
	if (system("chattr +a \"$SRC/log\" 2>/dev/null"))
		SKIP("no chattr +a here");
	fd = open(path(mnt, "log"), O_WRONLY);
	CHECK(fd < 0);
	CHECK_EQ(errno, EPERM);
	fd = open(path(mnt, "log"), O_WRONLY | O_APPEND);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "2\n", 2), 2);
	CHECK_STR(content(path(mnt, "log")), "1\n2\n");
	/* Natively this is refused to the program already. */
	CHECK(!fcntl(fd, F_SETFL, 0));
	CHECK(pwrite(fd, "X", 1, 0) < 0);
	CHECK_EQ(errno, EPERM);
	close(fd);
	CHECK(!system("chattr -a \"$SRC/log\""));
	stop();
}

/* An access mode of its own: neither to read nor to write. */
TEST(open_for_ioctl)
{
	char c;
	int fd;

	start(NULL);
	file(path(src, "f"), "x");
	fd = open(path(mnt, "f"), 3);
	CHECK(fd >= 0);
	CHECK(read(fd, &c, 1) < 0);
	CHECK_EQ(errno, EBADF);
	CHECK(write(fd, "y", 1) < 0);
	CHECK_EQ(errno, EBADF);
	CHECK(ftruncate(fd, 0) < 0);
	close(fd);
	fd = open(path(mnt, "g"), 3 | O_CREAT, 0644);
	CHECK(fd >= 0);
	close(fd);
	stop();
}

TEST(readonly)
{
	struct fuse_options opts = { .readonly = true };

	start(&opts);
	file(path(src, "f"), "x");
	CHECK_STR(content(path(mnt, "f")), "x");
	CHECK(open(path(mnt, "f"), O_WRONLY) < 0);
	CHECK_EQ(errno, EROFS);
	CHECK(unlink(path(mnt, "f")) < 0);
	CHECK_EQ(errno, EROFS);
	CHECK(mkdir(path(mnt, "d"), 0755) < 0);
	CHECK_EQ(errno, EROFS);
	/* Locks are among those who see it so: the host's files stay free. */
	script("exec 9<f; flock -n 9; ! flock -n f true; flock -n \"$SRC/f\" true");
	stop();
}

/*
 * As the root below a guest's overlay, without privilege: what may not be read may be
 * opened, and is without flags, so that an empty file (a lock) can be copied up.
 */
TEST(a_root_that_may_not_all_be_read)
{
	struct fuse_options opts = { .cache = FUSE_CACHE_ALWAYS, .readonly = true };
	char c;
	int fd;

	if (geteuid())
		SKIP("needs root");
	server_uid = 12345;
	start(&opts);
	file(path(src, "secret"), "x");
	CHECK(!chmod(path(src, "secret"), 0600));
	file(path(src, "f"), "hello");
	fd = open(path(mnt, "secret"), O_RDONLY);
	CHECK(fd >= 0);
	CHECK(read(fd, &c, 1) < 0);
	CHECK_EQ(errno, EACCES);
	CHECK(ioctl(fd, FS_IOC_GETFLAGS, &c) < 0);
	CHECK_EQ(errno, ENOTTY);
	CHECK(listxattr(path(mnt, "secret"), NULL, 0) >= 0);
	close(fd);
	CHECK_STR(content(path(mnt, "f")), "hello");
	CHECK(open(path(mnt, "f"), O_WRONLY | O_TRUNC) < 0 || truncate(path(mnt, "f"), 0));
	CHECK_STR(content(path(src, "f")), "hello");
	CHECK(open(path(mnt, "new"), O_WRONLY | O_CREAT, 0644) < 0);
	stop();
}

/* Of a server without privilege: what it makes is its user's, and no more is allowed than that. */
TEST(an_ordinary_users_server)
{
	struct stat st;

	if (geteuid())
		SKIP("needs root");
	server_uid = 12345;
	start(NULL);
	file(path(src, "secret"), "x");
	CHECK(!chmod(path(src, "secret"), 0600));
	/* As root here, which is nobody there. */
	file(path(mnt, "f"), "x");
	CHECK(!stat(path(src, "f"), &st));
	CHECK_EQ(st.st_uid, 12345);
	CHECK_EQ(st.st_gid, 12345);
	CHECK(chown(path(mnt, "f"), 0, 0));
	CHECK_EQ(errno, EPERM);
	CHECK(open(path(mnt, "secret"), O_RDONLY) < 0);
	CHECK_EQ(errno, EACCES);
	CHECK(!chmod(path(mnt, "f"), 0640));
	CHECK(!setxattr(path(mnt, "f"), "user.a", "1", 1, 0) || errno == EOPNOTSUPP);
	script("mkdir d; mkfifo d/p; ln -s x d/l; ln f d/h; mv d e; touch -d @7 e; rm -r e; umask 027; mkdir g\n"
	       "[ $(stat -c %a g) = 750 ]; flock f true; cp f k; cmp f k; chmod 644 k; setpriv --reuid 77 --clear-groups cat k >/dev/null\n");
	stop();
}

/* Coherence */

static void wait_until(const char *p, const char *want)
{
	while (strcmp(content(p), want))
		poll(NULL, 0, 20);
}

TEST(what_the_host_changes_is_seen)
{
	struct stat st;
	int i;

	start(NULL);
	file(path(src, "f"), "one");
	CHECK_STR(content(path(mnt, "f")), "one");
	/* Close-to-open: at once, also if it is longer or shorter or as long. */
	for (i = 0; i < 20; i++) {
		char text[64];

		snprintf(text, sizeof(text), "%0*d", 1 + i * 7 % 20, i);
		file(path(src, "f"), text);
		CHECK_STR(content(path(mnt, "f")), text);
	}
	/* Another file by the same name. */
	file(path(src, "g"), "replaced");
	CHECK(!rename(path(src, "g"), path(src, "f")));
	wait_until(path(mnt, "f"), "replaced");
	/* What was not there, is; what was, is not; attributes: within a second. */
	CHECK_STR(content(path(mnt, "new")), "No such file or directory");
	file(path(src, "new"), "here");
	wait_until(path(mnt, "new"), "here");
	CHECK(!unlink(path(src, "new")));
	wait_until(path(mnt, "new"), "No such file or directory");
	CHECK(!stat(path(mnt, "f"), &st));
	CHECK(!chmod(path(src, "f"), 0600));
	for (i = 0; i < 100 && !stat(path(mnt, "f"), &st) && st.st_mode != (S_IFREG | 0600); i++)
		poll(NULL, 0, 20);
	CHECK_EQ(st.st_mode, S_IFREG | 0600);
	stop();
}

TEST(what_is_changed_here_is_seen_on_the_host)
{
	int fd;

	start(NULL);
	fd = open(path(mnt, "f"), O_RDWR | O_CREAT, 0644);
	CHECK_EQ(write(fd, "one", 3), 3);
	CHECK_STR(content(path(src, "f")), "one");	/* not only when it is closed */
	CHECK(!ftruncate(fd, 1));
	CHECK_STR(content(path(src, "f")), "o");
	CHECK(!rename(path(mnt, "f"), path(mnt, "g")));
	CHECK_STR(content(path(src, "g")), "o");
	close(fd);
	stop();
}

TEST(without_a_cache_everything_is_seen_at_once)
{
	struct fuse_options opts = { .cache = FUSE_CACHE_NONE };
	struct stat st;
	int fd;
	char c;

	start(&opts);
	file(path(src, "f"), "1");
	fd = open(path(mnt, "f"), O_RDONLY);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, '1');
	file(path(src, "f"), "2");
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, '2');
	CHECK(access(path(mnt, "new"), F_OK));
	file(path(src, "new"), "x");
	CHECK(!access(path(mnt, "new"), F_OK));
	CHECK(!chmod(path(src, "f"), 0600));
	CHECK(!stat(path(mnt, "f"), &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0600);
	close(fd);
	stop();
}

TEST(with_always_nothing_is_asked_twice)
{
	struct fuse_options opts = { .cache = FUSE_CACHE_ALWAYS, .readonly = true };

	start(&opts);
	file(path(src, "f"), "1");
	CHECK_STR(content(path(mnt, "f")), "1");
	CHECK(access(path(mnt, "new"), F_OK));
	file(path(src, "f"), "2");
	file(path(src, "new"), "x");
	poll(NULL, 0, 1200);
	CHECK_STR(content(path(mnt, "f")), "1");
	CHECK(access(path(mnt, "new"), F_OK));
	stop();
}

/* Locks */

/* A program that an ordinary user has written to runs as that user, whatever is remembered. */
TEST(privileges_end_with_a_write_in_every_mode)
{
	static const enum fuse_cache caches[] = { FUSE_CACHE_AUTO, FUSE_CACHE_ALWAYS, FUSE_CACHE_NONE };
	unsigned int i;

	if (geteuid())
		SKIP("not as root");
	for (i = 0; i < ARRAY_SIZE(caches); i++) {
		struct fuse_options opts = { .cache = caches[i] };

		start(&opts);
		script("run() { setpriv --reuid 1000 --regid 1000 --clear-groups \"$@\"; }\n"
		       "same() { [ \"$1\" = \"$2\" ] || { echo \"$3: $1, not $2\"; exit 1; }; }\n"
		       "for how in 'echo >> f' 'fallocate -n -o 1m -l 1 f' 'fallocate -p -o 1m -l 1 f'; do\n"
		       "	rm -f f; cp /usr/bin/id f; chmod 6777 f\n"
		       "	same \"$(run ./f -u)\" 0 before\n"
		       "	run sh -c \"$how\"\n"
		       "	same \"$(run ./f -u)\" 1000 \"$how\"\n"
		       "	same \"$(stat -c %a f \"$SRC/f\")\" $'777\\n777' \"$how\"\n"
		       "done");
		stop();
	}
}

TEST(locks_between_here_and_the_host)
{
	struct flock fl = { .l_type = F_WRLCK, .l_start = 0, .l_len = 10 };
	int here, host;

	start(NULL);
	file(path(mnt, "f"), "0123456789");
	here = open(path(mnt, "f"), O_RDWR);
	host = open(path(src, "f"), O_RDWR);
	CHECK(!fcntl(here, F_SETLK, &fl));
	fl.l_type = F_RDLCK;
	CHECK(fcntl(host, F_OFD_SETLK, &fl) < 0);
	fl.l_type = F_UNLCK;
	CHECK(!fcntl(here, F_SETLK, &fl));
	fl.l_type = F_WRLCK;
	CHECK(!fcntl(host, F_OFD_SETLK, &fl));
	CHECK(fcntl(here, F_SETLK, &fl) < 0);
	fl.l_type = F_UNLCK;
	CHECK(!fcntl(host, F_OFD_SETLK, &fl));
	CHECK(!flock(here, LOCK_EX));
	CHECK(flock(host, LOCK_EX | LOCK_NB) < 0);
	close(here);
	/* RELEASE comes a moment later. */
	CHECK(!flock(host, LOCK_EX));
	close(host);
	stop();
}

/* Two processes that wait for each other: the one that comes second is told. */
TEST(a_deadlock_of_locks_is_told)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	int fd, status, ready[2];
	pid_t pid;
	char c;

	start(NULL);
	CHECK(!pipe(ready));
	fd = open(path(mnt, "f"), O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0);
	CHECK(!fcntl(fd, F_SETLKW, &lock));
	pid = fork();
	if (!pid) {
		lock.l_start = 10;
		CHECK(!fcntl(fd, F_SETLKW, &lock));
		CHECK_EQ(write(ready[1], "x", 1), 1);
		lock.l_start = 0;
		/* Either of us; the other one gets the lock then. */
		status = fcntl(fd, F_SETLKW, &lock);
		_exit(status ? errno : 0);
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	lock.l_start = 10;
	if (fcntl(fd, F_SETLKW, &lock)) {
		CHECK_EQ(errno, EDEADLK);
		lock.l_start = 0;
		lock.l_type = F_UNLCK;
		CHECK(!fcntl(fd, F_SETLK, &lock));
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(status, 0);
	} else {
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(WEXITSTATUS(status), EDEADLK);
	}
	close(fd);
	stop();
}

static void on_alarm(int sig)
{
}

TEST(waiting_for_a_lock_ends_with_a_signal)
{
	struct itimerval every = { .it_value.tv_usec = 50000, .it_interval.tv_usec = 50000 };
	struct sigaction sa = { .sa_handler = on_alarm };	/* no SA_RESTART */
	struct flock fl = { .l_type = F_WRLCK };
	int here, host;

	start(NULL);
	file(path(mnt, "f"), "x");
	here = open(path(mnt, "f"), O_RDWR);
	host = open(path(src, "f"), O_RDWR);
	CHECK(!fcntl(host, F_OFD_SETLK, &fl));
	CHECK(!flock(host, LOCK_EX));
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	CHECK(fcntl(here, F_SETLKW, &fl) < 0);
	CHECK_EQ(errno, EINTR);
	CHECK(flock(here, LOCK_EX) < 0);
	CHECK_EQ(errno, EINTR);
	memset(&every, 0, sizeof(every));
	setitimer(ITIMER_REAL, &every, NULL);
	close(host);
	CHECK(!fcntl(here, F_SETLKW, &fl));
	close(here);
	stop();
}

/* What people do */

TEST_TIMEOUT(tar_there_and_back, 60)
{
	start(NULL);
	if (!have("tar"))
		SKIP("no tar");
	script("mkdir t && cd t\n"
	       "echo file > f; ln f hard; ln -s f soft; ln -s /nowhere dangling; mkfifo fifo\n"
	       "mkdir -p a/b/c; dd if=/dev/urandom of=a/big bs=64k count=20 2>/dev/null\n"
	       "truncate -s 10M sparse; printf x | dd of=sparse seek=5000000 bs=1 conv=notrunc 2>/dev/null\n"
	       "touch $'new\\nline' $'\\xff\\xfe'; touch -d '2001-02-03 04:05:06.789' f; chmod 1777 a/b; chmod 4711 a/big\n"
	       "[ $(id -u) != 0 ] || { mknod null c 1 3; mknod blk b 7 0; chown 77:88 a/b/c; chown -h 5:6 soft; }\n"
	       "python3 - <<'E' || :\nimport socket; socket.socket(socket.AF_UNIX).bind('sock')\nE\n"
	       "cd ..; tar cSf t.tar t 2>/dev/null; mkdir back; tar xSpf t.tar -C back\n"
	       "list() { (cd \"$1\" && find . ! -type s -printf '%p %y %m %U:%G %s %l %T@ %n\\n' | sed 's/ [^ ]* \\([0-9]*\\)$/ \\1/' |\n"
	       "  LC_ALL=C sort); }\n"
	       "sums() { (cd \"$1\" && find . -type f -exec cksum {} + | LC_ALL=C sort); }\n"
	       "diff <(list t) <(list back/t); diff <(sums t) <(sums back/t)\n"
	       "diff <(list t) <(list \"$SRC/t\"); cmp t/a/big \"$SRC/back/t/a/big\"; rm -rf t back; [ \"$(ls)\" = t.tar ]\n");
	stop();
}

TEST_TIMEOUT(git, 60)
{
	start(NULL);
	if (!have("git"))
		SKIP("no git");
	script("export HOME=$PWD GIT_CONFIG_NOSYSTEM=1; git init -q a; cd a; git config user.email a@b; git config user.name n\n"
	       "for i in $(seq 100); do echo $i > f$i; done; git add .; git commit -qm 1\n"
	       "git mv f1 g1; echo x >> f2; git commit -qam 2; cd ..; git clone -q a b; cd b\n"
	       "[ -z \"$(git status --short)\" ]; git gc -q; git fsck --strict; echo y >> f3\n"
	       "[ \"$(git status --short)\" = ' M f3' ]; git stash -q; git checkout -q HEAD~1; [ -e f1 ]\n"
	       "cd \"$SRC/b\"; [ -z \"$(git status --short)\" ]\n");
	stop();
}

TEST_TIMEOUT(make_, 100)
{
	start(NULL);
	if (!have("make") || access("Makefile", R_OK) || access("util/opt.c", R_OK))
		SKIP("not in the source");
	CHECK(!system("cp -r Makefile config include util tests builtin virtio hw x86 \"$SRC\" 2>/dev/null; rm -rf \"$SRC\"/tests/build;"
		      "find \"$SRC\" -name '*.[oda]' -delete"));
	script("unset MAKEFLAGS MAKELEVEL O; make -s util/opt.o util/loop.o util/undo.o hw/bus.o\n"
	       "[ -z \"$(make -s util/opt.o util/loop.o)\" ]; cmp util/opt.o \"$SRC/util/opt.o\"\n"
	       "touch util/opt.c; make util/opt.o | grep -q opt.o\n");
	stop();
}

/* All that its authors could think of, a second each. It is to find nothing wrong, and to end. */
TEST_TIMEOUT(stress_ng, 150)
{
	if (!getenv("LKVM_TEST_LONG"))
		SKIP("it takes a minute: make check-long");
	start(NULL);
	if (!have("stress-ng"))
		SKIP("no stress-ng");
	/* Each of the directories that it is in is open, and takes two descriptors here. */
	script("stress-ng --class filesystem --seq 1 -x binderfs -t 1 --verify --chdir-dirs 500 --temp-path . >out 2>&1 ||\n"
	       "{ cat out; exit 1; }\n");
	stop();
}

TEST(programs_run_from_there)
{
	start(NULL);
	script("cp /bin/sh prog; cp -L $(command -v cat) cat2; ./prog -c './cat2 /proc/self/cmdline' | grep -q cat2\n"
	       /* Its end must not keep it busy. */
	       "cp /bin/true t; ./t; cp -f /bin/true t; ./t; \"$SRC/t\"\n");
	stop();
}

/* Many files: descriptors and memory stay within bounds */
TEST_TIMEOUT(many_files, 100)
{
	unsigned int files = getenv("FUSE_FILES") ? atoi(getenv("FUSE_FILES")) : 20000, i, n = 0;
	char cmd[256], dir[PATH_MAX];
	FILE *f;

	start(NULL);
	for (i = 0; i < files; i++) {
		if (i % 100 == 0) {
			snprintf(dir, sizeof(dir), "%s", path(src, "d%u", i / 100));
			mkdir(dir, 0755);
		}
		CHECK(!mknod(path(dir, "f%u", i), S_IFREG | 0644, 0));
	}
	snprintf(cmd, sizeof(cmd), "find \"$MNT\" -type f -size 0 -printf . | wc -c");
	f = popen(cmd, "r");
	CHECK(f && fscanf(f, "%u", &n) == 1);
	pclose(f);
	CHECK_EQ(n, files);
	snprintf(cmd, sizeof(cmd), "ls /proc/%d/fd | wc -l", server);
	f = popen(cmd, "r");
	CHECK(f && fscanf(f, "%u", &n) == 1);
	pclose(f);
	tap_note("%u files: %u descriptors", files, n);
	CHECK(n < 17000);
	CHECK(n < files / 100 + 100);
	script("rm -rf d*; [ -z \"$(ls)\" ]");
	stop();
}
