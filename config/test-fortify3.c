// SPDX-License-Identifier: GPL-2.0
// flags: -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
/* Does the C library check copies whose bounds are known at run time only? */
#include <string.h>

#if __USE_FORTIFY_LEVEL < 3
#error no level 3
#endif

int main(void)
{
	return 0;
}
