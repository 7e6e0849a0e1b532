// SPDX-License-Identifier: GPL-2.0
/* --confine show: the rules of each kind of thread, which Documentation/system-calls.rst lists. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/confine.h>

#include "confine_rules.h"

#define SHOW_RULES	512		/* of one kind of thread, at most */
#define SHOW_COLUMNS	80

static int show_by_name(const void *a, const void *b)
{
	return strcmp((*(const struct seccomp_rule *const *)a)->name, (*(const struct seccomp_rule *const *)b)->name);
}

/* "fcntl(F_GETFL, F_GETFD)": the @nr rules of one call; returns its length. */
static size_t show_call(char *text, size_t size, const struct seccomp_rule *const *rule, unsigned int nr)
{
	size_t len = snprintf(text, size, "%s", rule[0]->name);
	unsigned int i;

	for (i = 0; i < nr && len < size; i++) {
		if (!rule[i]->what)
			return strlen(rule[0]->name);	/* one that is allowed with any argument */
		len += snprintf(text + len, size - len, "%s%s", i ? ", " : "(", rule[i]->what);
	}
	if (len < size)
		len += snprintf(text + len, size - len, ")");
	return min(len, size - 1);
}

/* Words in lines. */
static void show_words(FILE *f, const char *text, size_t len, size_t *column)
{
	size_t n;

	for (; len; text += n, len -= n) {
		n = min(strcspn(text, " ") + 1, len);
		if (*column && *column + n > SHOW_COLUMNS) {
			fputc('\n', f);
			*column = 0;
		}
		*column += fprintf(f, "%s%.*s", *column ? " " : "  ", (int)(n - (text[n - 1] == ' ')), text);
	}
}

static void show_kind(FILE *f, enum thread_kind kind)
{
	const struct seccomp_rule *tables[CONFINE_TABLES], *rule[SHOW_RULES], *r;
	unsigned int nr = confine_rules(kind, CONFINE_ALL, tables), rules = 0, i, n;
	size_t column = 0, len;
	char text[4096];

	fprintf(f, "\n%s thread, %u system calls:\n", thread_kind_name(kind), seccomp_count(tables, nr));
	for (i = 0; i < nr; i++)
		for (r = tables[i]; r->name && rules < SHOW_RULES; r++)
			rule[rules++] = r;
	qsort(rule, rules, sizeof(*rule), show_by_name);
	for (i = 0; i < rules; i += n) {
		for (n = 1; i + n < rules && !strcmp(rule[i + n]->name, rule[i]->name); n++)
			;
		len = show_call(text, sizeof(text), rule + i, n);
		text[len] = '\0';
		show_words(f, text, len, &column);
	}
	fputc('\n', f);
}

void confine_show(FILE *f)
{
	const char *missing;
	int abi = landlock_abi();
	unsigned int kind, i;

	fprintf(f, "Landlock of this host's kernel: ABI %d\n", abi);
	for (i = 0; (missing = landlock_missing(min(abi, 7), i)); i++)
		fprintf(f, "  it does not prevent that %s\n", missing);
	fprintf(f, "Filters of system calls: %s\n", seccomp_available(SECCOMP_DENY_TRAP) ? "yes" : "the host has none");
	for (kind = 0; kind < THREAD_KINDS; kind++)
		show_kind(f, kind);
}
