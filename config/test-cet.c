// SPDX-License-Identifier: GPL-2.0
// flags: -fcf-protection=full
/* Can the compiler mark the targets of indirect branches? */
int main(void)
{
	return 0;
}
