/* SPDX-License-Identifier: MPL-2.0 */
/* lib/smtp/ehlo: what an upstream offers, as facts. */
#include "lib/smtp/ehlo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
	const char *name;
	const char *text; /* as struct smtp_reply keeps it */
	struct smtp_ehlo expected;
} cases[] = {
	{ "a greeting alone offers nothing", "mx.example", { .size_limit = 0 } },
	{ "no text at all offers nothing", "", { .size_limit = 0 } },
	{ "the greeting is no offer", "PIPELINING\n8BITMIME", { .eightbitmime = true } },
	{ "a greeting that is empty", "\nDSN", { .dsn = true } },
	{ "everything",
	    "mx\nPIPELINING\nSIZE 1000\n8BITMIME\nSTARTTLS\nENHANCEDSTATUSCODES\nSMTPUTF8\n"
	    "CHUNKING\nDSN\nREQUIRETLS\nAUTH PLAIN LOGIN",
	    { true, true, true, true, true, true, true, true, true, true, true, 1000, 0, 0, 0,
		0 } },
	{ "XCLIENT with what it takes", "mx\nXCLIENT NAME ADDR COLOUR", { .xclient = 3 } },
	{ "XCLIENT that takes nothing", "mx\nXCLIENT", { .xclient = 0 } },
	{ "in lower case", "mx\nstarttls\nsize 5\nauth plain",
	    { .starttls = true, .size = true, .size_limit = 5, .auth_plain = true } },
	{ "SIZE without a number", "mx\nSIZE", { .size = true } },
	{ "SIZE 0 is no limit", "mx\nSIZE 0", { .size = true } },
	{ "SIZE with letters tells no limit", "mx\nSIZE 10M", { .size = true } },
	{ "SIZE that is negative tells no limit", "mx\nSIZE -1", { .size = true } },
	{ "SIZE over 2^64 tells no limit", "mx\nSIZE 18446744073709551616", { .size = true } },
	{ "SIZE of 2^64 - 1", "mx\nSIZE 18446744073709551615",
	    { .size = true, .size_limit = UINT64_MAX } },
	{ "blanks around", "mx\n  SIZE   7  \nDSN ",
	    { .size = true, .size_limit = 7, .dsn = true } },
	{ "AUTH of other mechanisms", "mx\nAUTH CRAM-MD5 GSSAPI", { .size_limit = 0 } },
	{ "AUTH without mechanisms", "mx\nAUTH", { .size_limit = 0 } },
	{ "AUTH LOGIN among others", "mx\nAUTH  XOAUTH2  Login DIGEST-MD5",
	    { .auth_login = true } },
	{ "mechanisms that only begin alike", "mx\nAUTH PLAIN-CLIENTTOKEN LOGINS",
	    { .size_limit = 0 } },
	{ "AUTH on two lines", "mx\nAUTH PLAIN\nAUTH LOGIN",
	    { .auth_plain = true, .auth_login = true } },
	{ "the form of old servers is passed over", "mx\nAUTH=PLAIN", { .size_limit = 0 } },
	{ "keywords that only begin alike", "mx\nPIPELININGX\nSTART\n8BITMIMES\nX-DSN",
	    { .size_limit = 0 } },
	{ "a keyword as a parameter", "mx\nHELP STARTTLS", { .size_limit = 0 } },
	{ "a keyword with parameters", "mx\nDSN now", { .dsn = true } },
	{ "LIMITS", "mx\nLIMITS MAILMAX=10 RCPTMAX=100 RCPTDOMAINMAX=1",
	    { .mail_max = 10, .rcpt_max = 100, .rcpt_domain_max = 1 } },
	{ "LIMITS of other names", "mx\nlimits X-A=7 rcptmax=3 RCPTMAXX=9", { .rcpt_max = 3 } },
	{ "LIMITS of six digits", "mx\nLIMITS RCPTMAX=999999", { .rcpt_max = 999999 } },
	{ "LIMITS of seven digits", "mx\nLIMITS RCPTMAX=1000000", { .rcpt_max = 0 } },
	{ "LIMITS without values", "mx\nLIMITS MAILMAX RCPTMAX= RCPTDOMAINMAX=-1 =5",
	    { .rcpt_max = 0 } },
	{ "LIMITS with an odd value among others", "mx\nLIMITS RCPTMAX=1O MAILMAX=5",
	    { .mail_max = 5 } },
	{ "LIMITS of nothing", "mx\nLIMITS", { .rcpt_max = 0 } },
	{ "unknown lines are passed over", "mx\nXFORWARD NAME\n\n\xff\xfe\nCHUNKING",
	    { .chunking = true } },
};

static void
test_cases(void **state)
{
	struct smtp_reply reply = { .code = 250 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct smtp_ehlo *e = &cases[i].expected;
		struct smtp_ehlo got;
		print_message("%s\n", cases[i].name);
		(void)snprintf(reply.text, sizeof(reply.text), "%s", cases[i].text);
		memset(&got, 1, sizeof(got));
		smtp_ehlo_parse(&reply, &got);
		assert_int_equal(got.pipelining, e->pipelining);
		assert_int_equal(got.size, e->size);
		assert_int_equal(got.eightbitmime, e->eightbitmime);
		assert_int_equal(got.starttls, e->starttls);
		assert_int_equal(got.enhanced_codes, e->enhanced_codes);
		assert_int_equal(got.smtputf8, e->smtputf8);
		assert_int_equal(got.chunking, e->chunking);
		assert_int_equal(got.dsn, e->dsn);
		assert_int_equal(got.auth_plain, e->auth_plain);
		assert_int_equal(got.auth_login, e->auth_login);
		assert_int_equal(got.requiretls, e->requiretls);
		assert_true(got.size_limit == e->size_limit);
		assert_true(got.mail_max == e->mail_max && got.rcpt_max == e->rcpt_max);
		assert_true(got.rcpt_domain_max == e->rcpt_domain_max);
		assert_int_equal(got.xclient, e->xclient);
	}
}

/* What the reader cannot keep must not become half an offer. */
static void
test_a_reply_that_is_too_long(void **state)
{
	static struct smtp_reply_reader reader;
	char wire[2000];
	struct smtp_ehlo got;
	size_t used;

	(void)state;
	for (int n = 1100; n < 1199; n++) {
		int len = snprintf(
		    wire, sizeof(wire), "250-%0*d\r\n250-SIZE 10485760\r\n250 DSN\r\n", n, 0);
		smtp_reply_reader_init(&reader);
		assert_int_equal(smtp_reply_read(&reader, view_make(wire, (size_t)len), &used),
		    SMTP_REPLY_DONE);
		smtp_ehlo_parse(&reader.reply, &got);
		assert_true(got.size_limit == (got.size ? 10485760 : 0));
		assert_int_equal(got.size, n + 14 < SMTP_REPLY_TEXT_MAX);
		assert_int_equal(got.dsn, n + 14 + 4 < SMTP_REPLY_TEXT_MAX);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_a_reply_that_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
