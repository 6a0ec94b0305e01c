/* SPDX-License-Identifier: MPL-2.0 */
/*
 * dmarc: the policy of the author's domain (RFC 9989; sections are those of
 * draft-ietf-dmarc-dmarcbis-41), applied to what spf and dkim_verify have found out before.
 *
 * What is done is decided in this order: a From field that leaves the author open; an override
 * for the From domain; a trusted forwarder; a trusted sealer; what the domain asks for, as the
 * settings translate it. The draft (7.4) wants no refusal by p=reject alone: the overrides and
 * the trusted ones are the "other knowledge", and reject = "quarantine" does without refusals.
 */
#include "filters/filters.h"

#include "filters/dmarc_author.h"
#include "filters/dmarc_settings.h"
#include "lib/base/metrics.h"
#include "lib/domain/dmarc.h"
#include "lib/domain/dmarc_store.h"

#include <stddef.h>
#include <stdio.h>

METRIC_COUNTER(judged_total, "gatepost_dmarc_total", "Messages that the link dmarc has judged.",
    "result", "done", "override");

struct verdict {
	struct dmarc_author author;
	struct dmarc_outcome outcome;
	enum dmarc_action action; /* REFUSE: for a fail only; a bad From is refused before */
	bool defer;		  /* goes before accept and quarantine */
	const struct dmarc_override *by; /* that decided; NULL */
	/* Why less (or more) is done than the domain asks for: RFC 9990's words. */
	const char *override_type, *override_comment;
};

static const char *
action_name(enum dmarc_action action)
{
	static const char *const names[] = {
		[DMARC_ACCEPT] = "none",
		[DMARC_QUARANTINE] = "quarantine",
		[DMARC_REFUSE] = "reject",
	};

	return names[action];
}

/* Deciding */

static void
set_override(struct verdict *v, const char *type, const char *comment)
{
	v->override_type = type;
	v->override_comment = comment;
}

static enum dmarc_action
quarantine_action(const struct dmarc_settings *settings, enum dmarc_action action)
{
	return action == DMARC_QUARANTINE ? (enum dmarc_action)settings->quarantine : action;
}

/*
 * find_trusted_seal - the chain is intact, and the sealers whom the link arc trusts say that
 * the message passed DMARC when it reached them: the newest sealer; NULL: no.
 */
static const char *
find_trusted_seal(struct link_call *call)
{
	size_t count;
	const struct authres *results = link_results(call, &count);

	for (size_t i = 0; i < count; i++) {
		const struct authres *r = &results[i];
		const char *dmarc = authres_property(r, AUTHRES_INTERNAL, "dmarc");

		if (r->method == AUTHRES_ARC && r->result == AUTHRES_PASS && dmarc != NULL &&
		    strcmp(dmarc, authres_result_name(AUTHRES_PASS)) == 0)
			return r->domain;
	}
	return NULL;
}

/* trust - true: whoever handed this message over is trusted, so a fail does not count. */
static bool
trust(struct link_call *call, struct verdict *v)
{
	const char *sealer;

	if (dmarc_trusts_client(link_state(call), &link_facts(call)->client.addr)) {
		set_override(v, "trusted_forwarder", "the client is a trusted forwarder");
		return true;
	}
	sealer = find_trusted_seal(call);
	if (sealer != NULL)
		set_override(v, "local_policy",
		    arena_printf(link_arena(call), "arc=pass, sealed by %s", sealer));
	return sealer != NULL;
}

static enum dmarc_action
asked_action(enum dmarc_policy policy)
{
	return policy == DMARC_P_REJECT	      ? DMARC_REFUSE
	       : policy == DMARC_P_QUARANTINE ? DMARC_QUARANTINE
					      : DMARC_ACCEPT;
}

static void
decide_fail(struct link_call *call, struct verdict *v)
{
	const struct dmarc_settings *settings = link_settings(call);
	const enum dmarc_action asked = asked_action(v->outcome.policy);
	enum dmarc_action action = asked;

	if (v->outcome.policy != v->outcome.requested_policy)
		set_override(v, "policy_test_mode", "t=y");
	if (v->by != NULL)
		action = v->by->action;
	else if (asked != DMARC_ACCEPT && trust(call, v)) {
		v->action = DMARC_ACCEPT;
		return;
	} else if (asked == DMARC_REFUSE)
		action = (enum dmarc_action)settings->reject;
	v->action = quarantine_action(settings, action);
	if (v->action != asked)
		set_override(v, "local_policy",
		    v->by != NULL ? "an override for the domain" : "the receiver's settings");
}

/* decide_temperror - p=none must not change anything (5.4), known or not. */
static void
decide_temperror(struct link_call *call, struct verdict *v)
{
	const struct dmarc_settings *settings = link_settings(call);
	const bool asks_nothing =
	    v->outcome.found.status == DMARC_FOUND && v->outcome.policy == DMARC_P_NONE;
	const bool is_accepted =
	    settings->on_temperror == DMARC_TEMPERROR_ACCEPT ||
	    (v->by != NULL ? v->by->action == DMARC_ACCEPT : asks_nothing || trust(call, v));

	v->action = DMARC_ACCEPT;
	v->defer = !is_accepted;
}

static void
decide(struct link_call *call, struct verdict *v)
{
	const struct dmarc_settings *settings = link_settings(call);
	enum dmarc_action least = DMARC_ACCEPT;

	v->by = dmarc_find_override(link_state(call), v->outcome.from_domain);
	if (v->outcome.result == AUTHRES_FAIL)
		decide_fail(call, v);
	else if (v->outcome.result == AUTHRES_TEMPERROR)
		decide_temperror(call, v);
	if (v->author.problem != NULL)
		least = quarantine_action(settings, (enum dmarc_action)settings->bad_from);
	if (v->action < least) {
		v->action = least;
		set_override(v, "local_policy", "the author is not clear");
	}
}

/* Telling */

static const char *
describe_policy(struct link_call *call, const struct verdict *v)
{
	const struct dmarc_record *r = &v->outcome.found.record;

	return arena_printf(link_arena(call), "p=%s%s%s%s%s%s dis=%s", dmarc_policy_name(r->p),
	    r->has_sp ? " sp=" : "", r->has_sp ? dmarc_policy_name(r->sp) : "",
	    r->has_np ? " np=" : "", r->has_np ? dmarc_policy_name(r->np) : "",
	    r->is_testing ? " t=y" : "", action_name(v->action));
}

static void
publish(struct link_call *call, const struct verdict *v)
{
	const struct dmarc_outcome *o = &v->outcome;
	struct authres result = {
		.method = AUTHRES_DMARC,
		.result = o->result,
		.domain = o->from_domain,
		.reason =
		    o->result == AUTHRES_PASS || o->result == AUTHRES_NONE ? NULL : o->reason,
	};

	if (o->found.status == DMARC_FOUND)
		result.comment = describe_policy(call, v);
	if (o->result == AUTHRES_FAIL)
		result.properties[result.property_count++] =
		    (struct authres_property){ "policy", "dmarc", action_name(v->action) };
	if (o->from_domain[0] != '\0')
		result.properties[result.property_count++] =
		    (struct authres_property){ "header", "from", o->from_domain };
	link_publish(call, &result);
}

static void
note(struct link_call *call, const struct verdict *v)
{
	const struct dmarc_outcome *o = &v->outcome;
	const char *result = authres_result_name(o->result);
	const char *done = v->defer ? "defer" : action_name(v->action);

	link_note(call, "dmarc", "%s", result);
	if (o->from_domain[0] != '\0')
		link_note(call, "dmarc_from", "%s", o->from_domain);
	if (o->found.status == DMARC_FOUND)
		link_note(call, "dmarc_policy", "%s", dmarc_policy_name(o->requested_policy));
	link_note(call, "dmarc_done", "%s", done);
	if (v->override_type != NULL)
		link_note(call, "dmarc_override", "%s", v->override_type);
	metric_add(&judged_total, 1,
	    METRIC_LABELS(result, done, v->override_type != NULL ? v->override_type : ""));
}

static const char *
domain_of(struct link_call *call, const struct smtp_path *path)
{
	char domain[DOMAIN_NAME_MAX];

	if (path->is_null || !domain_to_ascii(path->domain, domain))
		return "";
	return arena_strdup(link_arena(call), view_of(domain));
}

/* store - for aggregate reports: what passed or failed, not what nobody could judge. */
static void
store(struct link_call *call, const struct verdict *v)
{
	const struct dmarc_state *state = link_state(call);
	const struct facts *facts = link_facts(call);
	const bool passed = v->outcome.result == AUTHRES_PASS;
	struct dmarc_store_row row = {
		.at = facts->received_at,
		.client = facts->client.text,
		.outcome = &v->outcome,
		.disposition =
		    passed && v->action == DMARC_ACCEPT ? "pass" : action_name(v->action),
		.override_type = v->override_type,
		.override_comment = v->override_comment,
		.envelope_from = domain_of(call, &facts->mail.path),
		.envelope_to = facts->recipient_count > 0
				   ? domain_of(call, &facts->recipients[0].path)
				   : "",
	};

	if (link_is_shadow(call) && v->action != DMARC_ACCEPT) {
		row.disposition = "none";
		row.override_type = "local_policy";
		row.override_comment = "DMARC is only observed here";
	}
	if (state->store == NULL || (!passed && v->outcome.result != AUTHRES_FAIL))
		return;
	row.results = link_results(call, &row.result_count);
	if (!dmarc_store_add(state->store, &row))
		link_note(call, "dmarc_report", "lost");
}

/* Doing */

/* remove_marks - nobody outside puts a message into our quarantine, or out of it. */
static bool
remove_marks(struct link_call *call)
{
	const struct dmarc_settings *settings = link_settings(call);
	const struct message *m = link_message(call);

	for (size_t i = message_find(m, settings->quarantine_field, 0); i != SIZE_MAX;
	     i = message_find(m, settings->quarantine_field, i + 1)) {
		if (!edits_remove(link_edits(call), i))
			return false;
	}
	return true;
}

static bool
add_mark(struct link_call *call, const struct verdict *v)
{
	const struct dmarc_settings *settings = link_settings(call);
	const struct dmarc_outcome *o = &v->outcome;
	const char *value;

	if (v->author.problem != NULL)
		value = arena_printf(link_arena(call), "dmarc=%s (this message %s)",
		    authres_result_name(o->result), v->author.problem);
	else
		value = arena_printf(link_arena(call), "dmarc=fail (%s=%s) header.from=%s",
		    o->policy_tag, dmarc_policy_name(o->requested_policy), o->from_domain);
	return edits_prepend(link_edits(call), settings->quarantine_field, view_of(value));
}

static enum link_answer
refuse_author(struct link_call *call, const struct dmarc_author *author)
{
	if (author->is_malformed)
		return link_refuse(call, 554, "5.6.0",
		    "this message %s: it needs exactly one, with a plain address (RFC 5322 "
		    "3.6.2)",
		    author->problem);
	return link_refuse(call, 550, "5.7.1",
	    "this message %s: DMARC cannot judge it, so it is not accepted here",
	    author->problem);
}

static enum link_answer
refuse_fail(struct link_call *call, const struct verdict *v)
{
	const struct dmarc_outcome *o = &v->outcome;

	if (v->by != NULL || o->policy != DMARC_P_REJECT)
		return link_refuse(call, 550, "5.7.1",
		    "mail from %s that fails DMARC is not accepted here: neither SPF nor DKIM "
		    "confirms it (%s)",
		    o->from_domain, o->reason);
	return link_refuse(call, 550, "5.7.1",
	    "%s asks by DMARC (%s=reject) to refuse mail from %s that neither SPF nor DKIM "
	    "confirms (%s)",
	    o->found.policy_domain, o->policy_tag, o->from_domain, o->reason);
}

static enum link_answer
act(struct link_call *call, const struct verdict *v)
{
	if (v->action == DMARC_REFUSE)
		return refuse_fail(call, v);
	if (v->defer)
		return link_refuse(call, 451, "4.7.1",
		    "DMARC of %s cannot be checked right now (%s), please try again later",
		    v->outcome.from_domain, v->outcome.reason);
	if (!remove_marks(call) || (v->action == DMARC_QUARANTINE && !add_mark(call, v)))
		return link_fail(call, "a field could not be changed");
	return LINK_NEXT;
}

/*
 * admit_gaps - what one of these links would have found could have made it a pass, or put a
 * trusted sealer's word in.
 */
static void
admit_gaps(const struct link_call *call, struct dmarc_outcome *outcome)
{
	static const char *const finders[] = { "spf", "dkim_verify", "arc" };

	for (size_t i = 0; i < ARRAY_LEN(finders) && outcome->result == AUTHRES_FAIL; i++) {
		if (!link_has_failed(call, finders[i]))
			continue;
		outcome->result = AUTHRES_TEMPERROR;
		snprintf(outcome->reason, sizeof(outcome->reason), "%s has failed", finders[i]);
	}
}

/* admit_other_authors - a pass is for all authors, as it is when all are judged (11.5). */
static void
admit_other_authors(const struct dmarc_author *author, struct dmarc_outcome *outcome)
{
	if (!author->is_incomplete || outcome->result != AUTHRES_PASS)
		return;
	outcome->result = AUTHRES_PERMERROR;
	snprintf(outcome->reason, sizeof(outcome->reason), "this message %s", author->problem);
}

static enum link_answer
dmarc_message(struct link_call *call)
{
	const struct dmarc_settings *settings = link_settings(call);
	const struct dmarc_state *state = link_state(call);
	struct dmarc_request request = {
		.dns = state->dns,
		.deadline_ms = link_dns_deadline_ms(call),
	};
	struct verdict v = { .action = DMARC_ACCEPT };

	dmarc_author_read(link_message(call), link_arena(call), &v.author);
	if (v.author.problem != NULL &&
	    quarantine_action(settings, (enum dmarc_action)settings->bad_from) ==
		DMARC_REFUSE) {
		link_note(call, "dmarc", "permerror");
		metric_add(&judged_total, 1, METRIC_LABELS("permerror", "reject", ""));
		return refuse_author(call, &v.author);
	}
	request.from_domains = v.author.domains;
	request.from_count = v.author.count;
	request.results = link_results(call, &request.result_count);
	dmarc_evaluate(&request, link_arena(call), &v.outcome);
	admit_other_authors(&v.author, &v.outcome);
	admit_gaps(call, &v.outcome);
	decide(call, &v);
	publish(call, &v);
	note(call, &v);
	store(call, &v);
	return act(call, &v);
}

const struct link link_dmarc = {
	.abi = LINK_ABI,
	.name = "dmarc",
	.summary = "obeys the DMARC policy of the author's domain: refuses, marks, accepts",
	.refuses = "550 5.7.1, 554 5.6.0, 451 4.7.1",
	.kind = LINK_FILTER,
	.settings = &dmarc_table,
	.setup = dmarc_setup,
	.teardown = dmarc_teardown,
	.message = dmarc_message,
};
