// SPDX-License-Identifier: GPL-2.0
/*
 * What crosses a wire, as a pcapng file (draft-ietf-opsawg-pcapng). A block is written by
 * one system call to the end of the file, so that readers see whole ones while it grows, and
 * cards share the file. Checksums that the sender left undone are done. A frame that was
 * left uncut stays so, and has a comment that says into what it is to be cut.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/log.h>

#include "capture.h"
#include "frame.h"

#define BLOCK_SECTION	0x0a0d0d0a
#define BLOCK_INTERFACE	1
#define BLOCK_PACKET	6
#define SECTION_MAGIC	0x1a2b3c4d
#define LINK_ETHERNET	1

enum { PCAP_END = 0, PCAP_COMMENT = 1, PCAP_IF_NAME = 2, PCAP_PACKET_FLAGS = 2, PCAP_IF_RESOLUTION = 9 };
enum { FLAG_INBOUND = 1, FLAG_OUTBOUND = 2 };

struct capture {
	int fd;
	u32 id;				/* of the interface in the file */
	atomic_bool failed;
	u8 *frame[NET_PAIRS_MAX];	/* [NET_FRAME_MAX] each, allocated when the pair has its first frame */
};

/* A block that is being made: 32-bit words in the host's order. */
struct block {
	u8 data[256];
	size_t len;
};

static void block_put(struct block *b, const void *data, size_t len)
{
	if (len)
		memcpy(b->data + b->len, data, len);
	memset(b->data + b->len + len, 0, -len & 3);
	b->len += ALIGN(len, 4);
}

static void block_word(struct block *b, u32 word)
{
	block_put(b, &word, sizeof(word));
}

static void block_option(struct block *b, u16 code, const void *data, u16 len)
{
	u16 head[2] = { code, len };

	block_put(b, head, sizeof(head));
	block_put(b, data, len);
}

/* Write @head, @len bytes of @data, and @tail, to which the length is added. 0 or -errno. */
static int block_write(int fd, struct block *head, const void *data, size_t len, struct block *tail)
{
	static const u8 zero[4];
	u32 total = head->len + ALIGN(len, 4) + tail->len + 4;
	struct iovec iov[4] = {
		{ head->data, head->len }, { (void *)data, len }, { (void *)zero, -len & 3 }, { tail->data, tail->len + 4 },
	};
	ssize_t n;

	memcpy(head->data + 4, &total, 4);
	block_word(tail, total);
	n = writev(fd, iov, ARRAY_SIZE(iov));
	return n < 0 ? -errno : n < (ssize_t)total ? -ENOSPC : 0;
}

static int capture_section(int fd)
{
	struct block b = { .len = 0 }, tail = { .len = 0 };
	u64 length = ~0ULL;		/* of the section: not known */
	u16 version[2] = { 1, 0 };

	block_word(&b, BLOCK_SECTION);
	block_word(&b, 0);
	block_word(&b, SECTION_MAGIC);
	block_put(&b, version, sizeof(version));
	block_put(&b, &length, sizeof(length));
	return block_write(fd, &b, NULL, 0, &tail);
}

static int capture_interface(int fd, const char *name)
{
	struct block b = { .len = 0 }, tail = { .len = 0 };
	u16 link[2] = { LINK_ETHERNET, 0 };
	u8 resolution = 9;		/* 10^-9 s */

	block_word(&b, BLOCK_INTERFACE);
	block_word(&b, 0);
	block_put(&b, link, sizeof(link));
	block_word(&b, 0);		/* frames are whole, however long */
	block_option(&b, PCAP_IF_NAME, name, strlen(name));
	block_option(&b, PCAP_IF_RESOLUTION, &resolution, 1);
	block_option(&b, PCAP_END, NULL, 0);
	return block_write(fd, &b, NULL, 0, &tail);
}

int net_capture_open(const char *path, struct opt_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666), ret;
	struct stat st;

	if (fd < 0)
		return net_bad(err, -errno, "%s: %s", path, strerror(errno));
	/* Nothing else takes a block as a whole without making the card wait. */
	ret = fstat(fd, &st) ? -errno : S_ISREG(st.st_mode) ? capture_section(fd) : -EINVAL;
	if (!ret)
		return fd;
	close(fd);
	return net_bad(err, ret, "%s: %s", path, ret == -EINVAL ? "it has to be a regular file, which others can read while it grows" :
		       log_reason(ret));
}

int net_capture(struct net *n, int fd, unsigned int id, const char *name)
{
	struct capture *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return -ENOMEM;
	c->id = id;
	c->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	ret = c->fd < 0 ? -errno : capture_interface(fd, name);
	if (!ret) {
		n->capture = c;
		return 0;
	}
	if (c->fd >= 0)
		close(c->fd);
	free(c);
	return ret;
}

void capture_free(struct capture *c)
{
	if (!c)
		return;
	close(c->fd);
	for (unsigned int i = 0; i < NET_PAIRS_MAX; i++)
		free(c->frame[i]);
	free(c);
}

/* virtio 1.2, 5.1.6.2: the field holds the sum of the pseudo header. */
static void capture_checksum(const struct net_hdr *hdr, u8 *frame, size_t len)
{
	size_t start = le16toh(hdr->csum_start), at = start + le16toh(hdr->csum_offset);
	u16 sum;

	if (!(hdr->flags & NET_CSUM) || at + 2 > len)
		return;
	sum = sum_fold(sum_add(0, frame + start, len - start));
	put16(frame + at, sum ? sum : 0xffff);
}

static int capture_packet(struct capture *c, const struct net_hdr *hdr, const u8 *frame, size_t len, bool in)
{
	struct block b = { .len = 0 }, tail = { .len = 0 };
	u32 flags = in ? FLAG_INBOUND : FLAG_OUTBOUND;
	struct timespec ts;
	char comment[64];
	u64 now;

	clock_gettime(CLOCK_REALTIME, &ts);
	now = ts.tv_sec * 1000000000ULL + ts.tv_nsec;
	block_word(&b, BLOCK_PACKET);
	block_word(&b, 0);
	block_word(&b, c->id);
	block_word(&b, now >> 32);
	block_word(&b, now);
	block_word(&b, len);
	block_word(&b, len);
	block_option(&tail, PCAP_PACKET_FLAGS, &flags, sizeof(flags));
	if (hdr->gso_type != NET_GSO_NONE) {
		snprintf(comment, sizeof(comment), "to be cut into segments of %u bytes", le16toh(hdr->gso_size));
		block_option(&tail, PCAP_COMMENT, comment, strlen(comment));
	}
	block_option(&tail, PCAP_END, NULL, 0);
	return block_write(c->fd, &b, frame, len, &tail);
}

void capture_frame(struct capture *c, unsigned int pair, struct iov_iter frame, size_t len, bool in)
{
	struct net_hdr hdr;
	u8 *copy;
	int ret;

	if (atomic_load_explicit(&c->failed, memory_order_relaxed))
		return;
	if (!c->frame[pair])
		c->frame[pair] = malloc(NET_FRAME_MAX);
	copy = c->frame[pair];
	if (!copy || copy_from_iter(&hdr, sizeof(hdr), &frame) < sizeof(hdr))
		return;
	len = copy_from_iter(copy, min(len - sizeof(hdr), (size_t)NET_FRAME_MAX), &frame);
	capture_checksum(&hdr, copy, len);
	ret = capture_packet(c, &hdr, copy, len, in);
	if (ret && !atomic_exchange(&c->failed, true))
		pr_warn("--pcap: the file ends here: %s", log_reason(ret));
}
