/* SPDX-License-Identifier: MPL-2.0 */
/*
 * gatepost passwd: one login of a users file set or deleted. The password comes from the
 * terminal, asked for twice, or as one line of standard input; never from the command line,
 * which everybody on the machine can read.
 */
#include "proxy/commands/commands.h"

#include "proxy/auth/passwd_hash.h"
#include "proxy/auth/users_edit.h"
#include "proxy/auth/users_table.h"
#include "proxy/commands/password_prompt.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#define USERS_FILE_DEFAULT "/etc/gatepost/users"

static const char usage[] =
    "usage: gatepost passwd [-f FILE] [--patterns LIST] [--method NAME] [--stdin] LOGIN\n"
    "       gatepost passwd [-f FILE] --delete LOGIN\n"
    "\n"
    "Sets the password of LOGIN in the users file, or adds LOGIN to it. Asks for the password\n"
    "twice on a terminal; elsewhere it is the first line of standard input. A gate that runs\n"
    "sees the change within a second.\n"
    "\n"
    "  -f, --file FILE      the users file (default: " USERS_FILE_DEFAULT ")\n"
    "  -p, --patterns LIST  what LOGIN may send as: addresses, *@example.com, "
    "*@*.example.com,\n"
    "                       <> for the null reverse-path, between commas; \"\" is LOGIN "
    "itself\n"
    "                       (default: as it is; for a new LOGIN, itself)\n"
    "  -m, --method NAME    yescrypt (the default), bcrypt or sha512\n"
    "      --stdin          read a line of standard input even if that is a terminal\n"
    "      --delete         take LOGIN out of the file\n"
    "  -h, --help           print this\n"
    "\n"
    "Exit status: 0 done, 1 it failed and nothing was changed, 2 wrong usage.\n";

/* The command line. */
struct options {
	const char *file, *patterns, *method, *login;
	bool is_delete, from_stdin, is_help;
};

/* parse_options - false: the usage is wrong, and that was said. */
static bool
parse_options(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{ "file", required_argument, NULL, 'f' },
		{ "patterns", required_argument, NULL, 'p' },
		{ "method", required_argument, NULL, 'm' },
		{ "stdin", no_argument, NULL, 'i' },
		{ "delete", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*o = (struct options){ .file = USERS_FILE_DEFAULT, .method = "yescrypt" };
	while ((c = getopt_long(argc, argv, "f:p:m:h", names, NULL)) != -1) {
		switch (c) {
		case 'f':
			o->file = optarg;
			break;
		case 'p':
			o->patterns = optarg;
			break;
		case 'm':
			o->method = optarg;
			break;
		case 'i':
			o->from_stdin = true;
			break;
		case 'd':
			o->is_delete = true;
			break;
		case 'h':
			o->is_help = true;
			return true;
		default:
			return false;
		}
	}
	if (optind + 1 != argc) {
		fprintf(stderr, "gatepost passwd: one LOGIN is needed\n");
		return false;
	}
	o->login = argv[optind];
	return true;
}

static bool
fail(const struct err *err)
{
	fprintf(stderr, "gatepost passwd: %s\n", err->text);
	return false;
}

/* read_password - from where the options say. */
static bool
read_password(const struct options *o, struct secret *out, struct err *err)
{
	struct secret again;
	bool is_same;

	if (o->from_stdin || !isatty(STDIN_FILENO))
		return password_read_line(STDIN_FILENO, out, err);
	if (!password_prompt("New password: ", out, err))
		return false;
	secret_init(&again);
	if (!password_prompt("Once more: ", &again, err)) {
		secret_finish(&again);
		return false;
	}
	is_same = secret_eq(out, &again);
	secret_finish(&again);
	return is_same || err_set(err, ERR_CONFIG, "the two passwords differ");
}

static bool
make_hash(const struct options *o, char hash[PASSWD_HASH_MAX + 1], struct err *err)
{
	struct secret password;
	bool is_made;

	secret_init(&password);
	is_made = read_password(o, &password, err) &&
		  passwd_hash_make(o->method, &password, hash, err);
	secret_finish(&password);
	return is_made;
}

/* is_line - patterns become part of a line: they must not begin another. */
static bool
is_line(const char *text)
{
	return text == NULL || strpbrk(text, "\r\n") == NULL;
}

static bool
run(const struct options *o)
{
	struct err err = { .kind = ERR_NONE };
	char hash[PASSWD_HASH_MAX + 1] = "";
	const struct users_change change = { view_of(o->login), o->is_delete, hash,
		o->patterns };
	bool was_there = false, was_open = false;

	if (!users_login_is_valid(change.login) || !is_line(o->patterns)) {
		err_set(&err, ERR_CONFIG,
		    "a login has no colon, no \"#\" in front, no control character and no "
		    "blank at its ends; patterns are one line");
		return fail(&err);
	}
	if (!o->is_delete && !make_hash(o, hash, &err))
		return fail(&err);
	if (!users_edit_file(o->file, &change, &was_there, &was_open, &err))
		return fail(&err);
	printf("%s: %s in %s\n", o->login,
	    o->is_delete ? "deleted"
	    : was_there	 ? "password changed"
			 : "added",
	    o->file);
	if (was_open)
		fprintf(stderr,
		    "gatepost passwd: warning: everybody may read %s, so the gate will not "
		    "take it: chmod o-rwx\n",
		    o->file);
	return true;
}

int
command_passwd(int argc, char **argv)
{
	struct options o;

	if (!parse_options(argc, argv, &o)) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (o.is_help) {
		fputs(usage, stdout);
		return 0;
	}
	return run(&o) ? 0 : 1;
}
