/* SPDX-License-Identifier: MPL-2.0 */
/* Our Received field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/mail/received.h"

#include <stdio.h>

static const struct recipient recipients[2] = { { .address = "bob@example.net" },
	{ .address = "carol@example.org" } };

static struct facts
make_facts(void)
{
	struct facts f = {
		.session_id = "a3f09c2e5b71",
		.hostname = "mail.example.com",
		.client = { .text = "192.0.2.7" },
		.helo = "laptop.example.com",
		.is_esmtp = true,
		.tls = { true, "TLSv1.3", "TLS_AES_256_GCM_SHA384", 256 },
		.identity = { .login = "secret-login" },
		.message_id = "a3f09c2e5b71.1",
		.recipients = recipients,
		.recipient_count = 1,
		.received_at = 1795553870,
	};

	return f;
}

/* The value as a string in out. */
static void
write_value(const struct facts *f, bool with_client, char out[2048])
{
	struct buf b;

	buf_init(&b, 2000);
	assert_true(received_value(f, with_client, &b));
	assert_true(view_copy(buf_view(&b), out, 2048));
	buf_finish(&b);
}

static void
test_the_whole_field(void **state)
{
	struct facts f = make_facts();
	char out[2048];

	(void)state;
	write_value(&f, true, out);
	assert_string_equal(out,
	    "from laptop.example.com ([192.0.2.7]) by mail.example.com (Gatepost)\r\n"
	    "\twith ESMTPSA (TLSv1.3 cipher TLS_AES_256_GCM_SHA384 bits 256)\r\n"
	    "\tid a3f09c2e5b71.1 for <bob@example.net>;\r\n"
	    "\tTue, 24 Nov 2026 20:57:50 +0000");
}

static void
test_without_the_client(void **state)
{
	struct facts f = make_facts();
	char out[2048];

	(void)state;
	f.recipient_count = 2;
	f.tls.on = false;
	write_value(&f, false, out);
	assert_string_equal(out,
	    "by mail.example.com (Gatepost) with ESMTPA id a3f09c2e5b71.1;\r\n"
	    "\tTue, 24 Nov 2026 20:57:50 +0000");
}

/* Each fold becomes a blank. */
static void
unfold(char *text)
{
	char *to = text;

	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\t')
			*to++ = ' ';
		else if (*p != '\r' && *p != '\n')
			*to++ = *p;
	}
	*to = '\0';
}

static void
test_the_protocol_word(void **state)
{
	static const struct {
		bool esmtp, tls, login, utf8;
		const char *word;
	} rows[] = {
		{ false, false, false, false, " with SMTP id " },
		{ false, true, false, false, " with SMTP (TLSv1.3 " },
		{ true, false, false, false, " with ESMTP id " },
		{ true, true, false, false, " with ESMTPS (TLSv1.3 " },
		{ true, false, true, false, " with ESMTPA id " },
		{ true, true, true, false, " with ESMTPSA (TLSv1.3 " },
		{ true, false, false, true, " with UTF8SMTP id " },
		{ true, true, false, true, " with UTF8SMTPS (TLSv1.3 " },
		{ true, false, true, true, " with UTF8SMTPA id " },
		{ true, true, true, true, " with UTF8SMTPSA (TLSv1.3 " },
		{ false, false, false, true, " with SMTP id " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct facts f = make_facts();
		char out[2048];

		f.is_esmtp = rows[i].esmtp;
		f.mail.smtputf8 = rows[i].utf8;
		f.tls.on = rows[i].tls;
		f.tls.cipher = "X";
		f.identity.login = rows[i].login ? "secret-login" : NULL;
		write_value(&f, false, out);
		unfold(out);
		if (strstr(out, rows[i].word) == NULL)
			fail_msg("no \"%s\" in \"%s\"", rows[i].word, out);
	}
}

static void
test_the_client_named(void **state)
{
	static const struct {
		const char *name, *helo, *address, *expected;
	} rows[] = {
		{ "a domain and IPv4", "a.example", "192.0.2.7",
		    "from a.example ([192.0.2.7]) by " },
		{ "IPv6 has its tag", "a.example", "2001:db8::1",
		    "from a.example ([IPv6:2001:db8::1]) by " },
		{ "a literal stays one", "[192.0.2.7]", "192.0.2.7",
		    "from [192.0.2.7] ([192.0.2.7]) by " },
		{ "an IPv6 literal stays one", "[IPv6:::1]", "::1",
		    "from [IPv6:::1] ([IPv6:::1]) by " },
		{ "no name", "", "192.0.2.7", "from unknown ([192.0.2.7]) by " },
		{ "a comment cannot be made", "a (b", "192.0.2.7",
		    "from a--b ([192.0.2.7]) by " },
		{ "a clause cannot be made", "a by b; c", "192.0.2.7",
		    "from a-by-b--c ([192.0.2.7]) by " },
		{ "a field cannot be made", "a\r\nFrom: x", "192.0.2.7",
		    "from a--From--x ([192.0.2.7]) by " },
		{ "octets over 0x7f", "b\xc3\xbc.example", "192.0.2.7",
		    "from b--.example ([192.0.2.7]) by " },
		{ "brackets that are no literal", "a[b]c", "192.0.2.7",
		    "from a-b-c ([192.0.2.7]) by " },
		{ "brackets in a literal", "[a]b]", "192.0.2.7",
		    "from [a-b] ([192.0.2.7]) by " },
		{ "empty brackets", "[]", "192.0.2.7", "from -- ([192.0.2.7]) by " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct facts f = make_facts();
		char out[2048];

		f.helo = rows[i].helo;
		snprintf(f.client.text, sizeof(f.client.text), "%s", rows[i].address);
		write_value(&f, true, out);
		if (strncmp(out, rows[i].expected, strlen(rows[i].expected)) != 0)
			fail_msg("%s: \"%s\"", rows[i].name, out);
	}
}

/* No line over 78 columns (a tab counts 8), each further one begins with a tab. */
static void
check_lines(const char *out)
{
	size_t column = strlen("Received: ");

	for (const char *p = out; *p != '\0'; p++) {
		if (*p == '\r') {
			assert_int_equal(p[1], '\n');
			assert_int_equal(p[2], '\t');
			p += 2;
			column = 8;
		} else {
			assert_in_range(*p, 0x20, 0x7e);
			column++;
		}
		assert_true(column <= 78);
	}
}

static void
test_lines_stay_short_where_they_can(void **state)
{
	char helo[64] = "";

	(void)state;
	for (size_t len = 1; len < 60; len++) {
		struct facts f = make_facts();
		char out[2048];

		helo[len - 1] = 'a';
		f.helo = helo;
		write_value(&f, true, out);
		check_lines(out);
	}
}

static void
test_what_is_never_in_it(void **state)
{
	struct facts f = make_facts();
	char out[2048];

	(void)state;
	f.recipient_count = 2;
	write_value(&f, true, out);
	assert_null(strstr(out, "secret-login"));
	assert_null(strstr(out, " for "));
	assert_null(strstr(out, "bob@"));
	write_value(&f, false, out);
	assert_null(strstr(out, "192.0.2.7"));
	assert_null(strstr(out, "laptop"));
	assert_null(strstr(out, "from"));
}

static void
test_long_and_missing_facts(void **state)
{
	struct facts f = make_facts();
	char helo[400], out[2048];

	(void)state;
	memset(helo, 'a', sizeof(helo));
	helo[sizeof(helo) - 1] = '\0';
	f.helo = helo;
	f.message_id = "";
	f.recipient_count = 0;
	write_value(&f, true, out);
	assert_non_null(strstr(out, "from unknown "));
	assert_non_null(strstr(out, "id a3f09c2e5b71;"));

	struct recipient odd = { .address = "a\nb@example.net" };
	f.recipients = &odd;
	f.recipient_count = 1;
	write_value(&f, true, out);
	assert_null(strstr(out, "for <"));
	assert_non_null(strstr(out, "id a3f09c2e5b71;"));
}

static void
test_a_small_buffer_is_refused_and_unchanged(void **state)
{
	struct facts f = make_facts();
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_true(buf_add_str(&b, "x"));
	assert_false(received_value(&f, true, &b));
	assert_int_equal(b.len, 1);
	buf_finish(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_whole_field),
		cmocka_unit_test(test_without_the_client),
		cmocka_unit_test(test_the_protocol_word),
		cmocka_unit_test(test_the_client_named),
		cmocka_unit_test(test_lines_stay_short_where_they_can),
		cmocka_unit_test(test_what_is_never_in_it),
		cmocka_unit_test(test_long_and_missing_facts),
		cmocka_unit_test(test_a_small_buffer_is_refused_and_unchanged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
