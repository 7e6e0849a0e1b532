/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A SCSI disk (SPC-4, SBC-3) in front of a struct disk: one logical unit. It knows no
 * transport.
 */
#ifndef KVM_SCSI_H
#define KVM_SCSI_H

#include <pthread.h>

#include <kvm/disk.h>
#include <kvm/types.h>

#define SCSI_CDB	16	/* bytes of a command that are looked at */
#define SCSI_SENSE	18

enum scsi_status { SCSI_GOOD = 0, SCSI_CHECK_CONDITION = 2 };

struct scsi_disk {
	struct disk *disk;
	u32 block, physical;	/* bytes */
	const char *serial;
	pthread_mutex_t lock;	/* of COMPARE AND WRITE, against others of these */
};

struct scsi_cmd {
	u8 cdb[SCSI_CDB];
	struct iov_iter *out, *in;	/* data of the initiator, room for data; both may be empty */
	u8 status;			/* enum scsi_status */
	u8 sense[SCSI_SENSE];		/* with SCSI_CHECK_CONDITION, fixed format */
	int err;			/* of the host, for a message; 0: none */
};

/* Serve a command: fills in the rest of @c. Any thread; may block. */
void scsi_serve(struct scsi_disk *s, struct scsi_cmd *c);

#endif
