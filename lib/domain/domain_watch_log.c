/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The changes between two looks at a domain, as log events: each once, when it comes. A first
 * look that finds all well is worth no line (but for debugging).
 */
#include "lib/domain/domain_watch_log.h"

#include "lib/base/log.h"
#include "lib/domain/domain_check.h"

static enum log_level
level_of(bool is_well, bool is_first)
{
	if (!is_well)
		return LEVEL_WARNING;
	return is_first ? LEVEL_DEBUG : LEVEL_INFO;
}

static const struct watched_key *
key_before(const struct domain_report *before, const struct watched_key *key)
{
	for (size_t i = 0; before != NULL && i < before->key_count; i++) {
		if (strcmp(before->keys[i].publish, key->publish) == 0)
			return &before->keys[i];
	}
	return NULL;
}

static const char *
key_sentence(const struct watched_key *key)
{
	switch (key->presence) {
	case KEY_CONFIRMED:
		return "DNS shows the key that signs";
	case KEY_ABSENT:
		return "DNS does not show this key: publish it";
	case KEY_MISMATCH:
		return "DNS shows something else than the key that signs: publish this one";
	case KEY_UNKNOWN:
		break;
	}
	return "DNS gives no answer about this key";
}

static void
log_key(const struct domain_report *before, const struct domain_report *after,
    const struct watched_key *key)
{
	const struct watched_key *earlier = key_before(before, key);
	const bool is_well = key->presence == KEY_CONFIRMED;
	const bool must_sign = key->sign_order >= 0;

	if (earlier != NULL && earlier->presence == key->presence)
		return;
	log_event(must_sign ? level_of(is_well, earlier == NULL) : LEVEL_DEBUG, "domain.key",
	    LOG_STR("domain", after->domain), LOG_STR("selector", key->selector),
	    LOG_STR("state", key_presence_name(key->presence)),
	    LOG_STR("text", key_sentence(key)), LOG_OPT("why", key->why),
	    LOG_OPT("publish", is_well ? NULL : key->publish));
}

static void
log_signing(const struct domain_report *before, const struct domain_report *after)
{
	const bool was_so = before != NULL && before->signs_unconfirmed;

	if (was_so == after->signs_unconfirmed)
		return;
	log_event(after->signs_unconfirmed ? LEVEL_WARNING : LEVEL_INFO, "domain.signing",
	    LOG_STR("domain", after->domain),
	    LOG_STR(
		"text", after->signs_unconfirmed
			    ? "DNS confirms none of its keys, so all of them sign: publish them"
			    : "only keys that DNS confirms sign from now on"));
}

static void
log_spf(const struct domain_report *before, const struct domain_report *after)
{
	const enum authres_result result = after->spf.result;

	if (!after->has_egress || (before != NULL && before->spf.result == result &&
				      strcmp(before->spf_address, after->spf_address) == 0))
		return;
	log_event(level_of(result == AUTHRES_PASS, before == NULL), "domain.spf",
	    LOG_STR("domain", after->domain), LOG_STR("spf", authres_result_name(result)),
	    LOG_STR("address", after->spf_address), LOG_OPT("publish", after->spf_publish),
	    LOG_OPT("why", after->spf.problem));
}

static const char *
dmarc_status_name(enum dmarc_discovery status)
{
	switch (status) {
	case DMARC_FOUND:
		return "found";
	case DMARC_FOUND_NOTHING:
		return "none";
	case DMARC_FOUND_MALFORMED:
		return "malformed";
	case DMARC_FOUND_TEMPFAIL:
		break;
	}
	return "unknown";
}

static void
log_dmarc(const struct domain_report *before, const struct domain_report *after)
{
	const enum dmarc_discovery status = after->dmarc.status;

	if (before != NULL && before->dmarc.status == status)
		return;
	log_event(level_of(status == DMARC_FOUND, before == NULL), "domain.dmarc",
	    LOG_STR("domain", after->domain), LOG_STR("dmarc", dmarc_status_name(status)),
	    LOG_OPT("why", after->dmarc.why));
}

static void
log_answers(const struct domain_report *before, const struct domain_report *after)
{
	const bool lacked = before != NULL && domain_report_lacks_answer(before);
	const bool lacks = domain_report_lacks_answer(after);

	if (lacked != lacks)
		log_event(lacks ? LEVEL_WARNING : LEVEL_INFO, "domain.dns",
		    LOG_STR("domain", after->domain),
		    LOG_STR("text",
			lacks ? "DNS gives no answer for some of it: what was known counts"
			      : "DNS gives every answer again"));
}

void
domain_watch_log(const struct domain_report *before, const struct domain_report *after)
{
	if (before != NULL && before->checked_at == 0)
		before = NULL;
	for (size_t i = 0; i < after->key_count; i++)
		log_key(before, after, &after->keys[i]);
	log_signing(before, after);
	log_spf(before, after);
	log_dmarc(before, after);
	log_answers(before, after);
}
