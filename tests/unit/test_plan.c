// SPDX-License-Identifier: GPL-2.0
/* lkvm test: plans, the order of tests, their results and what they come to. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/builtin.h>
#include <kvm/log.h>

#include "../../builtin/test/test.h"
#include "scratch.h"
#include "tap.h"

static struct tests tests;

static void load(const char *name, const char *text)
{
	scratch_file(name, text);
	CHECK_EQ(plan_load(&tests, scratch(name)), 0);
}

static int load_bad(const char *text)
{
	int ret;

	log_set_level(LOG_ERROR - 1);
	scratch_file("plan", text);
	ret = plan_load(&tests, scratch("plan"));
	tests_free(&tests);
	return ret;
}

TEST(a_line_is_a_command)
{
	load("plan", "# no test\n\ntrue\n  echo a b\ntrue");
	CHECK_EQ(tests.nr, 3);
	CHECK_STR(tests.item[0].name, "true");
	CHECK_STR(tests.item[1].argv.item[2], "echo a b");
	CHECK_STR(tests.item[2].name, "true#2");
	CHECK(!tests.item[0].skip_4);
	tests_free(&tests);
}

TEST(stanzas)
{
	load("plan", "# first\n[one]\ncmd=echo x\n\techo y\nkernel=/k\ncpus=2\nmem=1G\noptions=--share  /srv\n"
	     "status=3\ntimeout=7\nexpect=\"^x\"\nreject=z\n\n[two]\ncmd=true\nneeds=there-is-none\n[three]\ncmd=x\narch=vax\n");
	CHECK_EQ(tests.nr, 3);
	CHECK_STR(tests.item[0].argv.item[2], "echo x\necho y");
	CHECK_STR(tests.item[0].kernel, "/k");
	CHECK_EQ(tests.item[0].options.nr, 6);
	CHECK_STR(tests.item[0].options.item[5], "/srv");
	CHECK_EQ(tests.item[0].status, 3);
	CHECK_EQ(tests.item[0].timeout, 7);
	CHECK_STR(tests.item[0].expect.item[0], "^x");
	CHECK_STR(tests.item[1].skip, "there is no there-is-none");
	CHECK_STR(tests.item[2].skip, "it is for vax");
	tests_free(&tests);
	CHECK_EQ(load_bad("[one]\n[two]\ncmd=x\n"), -EINVAL);
	CHECK_EQ(load_bad("[one]\ncmd=x\nfoo=1\n"), -EINVAL);
	CHECK_EQ(load_bad("[one]\ncmd=x\ncmd=y\n"), -EINVAL);
	CHECK_EQ(load_bad("[one]\ncmd=x\nstatus=256\n"), -EINVAL);
	CHECK_EQ(load_bad("[one]\ncmd=x\nexpect=(\n"), -EINVAL);
	CHECK_EQ(load_bad("[one]\ncmd=x\n[one]\ncmd=x\n"), -EINVAL);
	CHECK_EQ(load_bad("[one]\nnonsense\n"), -EINVAL);
	CHECK_EQ(load_bad("[one]\n\tno command before\n"), -EINVAL);
}

TEST(an_installed_kselftest_tree)
{
	scratch_file("kselftest-list.txt", "net:a.sh\nnet:b.sh\ntimers:c\n");
	CHECK(!mkdir(scratch("net"), 0755));
	CHECK(!mkdir(scratch("timers"), 0755));
	scratch_file("net/settings", "# x\ntimeout=300\n");
	CHECK_EQ(plan_load(&tests, scratch(".")), 0);
	CHECK_EQ(tests.nr, 3);
	CHECK_STR(tests.item[1].name, "net:b.sh");
	CHECK_STR(tests.item[1].argv.item[0], "./b.sh");
	CHECK(strstr(tests.item[1].cwd, "/net"));
	CHECK_EQ(tests.item[1].timeout, 300);
	CHECK_EQ(tests.item[2].timeout, 45);
	CHECK(tests.item[2].skip_4);
	tests_free(&tests);
}

TEST(a_directory_of_programs)
{
	log_set_level(LOG_ERROR - 1);
	CHECK_EQ(plan_load(&tests, scratch(".")), -ENOENT);
	scratch_file("b", "#!/bin/sh\n");
	scratch_file("a", "#!/bin/sh\n");
	scratch_file("readme", "no program");
	CHECK(!chmod(scratch("a"), 0755) && !chmod(scratch("b"), 0755));
	CHECK_EQ(plan_load(&tests, scratch(".")), 0);
	CHECK_EQ(tests.nr, 2);
	CHECK_STR(tests.item[0].name, "a");
	CHECK(tests.item[0].argv.item[0][0] == '/');
	CHECK_EQ(plan_load(&tests, scratch("none")), -ENOENT);
	tests_free(&tests);
}

TEST(each_test_is_in_one_shard)
{
	char name[32];

	for (unsigned int total = 1; total < 9; total++) {
		unsigned int size[9] = { 0 };

		for (unsigned int n = 0; n < 400; n++) {
			unsigned int in = 0;

			snprintf(name, sizeof(name), "test-%u", n);
			for (unsigned int i = 1; i <= total; i++) {
				in += shard_has(name, i, total);
				size[i] += shard_has(name, i, total);
			}
			CHECK_EQ(in, 1);
		}
		for (unsigned int i = 1; i <= total; i++)
			CHECK(size[i] > 400 / total / 2);
	}
}

TEST(shards_by_word_and_environment)
{
	unsigned int index, total;

	log_set_level(LOG_ERROR - 1);
	CHECK_EQ(shard_parse("2/5", &index, &total), 0);
	CHECK_EQ(index * 10 + total, 25);
	CHECK_EQ(shard_parse("0/5", &index, &total), -EINVAL);
	CHECK_EQ(shard_parse("6/5", &index, &total), -EINVAL);
	CHECK_EQ(shard_parse("1/5x", &index, &total), -EINVAL);
	CHECK_EQ(shard_parse("", &index, &total), -EINVAL);
	CHECK_EQ(shard_parse("auto", &index, &total), -EINVAL);
	setenv("CI_NODE_INDEX", "3", 1);
	setenv("CI_NODE_TOTAL", "4", 1);
	CHECK_EQ(shard_parse("auto", &index, &total), 0);
	CHECK_EQ(index * 10 + total, 34);
	setenv("SLURM_ARRAY_TASK_ID", "10", 1);
	setenv("SLURM_ARRAY_TASK_MIN", "10", 1);
	setenv("SLURM_ARRAY_TASK_COUNT", "2", 1);
	CHECK_EQ(shard_parse("auto", &index, &total), 0);
	CHECK_EQ(index * 10 + total, 12);
}

TEST(the_same_seed_is_the_same_order)
{
	char first[512] = "", second[512] = "";

	load("plan", "a\nb\nc\nd\ne\nf\ng\nh\n");
	tests_shuffle(&tests, 5);
	for (unsigned int i = 0; i < tests.nr; i++)
		strcat(first, tests.item[i].name);
	tests_free(&tests);
	load("plan", "a\nb\nc\nd\ne\nf\ng\nh\n");
	tests_shuffle(&tests, 5);
	for (unsigned int i = 0; i < tests.nr; i++)
		strcat(second, tests.item[i].name);
	CHECK_STR(first, second);
	CHECK(strcmp(first, "abcdefgh"));
	CHECK_EQ(strlen(first), 8);
	tests_free(&tests);
}

TEST(tokens_of_make)
{
	struct jobserver j;
	char flags[256], c;
	int fd[2];

	unsetenv("MAKEFLAGS");
	jobserver_open(&j);
	CHECK_EQ(j.read_fd, -1);
	CHECK(!pipe(fd) && write(fd[1], "xy", 2) == 2);
	snprintf(flags, sizeof(flags), " -j3 --jobserver-auth=%d,%d", fd[0], fd[1]);
	setenv("MAKEFLAGS", flags, 1);
	jobserver_open(&j);
	CHECK(jobserver_take(&j));
	CHECK(jobserver_take(&j));
	/* It does not wait, though make's own descriptor would. */
	CHECK(!jobserver_take(&j));
	jobserver_give(&j);
	CHECK(read(fd[0], &c, 1) == 1 && c == 'y');
	jobserver_close(&j);
	CHECK(read(fd[0], &c, 1) == 1 && c == 'x');
	close(fd[0]);
	close(fd[1]);

	CHECK(!mkfifo(scratch("fifo"), 0600));
	snprintf(flags, sizeof(flags), " -j3 --jobserver-auth=9,9 --jobserver-auth=fifo:%s", scratch("fifo"));
	setenv("MAKEFLAGS", flags, 1);
	jobserver_open(&j);
	CHECK(j.read_fd >= 0 && !jobserver_take(&j));
	CHECK(write(j.write_fd, "z", 1) == 1);
	CHECK(jobserver_take(&j));
	jobserver_close(&j);
	/* Descriptors that make has closed: as if there were none. */
	setenv("MAKEFLAGS", " -j3 --jobserver-auth=97,98", 1);
	jobserver_open(&j);
	CHECK_EQ(j.read_fd, -1);
}

/* Verdicts */

static const char *judge(const char *outcome, const char *out, const char *kmsg)
{
	struct regex_list allow = { NULL, 0 };
	struct test_traces tr = {
		.out = strdup(out), .err = strdup("lkvm: first\nlkvm: no room\n"), .kmsg = strdup(kmsg), .outcome = strdup(outcome),
	};
	struct test *t = &tests.item[0];

	CHECK_EQ(regexes_add(&allow, "test", "WARNING: .*harmless"), 0);
	test_clear(t);
	verdict(t, &tr, &allow);
	regexes_free(&allow);
	free(tr.out);
	free(tr.err);
	free(tr.kmsg);
	free(tr.outcome);
	return test_words[t->word];
}

TEST(every_outcome_has_its_word)
{
	load("plan", "true\n");
	CHECK_STR(judge("exit 0\n\n", "", ""), "pass");
	CHECK_STR(judge("exit 1\n\n", "", ""), "fail");
	CHECK_STR(judge("exit 123\nthe status 123 is that of the command\n", "", ""), "fail");
	CHECK_STR(judge("exit 4\n\n", "", ""), "fail");
	tests.item[0].skip_4 = true;
	CHECK_STR(judge("exit 4\n\n", "", ""), "skip");
	CHECK_STR(judge("panic 123\nthe guest's kernel panicked: x\n", "", "BUG: y\n"), "panic");
	CHECK_STR(tests.item[0].text, "the guest's kernel panicked: x");
	CHECK_STR(judge("gone 123\nx\n", "", ""), "panic");
	CHECK_STR(judge("timeout 124\nx\n", "", ""), "timeout");
	CHECK_STR(judge("exit 0\n\n", "", "[    1.0] foo\n[    2.0][ T1] WARNING: CPU: 1\r\n"), "oops");
	CHECK_STR(tests.item[0].text, "WARNING: CPU: 1");
	CHECK_STR(judge("exit 0\n\n", "", "[    2.0] WARNING: it is harmless\n"), "pass");
	CHECK_STR(judge("timeout 124\nx\n", "", "INFO: task x:1 blocked for more than 120 seconds.\n"), "oops");
	CHECK_STR(judge("error 125\n\n", "", ""), "error");
	CHECK_STR(tests.item[0].text, "no room");
	CHECK_STR(judge("", "", ""), "error");
	CHECK_STR(judge("nonsense", "", ""), "error");
	tests_free(&tests);
}

TEST(what_is_expected_of_the_output)
{
	load("plan", "[a]\ncmd=x\nexpect=^two$\nreject=three\nstatus=2\n");
	CHECK_STR(judge("exit 2\n\n", "one\ntwo\n", ""), "pass");
	CHECK_STR(judge("exit 0\n\n", "one\ntwo\n", ""), "fail");
	CHECK_STR(judge("exit 2\n\n", "one\n", ""), "fail");
	CHECK_STR(tests.item[0].text, "stdout lacks /^two$/");
	CHECK_STR(judge("exit 2\n\n", "two\nthree\n", ""), "fail");
	tests_free(&tests);
}

/* KTAP */

static const char *ktap(const char *text)
{
	static char why[128];
	enum test_word word;
	char *copy = strdup(text);
	bool is;

	*why = 0;
	test_clear(&tests.item[0]);
	is = ktap_read(&tests.item[0], copy, &word, why);
	free(copy);
	return is ? test_words[word] : "none";
}

TEST(results_of_its_own)
{
	load("plan", "true\n");
	CHECK_STR(ktap("hello\nok 1 x\n"), "none");
	CHECK_STR(ktap("TAP version 13\n1..2\nok 1 a\nok 2 - b # 3 ms\n"), "pass");
	CHECK_EQ(tests.item[0].nr_sub, 2);
	CHECK_STR(tests.item[0].sub[1].name, "b");
	CHECK_STR(ktap("noise\nKTAP version 1\n1..2\nok 1 a\nnot ok 2 b\n"), "fail");
	CHECK_STR(ktap("KTAP version 1\n1..2\nok 1 a\n"), "fail");
	CHECK_STR(ktap("KTAP version 1\n1..1\nnot ok 1 a # TODO later\n"), "pass");
	CHECK_STR(ktap("KTAP version 1\n1..2\nok 1 a # SKIP x\nok 2 b # skip y\n"), "skip");
	CHECK_STR(ktap("KTAP version 1\n1..0\n"), "skip");
	CHECK_STR(ktap("KTAP version 1\n1..2\nok 1 a\nBail out! x\n"), "fail");
	CHECK_STR(ktap("KTAP version 1\n"), "fail");
	tests_free(&tests);
}

TEST(nested_results)
{
	load("plan", "true\n");
	CHECK_STR(ktap("KTAP version 1\n1..2\n  KTAP version 1\n  1..2\n  ok 1 x\n    KTAP version 1\n    1..1\n"
		       "    not ok 1 deep\n  not ok 2 y\nnot ok 1 suite\nok 2 other\n"), "fail");
	CHECK_EQ(tests.item[0].nr_sub, 5);
	CHECK_STR(tests.item[0].sub[0].name, "suite/x");
	CHECK_STR(tests.item[0].sub[1].name, "suite/y/deep");
	CHECK_STR(tests.item[0].sub[3].name, "suite");
	CHECK_STR(tests.item[0].sub[4].name, "other");
	tests_free(&tests);
}

TEST(kunits_results_are_in_the_kernels_messages)
{
	CHECK_EQ(plan_kunit(&tests, "list*"), 0);
	CHECK_STR(tests.item[0].options.item[1], "kunit.enable=1 kunit.filter_glob=list*");
	CHECK_STR(judge("exit 0\n\n", "", "[    0.1] Linux\n"), "fail");
	CHECK_STR(judge("exit 0\n\n", "", "[    0.1] Linux\n[    1.0] KTAP version 1\r\n[    1.0] 1..1\r\n"
			"[    1.1]     KTAP version 1\r\n[    1.1]     # Subtest: list\r\n[    1.1]     1..2\r\n"
			"[    1.2]     ok 1 init\r\n[    1.2]     ok 2 add\r\n[    1.2] ok 1 list\r\n[    1.5] end\n"), "pass");
	CHECK_EQ(tests.item[0].nr_sub, 3);
	CHECK_STR(tests.item[0].sub[0].name, "list/init");
	CHECK_STR(judge("exit 0\n\n", "", "[    1.0] KTAP version 1\n[    1.0] 1..1\n[    1.2] not ok 1 list\n"), "fail");
	tests_free(&tests);
}

TEST(whatever_a_test_prints_does_no_harm)
{
	static const char words[][16] = { "ok", "not ok", " ", "    ", "\n", "1..", "KTAP version 1", "#", "SKIP", "9", "-", "\r",
					  "Bail out!", "99999999999999", "x" };
	unsigned int seed = 1;

	load("plan", "true\n");
	for (int n = 0; n < 500; n++) {
		char text[1024] = "KTAP version 1\n";

		for (int i = 0; i < 60; i++) {
			seed = seed * 1103515245 + 12345;
			strcat(text, words[(seed >> 16) % ARRAY_SIZE(words)]);
		}
		ktap(text);
	}
	tests_free(&tests);
}

/* Reports */

static void write_json(const char *name)
{
	FILE *f = fopen(scratch(name), "w");

	report_json(f, &tests);
	CHECK(!fclose(f));
}

static void result(unsigned int i, enum test_word word)
{
	tests.item[i].done = true;
	tests.item[i].word = word;
}

TEST(results_are_read_as_they_were_written)
{
	struct tests again = { NULL, 0 };

	load("plan", "echo \"a\\b\" <&>\t\xc3\xa9\nfalse\n");
	result(0, TEST_PASS);
	result(1, TEST_TIMEOUT);
	tests.item[1].text = strdup("why\xff \x01");
	tests.item[1].flaky = true;
	CHECK_STR(ktap("KTAP version 1\n1..1\nok 1 x\n"), "pass");
	result(0, TEST_PASS);
	write_json("json");
	CHECK_EQ(results_load(&again, scratch("json")), 0);
	CHECK_EQ(again.nr, 2);
	CHECK_STR(again.item[0].name, tests.item[0].name);
	CHECK_EQ(again.item[1].word, TEST_TIMEOUT);
	CHECK_STR(again.item[1].text, "why\xef\xbf\xbd \x01");
	CHECK(again.item[1].flaky && !again.item[0].flaky);
	CHECK_STR(again.item[0].sub[0].name, "x");
	tests_free(&again);
	tests_free(&tests);
}

TEST(junit_is_xml)
{
	FILE *f = fopen(scratch("junit"), "w");
	char cmd[256];

	if (system("command -v xmllint >/dev/null"))
		SKIP("there is no xmllint");
	load("plan", "echo \"a\" <&>\t\x01\xff\nfalse\nx\n");
	result(0, TEST_FAIL);
	tests.item[0].text = strdup("]]> \" < \x02");
	result(1, TEST_SKIP);
	result(2, TEST_ERROR);
	report_junit(f, &tests);
	fclose(f);
	snprintf(cmd, sizeof(cmd), "xmllint --noout %s", scratch("junit"));
	CHECK(!system(cmd));
	tests_free(&tests);
}

TEST(json_of_others)
{
	static const char *const bad[] = {
		"", "{", "[", "[1,]", "{\"a\"}", "{\"a\":1,}", "\"\\x\"", "\"\\u12\"", "\"", "\"\\", "tru", "1 2", "-", "[\"a\n\"]",
		"{\"a\":[{\"b\":\"\\ud800\\u00\"}]}",
	};
	struct json *j;
	char why[128];

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		/* In memory of its size, so that a byte too many is seen. */
		size_t len = strlen(bad[i]);
		char *copy = malloc(len ? len : 1);

		memcpy(copy, bad[i], len);
		CHECK(!json_parse(copy, len, why));
		free(copy);
	}
	j = json_parse(" { \"a\" : [ 1.5e1, \"\\u00e9\\ud83d\\ude00\\n\", null, true ] } ", 56, why);
	CHECK(j);
	CHECK(json_get(j, "a")->child->number == 15);
	CHECK_STR(json_get(j, "a")->child->next->text, "\xc3\xa9\xf0\x9f\x98\x80\n");
	json_free(j);
}

TEST(json_that_is_too_deep)
{
	char text[1000], why[128];

	memset(text, '[', sizeof(text));
	CHECK(!json_parse(text, sizeof(text), why));
	CHECK(strstr(why, "deep"));
}

TEST(only_what_is_new_is_a_failure)
{
	struct tests old = { NULL, 0 };
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	load("plan", "a\nb\nc\nd\n");
	result(0, TEST_FAIL), result(1, TEST_PASS), result(2, TEST_FAIL), result(3, TEST_PASS);
	write_json("json");
	CHECK_EQ(results_load(&old, scratch("json")), 0);
	result(2, TEST_PASS);
	CHECK_EQ(report_status(&tests, NULL), 1);
	CHECK_EQ(report_status(&tests, &old), 0);
	CHECK_EQ(baseline_print(f, &tests, &old), 0);
	result(1, TEST_PANIC);
	CHECK_EQ(report_status(&tests, &old), 1);
	CHECK_EQ(baseline_print(f, &tests, &old), 1);
	fclose(f);
	CHECK(strstr(text, "fixed          fail     pass     c"));
	CHECK(strstr(text, "new failure    pass     panic    b"));
	free(text);
	tests_free(&old);
	tests_free(&tests);
}

TEST(the_status_of_them_all)
{
	load("plan", "a\nb\n");
	result(0, TEST_PASS), result(1, TEST_SKIP);
	CHECK_EQ(report_status(&tests, NULL), 0);
	result(1, TEST_ERROR);
	CHECK_EQ(report_status(&tests, NULL), STATUS_FAILED);
	result(1, TEST_PANIC);
	CHECK_EQ(report_status(&tests, NULL), 1);
	result(0, TEST_OOPS);
	CHECK_EQ(report_status(&tests, NULL), STATUS_PANIC);
	result(0, TEST_TIMEOUT), result(1, TEST_TIMEOUT);
	CHECK_EQ(report_status(&tests, NULL), STATUS_TIMEOUT);
	result(0, TEST_FAIL), result(1, TEST_ERROR);
	CHECK_EQ(report_status(&tests, NULL), 1);
	tests_free(&tests);
}
