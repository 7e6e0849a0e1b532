// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1's configuration and the command's user: lkvm.conf (its keys are in
 * kvm/pid1.h) and the /etc/passwd and /etc/group of the guest's root.
 */
#include <kvm/pid1.h>

#include "init.h"

static char *conf;
static size_t conf_len;

void conf_load(void)
{
	conf = file_read(GUEST_CONF, &conf_len);
	if (!conf)
		fail("the initramfs has no %s", GUEST_CONF);
	sys_unlink(GUEST_CONF);
}

void conf_more(size_t len)
{
	char *all = mem_alloc(len + conf_len + 2);

	control_bytes(all, len);
	all[len] = 0;
	memcpy(all + len + 1, conf, conf_len);
	conf = all;
	conf_len += len + 1;
}

void conf_use(const char *records, size_t len)
{
	static const char *const kept[][2] = {
		{ "env", "env" }, { "caller", "caller" }, { "cwd", "here" }, { "here", "here" },
	};
	char *all = mem_alloc(len + conf_len + 8 * ARRAY_SIZE(kept) + 1);
	const char *value;
	size_t n = len;

	memcpy(all, records, len);
	all[n++] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		for (value = NULL; (value = conf_next(kept[i][0], value)); )
			n += 1 + str_format(all + n, strlen(value) + 8, "%s=%s", kept[i][1], value);
	}
	conf = all;
	conf_len = n;
}

const char *conf_next(const char *key, const char *prev)
{
	const char *s = prev ? prev + strlen(prev) + 1 : conf;

	for (; s && s < conf + conf_len; s += strlen(s) + 1) {
		const char *value = str_after(s, key);

		if (value && *value == '=')
			return value + 1;
	}
	return NULL;
}

const char *conf_get(const char *key, const char *fallback)
{
	const char *value = conf_next(key, NULL);

	return value ? value : fallback;
}

const char *option_trouble(const char *option)
{
	static char text[128];
	const char *has = NULL;

	while ((has = conf_next("has", has)) && strcmp(has, option))
		;
	str_format(text, sizeof(text), has ? "the kernel has %s, but that driver did not start" :
		   "the kernel lacks %s, or that driver did not start", option);
	return text;
}

/*
 * Cut the next line of a database off *@text and split it at its colons.
 * Missing fields are empty. Returns false at the end.
 */
static bool conf_line(char **text, char *field[], int n)
{
	char *s = *text;
	int i = 0;

	if (!s || !*s)
		return false;
	field[i++] = s;
	for (; *s && *s != '\n'; s++) {
		if (*s != ':')
			continue;
		*s = 0;
		if (i < n)
			field[i++] = s + 1;
	}
	*text = *s ? s + 1 : s;
	*s = 0;
	while (i < n)
		field[i++] = s;
	return true;
}

static bool user_is_member(const char *list, const char *name)
{
	while (*list) {
		const char *rest = str_after(list, name);

		if (rest && (!*rest || *rest == ','))
			return true;
		while (*list && *list++ != ',')
			;
	}
	return false;
}

static void user_groups(struct user *u)
{
	char *text = file_read("/etc/group", NULL), *field[4];
	const char *end;
	size_t max = 1;
	long gid;

	for (const char *s = text; s && *s; s++)
		max += *s == '\n';
	u->groups = mem_alloc((max + 1) * sizeof(*u->groups));
	u->groups[u->nr_groups++] = u->gid;
	while (conf_line(&text, field, 4)) {
		gid = str_number(field[2], &end);
		if (gid >= 0 && gid != u->gid && u->name && user_is_member(field[3], u->name))
			u->groups[u->nr_groups++] = gid;
	}
}

void user_find(struct user *u)
{
	char *text = file_read("/etc/passwd", NULL), *field[7];
	const char *want = conf_get("user", "0"), *end = "", *ignored;
	long uid = str_number(want, &end), gid = -1, have;

	/* Names may begin with a digit, numbers may not go on with a letter. */
	if (uid >= 0 && *end == ':')
		gid = str_number(end + 1, &end);
	if (*end)
		uid = -1;

	u->uid = uid;
	u->gid = gid >= 0 ? gid : uid;
	u->home = "/";
	u->shell = "";
	while (conf_line(&text, field, 7)) {
		have = str_number(field[2], &ignored);
		if (have < 0 || (uid >= 0 ? have != uid : strcmp(field[0], want)))
			continue;
		u->name = field[0];
		u->uid = have;
		have = str_number(field[3], &ignored);
		if (gid < 0 && have >= 0)
			u->gid = have;
		if (*field[5])
			u->home = field[5];
		u->shell = field[6];
		break;
	}
	if (uid < 0 && !u->name)
		fail("there is no user '%s' in the guest's /etc/passwd", want);
	/* A root without a user database still has root. */
	if (!u->name && !u->uid) {
		u->name = "root";
		if (!sys_access("/root", 0))
			u->home = "/root";
	}
	user_groups(u);
}
