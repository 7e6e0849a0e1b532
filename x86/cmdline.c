// SPDX-License-Identifier: GPL-2.0
/*
 * Linux's parameters (Documentation/admin-guide/kernel-parameters.txt): those that
 * lkvm adds, all of which only save exits, and those of the user that need another
 * machine.
 */
#include <string.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/vm.h>

#include "x86.h"

/*
 * Serial ports that are not there need not be looked for; and there is no chipset
 * whose mistakes have to be found in every slot before PCI is even set up.
 */
const char *arch_cmdline(unsigned int serials)
{
	static const char *const text[] = {
		"8250.nr_uarts=1 pci=noearly", "8250.nr_uarts=2 pci=noearly",
		"8250.nr_uarts=3 pci=noearly", "8250.nr_uarts=4 pci=noearly",
	};

	return text[serials - 1];
}

/* Is @word the parameter at @p: all of it, or, as "pci=nomsi", one of the comma-separated values that it has? */
static bool cmdline_is(const char *p, size_t len, const char *word)
{
	const char *value = strchr(word, '=');
	size_t key = value ? value + 1 - word : 0, n;

	if (len == strlen(word) && !strncmp(p, word, len))
		return true;
	if (!value || len <= key || strncmp(p, word, key))
		return false;
	for (p += key, len -= key; ; p += n + 1, len -= n + 1) {
		const char *comma = memchr(p, ',', len);

		n = comma ? (size_t)(comma - p) : len;
		if (n == strlen(word + key) && !strncmp(p, word + key, n))
			return true;
		if (!comma)
			return false;
	}
}

const char *cmdline_word(const struct vm *vm, const char *const *words)
{
	const char *p = vm->cfg->kernel_cmdline ? vm->cfg->kernel_cmdline : "";
	size_t len;

	for (; *p; p += len) {
		p += strspn(p, " \t");
		len = strcspn(p, " \t");
		for (unsigned int i = 0; len && words[i]; i++)
			if (cmdline_is(p, len, words[i]))
				return words[i];
	}
	return NULL;
}
