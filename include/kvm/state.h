/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The state of a machine: the members of its structures that the guest changes.
 * Members that follow from the configuration are no state. Values have names and
 * lengths. They are in sections, one for each device and each vCPU. The same code
 * writes and reads them: state_value() does one or the other.
 *
 * A state is read from a file, so it is not trusted. Each expected value exists, has
 * exactly the expected length, and there are no others. The code that owns a value
 * checks its content.
 */
#ifndef KVM_STATE_H
#define KVM_STATE_H

#include <kvm/types.h>

struct device;
struct state;
struct vm;

#define STATE_VERSION	1	/* of the format; a state of another version is refused */
#define STATE_NAME_MAX	63	/* bytes of a name */
#define STATE_DEPTH	4	/* of sections in sections */

/* A member of a structure that is state. A table of them ends with one without a name. */
struct state_field {
	const char *name;
	size_t offset, size;
	u32 flags;
};
#define STATE_F_BOOL	(1u << 0)	/* one byte, 0 or 1 */
#define STATE_F_KEPT	(1u << 1)	/* kept in S3, when only RAM and a battery hold anything */

#define STATE_FLAGS(type, member, flags)						\
	{ #member, offsetof(type, member), sizeof(((type *)0)->member),			\
	  (flags) | _Generic(((type *)0)->member, bool: STATE_F_BOOL, default: 0) }
/* @member may be an array or "a.b"; no structure with padding, no pointer. */
#define STATE(type, member)		STATE_FLAGS(type, member, 0)
#define STATE_KEPT(type, member)	STATE_FLAGS(type, member, STATE_F_KEPT)
#define STATE_END			{ .name = NULL }

/* STATELESS: the table of a device without state. */
extern const struct state_field state_none[];
#define STATELESS	state_none

/* Which state it is. */
enum state_kind {
	STATE_ALL,
	STATE_SLEEP,		/* only members that S3 keeps */
};

/* Begin to write one: 0 or -ENOMEM. */
int state_write(struct state **out, enum state_kind kind);
/* The bytes that were written, which belong to @s; or -errno of the first error, printed. */
int state_written(struct state *s, const void **data, size_t *len);
/* Begin to read @len bytes at @data, which has to stay. 0, or -EINVAL with the message printed; -ENOMEM. */
int state_read(struct state **out, const void *data, size_t len);
/* 0, or the first error. */
int state_status(const struct state *s);
/* The end: when reading, no value may be left over. 0, -EINVAL with the message printed, or the first error. */
int state_finish(struct state *s);
void state_free(struct state *s);

bool state_reads(const struct state *s);
enum state_kind state_kind(const struct state *s);

/*
 * All return 0 or -errno. The first error sticks: its message is printed, and all later
 * calls do nothing and return it, so callers may check only the last one. Members that
 * are not read keep their values.
 */

/* @len bytes at @p are written, or read. */
int state_value(struct state *s, const char *name, void *p, size_t len);
/* One that is true or false. */
int state_flag(struct state *s, const char *name, bool *flag);
/* Up to @max bytes at @p: *@len of them are written, or have been read. */
int state_bytes(struct state *s, const char *name, void *p, size_t *len, size_t max);
/* The members of @obj; with STATE_SLEEP only those that S3 keeps. */
int state_fields(struct state *s, const struct state_field *fields, void *obj);
/* The values between the two calls are a section within the current one. */
int state_begin(struct state *s, const char *name);
int state_end(struct state *s);
/* A value is impossible: prints "NAME: text" and returns -EINVAL. */
int state_refuse(struct state *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * For a device's init(): add the state of a family of devices. @fn writes or reads it
 * in a section called @part. Devices are read before vCPUs, in reverse order of their
 * creation: a device comes before those that it is built on. 0 or -errno with the
 * message printed.
 */
int dev_state(struct device *dev, const char *part, int (*fn)(void *obj, struct state *s), void *obj);

/*
 * Write the machine's state, or read it into one that was just built from the same
 * configuration and has not run. Everything but RAM. The vCPUs are held by
 * HOLD_STATE and have come to a stop, as have the queues. Main thread, lock held. 0
 * or -errno with the message printed: what was read in part can only be destroyed.
 */
int vm_state(struct vm *vm, struct state *s);

#endif
