/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Snapshots: a machine in two files (Documentation/clones.rst). "ram" is its RAM, sparse.
 * "machine" has the rest in parts, each with its length and checksum: the configuration
 * that it is built from, the session's, and the state (kvm/state.h). Both are read as
 * hostile input.
 */
#ifndef KVM_SNAPSHOT_H
#define KVM_SNAPSHOT_H

#include <limits.h>
#include <stddef.h>

#include <kvm/config.h>
#include <kvm/state.h>
#include <kvm/types.h>

#define SNAPSHOT_MACHINE	"machine"	/* names of the files */
#define SNAPSHOT_RAM		"ram"
#define SNAPSHOT_VERSION	1		/* one with another version is refused */
#define SNAPSHOT_PART_MAX	(256U << 20)	/* bytes of a part */

enum snapshot_part {
	SNAPSHOT_CONFIG,
	SNAPSHOT_SESSION,
	SNAPSHOT_STATE,
	SNAPSHOT_PARTS
};

/* The file "machine" as it was read. The parts have the lengths and checksums that the file says. */
struct snapshot {
	u64 ram;		/* bytes of the file "ram" */
	struct {
		void *data;
		size_t len;
	} part[SNAPSHOT_PARTS];
	char **text;		/* of the configuration */
	unsigned int nr_text;
};

/* Read the file @fd, called @name in messages. 0, or -errno with the message printed. */
int snapshot_read(struct snapshot *snap, int fd, const char *name);
void snapshot_free(struct snapshot *snap);

/*
 * Fill in what @snap says of @cfg: processors, memory, devices, parameters. The rest of
 * @cfg stays; its RAM is to be given. Texts are @snap's. 0, or -EINVAL with the message printed.
 */
int snapshot_config(struct snapshot *snap, struct vm_config *cfg);

/* For hw/snapshot.c: write it (@snap NULL), or read it. As state_value(). */
int snapshot_config_state(struct vm_config *cfg, struct state *s, struct snapshot *snap);

/* The key in cfg->keep of /proc/self/pagemap, which tells the pages that were used. It may be missing. */
#define SNAPSHOT_PAGEMAP	"the pages of this process"

/* What only the caller knows: the session's part, by the same function in both directions. */
struct snapshot_session {
	int (*state)(void *obj, struct state *s);
	void *obj;
};
/* Read the session's part: 0, or -errno with the message printed. */
int snapshot_session(const struct snapshot *snap, const struct snapshot_session *session);

/*
 * Write @vm to @machine and its RAM to @ram: both are empty files. The machine stands
 * still meanwhile, and goes on afterwards. @ram -1: RAM is in the snapshot's file already
 * (MEM_FILE), which does not change any more. Main thread, lock held. 0, or -errno with the
 * message printed.
 */
int snapshot_write(struct vm *vm, const struct snapshot_session *session, int machine, int ram);

/* The files */

/* Where a snapshot is: DIR, or "fd:MACHINE:RAM", two files that lkvm has inherited. */
struct snapshot_files {
	int machine, ram;		/* descriptors of this process, -1: none */
	const char *made;		/* the directory, if it was made, or NULL */
	char name[PATH_MAX];		/* of "machine", for messages */
	char ram_name[PATH_MAX];
};
/* Open it for reading: 0, or -errno with the message printed. */
int snapshot_files_open(struct snapshot_files *f, const char *where);
/* Make it. DIR is made, too, and has no snapshot yet. */
int snapshot_files_make(struct snapshot_files *f, const char *where);
/* Remove what was made: there is no snapshot after all. */
void snapshot_files_remove(const struct snapshot_files *f);
void snapshot_files_close(struct snapshot_files *f);

#endif
