/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Options: a static const table lists them. One parser reads command lines and
 * suboptions ("--disk file,ro,cache=none") by it, and the help is printed from it. The
 * table names members of its owner's structure, and the parser stores only there. It
 * does not print, and does not end the process.
 *
 *	static const struct opt run_opts[] = {
 *		OPT_GROUP("Machine"),
 *		OPT_INT('c', "cpus", struct run, cpus, 1, 255, "N", "number of vCPUs"),
 *		OPT_SIZE('m', "mem", struct run, mem, MIB, 16 * MIB, TIB, "SIZE", "RAM, in MiB unless ..."),
 *		OPT_BOOL('v', "verbose", struct run, verbose, "say more"),
 *		OPT_END
 *	};
 *
 * A table may contain tables, each of a structure within its owner's, so that a
 * group of options can be a file with a table and a structure of its own.
 *
 * Strings that are stored point into argv, or into the text of the suboptions.
 */
#ifndef KVM_OPT_H
#define KVM_OPT_H

#include <stdio.h>

#include <kvm/types.h>

enum opt_kind {
	OPT_KIND_END,
	OPT_KIND_GROUP,		/* a heading of the help */
	OPT_KIND_BOOL,
	OPT_KIND_COUNT,
	OPT_KIND_STR,
	OPT_KIND_INT,
	OPT_KIND_SIZE,
	OPT_KIND_TIME,
	OPT_KIND_CHOICE,
	OPT_KIND_LIST,
	OPT_KIND_CALL,
	OPT_KIND_LATER,
	OPT_KIND_ALIAS,
	OPT_KIND_FOREIGN,
	OPT_KIND_TABLE,		/* more options, of a structure within the owner's */
};

/* One line of text about what is wrong and what would be right; no newline. */
struct opt_err {
	char text[512];
};

struct opt {
	const char *name;		/* the long spelling, without dashes */
	char letter;			/* the short one, or 0 */
	enum opt_kind kind;
	bool alone;			/* STR: may go without its argument, which is then "" */
	bool first;			/* suboptions: also the first item without a name */
	size_t offset;			/* of the member in the owner's structure */
	const char *arg;		/* the argument's name in the help, NULL: takes none, or CHOICE */
	const char *help;
	u64 min, max, unit;		/* INT (as s64), SIZE (bytes) */
	const char *const *choice;	/* CHOICE: the words, then NULL */
	const char *target;		/* ALIAS */
	const struct opt *table;	/* TABLE */
	int (*call)(void *obj, const char *arg, struct opt_err *err);
};

/* Repeated strings, in order. opt_free() when done; the strings are not owned. */
struct opt_list {
	const char **item;
	unsigned int nr;
};
void opt_list_free(struct opt_list *list);

/* The offset of @member, which must be of type @ctype or the compile fails. */
#define OPT_MEMBER(ctype, type, member)							\
	(offsetof(type, member) + 0 * sizeof(char[						\
		__builtin_types_compatible_p(typeof(((type *)0)->member), ctype) ? 1 : -1]))

/* bool. --name sets it, --no-name clears it. */
#define OPT_BOOL(l, n, type, member, h)							\
	{ .kind = OPT_KIND_BOOL, .letter = (l), .name = (n), .help = (h),			\
	  .offset = OPT_MEMBER(bool, type, member) }

/* int, one more each time it is given. */
#define OPT_COUNT(l, n, type, member, h)							\
	{ .kind = OPT_KIND_COUNT, .letter = (l), .name = (n), .help = (h),			\
	  .offset = OPT_MEMBER(int, type, member) }

/* const char *; the last one counts. */
#define OPT_STR(l, n, type, member, a, h)							\
	{ .kind = OPT_KIND_STR, .letter = (l), .name = (n), .arg = (a), .help = (h),		\
	  .offset = OPT_MEMBER(const char *, type, member) }

/* As OPT_STR(), with the argument behind "=" only, and not needed: --name alone stores "". */
#define OPT_STR_ALONE(n, type, member, a, h)						\
	{ .kind = OPT_KIND_STR, .name = (n), .arg = (a), .help = (h), .alone = true,		\
	  .offset = OPT_MEMBER(const char *, type, member) }

/* As OPT_STR(), and in suboptions the first item may leave "name=" out: "file,ro". */
#define OPT_STR_FIRST(n, type, member, a, h)							\
	{ .kind = OPT_KIND_STR, .name = (n), .arg = (a), .help = (h), .first = true,		\
	  .offset = OPT_MEMBER(const char *, type, member) }

/* int in [lo, hi]; 0x and 0 prefixes as in C. */
#define OPT_INT(l, n, type, member, lo, hi, a, h)						\
	{ .kind = OPT_KIND_INT, .letter = (l), .name = (n), .arg = (a), .help = (h),		\
	  .min = (u64)(s64)(lo), .max = (u64)(s64)(hi),					\
	  .offset = OPT_MEMBER(int, type, member) }

/*
 * u64, bytes in [lo, hi]. A number with a suffix B, K, M, G, T or P (powers of
 * 1024, either case; KB and KiB are K); one without counts in @u.
 */
#define OPT_SIZE(l, n, type, member, u, lo, hi, a, h)						\
	{ .kind = OPT_KIND_SIZE, .letter = (l), .name = (n), .arg = (a), .help = (h),		\
	  .unit = (u), .min = (lo), .max = (hi), .offset = OPT_MEMBER(u64, type, member) }

/* int, seconds in [lo, hi]; a number with a suffix s, m, h or d, as timeout(1) has it, or none. */
#define OPT_TIME(l, n, type, member, lo, hi, a, h)						\
	{ .kind = OPT_KIND_TIME, .letter = (l), .name = (n), .arg = (a), .help = (h),		\
	  .min = (lo), .max = (hi), .offset = OPT_MEMBER(int, type, member) }

/* int, the index in @words ("a", "b", NULL), which the help prints as "a|b". */
#define OPT_CHOICE(l, n, type, member, words, h)						\
	{ .kind = OPT_KIND_CHOICE, .letter = (l), .name = (n), .help = (h),			\
	  .choice = (words), .offset = OPT_MEMBER(int, type, member) }

/* struct opt_list, one more each time it is given. */
#define OPT_LIST(l, n, type, member, a, h)							\
	{ .kind = OPT_KIND_LIST, .letter = (l), .name = (n), .arg = (a), .help = (h),		\
	  .offset = OPT_MEMBER(struct opt_list, type, member) }

/*
 * fn(obj, arg, err): 0, or -errno with err->text filled in (without the
 * option's name, which the parser puts before it). @a NULL: no argument.
 */
#define OPT_CALL(l, n, fn, a, h)								\
	{ .kind = OPT_KIND_CALL, .letter = (l), .name = (n), .arg = (a), .help = (h),		\
	  .call = (fn) }

/* An option that lkvm does not have yet: using it is an error. @h: the alternative, or NULL. */
#define OPT_LATER(l, n, h)									\
	{ .kind = OPT_KIND_LATER, .letter = (l), .name = (n), .help = (h) }

/* Another spelling of the option named @t. */
#define OPT_ALIAS(l, n, t)									\
	{ .kind = OPT_KIND_ALIAS, .letter = (l), .name = (n), .target = (t) }

/*
 * An option of another program, with one dash or two: using it is an error, whose
 * message ends with @h, the equivalent here.
 */
#define OPT_FOREIGN(n, h)								\
	{ .kind = OPT_KIND_FOREIGN, .name = (n), .help = (h) }

/* The entries of @t, none of which has a member. */
#define OPT_TABLE_OF_NONE(t)	{ .kind = OPT_KIND_TABLE, .table = (t) }

/* The options of @t, whose structure is the member of type @ctype. At most OPT_DEPTH in each other. */
#define OPT_TABLE(t, ctype, type, member)							\
	{ .kind = OPT_KIND_TABLE, .table = (t), .offset = OPT_MEMBER(ctype, type, member) }
#define OPT_DEPTH	4

#define OPT_GROUP(h)	{ .kind = OPT_KIND_GROUP, .help = (h) }
#define OPT_END		{ .kind = OPT_KIND_END }

/* Stop at the first operand ("lkvm run -m 1G make test -j"): the rest are all operands. */
#define OPT_STOP	1U

/*
 * Read @argv (without the program's name, ended by NULL) into @obj. Options
 * are --name VALUE, --name=VALUE, -n VALUE, -nVALUE, unambiguous prefixes of
 * long names, and "--" ends them. The operands are moved to the front of
 * @argv, ended by NULL. Returns their number; -ECANCELED if --help or -h was
 * met and the table does not have it; -EINVAL or -ENOMEM with @err->text
 * filled in. After an error @obj may be filled in part: the caller frees its lists.
 */
int opt_parse(const struct opt *table, void *obj, int argc, char **argv,
	      unsigned int flags, struct opt_err *err);

/*
 * How many words of a command line the option @word takes by @table, with its argument:
 * 1 or 2; -EINVAL with @err->text filled in if it is none.
 */
int opt_words(const struct opt *table, const char *word, struct opt_err *err);

/*
 * Read "VALUE,flag,name=value" into @obj; ",," is a comma within a value, an
 * empty text is no suboption. @text is cut up in place and must outlive what is
 * stored. 0, or -EINVAL or -ENOMEM with @err->text filled in.
 */
int opt_parse_sub(const struct opt *table, void *obj, char *text, struct opt_err *err);

/* Cut the next suboption off *@text in place, with ",," made one comma; NULL at the end. */
char *opt_sub_next(char **text);
/* @text as a value among suboptions, with its commas doubled: malloc()ed, or NULL. */
char *opt_quote(const char *text);

/* Is the flag @name of @table set in @obj? False if there is none of that name. */
bool opt_flag(const struct opt *table, void *obj, const char *name);
/* Free the lists of @obj, also those of a parse that has failed. */
void opt_free(const struct opt *table, void *obj);

/* The help, at most 80 columns wide: of a command's options, of suboptions. */
void opt_print(FILE *f, const struct opt *table);
void opt_print_sub(FILE *f, const struct opt *table);

/* A size as opt_parse() reads it: 0 and bytes in @val, -EINVAL or -ERANGE. */
int opt_size(const char *text, u64 unit, u64 *val);

/* Read "A" or "A-B", A <= B < @max, at *@p, which then points behind it. 0 or -EINVAL. */
int opt_range(const char **p, unsigned long max, unsigned long *from, unsigned long *to);

/*
 * Find the word that the user probably meant. @best keeps the nearest one (start with
 * .distance = 0); @best->word is NULL if no word is near.
 */
struct opt_near {
	const char *word;
	unsigned int distance;
};
void opt_near(struct opt_near *best, const char *typed, const char *word);

#endif
