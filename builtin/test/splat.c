// SPDX-License-Identifier: GPL-2.0
/* Complaints of the guest's kernel in its messages, and lists of expressions. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/log.h>

#include "test.h"

/* The beginning of the line, behind the time. Longer ones come first. */
static const char *const splats[] = {
	"BUG: ", "WARNING: ", "Oops: ", "Oops ", "general protection fault", "Internal error: ",
	"Unable to handle kernel ", "kernel BUG at ", "INFO: task ", "INFO: rcu_", "rcu: INFO: ",
	"INFO: possible ", "INFO: lockdep ", "UBSAN: ", "INFO: trying to register non-static key",
	"watchdog: BUG: ", "unreferenced object ", "divide error: ", "invalid opcode: ", "double fault: ",
	"refcount_t: ", "DEBUG_LOCKS_WARN_ON", "irq event ", "kobject_add_internal failed",
};

int regexes_add(struct regex_list *l, const char *whose, const char *text)
{
	regex_t *item = reallocarray(l->item, l->nr + 1, sizeof(*item));

	if (!item) {
		pr_err("out of memory");
		return -ENOMEM;
	}
	l->item = item;
	if (regcomp(&item[l->nr], text, REG_EXTENDED | REG_NOSUB | REG_NEWLINE)) {
		pr_err("%s: not an extended regular expression: %s", whose, text);
		return -EINVAL;
	}
	l->nr++;
	return 0;
}

bool regexes_match(const struct regex_list *l, const char *text)
{
	for (unsigned int i = 0; l && i < l->nr; i++)
		if (!regexec(&l->item[i], text, 0, NULL, 0))
			return true;
	return false;
}

void regexes_free(struct regex_list *l)
{
	for (unsigned int i = 0; i < l->nr; i++)
		regfree(&l->item[i]);
	free(l->item);
	*l = (struct regex_list){ NULL, 0 };
}

const char *kmsg_text(const char *line)
{
	while (*line == '[') {
		const char *end = strchr(line, ']');

		if (!end || end - line > 32)
			break;
		/* What follows the blank may be indented. */
		line = end + 1 + (end[1] == ' ');
	}
	return line;
}

static bool splat_is(const char *text)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(splats); i++)
		if (!strncmp(text, splats[i], strlen(splats[i])))
			return true;
	return false;
}

char *splat_find(const char *kmsg, const struct regex_list *allow)
{
	size_t len;

	for (; *kmsg; kmsg += len + (kmsg[len] == '\n')) {
		const char *text;
		char *line;

		len = strcspn(kmsg, "\n");
		line = strndup(kmsg, min(len, (size_t)512));
		if (!line)
			return NULL;
		line[strcspn(line, "\r")] = '\0';
		text = kmsg_text(line);
		text += strspn(text, " ");
		if (splat_is(text) && !regexes_match(allow, text)) {
			memmove(line, text, strlen(text) + 1);
			return line;
		}
		free(line);
	}
	return NULL;
}
