/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The states of a disk that a log of its writes stands for (keep-log=FILE of a disk, or
 * dm-log-writes). A state is the image as it was when the log began, and entries of the
 * log; what is written to a state goes with it. Nothing is copied: a state is made in the
 * time that the entries since the last flush need. Not locked: one thread.
 */
#ifndef KVM_REPLAY_H
#define KVM_REPLAY_H

#include <kvm/types.h>

struct opt_err;
struct replay;

/*
 * Both are only read. The log is checked as a whole: 0, or -errno with @err filled in.
 * @format: what @image is, as disk_formats[] counts.
 */
int replay_open(struct replay **out, const char *log, const char *image, int format, struct opt_err *err);
void replay_close(struct replay *r);

u64 replay_size(const struct replay *r);	/* bytes of the disk, a multiple of the sector */
u32 replay_sector(const struct replay *r);	/* bytes: what is never torn */
u64 replay_entries(const struct replay *r);

/* The first flush at or after entry @from: all before it is durable when it is done. Or replay_entries(). */
u64 replay_flush(const struct replay *r, u64 from);
/* The entry of the mark @text at or after @from; or replay_entries() if there is none. */
u64 replay_mark(const struct replay *r, const char *text, u64 from);
/* The text of entry @n, malloc()ed, if that is a mark; or NULL. */
char *replay_text(const struct replay *r, u64 n);

/* Are there writes among the entries from @from to @to - 1? */
bool replay_writes(const struct replay *r, u64 from, u64 to);

/* Make the state that has the first @n entries. 0 or -errno. */
int replay_at(struct replay *r, u64 n);
/*
 * Make a state after a power cut between entry @from, a flush, and entry @to: all before
 * @from is there, and of those after it a part that @seed chooses, as kvm/disk.h says of a
 * cut; FUA writes that were complete are there. 0 or -errno.
 */
int replay_cut(struct replay *r, u64 from, u64 to, u64 seed);

/* Read and write the state; any offset and length within the disk. 0 or -errno. */
int replay_read(struct replay *r, u64 off, void *buf, u64 len);
int replay_write(struct replay *r, u64 off, const void *buf, u64 len);
int replay_zero(struct replay *r, u64 off, u64 len);

#endif
