/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For unit tests of DMARC: what earlier links found, in words: "METHOD=RESULT:DOMAIN", with a
 * blank between two. Methods are spf, dkim, helo (SPF of the HELO name, which DMARC does not
 * count), arc (a seal whose sealer saw DMARC pass) and ARC (saw it fail); without a domain the
 * seal says nothing of DMARC. Include behind cmocka.h.
 */
#ifndef GATEPOST_TESTS_DMARC_RESULTS_H
#define GATEPOST_TESTS_DMARC_RESULTS_H

#include "lib/base/arena.h"
#include "lib/mail/authres.h"

#define DMARC_RESULTS_MAX 8

static inline enum authres_result
dmarc_results_word(struct view word)
{
	for (int i = AUTHRES_NONE; i <= AUTHRES_PERMERROR; i++) {
		if (view_eq(word, view_of(authres_result_name((enum authres_result)i))))
			return (enum authres_result)i;
	}
	fail_msg("no result: %.*s", VIEW_ARG(word));
	return AUTHRES_NONE;
}

static inline struct authres
dmarc_results_one(
    struct view method, struct view result, struct view domain, struct arena *arena)
{
	struct authres r = { .result = dmarc_results_word(result),
		.domain = arena_strdup(arena, domain) };

	if (view_eq(method, VIEW("spf")) || view_eq(method, VIEW("helo")))
		r.method = AUTHRES_SPF;
	else if (view_eq(method, VIEW("dkim")))
		r.method = AUTHRES_DKIM;
	else if (view_eq_nocase(method, VIEW("arc")))
		r.method = AUTHRES_ARC;
	else
		fail_msg("no method: %.*s", VIEW_ARG(method));
	r.is_for_dmarc = r.method != AUTHRES_ARC && !view_eq(method, VIEW("helo"));
	if (r.method == AUTHRES_ARC && domain.len > 0)
		r.properties[r.property_count++] = (struct authres_property){ AUTHRES_INTERNAL,
			"dmarc", view_eq(method, VIEW("arc")) ? "pass" : "fail" };
	return r;
}

/* dmarc_results_read - into out[DMARC_RESULTS_MAX]; how many. */
static inline size_t
dmarc_results_read(const char *text, struct arena *arena, struct authres *out)
{
	struct view rest = view_of(text), word;
	size_t count = 0;

	while (text[0] != '\0' && view_split(&rest, ' ', &word)) {
		const size_t equals = view_find(word, '='), colon = view_find(word, ':');

		assert_true(count < DMARC_RESULTS_MAX && equals < colon && colon < word.len);
		out[count++] = dmarc_results_one(view_make(word.p, equals),
		    view_make(word.p + equals + 1, colon - equals - 1),
		    view_from(word, colon + 1), arena);
	}
	return count;
}

#endif
