// SPDX-License-Identifier: GPL-2.0
// flags: -fcf-protection=full -Wl,-z,ibt,-z,shstk
/* Can the compiler mark the targets of indirect branches, and the linker the program? */
int main(void)
{
	return 0;
}
