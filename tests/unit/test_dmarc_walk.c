/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The DNS tree walk: which names are asked, which record applies, what the organizational
 * domain is. Sections are those of draft-ietf-dmarc-dmarcbis-41 (RFC 9989).
 */
#include "lib/domain/dmarc.h"

#include "lib/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/dmarc_zone.h"

#define P_NONE	 "v=DMARC1; p=none\n"
#define P_REJECT "v=DMARC1; p=reject\n"
#define PSD_Y	 "v=DMARC1; p=reject; psd=y\n"
#define PSD_N	 "v=DMARC1; p=reject; psd=n\n"

struct walk_case {
	const char *name;
	const char *domain;
	const char *zone;     /* dmarc_zone.h */
	const char *expected; /* "status policy domain, organizational domain" */
	const char *asked;    /* domains, "_dmarc." left out */
};

#define DEEP "a.b.c.d.e.f.g.h.i.j.k.example.com"

static const struct walk_case cases[] = {
	{ "the author domain's own record applies (4.10.1)", "example.com",
	    "example.com " P_REJECT, "found example.com, example.com", "example.com com" },
	{ "nothing anywhere: DMARC does not apply (4.10.1)", "example.com", "",
	    "nothing, example.com", "example.com com" },
	{ "B.4.1: the shortest name with a record is the organization (4.10.2)",
	    "signing.example.com", "signing.example.com " P_NONE "example.com " P_REJECT,
	    "found signing.example.com, example.com", "signing.example.com example.com com" },
	{ "without a record of its own, the organization's applies (4.10.1)",
	    "a.mail.example.com", "example.com " P_REJECT, "found example.com, example.com",
	    "a.mail.example.com mail.example.com example.com com" },
	{ "a record between the two does not apply (4.10.1)", "a.mail.example.com",
	    "mail.example.com " P_NONE "example.com " P_REJECT,
	    "found example.com, example.com",
	    "a.mail.example.com mail.example.com example.com com" },
	{ "psd=n on the way is the organization, and ends the walk (4.10.2 rule 1)",
	    "a.mail.example.com", "mail.example.com " PSD_N "example.com " P_NONE,
	    "found mail.example.com, mail.example.com", "a.mail.example.com mail.example.com" },
	{ "psd=n at the author domain ends the walk at once (4.10 step 2)", "mail.example.com",
	    "mail.example.com " PSD_N "example.com " P_NONE,
	    "found mail.example.com, mail.example.com", "mail.example.com" },
	{ "only psd=y at the top: the domain below is the organization (4.10.2)",
	    "a.mail.example.com", "com " PSD_Y, "found com, example.com",
	    "a.mail.example.com mail.example.com example.com com" },
	{ "psd=y ends the walk below the top (4.10.2 rule 2)", "mail.example.com",
	    "example.com " PSD_Y "com " P_NONE, "found example.com, mail.example.com",
	    "mail.example.com example.com" },
	{ "psd=y at the author domain itself: it is its own organization (4.10.2 rule 2)",
	    "example.com", "example.com " PSD_Y "com " P_NONE, "found example.com, example.com",
	    "example.com" },
	{ "psd=y below the author domain's own record (4.10.2 rule 2)", "example.com",
	    "example.com " P_NONE "com " PSD_Y, "found example.com, example.com",
	    "example.com com" },
	{ "the organization's record goes before the public suffix's (4.10.1)",
	    "a.mail.example.com", "example.com " P_NONE "com " PSD_Y,
	    "found example.com, example.com",
	    "a.mail.example.com mail.example.com example.com com" },
	{ "a record below the organization does not stand in for it (4.10.1)",
	    "a.mail.example.com", "mail.example.com " P_NONE "com " PSD_Y,
	    "found com, example.com", "a.mail.example.com mail.example.com example.com com" },
	{ "B.4.3: the author domain giant.bank.example (4.10.2 rule 2)", "giant.bank.example",
	    "giant.bank.example " P_REJECT "bank.example " PSD_Y,
	    "found giant.bank.example, giant.bank.example", "giant.bank.example bank.example" },
	{ "B.4.3: mail.giant.bank.example belongs to it (4.10.2 rule 2)",
	    "mail.giant.bank.example", "giant.bank.example " P_REJECT "bank.example " PSD_Y,
	    "found giant.bank.example, giant.bank.example",
	    "mail.giant.bank.example giant.bank.example bank.example" },
	{ "B.4.3: mail.mega.bank.example does not (4.10.2 rule 2)", "mail.mega.bank.example",
	    "giant.bank.example " P_REJECT "bank.example " PSD_Y,
	    "found bank.example, mega.bank.example",
	    "mail.mega.bank.example mega.bank.example bank.example" },
	{ "a top-level record without psd makes the top the organization (11.8)",
	    "mail.example.com", "example.com " P_REJECT "com " P_NONE, "found com, com",
	    "mail.example.com example.com com" },
	{ "psd=u is as if it were not there (4.7)", "mail.example.com",
	    "mail.example.com v=DMARC1; p=none; psd=u\nexample.com " P_REJECT,
	    "found mail.example.com, example.com", "mail.example.com example.com com" },
	{ "a name of one label is asked once (4.10 step 7)", "localdomain", "",
	    "nothing, localdomain", "localdomain" },
	{ "a name of one label may have a record (4.10.1)", "com", "com " P_REJECT,
	    "found com, com", "com" },
	{ "a name of one label may be a public suffix (4.10.2 rule 2)", "com", "com " PSD_Y,
	    "found com, com", "com" },
	{ "seven labels: every name is asked (4.10 step 4)", "a.b.c.d.e.example.com", "",
	    "nothing, a.b.c.d.e.example.com",
	    "a.b.c.d.e.example.com b.c.d.e.example.com c.d.e.example.com d.e.example.com "
	    "e.example.com example.com com" },
	{ "eight labels: eight queries (4.10 step 4)", "a.b.c.d.e.f.example.com", "",
	    "nothing, a.b.c.d.e.f.example.com",
	    "a.b.c.d.e.f.example.com b.c.d.e.f.example.com c.d.e.f.example.com "
	    "d.e.f.example.com e.f.example.com f.example.com example.com com" },
	{ "nine labels: one name is left out (4.10 step 4)", "a.b.c.d.e.f.g.example.com", "",
	    "nothing, a.b.c.d.e.f.g.example.com",
	    "a.b.c.d.e.f.g.example.com c.d.e.f.g.example.com d.e.f.g.example.com "
	    "e.f.g.example.com f.g.example.com g.example.com example.com com" },
	{ "B.4.2: thirteen labels are asked in eight queries (4.10)", DEEP,
	    "example.com " P_REJECT "signing.example.com " P_NONE,
	    "found example.com, example.com",
	    DEEP " g.h.i.j.k.example.com h.i.j.k.example.com i.j.k.example.com "
		 "j.k.example.com k.example.com example.com com" },
	{ "the example of 4.10: the names left out are not asked",
	    "a.b.c.d.e.f.g.h.i.j.mail.example.com", "e.f.g.h.i.j.mail.example.com " P_REJECT,
	    "nothing, a.b.c.d.e.f.g.h.i.j.mail.example.com",
	    "a.b.c.d.e.f.g.h.i.j.mail.example.com g.h.i.j.mail.example.com "
	    "h.i.j.mail.example.com i.j.mail.example.com j.mail.example.com mail.example.com "
	    "example.com com" },
	{ "a deep author domain's own record applies (4.10.1)", DEEP, DEEP " " PSD_N,
	    "found " DEEP ", " DEEP, DEEP },
	{ "psd=y where the walk goes on: one label below, though it was not asked (4.10.2)",
	    DEEP, "g.h.i.j.k.example.com " PSD_Y,
	    "found g.h.i.j.k.example.com, f.g.h.i.j.k.example.com",
	    DEEP " g.h.i.j.k.example.com" },
	{ "several records at a name count as none (4.10 step 2)", "example.com",
	    "example.com " P_REJECT "example.com " P_NONE, "nothing, example.com",
	    "example.com com" },
	{ "several records on the way count as none (4.10 step 6)", "a.example.com",
	    "example.com " PSD_N "example.com " P_NONE "com " PSD_Y, "found com, example.com",
	    "a.example.com example.com com" },
	{ "two equal records are several too (4.10 step 2)", "example.com",
	    "example.com " P_REJECT "example.com " P_REJECT, "nothing, example.com",
	    "example.com com" },
	{ "one without a policy makes several, too (4.10 step 2)", "example.com",
	    "example.com " P_REJECT "example.com v=DMARC1; psd=y\n", "nothing, example.com",
	    "example.com com" },
	{ "other TXT records beside it do not count (4.10 step 2)", "example.com",
	    "example.com v=spf1 -all\nexample.com " P_REJECT "example.com hello\n",
	    "found example.com, example.com", "example.com com" },
	{ "another version does not count (4.10 step 2)", "a.example.com",
	    "a.example.com v=DMARC2; p=none\nexample.com " P_REJECT,
	    "found example.com, example.com", "a.example.com example.com com" },
	{ "a record without a policy ends the search all the same (4.10.1)", "a.example.com",
	    "a.example.com v=DMARC1; p=bad\nexample.com " P_REJECT,
	    "malformed a.example.com, example.com", "a.example.com example.com com" },
	{ "a record without a policy can be the organization's (4.10.2)", "a.example.com",
	    "example.com v=DMARC1; p=bad\n", "malformed example.com, example.com",
	    "a.example.com example.com com" },
	{ "a record without a policy may say psd=n (4.10)", "a.example.com",
	    "a.example.com v=DMARC1; psd=n\n", "malformed a.example.com, a.example.com",
	    "a.example.com" },
	{ "no answer at the author domain: nobody knows (4.10.1)", "a.example.com",
	    "a.example.com ?\nexample.com " P_REJECT, "tempfail", "a.example.com" },
	{ "no answer on the way: nobody knows (4.10.1)", "a.b.example.com",
	    "b.example.com ?\nexample.com " P_REJECT, "tempfail",
	    "a.b.example.com b.example.com" },
	{ "no answer behind the author domain's record: its policy is known (4.10.1)",
	    "example.com", "example.com " P_REJECT "com ?\n", "found example.com",
	    "example.com com" },
	{ "no answer for a name that psd=n makes needless is never noticed (4.10)",
	    "a.example.com", "a.example.com " PSD_N "example.com ?\n",
	    "found a.example.com, a.example.com", "a.example.com" },
	{ "A-labels are names like any other (5.3.1)", "xn--bcher-kva.example",
	    "xn--bcher-kva.example " P_REJECT,
	    "found xn--bcher-kva.example, xn--bcher-kva.example",
	    "xn--bcher-kva.example example" },
};

static void
describe(const struct dmarc_policy_found *found, char *out, size_t room)
{
	static const char *const names[] = {
		[DMARC_FOUND] = "found",
		[DMARC_FOUND_NOTHING] = "nothing",
		[DMARC_FOUND_MALFORMED] = "malformed",
		[DMARC_FOUND_TEMPFAIL] = "tempfail",
	};

	snprintf(out, room, "%s%s%s%s%s", names[found->status],
	    found->policy_domain[0] != '\0' ? " " : "", found->policy_domain,
	    found->organizational_domain[0] != '\0' ? ", " : "", found->organizational_domain);
}

static void
describe_queries(const struct dns_table *dns, struct buf *out)
{
	for (size_t i = 0; i < dns->query_count; i++) {
		const struct view name = view_of(dns->log[i].name);

		assert_int_equal(dns->log[i].type, DNS_TXT);
		assert_true(view_starts(name, VIEW("_dmarc.")));
		assert_true(
		    buf_printf(out, "%s%.*s", i > 0 ? " " : "", VIEW_ARG(view_from(name, 7))));
	}
}

static bool
case_holds(const struct walk_case *c)
{
	struct dns_table *dns = dmarc_zone(c->zone);
	struct dmarc_policy_found found;
	char got[600];
	struct arena arena;
	struct buf asked;
	bool holds;

	arena_init(&arena);
	buf_init(&asked, 4096);
	dmarc_discover(dns_table_source(dns), c->domain, 1000, &arena, &found);
	describe(&found, got, sizeof(got));
	describe_queries(dns, &asked);
	assert_int_equal(found.queries, dns->query_count);
	assert_true(found.queries <= DMARC_WALK_MAX);
	holds = strcmp(got, c->expected) == 0 && view_eq(buf_view(&asked), view_of(c->asked));
	if (!holds)
		print_error("%s:\n  %s (asked: %.*s)\n  not %s (asked: %s)\n", c->name, got,
		    VIEW_ARG(buf_view(&asked)), c->expected, c->asked);
	buf_finish(&asked);
	arena_finish(&arena);
	dns_table_destroy(&dns);
	return holds;
}

static void
test_walks(void **state)
{
	size_t failures = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		failures += !case_holds(&cases[i]);
	assert_int_equal(failures, 0);
}

/* The organizational domain alone, as for a report's address: the same walk. */
static void
test_organizational_domains(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dns_table *dns = dmarc_zone(cases[i].zone);
		const char *comma = strchr(cases[i].expected, ',');
		struct arena arena;
		const char *got;

		arena_init(&arena);
		got = dmarc_organizational_domain(
		    dns_table_source(dns), cases[i].domain, 1000, &arena);
		if (comma == NULL)
			assert_null(got);
		else
			assert_string_equal(got, comma + 2);
		arena_finish(&arena);
		dns_table_destroy(&dns);
	}
}

static void
test_names_that_cannot_be_asked(void **state)
{
	static const char long_label[] =
	    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggg.com";
	struct dns_table *dns = dmarc_zone("com " PSD_Y);
	struct dmarc_policy_found found;
	struct arena arena;

	(void)state;
	arena_init(&arena);
	dmarc_discover(dns_table_source(dns), "", 1000, &arena, &found);
	assert_int_equal(found.status, DMARC_FOUND_NOTHING);
	assert_int_equal(dns->query_count, 0);
	dmarc_discover(dns_table_source(dns), long_label, 1000, &arena, &found);
	assert_int_equal(found.status, DMARC_FOUND);
	assert_int_equal(dns->query_count, 1);
	assert_int_equal(found.queries, 1);
	arena_finish(&arena);
	dns_table_destroy(&dns);
}

static void
test_what_was_odd_is_said(void **state)
{
	struct dns_table *dns = dmarc_zone("a.example.com " P_NONE "a.example.com " P_NONE
					   "example.com v=DMARC1; p=x\ncom ?\n");
	struct dmarc_policy_found found;
	struct arena arena;

	(void)state;
	arena_init(&arena);
	dmarc_discover(dns_table_source(dns), "a.example.com", 1000, &arena, &found);
	assert_string_equal(found.why,
	    "_dmarc.a.example.com: there are several records, so none counts; "
	    "_dmarc.example.com: p, sp or np is malformed, and there is no valid rua; "
	    "_dmarc.com: DNS gives");
	arena_finish(&arena);
	dns_table_destroy(&dns);
}

static void
test_existence_is_asked_for_np_only(void **state)
{
	struct dns_table *dns =
	    dmarc_zone("example.com v=DMARC1; p=none; np=reject\n= here.example.com\n");
	struct dmarc_policy_found found;
	struct arena arena;

	(void)state;
	arena_init(&arena);
	dmarc_discover(dns_table_source(dns), "example.com", 1000, &arena, &found);
	assert_true(found.is_from_existent);
	assert_int_equal(dns_table_asked(dns, "example.com", DNS_A), 0);
	dmarc_discover(dns_table_source(dns), "here.example.com", 1000, &arena, &found);
	assert_true(found.is_from_existent);
	assert_int_equal(dns_table_asked(dns, "here.example.com", DNS_A), 1);
	dmarc_discover(dns_table_source(dns), "nowhere.example.com", 1000, &arena, &found);
	assert_false(found.is_from_existent);
	assert_int_equal(dns_table_asked(dns, "nowhere.example.com", DNS_A), 1);
	dns_table_add(dns, "_dmarc.known.example.com", DNS_TXT, "no record");
	dmarc_discover(dns_table_source(dns), "known.example.com", 1000, &arena, &found);
	assert_true(found.is_from_existent); /* what has a name below it exists */
	assert_int_equal(dns_table_asked(dns, "known.example.com", DNS_A), 0);
	arena_finish(&arena);
	dns_table_destroy(&dns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walks),
		cmocka_unit_test(test_organizational_domains),
		cmocka_unit_test(test_names_that_cannot_be_asked),
		cmocka_unit_test(test_what_was_odd_is_said),
		cmocka_unit_test(test_existence_is_asked_for_np_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
