/* SPDX-License-Identifier: MPL-2.0 */
/* Loading configurations: every error to the letter, defaults, units, includes, libconfig's
 * traps. */
#include "lib/base/conf.h"

#include "lib/base/buf.h"
#include "tests/unit/conf_sample.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* ---- a folder of its own for each test, and what was loaded from it ---- */

struct fixture {
	char folder[32];
	struct arena arena;
	struct conf_errors errors;
	struct sample sample;
	struct conf_extra extra;
	char said[16384]; /* all errors, a line each */
};

static int
make_fixture(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	strcpy(f->folder, "/tmp/test_conf.XXXXXX");
	if (f == NULL || mkdtemp(f->folder) == NULL || chdir(f->folder) != 0)
		return -1;
	arena_init(&f->arena);
	conf_errors_init(&f->errors);
	*state = f;
	return 0;
}

static int
drop_fixture(void **state)
{
	static const char *const left[] = { "proxy.conf", "a.conf", "sub/b.conf", "sub/c.conf",
		"fifo" };
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_LEN(left); i++)
		unlink(left[i]);
	rmdir("sub");
	int failed = chdir("/") + rmdir(f->folder);
	arena_finish(&f->arena);
	conf_errors_finish(&f->errors);
	free(f);
	return failed;
}

static void
write_file(const char *name, struct view text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.p, text.len), text.len);
	close(fd);
}

static bool
load(struct fixture *f, const char *file)
{
	conf_errors_finish(&f->errors);
	f->extra = (struct conf_extra){ .table = &sample_extra_table };
	bool ok =
	    conf_load(file, &sample_table, &f->sample, &f->extra, 1, &f->arena, &f->errors);
	size_t len = 0;
	f->said[0] = '\0';
	for (size_t i = 0; i < f->errors.count; i++)
		len += (size_t)snprintf(
		    f->said + len, sizeof(f->said) - len, "%s\n", f->errors.lines[i]);
	assert_true(len < sizeof(f->said));
	assert_int_equal(ok, f->errors.count == 0);
	return ok;
}

static bool
load_text(struct fixture *f, struct view text)
{
	write_file("proxy.conf", text);
	return load(f, "proxy.conf");
}

/* ---- errors, to the letter ---- */

#define H "hostname = \"mx\";\n"

static const struct {
	const char *name, *text, *said;
} error_cases[] = {
	{ "an empty file lacks what is required", "", "proxy.conf: hostname: is missing\n" },
	{ "a minimal file is right", H, "" },
	{ "a slip in a choice is seen through",
	    H "listeners: (\n{ listen = \"a\"; },\n{ listen = \"b\"; tls = \"startls\"; });\n",
	    "proxy.conf:4: listeners[1].tls: \"startls\" is not one of none, starttls, "
	    "implicit "
	    "(did you mean \"starttls\"?)\n" },
	{ "a choice far from all has no suggestion",
	    H "listeners = ( { listen = \"a\"; tls = \"whatever\"; } );",
	    "proxy.conf:2: listeners[0].tls: \"whatever\" is not one of none, starttls, "
	    "implicit\n" },
	{ "case counts in a choice", H "listeners = ( { listen = \"a\"; tls = \"NONE\"; } );",
	    "proxy.conf:2: listeners[0].tls: \"NONE\" is not one of none, starttls, implicit "
	    "(did you mean \"none\"?)\n" },
	{ "an unknown key names the nearest", "hostnam = \"mx\";\n",
	    "proxy.conf:1: hostnam: is not a known key (did you mean \"hostname\"?)\n"
	    "proxy.conf: hostname: is missing\n" },
	{ "an unknown key near a brought-along group names it", H "spv: { };",
	    "proxy.conf:2: spv: is not a known key (did you mean \"spf\"?)\n" },
	{ "an unknown key near none names none", H "\n\nflavour = 1;",
	    "proxy.conf:4: flavour: is not a known key\n" },
	{ "a brought-along group is known at the top only",
	    H "limits: { must = \"\"; spf: {}; };",
	    "proxy.conf:2: limits.spf: is not a known key\n" },
	{ "what is missing in a list item is said at the item",
	    H "listeners = (\n {\n },\n { listen = \"x\"; keys = ( { file = \"k\"; } ); } );",
	    "proxy.conf:3: listeners[0].listen: is missing\n"
	    "proxy.conf:5: listeners[1].keys[0].selector: is missing\n" },
	{ "what is missing in a written group is said at the group", H "limits: { };",
	    "proxy.conf:2: limits.must: is missing\n" },
	{ "a number is no string", "hostname = 25;",
	    "proxy.conf:1: hostname: must be a string, in quotes, not the number 25\n" },
	{ "a boolean is no string", "hostname = true;",
	    "proxy.conf:1: hostname: must be a string, not true\n" },
	{ "a list is no string", "hostname = ( \"mx\" );",
	    "proxy.conf:1: hostname: must be a string, not a list ( ... )\n" },
	{ "a group is no string", "hostname = { };",
	    "proxy.conf:1: hostname: must be a string, not a group { ... }\n" },
	{ "a quoted number is no number", H "limits = { must = \"\"; recipients = \"10\"; };",
	    "proxy.conf:2: limits.recipients: must be a whole number, without quotes, not the "
	    "string \"10\"\n" },
	{ "a word is no number", H "limits = { must = \"\"; recipients = \"ten\"; };",
	    "proxy.conf:2: limits.recipients: must be a whole number, not the string "
	    "\"ten\"\n" },
	{ "a fraction is no whole number", H "limits = { must = \"\"; recipients = 1.5; };",
	    "proxy.conf:2: limits.recipients: must be a whole number, not the number 1.5\n" },
	{ "a quoted boolean is no boolean", H "limits = { must = \"\"; strict = \"yes\"; };",
	    "proxy.conf:2: limits.strict: must be true or false, without quotes, not the "
	    "string "
	    "\"yes\"\n" },
	{ "a number is no boolean", H "limits = { must = \"\"; strict = 1; };",
	    "proxy.conf:2: limits.strict: must be true or false, without quotes, not the "
	    "number "
	    "1\n" },
	{ "a number over its range", H "limits = { must = \"\"; recipients = 1001; };",
	    "proxy.conf:2: limits.recipients: 1001 is not within 1 to 1000\n" },
	{ "a number under its range",
	    H "limits = { must = \"\"; recipients = 0; below = -11; };",
	    "proxy.conf:2: limits.recipients: 0 is not within 1 to 1000\n"
	    "proxy.conf:2: limits.below: -11 is not within -10 to -1\n" },
	{ "a row without a range takes nothing negative",
	    H "limits = { must = \"\"; any = -1; };",
	    "proxy.conf:2: limits.any: -1 is less than 0\n" },
	{ "a duration over its range is said in units",
	    H "listeners = ( { listen = \"a\"; timeout = \"2h\"; } );",
	    "proxy.conf:2: listeners[0].timeout: 2h is not within 100ms to 5m\n" },
	{ "zero is a duration, but in range it must be",
	    H "listeners = ( { listen = \"a\"; timeout = 0; } );",
	    "proxy.conf:2: listeners[0].timeout: 0s is not within 100ms to 5m\n" },
	{ "a duration needs its unit", H "limits = { must = \"\"; idle = 30; };",
	    "proxy.conf:2: limits.idle: must be a number with its unit, such as \"250ms\", "
	    "\"30s\", \"5m\", \"2h\" or \"7d\", not the number 30\n" },
	{ "a duration knows its units only", H "limits = { must = \"\"; idle = \"5min\"; };",
	    "proxy.conf:2: limits.idle: must be a number with its unit, such as \"250ms\", "
	    "\"30s\", \"5m\", \"2h\" or \"7d\", not the string \"5min\"\n" },
	{ "a size under its range is said in units",
	    H "limits = { must = \"\"; message = \"1K\"; };",
	    "proxy.conf:2: limits.message: 1K is not within 64K to 8G\n" },
	{ "a size knows its units only", H "limits = { must = \"\"; message = \"25MB\"; };",
	    "proxy.conf:2: limits.message: must be a number of octets, such as 4096, \"256K\", "
	    "\"25M\" or \"1G\", not the string \"25MB\"\n" },
	{ "a group is no list", H "listeners = { listen = \"a\"; };",
	    "proxy.conf:2: listeners: must be a list of groups: ( { ... }, { ... } ), not a "
	    "group "
	    "{ ... }\n" },
	{ "an item of a list must be a group", H "listeners = ( 5, { listen = \"a\"; } );",
	    "proxy.conf:2: listeners[0]: must be a group: { ... }, not the number 5\n" },
	{ "a list is no group", H "limits = ( { } );",
	    "proxy.conf:2: limits: must be a group: { ... }, not a list ( ... )\n" },
	{ "a brought-along group must be a group", H "spf = \"on\";",
	    "proxy.conf:2: spf: must be a group: { ... }, not the string \"on\"\n" },
	{ "a brought-along group has errors of its own", H "spf: {\n count = 10; };",
	    "proxy.conf:3: spf.count: 10 is not within 1 to 9\n" },
	{ "strings must be strings", H "servers = ( \"a\", 5, \"c\", true );",
	    "proxy.conf:2: servers[1]: must be a string, not the number 5\n"
	    "proxy.conf:2: servers[3]: must be a string, not true\n" },
	{ "a number is no strings", H "servers = 5;",
	    "proxy.conf:2: servers: must be strings: [ \"one\", \"two\" ], not the number "
	    "5\n" },
	{ "a secret is never shown", H "password = 12345;",
	    "proxy.conf:2: password: must be a string, in quotes, not a number\n" },
	{ "nor is a part of it", H "password = \"ab\\x01c\";",
	    "proxy.conf:2: password: holds a control character (0x01)\n" },
	{ "an empty path leads nowhere", H "state_dir = \"\";",
	    "proxy.conf:2: state_dir: is an empty path\n" },
	{ "a line end cannot be smuggled into a string", "hostname = \"mx\\r\\nRCPT\";",
	    "proxy.conf:1: hostname: holds a control character (0x0d)\n" },
	{ "all errors are said at once, in the order of the file",
	    "motto = 1;\nlimits: { strict = 2; idle = \"x\"; };\nfoo = 3;\nspf = 4;",
	    "proxy.conf:1: motto: must be a string, in quotes, not the number 1\n"
	    "proxy.conf:2: limits.strict: must be true or false, without quotes, not the "
	    "number 2\n"
	    "proxy.conf:2: limits.idle: must be a number with its unit, such as \"250ms\", "
	    "\"30s\", \"5m\", \"2h\" or \"7d\", not the string \"x\"\n"
	    "proxy.conf:2: limits.must: is missing\n"
	    "proxy.conf:3: foo: is not a known key\n"
	    "proxy.conf:4: spf: must be a group: { ... }, not the number 4\n"
	    "proxy.conf: hostname: is missing\n" },
	/* libconfig's own errors, and its traps */
	{ "a syntax error has its line", H "\nmotto = ;\n",
	    "proxy.conf:3: syntax error here, or just before\n" },
	{ "bare yes is no value", H "limits = { strict = yes; };",
	    "proxy.conf:2: syntax error here, or just before\n" },
	{ "a group without an end is a syntax error", H "limits = {\n must = \"x\";\n",
	    "proxy.conf:4: syntax error here, or just before\n" },
	{ "a key twice in a group", H "motto = \"a\";\nmotto = \"b\";",
	    "proxy.conf:3: a key on this line stands twice in its group\n" },
	{ "an array of mixed values", H "servers = [ \"a\", 5 ];",
	    "proxy.conf:2: an array [ ... ] holds values of one type only\n" },
	{ "a comment without an end is found at its beginning",
	    H "motto = \"x\"; /* the rest\n\n",
	    "proxy.conf:2: a comment begins here with /* and never ends with */\n" },
	{ "a comment does not end where it begins", H "/*/ motto = 5;",
	    "proxy.conf:2: a comment begins here with /* and never ends with */\n" },
	{ "a string without an end is found at its beginning",
	    H "motto = \"x;\nhostname = \"b\";",
	    "proxy.conf:2: a string has no closing quote on its line\n" },
	{ "an escaped quote does not end a string", H "motto = \"x\\\";",
	    "proxy.conf:2: a string has no closing quote on its line\n" },
	{ "an escaped NUL does not cut a string", "hostname = \"a\\x00b\";",
	    "proxy.conf:1: a string holds \\x00\n" },
	{ "a number over 64 bits", H "limits = { any = 99999999999999999999; };",
	    "proxy.conf:2: the number 99999999999999999999 is too large\n" },
	{ "a number over 64 bits with its L", H "limits = { any = -9223372036854775808L; };",
	    "proxy.conf:2: the number -9223372036854775808L is too large\n" },
	{ "an endless number is shown in part",
	    H "limits = { any = "
	      "1234567890123456789012345678901234567890123456789012345678901234567"
	      "890; };",
	    "proxy.conf:2: the number 123456789012345678901234... is too large\n" },
	{ "an include within a line is none", H "motto = \"a\"; @include \"a.conf\"\n",
	    "proxy.conf:2: an include is written @include \"file\", on a line of its own\n" },
	{ "an include without quotes is none", H "@include a.conf\n",
	    "proxy.conf:2: an include is written @include \"file\", on a line of its own\n" },
	{ "an include of a missing file names it", H "\n@include \"none.conf\"\n",
	    "proxy.conf:3: @include: \"none.conf\" cannot be read: No such file or "
	    "directory\n" },
	{ "an include of a folder is an error, not the end", H "@include \"sub\"\n",
	    "proxy.conf:2: @include: \"sub\" is a folder, not a file\n" },
	{ "all broken includes are said at once", "@include \"none\"\n@include \"sub\"\n",
	    "proxy.conf:1: @include: \"none\" cannot be read: No such file or directory\n"
	    "proxy.conf:2: @include: \"sub\" is a folder, not a file\n" },
	{ "an include of a FIFO does not wait", H "@include \"fifo\"\n",
	    "proxy.conf:2: @include: \"fifo\" is not a regular file\n" },
	{ "a file that includes itself is stopped", "\n@include \"proxy.conf\"\n",
	    "proxy.conf:2: @include: there are too many includes in each other; does "
	    "\"proxy.conf\" include itself?\n" },
	{ "what stands in comments and strings is left alone",
	    H "# 99999999999999999999 \"\n// /* @include\n/* \" */ motto = \"/* # "
	      "99999999999999999999"
	      " @include\";\n",
	    "" },
	{ "fractions are left to libconfig",
	    H "servers = ( 1.5e-7, .50000000000000000000000 );",
	    "proxy.conf:2: servers[0]: must be a string, not the number 1.5e-07\n"
	    "proxy.conf:2: servers[1]: must be a string, not the number 0.5\n" },
};

static void
errors_are_said_to_the_letter(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(mkdir("sub", 0700), 0);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	for (size_t i = 0; i < ARRAY_LEN(error_cases); i++) {
		load_text(f, view_of(error_cases[i].text));
		if (strcmp(f->said, error_cases[i].said) != 0)
			print_error("case: %s\n", error_cases[i].name);
		assert_string_equal(f->said, error_cases[i].said);
	}
}

/* ---- values ---- */

static void
defaults_are_applied_everywhere(void **state)
{
	struct fixture *f = *state;
	assert_true(load_text(f, VIEW(H "listeners = ( { listen = \"a\"; } );")));
	const struct sample *s = &f->sample;
	assert_string_equal(s->hostname, "mx");
	assert_string_equal(s->state_dir, "/var/lib/sample");
	assert_null(s->motto);
	assert_null(s->password);
	assert_int_equal(s->servers.count, 0);
	assert_int_equal(s->names.count, 2);
	assert_string_equal(s->names.items[0], "one");
	assert_string_equal(s->names.items[1], "two");
	assert_int_equal(s->limits.message_octets, 25 << 20);
	assert_int_equal(s->limits.recipients, 100);
	assert_int_equal(s->limits.any, 0);
	assert_int_equal(s->limits.below, -5);
	assert_int_equal(s->limits.idle_ms, 0);
	assert_true(s->limits.strict);
	assert_null(s->limits.must);
	assert_int_equal(s->limits.where.line, 0);
	assert_string_equal(s->limits.where.file, "proxy.conf");
	const struct sample_listener *l = s->listeners.items;
	assert_int_equal(s->listeners.count, 1);
	assert_int_equal(l->tls, 11);
	assert_int_equal(l->timeout_ms, 30000);
	assert_int_equal(l->keys.count, 0);
	const struct sample_extra *extra = f->extra.target_out;
	assert_int_equal(extra->count, 7);
	assert_int_equal(extra->where.line, 0);
}

static void
written_values_arrive(void **state)
{
	struct fixture *f = *state;
	assert_true(
	    load_text(f, VIEW(H "motto = \"say \\\"hi\\\" \" \"twice\";\n"
				"password = \"s3cret\";\n"
				"servers = [ \"a:1\", \"b:2\" ];\nnames = \"single\";\n"
				"listeners = (\n"
				" { listen = \"x\"; tls = \"implicit\"; timeout = \"250ms\";\n"
				"   keys = ( { selector = \"s\"; },\n"
				"            { selector = \"t\"; file = \"/k\"; } ); } );\n"
				"limits = { must = \"\"; message = 70000; recipients = 1000;\n"
				" any = 0x10; below = -1; idle = \"1h\"; strict = FALSE; };\n"
				"spf = { count = 9; };\n")));
	const struct sample *s = &f->sample;
	assert_string_equal(s->motto, "say \"hi\" twice");
	assert_string_equal(s->password, "s3cret");
	assert_int_equal(s->servers.count, 2);
	assert_string_equal(s->servers.items[1], "b:2");
	assert_int_equal(s->names.count, 1);
	assert_string_equal(s->names.items[0], "single");
	const struct sample_listener *l = s->listeners.items;
	assert_int_equal(l->tls, 12);
	assert_int_equal(l->timeout_ms, 250);
	assert_int_equal(l->where.line, 7);
	assert_int_equal(l->keys.count, 2);
	const struct sample_key *keys = l->keys.items;
	assert_string_equal(keys[0].selector, "s");
	assert_null(keys[0].file);
	assert_string_equal(keys[1].file, "/k");
	assert_int_equal(keys[1].where.line, 9);
	assert_int_equal(s->limits.where.line, 10);
	assert_string_equal(s->limits.must, "");
	assert_int_equal(s->limits.message_octets, 70000);
	assert_int_equal(s->limits.recipients, 1000);
	assert_int_equal(s->limits.any, 16);
	assert_int_equal(s->limits.below, -1);
	assert_int_equal(s->limits.idle_ms, 3600000);
	assert_false(s->limits.strict);
	const struct sample_extra *extra = f->extra.target_out;
	assert_int_equal(extra->count, 9);
	assert_int_equal(extra->where.line, 12);
}

static void
numbers_over_32_bits_are_not_cut(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *text;
		int64_t value;
	} cases[] = {
		{ "2147483647", 2147483647 },
		{ "2147483648", 2147483648 },
		{ "4294967295", 4294967295 },
		{ "5000000000", 5000000000 },
		{ "5000000000L", 5000000000 },
		{ "5000000000LL", 5000000000 },
		{ "+5000000000", 5000000000 },
		{ "9223372036854775807", INT64_MAX },
		{ "0xffffffff", 0xffffffff },
		{ "0x1ffffffffL", 0x1ffffffff },
		{ "0X7FFFFFFFFFFFFFFF", INT64_MAX },
		{ "010", 10 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[128];
		snprintf(text, sizeof(text), H "limits = { must = \"\"; any = %s; };",
		    cases[i].text);
		assert_true(load_text(f, view_of(text)));
		assert_true(f->sample.limits.any == cases[i].value);
	}
	assert_false(load_text(f, VIEW(H "limits = { must = \"\"; any = -5000000000; };")));
	assert_string_equal(f->said, "proxy.conf:2: limits.any: -5000000000 is less than 0\n");
	assert_false(
	    load_text(f, VIEW(H "limits = { must = \"\"; recipients = 4294967297; };")));
	assert_string_equal(
	    f->said, "proxy.conf:2: limits.recipients: 4294967297 is not within 1 to 1000\n");
}

static void
a_member_with_an_error_keeps_its_default(void **state)
{
	struct fixture *f = *state;
	assert_false(load_text(
	    f, VIEW("hostname = 5; servers = ( \"a\", 5 ); names = 5; spf = { count = 0; };\n"
		    "limits = { must = \"\"; message = 1; strict = 0; idle = \"2h\"; };\n"
		    "listeners = ( 5, { tls = \"x\"; } );")));
	assert_null(f->sample.hostname);
	assert_int_equal(f->sample.servers.count, 0);
	assert_int_equal(f->sample.names.count, 2);
	assert_int_equal(f->sample.limits.message_octets, 25 << 20);
	assert_true(f->sample.limits.strict);
	assert_int_equal(f->sample.limits.idle_ms, 0);
	const struct sample_listener *listeners = f->sample.listeners.items;
	assert_int_equal(f->sample.listeners.count, 2);
	assert_int_equal(listeners[0].tls, 11);
	assert_int_equal(listeners[0].where.line, 3);
	assert_int_equal(listeners[1].tls, 11);
	assert_null(listeners[1].listen);
	const struct sample_extra *extra = f->extra.target_out;
	assert_int_equal(extra->count, 7);
}

static void
lists_may_be_empty(void **state)
{
	struct fixture *f = *state;
	assert_true(load_text(f, VIEW(H "listeners = ( ); servers = [ ]; names = ( );")));
	assert_int_equal(f->sample.listeners.count, 0);
	assert_int_equal(f->sample.names.count, 0);
	assert_true(load_text(f, VIEW(H "listeners = [ ];")));
}

/* ---- files ---- */

static void
paths_begin_at_the_folder_of_their_file(void **state)
{
	struct fixture *f = *state;
	char expected[128];
	assert_int_equal(mkdir("sub", 0700), 0);
	write_file("sub/b.conf", VIEW("state_dir = \"./deep/state\";\n"));
	assert_true(load_text(f, VIEW(H "@include \"sub/b.conf\"\n")));
	snprintf(expected, sizeof(expected), "%s/sub/deep/state", f->folder);
	assert_string_equal(f->sample.state_dir, expected);
	assert_true(load(f, "./proxy.conf"));
	assert_string_equal(f->sample.state_dir, expected);
	assert_true(load_text(f, VIEW(H "state_dir = \"state\";\n")));
	snprintf(expected, sizeof(expected), "%s/state", f->folder);
	assert_string_equal(f->sample.state_dir, expected);
	char absolute[128];
	snprintf(absolute, sizeof(absolute), "%s/proxy.conf", f->folder);
	assert_true(load(f, absolute));
	assert_string_equal(f->sample.state_dir, expected);
	assert_true(load_text(f, VIEW(H "state_dir = \"/srv\";\n")));
	assert_string_equal(f->sample.state_dir, "/srv");
}

static void
includes_keep_file_and_line_and_begin_beside_their_file(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(mkdir("sub", 0700), 0);
	write_file("sub/c.conf", VIEW("motto = 3;"));
	write_file("sub/b.conf",
	    VIEW("/* two\nlines */ names = 1;\n\n  @include  \"c.conf\" servers = 2;\n"));
	assert_false(load_text(f, VIEW("\nhostname = 1;\n@include \"sub/b.conf\"\nfoo = 4;\n"
				       "listeners = (\n@include \"a.conf\"\n, 7);\nbar = 5;")));
	assert_string_equal(f->said,
	    "proxy.conf:6: @include: \"a.conf\" cannot be read: No such file or directory\n");
	write_file(
	    "a.conf", VIEW("\xef\xbb\xbf{ listen = \"a\"; },\r\n\r\n{ listen = 5; }\r\n"));
	assert_false(load(f, "proxy.conf"));
	assert_string_equal(f->said,
	    "proxy.conf:2: hostname: must be a string, in quotes, not the number 1\n"
	    "sub/b.conf:2: names: must be strings: [ \"one\", \"two\" ], not the number 1\n"
	    "sub/c.conf:1: motto: must be a string, in quotes, not the number 3\n"
	    "sub/b.conf:4: servers: must be strings: [ \"one\", \"two\" ], not the number 2\n"
	    "proxy.conf:4: foo: is not a known key\n"
	    "a.conf:3: listeners[1].listen: must be a string, in quotes, not the number 5\n"
	    "proxy.conf:7: listeners[2]: must be a group: { ... }, not the number 7\n"
	    "proxy.conf:8: bar: is not a known key\n");
	write_file("sub/b.conf", VIEW("\nnames = ;\n"));
	assert_false(load(f, "proxy.conf"));
	assert_string_equal(f->said, "sub/b.conf:2: syntax error here, or just before\n");
	write_file("sub/b.conf", VIEW("\n/* names\n"));
	assert_false(load(f, "proxy.conf"));
	assert_string_equal(
	    f->said, "sub/b.conf:2: a comment begins here with /* and never ends with */\n");
}

static void
files_that_cannot_be_read_are_named(void **state)
{
	struct fixture *f = *state;
	assert_false(load(f, "proxy.conf"));
	assert_string_equal(f->said, "proxy.conf: cannot be read: No such file or directory\n");
	assert_int_equal(f->sample.limits.recipients, 100);
	assert_non_null(f->extra.target_out);
	assert_false(load(f, "/"));
	assert_string_equal(f->said, "/: is a folder, not a file\n");
	assert_false(load(f, "/dev/null"));
	assert_string_equal(f->said, "/dev/null: is not a regular file\n");
	assert_false(load_text(f, VIEW(H "motto\0 = 5;")));
	assert_string_equal(f->said, "proxy.conf: holds a NUL octet: it is not a text file\n");
}

static void
size_and_depth_have_limits(void **state)
{
	struct fixture *f = *state;
	struct buf text;
	buf_init(&text, 2 << 20);
	while (text.len < (1 << 20))
		assert_true(buf_add_str(&text, "# a comment in a line of its own\n"));
	assert_false(load_text(f, buf_view(&text)));
	assert_string_equal(f->said, "proxy.conf: is over 1024 KiB\n");
	buf_clear(&text);
	assert_true(buf_add_str(&text, "motto = "));
	for (int i = 0; i < 30000; i++)
		assert_true(buf_add_char(&text, '('));
	assert_false(load_text(f, buf_view(&text)));
	assert_string_equal(f->said, "proxy.conf:1: groups or lists are nested too deep\n");
	buf_finish(&text);
	/* ten includes of a file with as many lines as fit: over 4 MiB together */
	buf_init(&text, 1 << 20);
	while (buf_add_str(&text, "                                                      \n"))
		continue;
	write_file("a.conf", view_make(text.p, text.len));
	buf_finish(&text);
	assert_false(load_text(
	    f, VIEW("@include \"a.conf\"\n@include \"a.conf\"\n@include \"a.conf\"\n"
		    "@include \"a.conf\"\n@include \"a.conf\"\n@include \"a.conf\"\n")));
	assert_non_null(
	    strstr(f->said, ": the configuration with its includes is over 4096 KiB\n"));
}

#define with_files(test) cmocka_unit_test_setup_teardown(test, make_fixture, drop_fixture)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_files(errors_are_said_to_the_letter),
		with_files(defaults_are_applied_everywhere),
		with_files(written_values_arrive),
		with_files(numbers_over_32_bits_are_not_cut),
		with_files(a_member_with_an_error_keeps_its_default),
		with_files(lists_may_be_empty),
		with_files(paths_begin_at_the_folder_of_their_file),
		with_files(includes_keep_file_and_line_and_begin_beside_their_file),
		with_files(files_that_cannot_be_read_are_named),
		with_files(size_and_depth_have_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
