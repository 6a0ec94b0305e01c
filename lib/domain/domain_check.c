/* SPDX-License-Identifier: MPL-2.0 */
/* The judge of one sending domain; see domain_check.h. */
#include "lib/domain/domain_check.h"

#include "lib/domain/dkim_key_text.h"
#include "lib/net/address.h"

#include <limits.h>
#include <stdio.h>

#define RECORD_MAX    4096 /* octets of a key record: RSA of 8192 bits has 1400 */
#define ZONE_LINE_MAX 6144
#define PUBLISH_MAX   1024 /* "add ip4:... ip6:..." of 32 addresses at most */

/* One look while it is made. */
struct look { /* names go to the engines out of *out: what they find may point there */
	const struct domain_check_request *request;
	struct arena *arena;
	struct domain_report *out;
};

/* ---- keys ---- */

static const char *
zone_line(const struct look *look, const struct domain_key *key)
{
	struct buf record, line;
	const char *text = "";

	buf_init(&record, RECORD_MAX);
	buf_init(&line, ZONE_LINE_MAX);
	if (dkim_key_record(key->selector.key, &record) &&
	    dkim_record_zone_line(
		look->request->domain, key->selector.selector, buf_view(&record), &line))
		text = arena_strdup(look->arena, buf_view(&line));
	buf_finish(&line);
	buf_finish(&record);
	return text;
}

static void
judge_published(const struct domain_key *key, enum dkim_key_status status,
    const struct dkim_key_text *published, struct watched_key *out)
{
	switch (status) {
	case DKIM_PUBLISHED:
		out->presence = dkim_key_text_matches(published, key->selector.key, &out->why)
				    ? KEY_CONFIRMED
				    : KEY_MISMATCH;
		break;
	case DKIM_PUBLISHED_NONE:
		out->presence = KEY_ABSENT;
		break;
	case DKIM_PUBLISHED_SEVERAL:
	case DKIM_PUBLISHED_SYNTAX:
	case DKIM_PUBLISHED_REVOKED:
		out->presence = KEY_MISMATCH;
		break;
	case DKIM_PUBLISHED_TEMPFAIL:
		out->presence = KEY_UNKNOWN;
		break;
	}
	if (out->presence == KEY_CONFIRMED)
		out->why = "";
}

/* earlier_key - what was known of the very same key. */
static const struct watched_key *
earlier_key(const struct look *look, const struct watched_key *key)
{
	const struct domain_report *earlier = look->request->earlier;

	for (size_t i = 0; earlier != NULL && i < earlier->key_count; i++) {
		if (strcmp(earlier->keys[i].publish, key->publish) == 0)
			return &earlier->keys[i];
	}
	return NULL;
}

static void
look_at_key(const struct look *look, const struct domain_key *key, struct watched_key *out)
{
	const struct domain_check_request *request = look->request;
	const struct watched_key *earlier;
	struct dkim_key_text published;
	const char *why = "";

	*out = (struct watched_key){
		.selector = key->selector.selector,
		.algorithm = dkim_key_algorithm(key->selector.key),
		.sign_order = key->sign_order,
		.publish = zone_line(look, key),
		.rotation = key->rotation,
		.why = "",
	};
	if (key->absent_why != NULL) {
		out->presence = KEY_ABSENT;
		out->why = key->absent_why;
	} else if (request->dns != NULL) {
		const char *name =
		    dkim_key_text_name(request->domain, out->selector, look->arena);
		const enum dkim_key_status status = dkim_key_text_find(
		    request->dns, name, request->deadline_ms, look->arena, &published, &why);

		out->why = why;
		judge_published(key, status, &published, out);
	}
	out->why = arena_strdup(look->arena, view_of(out->why));
	earlier = out->presence == KEY_UNKNOWN ? earlier_key(look, out) : NULL;
	if (earlier == NULL || earlier->presence == KEY_UNKNOWN)
		return;
	out->presence = earlier->presence;
	out->why = arena_strdup(look->arena, view_of(earlier->why));
	out->is_stale = request->dns != NULL || earlier->is_stale;
}

static void
look_at_keys(const struct look *look)
{
	const size_t count = look->request->key_count;
	struct watched_key *keys = arena_alloc(look->arena, (count + 1) * sizeof(*keys));

	for (size_t i = 0; i < count; i++)
		look_at_key(look, &look->request->keys[i], &keys[i]);
	look->out->keys = keys;
	look->out->key_count = count;
}

static bool
may_sign(const struct watched_key *key, bool confirmed_only)
{
	return key->sign_order >= 0 && (!confirmed_only || key->presence == KEY_CONFIRMED);
}

/* best_order - of the keys of one algorithm that may sign; INT_MAX: none may. */
static int
best_order(
    const struct domain_report *report, enum dkim_algorithm algorithm, bool confirmed_only)
{
	int best = INT_MAX;

	for (size_t i = 0; i < report->key_count; i++) {
		const struct watched_key *key = &report->keys[i];

		if (key->algorithm == algorithm && may_sign(key, confirmed_only) &&
		    key->sign_order < best)
			best = key->sign_order;
	}
	return best;
}

/*
 * choose_keys - of each algorithm those that may sign most gladly: confirmed ones where any key
 * is confirmed, or else all.
 */
static void
choose_keys(const struct look *look)
{
	struct domain_report *out = look->out;
	struct dkim_selector *selectors =
	    arena_alloc(look->arena, (out->key_count + 1) * sizeof(*selectors));
	bool confirmed = false;
	size_t count = 0;

	for (size_t i = 0; i < out->key_count; i++)
		confirmed = confirmed || may_sign(&out->keys[i], true);
	for (size_t i = 0; i < out->key_count && count < DKIM_SELECTORS_MAX; i++) {
		const struct watched_key *key = &out->keys[i];

		if (may_sign(key, confirmed) &&
		    key->sign_order == best_order(out, key->algorithm, confirmed))
			selectors[count++] = look->request->keys[i].selector;
	}
	out->signs_unconfirmed = !confirmed && count > 0;
	out->signing = (struct dkim_domain){
		.name = out->domain, .selectors = selectors, .selector_count = count
	};
}

/* ---- SPF ---- */

/* To sort outcomes: 0 for pass; fail is the worst. */
static unsigned
spf_badness(enum authres_result result)
{
	switch (result) {
	case AUTHRES_PASS:
		return 0;
	case AUTHRES_TEMPERROR:
		return 1;
	case AUTHRES_NEUTRAL:
		return 2;
	case AUTHRES_NONE:
		return 3;
	case AUTHRES_SOFTFAIL:
		return 4;
	case AUTHRES_PERMERROR:
		return 5;
	case AUTHRES_FAIL:
	case AUTHRES_POLICY:
		break;
	}
	return 6;
}

static const struct watched_address *
earlier_address(const struct look *look, const char *text)
{
	const struct domain_report *earlier = look->request->earlier;

	for (size_t i = 0; earlier != NULL && i < earlier->address_count; i++) {
		if (strcmp(earlier->addresses[i].text, text) == 0)
			return &earlier->addresses[i];
	}
	return NULL;
}

static void
look_at_address(const struct look *look, const struct sockaddr_storage *address,
    struct watched_address *out)
{
	const struct domain_check_request *request = look->request;
	const struct spf_request spf = {
		.client = address,
		.identity = SPF_MAIL_FROM,
		.helo = request->hostname,
		.local =
		    VIEW("postmaster"), /* of many senders: a record may not depend on it */
		.domain = view_of(look->out->domain),
		.receiver = request->hostname,
		.now = request->now,
		.deadline_ms = request->deadline_ms,
		.dns = request->dns,
	};
	const struct watched_address *earlier;
	char text[INET6_ADDRSTRLEN];

	address_host_text(address, text);
	*out = (struct watched_address){ .text = arena_strdup(look->arena, view_of(text)),
		.spf.result = AUTHRES_TEMPERROR };
	if (request->dns != NULL)
		spf_evaluate(&spf, look->arena, &out->spf);
	out->spf.domain = look->out->domain;
	out->spf.explanation[0] = '\0';
	earlier =
	    out->spf.result == AUTHRES_TEMPERROR ? earlier_address(look, out->text) : NULL;
	if (earlier == NULL || earlier->spf.result == AUTHRES_TEMPERROR)
		return;
	out->spf = earlier->spf;
	out->spf.domain = look->out->domain;
	out->is_stale = request->dns != NULL || earlier->is_stale;
}

/* missing_addresses - " ip4:192.0.2.1 ip6:..." of all that do not pass. */
static void
missing_addresses(const struct domain_report *report, struct buf *out)
{
	for (size_t i = 0; i < report->address_count; i++) {
		const struct watched_address *address = &report->addresses[i];
		const bool is_ip6 = strchr(address->text, ':') != NULL;

		/* What does not fit is missed by nobody: they come one after the other. */
		if (address->spf.result != AUTHRES_PASS &&
		    address->spf.result != AUTHRES_TEMPERROR &&
		    !buf_printf(out, " %s:%s", is_ip6 ? "ip6" : "ip4", address->text))
			return;
	}
}

static const char *
what_to_publish(const struct look *look)
{
	const struct domain_report *report = look->out;
	struct buf missing;
	const char *text = "";

	buf_init(&missing, PUBLISH_MAX);
	missing_addresses(report, &missing);
	switch (report->spf.result) {
	case AUTHRES_PERMERROR:
		text = arena_printf(look->arena, "correct the SPF record of %s: %s",
		    report->domain, report->spf.problem);
		break;
	case AUTHRES_NONE:
		text = arena_printf(look->arena,
		    "publish the TXT record \"v=spf1%.*s ~all\" at %s",
		    VIEW_ARG(buf_view(&missing)), report->domain);
		break;
	case AUTHRES_FAIL:
	case AUTHRES_SOFTFAIL:
	case AUTHRES_NEUTRAL:
	case AUTHRES_POLICY:
		text = arena_printf(look->arena, "add%.*s to the SPF record of %s",
		    VIEW_ARG(buf_view(&missing)), report->domain);
		break;
	case AUTHRES_PASS:
	case AUTHRES_TEMPERROR:
		break;
	}
	buf_finish(&missing);
	return text;
}

static void
look_at_addresses(const struct look *look)
{
	struct domain_report *out = look->out;
	const size_t count = look->request->egress_count;
	struct watched_address *addresses =
	    arena_alloc(look->arena, (count + 1) * sizeof(*addresses));
	const struct watched_address *worst = addresses;

	out->spf_address = out->spf_publish = "";
	out->spf.domain = out->domain;
	out->spf.result = AUTHRES_NONE;
	out->addresses = addresses;
	out->address_count = count;
	out->has_egress = count > 0;
	if (count == 0)
		return;
	for (size_t i = 0; i < count; i++) {
		look_at_address(look, &look->request->egress[i], &addresses[i]);
		if (spf_badness(addresses[i].spf.result) > spf_badness(worst->spf.result))
			worst = &addresses[i];
	}
	out->spf = worst->spf;
	out->spf_address = worst->text;
	out->spf_publish = what_to_publish(look);
}

/* ---- DMARC ---- */

static const char *
copy_text(struct arena *arena, const char *text)
{
	return text != NULL ? arena_strdup(arena, view_of(text)) : NULL;
}

static struct dmarc_policy_found
copy_dmarc(const struct dmarc_policy_found *from, struct arena *arena)
{
	struct dmarc_policy_found copy = *from;

	copy.policy_domain = copy_text(arena, from->policy_domain);
	copy.organizational_domain = copy_text(arena, from->organizational_domain);
	copy.record.text = arena_view(arena, from->record.text);
	for (size_t i = 0; i < from->record.rua_count; i++)
		copy.record.rua[i] = copy_text(arena, from->record.rua[i]);
	return copy;
}

static void
look_at_dmarc(const struct look *look)
{
	const struct domain_check_request *request = look->request;
	const struct domain_report *earlier = request->earlier;
	struct domain_report *out = look->out;

	out->dmarc.status = DMARC_FOUND_TEMPFAIL;
	if (request->dns != NULL)
		dmarc_discover(
		    request->dns, out->domain, request->deadline_ms, look->arena, &out->dmarc);
	if (out->dmarc.status != DMARC_FOUND_TEMPFAIL || earlier == NULL ||
	    earlier->dmarc.status == DMARC_FOUND_TEMPFAIL)
		return;
	out->dmarc = copy_dmarc(&earlier->dmarc, look->arena);
	out->is_dmarc_stale = request->dns != NULL || earlier->is_dmarc_stale;
}

/* ---- the whole ---- */

void
domain_check(
    const struct domain_check_request *request, struct arena *arena, struct domain_report *out)
{
	const struct look look = { request, arena, out };
	const bool is_asked = request->dns != NULL;

	if (request->key_count > DOMAIN_KEYS_MAX)
		BUG("%zu keys of %s", request->key_count, request->domain);
	*out = (struct domain_report){
		.domain = arena_strdup(arena, view_of(request->domain)),
		.checked_at = is_asked			 ? request->now
			      : request->earlier != NULL ? request->earlier->checked_at
							 : 0,
	};
	look_at_keys(&look); /* first: which keys sign must not wait for the rest */
	choose_keys(&look);
	look_at_dmarc(&look);
	look_at_addresses(&look);
}

bool
domain_report_lacks_answer(const struct domain_report *report)
{
	if (report->dmarc.status == DMARC_FOUND_TEMPFAIL || report->is_dmarc_stale)
		return true;
	for (size_t i = 0; i < report->key_count; i++) {
		if (report->keys[i].presence == KEY_UNKNOWN || report->keys[i].is_stale)
			return true;
	}
	for (size_t i = 0; i < report->address_count; i++) {
		if (report->addresses[i].spf.result == AUTHRES_TEMPERROR ||
		    report->addresses[i].is_stale)
			return true;
	}
	return false;
}

bool
domain_report_is_well(const struct domain_report *report)
{
	for (size_t i = 0; i < report->key_count; i++) {
		if (report->keys[i].presence != KEY_CONFIRMED &&
		    report->keys[i].sign_order >= 0)
			return false;
	}
	return report->dmarc.status == DMARC_FOUND &&
	       (!report->has_egress || report->spf.result == AUTHRES_PASS);
}

const char *
key_presence_name(enum key_presence presence)
{
	switch (presence) {
	case KEY_UNKNOWN:
		return "unknown";
	case KEY_CONFIRMED:
		return "confirmed";
	case KEY_ABSENT:
		return "absent";
	case KEY_MISMATCH:
		return "mismatch";
	}
	BUG("presence %d", (int)presence);
}
