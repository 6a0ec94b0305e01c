/* SPDX-License-Identifier: MPL-2.0 */
/* lib/smtp/command: verbs, the arguments of MAIL and RCPT, and their parameters. */
#include "lib/smtp/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define IN(literal)                            \
	{                                      \
		(literal), sizeof(literal) - 1 \
	}

static const struct {
	const char *name;
	struct view line;
	enum smtp_verb verb;
	const char *word, *args;
} verb_cases[] = {
	{ "HELO", IN("HELO a.example"), VERB_HELO, "HELO", "a.example" },
	{ "EHLO", IN("EHLO [192.0.2.1]"), VERB_EHLO, "EHLO", "[192.0.2.1]" },
	{ "STARTTLS", IN("STARTTLS"), VERB_STARTTLS, "STARTTLS", "" },
	{ "AUTH", IN("AUTH PLAIN AGEAYg=="), VERB_AUTH, "AUTH", "PLAIN AGEAYg==" },
	{ "MAIL", IN("MAIL FROM:<>"), VERB_MAIL, "MAIL", "FROM:<>" },
	{ "RCPT", IN("RCPT TO:<a@b>"), VERB_RCPT, "RCPT", "TO:<a@b>" },
	{ "DATA", IN("DATA"), VERB_DATA, "DATA", "" },
	{ "RSET", IN("RSET"), VERB_RSET, "RSET", "" },
	{ "NOOP", IN("NOOP with words"), VERB_NOOP, "NOOP", "with words" },
	{ "VRFY", IN("VRFY bob"), VERB_VRFY, "VRFY", "bob" },
	{ "HELP", IN("HELP"), VERB_HELP, "HELP", "" },
	{ "QUIT", IN("QUIT"), VERB_QUIT, "QUIT", "" },
	{ "lower case", IN("mail from:<>"), VERB_MAIL, "mail", "from:<>" },
	{ "mixed case", IN("qUiT"), VERB_QUIT, "qUiT", "" },
	{ "trailing blanks go", IN("DATA \t  "), VERB_DATA, "DATA", "" },
	{ "trailing blanks of an argument go", IN("NOOP a b \t"), VERB_NOOP, "NOOP", "a b" },
	{ "one SP is taken, the second is an argument", IN("NOOP  a"), VERB_NOOP, "NOOP",
	    " a" },
	{ "an empty line", IN(""), VERB_UNKNOWN, "", "" },
	{ "blanks alone", IN("   "), VERB_UNKNOWN, "", "" },
	{ "a blank before the verb", IN(" QUIT"), VERB_UNKNOWN, "", "QUIT" },
	{ "a tab is no separator", IN("MAIL\tFROM:<>"), VERB_UNKNOWN, "MAIL\tFROM:<>", "" },
	{ "a verb that only begins like one", IN("DATAX"), VERB_UNKNOWN, "DATAX", "" },
	{ "the beginning of a verb", IN("DAT"), VERB_UNKNOWN, "DAT", "" },
	{ "the name of the unknown verb is unknown", IN("?"), VERB_UNKNOWN, "?", "" },
	{ "BDAT", IN("BDAT 3 LAST"), VERB_BDAT, "BDAT", "3 LAST" },
	{ "octets over 0x7f do not fold into letters", IN("\xd1UIT"), VERB_UNKNOWN, "\xd1UIT",
	    "" },
	{ "a NUL behind the verb is part of the word", IN("QUIT\0"), VERB_UNKNOWN, NULL, "" },
};

static void
test_verbs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(verb_cases); i++) {
		struct smtp_command command = smtp_command_parse(verb_cases[i].line);
		print_message("%s\n", verb_cases[i].name);
		assert_int_equal(command.verb, verb_cases[i].verb);
		if (verb_cases[i].word != NULL)
			assert_true(view_eq(command.word, view_of(verb_cases[i].word)));
		assert_true(view_eq(command.args, view_of(verb_cases[i].args)));
	}
}

static void
test_verb_names(void **state)
{
	(void)state;
	for (int verb = 0; verb < VERB_UNKNOWN; verb++) {
		const char *name = smtp_verb_name((enum smtp_verb)verb);
		assert_int_equal(smtp_command_parse(view_of(name)).verb, verb);
	}
	assert_string_equal(smtp_verb_name(VERB_UNKNOWN), "?");
	assert_string_equal(smtp_verb_name(VERB_MAIL), "MAIL");
}

static const struct {
	const char *name;
	struct view line;
	bool is_foreign;
} foreign_cases[] = {
	{ "an HTTP request", IN("GET / HTTP/1.1"), true },
	{ "a POST, as a browser sends it", IN("POST /x HTTP/1.1"), true },
	{ "in lower case", IN("connect a:25 HTTP/1.1"), true },
	{ "the preface of HTTP/2", IN("PRI * HTTP/2.0"), true },
	{ "a method alone", IN("PUT"), true },
	{ "a TLS ClientHello", IN("\x16\x03\x01\x02"), true },
	{ "a TLS alert is not a handshake", IN("\x15\x03\x01"), false },
	{ "half a TLS header", IN("\x16"), false },
	{ "a verb that begins like a method", IN("GETX /"), false },
	{ "a method as an argument", IN("NOOP GET / HTTP/1.1"), false },
	{ "an SMTP command", IN("EHLO a"), false },
	{ "an empty line", IN(""), false },
};

static void
test_foreign(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(foreign_cases); i++) {
		print_message("%s\n", foreign_cases[i].name);
		assert_int_equal(
		    smtp_line_is_foreign(foreign_cases[i].line), foreign_cases[i].is_foreign);
	}
}

#define OK	SMTP_SYNTAX_OK
#define KEYWORD SMTP_SYNTAX_KEYWORD
#define PATH	SMTP_SYNTAX_PATH
#define UTF8	SMTP_SYNTAX_UTF8
#define PARAM	SMTP_SYNTAX_PARAM
#define UNKNOWN SMTP_SYNTAX_PARAM_UNKNOWN

static const struct {
	const char *name;
	struct view args;
	enum smtp_syntax syntax;
	const char *address; /* when OK; "" for <> */
} mail_cases[] = {
	{ "an address", IN("FROM:<a@b.example>"), OK, "a@b.example" },
	{ "the null reverse-path", IN("FROM:<>"), OK, "" },
	{ "the keyword in lower case", IN("from:<a@b>"), OK, "a@b" },
	{ "one blank behind the colon", IN("FROM: <a@b>"), OK, "a@b" },
	{ "many blanks behind the colon", IN("FROM:   <a@b>"), OK, "a@b" },
	{ "a source route is dropped", IN("FROM:<@x,@y:a@b>"), OK, "a@b" },
	{ "a blank in a quoted local part", IN("FROM:<\"a b\"@c> SIZE=1"), OK, "\"a b\"@c" },
	{ "an end of path in a quoted local part", IN("FROM:<\"a> SIZE=1\"@c>"), OK,
	    "\"a> SIZE=1\"@c" },
	{ "nothing", IN(""), KEYWORD, NULL },
	{ "the keyword of RCPT", IN("TO:<a@b>"), KEYWORD, NULL },
	{ "a blank before the colon", IN("FROM :<a@b>"), KEYWORD, NULL },
	{ "a blank before the keyword", IN(" FROM:<a@b>"), KEYWORD, NULL },
	{ "no colon", IN("FROM <a@b>"), KEYWORD, NULL },
	{ "no path", IN("FROM:"), PATH, NULL },
	{ "blanks and no path", IN("FROM:  "), PATH, NULL },
	{ "a tab before the path", IN("FROM:\t<a@b>"), PATH, NULL },
	{ "no brackets", IN("FROM:a@b"), PATH, NULL },
	{ "<postmaster> is no reverse-path", IN("FROM:<postmaster>"), PATH, NULL },
	{ "no closing bracket", IN("FROM:<a@b"), PATH, NULL },
	{ "no closing bracket before a parameter", IN("FROM:<a@b SIZE=1"), PATH, NULL },
	{ "a display name", IN("FROM:Bob <a@b>"), PATH, NULL },
	{ "two paths", IN("FROM:<a@b><c@d>"), PARAM, NULL },
	{ "a comma behind the path", IN("FROM:<a@b>,<c@d>"), PARAM, NULL },
	{ "text on the heels of the path", IN("FROM:<a@b>SIZE=1"), PARAM, NULL },
	{ "a second closing bracket", IN("FROM:<a@b>>"), PARAM, NULL },
	{ "CR LF and a command in the path", IN("FROM:<a@b\r\nDATA>"), PATH, NULL },
	{ "CR LF and a command behind the path", IN("FROM:<a@b>\r\nDATA"), PARAM, NULL },
	{ "LF instead of a blank", IN("FROM:<a@b>\nSIZE=1"), PARAM, NULL },
	{ "a NUL behind the path", IN("FROM:<a@b>\0"), PARAM, NULL },
	{ "a NUL in a parameter", IN("FROM:<a@b> SIZE=1\0"), PARAM, NULL },
	{ "UTF-8 in the path", IN("FROM:<\xc3\xa4@b>"), UTF8, NULL },
	{ "UTF-8 in a parameter", IN("FROM:<a@b> X=\xc3\xa4"), UNKNOWN, NULL },
	{ "two blanks before a parameter", IN("FROM:<a@b>  SIZE=1"), OK, "a@b" },
	{ "two blanks between parameters", IN("FROM:<> SIZE=1  BODY=7BIT"), OK, "" },
	{ "a blank at the end", IN("FROM:<a@b> "), PARAM, NULL },
	{ "a tab before a parameter", IN("FROM:<a@b>\tSIZE=1"), PARAM, NULL },
	{ "all the parameters", IN("FROM:<a@b> SIZE=1 BODY=7BIT AUTH=<>"), OK, "a@b" },
	{ "in another order", IN("FROM:<a@b> AUTH=<> BODY=7BIT SIZE=1"), OK, "a@b" },
	{ "parameters in lower case", IN("FROM:<> size=1 body=8bitmime auth=x"), OK, "" },
	{ "SIZE without a value", IN("FROM:<> SIZE"), PARAM, NULL },
	{ "SIZE with an empty value", IN("FROM:<> SIZE="), PARAM, NULL },
	{ "SIZE with a sign", IN("FROM:<> SIZE=-1"), PARAM, NULL },
	{ "SIZE in hexadecimal", IN("FROM:<> SIZE=0x10"), PARAM, NULL },
	{ "SIZE with a unit", IN("FROM:<> SIZE=10M"), PARAM, NULL },
	{ "SIZE of 2^64", IN("FROM:<> SIZE=18446744073709551616"), PARAM, NULL },
	{ "SIZE of 20 nines", IN("FROM:<> SIZE=99999999999999999999"), PARAM, NULL },
	{ "SIZE of 21 digits", IN("FROM:<> SIZE=000000000000000000001"), PARAM, NULL },
	{ "SIZE of 20 digits", IN("FROM:<> SIZE=00000000000000000001"), OK, "" },
	{ "SIZE twice", IN("FROM:<> SIZE=1 SIZE=1"), PARAM, NULL },
	{ "SIZE twice, differently written", IN("FROM:<> SIZE=1 size=1"), PARAM, NULL },
	{ "two equals signs", IN("FROM:<> SIZE==1"), PARAM, NULL },
	{ "an equals sign in the value", IN("FROM:<> AUTH=a=b"), PARAM, NULL },
	{ "BODY without a value", IN("FROM:<> BODY"), PARAM, NULL },
	{ "BODY=BINARYMIME was not announced", IN("FROM:<> BODY=BINARYMIME"), PARAM, NULL },
	{ "BODY twice", IN("FROM:<> BODY=7BIT BODY=8BITMIME"), PARAM, NULL },
	{ "AUTH of nobody", IN("FROM:<> AUTH=<>"), OK, "" },
	{ "AUTH of a mailbox", IN("FROM:<> AUTH=e+3Dmc2@example.com"), OK, "" },
	{ "AUTH without a value", IN("FROM:<> AUTH"), PARAM, NULL },
	{ "AUTH with an empty value", IN("FROM:<> AUTH="), PARAM, NULL },
	{ "AUTH twice", IN("FROM:<> AUTH=<> AUTH=<>"), PARAM, NULL },
	{ "AUTH with half an escape", IN("FROM:<> AUTH=a+3"), PARAM, NULL },
	{ "AUTH with an escape cut off", IN("FROM:<> AUTH=a+"), PARAM, NULL },
	{ "AUTH with lower-case digits", IN("FROM:<> AUTH=a+3d"), PARAM, NULL },
	{ "AUTH with an escape of no digits", IN("FROM:<> AUTH=a+zz"), PARAM, NULL },
	{ "AUTH with an escaped plus", IN("FROM:<> AUTH=a+2Bb"), OK, "" },
	{ "AUTH with an escaped LF", IN("FROM:<> AUTH=a+0Ab"), PARAM, NULL },
	{ "AUTH with an escaped CR", IN("FROM:<> AUTH=a+0Db"), PARAM, NULL },
	{ "AUTH with an escaped NUL", IN("FROM:<> AUTH=a+00"), PARAM, NULL },
	{ "AUTH with an escaped DEL", IN("FROM:<> AUTH=a+7F"), PARAM, NULL },
	{ "AUTH with an escaped octet over 0x7f", IN("FROM:<> AUTH=a+C3"), PARAM, NULL },
	{ "SMTPUTF8 with a value", IN("FROM:<> SMTPUTF8=1"), PARAM, NULL },
	{ "SMTPUTF8 twice", IN("FROM:<> SMTPUTF8 smtputf8"), PARAM, NULL },
	{ "SMTPUTF8 with addresses of ASCII", IN("FROM:<a@b> SMTPUTF8"), OK, "a@b" },
	{ "UTF-8 with SMTPUTF8", IN("FROM:<\xc3\xa4@b\xc3\xbc.example> SMTPUTF8"), OK,
	    "\xc3\xa4@b\xc3\xbc.example" },
	{ "UTF-8 in quotes", IN("FROM:<\"\xc3\xa4 \xe2\x82\xac\"@b> SIZE=1 SMTPUTF8"), OK,
	    "\"\xc3\xa4 \xe2\x82\xac\"@b" },
	{ "four octets a character", IN("FROM:<\xf0\x9f\x93\xa7@b> SMTPUTF8"), OK,
	    "\xf0\x9f\x93\xa7@b" },
	{ "Latin-1 is no UTF-8", IN("FROM:<\xe4@b> SMTPUTF8"), UTF8, NULL },
	{ "an overlong form", IN("FROM:<\xc0\xae@b> SMTPUTF8"), UTF8, NULL },
	{ "an overlong form of a bracket", IN("FROM:<a\xe0\x80\xbe@b> SMTPUTF8"), UTF8, NULL },
	{ "a surrogate", IN("FROM:<\xed\xa0\x80@b> SMTPUTF8"), UTF8, NULL },
	{ "above U+10FFFF", IN("FROM:<\xf4\x90\x80\x80@b> SMTPUTF8"), UTF8, NULL },
	{ "a character cut off", IN("FROM:<a\xc3@b> SMTPUTF8"), UTF8, NULL },
	{ "a C1 control, NEL", IN("FROM:<a\xc2\x85@b> SMTPUTF8"), UTF8, NULL },
	{ "a line separator", IN("FROM:<a\xe2\x80\xa8@b> SMTPUTF8"), UTF8, NULL },
	{ "UTF-8 in a literal", IN("FROM:<a@[\xc3\xa4]> SMTPUTF8"), UTF8, NULL },
	{ "UTF-8 in ENVID", IN("FROM:<> ENVID=\xc3\xa4 SMTPUTF8"), UTF8, NULL },
	{ "an unknown one behind a known one", IN("FROM:<> SIZE=1 X-A=b"), UNKNOWN, NULL },
	{ "a name that begins like a known one", IN("FROM:<> SIZES=1"), UNKNOWN, NULL },
	{ "a name that begins with a hyphen", IN("FROM:<> -A=1"), PARAM, NULL },
	{ "a value without a name", IN("FROM:<> =1"), PARAM, NULL },
	{ "a control character in a value", IN("FROM:<> X=a\x01"), PARAM, NULL },
	{ "an underscore in a name", IN("FROM:<> X_A=1"), PARAM, NULL },
};

static void
test_mail(void **state)
{
	struct smtp_mail mail;
	char address[SMTP_PATH_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mail_cases); i++) {
		print_message("%s\n", mail_cases[i].name);
		assert_int_equal(
		    smtp_mail_parse(mail_cases[i].args, &mail), mail_cases[i].syntax);
		if (mail_cases[i].syntax != OK)
			continue;
		smtp_path_write(&mail.path, address);
		assert_string_equal(address, mail_cases[i].address);
		assert_int_equal(mail.path.is_null, mail_cases[i].address[0] == '\0');
	}
}

static void
test_mail_values(void **state)
{
	struct smtp_mail mail;

	(void)state;
	assert_int_equal(smtp_mail_parse(VIEW("FROM:<a@b>"), &mail), OK);
	assert_false(mail.has_size || mail.has_auth);
	assert_int_equal(mail.body, SMTP_BODY_UNSET);

	struct view full = VIEW("FROM:<a@b> SIZE=18446744073709551615 BODY=8BitMime AUTH=<>");
	assert_int_equal(smtp_mail_parse(full, &mail), OK);
	assert_true(mail.has_size && mail.has_auth);
	assert_true(mail.size == UINT64_MAX);
	assert_int_equal(mail.body, SMTP_BODY_8BITMIME);
	assert_true(view_eq(mail.path.local, VIEW("a")));
	assert_true(view_eq(mail.path.domain, VIEW("b")));

	assert_int_equal(smtp_mail_parse(VIEW("FROM:<> BODY=7bit SIZE=0"), &mail), OK);
	assert_true(mail.has_size && mail.size == 0 && mail.path.is_null);
	assert_int_equal(mail.body, SMTP_BODY_7BIT);
}

/* The octets behind the line are somebody else's, even when they would complete an escape. */
static void
test_nothing_behind_the_line_counts(void **state)
{
	struct view args = VIEW("FROM:<> AUTH=a+3D");
	struct smtp_mail mail;

	(void)state;
	assert_int_equal(smtp_mail_parse(args, &mail), OK);
	args.len--;
	assert_int_equal(smtp_mail_parse(args, &mail), PARAM);
	args.len--;
	assert_int_equal(smtp_mail_parse(args, &mail), PARAM);
	args.len--;
	assert_int_equal(smtp_mail_parse(args, &mail), OK);
}

static const struct {
	const char *name;
	struct view args;
	enum smtp_syntax syntax;
	const char *address;
} rcpt_cases[] = {
	{ "an address", IN("TO:<a@b>"), OK, "a@b" },
	{ "in lower case, with a blank", IN("to: <a@b>"), OK, "a@b" },
	{ "<postmaster>", IN("TO:<postmaster>"), OK, "postmaster" },
	{ "<Postmaster> as it was written", IN("TO:<PostMaster>"), OK, "PostMaster" },
	{ "a source route is dropped", IN("TO:<@hosta.int,@jkl.org:userc@d.bar.org>"), OK,
	    "userc@d.bar.org" },
	{ "the null path", IN("TO:<>"), SMTP_SYNTAX_NULL, NULL },
	{ "the keyword of MAIL", IN("FROM:<a@b>"), KEYWORD, NULL },
	{ "nothing", IN(""), KEYWORD, NULL },
	{ "another name without a domain", IN("TO:<bob>"), PATH, NULL },
	{ "no brackets", IN("TO:postmaster"), PATH, NULL },
	{ "a command behind CR LF", IN("TO:<a\r\nDATA>"), PATH, NULL },
	{ "a command in a quoted string", IN("TO:<\"a\r\nDATA\"@b>"), PATH, NULL },
	{ "UTF-8", IN("TO:<a@b\xc3\xbc.example>"), UTF8, NULL },
	{ "SIZE is no parameter of RCPT", IN("TO:<a@b> SIZE=1"), UNKNOWN, NULL },
	{ "a malformed parameter", IN("TO:<a@b> NOTIFY="), PARAM, NULL },
	{ "text on the heels of the path", IN("TO:<a@b>x"), PARAM, NULL },
	{ "a list", IN("TO:<a@b>,<c@d>"), PARAM, NULL },
};

static void
test_rcpt(void **state)
{
	struct smtp_path path;
	struct smtp_dsn dsn;
	char address[SMTP_PATH_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rcpt_cases); i++) {
		print_message("%s\n", rcpt_cases[i].name);
		assert_int_equal(smtp_rcpt_parse(rcpt_cases[i].args, false, &path, &dsn),
		    rcpt_cases[i].syntax);
		if (rcpt_cases[i].syntax != OK)
			continue;
		smtp_path_write(&path, address);
		assert_string_equal(address, rcpt_cases[i].address);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_verb_names),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_mail_values),
		cmocka_unit_test(test_nothing_behind_the_line_counts),
		cmocka_unit_test(test_rcpt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
