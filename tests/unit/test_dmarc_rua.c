/* SPDX-License-Identifier: MPL-2.0 */
/* Destinations of aggregate reports: URIs, and whether others want them (RFC 9990 4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/domain/dmarc_rua.h"
#include "tests/unit/dns_table.h"

/* ---- URIs ---- */

static const struct uri_case {
	const char *name, *uri, *address; /* NULL: none */
} uri_cases[] = {
	{ "an address", "mailto:d@example.com", "d@example.com" },
	{ "the scheme in any case, blanks around", "  MAILTO:d@example.com\t",
	    "d@example.com" },
	{ "the domain in lower case, the local part as it is", "mailto:D.x@Example.COM",
	    "D.x@example.com" },
	{ "an obsolete size is ignored", "mailto:d@example.com!10m", "d@example.com" },
	{ "a size without a unit", "mailto:d@example.com!1000", "d@example.com" },
	{ "an exclamation mark that is no size", "mailto:d!x@example.com", "d!x@example.com" },
	{ "escaped octets", "mailto:d%2Bx%21@example.com", "d+x!@example.com" },
	{ "header fields are dropped", "mailto:d@example.com?subject=x&cc=e@f.example",
	    "d@example.com" },
	{ "another scheme", "https://example.com/reports", NULL },
	{ "nothing at all", "", NULL },
	{ "no address", "mailto:", NULL },
	{ "no local part", "mailto:@example.com", NULL },
	{ "no domain", "mailto:postmaster", NULL },
	{ "a literal", "mailto:d@[192.0.2.1]", NULL },
	{ "two addresses", "mailto:d@example.com%2Ce@example.com", NULL },
	{ "a line end", "mailto:d%0D%0ARCPT%20TO:<x>@example.com", NULL },
	{ "a bracket", "mailto:d@example.com%3E", NULL },
	{ "a NUL", "mailto:d%00@example.com", NULL },
	{ "half an escape", "mailto:d@example.com%4", NULL },
	{ "not hexadecimal", "mailto:d%zz@example.com", NULL },
	{ "a quoted local part", "mailto:%22d%22@example.com", NULL },
	{ "octets over 127", "mailto:d\xc3\xa4@example.com", NULL },
};

static void
test_uris(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(uri_cases); i++) {
		const struct uri_case *c = &uri_cases[i];
		struct arena arena;
		const char *why = NULL;

		arena_init(&arena);
		const char *address = dmarc_rua_address(view_of(c->uri), &arena, &why);
		if ((address == NULL) != (c->address == NULL) ||
		    (address != NULL && strcmp(address, c->address) != 0))
			fail_msg("%s: %s", c->name, address != NULL ? address : why);
		if ((address == NULL) != (why != NULL))
			fail_msg("%s: a reason and an address, or neither", c->name);
		arena_finish(&arena);
	}
}

static void
test_long_uri(void **state)
{
	char uri[2000] = "mailto:";
	struct arena arena;
	const char *why;

	(void)state;
	arena_init(&arena);
	memset(uri + 7, 'x', sizeof(uri) - 8);
	uri[sizeof(uri) - 1] = '\0';
	assert_null(dmarc_rua_address(view_of(uri), &arena, &why));
	arena_finish(&arena);
}

/* ---- verification ---- */

#define ROWS_MAX 8

static const struct verify_case {
	const char *name;
	struct dns_row rows[ROWS_MAX]; /* beside those of `organizations` */
	enum dmarc_rua_status status;
	const char *found; /* "good a@b; later c@d;..." */
} verify_cases[] = {
	{ "the domain's own address needs nobody's consent",
	    { { "_dmarc.example.com", DNS_TXT, "v=DMARC1; p=none; rua=mailto:d@example.com" } },
	    DMARC_RUA_FOUND, "good d@example.com;" },
	{ "nor does one of the same organisation",
	    { { "_dmarc.example.com", DNS_TXT,
		"v=DMARC1; p=none; rua=mailto:d@reports.example.com" } },
	    DMARC_RUA_FOUND, "good d@reports.example.com;" },
	{ "another's address is not used without consent",
	    { { "_dmarc.example.com", DNS_TXT, "v=DMARC1; p=none; rua=mailto:d@other.net" } },
	    DMARC_RUA_FOUND, "unverified d@other.net;" },
	{ "it is with consent",
	    { { "_dmarc.example.com", DNS_TXT, "v=DMARC1; p=none; rua=mailto:d@other.net" },
		{ "example.com._report._dmarc.other.net", DNS_TXT, "v=DMARC1" } },
	    DMARC_RUA_FOUND, "good d@other.net;" },
	{ "a final semicolon and other records do not matter",
	    { { "_dmarc.example.com", DNS_TXT, "v=DMARC1; p=none; rua=mailto:d@other.net" },
		{ "example.com._report._dmarc.other.net", DNS_TXT, "hello" },
		{ "example.com._report._dmarc.other.net", DNS_TXT, "v=DMARC1;" } },
	    DMARC_RUA_FOUND, "good d@other.net;" },
	{ "a record that is not of this version is no consent",
	    { { "_dmarc.example.com", DNS_TXT, "v=DMARC1; p=none; rua=mailto:d@other.net" },
		{ "example.com._report._dmarc.other.net", DNS_TXT, "v=DMARC2" } },
	    DMARC_RUA_FOUND, "unverified d@other.net;" },
	{ "the version must come first",
	    { { "_dmarc.example.com", DNS_TXT, "v=DMARC1; p=none; rua=mailto:d@other.net" },
		{ "example.com._report._dmarc.other.net", DNS_TXT,
		    "rua=mailto:e@other.net; v=DMARC1" } },
	    DMARC_RUA_FOUND, "unverified d@other.net;" },
	{ "consent for one domain is none for another",
	    { { "_dmarc.example.com", DNS_TXT, "v=DMARC1; p=none; rua=mailto:d@other.net" },
		{ "example.org._report._dmarc.other.net", DNS_TXT, "v=DMARC1" } },
	    DMARC_RUA_FOUND, "unverified d@other.net;" },
	{ "the other may name another address of the same host",
	    { { "_dmarc.example.com", DNS_TXT, "v=DMARC1; p=none; rua=mailto:d@other.net" },
		{ "example.com._report._dmarc.other.net", DNS_TXT,
		    "v=DMARC1; rua=mailto:e@other.net, mailto:f@OTHER.net!5m" } },
	    DMARC_RUA_FOUND, "good e@other.net;good f@other.net;" },
	{ "but not of another host: then nobody gets any",
	    { { "_dmarc.example.com", DNS_TXT, "v=DMARC1; p=none; rua=mailto:d@other.net" },
		{ "example.com._report._dmarc.other.net", DNS_TXT,
		    "v=DMARC1; rua=mailto:e@other.net,mailto:victim@third.org" } },
	    DMARC_RUA_FOUND, "unverified d@other.net;" },
	{ "no answer about consent: later",
	    { { "_dmarc.example.com", DNS_TXT, "v=DMARC1; p=none; rua=mailto:d@other.net" },
		{ "example.com._report._dmarc.other.net", DNS_TXT, DNS_ROW_TEMPFAIL } },
	    DMARC_RUA_FOUND, "later d@other.net;" },
	{ "no answer about whose domain it is: later",
	    { { "_dmarc.example.com", DNS_TXT, "v=DMARC1; p=none; rua=mailto:d@other.net" },
		{ "_dmarc.other.net", DNS_TXT, DNS_ROW_TEMPFAIL } },
	    DMARC_RUA_FOUND, "later d@other.net;" },
	{ "each is judged by itself, none comes twice",
	    { { "_dmarc.example.com", DNS_TXT,
		  "v=DMARC1; p=none; rua=mailto:d@example.com,https://example.com/,"
		  "mailto:D@other.net,mailto:d@EXAMPLE.com!1m,mailto:e@third.org" },
		{ "example.com._report._dmarc.third.org", DNS_TXT, "v=DMARC1" } },
	    DMARC_RUA_FOUND,
	    "good d@example.com;bad https://example.com/;unverified D@other.net;"
	    "good e@third.org;" },
	{ "a domain that asks for nothing",
	    { { "_dmarc.example.com", DNS_TXT, "v=DMARC1; p=none" } }, DMARC_RUA_NONE, "" },
	{ "a record that is gone", { { .name = NULL } }, DMARC_RUA_NONE, "" },
	{ "two records are none",
	    { { "_dmarc.example.com", DNS_TXT, "v=DMARC1; p=none; rua=mailto:d@example.com" },
		{ "_dmarc.example.com", DNS_TXT, "v=DMARC1; p=none; rua=mailto:e@x.com" } },
	    DMARC_RUA_NONE, "" },
	{ "no answer about the record: later",
	    { { "_dmarc.example.com", DNS_TXT, DNS_ROW_TEMPFAIL } }, DMARC_RUA_LATER, "" },
};

static void
print_found(const struct dmarc_rua *rua, struct buf *out)
{
	static const char *const names[] = { "good", "bad", "unverified", "later" };

	for (size_t i = 0; i < rua->count; i++) {
		const struct dmarc_destination *d = &rua->destinations[i];

		assert_true(buf_printf(out, "%s %s;", names[d->status], d->address));
		assert_true((d->why[0] == '\0') == (d->status == DMARC_DESTINATION_GOOD));
	}
	assert_true(buf_add_char(out, '\0'));
}

static void
test_verification(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(verify_cases); i++) {
		const struct verify_case *c = &verify_cases[i];
		struct dns_table *dns = dns_table_create(c->rows);
		struct dmarc_rua rua;
		struct arena arena;
		struct buf found;

		/* Organizational domains by records of their own (RFC 9989 4.10). */
		dns_table_add(dns, "_dmarc.third.org", DNS_TXT, "v=DMARC1; p=none; psd=n");
		if (strstr(c->name, "whose domain") == NULL)
			dns_table_add(
			    dns, "_dmarc.other.net", DNS_TXT, "v=DMARC1; p=none; psd=n");
		arena_init(&arena);
		buf_init(&found, 4096);
		dmarc_rua_find(dns_table_source(dns), "example.com", CLOCK_NEVER, &arena, &rua);
		print_found(&rua, &found);
		if (rua.status != c->status || strcmp(found.p, c->found) != 0)
			fail_msg("%s: status %d, %s", c->name, (int)rua.status, found.p);
		assert_true((rua.why[0] == '\0') == (rua.status == DMARC_RUA_FOUND));
		buf_finish(&found);
		arena_finish(&arena);
		dns_table_destroy(&dns);
	}
}

static void
test_long_name(void **state)
{
	static const char domain[] =
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
	    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb."
	    "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc."
	    "ddddddddddddddddddddddddddddddddddddddddd.com";
	struct dns_table *dns = dns_table_create(NULL);
	struct dmarc_rua rua;
	struct arena arena;

	(void)state;
	arena_init(&arena);
	dns_table_add(dns, arena_printf(&arena, "_dmarc.%s", domain), DNS_TXT,
	    "v=DMARC1; p=none; rua=mailto:d@other.net");
	dmarc_rua_find(dns_table_source(dns), domain, CLOCK_NEVER, &arena, &rua);
	assert_int_equal(rua.count, 1);
	assert_int_equal(rua.destinations[0].status, DMARC_DESTINATION_UNVERIFIED);
	assert_non_null(strstr(rua.destinations[0].why, "too long"));
	arena_finish(&arena);
	dns_table_destroy(&dns);
}

static void
test_many_overrides(void **state)
{
	struct dns_table *dns = dns_table_create(NULL);
	struct dmarc_rua rua;
	struct arena arena;
	struct buf list;

	(void)state;
	arena_init(&arena);
	buf_init(&list, 8192);
	assert_true(buf_add_str(&list, "v=DMARC1; rua="));
	for (int i = 0; i < 100; i++)
		assert_true(buf_printf(&list, "%smailto:r%d@other.net", i > 0 ? "," : "", i));
	dns_table_add(dns, "_dmarc.example.com", DNS_TXT,
	    "v=DMARC1; p=none; rua=mailto:d@example.com,mailto:d@other.net");
	dns_table_add(dns, "example.com._report._dmarc.other.net", DNS_TXT,
	    arena_strdup(&arena, buf_view(&list)));
	dmarc_rua_find(dns_table_source(dns), "example.com", CLOCK_NEVER, &arena, &rua);
	assert_int_equal(rua.count, DMARC_DESTINATIONS_MAX);
	buf_finish(&list);
	arena_finish(&arena);
	dns_table_destroy(&dns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uris),
		cmocka_unit_test(test_long_uri),
		cmocka_unit_test(test_verification),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_many_overrides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
