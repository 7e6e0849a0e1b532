// SPDX-License-Identifier: GPL-2.0
// flags: -fPIE -static-pie -pthread
/* Can a static program be loaded anywhere? */
#include <pthread.h>

int main(void)
{
	return pthread_self() == 0;
}
