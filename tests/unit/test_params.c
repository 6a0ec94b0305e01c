/* SPDX-License-Identifier: MPL-2.0 */
/* lib/smtp/params, xtext: parameters of MAIL and RCPT, read and written anew. */
#include "lib/smtp/command.h"
#include "lib/smtp/xtext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define OK	SMTP_SYNTAX_OK
#define PARAM	SMTP_SYNTAX_PARAM
#define UNKNOWN SMTP_SYNTAX_PARAM_UNKNOWN

#define TEN	"0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct {
	const char *name;
	const char *args;
	enum smtp_syntax syntax;
	const char *anew; /* RET and ENVID as they are said to the upstream */
} mail_cases[] = {
	{ "nothing of DSN", "FROM:<> SIZE=1", OK, "" },
	{ "RET=FULL", "FROM:<> RET=FULL", OK, "RET=FULL" },
	{ "RET in lower case", "FROM:<> ret=hdrs", OK, "RET=HDRS" },
	{ "RET of anything else", "FROM:<> RET=BODY", PARAM, NULL },
	{ "RET without a value", "FROM:<> RET", PARAM, NULL },
	{ "RET twice", "FROM:<> RET=FULL RET=FULL", PARAM, NULL },
	{ "ENVID", "FROM:<> ENVID=QQ314159", OK, "ENVID=QQ314159" },
	{ "both, in the other order", "FROM:<> ENVID=a RET=FULL", OK, "RET=FULL ENVID=a" },
	{ "ENVID with an escape that is needed", "FROM:<> ENVID=a+2Bb+3Dc", OK,
	    "ENVID=a+2Bb+3Dc" },
	{ "ENVID with a blank", "FROM:<> ENVID=a+20b", OK, "ENVID=a+20b" },
	{ "an escape that is not needed is not written again", "FROM:<> ENVID=a+41b", OK,
	    "ENVID=aAb" },
	{ "ENVID with an escaped CR LF", "FROM:<> ENVID=a+0D+0ADATA", PARAM, NULL },
	{ "ENVID with an escaped NUL", "FROM:<> ENVID=a+00", PARAM, NULL },
	{ "ENVID with an escaped octet over 0x7e", "FROM:<> ENVID=a+C3+A4", PARAM, NULL },
	{ "ENVID with half an escape", "FROM:<> ENVID=a+4", PARAM, NULL },
	{ "ENVID with lower-case digits", "FROM:<> ENVID=a+3d", PARAM, NULL },
	{ "ENVID with an equals sign", "FROM:<> ENVID=a=b", PARAM, NULL },
	{ "ENVID that is empty", "FROM:<> ENVID=", PARAM, NULL },
	{ "ENVID twice", "FROM:<> ENVID=a ENVID=a", PARAM, NULL },
	{ "ENVID of 100 octets", "FROM:<> ENVID=" HUNDRED, OK, "ENVID=" HUNDRED },
	{ "ENVID of 101 octets", "FROM:<> ENVID=" HUNDRED "0", PARAM, NULL },
	{ "AUTH=", "FROM:<> AUTH=a+2B+41@b", OK, "AUTH=a+2BA@b" },
	{ "AUTH= of nobody", "FROM:<> AUTH=<>", OK, "AUTH=<>" },
	{ "AUTH= of 501 octets", "FROM:<> AUTH=" HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED "0",
	    PARAM, NULL },
	{ "REQUIRETLS", "FROM:<> REQUIRETLS", OK, "" },
	{ "REQUIRETLS with a value", "FROM:<> REQUIRETLS=YES", PARAM, NULL },
	{ "REQUIRETLS twice", "FROM:<> REQUIRETLS REQUIRETLS", PARAM, NULL },
	{ "NOTIFY is no parameter of MAIL", "FROM:<> NOTIFY=NEVER", UNKNOWN, NULL },
};

/* add - a parameter behind a blank, unless nothing was written. */
static void
add(struct buf *all, struct buf *one, bool is_written)
{
	assert_true(is_written);
	if (one->len > 0) {
		if (all->len > 0)
			assert_true(buf_add_char(all, ' '));
		assert_true(buf_add_view(all, buf_view(one)));
	}
	buf_clear(one);
}

static void
assert_text(struct buf *all, const char *expected)
{
	assert_int_equal(all->len, strlen(expected));
	if (all->len > 0)
		assert_memory_equal(all->p, expected, all->len);
	buf_finish(all);
}

static void
test_mail(void **state)
{
	struct smtp_mail mail;
	struct buf all, one;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mail_cases); i++) {
		print_message("%s\n", mail_cases[i].name);
		assert_int_equal(
		    smtp_mail_parse(view_of(mail_cases[i].args), &mail), mail_cases[i].syntax);
		if (mail_cases[i].syntax != OK)
			continue;
		buf_init(&all, 2 * SMTP_PARAM_MAX);
		buf_init(&one, SMTP_PARAM_MAX);
		add(&all, &one, smtp_auth_write(&mail, &one));
		add(&all, &one, smtp_ret_write(mail.ret, &one));
		add(&all, &one, smtp_envid_write(mail.envid, &one));
		const bool has_dsn = mail.ret != SMTP_RET_UNSET || mail.envid.len > 0;
		assert_int_equal(smtp_mail_has_dsn(&mail), has_dsn);
		assert_text(&all, mail_cases[i].anew);
		buf_finish(&one);
	}
}

static const struct {
	const char *name;
	const char *args;
	enum smtp_syntax syntax;
	const char *anew;
} rcpt_cases[] = {
	{ "nothing", "TO:<a@b>", OK, "" },
	{ "NOTIFY=NEVER", "TO:<a@b> NOTIFY=NEVER", OK, "NOTIFY=NEVER" },
	{ "NOTIFY with a list", "TO:<a@b> notify=delay,Failure", OK, "NOTIFY=FAILURE,DELAY" },
	{ "NOTIFY with all", "TO:<a@b> NOTIFY=SUCCESS,FAILURE,DELAY", OK,
	    "NOTIFY=SUCCESS,FAILURE,DELAY" },
	{ "a word twice is once", "TO:<a@b> NOTIFY=DELAY,DELAY", OK, "NOTIFY=DELAY" },
	{ "NEVER and another", "TO:<a@b> NOTIFY=NEVER,DELAY", PARAM, NULL },
	{ "another and NEVER", "TO:<a@b> NOTIFY=DELAY,NEVER", PARAM, NULL },
	{ "NEVER twice", "TO:<a@b> NOTIFY=NEVER,NEVER", PARAM, NULL },
	{ "an unknown word", "TO:<a@b> NOTIFY=ALWAYS", PARAM, NULL },
	{ "a comma at the end", "TO:<a@b> NOTIFY=DELAY,", PARAM, NULL },
	{ "a comma at the start", "TO:<a@b> NOTIFY=,DELAY", PARAM, NULL },
	{ "NOTIFY without a value", "TO:<a@b> NOTIFY", PARAM, NULL },
	{ "NOTIFY twice", "TO:<a@b> NOTIFY=DELAY NOTIFY=DELAY", PARAM, NULL },
	{ "ORCPT", "TO:<a@b> ORCPT=rfc822;Bob@Example.COM", OK,
	    "ORCPT=rfc822;Bob@Example.COM" },
	{ "both, in the other order", "TO:<a@b> ORCPT=rfc822;c@d NOTIFY=NEVER", OK,
	    "NOTIFY=NEVER ORCPT=rfc822;c@d" },
	{ "ORCPT of another type", "TO:<a@b> ORCPT=x-local;bob", OK, "ORCPT=x-local;bob" },
	{ "ORCPT with escapes", "TO:<a@b> ORCPT=rfc822;a+2Bb+41@d", OK,
	    "ORCPT=rfc822;a+2BbA@d" },
	{ "a second semicolon is of the address", "TO:<a@b> ORCPT=x400;/a;b/", OK,
	    "ORCPT=x400;/a;b/" },
	{ "ORCPT without a type", "TO:<a@b> ORCPT=;bob", PARAM, NULL },
	{ "ORCPT without a semicolon", "TO:<a@b> ORCPT=bob", PARAM, NULL },
	{ "ORCPT without an address", "TO:<a@b> ORCPT=rfc822;", PARAM, NULL },
	{ "ORCPT with a type that is no word", "TO:<a@b> ORCPT=rfc+20822;bob", PARAM, NULL },
	{ "ORCPT with an escaped LF", "TO:<a@b> ORCPT=rfc822;b+0Ac", PARAM, NULL },
	{ "ORCPT twice", "TO:<a@b> ORCPT=x;a ORCPT=x;a", PARAM, NULL },
	{ "ORCPT of 500 octets",
	    "TO:<a@b> ORCPT=rfc822;" HUNDRED HUNDRED HUNDRED HUNDRED
	    "012" TEN TEN TEN TEN TEN TEN TEN TEN TEN,
	    OK,
	    "ORCPT=rfc822;" HUNDRED HUNDRED HUNDRED HUNDRED
	    "012" TEN TEN TEN TEN TEN TEN TEN TEN TEN },
	{ "ORCPT of 501 octets",
	    "TO:<a@b> ORCPT=rfc822;" HUNDRED HUNDRED HUNDRED HUNDRED
	    "0123" TEN TEN TEN TEN TEN TEN TEN TEN TEN,
	    PARAM, NULL },
	{ "RET is no parameter of RCPT", "TO:<a@b> RET=FULL", UNKNOWN, NULL },
};

static void
test_rcpt(void **state)
{
	struct smtp_path path;
	struct smtp_dsn dsn;
	struct buf all, one;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rcpt_cases); i++) {
		print_message("%s\n", rcpt_cases[i].name);
		assert_int_equal(
		    smtp_rcpt_parse(view_of(rcpt_cases[i].args), false, &path, &dsn),
		    rcpt_cases[i].syntax);
		if (rcpt_cases[i].syntax != OK)
			continue;
		buf_init(&all, 2 * SMTP_PARAM_MAX);
		buf_init(&one, SMTP_PARAM_MAX);
		add(&all, &one, smtp_notify_write(dsn.notify, &one));
		add(&all, &one, smtp_orcpt_write(dsn.orcpt, &one));
		assert_int_equal(smtp_dsn_is_set(&dsn), rcpt_cases[i].anew[0] != '\0');
		assert_text(&all, rcpt_cases[i].anew);
		buf_finish(&one);
	}
}

static void
test_rcpt_of_an_smtputf8_transaction(void **state)
{
	static const struct {
		const char *name, *args;
		enum smtp_syntax syntax;
	} cases[] = {
		{ "a path beyond ASCII", "TO:<\xc3\xa4@b>", OK },
		{ "ORCPT with UTF-8", "TO:<a@b> ORCPT=utf-8;\xc3\xa4+2Bx@b", OK },
		{ "ORCPT with UTF-8 of another type", "TO:<a@b> ORCPT=rfc822;\xc3\xa4@b",
		    SMTP_SYNTAX_UTF8 },
		{ "ORCPT with what is no UTF-8", "TO:<a@b> ORCPT=utf-8;\xe4@b",
		    SMTP_SYNTAX_UTF8 },
		{ "ORCPT in ASCII", "TO:<a@b> ORCPT=utf-8;\\x{E4}@b", OK },
		{ "NOTIFY with UTF-8", "TO:<a@b> NOTIFY=\xc3\xa4", SMTP_SYNTAX_UTF8 },
	};
	struct smtp_path path;
	struct smtp_dsn dsn;
	struct buf text;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].name);
		assert_int_equal(smtp_rcpt_parse(view_of(cases[i].args), true, &path, &dsn),
		    cases[i].syntax);
		const bool has_utf8 = strchr(cases[i].args, '\xc3') != NULL;
		if (cases[i].syntax != OK || !has_utf8)
			continue;
		assert_int_equal(smtp_rcpt_parse(view_of(cases[i].args), false, &path, &dsn),
		    SMTP_SYNTAX_UTF8);
	}
	buf_init(&text, SMTP_PARAM_MAX);
	assert_int_equal(smtp_rcpt_parse(view_of(cases[1].args), true, &path, &dsn), OK);
	assert_true(smtp_orcpt_write(dsn.orcpt, &text));
	assert_text(&text, "ORCPT=utf-8;\xc3\xa4+2Bx@b");
}

static void
test_every_octet_in_xtext(void **state)
{
	struct buf out;

	(void)state;
	for (int octet = 0; octet < 256; octet++) {
		const char c = (char)octet;
		char escaped[4], decoded[4];
		const bool is_plain = octet > ' ' && octet <= '~' && c != '+' && c != '=';

		assert_int_equal(xtext_is_valid(view_make(&c, 1)), is_plain);
		(void)snprintf(escaped, sizeof(escaped), "+%02X", (unsigned)octet);
		assert_int_equal(
		    xtext_is_valid(view_of(escaped)), octet >= ' ' && octet <= '~');
		if (octet < ' ' || octet > '~')
			continue;
		assert_int_equal(xtext_decode(view_of(escaped), decoded), 1);
		assert_int_equal(decoded[0], c);
		buf_init(&out, 16);
		assert_true(xtext_rewrite(view_of(escaped), &out));
		assert_int_equal(out.len, is_plain ? 1 : 3);
		buf_finish(&out);
	}
	assert_false(xtext_is_valid(VIEW("")));
}

static void
test_xtext_meets_its_cap(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 4);
	assert_false(xtext_rewrite(VIEW("ab+2Bc"), &out));
	assert_false(xtext_encode(VIEW("="), &out) && xtext_encode(VIEW("="), &out));
	buf_finish(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_rcpt),
		cmocka_unit_test(test_rcpt_of_an_smtputf8_transaction),
		cmocka_unit_test(test_every_octet_in_xtext),
		cmocka_unit_test(test_xtext_meets_its_cap),
	};

	return cmocka_run_group_tests_name("params", tests, NULL, NULL);
}
