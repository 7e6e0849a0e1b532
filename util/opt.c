// SPDX-License-Identifier: GPL-2.0
/*
 * The option parser of opt.h. An option is found by its spelling, then its
 * argument is read by its kind, for command lines and suboptions alike. It has
 * no state and prints nothing: errors are text in the caller's buffer. Runs
 * before the machine exists, on the main thread.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/opt.h>

#define OPT_NAME_MAX 64		/* what is compared of a word; names are shorter */
#define OPT_LINE 80
#define OPT_HELP_COLUMN 30

static int __attribute__((format(printf, 2, 3)))
opt_error(struct opt_err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

void opt_list_free(struct opt_list *list)
{
	free(list->item);
	*list = (struct opt_list){ NULL, 0 };
}

static int opt_list_add(struct opt_list *list, const char *s)
{
	const char **item = reallocarray(list->item, list->nr + 1, sizeof(*item));

	if (!item)
		return -ENOMEM;
	item[list->nr++] = s;
	list->item = item;
	return 0;
}

/*
 * Edits (insert, delete, replace, swap neighbours) between two words: the
 * optimal string alignment distance, three rows at a time.
 */
static unsigned int opt_distance(const char *a, const char *b)
{
	unsigned int row[3][OPT_NAME_MAX + 1];
	size_t la = strnlen(a, OPT_NAME_MAX), lb = strnlen(b, OPT_NAME_MAX);

	for (size_t j = 0; j <= lb; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		unsigned int *cur = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];

		cur[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned int d = up[j - 1] + (a[i - 1] != b[j - 1]);

			d = min(d, min(up[j], cur[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d = min(d, up2[j - 2] + 1);
			cur[j] = d;
		}
	}
	return row[la % 3][lb];
}

void opt_near(struct opt_near *best, const char *typed, const char *word)
{
	unsigned int d = opt_distance(typed, word), len = strlen(typed);
	unsigned int limit = min(max(len / 3, 1U), 3U);

	/* Nothing in common is no likeness, however short the words are. */
	if (d > limit || d >= max((size_t)len, strlen(word)))
		return;
	if (!best->word || d < best->distance) {
		best->word = word;
		best->distance = d;
	}
}

int opt_size(const char *text, u64 unit, u64 *val)
{
	static const char suffix[] = "BKMGTP", *const bytes[] = { "", "B", "iB" };
	unsigned int i;
	const char *s;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	*val = strtoull(text, &end, 10);
	if (errno)
		return -ERANGE;
	if (*end) {
		s = strchr(suffix, toupper((unsigned char)*end));
		for (i = 0; s && i < ARRAY_SIZE(bytes) && strcasecmp(end + 1, bytes[i]); i++)
			;
		if (!s || i == ARRAY_SIZE(bytes) || (i && s == suffix))
			return -EINVAL;
		unit = 1ULL << (10 * (s - suffix));
	}
	return __builtin_mul_overflow(*val, unit, val) ? -ERANGE : 0;
}

int opt_range(const char **p, unsigned long max, unsigned long *from, unsigned long *to)
{
	char *end;

	if (!isdigit((unsigned char)**p))
		return -EINVAL;
	*from = *to = strtoul(*p, &end, 10);
	if (*end == '-') {
		if (!isdigit((unsigned char)end[1]))
			return -EINVAL;
		*to = strtoul(end + 1, &end, 10);
	}
	*p = end;
	return *from <= *to && *to < max ? 0 : -EINVAL;
}

/* The largest unit that divides @bytes: "16M". */
static const char *opt_size_text(u64 bytes, char buf[32])
{
	unsigned int i = 0;

	while (i < 5 && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		i++;
	}
	snprintf(buf, 32, "%llu%c", (unsigned long long)bytes, "BKMGTP"[i]);
	return buf;
}

static int opt_set_int(const struct opt *o, int *out, const char *label, const char *arg,
		       struct opt_err *err)
{
	s64 lo = (s64)o->min, hi = (s64)o->max;
	char *end;
	long long v;

	errno = 0;
	v = strtoll(arg, &end, 0);
	if (end == arg || *end)
		return opt_error(err, "%s: '%s' is not a number", label, arg);
	if (errno || v < lo || v > hi)
		return opt_error(err, "%s: %s is out of range, %lld to %lld are possible", label,
				 arg, (long long)lo, (long long)hi);
	*out = v;
	return 0;
}

static int opt_set_size(const struct opt *o, u64 *out, const char *label, const char *arg,
			struct opt_err *err)
{
	char lo[32], hi[32];
	u64 v;
	int ret = opt_size(arg, o->unit, &v);

	if (ret == -EINVAL)
		return opt_error(err, "%s: '%s' is not a size, a number with B, K, M, G, T or P is",
				 label, arg);
	if (ret || v < o->min || v > o->max)
		return opt_error(err, "%s: %s is out of range, %s to %s are possible", label, arg,
				 opt_size_text(o->min, lo), opt_size_text(o->max, hi));
	*out = v;
	return 0;
}

static int opt_set_time(const struct opt *o, int *out, const char *label, const char *arg,
			struct opt_err *err)
{
	static const struct { char suffix; u64 seconds; } units[] = {
		{ '\0', 1 }, { 's', 1 }, { 'm', 60 }, { 'h', 60 * 60 }, { 'd', 24 * 60 * 60 },
	};
	size_t digits = strspn(arg, "0123456789");
	unsigned int i = 0;
	u64 v;

	while (i < ARRAY_SIZE(units) && arg[digits] != units[i].suffix)
		i++;
	if (!digits || i == ARRAY_SIZE(units) || (i && arg[digits + 1]))
		return opt_error(err, "%s: '%s' is not a time, a number with s, m, h or d is", label, arg);
	errno = 0;
	v = strtoull(arg, NULL, 10);
	if (errno || __builtin_mul_overflow(v, units[i].seconds, &v) || v < o->min || v > o->max)
		return opt_error(err, "%s: %s is out of range, %llu to %llu seconds are possible", label, arg,
				 (unsigned long long)o->min, (unsigned long long)o->max);
	*out = v;
	return 0;
}

static int opt_set_choice(const struct opt *o, int *out, const char *label, const char *arg,
			  struct opt_err *err)
{
	struct opt_near near = { 0 };
	char words[256] = "";

	for (int i = 0; o->choice[i]; i++) {
		size_t n = strlen(words);

		if (!strcmp(o->choice[i], arg)) {
			*out = i;
			return 0;
		}
		opt_near(&near, arg, o->choice[i]);
		snprintf(words + n, sizeof(words) - n, "%s%s", n ? ", " : "", o->choice[i]);
	}
	if (near.word)
		return opt_error(err, "%s: unknown word '%s', did you mean '%s'?", label, arg,
				 near.word);
	return opt_error(err, "%s: unknown word '%s', there are: %s", label, arg, words);
}

/*
 * All options of a table and of the tables in it, in their order. An option and
 * the object that its member is in belong together, whatever table it is of.
 */
struct opt_iter {
	const struct opt *at[OPT_DEPTH];
	size_t base[OPT_DEPTH];		/* of the table's structure in the owner's */
	unsigned int depth;
};

static const struct opt *opt_iter_next(struct opt_iter *it)
{
	for (;;) {
		const struct opt *o = it->at[it->depth]++;

		if (o->kind == OPT_KIND_END) {
			if (!it->depth)
				return NULL;
			it->depth--;
		} else if (o->kind == OPT_KIND_TABLE) {
			it->base[it->depth + 1] = it->base[it->depth] + o->offset;
			it->at[++it->depth] = o->table;
		} else {
			return o;
		}
	}
}

#define opt_for_each(o, it, table)							\
	for (*(it) = (struct opt_iter){ .at = { (table) } }; ((o) = opt_iter_next(it)); )

/* An option that has been found by a spelling. */
struct opt_found {
	const struct opt *opt;		/* NULL: none */
	void *obj;			/* that its member is in */
	bool on;			/* false for --no-name */
};

static struct opt_found opt_found(const struct opt_iter *it, const struct opt *o, void *obj)
{
	return (struct opt_found){ o, (char *)obj + it->base[it->depth], true };
}

/* In the help, and when options are listed. */
static bool opt_shown(const struct opt *o)
{
	return o->kind != OPT_KIND_LATER && o->kind != OPT_KIND_ALIAS && o->kind != OPT_KIND_FOREIGN;
}

static bool opt_takes_arg(const struct opt *o)
{
	return o->arg || o->kind == OPT_KIND_CHOICE;
}

/* The argument's name in the help. */
static const char *opt_arg_name(const struct opt *o, char *buf, size_t size)
{
	size_t len = 0;

	if (o->kind != OPT_KIND_CHOICE)
		return o->arg;
	*buf = '\0';
	for (int i = 0; o->choice[i] && len < size; i++)
		len += snprintf(buf + len, size - len, "%s%s", i ? "|" : "", o->choice[i]);
	return buf;
}

/*
 * Store what the option says. @label is how messages name it, @arg is NULL if
 * and only if the option takes none.
 */
static int opt_set(const struct opt_found *found, const char *label, const char *arg,
		   struct opt_err *err)
{
	const struct opt *o = found->opt;
	void *member = (char *)found->obj + o->offset;
	int ret = 0;

	switch (o->kind) {
	case OPT_KIND_BOOL:
		*(bool *)member = found->on;
		break;
	case OPT_KIND_COUNT:
		++*(int *)member;
		break;
	case OPT_KIND_STR:
		*(const char **)member = arg;
		break;
	case OPT_KIND_INT:
		ret = opt_set_int(o, member, label, arg, err);
		break;
	case OPT_KIND_SIZE:
		ret = opt_set_size(o, member, label, arg, err);
		break;
	case OPT_KIND_TIME:
		ret = opt_set_time(o, member, label, arg, err);
		break;
	case OPT_KIND_CHOICE:
		ret = opt_set_choice(o, member, label, arg, err);
		break;
	case OPT_KIND_LIST:
		ret = opt_list_add(member, arg);
		if (ret)
			opt_error(err, "%s: out of memory", label);
		break;
	case OPT_KIND_CALL: {
		struct opt_err why = { "" };

		ret = o->call(found->obj, arg, &why);
		if (ret)
			opt_error(err, "%s: %s", label, why.text);
		break;
	}
	case OPT_KIND_LATER:
		ret = opt_error(err, "%s is not there yet%s%s", label, o->help ? "; " : "",
				o->help ? o->help : "");
		break;
	case OPT_KIND_END:
	case OPT_KIND_GROUP:
	case OPT_KIND_ALIAS:
	case OPT_KIND_FOREIGN:
	case OPT_KIND_TABLE:
		break;		/* not found by any spelling */
	}
	return ret;
}

/* By @name, an alias as what it stands for. */
static struct opt_found opt_by_name(const struct opt *table, void *obj, const char *name)
{
	const struct opt *o;
	struct opt_iter it;

	opt_for_each(o, &it, table) {
		if (!o->name || o->kind == OPT_KIND_FOREIGN || strcmp(o->name, name))
			continue;
		if (o->kind == OPT_KIND_ALIAS)
			return opt_by_name(table, obj, o->target);
		return opt_found(&it, o, obj);
	}
	return (struct opt_found){ NULL };
}

static struct opt_found opt_by_letter(const struct opt *table, void *obj, char letter)
{
	const struct opt *o;
	struct opt_iter it;

	opt_for_each(o, &it, table) {
		if (!o->letter || o->letter != letter)
			continue;
		if (o->kind == OPT_KIND_ALIAS)
			return opt_by_name(table, obj, o->target);
		return opt_found(&it, o, obj);
	}
	return (struct opt_found){ NULL };
}

/* The equivalent of another program's option @name, or NULL. */
static const char *opt_foreign(const struct opt *table, const char *name)
{
	const struct opt *o;
	struct opt_iter it;

	opt_for_each(o, &it, table)
		if (o->kind == OPT_KIND_FOREIGN && !strcmp(o->name, name))
			return o->help;
	return NULL;
}

/* A search for a long option by a prefix of it, or by the whole. */
struct opt_search {
	const char *typed;
	struct opt_found found;
	char other[OPT_NAME_MAX];	/* another that it may be, or "" */
	struct opt_near near;
};

/* Is it @o, or (@no) the --no- form of it? True: it is, to the letter. */
static bool opt_try(struct opt_search *s, struct opt_found o, const char *name, bool no)
{
	char full[OPT_NAME_MAX];
	size_t len = strlen(s->typed);

	snprintf(full, sizeof(full), "%s%s", no ? "no-" : "", name);
	o.on = !no;
	if (!strcmp(full, s->typed)) {
		s->found = o;
		s->other[0] = '\0';
		return true;
	}
	if (!no)
		opt_near(&s->near, s->typed, name);
	if (!len || strncmp(full, s->typed, len))
		return false;
	if (!s->found.opt)
		s->found = o;
	else if (o.opt != s->found.opt || o.on != s->found.on)
		memcpy(s->other, full, sizeof(s->other));
	return false;
}

/* @typed is without dashes. NULL with @err filled in. */
static struct opt_found opt_by_prefix(const struct opt *table, void *obj, const char *typed,
				      struct opt_err *err)
{
	struct opt_search s = { .typed = typed };
	const struct opt *o;
	struct opt_iter it;

	opt_for_each(o, &it, table) {
		struct opt_found f = opt_found(&it, o, obj);

		if (!o->name || o->kind == OPT_KIND_FOREIGN)
			continue;
		if (o->kind == OPT_KIND_ALIAS)
			f = opt_by_name(table, obj, o->target);
		if (opt_try(&s, f, o->name, false) ||
		    (o->kind == OPT_KIND_BOOL && opt_try(&s, f, o->name, true)))
			return s.found;
	}
	if (opt_foreign(table, typed)) {
		opt_error(err, "unknown option --%s: %s", typed, opt_foreign(table, typed));
		s.found.opt = NULL;
	} else if (s.other[0]) {
		opt_error(err, "--%s is ambiguous: --%s%s, --%s", typed, s.found.on ? "" : "no-",
			  s.found.opt->name, s.other);
		s.found.opt = NULL;
	} else if (!s.found.opt) {
		opt_error(err, s.near.word ? "unknown option --%s, did you mean --%s?" :
			  "unknown option --%s", typed, s.near.word);
	}
	return s.found;
}

struct opt_args {
	char **argv;
	int argc, at;
};

/* One more word of the command line as the argument of @label. */
static const char *opt_next_arg(struct opt_args *a, const struct opt *o, const char *label,
				struct opt_err *err)
{
	if (a->at == a->argc) {
		char name[OPT_LINE];

		opt_error(err, "%s needs an argument: %s", label, opt_arg_name(o, name, sizeof(name)));
		return NULL;
	}
	return a->argv[a->at++];
}

/* @word is "--name" or "--name=value". */
static int opt_parse_long(const struct opt *table, void *obj, struct opt_args *a, const char *word,
			  struct opt_err *err)
{
	char typed[OPT_NAME_MAX], label[OPT_NAME_MAX + 8];
	const char *eq = strchr(word, '='), *arg = NULL;
	struct opt_found f;

	snprintf(typed, sizeof(typed), "%.*s", eq ? (int)min(eq - word - 2, (ptrdiff_t)OPT_NAME_MAX)
		 : OPT_NAME_MAX, word + 2);
	f = opt_by_prefix(table, obj, typed, err);
	if (!f.opt) {
		if (!strcmp(typed, "help"))
			return -ECANCELED;
		return -EINVAL;
	}
	snprintf(label, sizeof(label), "--%s%s", f.on ? "" : "no-", f.opt->name);
	if (f.opt->alone) {
		arg = eq ? eq + 1 : "";
	} else if (opt_takes_arg(f.opt)) {
		arg = eq ? eq + 1 : opt_next_arg(a, f.opt, label, err);
		if (!arg)
			return -EINVAL;
	} else if (eq && f.opt->kind != OPT_KIND_LATER) {
		return opt_error(err, "%s takes no argument", label);
	}
	return opt_set(&f, label, arg, err);
}

/*
 * Is @word, which has one dash, a long option of ours or of others, as QEMU spells
 * them, and no letters? Says what would be right.
 */
static int opt_single_dash(const struct opt *table, void *obj, const char *word, struct opt_err *err)
{
	char name[OPT_NAME_MAX];
	const char *foreign;
	struct opt_found f;

	snprintf(name, sizeof(name), "%.*s", (int)min(strcspn(word + 1, "="), sizeof(name) - 1), word + 1);
	f = opt_by_name(table, obj, name);
	if (!f.opt && !strncmp(name, "no-", 3)) {
		f = opt_by_name(table, obj, name + 3);
		if (f.opt && f.opt->kind != OPT_KIND_BOOL)
			f.opt = NULL;
	}
	if (f.opt && name[1])
		return opt_error(err, "unknown option -%s, did you mean --%s?", name, name);
	foreign = opt_foreign(table, name);
	return foreign ? opt_error(err, "unknown option -%s: %s", name, foreign) : 0;
}

/* @word is "-abc": letters, the last with an argument, here or in the next word. */
static int opt_parse_letters(const struct opt *table, void *obj, struct opt_args *a,
			     const char *word, struct opt_err *err)
{
	int ret = opt_single_dash(table, obj, word, err);

	if (ret)
		return ret;
	for (const char *p = word + 1; *p; p++) {
		struct opt_found f = opt_by_letter(table, obj, *p);
		char label[OPT_NAME_MAX + 8];
		const char *arg;

		if (!f.opt && *p == 'h')
			return -ECANCELED;
		/* If one letter is no option, the user probably means the whole word. */
		if (word[2] && (!f.opt || f.opt->kind == OPT_KIND_LATER))
			return opt_error(err, "unknown option %s (-%c%s)", word, *p,
					 f.opt ? " is not there yet" : " is none");
		if (!f.opt)
			return opt_error(err, "unknown option -%c", *p);
		snprintf(label, sizeof(label), "-%c", *p);
		if (!opt_takes_arg(f.opt)) {
			ret = opt_set(&f, label, NULL, err);
			if (ret)
				return ret;
			continue;
		}
		arg = p[1] ? p + 1 : opt_next_arg(a, f.opt, label, err);
		if (!arg)
			return -EINVAL;
		return opt_set(&f, label, arg, err);
	}
	return 0;
}

int opt_parse(const struct opt *table, void *obj, int argc, char **argv, unsigned int flags,
	      struct opt_err *err)
{
	struct opt_args a = { argv, argc, 0 };
	int nr = 0, ret;

	err->text[0] = '\0';
	while (a.at < argc) {
		char *word = argv[a.at];

		if (!strcmp(word, "--")) {
			a.at++;
			break;
		}
		if (word[0] != '-' || !word[1]) {	/* "-" alone is an operand */
			if (flags & OPT_STOP)
				break;
			a.at++;
			argv[nr++] = word;
			continue;
		}
		a.at++;
		ret = word[1] == '-' ? opt_parse_long(table, obj, &a, word, err) :
			opt_parse_letters(table, obj, &a, word, err);
		if (ret)
			return ret;
	}
	while (a.at < argc)
		argv[nr++] = argv[a.at++];
	argv[nr] = NULL;
	return nr;
}

int opt_words(const struct opt *table, const char *word, struct opt_err *err)
{
	void *nowhere = (void *)table;	/* nothing is stored */
	const char *eq = strchr(word, '=');
	char typed[OPT_NAME_MAX];
	struct opt_found f;
	int ret;

	if (word[1] == '-') {
		snprintf(typed, sizeof(typed), "%.*s", (int)min(strcspn(word + 2, "="), (size_t)OPT_NAME_MAX), word + 2);
		f = opt_by_prefix(table, nowhere, typed, err);
		if (!f.opt)
			return -EINVAL;
		return opt_takes_arg(f.opt) && !f.opt->alone && !eq ? 2 : 1;
	}
	ret = opt_single_dash(table, nowhere, word, err);
	for (const char *p = word + 1; !ret && *p; p++) {
		f = opt_by_letter(table, nowhere, *p);
		if (!f.opt)
			return opt_error(err, "unknown option -%c", *p);
		if (opt_takes_arg(f.opt))
			return p[1] ? 1 : 2;
	}
	return ret ?: 1;
}

char *opt_sub_next(char **text)
{
	char *from = *text, *to = *text, *item = *text;

	if (!item)
		return NULL;
	for (; *from; from++) {
		if (*from == ',') {
			if (from[1] != ',')
				break;
			from++;
		}
		*to++ = *from;
	}
	*text = *from ? from + 1 : NULL;
	*to = '\0';
	return item;
}

static int opt_unknown_sub(const struct opt *table, const char *name, struct opt_err *err)
{
	struct opt_near near = { 0 };
	char names[256] = "";
	const struct opt *o;
	struct opt_iter it;

	opt_for_each(o, &it, table) {
		size_t n = strlen(names);

		if (!o->name || !opt_shown(o))
			continue;
		opt_near(&near, name, o->name);
		snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "", o->name);
	}
	if (near.word)
		return opt_error(err, "unknown option '%s', did you mean '%s'?", name, near.word);
	return opt_error(err, names[0] ? "unknown option '%s', there are: %s" :
			 "unknown option '%s', there are none", name, names);
}

/* The words for a flag that is given as name=WORD. */
static int opt_sub_bool(const char *arg, bool *on)
{
	static const char *const yes[] = { "on", "yes", "1" }, *const no[] = { "off", "no", "0" };

	for (unsigned int i = 0; i < ARRAY_SIZE(yes); i++) {
		*on = !strcmp(arg, yes[i]);
		if (*on || !strcmp(arg, no[i]))
			return 0;
	}
	return -EINVAL;
}

/* The one whose name the first item may leave out. */
static struct opt_found opt_first(const struct opt *table, void *obj)
{
	const struct opt *o;
	struct opt_iter it;

	opt_for_each(o, &it, table)
		if (o->first)
			return opt_found(&it, o, obj);
	return (struct opt_found){ NULL };
}

static int opt_parse_item(const struct opt *table, void *obj, char *item, bool is_first,
			  struct opt_err *err)
{
	char *eq = strchr(item, '='), *arg = NULL, name[OPT_LINE];
	struct opt_found f;

	if (eq)
		*eq = '\0';
	f = opt_by_name(table, obj, item);
	if (!f.opt || (is_first && !eq)) {
		/* A value without its name, which may well look like one or contain a '='. */
		struct opt_found first = is_first ? opt_first(table, obj) : (struct opt_found){ NULL };

		if (first.opt) {
			if (eq)
				*eq = '=';
			return opt_set(&first, first.opt->name, item, err);
		}
	}
	if (!f.opt)
		return opt_unknown_sub(table, item, err);
	if (eq)
		arg = eq + 1;
	if (!arg && f.opt->alone)
		arg = (char *)"";
	if (opt_takes_arg(f.opt)) {
		if (!arg && f.opt->alone)
			arg = "";
		if (!arg)
			return opt_error(err, "%s needs a value: %s=%s", f.opt->name, f.opt->name,
					 opt_arg_name(f.opt, name, sizeof(name)));
	} else if (arg && f.opt->kind == OPT_KIND_BOOL) {
		if (opt_sub_bool(arg, &f.on))
			return opt_error(err, "%s: '%s' is neither on nor off", f.opt->name, arg);
	} else if (arg && f.opt->kind != OPT_KIND_LATER) {
		return opt_error(err, "%s takes no value", f.opt->name);
	}
	return opt_set(&f, f.opt->name, arg, err);
}

int opt_parse_sub(const struct opt *table, void *obj, char *text, struct opt_err *err)
{
	bool is_first = true;
	char *item;
	int ret;

	err->text[0] = '\0';
	if (!*text)
		return 0;
	while ((item = opt_sub_next(&text))) {
		ret = opt_parse_item(table, obj, item, is_first, err);
		if (ret)
			return ret;
		is_first = false;
	}
	return 0;
}

char *opt_quote(const char *text)
{
	char *quoted = malloc(2 * strlen(text) + 1), *p = quoted;

	for (; quoted && *text; text++) {
		if (*text == ',')
			*p++ = ',';
		*p++ = *text;
	}
	if (quoted)
		*p = '\0';
	return quoted;
}

bool opt_flag(const struct opt *table, void *obj, const char *name)
{
	struct opt_found f = opt_by_name(table, obj, name);

	return f.opt && f.opt->kind == OPT_KIND_BOOL && *(bool *)((char *)f.obj + f.opt->offset);
}

void opt_free(const struct opt *table, void *obj)
{
	const struct opt *o;
	struct opt_iter it;

	opt_for_each(o, &it, table)
		if (o->kind == OPT_KIND_LIST)
			opt_list_free((void *)((char *)opt_found(&it, o, obj).obj + o->offset));
}

/* Print @text from @column on, with the lines that follow indented alike. */
static void opt_print_wrapped(FILE *f, const char *text, int at, int column)
{
	const char *gap = "";

	if (at + 1 > column) {		/* not even a blank between */
		fputc('\n', f);
		at = 0;
	}
	fprintf(f, "%*s", column - at, "");
	at = column;
	while (*text) {
		int len = strcspn(text, " ");

		if (at > column && at + 1 + len >= OPT_LINE) {
			fprintf(f, "\n%*s", column, "");
			at = column;
			gap = "";
		}
		at += fprintf(f, "%s%.*s", gap, len, text);
		text += len;
		text += strspn(text, " ");
		gap = " ";
	}
	fputc('\n', f);
}

void opt_print(FILE *f, const struct opt *table)
{
	bool first = true;
	const struct opt *o;
	struct opt_iter it;

	opt_for_each(o, &it, table) {
		char name[OPT_LINE];
		int at;

		if (!opt_shown(o))
			continue;
		if (o->kind == OPT_KIND_GROUP) {
			fprintf(f, "%s%s:\n", first ? "" : "\n", o->help);
			first = false;
			continue;
		}
		first = false;
		if (o->letter && o->name)
			at = fprintf(f, "  -%c, --%s", o->letter, o->name);
		else if (o->name)
			at = fprintf(f, "      --%s", o->name);
		else
			at = fprintf(f, "  -%c", o->letter);
		if (opt_takes_arg(o))
			at += fprintf(f, o->alone ? "[=%s]" : " %s", opt_arg_name(o, name, sizeof(name)));
		opt_print_wrapped(f, o->help, at, OPT_HELP_COLUMN);
	}
}

void opt_print_sub(FILE *f, const struct opt *table)
{
	const struct opt *o;
	struct opt_iter it;

	opt_for_each(o, &it, table) {
		char name[OPT_LINE];
		int at;

		if (!opt_shown(o) || o->kind == OPT_KIND_GROUP)
			continue;
		at = fprintf(f, o->first ? "      [%s=]%s" : opt_takes_arg(o) ? "      %s=%s" : "      %s",
			     o->name, opt_arg_name(o, name, sizeof(name)));
		opt_print_wrapped(f, o->help, at, OPT_HELP_COLUMN);
	}
}
