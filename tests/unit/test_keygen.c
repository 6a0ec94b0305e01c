/* SPDX-License-Identifier: MPL-2.0 */
/* gatepost keygen: what it writes, what it prints, what it refuses. */
#include "proxy/commands/commands.h"

#include "lib/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/dkim_keys.h"

#include <grp.h>

#define OUTPUT_MAX 16384

static char folder[] = "/tmp/gatepost-keygen-XXXXXX";
static char output[OUTPUT_MAX];

static int
set_up(void **state)
{
	(void)state;
	clock_fake_set(1000, 1795553870); /* November 2026 */
	return mkdtemp(folder) != NULL ? 0 : -1;
}

/* Run the command with its output (of both kinds) in "output". */
static int
keygen(const char *a, const char *b, const char *c, const char *d)
{
	char name[] = "keygen", dir_option[] = "--out-dir", *args[8] = { name };
	const char *given[] = { a, b, c, d };
	char copies[4][300];
	int argc = 1, status;
	FILE *file = tmpfile();
	const int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);

	for (size_t i = 0; i < ARRAY_LEN(given) && given[i] != NULL; i++) {
		snprintf(copies[i], sizeof(copies[i]), "%s", given[i]);
		args[argc++] = copies[i];
	}
	args[argc++] = dir_option;
	args[argc++] = folder;
	assert_non_null(file);
	fflush(NULL);
	dup2(fileno(file), STDOUT_FILENO);
	dup2(fileno(file), STDERR_FILENO);
	status = command_keygen(argc, args);
	fflush(NULL);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(out);
	close(err);
	rewind(file);
	output[fread(output, 1, sizeof(output) - 1, file)] = '\0';
	fclose(file);
	return status;
}

static void
assert_key(const char *name, enum dkim_algorithm algorithm)
{
	char path[400], warning[160];
	struct err err = { 0 };
	struct dkim_key *key;

	snprintf(path, sizeof(path), "%s/%s.pem", folder, name);
	key = dkim_key_read(path, warning, &err);
	if (key == NULL)
		fail_msg("%s", err.text);
	assert_int_equal(dkim_key_algorithm(key), algorithm);
	dkim_key_destroy(&key);
	assert_int_equal(unlink(path), 0);
}

static void
assert_says(const char *text)
{
	if (strstr(output, text) == NULL)
		fail_msg("no \"%s\" in: %s", text, output);
}

static void
test_defaults(void **state)
{
	(void)state;
	assert_int_equal(keygen("Example.COM", NULL, NULL, NULL), 0);
	assert_says("\n202611._domainkey.example.com. IN TXT ( \"v=DKIM1; k=rsa; p=MII");
	assert_says("name = \"example.com\"");
	assert_says("selector = \"202611\"; key = \"/tmp/gatepost-keygen-");
	assert_says("2048 bits, mode 0600");
	assert_key("202611", DKIM_RSA_SHA256);
	assert_int_equal(keygen("-a", "ed25519", "example.com", NULL), 0);
	assert_says("\n202611e._domainkey.example.com. IN TXT ( \"v=DKIM1; k=ed25519; p=");
	assert_key("202611e", DKIM_ED25519_SHA256);
}

static void
test_nothing_is_written_over(void **state)
{
	(void)state;
	assert_int_equal(keygen("--algorithm=ed25519", "--selector=s", "a.example", NULL), 0);
	assert_int_equal(keygen("--algorithm=ed25519", "--selector=s", "a.example", NULL), 1);
	assert_says("is there already");
	assert_key("s", DKIM_ED25519_SHA256);
}

static void
test_json(void **state)
{
	(void)state;
	assert_int_equal(keygen("--json", "--algorithm=ed25519", "-sj", "a.example"), 0);
	assert_int_equal(
	    strncmp(output, "{\"domain\": \"a.example\", \"selector\": \"j\"", 39), 0);
	assert_says("\"zone_line\": \"j._domainkey.a.example. IN TXT ( \\\"v=DKIM1;");
	assert_says(
	    "\"name\": \"j._domainkey.a.example\", \"strings\": [\"v=DKIM1; k=ed25519; p=");
	assert_key("j", DKIM_ED25519_SHA256);
}

static void
test_wrong_usage(void **state)
{
	static const struct {
		const char *a, *b;
		const char *says;
	} cases[] = {
		{ "not a domain", NULL, "\"not a domain\" is not a domain name" },
		{ "a.example", "b.example", "usage:" },
		{ NULL, NULL, "usage:" },
		{ "-adsa", "a.example", "rsa, ed25519" },
		{ "-b1023", "a.example", "1024 and 4096" },
		{ "-bmany", "a.example", "1024 and 4096" },
		{ "-s../../x", "a.example", "--selector" },
		{ "-ono-such-user-here", "a.example", "no user" },
		{ "-gno-such-group-here", "a.example", "no group" },
		{ "--no-such-option", "a.example", "usage:" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(keygen(cases[i].a, cases[i].b, NULL, NULL), EXIT_USAGE);
		assert_says(cases[i].says);
	}
	assert_int_equal(keygen("--help", NULL, NULL, NULL), 0);
	assert_says("usage: gatepost keygen");
	assert_int_equal(rmdir(folder), 0); /* nothing was made */
}

static void
test_weak_key_is_warned_about(void **state)
{
	char group[300];
	const struct group *own = getgrgid(getegid());

	(void)state;
	assert_non_null(own);
	snprintf(group, sizeof(group), "-g%s", own->gr_name);
	assert_int_equal(keygen("-b1024", "-sw", group, "a.example"), 0);
	assert_says("Warning: 2048 bits are recommended");
	assert_says("mode 0640");
	assert_key("w", DKIM_RSA_SHA256);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_nothing_is_written_over),
		cmocka_unit_test(test_json), cmocka_unit_test(test_weak_key_is_warned_about),
		cmocka_unit_test(
		    test_wrong_usage), /* last: it looks whether the folder is empty */
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
