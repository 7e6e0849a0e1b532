// SPDX-License-Identifier: GPL-2.0
/*
 * lkvm completion: a script for the user's shell, which asks "lkvm completion words" for
 * the words that may stand at the cursor. They come from the tables of commands and
 * options, so they are those of this very program.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/builtin.h>
#include <kvm/control.h>
#include <kvm/device.h>

#include "completion.h"

/* What the shell knows better. */
#define WORDS_FILES	":files"
#define WORDS_COMMANDS	":commands"

static const char completion_bash[] =
	"_lkvm()\n"
	"{\n"
	"	local line cur=${COMP_WORDS[COMP_CWORD]} IFS=$'\\n'\n"
	"	COMPREPLY=()\n"
	"	set -- $(\"${COMP_WORDS[0]}\" completion words -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
	"	[ \"$cur\" != = ] || cur=\n"
	"	for line in \"$@\"; do\n"
	"		case $line in\n"
	"		:files) compopt -o filenames; COMPREPLY+=($(compgen -f -- \"$cur\")) ;;\n"
	"		:commands) COMPREPLY+=($(compgen -c -- \"$cur\")) ;;\n"
	"		*) COMPREPLY+=(\"$line\") ;;\n"
	"		esac\n"
	"	done\n"
	"}\n"
	"complete -F _lkvm lkvm\n";

static const char completion_zsh[] =
	"#compdef lkvm\n"
	"_lkvm()\n"
	"{\n"
	"	local line\n"
	"	for line in ${(f)\"$(\"$words[1]\" completion words -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"}; do\n"
	"		case $line in\n"
	"		:files) compset -P '*='; _files ;;\n"
	"		:commands) _command_names -e ;;\n"
	"		*) compadd -- \"$line\" ;;\n"
	"		esac\n"
	"	done\n"
	"}\n"
	"if [ \"$funcstack[1]\" = _lkvm ]; then _lkvm \"$@\"; else compdef _lkvm lkvm; fi\n";

static const char completion_fish[] =
	"function __lkvm_words\n"
	"	set -l words (commandline -opc) (commandline -ct)\n"
	"	for line in ($words[1] completion words -- $words[2..-1] 2>/dev/null)\n"
	"		switch $line\n"
	"		case ':files'\n"
	"			__fish_complete_path (commandline -ct)\n"
	"		case ':commands'\n"
	"			__fish_complete_command\n"
	"		case '*'\n"
	"			echo $line\n"
	"		end\n"
	"	end\n"
	"end\n"
	"complete -c lkvm -f -a '(__lkvm_words)'\n";

static const struct {
	const char *shell, *script;
} completion_scripts[] = {
	{ "bash", completion_bash }, { "zsh", completion_zsh }, { "fish", completion_fish },
};

/* The words at the cursor: they begin with @typed, and @before is put in front of each. */
struct words {
	const char *before, *typed;
	const char *option;		/* the one to be found, with its dashes */
	const struct opt *found;
};

static void words_offer(void *obj, const char *word)
{
	const struct words *w = obj;

	if (!strncmp(word, w->typed, strlen(w->typed)))
		printf("%s%s\n", w->before, word);
}

/* Every option that the help shows, in tables within tables. */
static void words_options(const struct opt *o, struct words *w, void (*fn)(struct words *w, const struct opt *o))
{
	for (; o->kind != OPT_KIND_END; o++) {
		if (o->kind == OPT_KIND_TABLE)
			words_options(o->table, w, fn);
		else if (o->kind != OPT_KIND_GROUP && o->kind != OPT_KIND_LATER && o->kind != OPT_KIND_ALIAS &&
			 o->kind != OPT_KIND_FOREIGN)
			fn(w, o);
	}
}

static void words_option_name(struct words *w, const struct opt *o)
{
	char name[64];

	snprintf(name, sizeof(name), "--%s", o->name);
	words_offer(w, name);
}

static void words_option_is(struct words *w, const struct opt *o)
{
	if (!strncmp(w->option, "--", 2) ? !strcmp(w->option + 2, o->name) :
	    o->letter && w->option[0] == '-' && w->option[1] == o->letter && !w->option[2])
		w->found = o;
}

/* The option that @word spells and that takes an argument behind it, or NULL. */
static const struct opt *words_find(const struct command *cmd, const char *word)
{
	struct words w = { .option = word };
	const struct opt *o;

	if (!cmd->opts || *word != '-')
		return NULL;
	words_options(cmd->opts, &w, words_option_is);
	o = w.found;
	return o && (o->arg || o->kind == OPT_KIND_CHOICE) ? o : NULL;
}

/* An argument of @o: the text of its help has the words that it may be. */
static void words_value(struct words *w, const struct opt *o)
{
	const struct device_type *t;
	const char *text = o->arg;
	char word[64];
	size_t len;

	for (int i = 0; o->kind == OPT_KIND_CHOICE && o->choice[i]; i++)
		words_offer(w, o->choice[i]);
	if (o->kind == OPT_KIND_CHOICE)
		return;
	if (!strcmp(o->name, "device"))
		for (size_t i = 0; (t = device_type_get(i)); i++)
			words_offer(w, t->name);
	if (strstr(text, "FILE") || strstr(text, "DIR") || strstr(text, "PATH") || strstr(text, "SCRIPT") ||
	    strstr(text, "PROGRAM")) {
		puts(WORDS_FILES);
		return;
	}
	/* "on|log|off|show": the words of lower case between the bars */
	for (; strchr(o->arg, '|') && *text; text += len + (text[len] == '|')) {
		len = strcspn(text, "|");
		if (len >= sizeof(word) || strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-=") != len)
			continue;
		snprintf(word, sizeof(word), "%.*s", (int)len, text);
		words_offer(w, word);
	}
}

static const struct command *words_command(const struct command *const *table, const char *word)
{
	for (int i = 0; table[i]; i++)
		if (!strcmp(command_word(table[i]), word))
			return table[i];
	return NULL;
}

static void words_commands(struct words *w, const struct command *const *table)
{
	for (int i = 0; table[i]; i++)
		words_offer(w, command_word(table[i]));
}

static void words_operand(struct words *w, const struct command *const *table, const struct command *cmd)
{
	struct opt_err err;

	if (cmd->sub) {
		words_commands(w, cmd->sub);
	} else if (!strcmp(cmd->name, "help")) {
		words_commands(w, table);
	} else if (!strcmp(cmd->name, "completion")) {
		for (size_t i = 0; i < ARRAY_SIZE(completion_scripts); i++)
			words_offer(w, completion_scripts[i].shell);
	} else if (strstr(cmd->synopsis, "[COMMAND")) {
		puts(WORDS_COMMANDS);
	} else {
		if (strstr(cmd->synopsis, "NAME"))
			control_each(words_offer, w, &err);
		if (strstr(cmd->synopsis, "FILE") || strstr(cmd->synopsis, "DIR") ||
		    strstr(cmd->synopsis, "IMAGE") || strstr(cmd->synopsis, "LOG"))
			puts(WORDS_FILES);
	}
}

/* Has the command's own part ended, as at "lkvm run -- make" or "lkvm run make"? */
static bool words_foreign(const struct command *cmd, char **argv, int n)
{
	for (int i = 0; i < n; i++) {
		if (!strcmp(argv[i], "--"))
			return true;
		if (*argv[i] == '=' || (i && *argv[i - 1] == '='))
			continue;	/* bash divides --option=value there */
		if (*argv[i] != '-' && (cmd->flags & OPT_STOP) && !(i && words_find(cmd, argv[i - 1])))
			return true;
	}
	return false;
}

void completion_words(const struct command *const *table, int n, char **argv)
{
	struct words w = { .before = "", .typed = argv[n - 1] };
	const struct command *cmd = n > 1 ? words_command(table, argv[0]) : NULL;
	const struct opt *o = NULL;
	char *equals = strchr(argv[n - 1], '=');
	int at = 1;

	if (n == 1)
		words_commands(&w, table);
	while (cmd && cmd->sub && at < n - 1)
		cmd = words_command(cmd->sub, argv[at++]);
	if (!cmd)
		return;
	if (words_foreign(cmd, argv + at, n - 1 - at)) {
		puts(WORDS_FILES);
		return;
	}
	if (equals == argv[n - 1] && n - 2 >= at) {
		w.typed = "";
		o = words_find(cmd, argv[n - 2]);
	} else if (n - 3 >= at && !strcmp(argv[n - 2], "=")) {
		o = words_find(cmd, argv[n - 3]);
	} else if (equals && !strncmp(argv[n - 1], "--", 2)) {
		*equals = '\0';
		o = words_find(cmd, argv[n - 1]);
		*equals = '=';
		w.typed = equals + 1;
		w.before = strndup(argv[n - 1], equals + 1 - argv[n - 1]);
		if (!w.before)
			return;
	} else if (n - 2 >= at) {
		o = words_find(cmd, argv[n - 2]);
	}
	if (o)
		words_value(&w, o);
	else if (*w.typed == '-' && cmd->opts)
		words_options(cmd->opts, &w, words_option_name);
	else
		words_operand(&w, table, cmd);
}

int completion_script(const char *shell)
{
	for (size_t i = 0; i < ARRAY_SIZE(completion_scripts); i++) {
		if (strcmp(shell, completion_scripts[i].shell))
			continue;
		fputs(completion_scripts[i].script, stdout);
		return 0;
	}
	return -ENOENT;
}
