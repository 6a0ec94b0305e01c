/* SPDX-License-Identifier: MPL-2.0 */
/*
 * spf: may this client send mail for this domain (RFC 7208)? Judges MAIL FROM, and the HELO
 * name beside it, when MAIL comes. What it finds out is published for DMARC and
 * Authentication-Results; it refuses only what the operator lists. Trouble with DNS is a result
 * (temperror) like any other, found before the chain's time limit.
 */
#include "filters/filters.h"

#include "filters/spf_received.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/domain/spf.h"
#include "lib/net/address.h"

#include <stddef.h>

struct spf_settings {
	struct conf_strings reject, reject_helo, skip;
	bool helo, received_spf;
};

struct spf_state {
	const struct dns_source *dns;
	unsigned reject, reject_helo; /* bits 1 << enum authres_result */
	struct network *skip;	      /* owned */
	size_t skip_count;
};

/* Until the message stage. */
struct spf_memory {
	struct spf_verdict helo, mail_from;
};

#define MEMBER(m) offsetof(struct spf_settings, m)

static const struct conf_row spf_rows[] = {
	{ .key = "reject",
	    .type = CONF_STRINGS,
	    .offset = MEMBER(reject),
	    .help = "Results of MAIL FROM that are refused: any of \"fail\", \"softfail\" (550 "
		    "5.7.23), \"permerror\" (550 5.7.24), \"temperror\" (451 4.7.24). Without "
		    "any, DMARC decides." },
	{ .key = "helo",
	    .type = CONF_BOOL,
	    .offset = MEMBER(helo),
	    .fallback = "true",
	    .help = "Judge the HELO name too." },
	{ .key = "reject_helo",
	    .type = CONF_STRINGS,
	    .offset = MEMBER(reject_helo),
	    .help = "Results of the HELO name that are refused, as in reject." },
	{ .key = "received_spf",
	    .type = CONF_BOOL,
	    .offset = MEMBER(received_spf),
	    .fallback = "false",
	    .help = "Add a Received-SPF field for each identity that was judged." },
	{ .key = "skip",
	    .type = CONF_STRINGS,
	    .offset = MEMBER(skip),
	    .help = "Networks whose clients are not judged, because they forward for us: the "
		    "result is none." },
	{ .key = NULL },
};

static const struct conf_table spf_table = {
	.name = "spf",
	.help =
	    "Judges by SPF whether the client may send for the domain of MAIL FROM, and for "
	    "its HELO name.",
	.size = sizeof(struct spf_settings),
	.rows = spf_rows,
	.where_offset = SIZE_MAX,
};

/* Setting up. */

static unsigned
parse_results(const struct conf_strings *names, const char *key, struct conf_where where,
    struct conf_errors *errors)
{
	static const enum authres_result known[] = { AUTHRES_FAIL, AUTHRES_SOFTFAIL,
		AUTHRES_PERMERROR, AUTHRES_TEMPERROR };
	unsigned bits = 0;

	for (size_t i = 0; i < names->count; i++) {
		unsigned bit = 0;

		for (size_t k = 0; k < ARRAY_LEN(known); k++) {
			if (strcmp(names->items[i], authres_result_name(known[k])) == 0)
				bit = 1U << known[k];
		}
		if (bit == 0)
			conf_error(errors, where, key,
			    "\"%s\" is none of fail, softfail, permerror, temperror",
			    names->items[i]);
		bits |= bit;
	}
	return bits;
}

static void
parse_skip(struct spf_state *state, const struct conf_strings *networks,
    struct conf_where where, struct conf_errors *errors)
{
	state->skip = mem_calloc(networks->count + 1, sizeof(*state->skip));
	for (size_t i = 0; i < networks->count; i++) {
		struct err err = { 0 };

		if (network_parse(networks->items[i], &state->skip[state->skip_count], &err))
			state->skip_count++;
		else
			conf_error(errors, where, "spf.skip", "%s", err.text);
	}
}

static void
spf_teardown(void *p)
{
	struct spf_state *state = p;

	if (state == NULL)
		return;
	mem_free(state->skip);
	mem_free(state);
}

static bool
spf_setup(const void *p, struct conf_where where, const struct link_env *env, void **state_out,
    struct conf_errors *errors)
{
	const struct spf_settings *settings = p;
	const size_t before = errors->count;
	struct spf_state *state = mem_calloc(1, sizeof(*state));

	state->dns = env->dns;
	state->reject = parse_results(&settings->reject, "spf.reject", where, errors);
	state->reject_helo =
	    parse_results(&settings->reject_helo, "spf.reject_helo", where, errors);
	parse_skip(state, &settings->skip, where, errors);
	if (state->dns == NULL)
		conf_error(errors, where, "spf", "there is no resolver to ask");
	if (state->reject_helo != 0 && !settings->helo)
		conf_error(errors, where, "spf.reject_helo", "needs helo = true");
	if (errors->count != before) {
		spf_teardown(state);
		return false;
	}
	*state_out = state;
	return true;
}

/* Judging. */

/* MAIL FROM:<> stands for postmaster at the HELO name (RFC 7208 2.4). */
static bool
is_of_helo(const struct facts *facts, enum spf_identity identity)
{
	return identity == SPF_HELO || facts->mail.path.is_null;
}

static const char *
comment_of(const struct spf_outcome *outcome, const struct facts *facts, struct arena *arena)
{
	if (outcome->mechanism[0] != '\0')
		return arena_printf(arena, "%s: %s", facts->client.text, outcome->mechanism);
	if (outcome->result != AUTHRES_NONE)
		return NULL;
	return outcome->domain[0] != '\0' ? "no record" : "no domain to ask about";
}

static void
publish(struct link_call *call, enum spf_identity identity, const struct spf_outcome *outcome,
    const char *comment)
{
	const struct facts *facts = link_facts(call);
	const bool is_helo = is_of_helo(facts, identity);
	const struct authres result = {
		.method = AUTHRES_SPF,
		.result = outcome->result,
		.domain = outcome->domain,
		.is_for_dmarc = identity == SPF_MAIL_FROM,
		.reason = outcome->problem[0] != '\0' ? outcome->problem : NULL,
		.comment = comment,
		.properties = { { "smtp", is_helo ? "helo" : "mailfrom",
		    is_helo ? facts->helo : facts->reverse_path } },
		.property_count = 1,
	};

	link_publish(call, &result);
	link_note(call, identity == SPF_HELO ? "spf_helo" : "spf", "%s",
	    authres_result_name(outcome->result));
}

/* A local part as its owner means it: without quotes and backslashes (RFC 5321 4.1.2). */
static struct view
local_meaning(struct view local, struct arena *arena)
{
	char *out;
	size_t len = 0;

	if (local.len < 2 || local.p[0] != '"')
		return local;
	out = arena_alloc(arena, local.len);
	for (size_t i = 1; i + 1 < local.len; i++) {
		if (local.p[i] == '\\' && i + 2 < local.len)
			i++;
		out[len++] = local.p[i];
	}
	return view_make(out, len);
}

static void
judge(struct link_call *call, enum spf_identity identity, int64_t deadline_ms,
    struct spf_outcome *outcome)
{
	const struct facts *facts = link_facts(call);
	const struct spf_state *state = link_state(call);
	struct arena *arena = link_arena(call);
	const struct spf_request request = {
		.client = &facts->client.addr,
		.identity = identity,
		.helo = facts->helo,
		.local = local_meaning(facts->mail.path.local, arena),
		.domain = facts->mail.path.domain,
		.receiver = facts->hostname,
		.now = clock_real_s(),
		.deadline_ms = deadline_ms,
		.dns = state->dns,
	};

	spf_evaluate(&request, arena, outcome);
}

static void
keep(struct spf_verdict *verdict, const struct spf_outcome *outcome)
{
	verdict->is_known = true;
	verdict->result = outcome->result;
	(void)view_copy(
	    view_of(outcome->mechanism), verdict->mechanism, sizeof(verdict->mechanism));
	(void)view_copy(view_of(outcome->problem), verdict->problem, sizeof(verdict->problem));
}

static enum link_answer
refuse(struct link_call *call, enum spf_identity identity, const struct spf_outcome *outcome)
{
	const struct facts *facts = link_facts(call);
	const bool is_helo = is_of_helo(facts, identity);
	const char *who = is_helo ? facts->helo : facts->reverse_path;

	if (outcome->result == AUTHRES_TEMPERROR)
		return link_refuse(call, 451, "4.7.24",
		    "SPF of %s cannot be judged now, please try again: %s", outcome->domain,
		    outcome->problem);
	if (outcome->result == AUTHRES_PERMERROR)
		return link_refuse(call, 550, "5.7.24", "SPF of %s cannot be judged: %s",
		    outcome->domain, outcome->problem);
	if (outcome->explanation[0] == '\0')
		return link_refuse(call, 550, "5.7.23",
		    "%s may not send mail as %s: SPF of %s says %s (%s)", facts->client.text,
		    who, outcome->domain, authres_result_name(outcome->result),
		    outcome->mechanism);
	return link_refuse(call, 550, "5.7.23",
	    "%s may not send mail as %s: SPF of %s says %s (%s)\n%s explains: %s",
	    facts->client.text, who, outcome->domain, authres_result_name(outcome->result),
	    outcome->mechanism, outcome->domain, outcome->explanation);
}

static bool
is_skipped(const struct spf_state *state, const struct facts *facts)
{
	for (size_t i = 0; i < state->skip_count; i++) {
		if (network_has(&state->skip[i], &facts->client.addr))
			return true;
	}
	return false;
}

/* With a null reverse-path both identities are one. */
static unsigned
rejected_of_mail_from(const struct spf_state *state, const struct facts *facts)
{
	return state->reject | (facts->mail.path.is_null ? state->reject_helo : 0);
}

static enum link_answer
spf_mail(struct link_call *call)
{
	const struct spf_settings *settings = link_settings(call);
	const struct spf_state *state = link_state(call);
	const struct facts *facts = link_facts(call);
	struct spf_memory *memory = link_memory(call);
	const int64_t deadline_ms = link_dns_deadline_ms(call);
	struct spf_outcome helo = { .domain = "" }, mail_from = { .domain = "" };
	const bool has_helo = settings->helo && !facts->mail.path.is_null;

	if (facts->identity.login != NULL)
		return LINK_NEXT; /* who logs in may come from anywhere */
	if (is_skipped(state, facts)) {
		publish(call, SPF_MAIL_FROM, &mail_from, "not judged: spf.skip");
		return LINK_NEXT;
	}
	judge(call, SPF_MAIL_FROM, deadline_ms, &mail_from);
	keep(&memory->mail_from, &mail_from);
	if (has_helo) {
		judge(call, SPF_HELO, deadline_ms, &helo);
		keep(&memory->helo, &helo);
		publish(call, SPF_HELO, &helo, comment_of(&helo, facts, link_arena(call)));
	}
	publish(
	    call, SPF_MAIL_FROM, &mail_from, comment_of(&mail_from, facts, link_arena(call)));
	if (has_helo && (state->reject_helo >> helo.result & 1) != 0)
		return refuse(call, SPF_HELO, &helo);
	if ((rejected_of_mail_from(state, facts) >> mail_from.result & 1) != 0)
		return refuse(call, SPF_MAIL_FROM, &mail_from);
	return LINK_NEXT;
}

static bool
add_received(
    struct link_call *call, enum spf_identity identity, const struct spf_verdict *verdict)
{
	struct buf value;
	bool ok;

	if (!verdict->is_known)
		return true;
	buf_init(&value, SPF_RECEIVED_MAX);
	ok = spf_received_value(link_facts(call), identity, verdict, &value) &&
	     edits_prepend(link_edits(call), "Received-SPF", buf_view(&value));
	buf_finish(&value);
	return ok;
}

static enum link_answer
spf_message(struct link_call *call)
{
	const struct spf_settings *settings = link_settings(call);
	const struct spf_memory *memory = link_memory(call);

	if (settings->received_spf && (!add_received(call, SPF_MAIL_FROM, &memory->mail_from) ||
					  !add_received(call, SPF_HELO, &memory->helo)))
		return link_fail(call, "a Received-SPF field could not be added");
	return LINK_NEXT;
}

const struct link link_spf = {
	.abi = LINK_ABI,
	.name = "spf",
	.summary = "judges by SPF whether the client may send for the domain of MAIL FROM, and "
		   "its HELO name",
	.refuses = "550 5.7.23, 550 5.7.24, 451 4.7.24: as reject and reject_helo say",
	.kind = LINK_FILTER,
	.settings = &spf_table,
	.setup = spf_setup,
	.teardown = spf_teardown,
	.message_size = sizeof(struct spf_memory),
	.mail = spf_mail,
	.message = spf_message,
};
