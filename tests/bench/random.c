// SPDX-License-Identifier: GPL-2.0
/* random r|w FILE N: read or write N blocks of 4 KiB at random places of FILE. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static char block[4096];
	unsigned int x = 1;
	off_t blocks;
	int fd;

	if (argc != 4)
		return 2;
	fd = open(argv[2], argv[1][0] == 'r' ? O_RDONLY : O_WRONLY);
	if (fd < 0) {
		perror(argv[2]);
		return 1;
	}
	blocks = lseek(fd, 0, SEEK_END) / sizeof(block);
	for (int i = atoi(argv[3]); i > 0; i--) {
		off_t off;

		x = x * 1664525 + 1013904223;
		off = (x >> 8) % blocks * sizeof(block);
		if ((argv[1][0] == 'r' ? pread(fd, block, sizeof(block), off) :
		     pwrite(fd, block, sizeof(block), off)) != sizeof(block)) {
			perror(argv[2]);
			return 1;
		}
	}
	return 0;
}
