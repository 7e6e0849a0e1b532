// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz what reads the file "machine" of a snapshot: as it is; and with a header and
 * checksums that are right, so that what the parts say is looked at. What was read
 * can be written, and is the same when it is read again.
 */
#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kvm/log.h>
#include <kvm/session.h>
#include <kvm/snapshot.h>

#include "fuzz_input.h"

struct head {
	char magic[8];
	uint32_t version, crc;
	uint64_t ram;
	struct {
		uint32_t len, crc;
	} part[SNAPSHOT_PARTS];
};

static uint32_t crc32(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t crc = ~0U;

	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static void again(const struct vm_config *cfg, struct snapshot *snap)
{
	struct vm_config copy = *cfg, back = { .name = "back" };
	struct state *s, *r;
	const void *data;
	size_t len;

	require(!state_write(&s, STATE_ALL), "no memory");
	require(!snapshot_config_state(&copy, s, NULL), "what was read cannot be written");
	require(!state_written(s, &data, &len), "what was read cannot be written");
	require(!state_read(&r, data, len), "what was written cannot be read");
	require(!snapshot_config_state(&back, r, snap) && !state_finish(r), "what was written cannot be read");
	require(back.cpus == cfg->cpus && back.mem == cfg->mem && back.nr_devices == cfg->nr_devices, "it is another");
	state_free(r);
	state_free(s);
}

static void use(int fd)
{
	struct session_guest guest = { .tty = false };
	const struct snapshot_session session = { .state = session_guest_state, .obj = &guest };
	struct vm_config *cfg = calloc(1, sizeof(*cfg));
	struct snapshot snap;

	if (cfg && !snapshot_read(&snap, fd, "machine")) {
		if (!snapshot_config(&snap, cfg))
			again(cfg, &snap);
		snapshot_session(&snap, &session);
		snapshot_free(&snap);
	}
	free(cfg);
}

/* The first four bytes are the lengths of two parts, and the rest is the third. */
static void make(int fd, const uint8_t *data, size_t len)
{
	struct head head = { .magic = "lkvmsnap", .version = htole32(SNAPSHOT_VERSION), .ram = htole64(16 << 20) };
	size_t at = 4;

	for (int i = 0; i < SNAPSHOT_PARTS; i++) {
		size_t n = i == SNAPSHOT_STATE ? len : (size_t)(data[2 * i] | data[2 * i + 1] << 8);

		if (n > len - at)
			n = len - at;
		head.part[i].len = htole32(n);
		head.part[i].crc = htole32(crc32(data + at, n));
		at += n;
	}
	head.crc = htole32(crc32(&head, sizeof(head)));
	require(write(fd, &head, sizeof(head)) == sizeof(head) && write(fd, data + 4, len - 4) == (ssize_t)len - 4,
		"the file cannot be written");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int raw = memfd_create("raw", 0), made = memfd_create("made", 0);

	log_set_level(LOG_ERROR - 1);
	require(raw >= 0 && made >= 0, "no file");
	require(write(raw, data, len) == (ssize_t)len, "the file cannot be written");
	use(raw);
	if (len >= 4) {
		make(made, data, len);
		use(made);
	}
	close(raw);
	close(made);
	return 0;
}
