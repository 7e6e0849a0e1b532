// SPDX-License-Identifier: GPL-2.0
/* The tests of pci.c, with another architecture than x86 linked in. */
// without: x86/%.o
// with: tests/lib/arch_stub.o
#include "pci.c"
