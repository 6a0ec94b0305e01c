/* SPDX-License-Identifier: MPL-2.0 */
/* DMARC policy records: sections are those of draft-ietf-dmarc-dmarcbis-41 (RFC 9989). */
#include "lib/domain/dmarc.h"

#include "lib/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

struct record_case {
	const char *name;
	const char *txt;
	/*
	 * "ignored"; or what was read, without what is the default: the policies of p, sp and
	 * np as they apply, those tags that are really there, modes, URIs. A record without a
	 * policy to take begins with "malformed".
	 */
	const char *expected;
};

static const struct record_case cases[] = {
	{ "v alone with p is a record (4.7)", "v=DMARC1; p=none", "none/none/none p" },
	{ "blanks may stand around the equals sign of v (4.8)", "v \t=  DMARC1 ;p=reject",
	    "reject/reject/reject p" },
	{ "the name of the v tag has no case (4.8, RFC 5234 2.3)", "V=DMARC1; p=none",
	    "none/none/none p" },
	{ "the value of v is case-sensitive (4.7)", "v=dmarc1; p=none", "ignored" },
	{ "another version is ignored (4.7)", "v=DMARC2; p=none", "ignored" },
	{ "a longer version is another one (4.7)", "v=DMARC10; p=none", "ignored" },
	{ "a blank in place of the semicolon makes another version (4.8)", "v=DMARC1 p=none",
	    "ignored" },
	{ "a record without v is ignored (4.7)", "p=none; rua=mailto:a@example.com",
	    "ignored" },
	{ "v must be the first tag (4.7)", "p=none; v=DMARC1", "ignored" },
	{ "nothing may stand before v, not even a blank (4.8)", " v=DMARC1; p=none",
	    "ignored" },
	{ "an empty text is no record (4.8)", "", "ignored" },
	{ "a semicolon alone is no record (4.8)", ";v=DMARC1; p=none", "ignored" },
	{ "an SPF record is no DMARC record (4.10 step 2)", "v=spf1 -all", "ignored" },
	{ "v without a value is no version (4.8)", "v=; p=none", "ignored" },
	{ "a second v changes nothing (4.8)", "v=DMARC1; v=DMARC2; p=reject",
	    "reject/reject/reject p" },
	{ "a final semicolon is allowed (4.8)", "v=DMARC1; p=quarantine;",
	    "quarantine/quarantine/quarantine p" },
	{ "a final semicolon may have blanks around it (4.8)", "v=DMARC1; p=quarantine \t ; ",
	    "quarantine/quarantine/quarantine p" },
	{ "no blanks are needed at all (4.8)", "v=DMARC1;p=reject;sp=none;np=quarantine",
	    "reject/none/quarantine p sp np" },
	{ "blanks around names and values do not count (4.8)",
	    "v=DMARC1 \t; \tp\t = \treject \t;\tsp = none", "reject/none/none p sp" },
	{ "a policy word has no case (4.8, RFC 5234 2.3)", "v=DMARC1; p=ReJeCT",
	    "reject/reject/reject p" },
	{ "a tag name has no case (4.8, RFC 5234 2.3)", "v=DMARC1; P=reject; SP=none",
	    "reject/none/none p sp" },
	{ "tags may stand in any order behind v (4.8)", "v=DMARC1; sp=none; p=reject",
	    "reject/none/none p sp" },
	{ "unknown tags are ignored (4.7)", "v=DMARC1; x=y; p=reject; zz=p=none",
	    "reject/reject/reject p" },
	{ "pct, ri and rf are unknown now (C.5.2)",
	    "v=DMARC1; p=reject; pct=0; ri=3600; rf=afrf", "reject/reject/reject p" },
	{ "a name that only begins like a tag is unknown (4.8)",
	    "v=DMARC1; p=reject; pp=none; sp1=none", "reject/reject/reject p" },
	{ "a piece that is no tag is dropped (4.8)", "v=DMARC1; p=reject; nonsense; =none; ;;",
	    "reject/reject/reject p" },
	{ "np falls back to sp (4.7, np)", "v=DMARC1; p=none; sp=reject",
	    "none/reject/reject p sp" },
	{ "np does not change sp (4.7, np)", "v=DMARC1; p=none; np=reject",
	    "none/none/reject p np" },
	{ "p is absent with a valid rua: none (4.10.1)", "v=DMARC1; rua=mailto:a@example.com",
	    "none/none/none rua=1" },
	{ "p is absent with a valid rua: sp counts all the same (4.7, p)",
	    "v=DMARC1; sp=reject; rua=mailto:a@example.com", "none/reject/reject sp rua=1" },
	{ "p is absent without rua: no policy (4.10.1)", "v=DMARC1; sp=reject",
	    "malformed none/reject/reject sp" },
	{ "the version alone gives no policy (4.10.1)", "v=DMARC1",
	    "malformed none/none/none" },
	{ "a malformed p with a valid rua is none (4.10.1)",
	    "v=DMARC1; p=block; rua=mailto:a@example.com", "none/none/none rua=1" },
	{ "a malformed p makes sp none too (4.10.1)",
	    "v=DMARC1; p=block; sp=reject; rua=mailto:a@example.com", "none/none/none rua=1" },
	{ "a malformed p without rua gives no policy (4.10.1)", "v=DMARC1; p=block",
	    "malformed none/none/none" },
	{ "an empty p is malformed (4.8)", "v=DMARC1; p=; rua=mailto:a@example.com",
	    "none/none/none rua=1" },
	{ "two words in p are malformed (4.8)",
	    "v=DMARC1; p=reject none; rua=mailto:a@example.com", "none/none/none rua=1" },
	{ "a malformed sp makes all none when there is a rua (4.10.1)",
	    "v=DMARC1; p=reject; sp=deny; rua=mailto:a@example.com", "none/none/none rua=1" },
	{ "a malformed sp without rua gives no policy (4.10.1)", "v=DMARC1; p=reject; sp=deny",
	    "malformed none/none/none" },
	{ "a malformed np makes all none when there is a rua (4.10.1)",
	    "v=DMARC1; p=reject; np=; rua=mailto:a@example.com", "none/none/none rua=1" },
	{ "a malformed np without rua gives no policy (4.10.1)", "v=DMARC1; p=reject; np=yes",
	    "malformed none/none/none" },
	{ "a rua without any valid URI does not make up for p (4.10.1)",
	    "v=DMARC1; p=block; rua=nobody", "malformed none/none/none" },
	{ "p twice is malformed (4.7, RFC 6376 3.2)",
	    "v=DMARC1; p=none; p=reject; rua=mailto:a@example.com", "none/none/none rua=1" },
	{ "adkim twice is dropped in favour of the default (4.8)",
	    "v=DMARC1; p=reject; adkim=s; adkim=s", "reject/reject/reject p" },
	{ "rua twice is dropped (4.8)",
	    "v=DMARC1; p=reject; rua=mailto:a@example.com; rua=mailto:b@example.com",
	    "reject/reject/reject p" },
	{ "strict alignment is read for each method (4.7)", "v=DMARC1; p=none; adkim=s; aspf=S",
	    "none/none/none p adkim=s aspf=s" },
	{ "relaxed alignment can be said (4.7)", "v=DMARC1; p=none; adkim=r; aspf=r",
	    "none/none/none p" },
	{ "a malformed alignment is the default (4.8)",
	    "v=DMARC1; p=none; adkim=strict; aspf=x", "none/none/none p" },
	{ "psd=y is read (4.7)", "v=DMARC1; p=reject; psd=y", "reject/reject/reject p psd=y" },
	{ "psd=n is read (4.7)", "v=DMARC1; p=reject; psd=N", "reject/reject/reject p psd=n" },
	{ "psd=u is the default (4.7)", "v=DMARC1; p=reject; psd=u", "reject/reject/reject p" },
	{ "a malformed psd is the default (4.8)", "v=DMARC1; p=reject; psd=yes",
	    "reject/reject/reject p" },
	{ "psd counts in a record without a policy (4.10)", "v=DMARC1; psd=y",
	    "malformed none/none/none psd=y" },
	{ "t=y is read (4.7)", "v=DMARC1; p=reject; t=y", "reject/reject/reject p t=y" },
	{ "t=n is the default (4.7)", "v=DMARC1; p=reject; t=n", "reject/reject/reject p" },
	{ "a malformed t is the default (4.8)", "v=DMARC1; p=reject; t=1",
	    "reject/reject/reject p" },
	{ "several addresses in rua (4.8)",
	    "v=DMARC1; p=none; rua=mailto:a@example.com ,\tmailto:b@example.net",
	    "none/none/none p rua=2" },
	{ "a size behind an address is ignored (4.8)",
	    "v=DMARC1; p=none; rua=mailto:a@example.com!10m", "none/none/none p rua=1" },
	{ "a size that is none spoils its address only (4.8)",
	    "v=DMARC1; p=none; rua=mailto:a@example.com!10x,mailto:b@example.com",
	    "none/none/none p rua=1" },
	{ "an address without a scheme is left out (4.6)",
	    "v=DMARC1; p=none; rua=a@example.com,mailto:b@example.com",
	    "none/none/none p rua=1" },
	{ "another scheme is a valid URI (4.7, rua)",
	    "v=DMARC1; p=none; rua=https://example.com/r?x=%2C", "none/none/none p rua=1" },
	{ "a broken percent sign is no URI (4.8)",
	    "v=DMARC1; p=none; rua=https://example.com/%2", "none/none/none p" },
	{ "a blank within an address is no URI (4.8)",
	    "v=DMARC1; p=none; rua=mailto:a b@example.com", "none/none/none p" },
	{ "octets over ASCII spoil their tag only (4.8)",
	    "v=DMARC1; p=reject; rua=mailto:\303\244@example.com; adkim=s",
	    "reject/reject/reject p adkim=s" },
	{ "fo needs ruf (4.7, fo)", "v=DMARC1; p=none; fo=1", "none/none/none p" },
	{ "ruf without fo asks for the default (4.7, fo)",
	    "v=DMARC1; p=none; ruf=mailto:a@example.com", "none/none/none p ruf fo=0" },
	{ "fo may name several (4.7, fo)",
	    "v=DMARC1; p=none; ruf=mailto:a@example.com; fo=1:d:s",
	    "none/none/none p ruf fo=1ds" },
	{ "fo may name d and s first (4.8)",
	    "v=DMARC1; p=none; ruf=mailto:a@example.com; fo=d:s:0",
	    "none/none/none p ruf fo=0ds" },
	{ "0 and 1 exclude each other in fo (4.7, fo)",
	    "v=DMARC1; p=none; ruf=mailto:a@example.com; fo=0:1", "none/none/none p ruf fo=0" },
	{ "a word twice in fo is malformed (4.8)",
	    "v=DMARC1; p=none; ruf=mailto:a@example.com; fo=d:d", "none/none/none p ruf fo=0" },
	{ "an unknown word in fo is malformed (4.8)",
	    "v=DMARC1; p=none; ruf=mailto:a@example.com; fo=1:x", "none/none/none p ruf fo=0" },
};

static void
add(char *out, size_t room, const char *text)
{
	const size_t len = strlen(out);

	snprintf(out + len, room - len, "%s", text);
}

static void
describe(enum dmarc_parse parse, const struct dmarc_record *r, char *out, size_t room)
{
	char text[80];

	out[0] = '\0';
	if (parse == DMARC_NOT_A_RECORD) {
		add(out, room, "ignored");
		return;
	}
	snprintf(text, sizeof(text), "%s%s/%s/%s", parse == DMARC_MALFORMED ? "malformed " : "",
	    dmarc_policy_name(r->p), dmarc_policy_name(r->sp), dmarc_policy_name(r->np));
	add(out, room, text);
	add(out, room, r->has_p ? " p" : "");
	add(out, room, r->has_sp ? " sp" : "");
	add(out, room, r->has_np ? " np" : "");
	add(out, room, r->adkim_strict ? " adkim=s" : "");
	add(out, room, r->aspf_strict ? " aspf=s" : "");
	add(out, room,
	    r->psd == DMARC_PSD_YES  ? " psd=y"
	    : r->psd == DMARC_PSD_NO ? " psd=n"
				     : "");
	add(out, room, r->is_testing ? " t=y" : "");
	snprintf(text, sizeof(text), " rua=%zu", r->rua_count);
	add(out, room, r->rua_count > 0 ? text : "");
	add(out, room, r->has_ruf ? " ruf" : "");
	add(out, room, r->fo != 0 ? " fo=" : "");
	add(out, room, (r->fo & DMARC_FO_ALL) != 0 ? "0" : "");
	add(out, room, (r->fo & DMARC_FO_ANY) != 0 ? "1" : "");
	add(out, room, (r->fo & DMARC_FO_DKIM) != 0 ? "d" : "");
	add(out, room, (r->fo & DMARC_FO_SPF) != 0 ? "s" : "");
}

static void
test_records(void **state)
{
	size_t failures = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dmarc_record record;
		struct arena arena;
		const char *why;
		char got[200];

		arena_init(&arena);
		describe(dmarc_record_parse(view_of(cases[i].txt), &arena, &record, &why),
		    &record, got, sizeof(got));
		if (strcmp(got, cases[i].expected) != 0) {
			print_error("%s: \"%s\" is\n  %s, not\n  %s\n", cases[i].name,
			    cases[i].txt, got, cases[i].expected);
			failures++;
		}
		arena_finish(&arena);
	}
	assert_int_equal(failures, 0);
}

static void
test_addresses_lose_only_the_size(void **state)
{
	struct dmarc_record record;
	struct arena arena;
	const char *why;

	(void)state;
	arena_init(&arena);
	assert_int_equal(
	    dmarc_record_parse(VIEW("v=DMARC1; p=none; rua= mailto:A@example.com!5 , x:y"),
		&arena, &record, &why),
	    DMARC_RECORD);
	assert_null(why);
	assert_int_equal(record.rua_count, 2);
	assert_string_equal(record.rua[0], "mailto:A@example.com");
	assert_string_equal(record.rua[1], "x:y");
	arena_finish(&arena);
}

static void
test_addresses_have_a_cap(void **state)
{
	struct dmarc_record record;
	struct arena arena;
	const char *why;
	struct buf text;

	(void)state;
	arena_init(&arena);
	buf_init(&text, 8192);
	assert_true(buf_add_str(&text, "v=DMARC1; p=none; rua=mailto:a@example.com"));
	for (unsigned i = 0; i < 100; i++)
		assert_true(buf_add_str(&text, ",mailto:a@example.com"));
	assert_int_equal(
	    dmarc_record_parse(buf_view(&text), &arena, &record, &why), DMARC_RECORD);
	assert_int_equal(record.rua_count, DMARC_URIS_MAX);
	buf_finish(&text);
	arena_finish(&arena);
}

static void
test_odd_records_say_why(void **state)
{
	struct dmarc_record record;
	struct arena arena;
	const char *why;

	(void)state;
	arena_init(&arena);
	assert_int_equal(
	    dmarc_record_parse(VIEW("v=DMARC1; p=x"), &arena, &record, &why), DMARC_MALFORMED);
	assert_string_equal(why, "p, sp or np is malformed, and there is no valid rua");
	assert_int_equal(
	    dmarc_record_parse(VIEW("v=DMARC1; rua=mailto:a@b.example"), &arena, &record, &why),
	    DMARC_RECORD);
	assert_string_equal(why, "has no p: read as p=none");
	arena_finish(&arena);
}

static void
test_a_nul_is_no_end(void **state)
{
	static const char text[] = "v=DMARC1; p=reject\0; sp=none; adkim=s";
	struct dmarc_record record;
	struct arena arena;
	const char *why;

	(void)state;
	arena_init(&arena);
	assert_int_equal(
	    dmarc_record_parse(view_make(text, sizeof(text) - 1), &arena, &record, &why),
	    DMARC_MALFORMED);
	assert_true(record.adkim_strict);
	arena_finish(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_addresses_lose_only_the_size),
		cmocka_unit_test(test_addresses_have_a_cap),
		cmocka_unit_test(test_odd_records_say_why),
		cmocka_unit_test(test_a_nul_is_no_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
