/* SPDX-License-Identifier: MPL-2.0 */
/*
 * arc: verifies the chain of ARC seals (RFC 8617) and publishes the result. What DMARC may make
 * of a chain that holds is decided here too, since it depends on whom the operator trusts: see
 * trusted_dmarc. Nothing is ever refused here, and no seal is added.
 */
#include "filters/dmarc_author.h"
#include "filters/filters.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/domain/arc.h"
#include "lib/mail/authres_field.h"
#include "lib/mail/domain_name.h"

#include <stddef.h>

#define SEALERS_MAX 1000

struct arc_settings {
	int64_t max_sets, min_rsa_bits;
	struct conf_strings trusted_sealers;
};

/* What setup makes of the settings. */
struct arc_state {
	const struct dns_source *dns; /* borrowed */
	char (*sealers)[DOMAIN_NAME_MAX];
	size_t sealer_count;
};

#define MEMBER(m) offsetof(struct arc_settings, m)

static const struct conf_row arc_rows[] = {
	{ .key = "trusted_sealers",
	    .type = CONF_STRINGS,
	    .offset = MEMBER(trusted_sealers),
	    .help = "Domains (d= of ARC-Seal, exactly) whose seals count: what the oldest of "
		    "them, in an unbroken row from the newest seal, found of DMARC can outrank "
		    "a DMARC fail here." },
	{ .key = "max_sets",
	    .type = CONF_INT,
	    .offset = MEMBER(max_sets),
	    .fallback = "20",
	    .min = 1,
	    .max = ARC_SETS_MAX,
	    .help = "ARC sets that a message may have; with more the chain counts as broken. "
		    "Each can cost two look-ups." },
	{ .key = "min_rsa_bits",
	    .type = CONF_INT,
	    .offset = MEMBER(min_rsa_bits),
	    .fallback = "1024",
	    .min = 1024,
	    .max = 4096,
	    .help = "The smallest RSA key whose signatures count (RFC 8301)." },
	{ .key = NULL },
};

static const struct conf_table arc_table = {
	.name = "arc",
	.help = "Verifies ARC seals. Place it before dmarc, which may believe trusted sealers, "
		"and before auth_results.",
	.size = sizeof(struct arc_settings),
	.rows = arc_rows,
	.where_offset = SIZE_MAX,
};

/* Setting up. */

static void
arc_teardown(void *p)
{
	struct arc_state *state = p;

	mem_free(state->sealers);
	mem_free(state);
}

static void
add_sealers(struct arc_state *state, const struct conf_strings *sealers,
    struct conf_where where, struct conf_errors *errors)
{
	if (sealers->count > SEALERS_MAX) {
		conf_error(errors, where, "arc.trusted_sealers", "has more than %d domains",
		    SEALERS_MAX);
		return;
	}
	state->sealers = mem_calloc(sealers->count + 1, sizeof(*state->sealers));
	for (size_t i = 0; i < sealers->count; i++) {
		if (domain_to_ascii(view_of(sealers->items[i]), state->sealers[i]))
			state->sealer_count++;
		else
			conf_error(errors, where, "arc.trusted_sealers",
			    "\"%s\" is not a domain name", sealers->items[i]);
	}
}

static bool
arc_setup(const void *settings_, struct conf_where where, const struct link_env *env,
    void **state_out, struct conf_errors *errors)
{
	const struct arc_settings *settings = settings_;
	struct arc_state *state = mem_calloc(1, sizeof(*state));
	const size_t before = errors->count;

	state->dns = env->dns;
	if (env->dns == NULL)
		conf_error(errors, where, "arc", "there is no resolver");
	add_sealers(state, &settings->trusted_sealers, where, errors);
	if (errors->count == before) {
		*state_out = state;
		return true;
	}
	arc_teardown(state);
	return false;
}

/* Whom to believe. */

static bool
is_trusted(const struct arc_state *state, const char *domain)
{
	for (size_t i = 0; i < state->sealer_count; i++) {
		if (strcmp(state->sealers[i], domain) == 0)
			return true;
	}
	return false;
}

/*
 * The set whose word counts: from the newest seal downwards, as far as each sealer is trusted,
 * the last one. Who sealed before that may have lied to it; it said what it saw itself. NULL:
 * the newest sealer is not trusted, so whatever stands below may have been made up by it.
 */
static const struct arc_set *
trusted_set(const struct arc_state *state, const struct arc_outcome *outcome)
{
	const struct arc_set *set = NULL;

	for (size_t i = outcome->set_count; i > 0; i--) {
		if (!is_trusted(state, outcome->sets[i - 1].seal_domain))
			break;
		set = &outcome->sets[i - 1];
	}
	return set;
}

/* The one author domain that dmarc would judge; NULL: there is none. */
static const char *
author_of(struct link_call *call)
{
	struct dmarc_author author;

	dmarc_author_read(link_message(call), link_arena(call), &author);
	return author.problem == NULL ? author.domains[0] : NULL;
}

/* The one DMARC result of a reading; NULL: there is none, or several. */
static const struct authres_read_result *
dmarc_result(const struct authres_reading *reading)
{
	const struct authres_read_result *found = NULL;

	for (size_t i = 0; i < reading->count; i++) {
		if (strcmp(reading->results[i].method, "dmarc") != 0)
			continue;
		if (found != NULL)
			return NULL;
		found = &reading->results[i];
	}
	return found;
}

/*
 * trusted_dmarc - what DMARC was when the message reached the first of the trusted sealers, if
 * that was about the author who stands in From now; NULL otherwise. (The newest message
 * signature covers From, or the chain would not hold.)
 */
static const char *
trusted_dmarc(struct link_call *call, const struct arc_outcome *outcome)
{
	const struct arc_set *set = trusted_set(link_state(call), outcome);
	const char *author = author_of(call);
	struct authres_reading reading;
	char domain[DOMAIN_NAME_MAX];

	if (set == NULL || author == NULL ||
	    !authres_field_read(view_of(set->results), link_arena(call), &reading))
		return NULL;

	const struct authres_read_result *dmarc = dmarc_result(&reading);
	const char *from =
	    dmarc != NULL ? authres_read_property(dmarc, "header", "from") : NULL;
	if (from == NULL || !domain_to_ascii(view_of(from), domain) ||
	    strcmp(domain, author) != 0)
		return NULL;
	return dmarc->result;
}

/* A message. */

static void
add_property(struct authres *r, const char *type, const char *name, const char *value)
{
	r->properties[r->property_count++] = (struct authres_property){ type, name, value };
}

static void
publish(struct link_call *call, const struct arc_outcome *outcome)
{
	struct arena *arena = link_arena(call);
	struct authres r = { .method = AUTHRES_ARC, .result = outcome->result };

	if (outcome->reason[0] != '\0')
		r.reason = outcome->reason;
	if (outcome->result != AUTHRES_NONE)
		add_property(&r, "smtp", "remote-ip", link_facts(call)->client.text);
	if (outcome->result == AUTHRES_PASS) {
		const char *dmarc = trusted_dmarc(call, outcome);

		r.domain = outcome->sets[outcome->set_count - 1].seal_domain;
		r.comment =
		    arena_printf(arena, "i=%zu, sealed by %s", outcome->set_count, r.domain);
		add_property(&r, "header", "oldest-pass",
		    arena_printf(arena, "%u", outcome->oldest_pass));
		if (dmarc != NULL)
			add_property(&r, AUTHRES_INTERNAL, "dmarc", dmarc);
	}
	link_publish(call, &r);
	if (outcome->result != AUTHRES_NONE)
		link_note(call, "arc", "%s", authres_result_name(outcome->result));
}

static enum link_answer
arc_message(struct link_call *call)
{
	const struct arc_settings *settings = link_settings(call);
	const struct arc_state *state = link_state(call);
	struct arc_outcome outcome;
	const struct arc_request request = {
		.message = link_message(call),
		.dns = state->dns,
		.deadline_ms = link_dns_deadline_ms(call),
		.now = clock_real_s(),
		.max_sets = (unsigned)settings->max_sets,
		.min_rsa_bits = (unsigned)settings->min_rsa_bits,
	};

	arc_verify_message(&request, link_arena(call), &outcome);
	publish(call, &outcome);
	return LINK_NEXT;
}

const struct link link_arc = {
	.abi = LINK_ABI,
	.name = "arc",
	.summary = "verifies ARC seals, and says whose word on DMARC counts",
	.kind = LINK_FILTER,
	.settings = &arc_table,
	.setup = arc_setup,
	.teardown = arc_teardown,
	.message = arc_message,
};
