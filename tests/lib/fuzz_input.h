/* SPDX-License-Identifier: GPL-2.0 */
/* What fuzz targets share: an input as numbers, and the end of one that finds a fault. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stddef.h>

#include <kvm/types.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

struct input {
	const u8 *p;
	size_t left;
};

/* The next number of @len bytes; zeroes follow the input's end. */
u64 take(struct input *in, unsigned int len);
/* Abort, and say @what, unless @ok. */
void require(bool ok, const char *what);

#endif
