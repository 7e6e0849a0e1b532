// SPDX-License-Identifier: GPL-2.0
/*
 * Faults on purpose: a list of rules, each with what fails, where, how often and how. This
 * layer is there always, as a user may ask for faults while the machine runs. Without a
 * rule it costs one look at an atomic number. It also stops a disk for a power cut.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/loop.h>
#include <kvm/wait.h>

#include "cut.h"
#include "disk.h"

#define FAULTS_MAX	32
#define FAULT_DELAY_MAX	(24 * 3600 * 1000)

enum fault_kind { FAULT_EIO, FAULT_MEDIUM, FAULT_DELAY, FAULT_HANG, FAULT_TORN };

/* As the user asks for it. */
struct fault_spec {
	bool eio, medium, hang, torn, silent;
	int delay, count, share, seed;
	const char *op, *range;
};

struct fault {
	enum fault_kind kind;
	u32 ops;		/* 1 << enum disk_op */
	u64 off, end;		/* bytes */
	bool ranged, silent;
	u32 share;		/* of 100 */
	u64 left;		/* requests that it still hits, ~0: all */
	u64 delay;		/* ns */
	u64 hits;
	u64 random;		/* of cut_random() */
};

struct faults {
	struct disk disk;
	atomic_uint active;	/* nr, and 1 more when frozen */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	u64 cancels, clears;
	bool frozen;
	unsigned int nr;
	struct fault fault[FAULTS_MAX];
};

static const char *const fault_ops[] = { "read", "write", "flush", "discard", "zero" };
static const char *const fault_kinds[] = { "eio", "medium", "delay", "hang", "torn" };

static struct faults *faults_of(struct disk *d)
{
	return container_of(d, struct faults, disk);
}

/* The lock is held below. */

static bool fault_meets(const struct fault *f, const struct disk_req *req)
{
	if (!(f->ops & 1U << req->op) || !f->left)
		return false;
	if (!f->ranged)
		return true;
	return req->op != DISK_FLUSH && req->off < f->end && f->off < req->off + req->len;
}

static bool fault_hits(struct fault *f, const struct disk_req *req)
{
	if (!fault_meets(f, req) || (f->share < 100 && cut_random(&f->random) % 100 >= f->share))
		return false;
	f->hits++;
	if (f->left != ~0ULL)
		f->left--;
	return true;
}

/* What happens to a request: the sum of all that hit it. */
struct fate {
	u64 delay;
	bool hang, error, torn, silent;
	u64 random;
};

static void faults_look(struct faults *f, const struct disk_req *req, struct fate *fate)
{
	for (unsigned int i = 0; i < f->nr; i++) {
		struct fault *fault = &f->fault[i];

		if (!fault_hits(fault, req))
			continue;
		fate->delay += fault->delay;
		fate->hang |= fault->kind == FAULT_HANG;
		fate->error |= fault->kind == FAULT_EIO || fault->kind == FAULT_MEDIUM;
		if (fault->kind == FAULT_TORN) {
			fate->torn = true;
			fate->silent = fault->silent;
			fate->random = cut_random(&fault->random);
		}
	}
}

/* Until the user says so, or for a time, or until it is cancelled: -EINTR. */
static int faults_wait(struct faults *f, const struct fate *fate)
{
	struct timespec end = wait_deadline(fate->delay);
	u64 cancels = f->cancels, clears = f->clears;
	bool waits = fate->delay;

	while (f->cancels == cancels) {
		bool cleared = f->clears != clears;

		if (f->frozen || (fate->hang && !cleared))
			pthread_cond_wait(&f->changed, &f->lock);
		else if (waits && !cleared)
			waits = !wait_until(&f->changed, &f->lock, &end);
		else
			return 0;
	}
	return -EINTR;
}

/* A medium that was bad there is good again when it is written: that part of the range. */
static void faults_heal(struct faults *f, const struct disk_req *req)
{
	u64 off = req->off, end = off + req->len;

	for (unsigned int i = f->nr; i--; ) {
		struct fault *fault = &f->fault[i];

		if (fault->kind != FAULT_MEDIUM || !fault->ranged || off >= fault->end || fault->off >= end)
			continue;
		if (fault->off < off && end < fault->end && f->nr < FAULTS_MAX) {
			f->fault[f->nr] = *fault;
			f->fault[f->nr++].off = end;
			fault->end = off;
		} else if (fault->off < off) {
			fault->end = off;
		} else if (end < fault->end) {
			fault->off = end;
		} else {
			*fault = f->fault[--f->nr];
		}
	}
	atomic_store(&f->active, f->nr + f->frozen);
}

/* Without the lock again. */

/* Some of its first blocks are written, and the rest is not. */
static int faults_tear(struct disk *d, const struct disk_req *req, const struct fate *fate)
{
	u64 blocks = req->len / d->block, keep = blocks > 1 ? fate->random % blocks : 0;
	struct iov_iter part;
	struct disk_req first = *req;
	int ret = 0;

	first.len = keep * d->block;
	first.data = &part;
	if (keep && iov_iter_split(req->data, first.len, &part))
		ret = disk_serve(d->below, &first);
	return ret ? ret : fate->silent ? 0 : -EIO;
}

static int faults_serve(struct disk *d, const struct disk_req *req)
{
	struct faults *f = faults_of(d);
	struct fate fate = { .delay = 0 };
	int ret;

	if (!atomic_load_explicit(&f->active, memory_order_acquire))
		return disk_serve(d->below, req);
	pthread_mutex_lock(&f->lock);
	faults_look(f, req, &fate);
	ret = faults_wait(f, &fate);
	pthread_mutex_unlock(&f->lock);
	if (!ret && fate.error)
		ret = -EIO;
	if (ret)
		return ret;
	if (fate.torn)
		return faults_tear(d, req, &fate);
	ret = disk_serve(d->below, req);
	if (ret || req->op != DISK_WRITE)
		return ret;
	pthread_mutex_lock(&f->lock);
	faults_heal(f, req);
	pthread_mutex_unlock(&f->lock);
	return 0;
}

/* Rules */

const struct opt disk_fault_opts[] = {
	OPT_BOOL(0, "eio", struct fault_spec, eio, "the request fails"),
	OPT_BOOL(0, "medium", struct fault_spec, medium, "reads fail until the place is written"),
	OPT_INT(0, "delay", struct fault_spec, delay, 1, FAULT_DELAY_MAX, "MS", "it takes so many milliseconds more"),
	OPT_BOOL(0, "hang", struct fault_spec, hang, "it hangs until the fault is cleared"),
	OPT_BOOL(0, "torn", struct fault_spec, torn, "a part of what it writes is written, and it fails"),
	OPT_BOOL(0, "silent", struct fault_spec, silent, "a torn write does not fail"),
	OPT_STR(0, "op", struct fault_spec, op, "OP", "read, write, flush, discard or zero; several as read+write (all)"),
	OPT_STR(0, "range", struct fault_spec, range, "OFF+LEN", "where: bytes, or with a suffix K, M, G (anywhere)"),
	OPT_INT(0, "share", struct fault_spec, share, 1, 100, "PERCENT", "of the requests, at random (100)"),
	OPT_INT(0, "count", struct fault_spec, count, 1, INT32_MAX, "N", "the next N requests (all)"),
	OPT_INT(0, "seed", struct fault_spec, seed, 0, INT32_MAX, "N", "of what is at random (0)"),
	OPT_END
};

static int fault_parse_ops(struct fault *f, const char *text, struct opt_err *err)
{
	if (text && !*text)
		return disk_bad(err, -EINVAL, "op= needs a word, as in op=read+write");
	while (text && *text) {
		size_t len = strcspn(text, "+");
		unsigned int i = 0;

		while (i < ARRAY_SIZE(fault_ops) && (strlen(fault_ops[i]) != len || strncmp(text, fault_ops[i], len)))
			i++;
		if (i == ARRAY_SIZE(fault_ops))
			return disk_bad(err, -EINVAL, "op=%s: read, write, flush, discard or zero, several as read+write", text);
		f->ops |= 1U << i;
		text += len + (text[len] == '+');
	}
	if (!f->ops)
		f->ops = f->kind == FAULT_TORN ? 1U << DISK_WRITE : f->kind == FAULT_MEDIUM ? 1U << DISK_READ : ~0U;
	if ((f->kind == FAULT_TORN && f->ops != 1U << DISK_WRITE) || (f->kind == FAULT_MEDIUM && f->ops != 1U << DISK_READ))
		return disk_bad(err, -EINVAL, "torn is for writes and medium for reads: no op= is needed");
	return 0;
}

static int fault_parse_range(struct fault *f, const char *text, struct opt_err *err)
{
	char off[32];
	u64 len;
	size_t at;

	if (!text)
		return 0;
	at = strcspn(text, "+");
	if (at >= sizeof(off) || !text[at])
		return disk_bad(err, -EINVAL, "range=%s: an offset and a length, as in 1M+4K", text);
	snprintf(off, sizeof(off), "%.*s", (int)at, text);
	if (opt_size(off, 1, &f->off) || opt_size(text + at + 1, 1, &len) || !len ||
	    __builtin_add_overflow(f->off, len, &f->end))
		return disk_bad(err, -EINVAL, "range=%s: an offset and a length, as in 1M+4K", text);
	f->ranged = true;
	return 0;
}

static int fault_parse(struct fault *f, const struct fault_spec *s, struct opt_err *err)
{
	int ret;

	if (s->eio + s->medium + s->hang + s->torn + (s->delay > 0) != 1)
		return disk_bad(err, -EINVAL, "a fault is one of eio, medium, delay=MS, hang, torn; or clear ends all");
	if (s->silent && !s->torn)
		return disk_bad(err, -EINVAL, "silent is for torn");
	*f = (struct fault){
		.kind = s->eio ? FAULT_EIO : s->medium ? FAULT_MEDIUM : s->hang ? FAULT_HANG : s->torn ? FAULT_TORN : FAULT_DELAY,
		.silent = s->silent, .share = s->share ? s->share : 100, .left = s->count ? (u64)s->count : ~0ULL,
		.delay = WAIT_MS(s->delay), .random = s->seed,
	};
	ret = fault_parse_ops(f, s->op, err);
	return ret ? ret : fault_parse_range(f, s->range, err);
}

static struct faults *faults_in(struct disk *d)
{
	while (d->type->serve != faults_serve)
		d = d->below;
	return faults_of(d);
}

static int faults_add(struct faults *f, const struct fault *fault, struct opt_err *err)
{
	int ret = 0;

	pthread_mutex_lock(&f->lock);
	if (f->nr == FAULTS_MAX)
		ret = disk_bad(err, -ENOSPC, "it has %d faults already: \"clear\" ends them", FAULTS_MAX);
	else
		f->fault[f->nr++] = *fault;
	atomic_store(&f->active, f->nr + f->frozen);
	pthread_mutex_unlock(&f->lock);
	return ret;
}

static void faults_clear(struct faults *f)
{
	pthread_mutex_lock(&f->lock);
	f->nr = 0;
	f->clears++;
	atomic_store(&f->active, f->frozen);
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

int disk_fault(struct disk *d, const char *spec, struct opt_err *err)
{
	struct fault_spec s = { .op = NULL };
	struct fault fault;
	char *text;
	int ret;

	if (!strcmp(spec, "clear")) {
		faults_clear(faults_in(d));
		return 0;
	}
	text = strdup(spec);
	if (!text)
		return disk_bad(err, -ENOMEM, "out of memory");
	ret = opt_parse_sub(disk_fault_opts, &s, text, err);
	if (!ret)
		ret = fault_parse(&fault, &s, err);
	free(text);
	return ret ? ret : faults_add(faults_in(d), &fault, err);
}

static void fault_print(const struct fault *f, char *text, size_t size)
{
	size_t n = snprintf(text, size, "%s", fault_kinds[f->kind]);
	const char *sep = " op=";

	if (f->kind == FAULT_DELAY)
		n += snprintf(text + n, size - n, "=%llu", (unsigned long long)(f->delay / WAIT_MS(1)));
	for (unsigned int i = 0; f->ops != ~0U && i < ARRAY_SIZE(fault_ops); i++) {
		if (!(f->ops & 1U << i))
			continue;
		n += snprintf(text + n, size - n, "%s%s", sep, fault_ops[i]);
		sep = "+";
	}
	if (f->silent)
		n += snprintf(text + n, size - n, " silent");
	if (f->ranged)
		n += snprintf(text + n, size - n, " range=%llu+%llu", (unsigned long long)f->off,
			      (unsigned long long)(f->end - f->off));
	if (f->share < 100)
		n += snprintf(text + n, size - n, " share=%u", f->share);
	if (f->left != ~0ULL)
		n += snprintf(text + n, size - n, " left=%llu", (unsigned long long)f->left);
	snprintf(text + n, size - n, " hits=%llu", (unsigned long long)f->hits);
}

void disk_faults(struct disk *d, void (*fn)(void *obj, const char *text), void *obj)
{
	struct faults *f = faults_in(d);
	char text[256];

	pthread_mutex_lock(&f->lock);
	for (unsigned int i = 0; i < f->nr; i++) {
		fault_print(&f->fault[i], text, sizeof(text));
		fn(obj, text);
	}
	pthread_mutex_unlock(&f->lock);
}

static void faults_cancel(struct disk *d)
{
	struct faults *f = faults_of(d);

	pthread_mutex_lock(&f->lock);
	f->cancels++;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static void faults_freeze(struct disk *d)
{
	struct faults *f = faults_of(d);

	pthread_mutex_lock(&f->lock);
	f->frozen = true;
	atomic_store(&f->active, f->nr + 1);
	pthread_mutex_unlock(&f->lock);
}

static void faults_free(struct disk *d)
{
	struct faults *f = faults_of(d);

	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static const struct disk_type faults_type = {
	.serve = faults_serve, .cancel = faults_cancel, .freeze = faults_freeze, .free = faults_free,
};

int disk_faults_open(struct disk **d, struct opt_err *err)
{
	struct faults *f = disk_layer(sizeof(*f), &faults_type, *d);

	if (!f)
		return disk_bad(err, -ENOMEM, "out of memory");
	pthread_mutex_init(&f->lock, NULL);
	wait_init(&f->changed);
	*d = &f->disk;
	return 0;
}
