/* SPDX-License-Identifier: MPL-2.0 */
/* lib/smtp/xclient: arguments parsed, attributes written, as tables. */
#include "lib/smtp/xclient.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define ALL (XCLIENT_BIT(XCLIENT_COUNT) - 1)

static void
test_good(void **state)
{
	static const struct {
		const char *sentence, *args;
		enum xclient_attribute attribute;
		const char *value; /* "": not known */
	} rows[] = {
		{ "an address", "ADDR=192.0.2.1", XCLIENT_ADDR, "192.0.2.1" },
		{ "names in any case", "addr=192.0.2.1", XCLIENT_ADDR, "192.0.2.1" },
		{ "an IPv6 address", "ADDR=IPV6:2001:db8::1", XCLIENT_ADDR,
		    "IPV6:2001:db8::1" },
		{ "the second of two", "NAME=a.example ADDR=192.0.2.1", XCLIENT_ADDR,
		    "192.0.2.1" },
		{ "xtext", "LOGIN=alice+40example.com", XCLIENT_LOGIN, "alice@example.com" },
		{ "a blank in xtext", "HELO=two+20words", XCLIENT_HELO, "two words" },
		{ "an equals sign that is not encoded", "HELO=a=b", XCLIENT_HELO, "a=b" },
		{ "UTF-8 in a login", "LOGIN=J+C3+B6rg", XCLIENT_LOGIN, "J\xc3\xb6rg" },
		{ "unavailable", "NAME=[UNAVAILABLE]", XCLIENT_NAME, "" },
		{ "unavailable for now", "NAME=[tempunavail]", XCLIENT_NAME, "" },
		{ "unavailable as xtext is a value", "HELO=+5BUNAVAILABLE+5D", XCLIENT_HELO,
		    "[UNAVAILABLE]" },
		{ "the protocol", "PROTO=esmtp", XCLIENT_PROTO, "esmtp" },
		{ "the largest port", "PORT=65535", XCLIENT_PORT, "65535" },
		{ "two blanks between", "PORT=25  PROTO=SMTP", XCLIENT_PROTO, "SMTP" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct smtp_xclient x;
		const char *wrong;

		if (!smtp_xclient_parse(view_of(rows[i].args), &x, &wrong))
			fail_msg("%s: %s", rows[i].sentence, wrong);
		if ((x.given & XCLIENT_BIT(rows[i].attribute)) == 0 ||
		    ((x.known & XCLIENT_BIT(rows[i].attribute)) != 0) !=
			(rows[i].value[0] != '\0') ||
		    strcmp(x.values[rows[i].attribute], rows[i].value) != 0)
			fail_msg("%s: %s", rows[i].sentence, x.values[rows[i].attribute]);
	}
}

static void
test_bad(void **state)
{
	static const struct {
		const char *sentence, *args, *wrong;
	} rows[] = {
		{ "nothing", "", "?" },
		{ "blanks", "  ", "?" },
		{ "no equals sign", "ADDR", "?" },
		{ "an unknown attribute", "COLOUR=red", "?" },
		{ "an unknown one behind a good one", "ADDR=192.0.2.1 COLOUR=red", "?" },
		{ "an empty value", "NAME=", "NAME" },
		{ "an attribute twice", "NAME=a NAME=b", "NAME" },
		{ "half of an encoded octet", "NAME=a+4", "NAME" },
		{ "a plus sign at the end", "NAME=a+", "NAME" },
		{ "lower case in an encoded octet", "NAME=a+4a", "NAME" },
		{ "a NUL", "LOGIN=alice+00", "LOGIN" },
		{ "a line end", "HELO=a+0D+0AMAIL", "HELO" },
		{ "a delete", "HELO=a+7F", "HELO" },
		{ "UTF-8 outside of a login", "HELO=J+C3+B6rg", "HELO" },
		{ "a port of 0", "PORT=0", "PORT" },
		{ "a port over 65535", "PORT=65536", "PORT" },
		{ "a port with a sign", "PORT=-1", "PORT" },
		{ "another protocol", "PROTO=HTTP", "PROTO" },
		{ "a tab for a blank", "NAME=a\tADDR=192.0.2.1", "NAME" },
	};
	char text[400];
	struct smtp_xclient x;
	const char *wrong;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (smtp_xclient_parse(view_of(rows[i].args), &x, &wrong))
			fail_msg("%s is accepted", rows[i].sentence);
		if (strcmp(wrong, rows[i].wrong) != 0)
			fail_msg("%s: %s", rows[i].sentence, wrong);
	}
	memset(text, 'a', sizeof(text));
	memcpy(text, "HELO=", 5);
	assert_true(smtp_xclient_parse(view_make(text, 5 + XCLIENT_VALUE_MAX), &x, &wrong));
	assert_false(smtp_xclient_parse(view_make(text, 6 + XCLIENT_VALUE_MAX), &x, &wrong));
	assert_string_equal(wrong, "HELO");
}

static void
test_addresses(void **state)
{
	static const struct {
		const char *value, *address; /* NULL: none */
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "IPV6:2001:db8::1", "2001:db8::1" },
		{ "ipv6:2001:db8::1", "2001:db8::1" },
		{ "2001:db8::1", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *address = smtp_xclient_address(rows[i].value);

		if (rows[i].address == NULL)
			assert_null(address);
		else
			assert_string_equal(address, rows[i].address);
	}
}

static void
test_what_is_written_is_read(void **state)
{
	static const struct {
		enum xclient_attribute attribute;
		const char *value, *text;
	} rows[] = {
		{ XCLIENT_ADDR, "IPV6:2001:db8::1", " ADDR=IPV6:2001:db8::1" },
		{ XCLIENT_LOGIN, "a+b@example.com", " LOGIN=a+2Bb@example.com" },
		{ XCLIENT_LOGIN, "J\xc3\xb6rg", " LOGIN=J+C3+B6rg" },
		{ XCLIENT_HELO, "a b=c", " HELO=a+20b+3Dc" },
		{ XCLIENT_NAME, "", " NAME=[UNAVAILABLE]" },
	};
	char out[1200];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const size_t len =
		    smtp_xclient_write(rows[i].attribute, rows[i].value, out, sizeof(out));
		struct smtp_xclient x;
		const char *wrong;

		assert_string_equal(out, rows[i].text);
		assert_int_equal(len, strlen(out));
		assert_true(smtp_xclient_parse(view_make(out + 1, len - 1), &x, &wrong));
		assert_string_equal(x.values[rows[i].attribute], rows[i].value);
		for (size_t room = 1; room <= len; room++)
			assert_int_equal(
			    smtp_xclient_write(rows[i].attribute, rows[i].value, out, room), 0);
	}
}

static void
test_what_is_offered(void **state)
{
	(void)state;
	assert_int_equal(smtp_xclient_offered(view_of("")), 0);
	assert_int_equal(smtp_xclient_offered(view_of("name REVERSE_NAME ADDR")),
	    XCLIENT_BIT(XCLIENT_NAME) | XCLIENT_BIT(XCLIENT_ADDR));
	assert_int_equal(
	    smtp_xclient_offered(view_of("NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT")),
	    ALL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_what_is_offered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
