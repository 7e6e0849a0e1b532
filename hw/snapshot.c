// SPDX-License-Identifier: GPL-2.0
/*
 * Snapshots: see kvm/snapshot.h. The file "machine" is a header and then its parts, in
 * the order of enum snapshot_part. Each part is a state (kvm/state.h). The checksums are
 * CRC-32 (IEEE 802.3); they find damage, and are no protection from a forger. So all that is
 * read is checked by whoever uses it. Main thread.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/file.h>
#include <kvm/keep.h>
#include <kvm/life.h>
#include <kvm/log.h>
#include <kvm/snapshot.h>
#include <kvm/vm.h>

struct snapshot_head {
	char magic[8];
	__le32 version;
	__le32 crc;		/* of this header, this member 0 */
	__le64 ram;
	struct {
		__le32 len, crc;
	} part[SNAPSHOT_PARTS];
};

static const char snapshot_magic[8] = "lkvmsnap";

static u32 snapshot_crc(const void *data, size_t len)
{
	const u8 *p = data;
	u32 table[256], crc = ~0U, i, bit;

	for (i = 0; i < 256; i++)
		for (table[i] = i, bit = 0; bit < 8; bit++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
	while (len--)
		crc = crc >> 8 ^ table[(u8)crc ^ *p++];
	return ~crc;
}

static u32 snapshot_head_crc(struct snapshot_head head)
{
	head.crc = (__le32)0;
	return snapshot_crc(&head, sizeof(head));
}

/* Reading */

static int snapshot_bad(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int snapshot_bad(const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_prefixed(LOG_ERROR, name, 0, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* All of @len bytes at @off: 0, or -errno with the message printed. */
static int snapshot_pread(int fd, void *buf, size_t len, off_t off, const char *name)
{
	while (len) {
		ssize_t n = pread(fd, buf, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return snapshot_bad(name, "%s", strerror(errno));
		if (!n)
			return snapshot_bad(name, "it is cut short");
		buf = (char *)buf + n;
		off += n;
		len -= n;
	}
	return 0;
}

static int snapshot_head_read(struct snapshot_head *head, int fd, const char *name)
{
	u64 sum = sizeof(*head);
	unsigned int i;
	struct stat st;
	int ret;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return snapshot_bad(name, "is no file of a snapshot");
	ret = snapshot_pread(fd, head, sizeof(*head), 0, name);
	if (ret)
		return ret;
	if (memcmp(head->magic, snapshot_magic, sizeof(head->magic)))
		return snapshot_bad(name, "is no file of a snapshot");
	if (le32toh(head->version) != SNAPSHOT_VERSION)
		return snapshot_bad(name, "it is of version %u, this lkvm reads version %u",
				    le32toh(head->version), SNAPSHOT_VERSION);
	if (le32toh(head->crc) != snapshot_head_crc(*head))
		return snapshot_bad(name, "its header is damaged");
	for (i = 0; i < SNAPSHOT_PARTS; i++) {
		if (le32toh(head->part[i].len) > SNAPSHOT_PART_MAX)
			return snapshot_bad(name, "part %u has more than %u bytes", i, SNAPSHOT_PART_MAX);
		sum += le32toh(head->part[i].len);
	}
	if (sum != (u64)st.st_size)
		return snapshot_bad(name, "it has %llu bytes, %llu are expected",
				    (unsigned long long)st.st_size, (unsigned long long)sum);
	return 0;
}

int snapshot_read(struct snapshot *snap, int fd, const char *name)
{
	struct snapshot_head head;
	off_t off = sizeof(head);
	unsigned int i;
	int ret = snapshot_head_read(&head, fd, name);

	*snap = (struct snapshot) { .ram = 0 };
	if (ret)
		return ret;
	snap->ram = le64toh(head.ram);
	for (i = 0; !ret && i < SNAPSHOT_PARTS; i++) {
		size_t len = le32toh(head.part[i].len);

		snap->part[i].len = len;
		snap->part[i].data = malloc(len + 1);
		if (!snap->part[i].data)
			ret = snapshot_bad(name, "out of memory");
		if (!ret)
			ret = snapshot_pread(fd, snap->part[i].data, len, off, name);
		if (!ret && snapshot_crc(snap->part[i].data, len) != le32toh(head.part[i].crc))
			ret = snapshot_bad(name, "it is damaged: the checksum of part %u is wrong", i);
		off += len;
	}
	if (ret)
		snapshot_free(snap);
	return ret;
}

void snapshot_free(struct snapshot *snap)
{
	unsigned int i;

	for (i = 0; i < SNAPSHOT_PARTS; i++)
		free(snap->part[i].data);
	for (i = 0; i < snap->nr_text; i++)
		free(snap->text[i]);
	free(snap->text);
	*snap = (struct snapshot) { .ram = 0 };
}

int snapshot_session(const struct snapshot *snap, const struct snapshot_session *session)
{
	struct state *s;
	int ret = state_read(&s, snap->part[SNAPSHOT_SESSION].data, snap->part[SNAPSHOT_SESSION].len);

	if (ret)
		return ret;
	session->state(session->obj, s);
	ret = state_finish(s);
	state_free(s);
	return ret;
}

/* Writing */

static int snapshot_file(struct state *const part[], u64 ram, int fd)
{
	struct snapshot_head head = { .version = (__le32)htole32(SNAPSHOT_VERSION), .ram = (__le64)htole64(ram) };
	off_t off = sizeof(head);
	const void *data;
	unsigned int i;
	size_t len;
	int ret = 0;

	memcpy(head.magic, snapshot_magic, sizeof(head.magic));
	for (i = 0; !ret && i < SNAPSHOT_PARTS; i++) {
		ret = state_written(part[i], &data, &len);
		if (!ret && len > SNAPSHOT_PART_MAX)
			ret = -EFBIG;
		if (ret)
			break;
		head.part[i].len = (__le32)htole32(len);
		head.part[i].crc = (__le32)htole32(snapshot_crc(data, len));
		ret = file_pwrite(fd, data, len, off);
		off += len;
	}
	head.crc = (__le32)htole32(snapshot_head_crc(head));
	/* The header last: a file without one is no snapshot. */
	return ret ? ret : file_pwrite(fd, &head, sizeof(head), 0);
}

static int snapshot_parts(struct vm *vm, const struct snapshot_session *session,
			  struct state *part[SNAPSHOT_PARTS])
{
	struct vm_config cfg = *vm->cfg;
	unsigned int i;
	int ret = 0;

	/* What was removed while the machine ran is not there any more. */
	for (i = cfg.nr_devices = 0; i < vm->cfg->nr_devices; i++)
		if (!vm->cfg->device[i].gone)
			cfg.device[cfg.nr_devices++] = vm->cfg->device[i];
	for (i = 0; !ret && i < SNAPSHOT_PARTS; i++)
		ret = state_write(&part[i], STATE_ALL);
	if (ret) {
		pr_err("snapshot: out of memory");
		return ret;
	}
	ret = snapshot_config_state(&cfg, part[SNAPSHOT_CONFIG], NULL);
	if (!ret)
		ret = session->state(session->obj, part[SNAPSHOT_SESSION]);
	return ret ? ret : vm_state(vm, part[SNAPSHOT_STATE]);
}

/* Everything stands still. */
static int snapshot_held(struct vm *vm, const struct snapshot_session *session, int machine, int ram)
{
	struct state *part[SNAPSHOT_PARTS] = { NULL };
	int pagemap, ret = snapshot_parts(vm, session, part);
	unsigned int i;

	if (!ret && ram < 0) {
		ret = mem_detach(&vm->mem);
		if (ret)
			pr_err("snapshot: RAM: %s", strerror(-ret));
	} else if (!ret) {
		pagemap = keep_fd(vm->cfg->keep, SNAPSHOT_PAGEMAP);
		ret = mem_save(&vm->mem, pagemap, ram);
		if (ret)
			pr_err("snapshot: RAM: %s", ret == -ENOTSUP ? "some of the memory is no RAM" : strerror(-ret));
		if (pagemap >= 0)
			close(pagemap);
	}
	if (!ret) {
		ret = snapshot_file(part, mem_size(&vm->mem), machine);
		if (ret)
			pr_err("snapshot: %s", strerror(-ret));
	}
	for (i = 0; i < SNAPSHOT_PARTS; i++)
		state_free(part[i]);
	return ret;
}

int snapshot_write(struct vm *vm, const struct snapshot_session *session, int machine, int ram)
{
	int ret;

	if (vm_held(vm) & (HOLD_SLEEP | HOLD_DEBUG)) {
		pr_err("snapshot: %s", vm_held(vm) & HOLD_SLEEP ? "the machine is asleep" : "a debugger holds the machine");
		return -EBUSY;
	}
	ret = vm_pause(vm, HOLD_STATE);
	if (ret) {
		pr_err("snapshot: the machine is ending, or a vCPU waits for the host");
		return ret;
	}
	ret = devices_hold(vm);
	if (!ret) {
		ret = snapshot_held(vm, session, machine, ram);
		devices_release(vm);
	}
	vm_release(vm, HOLD_STATE);
	return ret;
}
