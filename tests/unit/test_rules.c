/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The protocol law as a golden file: every verb in every state under every set of facts, and
 * what follows every event. A difference is a change of law: review it, then run with
 * GATEPOST_GOLDEN_WRITE=1 to accept it.
 */
#include "proxy/session/rules.h"

#include "lib/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define GOLDEN "tests/golden/protocol-law.txt"

static const struct {
	const char *name;
	struct rule_facts facts;
} settings[] = {
	{ "submission, STARTTLS offered, in clear",
	    { .role = ROLE_SUBMISSION, .tls_offered = true, .is_esmtp = true } },
	{ "submission, TLS, not authenticated", { .role = ROLE_SUBMISSION,
						    .tls_on = true,
						    .tls_offered = true,
						    .auth_offered = true,
						    .is_esmtp = true } },
	{ "submission, TLS, not authenticated, greeted with HELO", { .role = ROLE_SUBMISSION,
								       .tls_on = true,
								       .tls_offered = true,
								       .auth_offered = true } },
	{ "submission, TLS, authenticated", { .role = ROLE_SUBMISSION,
						.tls_on = true,
						.tls_offered = true,
						.auth_offered = true,
						.authenticated = true,
						.is_esmtp = true } },
	{ "submission, no TLS to be had", { .role = ROLE_SUBMISSION, .is_esmtp = true } },
	{ "inbound, STARTTLS offered, in clear",
	    { .role = ROLE_INBOUND, .tls_offered = true, .is_esmtp = true } },
	{ "inbound, TLS",
	    { .role = ROLE_INBOUND, .tls_on = true, .tls_offered = true, .is_esmtp = true } },
	{ "inbound, from a network that may say XCLIENT",
	    { .role = ROLE_INBOUND, .xclient_allowed = true, .is_esmtp = true } },
	{ "inbound, no TLS to be had", { .role = ROLE_INBOUND, .is_esmtp = true } },
};

static void
print_matrix(struct buf *out, const struct rule_facts *facts)
{
	bool ok = buf_printf(out, "%-10s", "");

	for (enum state state = 0; state < STATE_COUNT; state++)
		ok = ok && buf_printf(out, "%-9s", rules_state_name(state));
	ok = ok && buf_add_str(out, "\n");
	for (enum smtp_verb verb = 0; verb <= VERB_UNKNOWN; verb++) {
		ok = ok && buf_printf(out, "%-10s", smtp_verb_name(verb));
		for (enum state state = 0; state < STATE_COUNT; state++)
			ok = ok && buf_printf(out, "%-9s",
				       rules_verdict_name(rules_check(verb,
					   verb != VERB_DATA && verb != VERB_STARTTLS &&
					       verb != VERB_RSET && verb != VERB_QUIT,
					   state, facts)));
		ok = ok && buf_add_str(out, "\n");
	}
	assert_true(ok);
}

static void
print_law(struct buf *out)
{
	bool ok = true;

	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		ok = ok && buf_printf(out, "== %s\n", settings[i].name);
		print_matrix(out, &settings[i].facts);
		ok = ok && buf_add_str(out, "\n");
	}
	ok = ok && buf_printf(out, "== what follows an event\n%-10s", "");
	for (enum state state = 0; state < STATE_COUNT; state++)
		ok = ok && buf_printf(out, "%-9s", rules_state_name(state));
	for (enum event_kind event = 0; event < EVENT_COUNT; event++) {
		ok = ok && buf_printf(out, "\n%-10s", rules_event_name(event));
		for (enum state state = 0; state < STATE_COUNT; state++)
			ok = ok && buf_printf(
				       out, "%-9s", rules_state_name(rules_next(state, event)));
	}
	assert_true(ok && buf_add_str(out, "\n"));
}

static void
the_law_is_the_reviewed_one(void **unused)
{
	struct buf law;
	char *golden = calloc(1, 65536);
	FILE *f;

	(void)unused;
	buf_init(&law, 65536);
	print_law(&law);
	if (getenv("GATEPOST_GOLDEN_WRITE") != NULL) {
		f = fopen(GOLDEN, "w");
		assert_non_null(f);
		assert_int_equal(fwrite(law.p, 1, law.len, f), law.len);
		(void)fclose(f);
	}
	f = fopen(GOLDEN, "r");
	assert_non_null(golden);
	assert_non_null(f);
	size_t len = fread(golden, 1, 65535, f);
	(void)fclose(f);
	assert_true(buf_add_char(&law, '\0'));
	assert_string_equal(law.p, golden);
	assert_int_equal(len + 1, law.len);
	free(golden);
	buf_finish(&law);
}

static void
arguments_are_asked_for_and_refused(void **unused)
{
	const struct rule_facts facts = { .role = ROLE_INBOUND, .is_esmtp = true };

	(void)unused;
	assert_int_equal(rules_check(VERB_EHLO, false, STATE_START, &facts), RULE_ARGUMENT);
	assert_int_equal(rules_check(VERB_MAIL, false, STATE_READY, &facts), RULE_ARGUMENT);
	assert_int_equal(rules_check(VERB_DATA, true, STATE_RCPT, &facts), RULE_NO_ARGUMENT);
	assert_int_equal(rules_check(VERB_QUIT, true, STATE_START, &facts), RULE_NO_ARGUMENT);
	assert_int_equal(rules_check(VERB_NOOP, true, STATE_START, &facts), RULE_GO);
	assert_int_equal(rules_check(VERB_NOOP, false, STATE_START, &facts), RULE_GO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_law_is_the_reviewed_one),
		cmocka_unit_test(arguments_are_asked_for_and_refused),
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
