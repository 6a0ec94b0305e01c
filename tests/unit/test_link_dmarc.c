/* SPDX-License-Identifier: MPL-2.0 */
/* The link dmarc: what is done when, what the client hears, what stands in the message. */
#include "filters/filters.h"

#include "lib/net/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/dmarc_results.h"
#include "tests/unit/dmarc_zone.h"
#include "tests/unit/earlier_results.h"

#define ZONE                                                       \
	"reject.example v=DMARC1; p=reject\n"                      \
	"quarantine.example v=DMARC1; p=quarantine\n"              \
	"none.example v=DMARC1; p=none\n"                          \
	"test.example v=DMARC1; p=reject; t=y\n"                   \
	"sub.example v=DMARC1; p=none; sp=reject; np=quarantine\n" \
	"= here.sub.example\n"                                     \
	"broken.example v=DMARC1; p=x\n"                           \
	"down.example ?\n"                                         \
	"gone.example v=DMARC1; p=none\n"

#define FROM(domain) "From: A <a@" domain ">\r\n"

struct dmarc_case {
	const char *name;
	const char *settings;
	const char *header;   /* fields, each with its CRLF */
	const char *results;  /* "spf=pass:DOMAIN dkim=pass:DOMAIN arc=pass:DOMAIN", "ARC=...":
				 whose seal says that DMARC failed */
	int code;	      /* 0: accepted */
	const char *expected; /* the reply's text, or the notes */
	const char *mark;     /* X-Quarantine; NULL: none */
};

static const struct dmarc_case cases[] = {
	/* What the domain asks for */
	{ "a pass is accepted", "", FROM("reject.example"), "spf=pass:reject.example", 0,
	    "dmarc=pass dmarc_from=reject.example dmarc_policy=reject dmarc_done=none", NULL },
	{ "p=reject is refused, and the reply says who asks and why", "",
	    FROM("reject.example"), "spf=pass:other.net", 550,
	    "5.7.1 reject.example asks by DMARC (p=reject) to refuse mail from reject.example "
	    "that neither SPF nor DKIM confirms (SPF: pass for other.net; DKIM: none)",
	    NULL },
	{ "p=quarantine is marked", "", FROM("quarantine.example"), "", 0,
	    "dmarc=fail dmarc_from=quarantine.example dmarc_policy=quarantine "
	    "dmarc_done=quarantine",
	    "dmarc=fail (p=quarantine) header.from=quarantine.example" },
	{ "p=none is accepted", "", FROM("none.example"), "", 0,
	    "dmarc=fail dmarc_from=none.example dmarc_policy=none dmarc_done=none", NULL },
	{ "sp goes for a sub-domain", "", FROM("here.sub.example"), "", 550,
	    "5.7.1 sub.example asks by DMARC (sp=reject) to refuse mail from here.sub.example "
	    "that neither SPF nor DKIM confirms (SPF: none; DKIM: none)",
	    NULL },
	{ "np goes for one that does not exist", "", FROM("gone.sub.example"), "", 0,
	    "dmarc=fail dmarc_from=gone.sub.example dmarc_policy=quarantine "
	    "dmarc_done=quarantine",
	    "dmarc=fail (np=quarantine) header.from=gone.sub.example" },
	{ "t=y: reject is marked", "", FROM("test.example"), "", 0,
	    "dmarc=fail dmarc_from=test.example dmarc_policy=reject dmarc_done=quarantine "
	    "dmarc_override=policy_test_mode",
	    "dmarc=fail (p=reject) header.from=test.example" },
	{ "no record: accepted", "", FROM("unknown.example"), "", 0,
	    "dmarc=none dmarc_from=unknown.example dmarc_done=none", NULL },
	{ "a record without a policy: accepted", "", FROM("broken.example"), "", 0,
	    "dmarc=permerror dmarc_from=broken.example dmarc_done=none", NULL },

	/* What the settings make of it */
	{ "reject = quarantine", "reject = \"quarantine\";", FROM("reject.example"), "", 0,
	    "dmarc=fail dmarc_from=reject.example dmarc_policy=reject dmarc_done=quarantine "
	    "dmarc_override=local_policy",
	    "dmarc=fail (p=reject) header.from=reject.example" },
	{ "reject = accept", "reject = \"accept\";", FROM("reject.example"), "", 0,
	    "dmarc=fail dmarc_from=reject.example dmarc_policy=reject dmarc_done=none "
	    "dmarc_override=local_policy",
	    NULL },
	{ "quarantine = reject", "quarantine = \"reject\";", FROM("quarantine.example"), "",
	    550,
	    "5.7.1 mail from quarantine.example that fails DMARC is not accepted here: neither "
	    "SPF nor DKIM confirms it (SPF: none; DKIM: none)",
	    NULL },
	{ "quarantine = accept", "quarantine = \"accept\";", FROM("quarantine.example"), "", 0,
	    "dmarc=fail dmarc_from=quarantine.example dmarc_policy=quarantine dmarc_done=none "
	    "dmarc_override=local_policy",
	    NULL },
	{ "quarantine = reject leaves p=none alone", "quarantine = \"reject\";",
	    FROM("none.example"), "", 0,
	    "dmarc=fail dmarc_from=none.example dmarc_policy=none dmarc_done=none", NULL },

	/* Overrides */
	{ "an override accepts what the domain wants refused",
	    "overrides = ( { domain = \"Reject.Example\"; action = \"accept\"; } );",
	    FROM("reject.example"), "", 0,
	    "dmarc=fail dmarc_from=reject.example dmarc_policy=reject dmarc_done=none "
	    "dmarc_override=local_policy",
	    NULL },
	{ "an override refuses what the domain lets pass",
	    "overrides = ( { domain = \"none.example\"; action = \"reject\"; } );",
	    FROM("none.example"), "dkim=fail:none.example", 550,
	    "5.7.1 mail from none.example that fails DMARC is not accepted here: neither SPF "
	    "nor DKIM confirms it (SPF: none; DKIM: fail for none.example)",
	    NULL },
	{ "an override does not touch a pass",
	    "overrides = ( { domain = \"none.example\"; action = \"reject\"; } );",
	    FROM("none.example"), "dkim=pass:none.example", 0,
	    "dmarc=pass dmarc_from=none.example dmarc_policy=none dmarc_done=none", NULL },
	{ "an override for a domain is not one for its sub-domains",
	    "overrides = ( { domain = \"sub.example\"; action = \"accept\"; } );",
	    FROM("gone.sub.example"), "", 0,
	    "dmarc=fail dmarc_from=gone.sub.example dmarc_policy=quarantine "
	    "dmarc_done=quarantine",
	    "dmarc=fail (np=quarantine) header.from=gone.sub.example" },
	{ "an override for sub-domains is not one for the domain",
	    "overrides = ( { domain = \".reject.example\"; action = \"accept\"; } );",
	    FROM("reject.example"), "", 550,
	    "5.7.1 reject.example asks by DMARC (p=reject) to refuse mail from reject.example "
	    "that neither SPF nor DKIM confirms (SPF: none; DKIM: none)",
	    NULL },
	{ "the first override that matches decides",
	    "overrides = ( { domain = \"gone.sub.example\"; action = \"accept\"; }, "
	    "{ domain = \".sub.example\"; action = \"reject\"; } );",
	    FROM("gone.sub.example"), "", 0,
	    "dmarc=fail dmarc_from=gone.sub.example dmarc_policy=quarantine dmarc_done=none "
	    "dmarc_override=local_policy",
	    NULL },
	{ "an override's quarantine is done as any other",
	    "quarantine = \"reject\"; "
	    "overrides = ( { domain = \"none.example\"; action = \"quarantine\"; } );",
	    FROM("none.example"), "", 550,
	    "5.7.1 mail from none.example that fails DMARC is not accepted here: neither SPF "
	    "nor DKIM confirms it (SPF: none; DKIM: none)",
	    NULL },

	/* Trust */
	{ "a trusted forwarder's mail is accepted",
	    "trusted_forwarders = [ \"192.0.2.0/24\" ];", FROM("reject.example"), "", 0,
	    "dmarc=fail dmarc_from=reject.example dmarc_policy=reject dmarc_done=none "
	    "dmarc_override=trusted_forwarder",
	    NULL },
	{ "another network is none", "trusted_forwarders = [ \"198.51.100.0/24\" ];",
	    FROM("quarantine.example"), "", 0,
	    "dmarc=fail dmarc_from=quarantine.example dmarc_policy=quarantine "
	    "dmarc_done=quarantine",
	    "dmarc=fail (p=quarantine) header.from=quarantine.example" },
	{ "an override goes before a trusted forwarder",
	    "trusted_forwarders = [ \"192.0.2.1\" ]; "
	    "overrides = ( { domain = \"none.example\"; action = \"reject\"; } );",
	    FROM("none.example"), "", 550,
	    "5.7.1 mail from none.example that fails DMARC is not accepted here: neither SPF "
	    "nor DKIM confirms it (SPF: none; DKIM: none)",
	    NULL },
	{ "trusted sealers that say it passed are believed", "", FROM("reject.example"),
	    "dkim=fail:reject.example arc=pass:lists.example.org", 0,
	    "dmarc=fail dmarc_from=reject.example dmarc_policy=reject dmarc_done=none "
	    "dmarc_override=local_policy",
	    NULL },
	{ "an override goes before them",
	    "overrides = ( { domain = \"reject.example\"; action = \"quarantine\"; } );",
	    FROM("reject.example"), "arc=pass:lists.example.org", 0,
	    "dmarc=fail dmarc_from=reject.example dmarc_policy=reject dmarc_done=quarantine "
	    "dmarc_override=local_policy",
	    "dmarc=fail (p=reject) header.from=reject.example" },
	{ "a broken chain is not believed", "", FROM("quarantine.example"),
	    "arc=fail:lists.example.org", 0,
	    "dmarc=fail dmarc_from=quarantine.example dmarc_policy=quarantine "
	    "dmarc_done=quarantine",
	    "dmarc=fail (p=quarantine) header.from=quarantine.example" },
	{ "trusted sealers that say it failed change nothing", "", FROM("quarantine.example"),
	    "ARC=pass:lists.example.org", 0,
	    "dmarc=fail dmarc_from=quarantine.example dmarc_policy=quarantine "
	    "dmarc_done=quarantine",
	    "dmarc=fail (p=quarantine) header.from=quarantine.example" },
	{ "sealers who are not trusted say nothing", "", FROM("quarantine.example"),
	    "arc=pass:", 0,
	    "dmarc=fail dmarc_from=quarantine.example dmarc_policy=quarantine "
	    "dmarc_done=quarantine",
	    "dmarc=fail (p=quarantine) header.from=quarantine.example" },

	/* DNS */
	{ "no answer about the policy: later", "", FROM("down.example"),
	    "dkim=pass:down.example", 451,
	    "4.7.1 DMARC of down.example cannot be checked right now (_dmarc.down.example: DNS "
	    "gives no answer (SERVFAIL)), please try again later",
	    NULL },
	{ "accepted by option", "on_temperror = \"accept\";", FROM("down.example"), "", 0,
	    "dmarc=temperror dmarc_from=down.example dmarc_done=none", NULL },
	{ "SPF's trouble under p=reject: later", "", FROM("reject.example"),
	    "spf=temperror:reject.example", 451,
	    "4.7.1 DMARC of reject.example cannot be checked right now (SPF: temperror for "
	    "reject.example; DKIM: none), please try again later",
	    NULL },
	{ "SPF's trouble under p=none changes nothing", "", FROM("none.example"),
	    "spf=temperror:none.example", 0,
	    "dmarc=temperror dmarc_from=none.example dmarc_policy=none dmarc_done=none", NULL },
	{ "a trusted forwarder does not wait for DNS",
	    "trusted_forwarders = [ \"192.0.2.1\" ];", FROM("down.example"), "", 0,
	    "dmarc=temperror dmarc_from=down.example dmarc_done=none "
	    "dmarc_override=trusted_forwarder",
	    NULL },
	{ "nor does a domain with an override to accept",
	    "overrides = ( { domain = \"down.example\"; action = \"accept\"; } );",
	    FROM("down.example"), "", 0,
	    "dmarc=temperror dmarc_from=down.example dmarc_done=none", NULL },

	{ "an override that refuses does not refuse what nobody could judge",
	    "overrides = ( { domain = \"none.example\"; action = \"reject\"; } );",
	    FROM("none.example"), "spf=temperror:none.example", 451,
	    "4.7.1 DMARC of none.example cannot be checked right now (SPF: temperror for "
	    "none.example; DKIM: none), please try again later",
	    NULL },

	/* Authors nobody can be sure of */
	{ "no From is refused", "", "To: b@c.example\r\n", "", 554,
	    "5.6.0 this message has no From field: it needs exactly one, with a plain address "
	    "(RFC 5322 3.6.2)",
	    NULL },
	{ "two From fields are refused, though both passed", "",
	    FROM("none.example") FROM("none.example"), "dkim=pass:none.example", 554,
	    "5.6.0 this message has 2 From fields: it needs exactly one, with a plain address "
	    "(RFC 5322 3.6.2)",
	    NULL },
	{ "a From that does not parse is refused", "", "From: a@b@none.example\r\n", "", 554,
	    "5.6.0 this message has a From field that is not a valid address list: it needs "
	    "exactly one, with a plain address (RFC 5322 3.6.2)",
	    NULL },
	{ "a From without an address is refused", "", "From: nobody:;\r\n", "", 554, NULL,
	    NULL },
	{ "an address literal is refused", "", "From: a@[192.0.2.1]\r\n", "", 554,
	    "5.6.0 this message has an address without a domain name in its From field: it "
	    "needs exactly one, with a plain address (RFC 5322 3.6.2)",
	    NULL },
	{ "an address that programs read differently is refused", "",
	    "From: \"a@reject.example\"@none.example\r\n", "", 554, NULL, NULL },
	{ "authors of two domains are refused", "",
	    "From: a@none.example, b@reject.example\r\n", "dkim=pass:none.example", 550,
	    "5.7.1 this message has authors of several domains in its From field: DMARC cannot "
	    "judge it, so it is not accepted here",
	    NULL },
	{ "two authors of one domain are one author domain", "",
	    "From: a@reject.example, B <b@REJECT.example>\r\n", "dkim=pass:reject.example", 0,
	    "dmarc=pass dmarc_from=reject.example dmarc_policy=reject dmarc_done=none", NULL },
	{ "bad_from = accept judges every author", "bad_from = \"accept\";",
	    "From: a@none.example, b@reject.example\r\n", "dkim=pass:none.example", 550,
	    "5.7.1 reject.example asks by DMARC (p=reject) to refuse mail from reject.example "
	    "that neither SPF nor DKIM confirms (SPF: none; DKIM: pass for none.example)",
	    NULL },
	{ "bad_from = accept judges every From field", "bad_from = \"accept\";",
	    FROM("none.example") FROM("quarantine.example"), "dkim=pass:none.example", 0,
	    "dmarc=fail dmarc_from=quarantine.example dmarc_policy=quarantine "
	    "dmarc_done=quarantine",
	    "dmarc=fail (this message has 2 From fields)" },
	{ "a From field that nobody can read is not covered by another one's pass",
	    "bad_from = \"accept\";", FROM("none.example") "From: a@b@reject.example\r\n",
	    "dkim=pass:none.example", 0,
	    "dmarc=permerror dmarc_from=none.example dmarc_policy=none dmarc_done=none", NULL },
	{ "nor is an author without a domain", "bad_from = \"accept\";",
	    "From: a@none.example, b@[192.0.2.1]\r\n", "dkim=pass:none.example", 0,
	    "dmarc=permerror dmarc_from=none.example dmarc_policy=none dmarc_done=none", NULL },
	{ "bad_from = accept lets a message without From pass", "bad_from = \"accept\";",
	    "To: b@c.example\r\n", "", 0, "dmarc=permerror dmarc_done=none", NULL },
	{ "bad_from = quarantine marks it", "bad_from = \"quarantine\";", "To: b@c.example\r\n",
	    "", 0, "dmarc=permerror dmarc_done=quarantine dmarc_override=local_policy",
	    "dmarc=permerror (this message has no From field)" },
	{ "bad_from = quarantine is the least, not the most", "bad_from = \"quarantine\";",
	    "From: a@none.example, b@reject.example\r\n", "", 550, NULL, NULL },
	{ "bad_from = quarantine, quarantine = reject",
	    "bad_from = \"quarantine\"; quarantine = \"reject\";", "To: b@c.example\r\n", "",
	    554, NULL, NULL },
	{ "a trusted forwarder's From must be clear, too",
	    "trusted_forwarders = [ \"192.0.2.1\" ];", "To: b@c.example\r\n", "", 554, NULL,
	    NULL },
	{ "too many authors to judge, let through by option", "bad_from = \"accept\";",
	    "From: a@a.example, a@b.example, a@c.example, a@d.example, a@e.example\r\n", "", 0,
	    "dmarc=permerror dmarc_done=none", NULL },

	/* The field */
	{ "a forged mark goes", "", FROM("none.example") "x-quarantine: no\r\n", "", 0,
	    "dmarc=fail dmarc_from=none.example dmarc_policy=none dmarc_done=none", NULL },
	{ "a forged mark goes, ours comes", "",
	    "X-QUARANTINE : no\r\n" FROM("quarantine.example") "X-Quarantine:\r\n no\r\n", "",
	    0, NULL, "dmarc=fail (p=quarantine) header.from=quarantine.example" },
	{ "a U-label is judged and written as an A-label", "",
	    "From: a@b\xc3\xbc"
	    "cher.reject.example\r\n",
	    "", 550,
	    "5.7.1 reject.example asks by DMARC (p=reject) to refuse mail from "
	    "xn--bcher-kva.reject.example that neither SPF nor DKIM confirms (SPF: none; DKIM: "
	    "none)",
	    NULL },
	{ "a shadow does nothing", "mode = \"shadow\";", FROM("reject.example"), "", 0, "",
	    NULL },
};

struct run {
	struct dns_table *dns;
	struct link_fixture f;
	struct authres results[DMARC_RESULTS_MAX];
	int code;
};

static void
run_open(struct run *run, const char *settings)
{
	memset(run, 0, sizeof(*run));
	run->dns = dmarc_zone(ZONE);
	const struct link_env env = { .hostname = "gate.example.net",
		.dns = dns_table_source(run->dns) };

	earlier_fixture_open(&run->f, &link_dmarc, settings, &env);
	if (run->f.chain == NULL)
		fail_msg("%s: %s", settings, run->f.errors.lines[0]);
	assert_true(address_parse("192.0.2.1:2525", &run->f.facts.client.addr, NULL));
}

static void
run_message(struct run *run, const char *header, const char *results)
{
	const char *text = arena_printf(&run->f.arena, "%s\r\nhi\r\n", header);

	earlier_results = run->results;
	earlier_result_count = dmarc_results_read(results, &run->f.arena, run->results);
	run->code = link_fixture_message(&run->f, text);
}

static void
run_close(struct run *run)
{
	link_fixture_close(&run->f);
	dns_table_destroy(&run->dns);
}

/* outcome_text - what the client hears, or what the log says. */
static const char *
outcome_text(struct run *run)
{
	struct arena *arena = &run->f.arena;

	if (run->code != 0)
		return arena_printf(arena, "%s %s", run->f.reply.enhanced, run->f.reply.text);
	return arena_strdup(arena, chain_run_notes(run->f.run));
}

static bool
mark_holds(struct run *run, const char *mark)
{
	const struct message *m = run->f.message;
	const size_t at = message_find(m, "X-Quarantine", 0);

	if (run->code != 0)
		return true;
	if (mark == NULL)
		return at == SIZE_MAX;
	return at == 0 && message_count_of(m, "X-Quarantine") == 1 &&
	       view_eq(view_trim(message_field(m, at)->body), view_of(mark));
}

static void
test_what_is_done_when(void **state)
{
	size_t failures = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct dmarc_case *c = &cases[i];
		struct run run;
		const char *got;
		bool holds;

		run_open(&run, c->settings);
		run_message(&run, c->header, c->results);
		got = outcome_text(&run);
		holds = run.code == c->code &&
			(c->expected == NULL || strcmp(got, c->expected) == 0) &&
			mark_holds(&run, c->mark);
		if (!holds) {
			print_error("%s: %d %s\n  not %d %s\n", c->name, run.code, got, c->code,
			    c->expected != NULL ? c->expected : "(any)");
			failures++;
		}
		run_close(&run);
	}
	assert_int_equal(failures, 0);
}

/* The result for the links behind this one: the last that the chain has. */
static const struct authres *
published(struct run *run)
{
	size_t count;
	const struct authres *all = chain_run_results(run->f.run, &count);

	assert_true(count > 0);
	return &all[count - 1];
}

static void
test_the_result_is_published(void **state)
{
	const struct authres *r;
	struct run run;

	(void)state;
	run_open(&run, "");
	run_message(&run, FROM("quarantine.example"), "spf=fail:quarantine.example");
	r = published(&run);
	assert_int_equal(r->method, AUTHRES_DMARC);
	assert_int_equal(r->result, AUTHRES_FAIL);
	assert_string_equal(r->domain, "quarantine.example");
	assert_string_equal(r->comment, "p=quarantine dis=quarantine");
	assert_string_equal(r->reason, "SPF: fail for quarantine.example; DKIM: none");
	assert_string_equal(authres_property(r, "header", "from"), "quarantine.example");
	assert_string_equal(authres_property(r, "policy", "dmarc"), "quarantine");
	run_close(&run);

	run_open(&run, "");
	run_message(&run, FROM("sub.example"), "dkim=pass:sub.example");
	r = published(&run);
	assert_int_equal(r->result, AUTHRES_PASS);
	assert_string_equal(r->comment, "p=none sp=reject np=quarantine dis=none");
	assert_null(r->reason);
	assert_null(authres_property(r, "policy", "dmarc"));
	run_close(&run);
}

static void
test_a_refusal_publishes_too(void **state)
{
	struct run run;

	(void)state;
	run_open(&run, "");
	run_message(&run, FROM("reject.example"), "");
	assert_int_equal(run.code, 550);
	assert_int_equal(published(&run)->result, AUTHRES_FAIL);
	assert_string_equal(authres_property(published(&run), "policy", "dmarc"), "reject");
	run_close(&run);
}

static void
test_another_field_by_option(void **state)
{
	struct run run;

	(void)state;
	run_open(&run, "quarantine_field = \"X-Junk\";");
	run_message(
	    &run, FROM("quarantine.example") "X-Quarantine: mine\r\nX-Junk: mine\r\n", "");
	assert_message_is(run.f.message,
	    "X-Junk: dmarc=fail (p=quarantine) header.from=quarantine.example\r\n" FROM(
		"quarantine.example") "X-Quarantine: mine\r\n\r\nhi\r\n");
	run_close(&run);
}

static void
test_bad_from_asks_no_dns(void **state)
{
	struct run run;

	(void)state;
	run_open(&run, "");
	run_message(&run, FROM("reject.example") FROM("none.example"), "");
	assert_int_equal(run.code, 554);
	assert_int_equal(run.dns->query_count, 0);
	run_close(&run);
}

static enum link_answer
fail_message(struct link_call *call)
{
	return link_fail(call, "as the test wants it");
}

/* behind_failed - what dmarc does when the link of that name was passed over. */
static int
behind_failed(const char *name, enum link_mode mode, const char *header)
{
	const struct link failing = {
		.abi = LINK_ABI, .name = name, .kind = LINK_POLICY, .message = fail_message
	};
	struct chain_entry entries[] = {
		{ .link = &failing,
		    .mode = mode,
		    .on_error = ON_ERROR_PASS,
		    .timeout_ms = 1000 },
		{ .link = NULL },
	};
	struct run run;
	int code;

	run_open(&run, "");
	const struct link_env env = { .dns = dns_table_source(run.dns) };
	chain_run_destroy(&run.f.run);
	chain_destroy(&run.f.chain);
	assert_true(link_fixture_entry(&run.f, &link_dmarc, "", &entries[1]));
	run.f.chain = chain_create(entries, 2, &env, &run.f.errors);
	run.f.run = chain_run_create(run.f.chain);
	run_message(&run, header, "");
	code = run.code;
	run_close(&run);
	return code;
}

/* What it would have found could have been a pass. */
static void
test_a_link_that_was_passed_over_makes_no_fail(void **state)
{
	(void)state;
	assert_int_equal(behind_failed("spf", MODE_ENFORCE, FROM("reject.example")), 451);
	assert_int_equal(
	    behind_failed("dkim_verify", MODE_ENFORCE, FROM("reject.example")), 451);
	assert_int_equal(behind_failed("arc", MODE_ENFORCE, FROM("reject.example")), 451);
	assert_int_equal(behind_failed("spf", MODE_ENFORCE, FROM("none.example")), 0);
	assert_int_equal(behind_failed("spf", MODE_ENFORCE, FROM("unknown.example")), 0);
	assert_int_equal(behind_failed("spf", MODE_SHADOW, FROM("reject.example")), 550);
	assert_int_equal(behind_failed("hop_limit", MODE_ENFORCE, FROM("reject.example")), 550);
}

static void
test_bad_settings_are_refused(void **state)
{
	static const struct {
		const char *settings, *error;
	} wrong[] = {
		{ "quarantine_field = \"Subject\";", "must be \"X-\"" },
		{ "quarantine_field = \"X-a: b\";", "must be \"X-\"" },
		{ "quarantine_field = \"X-\";", "must be \"X-\"" },
		{ "trusted_forwarders = [ \"192.0.2.1/24\" ];", "dmarc.trusted_forwarders" },
		{ "overrides = ( { domain = \".\"; action = \"accept\"; } );",
		    "is not a domain name" },
		{ "overrides = ( { domain = \"a.example\"; } );", "action" },
		{ "overrides = ( { action = \"accept\"; } );", "domain" },
		{ "reject = \"refuse\";", "reject" },
		{ "on_temperror = \"reject\";", "on_temperror" },
	};
	struct dns_table *dns = dmarc_zone("");
	const struct link_env env = { .hostname = "gate.example.net",
		.dns = dns_table_source(dns) };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		link_fixture_refuses_env(&link_dmarc, wrong[i].settings, wrong[i].error, &env);
	dns_table_destroy(&dns);
}

static void
test_without_dns_there_is_no_dmarc(void **state)
{
	(void)state;
	link_fixture_refuses(&link_dmarc, "", "needs DNS");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_done_when),
		cmocka_unit_test(test_the_result_is_published),
		cmocka_unit_test(test_a_refusal_publishes_too),
		cmocka_unit_test(test_another_field_by_option),
		cmocka_unit_test(test_bad_from_asks_no_dns),
		cmocka_unit_test(test_a_link_that_was_passed_over_makes_no_fail),
		cmocka_unit_test(test_bad_settings_are_refused),
		cmocka_unit_test(test_without_dns_there_is_no_dmarc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
