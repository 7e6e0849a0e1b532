/* SPDX-License-Identifier: GPL-2.0 */
/* Disks in tests: opened or refused, asked for ranges, and seen by other programs. */
#ifndef IMAGE_H
#define IMAGE_H

#include <kvm/disk.h>
#include <kvm/image.h>
#include <kvm/opt.h>

/* Open it or fail; blocks of 512 bytes if none are said. It is closed by disk_close(d, NULL, ""). */
struct disk *image_open(struct disk_options opts);
/* It has to be refused, with @text in the message. */
void image_refused(struct disk_options opts, const char *text);
void image_make(struct image_create c);

int image_io(struct disk *d, enum disk_op op, u64 off, void *buf, size_t len);
/* A byte of what is at @off has this value after the @n-th write of it: any two differ. */
void image_fill(u8 *buf, u64 off, size_t len, u32 n);

/* Run it with the shell in the scratch directory; its status. What it prints is shown if it is not 0 and @quiet is not set. */
int image_shell(bool quiet, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Before scratch_dir(): files are in memory if there is room, so that flushes cost nothing. */
void image_in_memory(void);
/* Skip the test aloud if there is no qemu-img. */
void image_needs_qemu(void);

#endif
