// SPDX-License-Identifier: GPL-2.0
// flags: -static -pthread
/* Is there a static C library? */
#include <pthread.h>

int main(void)
{
	return pthread_self() == 0;
}
