// SPDX-License-Identifier: GPL-2.0
/* Options: what is understood, and that every mistake is named in one line. */
#include <errno.h>
#include <stdlib.h>

#include <linux/kernel.h>
#include <kvm/opt.h>

#include "tap.h"

struct target {
	const char *cow;
	bool verbose, ro, rng;
	int loud, cpus, cache, limit;
	const char *kernel, *path;
	u64 mem;
	struct opt_list share;
	const char *called;
};

static int target_call(void *obj, const char *arg, struct opt_err *err)
{
	struct target *t = obj;

	if (!strcmp(arg, "bad")) {
		strcpy(err->text, "'bad' is not good");
		return -EINVAL;
	}
	t->called = arg;
	return 0;
}

static const char *const cache_words[] = { "none", "loose", "mmap", NULL };

static const struct opt foreign_opts[] = {
	OPT_FOREIGN("kopt", "use --kernel-log"),
	OPT_FOREIGN("nographic", "leave it out"),
	OPT_FOREIGN("s", "there is no gdb stub"),
	OPT_FOREIGN("cpu-model", "leave it out"),
	OPT_END
};

static const struct opt target_opts[] = {
	OPT_GROUP("Things"),
	OPT_BOOL('v', "verbose", struct target, verbose, "say more"),
	OPT_COUNT('l', "loud", struct target, loud, "louder"),
	OPT_STR('k', "kernel", struct target, kernel, "FILE",
		"a text that is long enough that it has to be continued on the next line, and on the one after that"),
	OPT_STR(0, "kernel-log", struct target, path, "FILE", "log"),
	OPT_INT('c', "cpus", struct target, cpus, 1, 255, "N", "number"),
	OPT_SIZE('m', "mem", struct target, mem, MIB, 16 * MIB, 4 * GIB, "SIZE", "memory"),
	OPT_CHOICE(0, "cache", struct target, cache, cache_words, "cache"),
	OPT_LIST('S', "share", struct target, share, "DIR", "share"),
	OPT_CALL(0, "call", target_call, "X", "call"),
	OPT_BOOL(0, "rng", struct target, rng, "rng"),
	OPT_TIME(0, "limit", struct target, limit, 1, 1000000, "SECONDS", "limit"),
	OPT_LATER('n', "network", "try --share"),
	OPT_TABLE_OF_NONE(foreign_opts),
	OPT_ALIAS('a', "append", "kernel-log"),
	OPT_END
};

static const struct opt disk_opts[] = {
	OPT_STR_FIRST("path", struct target, path, "FILE", "the image"),
	OPT_BOOL(0, "ro", struct target, ro, "read-only"),
	OPT_CHOICE(0, "cache", struct target, cache, cache_words, "cache"),
	OPT_INT(0, "queues", struct target, cpus, -1, 8, "N", "queues"),
	OPT_STR_ALONE("cow", struct target, cow, "KEPT", "copied on write"),
	OPT_LATER(0, "direct", NULL),
	OPT_END
};

#define ARGS_MAX 16

/* Parse the words of @line, which are separated by blanks. */
static int parse(struct target *t, unsigned int flags, const char *line, char *argv[ARGS_MAX],
		 struct opt_err *err)
{
	static char buf[512];
	int argc = 0;

	*t = (struct target){ 0 };
	strcpy(buf, line);
	for (char *p = strtok(buf, " "); p; p = strtok(NULL, " "))
		argv[argc++] = p;
	argv[argc] = NULL;
	return opt_parse(target_opts, t, argc, argv, flags, err);
}

static int sub(struct target *t, const char *text, struct opt_err *err)
{
	static char buf[512];

	*t = (struct target){ 0 };
	strcpy(buf, text);
	return opt_parse_sub(disk_opts, t, buf, err);
}

#define GOOD(line, flags, n)	CHECK_EQ(parse(&t, flags, line, argv, &err), n)
#define BAD(line, message) do {						\
	CHECK_EQ(parse(&t, 0, line, argv, &err), -EINVAL);		\
	CHECK_STR(err.text, message);					\
	opt_list_free(&t.share);					\
} while (0)
#define SUB_BAD(line, message) do {					\
	CHECK_EQ(sub(&t, line, &err), -EINVAL);				\
	CHECK_STR(err.text, message);					\
} while (0)

#define LOCALS struct target t; struct opt_err err; char *argv[ARGS_MAX]; (void)argv

TEST(an_argument_follows_in_four_ways)
{
	LOCALS;

	GOOD("--kernel a", 0, 0);
	CHECK_STR(t.kernel, "a");
	GOOD("--kernel=a=b", 0, 0);
	CHECK_STR(t.kernel, "a=b");
	GOOD("-k a", 0, 0);
	CHECK_STR(t.kernel, "a");
	GOOD("-ka", 0, 0);
	CHECK_STR(t.kernel, "a");
	GOOD("--kernel --", 0, 0);
	CHECK_STR(t.kernel, "--");
	GOOD("--kernel=", 0, 0);
	CHECK_STR(t.kernel, "");
}

TEST(flags_are_set_cleared_and_counted)
{
	LOCALS;

	GOOD("-v", 0, 0);
	CHECK(t.verbose);
	GOOD("--verbose --no-verbose", 0, 0);
	CHECK(!t.verbose);
	GOOD("-lll --loud", 0, 0);
	CHECK_EQ(t.loud, 4);
	GOOD("-vlkx", 0, 0);
	CHECK(t.verbose && t.loud == 1);
	CHECK_STR(t.kernel, "x");
}

TEST(unambiguous_prefixes_are_understood)
{
	LOCALS;

	GOOD("--verb --cp 4 --kernel x --no-v", 0, 0);
	CHECK_EQ(t.cpus, 4);
	CHECK_STR(t.kernel, "x");
	CHECK(!t.verbose);
	GOOD("--app x", 0, 0);
	CHECK_STR(t.path, "x");
	BAD("--kern x", "--kern is ambiguous: --kernel, --kernel-log");
	BAD("--ca x", "--ca is ambiguous: --cache, --call");
	BAD("--no x", "--no is ambiguous: --no-verbose, --no-rng");
}

TEST(operands_come_to_the_front_or_stop_the_options)
{
	LOCALS;

	GOOD("a -v b --cpus 2 - -- -c", 0, 4);
	CHECK_STR(argv[0], "a");
	CHECK_STR(argv[1], "b");
	CHECK_STR(argv[2], "-");
	CHECK_STR(argv[3], "-c");
	CHECK(!argv[4]);
	CHECK_EQ(t.cpus, 2);
	GOOD("-v make -l test", OPT_STOP, 3);
	CHECK_STR(argv[0], "make");
	CHECK_STR(argv[1], "-l");
	CHECK_EQ(t.loud, 0);
	GOOD("-v -- -x", OPT_STOP, 1);
	CHECK_STR(argv[0], "-x");
}

TEST(sizes_have_suffixes_and_a_default_unit)
{
	LOCALS;
	u64 v;

	GOOD("-m 512", 0, 0);
	CHECK_EQ(t.mem, 512 * MIB);
	GOOD("-m1g", 0, 0);
	CHECK_EQ(t.mem, GIB);
	GOOD("-m 16777216B", 0, 0);
	CHECK_EQ(t.mem, 16 * MIB);
	CHECK_EQ(opt_size("1P", 1, &v), 0);
	CHECK_EQ(v, 1ULL << 50);
	CHECK_EQ(opt_size("16384P", 1, &v), -ERANGE);
	CHECK_EQ(opt_size("99999999999999999999", 1, &v), -ERANGE);
	CHECK_EQ(opt_size("-1", 1, &v), -EINVAL);
	CHECK_EQ(opt_size("2GB", 1, &v), 0);
	CHECK_EQ(v, 2 * GIB);
	CHECK_EQ(opt_size("3mib", 1, &v), 0);
	CHECK_EQ(v, 3 * MIB);
	CHECK_EQ(opt_size("1BB", 1, &v), -EINVAL);
	CHECK_EQ(opt_size("1Mb2", 1, &v), -EINVAL);
	CHECK_EQ(opt_size("1.5G", 1, &v), -EINVAL);
	CHECK_EQ(opt_size("", 1, &v), -EINVAL);
	BAD("-m 1x", "-m: '1x' is not a size, a number with B, K, M, G, T or P is");
	BAD("-m 8G", "-m: 8G is out of range, 16M to 4G are possible");
	BAD("--mem 1", "--mem: 1 is out of range, 16M to 4G are possible");
}

TEST(times_have_suffixes)
{
	LOCALS;

	GOOD("--limit 10", 0, 0);
	CHECK_EQ(t.limit, 10);
	GOOD("--limit 10s", 0, 0);
	CHECK_EQ(t.limit, 10);
	GOOD("--limit=2m", 0, 0);
	CHECK_EQ(t.limit, 120);
	GOOD("--limit 3h", 0, 0);
	CHECK_EQ(t.limit, 10800);
	GOOD("--limit 1d", 0, 0);
	CHECK_EQ(t.limit, 86400);
	BAD("--limit 10x", "--limit: '10x' is not a time, a number with s, m, h or d is");
	BAD("--limit 1.5", "--limit: '1.5' is not a time, a number with s, m, h or d is");
	BAD("--limit 1mm", "--limit: '1mm' is not a time, a number with s, m, h or d is");
	BAD("--limit m", "--limit: 'm' is not a time, a number with s, m, h or d is");
	BAD("--limit=", "--limit: '' is not a time, a number with s, m, h or d is");
	BAD("--limit 0", "--limit: 0 is out of range, 1 to 1000000 seconds are possible");
	BAD("--limit 99d", "--limit: 99d is out of range, 1 to 1000000 seconds are possible");
	BAD("--limit 9999999999999999999d", "--limit: 9999999999999999999d is out of range, 1 to 1000000 seconds are possible");
}

/* Whoever comes from another program is told what it is called here. */
TEST(spellings_of_others)
{
	LOCALS;

	BAD("--kopt x", "unknown option --kopt: use --kernel-log");
	BAD("--kopt=x", "unknown option --kopt: use --kernel-log");
	BAD("-kopt x", "unknown option -kopt: use --kernel-log");
	BAD("-nographic", "unknown option -nographic: leave it out");
	BAD("-s", "unknown option -s: there is no gdb stub");
	/* Ours with one dash, where letters would make something else of it. */
	BAD("-kernel x", "unknown option -kernel, did you mean --kernel?");
	BAD("-cpus=4", "unknown option -cpus, did you mean --cpus?");
	BAD("-no-rng", "unknown option -no-rng, did you mean --no-rng?");
	/* They are no prefixes, and nothing is like them. */
	GOOD("--cpu 4", 0, 0);
	BAD("--cpu-mode x", "unknown option --cpu-mode");
	/* A cluster of which not all are options is shown whole. */
	BAD("-vxl", "unknown option -vxl (-x is none)");
	BAD("-nmode", "unknown option -nmode (-n is not there yet)");
	/* Not close. */
	BAD("--mods x", "unknown option --mods");
	BAD("--root x", "unknown option --root");
	BAD("--mme 1", "unknown option --mme, did you mean --mem?");
}

TEST(lists_grow_in_order)
{
	LOCALS;

	GOOD("-S a --share=b -Sc", 0, 0);
	CHECK_EQ(t.share.nr, 3);
	CHECK_STR(t.share.item[0], "a");
	CHECK_STR(t.share.item[1], "b");
	CHECK_STR(t.share.item[2], "c");
	opt_list_free(&t.share);
	CHECK_EQ(t.share.nr, 0);
}

TEST(mistakes_are_named_in_one_line)
{
	LOCALS;

	BAD("--kernl x", "unknown option --kernl, did you mean --kernel?");
	BAD("--cpsu 1", "unknown option --cpsu, did you mean --cpus?");
	BAD("--xyzzy=1", "unknown option --xyzzy");
	BAD("-x", "unknown option -x");
	BAD("-rng", "unknown option -rng, did you mean --rng?");
	BAD("--cpus", "--cpus needs an argument: N");
	BAD("-vc", "-c needs an argument: N");
	BAD("-c 0", "-c: 0 is out of range, 1 to 255 are possible");
	BAD("-c 99999999999999999999", "-c: 99999999999999999999 is out of range, 1 to 255 are possible");
	BAD("-c 1x", "-c: '1x' is not a number");
	BAD("--cpus=", "--cpus: '' is not a number");
	BAD("--verbose=1", "--verbose takes no argument");
	BAD("--no-verbose=1", "--no-verbose takes no argument");
	BAD("--cache lose", "--cache: unknown word 'lose', did you mean 'loose'?");
	BAD("--cache x", "--cache: unknown word 'x', there are: none, loose, mmap");
	BAD("--call bad", "--call: 'bad' is not good");
	BAD("-n", "-n is not there yet; try --share");
	BAD("--network=user", "--network is not there yet; try --share");
	BAD("--no-cpus", "unknown option --no-cpus");
}

TEST(help_is_asked_for)
{
	LOCALS;

	GOOD("--help", 0, -ECANCELED);
	GOOD("-vh", 0, -ECANCELED);
	GOOD("x --help", OPT_STOP, 2);
}

TEST(suboptions_start_with_a_value)
{
	struct target t;
	struct opt_err err;

	CHECK_EQ(sub(&t, "disk.img,ro,cache=loose", &err), 0);
	CHECK_STR(t.path, "disk.img");
	CHECK(t.ro);
	CHECK_EQ(t.cache, 1);
	CHECK_EQ(sub(&t, "ro,path=ro,ro=off", &err), 0);
	CHECK_STR(t.path, "ro");
	CHECK(!t.ro);
	CHECK_EQ(sub(&t, "ro", &err), 0);	/* a file of that name */
	CHECK_STR(t.path, "ro");
	CHECK_EQ(sub(&t, "ro=on,path=x", &err), 0);
	CHECK_STR(t.path, "x");
	CHECK(t.ro);
	CHECK_EQ(sub(&t, "a=b.img", &err), 0);
	CHECK_STR(t.path, "a=b.img");
	CHECK_EQ(sub(&t, "", &err), 0);
	CHECK(!t.path);
	CHECK_EQ(sub(&t, "x,queues=-1", &err), 0);
	CHECK_EQ(t.cpus, -1);
}

TEST(a_suboptions_value_may_be_left_out)
{
	struct target t;
	struct opt_err err;

	CHECK_EQ(sub(&t, "disk.img", &err), 0);
	CHECK(!t.cow);
	CHECK_EQ(sub(&t, "disk.img,cow,ro", &err), 0);
	CHECK_STR(t.cow, "");
	CHECK(t.ro);
	CHECK_EQ(sub(&t, "disk.img,cow=kept", &err), 0);
	CHECK_STR(t.cow, "kept");
}

TEST(two_commas_are_one)
{
	struct target t;
	struct opt_err err;

	CHECK_EQ(sub(&t, "a,,b,ro", &err), 0);
	CHECK_STR(t.path, "a,b");
	CHECK(t.ro);
	CHECK_EQ(sub(&t, ",,,ro", &err), 0);
	CHECK_STR(t.path, ",");
	CHECK(t.ro);
}

TEST(suboption_mistakes_are_named)
{
	struct target t;
	struct opt_err err;

	SUB_BAD("x,cahce=none", "unknown option 'cahce', did you mean 'cache'?");
	SUB_BAD("x,frobnicate", "unknown option 'frobnicate', there are: path, ro, cache, queues, cow");
	SUB_BAD("x,cache", "cache needs a value: cache=none|loose|mmap");
	SUB_BAD("x,ro=maybe", "ro: 'maybe' is neither on nor off");
	SUB_BAD("x,queues=9", "queues: 9 is out of range, -1 to 8 are possible");
	SUB_BAD("x,direct", "direct is not there yet");
	SUB_BAD("x,", "unknown option '', there are: path, ro, cache, queues, cow");
}

TEST(help_fits_80_columns)
{
	char *text, *line;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	CHECK(f);
	opt_print(f, target_opts);
	opt_print_sub(f, disk_opts);
	fclose(f);
	CHECK(strstr(text, "Things:\n  -v, --verbose"));
	CHECK(strstr(text, "  -k, --kernel FILE           a text that"));
	CHECK(strstr(text, "      [path=]FILE             the image\n"));
	CHECK(strstr(text, "      --cache none|loose|mmap cache\n"));
	CHECK(!strstr(text, "network"));
	CHECK(!strstr(text, "append"));
	CHECK(!strstr(text, "kopt"));
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		CHECK(strlen(line) < 80);
	free(text);
}

/* Groups: tables in a table */

struct leaf {
	int cpus;
	const char *called;
};

struct branch {
	bool ro;
	struct leaf leaf;
};

struct tree {
	const char *kernel;
	struct branch branch;
	struct leaf other;
	bool rng;
};

static int leaf_call(void *obj, const char *arg, struct opt_err *err)
{
	struct leaf *l = obj;

	l->called = arg;
	return 0;
}

static const struct opt leaf_opts[] = {
	OPT_GROUP("Leaves"),
	OPT_INT('c', "cpus", struct leaf, cpus, 1, 255, "N", "number"),
	OPT_CALL(0, "call", leaf_call, "X", "call"),
	OPT_END
};

static const struct opt other_opts[] = {
	OPT_INT('o', "other", struct leaf, cpus, 1, 255, "N", "number"),
	OPT_ALIAS(0, "vcpus", "cpus"),
	OPT_END
};

static const struct opt branch_opts[] = {
	OPT_BOOL(0, "ro", struct branch, ro, "read-only"),
	OPT_TABLE(leaf_opts, struct leaf, struct branch, leaf),
	OPT_END
};

static const struct opt tree_opts[] = {
	OPT_STR('k', "kernel", struct tree, kernel, "FILE", "kernel"),
	OPT_TABLE(branch_opts, struct branch, struct tree, branch),
	OPT_TABLE(other_opts, struct leaf, struct tree, other),
	OPT_BOOL(0, "rng", struct tree, rng, "rng"),
	OPT_END
};

static int tree(struct tree *t, const char *line, struct opt_err *err)
{
	static char buf[512];
	char *argv[ARGS_MAX];
	int argc = 0;

	*t = (struct tree){ NULL };
	strcpy(buf, line);
	for (char *p = strtok(buf, " "); p; p = strtok(NULL, " "))
		argv[argc++] = p;
	argv[argc] = NULL;
	return opt_parse(tree_opts, t, argc, argv, 0, err);
}

TEST(a_table_in_a_table_fills_its_own_structure)
{
	struct opt_err err;
	struct tree t;
	char text[] = "kernel=x,cpus=3,other=4";

	CHECK_EQ(tree(&t, "--kernel x --ro -c7 --other 9 --call y --rng", &err), 0);
	CHECK_STR(t.kernel, "x");
	CHECK(t.branch.ro && t.rng);
	CHECK_EQ(t.branch.leaf.cpus, 7);
	CHECK_STR(t.branch.leaf.called, "y");
	CHECK_EQ(t.other.cpus, 9);
	CHECK(!t.other.called);
	CHECK_EQ(tree(&t, "--vcpu 5 --no-ro", &err), 0);	/* an alias of another group's */
	CHECK_EQ(t.branch.leaf.cpus, 5);
	CHECK_EQ(tree(&t, "--cpsu 5", &err), -EINVAL);
	CHECK_STR(err.text, "unknown option --cpsu, did you mean --cpus?");
	CHECK_EQ(tree(&t, "--r", &err), -EINVAL);
	CHECK_STR(err.text, "--r is ambiguous: --ro, --rng");
	CHECK_EQ(opt_parse_sub(tree_opts, &t, text, &err), 0);
	CHECK_EQ(t.branch.leaf.cpus, 3);
	CHECK_EQ(t.other.cpus, 4);
}

TEST(the_help_of_tables_is_in_their_order)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	CHECK(f);
	opt_print(f, tree_opts);
	fclose(f);
	CHECK_STR(text,
		  "  -k, --kernel FILE           kernel\n"
		  "      --ro                    read-only\n"
		  "\nLeaves:\n"
		  "  -c, --cpus N                number\n"
		  "      --call X                call\n"
		  "  -o, --other N               number\n"
		  "      --rng                   rng\n");
	free(text);
}

TEST(suboptions_are_quoted_and_cut)
{
	char *quoted = opt_quote("a,b,,c"), *text;

	CHECK_STR(quoted, "a,,b,,,,c");
	free(quoted);
	quoted = strdup("a,,b,c=1,,2,");
	text = quoted;
	CHECK_STR(opt_sub_next(&text), "a,b");
	CHECK_STR(opt_sub_next(&text), "c=1,2");
	CHECK_STR(opt_sub_next(&text), "");
	CHECK(!opt_sub_next(&text));
	free(quoted);
}

struct grove {
	struct opt_list item;
	struct tree tree;
};

static const struct opt grove_opts[] = {
	OPT_LIST(0, "item", struct grove, item, "X", "items"),
	OPT_TABLE(tree_opts, struct tree, struct grove, tree),
	OPT_END
};

TEST(flags_are_asked_for_and_lists_freed)
{
	char text[] = "item=a,item=b,ro", bad[] = "item=a,cpus=x";
	struct grove g = { .item.nr = 0 };
	struct opt_err err;

	CHECK_EQ(opt_parse_sub(grove_opts, &g, text, &err), 0);
	CHECK_EQ(g.item.nr, 2);
	CHECK(opt_flag(grove_opts, &g, "ro"));
	CHECK(!opt_flag(grove_opts, &g, "rng"));
	CHECK(!opt_flag(grove_opts, &g, "cpus"));
	CHECK(!opt_flag(grove_opts, &g, "xyzzy"));
	opt_free(grove_opts, &g);
	CHECK_EQ(opt_parse_sub(grove_opts, &g, bad, &err), -EINVAL);
	opt_free(grove_opts, &g);
	CHECK_EQ(g.item.nr, 0);
}

TEST(a_range_is_one_number_or_two)
{
	static const char *const bad[] = { "", "-1", "3-", "3-2", "100", "99-100", "x" };
	const char *text = "3-17,5", *p = text;
	unsigned long from, to;

	CHECK_EQ(opt_range(&p, 100, &from, &to), 0);
	CHECK_EQ(from, 3);
	CHECK_EQ(to, 17);
	CHECK_STR(p++, ",5");
	CHECK_EQ(opt_range(&p, 100, &from, &to), 0);
	CHECK(from == 5 && to == 5 && !*p);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		p = bad[i];
		CHECK_EQ(opt_range(&p, 100, &from, &to), -EINVAL);
	}
}
