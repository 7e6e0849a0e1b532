// SPDX-License-Identifier: GPL-2.0
/* The next frame for the guest: see inbox.h. */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "frame.h"
#include "inbox.h"

#define HDR		sizeof(struct net_hdr)
#define ETHERTYPE_VLAN	0x8100
#define INBOX_HEAD_MAX	256	/* bytes of all headers of a frame that is cut */
#define INBOX_MSS_MIN	16	/* bound of the segments that one frame becomes */

enum { TCP_FIN = 0x01, TCP_PSH = 0x08, TCP_CWR = 0x80 };

int net_inbox_new(struct net_inbox *in)
{
	in->frame = malloc(NET_FRAME_MAX);
	return in->frame ? 0 : -ENOMEM;
}

void net_inbox_free(struct net_inbox *in)
{
	free(in->frame);
	in->frame = NULL;
}

void net_inbox_set_offloads(struct net_inbox *in, u32 offloads)
{
	/* No segmentation without checksums: 5.1.3.1. */
	atomic_store(&in->offloads, offloads & NET_OFF_CSUM ? offloads : 0);
}

/* virtio 1.2, 5.1.6.2: is the checksum that is to be stored within the frame? */
static bool inbox_checksum_fits(const struct net_hdr *hdr, size_t len)
{
	return (size_t)le16toh(hdr->csum_start) + le16toh(hdr->csum_offset) + 2 <= len &&
	       le16toh(hdr->csum_start) >= ETH_HEADER;
}

/* Find the headers of a large frame (RFC 791, 8200, 9293). False: it is not what its net_hdr says. */
static bool inbox_headers(struct net_inbox *in, const struct net_hdr *hdr, size_t len)
{
	const u8 *eth = in->frame + HDR, *ip;
	bool v6 = (hdr->gso_type & ~NET_GSO_ECN) == NET_GSO_TCP6;

	in->l3 = get16(eth + 12) == ETHERTYPE_VLAN ? ETH_HEADER + 4 : ETH_HEADER;
	ip = eth + in->l3;
	if (len < in->l3 + (v6 ? 40 : 20) || ip[0] >> 4 != (v6 ? 6 : 4) || (!v6 && ip[9] != IPPROTO_TCP))
		return false;
	in->l4 = le16toh(hdr->csum_start);
	if (v6 ? in->l4 < in->l3 + 40 : in->l4 != in->l3 + (ip[0] & 15) * 4 || (ip[0] & 15) < 5)
		return false;
	if (in->l4 + 20 > len || (eth[in->l4 + 12] >> 4) < 5)
		return false;
	in->head = in->l4 + (eth[in->l4 + 12] >> 4) * 4;
	return in->head <= len && in->head <= INBOX_HEAD_MAX;
}

/* The sum is over what follows csum_start, the pseudo header's is in the field already. */
static void inbox_checksum(struct net_inbox *in, const struct net_hdr *hdr)
{
	u8 *l4 = in->frame + HDR + le16toh(hdr->csum_start);
	u16 sum = sum_fold(sum_add(0, l4, in->frame + in->len - l4));

	/* RFC 768: zero says that there is none. No other protocol has its checksum there. */
	put16(l4 + le16toh(hdr->csum_offset), !sum && le16toh(hdr->csum_offset) == 6 ? 0xffff : sum);
}

/* The frame as the guest is to have it. False: it lies about itself. */
static bool inbox_check(struct net_inbox *in, struct net_hdr *hdr, size_t len)
{
	u8 type = hdr->gso_type & ~NET_GSO_ECN;
	u32 off = type == NET_GSO_TCP4 ? NET_OFF_TSO4 : NET_OFF_TSO6;

	hdr->flags &= NET_CSUM;
	if (hdr->flags && !inbox_checksum_fits(hdr, len))
		return false;
	if (type == NET_GSO_NONE) {
		if (hdr->flags && !(in->offloads & NET_OFF_CSUM)) {
			inbox_checksum(in, hdr);
			hdr->flags = 0;
		}
		if (!hdr->flags)
			*hdr = (struct net_hdr) { 0 };
		return true;
	}
	if ((type != NET_GSO_TCP4 && type != NET_GSO_TCP6) || !hdr->flags || le16toh(hdr->gso_size) < INBOX_MSS_MIN ||
	    !inbox_headers(in, hdr, len))
		return false;
	if (!(in->offloads & off)) {
		in->mss = le16toh(hdr->gso_size);
		in->at = in->head;
		in->segments = 0;
	}
	return true;
}

void net_inbox_drop(struct net_inbox *in)
{
	in->len = in->mss = 0;
}

bool net_inbox_put(struct net_inbox *in, size_t len)
{
	struct net_hdr hdr;

	net_inbox_drop(in);
	if (len < HDR + ETH_HEADER || len > NET_FRAME_MAX)
		return false;
	in->len = len;
	memcpy(&hdr, in->frame, HDR);
	if (!inbox_check(in, &hdr, len - HDR)) {
		net_inbox_drop(in);
		return false;
	}
	memcpy(in->frame, &hdr, HDR);
	return true;
}

bool net_inbox_put_plain(struct net_inbox *in, size_t len)
{
	memset(in->frame, 0, HDR);
	return net_inbox_put(in, HDR + len);
}

/* Bytes of the next segment's payload. */
static size_t inbox_payload(const struct net_inbox *in)
{
	return min(in->mss, in->len - HDR - in->at);
}

size_t net_inbox_pending(const struct net_inbox *in)
{
	return in->mss ? HDR + in->head + inbox_payload(in) : in->len;
}

/* The headers of the segment with @n bytes of payload at in->at. */
static void inbox_segment(const struct net_inbox *in, u8 *head, size_t n)
{
	const u8 *payload = in->frame + HDR + in->at;
	u8 *ip = head + in->l3, *tcp = head + in->l4;
	size_t l4_len = in->head - in->l4 + n;
	u32 sum;

	memcpy(head, in->frame + HDR, in->head);
	if (ip[0] >> 4 == 4) {
		put16(ip + 2, in->l4 - in->l3 + l4_len);
		put16(ip + 4, get16(ip + 4) + in->segments);
		put16(ip + 10, 0);
		put16(ip + 10, sum_fold(sum_add(0, ip, in->l4 - in->l3)));
		sum = sum_add(IPPROTO_TCP + l4_len, ip + 12, 8);
	} else {
		put16(ip + 4, in->l4 - in->l3 - 40 + l4_len);
		sum = sum_add(IPPROTO_TCP + l4_len, ip + 8, 32);
	}
	put32(tcp + 4, get32(tcp + 4) + (in->at - in->head));
	if (in->at + n < in->len - HDR)
		tcp[13] &= ~(TCP_FIN | TCP_PSH);
	if (in->segments)
		tcp[13] &= ~TCP_CWR;		/* RFC 3168, 6.1.2: once for a window */
	put16(tcp + 16, 0);
	sum = sum_add(sum, tcp, in->head - in->l4);
	put16(tcp + 16, sum_fold(sum_add(sum, payload, n)));
}

static ssize_t inbox_receive_segment(struct net_inbox *in, struct iov_iter *to)
{
	static const struct net_hdr none;
	size_t n = inbox_payload(in), len = HDR + in->head + n;
	u8 head[INBOX_HEAD_MAX];
	bool fits = iov_iter_count(to) >= len;

	if (fits) {
		inbox_segment(in, head, n);
		copy_to_iter(&none, HDR, to);
		copy_to_iter(head, in->head, to);
		copy_to_iter(in->frame + HDR + in->at, n, to);
	}
	in->at += n;
	in->segments++;
	if (in->at >= in->len - HDR)
		net_inbox_drop(in);
	return fits ? (ssize_t)len : -EMSGSIZE;
}

ssize_t net_inbox_receive(struct net_inbox *in, struct iov_iter *to)
{
	size_t len = in->len;

	if (!len)
		return -EAGAIN;
	if (in->mss)
		return inbox_receive_segment(in, to);
	in->len = 0;
	if (iov_iter_count(to) < len)
		return -EMSGSIZE;
	copy_to_iter(in->frame, len, to);
	return len;
}
