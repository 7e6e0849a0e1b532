/* SPDX-License-Identifier: GPL-2.0 */
/* A 9P2000.L client that calls the server in its own process, for the tests. */
#ifndef P9_CLIENT_H
#define P9_CLIENT_H

#include <kvm/p9.h>

#include "../../hw/fs/p9_wire.h"

struct p9_client {
	struct p9 *p9;
	u16 tag;
	u32 room;		/* bytes of memory for a reply */
	u8 *t, *r;		/* the last message and its reply */
	size_t at;		/* of the reply, read so far */
	ssize_t len;		/* what p9_serve() returned */
	bool keep;		/* do not say that the reply has been delivered: */
	struct p9_req *undelivered;
};

#define P9C_ROOM	(1U << 20)

/* A server for @dir without a session. Fails the test if there cannot be one. */
void p9c_init(struct p9_client *c, const char *dir, bool readonly);
/* A second client of the same server: same session, other memory. */
void p9c_share(struct p9_client *c, const struct p9_client *other, u16 tag);
/* p9c_init(), Tversion with @msize, Tattach as fid 0 for whoever runs this. */
void p9c_start(struct p9_client *c, const char *dir, bool readonly, u32 msize);
void p9c_free(struct p9_client *c);
void p9c_free_shared(struct p9_client *c);

/*
 * Send a message: @fmt has a letter for each argument. b: u8, w: u16, d: u32, q:
 * u64, s: a string, m: bytes (const void *, size_t), n: a string with its length
 * (const void *, size_t). 0, or the error of the reply as -errno; 1 if there was no
 * reply. The header of the reply is checked.
 */
int p9c_call(struct p9_client *c, u8 type, const char *fmt, ...);

/* The next field of the reply. A field that is not there fails the test. */
u64 p9c_get(struct p9_client *c, unsigned int len);
const u8 *p9c_bytes(struct p9_client *c, size_t len);
struct p9_qid p9c_qid(struct p9_client *c);

/* Walk from @fid by "a/b/c" to @newfid: 0 only if all the way. */
int p9c_walk(struct p9_client *c, u32 fid, u32 newfid, const char *path);
int p9c_clunk(struct p9_client *c, u32 fid);

#endif
