/* SPDX-License-Identifier: MPL-2.0 */
/* DNS out of a file, its errors with their lines, and that what was recorded replays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/net/dns_file.h"
#include "lib/net/dns_recorder.h"
#include "lib/net/dns_text.h"
#include "tests/unit/dns_table.h"

static const char zone[] = "# a comment\n"
			   "; another\n"
			   "\n"
			   "example.com TXT \"v=spf1 \" \"-all\"\r\n"
			   "Example.COM. TXT v=DMARC1; p=\"none\"\n"
			   "example.com 60 IN MX 10 Mail.example.com.\n"
			   "example.com 30 MX 20 b\\.c.example.com\n"
			   "null.example.com MX 0 .\n"
			   "mail.example.com A 192.0.2.1\n"
			   "mail.example.com AAAA 2001:db8::1\n"
			   "www.example.com CNAME mail.example.com\n"
			   "lost.example.com CNAME nowhere.example.com\n"
			   "loop.example.com CNAME loop.example.com\n"
			   "far.example.com ALIAS A 192.0.2.9\n"
			   "odd.example.com TXT \"a\\\"b\\\\c\\000\\255\"\n"
			   "empty.example.com TXT \"\"\n"
			   "deep.below.example.net A 192.0.2.2\n"
			   "bad.example.com TXT servfail\n"
			   "slow.example.com * TIMEOUT\n"
			   "slow.example.com A 192.0.2.3\n"
			   "gone.example.com * NXDOMAIN\n"
			   "bare.example.com A NODATA\n"
			   "why.example.com TXT TEMPFAIL no server there\n"
			   "tlsa.example.com TLSA \\# 4 03 01 01aB\n"
			   "quoted.example.com TXT \"NXDOMAIN\"\n";

struct fixture {
	struct conf_errors errors;
	struct dns_file *file;
	struct arena arena;
};

static void
begin(struct fixture *f, const char *text)
{
	conf_errors_init(&f->errors);
	arena_init(&f->arena);
	f->file = dns_file_parse("zone", view_of(text), &f->errors);
}

static void
end(struct fixture *f)
{
	dns_file_destroy(&f->file);
	arena_finish(&f->arena);
	conf_errors_finish(&f->errors);
}

/* answer_text - "found 300 192.0.2.1 | ...", "nodata 300", "tempfail SERVFAIL". */
static const char *
answer_text(
    const struct dns_source *source, const char *name, enum dns_type type, struct arena *arena)
{
	struct dns_answer answer;
	struct buf out;
	const char *text;

	buf_init(&out, 65536);
	dns_query(source, name, type, INT64_MAX, arena, &answer);
	assert_true(buf_printf(&out, "%s", dns_status_name(answer.status)));
	if (answer.status == DNS_TEMPFAIL)
		assert_true(buf_printf(&out, " %s", answer.why));
	else
		assert_true(buf_printf(&out, " %u", (unsigned)answer.ttl_s));
	for (size_t i = 0; i < answer.count; i++) {
		assert_true(buf_add_str(&out, i > 0 ? " | " : " "));
		assert_true(dns_text_write(type, &answer.records[i], &out));
	}
	if (answer.is_alias)
		assert_true(buf_add_str(&out, " alias"));
	text = arena_strdup(arena, buf_view(&out));
	buf_finish(&out);
	return text;
}

struct answer_case {
	const char *says;
	const char *name;
	enum dns_type type;
	const char *answer;
};

static const struct answer_case answers[] = {
	{ "strings are joined; records keep their order; a bare text is taken as it stands",
	    "example.com", DNS_TXT,
	    "found 300 \"v=spf1 -all\" | \"v=DMARC1; p=\\\"none\\\"\"" },
	{ "names match whatever their case, with the final dot or not", "EXAMPLE.com.", DNS_TXT,
	    "found 300 \"v=spf1 -all\" | \"v=DMARC1; p=\\\"none\\\"\"" },
	{ "the lowest TTL is the answer's; names get their one form", "example.com", DNS_MX,
	    "found 30 10 mail.example.com | 20 b\\046c.example.com" },
	{ "the root is a name in data", "null.example.com", DNS_MX, "found 300 0 ." },
	{ "IPv4", "mail.example.com", DNS_A, "found 300 192.0.2.1" },
	{ "IPv6", "mail.example.com", DNS_AAAA, "found 300 2001:db8::1" },
	{ "a CNAME is followed", "www.example.com", DNS_A, "found 300 192.0.2.1 alias" },
	{ "a CNAME itself can be asked for", "www.example.com", DNS_CNAME,
	    "found 300 mail.example.com" },
	{ "a CNAME to a name without the type", "www.example.com", DNS_TXT,
	    "nodata 300 alias" },
	{ "a CNAME that leads nowhere", "lost.example.com", DNS_A, "nxdomain 300 alias" },
	{ "CNAMEs in a circle end", "loop.example.com", DNS_A, "tempfail too many CNAMEs" },
	{ "an answer by way of an alias that is not there", "far.example.com", DNS_A,
	    "found 300 192.0.2.9 alias" },
	{ "any octet in TXT", "odd.example.com", DNS_TXT,
	    "found 300 \"a\\\"b\\\\c\\000\\255\"" },
	{ "an empty TXT record is one", "empty.example.com", DNS_TXT, "found 300 \"\"" },
	{ "another type of a name that exists", "mail.example.com", DNS_TXT, "nodata 300" },
	{ "a name that exists by what is below it", "below.example.net", DNS_A, "nodata 300" },
	{ "a name that ends like another one does not exist", "low.example.net", DNS_A,
	    "nxdomain 300" },
	{ "a name that is not there", "nobody.example.com", DNS_A, "nxdomain 300" },
	{ "words have any case", "bad.example.com", DNS_TXT, "tempfail SERVFAIL" },
	{ "a star is for every type", "slow.example.com", DNS_TXT, "tempfail timed out" },
	{ "but for one that has a line of its own", "slow.example.com", DNS_A,
	    "found 300 192.0.2.3" },
	{ "a name that is said not to exist", "gone.example.com", DNS_MX, "nxdomain 300" },
	{ "a name that is said to have nothing", "bare.example.com", DNS_A, "nodata 300" },
	{ "a reason of one's own", "why.example.com", DNS_TXT, "tempfail no server there" },
	{ "octets in the form of RFC 3597", "tlsa.example.com", DNS_TLSA,
	    "found 300 \\# 4 030101ab" },
	{ "a word between quotes is a text", "quoted.example.com", DNS_TXT,
	    "found 300 \"NXDOMAIN\"" },
};

static void
check_answers(const struct dns_source *source, struct arena *arena)
{
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		const struct answer_case *c = &answers[i];
		const char *got = answer_text(source, c->name, c->type, arena);

		if (strcmp(got, c->answer) != 0)
			fail_msg("%s: %s", c->says, got);
	}
}

static void
test_answers(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, zone);
	assert_non_null(f.file);
	check_answers(dns_file_source(f.file), &f.arena);
	end(&f);
}

static void
test_a_printed_file_says_the_same(void **state)
{
	struct fixture f, again;
	struct buf first, second;

	(void)state;
	begin(&f, zone);
	buf_init(&first, 65536);
	buf_init(&second, 65536);
	assert_true(dns_file_print_all(f.file, &first));
	assert_true(buf_add_char(&first, '\0'));
	begin(&again, first.p);
	assert_non_null(again.file);
	check_answers(dns_file_source(again.file), &again.arena);
	assert_true(dns_file_print_all(again.file, &second));
	assert_true(buf_add_char(&second, '\0'));
	assert_string_equal(first.p, second.p);
	buf_finish(&first);
	buf_finish(&second);
	end(&again);
	end(&f);
}

static void
test_a_strict_file_answers_what_is_listed_alone(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, zone);
	dns_file_set_strict(f.file);
	const struct dns_source *source = dns_file_source(f.file);
	assert_string_equal(
	    answer_text(source, "mail.example.com", DNS_A, &f.arena), "found 300 192.0.2.1");
	assert_string_equal(answer_text(source, "mail.example.com", DNS_TXT, &f.arena),
	    "tempfail " DNS_FILE_UNLISTED);
	assert_string_equal(answer_text(source, "nobody.example.com", DNS_A, &f.arena),
	    "tempfail " DNS_FILE_UNLISTED);
	assert_string_equal(
	    answer_text(source, "gone.example.com", DNS_A, &f.arena), "nxdomain 300");
	end(&f);
}

static void
test_errors(void **state)
{
	static const struct {
		const char *says;
		const char *text;
		const char *error;
	} cases[] = {
		{ "no type", "\nexample.com\n",
		    "zone:2: example.com: the type is none of A, AAAA, CNAME, MX, NS, PTR, "
		    "SOA, "
		    "TLSA, TXT and *" },
		{ "no data", "example.com A", "zone:1: example.com: the data is missing" },
		{ "no name", "exa..mple A 192.0.2.1",
		    "zone:1: a line is NAME [TTL] TYPE DATA: this name is none" },
		{ "no address", "example.com A 192.0.2",
		    "zone:1: example.com: is no IPv4 address" },
		{ "no IPv6 address", "example.com AAAA 192.0.2.1",
		    "zone:1: example.com: is no IPv6 address" },
		{ "MX without a preference", "example.com MX mail.example.com",
		    "zone:1: example.com: MX needs a preference and a name" },
		{ "a preference over 16 bits", "example.com MX 65536 mail.example.com",
		    "zone:1: example.com: MX needs a preference and a name" },
		{ "a broken escape", "example.com TXT \"\\25\"",
		    "zone:1: example.com: has a broken escape: \\DDD or \\X" },
		{ "an escape over 255", "example.com TXT \"\\256\"",
		    "zone:1: example.com: has a broken escape: \\DDD or \\X" },
		{ "a string without an end", "example.com TXT \"abc",
		    "zone:1: example.com: has a string without an end" },
		{ "text behind a string", "example.com TXT \"abc\" def",
		    "zone:1: example.com: has text behind a string" },
		{ "data for every type", "example.com * 192.0.2.1",
		    "zone:1: example.com: for \"*\" there is NXDOMAIN, NODATA, SERVFAIL, "
		    "TIMEOUT or TEMPFAIL alone" },
		{ "a word beside data", "example.com A 192.0.2.1\nexample.com A NXDOMAIN",
		    "zone:2: example.com: is there already: a word stands alone for its name "
		    "and type" },
		{ "a word twice", "example.com A NODATA\nexample.com A NXDOMAIN",
		    "zone:2: example.com: is there already: a word stands alone for its name "
		    "and type" },
		{ "a failure without a reason", "example.com A TEMPFAIL",
		    "zone:1: example.com: TEMPFAIL needs a reason, of up to 95 octets" },
		{ "octets that are too few", "example.com TLSA \\# 3 0102",
		    "zone:1: example.com: is not that many octets" },
		{ "octets that are too many", "example.com TLSA \\# 1 0102",
		    "zone:1: example.com: is not that many octets" },
		{ "a bracket without an end", "[ns1 example.com A 192.0.2.1",
		    "zone:1: a server in brackets needs its \"]\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture f;

		begin(&f, cases[i].text);
		if (f.file != NULL || f.errors.count != 1)
			fail_msg("%s: %zu errors", cases[i].says, f.errors.count);
		if (strcmp(f.errors.lines[0], cases[i].error) != 0)
			fail_msg("%s: %s", cases[i].says, f.errors.lines[0]);
		end(&f);
	}
}

static void
test_errors_are_gathered_up_to_a_limit(void **state)
{
	struct fixture f;
	struct buf text;

	(void)state;
	buf_init(&text, 65536);
	for (int i = 0; i < 100; i++)
		assert_true(buf_add_str(&text, "example.com A\n"));
	assert_true(buf_add_char(&text, '\0'));
	begin(&f, text.p);
	assert_null(f.file);
	assert_int_equal(f.errors.count, DNS_FILE_ERRORS);
	end(&f);
	buf_finish(&text);
}

static void
test_every_server_is_asked(void **state)
{
	static const char text[] = "k.example.com TXT one\n"
				   "[ns1.example.com 192.0.2.1] k.example.com TXT two\n"
				   "[ns2.example.com 192.0.2.2] k.example.com TXT TIMEOUT\n"
				   "[] lost.example.com TXT SERVFAIL\n";
	struct dns_server_answer *each;
	struct fixture f;

	(void)state;
	begin(&f, text);
	const struct dns_source *source = dns_file_source(f.file);
	assert_int_equal(
	    source->query_each(source->context, "K.example.com", DNS_TXT, 0, &f.arena, &each),
	    2);
	assert_string_equal(each[0].server, "ns1.example.com 192.0.2.1");
	assert_int_equal(each[0].answer.status, DNS_FOUND);
	assert_memory_equal(each[0].answer.records[0].data.p, "two", 3);
	assert_string_equal(each[1].answer.why, "timed out");
	assert_int_equal(source->query_each(
			     source->context, "lost.example.com", DNS_TXT, 0, &f.arena, &each),
	    0);
	assert_int_equal(
	    source->query_each(source->context, "k.example.com", DNS_A, 0, &f.arena, &each), 1);
	assert_string_equal(each[0].server, "zone");
	assert_int_equal(each[0].answer.status, DNS_NODATA);
	end(&f);
}

static void
test_what_was_recorded_replays(void **state)
{
	struct dns_server_answer *each;
	struct fixture f, again;
	struct buf text;

	(void)state;
	begin(&f, zone);
	struct dns_table *servers = dns_table_create(NULL);
	struct dns_recorder *r = dns_recorder_create(dns_file_source(f.file));
	check_answers(dns_recorder_source(r), &f.arena);
	assert_int_equal(dns_recorder_count(r), ARRAY_LEN(answers));
	assert_string_equal(dns_recorder_get(r, 0)->name, "example.com");
	assert_null(dns_recorder_get(r, ARRAY_LEN(answers)));
	buf_init(&text, 65536);
	assert_true(dns_recorder_print(r, &text));
	assert_true(buf_add_char(&text, '\0'));
	begin(&again, text.p);
	assert_int_equal(again.errors.count, 0);
	dns_file_set_strict(again.file);
	check_answers(dns_file_source(again.file), &again.arena);
	end(&again);

	/* And where no servers are found, they are not on replay either. */
	struct dns_recorder *none = dns_recorder_create(dns_table_source(servers));
	const struct dns_source *source = dns_recorder_source(none);
	assert_int_equal(
	    source->query_each(source->context, "x.example", DNS_TXT, 0, &f.arena, &each), 0);
	buf_clear(&text);
	assert_true(dns_recorder_print(none, &text));
	assert_true(buf_add_char(&text, '\0'));
	assert_string_equal(text.p, "[] x.example 300 TXT SERVFAIL\n");
	buf_finish(&text);
	dns_recorder_destroy(&none);
	dns_recorder_destroy(&r);
	dns_table_destroy(&servers);
	end(&f);
}

static void
test_a_file_that_is_not_there(void **state)
{
	struct conf_errors errors;

	(void)state;
	conf_errors_init(&errors);
	assert_null(dns_file_read("/nonexistent/zone", &errors));
	assert_string_equal(
	    errors.lines[0], "/nonexistent/zone: cannot be opened: No such file or directory");
	conf_errors_finish(&errors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_a_printed_file_says_the_same),
		cmocka_unit_test(test_a_strict_file_answers_what_is_listed_alone),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_errors_are_gathered_up_to_a_limit),
		cmocka_unit_test(test_every_server_is_asked),
		cmocka_unit_test(test_what_was_recorded_replays),
		cmocka_unit_test(test_a_file_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
