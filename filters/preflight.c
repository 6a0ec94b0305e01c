/* SPDX-License-Identifier: MPL-2.0 */
/*
 * preflight: will the receivers take this message? Judged by what the watch knows of its
 * domains (lib/domain/domain_watch.h), before it is forwarded; DNS is never asked here. It
 * looks at the signatures that stand on the message, so its place is behind dkim_sign; its
 * own header field goes on top, where it breaks none. This file gathers the facts and acts;
 * preflight_judge.c judges.
 */
#include "filters/filters.h"

#include "filters/preflight_judge.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/domain/tag_list.h"
#include "lib/mail/author.h"
#include "lib/mail/domain_name.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>

#define HEADER_VALUE_MAX 8192
#define PUBLISH_IN_REPLY 700  /* octets of a record that a reply may carry */
#define REMEMBERED	 1024 /* domains whose last findings are remembered, by hash */

METRIC_COUNTER(preflights, "gatepost_preflight_total",
    "Messages by what the pre-flight found and what came of it.", "finding", "action");

enum preflight_action { ACTION_OBSERVE, ACTION_WARN, ACTION_DEFER, ACTION_REJECT };
enum preflight_doubt { DOUBT_PASS, DOUBT_DEFER };

struct preflight_settings {
	int action; /* enum preflight_action */
	struct conf_strings require;
	int on_dns_failure, unknown; /* enum preflight_doubt */
	const char *header;
};

struct preflight_state {
	struct domain_watch *watch;	    /* borrowed */
	const struct dkim_keyring *keyring; /* borrowed */
	bool is_required[PREFLIGHT_AREAS];
	pthread_mutex_t lock; /* of what stands below: what was logged last */
	struct remembered {
		uint64_t domains, findings; /* hashes; findings 0: none */
	} remembered[REMEMBERED];
};

static const struct conf_choice action_choices[] = {
	{ "observe", ACTION_OBSERVE },
	{ "warn", ACTION_WARN },
	{ "defer", ACTION_DEFER },
	{ "reject", ACTION_REJECT },
	{ NULL, 0 },
};

static const struct conf_choice doubt_choices[] = {
	{ "pass", DOUBT_PASS },
	{ "defer", DOUBT_DEFER },
	{ NULL, 0 },
};

static const char *const area_names[PREFLIGHT_AREAS] = {
	[PREFLIGHT_SPF] = "spf",
	[PREFLIGHT_DKIM] = "dkim",
	[PREFLIGHT_DMARC] = "dmarc",
	[PREFLIGHT_ALIGNMENT] = "alignment",
};

#define MEMBER(m) offsetof(struct preflight_settings, m)

static const struct conf_row preflight_rows[] = {
	{ .key = "action",
	    .type = CONF_ENUM,
	    .offset = MEMBER(action),
	    .fallback = "observe",
	    .choices = action_choices,
	    .help =
		"What a finding leads to: \"observe\" (log and metrics), \"warn\" (a header "
		"field too), \"defer\" (451), \"reject\" (550)." },
	{ .key = "require",
	    .type = CONF_STRINGS,
	    .offset = MEMBER(require),
	    .help =
		"What counts: \"spf\" (authorises the egress addresses), \"dkim\" (DNS shows "
		"a key that has signed), \"dmarc\" (there is a record), \"alignment\" (the "
		"message would pass DMARC); without it all of them." },
	{ .key = "on_dns_failure",
	    .type = CONF_ENUM,
	    .offset = MEMBER(on_dns_failure),
	    .fallback = "pass",
	    .choices = doubt_choices,
	    .help =
		"With action \"defer\" or \"reject\": what happens while DNS does not answer "
		"about a domain, and never has." },
	{ .key = "unknown",
	    .type = CONF_ENUM,
	    .offset = MEMBER(unknown),
	    .fallback = "pass",
	    .choices = doubt_choices,
	    .help = "With action \"defer\" or \"reject\": what happens to the first mail of a "
		    "domain, which has not been looked up yet." },
	{ .key = "header",
	    .type = CONF_STRING,
	    .offset = MEMBER(header),
	    .fallback = "X-Preflight",
	    .help = "With action \"warn\": the name of the field." },
	{ .key = NULL },
};

static const struct conf_table preflight_table = {
	.name = "preflight",
	.help = "Looks whether receivers will accept a message: SPF, the published DKIM key, "
		"DMARC. "
		"Its place is behind dkim_sign. It needs watch, and egress of the upstream.",
	.size = sizeof(struct preflight_settings),
	.rows = preflight_rows,
	.where_offset = SIZE_MAX,
};

/* ---- setting up ---- */

static void
fill_required(struct preflight_state *state, const struct conf_strings *names,
    struct conf_where where, struct conf_errors *errors)
{
	for (size_t i = 0; i < names->count; i++) {
		size_t area = 0;

		while (area < PREFLIGHT_AREAS && strcmp(names->items[i], area_names[area]) != 0)
			area++;
		if (area < PREFLIGHT_AREAS)
			state->is_required[area] = true;
		else
			conf_error(errors, where, "preflight.require",
			    "must be some of spf, dkim, dmarc, alignment, not \"%s\"",
			    names->items[i]);
	}
	for (size_t area = 0; names->count == 0 && area < PREFLIGHT_AREAS; area++)
		state->is_required[area] = true;
}

static void
check_header(const char *name, struct conf_where where, struct conf_errors *errors)
{
	struct edits *edits = edits_create();

	/* The one check of field names is the one that edits make. */
	if (!edits_prepend(edits, name, VIEW("")))
		conf_error(
		    errors, where, "preflight.header", "\"%s\" is not a field name", name);
	edits_destroy(&edits);
}

static bool
preflight_setup(const void *settings_, struct conf_where where, const struct link_env *env,
    void **state_out, struct conf_errors *errors)
{
	const struct preflight_settings *settings = settings_;
	const size_t before = errors->count;
	struct preflight_state *state = mem_calloc(1, sizeof(*state));

	fill_required(state, &settings->require, where, errors);
	check_header(settings->header, where, errors);
	if (env->watch == NULL)
		conf_error(errors, where, "preflight",
		    "knows nothing of DNS: watch.enabled must be true");
	if (errors->count != before) {
		mem_free(state);
		return false;
	}
	state->watch = env->watch;
	state->keyring = env->keyring;
	pthread_mutex_init(&state->lock, NULL);
	*state_out = state;
	return true;
}

static void
preflight_teardown(void *state_)
{
	struct preflight_state *state = state_;

	pthread_mutex_destroy(&state->lock);
	mem_free(state);
}

/* ---- the facts ---- */

/* spf_domain - that receivers will check: MAIL FROM's, or our name for the null one. */
static const char *
spf_domain(struct link_call *call)
{
	const struct facts *facts = link_facts(call);
	char name[DOMAIN_NAME_MAX];

	if (facts->mail.path.is_null)
		return facts->hostname;
	if (!domain_to_ascii(facts->mail.path.domain, name))
		return "";
	return arena_strdup(link_arena(call), view_of(name));
}

/*
 * is_ours - could the watch know a key of that domain? Others are not asked for, or any
 * signature that a client puts on would make the watch look its domain up.
 */
static bool
is_ours(const struct preflight_state *state, const char *domain, const char *from)
{
	return dkim_keyring_find(state->keyring, domain, false) != NULL ||
	       (from[0] != '\0' && domain_is_below(from, domain));
}

static void
add_signature(struct link_call *call, struct view field, struct preflight_facts *facts)
{
	const struct preflight_state *state = link_state(call);
	struct preflight_signature *s = &facts->signatures[facts->signature_count];
	struct arena *arena = link_arena(call);
	struct tag_list tags;
	char domain[DOMAIN_NAME_MAX];

	if (tag_list_parse(field, &tags) != TAG_LIST_OK ||
	    !domain_to_ascii(tag_list_value(&tags, "d"), domain) ||
	    !is_ours(state, domain, facts->from_domain))
		return;
	s->domain = arena_strdup(arena, view_of(domain));
	s->selector = arena_strdup(arena, tag_list_value(&tags, "s"));
	s->report = domain_watch_take(state->watch, s->domain);
	facts->signature_count++;
}

static void
gather_facts(struct link_call *call, struct preflight_facts *facts)
{
	const struct preflight_state *state = link_state(call);
	const struct message *m = link_message(call);
	const char *author = author_domain(m, link_arena(call));

	*facts = (struct preflight_facts){ .spf_domain = spf_domain(call),
		.from_domain = author != NULL ? author : "" };
	if (facts->spf_domain[0] != '\0')
		facts->spf = domain_watch_take(state->watch, facts->spf_domain);
	if (facts->from_domain[0] != '\0')
		facts->from = domain_watch_take(state->watch, facts->from_domain);
	for (size_t i = message_find(m, "DKIM-Signature", 0);
	     i != SIZE_MAX && facts->signature_count < PREFLIGHT_SIGNATURES_MAX;
	     i = message_find(m, "DKIM-Signature", i + 1))
		add_signature(call, message_field(m, i)->body, facts);
}

static void
give_facts_back(struct domain_watch *watch, struct preflight_facts *facts)
{
	domain_watch_give(watch, &facts->spf);
	domain_watch_give(watch, &facts->from);
	for (size_t i = 0; i < facts->signature_count; i++)
		domain_watch_give(watch, &facts->signatures[i].report);
}

/* ---- log and metrics ---- */

static uint64_t
hash_add(uint64_t hash, const char *text)
{
	do {
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211); /* FNV-1a */
	} while (*text++ != '\0');
	return hash;
}

/*
 * is_news - do the findings differ from the last ones of these domains? Two pairs of domains
 * that share a place only cost a line more.
 */
static bool
is_news(struct preflight_state *state, const struct preflight_facts *facts,
    const struct preflight_finding findings[PREFLIGHT_AREAS])
{
	const uint64_t start = UINT64_C(14695981039346656037);
	const uint64_t domains =
	    hash_add(hash_add(start, facts->from_domain), facts->spf_domain);
	struct remembered *r = &state->remembered[domains % REMEMBERED];
	uint64_t hash = 0;
	bool news;

	for (size_t i = 0; i < PREFLIGHT_AREAS; i++) {
		if (findings[i].kind != PREFLIGHT_WELL)
			hash = hash_add(hash_add(hash != 0 ? hash : start, findings[i].name),
			    findings[i].text);
	}
	pthread_mutex_lock(&state->lock);
	news = hash != (r->domains == domains ? r->findings : 0);
	*r = (struct remembered){ domains, hash };
	pthread_mutex_unlock(&state->lock);
	return news;
}

static void
log_findings(struct link_call *call, const struct preflight_facts *facts,
    const struct preflight_finding findings[PREFLIGHT_AREAS], const char *action)
{
	const bool news = is_news(link_state(call), facts, findings);
	const struct log_field id = LOG_STR("id", link_facts(call)->message_id);
	size_t count = 0;

	for (size_t i = 0; i < PREFLIGHT_AREAS; i++) {
		const struct preflight_finding *f = &findings[i];

		if (f->kind == PREFLIGHT_WELL)
			continue;
		count++;
		log_event(news ? LEVEL_WARNING : LEVEL_DEBUG, "preflight.finding", id,
		    LOG_STR("domain", facts->from_domain), LOG_STR("finding", f->name),
		    LOG_STR("action", action), LOG_STR("text", f->text),
		    LOG_OPT("publish", f->publish));
		metric_add(&preflights, 1, METRIC_LABELS(f->name, action));
	}
	if (count > 0)
		return;
	metric_add(&preflights, 1, METRIC_LABELS("none", action));
	if (news)
		log_event(
		    LEVEL_INFO, "preflight.clear", id, LOG_STR("domain", facts->from_domain));
}

static void
list_names(const struct preflight_finding findings[PREFLIGHT_AREAS],
    const struct preflight_finding *without, const char *separator, char *out, size_t room)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < PREFLIGHT_AREAS && len < room; i++) {
		if (findings[i].kind != PREFLIGHT_WELL && &findings[i] != without)
			len += (size_t)snprintf(out + len, room - len, "%s%s",
			    len > 0 ? separator : "", findings[i].name);
	}
}

/* ---- what comes of it ---- */

/*
 * decisive - the finding that keeps the message here, under these settings; NULL: none does. A
 * problem outranks a doubt.
 */
static const struct preflight_finding *
decisive(const struct preflight_settings *settings,
    const struct preflight_finding findings[PREFLIGHT_AREAS])
{
	const bool matters[] = {
		[PREFLIGHT_PROBLEM] = true,
		[PREFLIGHT_NO_DNS] = settings->on_dns_failure == DOUBT_DEFER,
		[PREFLIGHT_NOT_YET] = settings->unknown == DOUBT_DEFER,
	};

	if (settings->action != ACTION_DEFER && settings->action != ACTION_REJECT)
		return NULL;
	for (int kind = PREFLIGHT_PROBLEM; kind <= PREFLIGHT_NOT_YET; kind++) {
		for (size_t i = 0; matters[kind] && i < PREFLIGHT_AREAS; i++) {
			if (findings[i].kind == (enum preflight_kind)kind)
				return &findings[i];
		}
	}
	return NULL;
}

static enum link_answer
refuse(struct link_call *call, const struct preflight_finding findings[PREFLIGHT_AREAS],
    const struct preflight_finding *why, bool for_good)
{
	const bool shows_record =
	    why->publish != NULL && strlen(why->publish) <= PUBLISH_IN_REPLY;
	char status[12], others[128];

	(void)snprintf(status, sizeof(status), "%d.%s", for_good ? 5 : 4, why->status);
	list_names(findings, why, ", ", others, sizeof(others));
	return link_refuse(call, for_good ? 550 : 451, status, "%s%s%s%s%s%s", why->text,
	    shows_record ? ": " : "", shows_record ? why->publish : "",
	    others[0] != '\0' ? " (also: " : "", others, others[0] != '\0' ? ")" : "");
}

/* add_header - instead of fields of that name which came with the message. */
static enum link_answer
add_header(struct link_call *call, const struct preflight_finding findings[PREFLIGHT_AREAS])
{
	const struct preflight_settings *settings = link_settings(call);
	const struct message *m = link_message(call);
	struct edits *edits = link_edits(call);
	struct buf value;
	char names[128];
	bool ok;

	for (size_t i = message_find(m, settings->header, 0); i != SIZE_MAX;
	     i = message_find(m, settings->header, i + 1)) {
		if (!edits_remove(edits, i))
			return link_fail(call, "%s cannot be removed", settings->header);
	}
	buf_init(&value, HEADER_VALUE_MAX);
	list_names(findings, NULL, ", ", names, sizeof(names));
	ok = buf_printf(&value, " %s", names);
	for (size_t i = 0; i < PREFLIGHT_AREAS && ok; i++) {
		if (findings[i].kind != PREFLIGHT_WELL)
			ok = buf_printf(
			    &value, ";\r\n\t%s: %s", findings[i].name, findings[i].text);
	}
	if (ok && names[0] != '\0')
		ok = edits_prepend(edits, settings->header, buf_view(&value));
	buf_finish(&value);
	return ok ? LINK_NEXT : link_fail(call, "%s cannot be added", settings->header);
}

static enum link_answer
act(struct link_call *call, const struct preflight_facts *facts,
    const struct preflight_finding findings[PREFLIGHT_AREAS])
{
	const struct preflight_settings *settings = link_settings(call);
	const struct preflight_finding *why = decisive(settings, findings);
	const bool for_good =
	    why != NULL && why->kind == PREFLIGHT_PROBLEM && settings->action == ACTION_REJECT;
	const char *action = "pass";
	char names[128];

	list_names(findings, NULL, "+", names, sizeof(names));
	if (names[0] != '\0' && settings->action == ACTION_OBSERVE)
		action = "observe";
	else if (names[0] != '\0' && settings->action == ACTION_WARN)
		action = "warn";
	else if (why != NULL)
		action = for_good ? "reject" : "defer";
	log_findings(call, facts, findings, action);
	if (names[0] != '\0')
		link_note(call, "preflight", "%s", names);
	if (why != NULL)
		return refuse(call, findings, why, for_good);
	return settings->action == ACTION_WARN ? add_header(call, findings) : LINK_NEXT;
}

static enum link_answer
preflight_message(struct link_call *call)
{
	const struct preflight_state *state = link_state(call);
	struct preflight_finding findings[PREFLIGHT_AREAS];
	struct preflight_facts facts;
	enum link_answer answer;

	gather_facts(call, &facts);
	preflight_judge(&facts, findings);
	for (size_t i = 0; i < PREFLIGHT_AREAS; i++) {
		if (!state->is_required[i])
			findings[i].kind = PREFLIGHT_WELL;
	}
	answer = act(call, &facts, findings);
	give_facts_back(state->watch, &facts);
	return answer;
}

const struct link link_preflight = {
	.abi = LINK_ABI,
	.name = "preflight",
	.summary = "looks whether receivers will accept the message",
	.refuses = "550 and 451, as its actions say",
	.kind = LINK_FILTER, /* it can add a field */
	.settings = &preflight_table,
	.setup = preflight_setup,
	.teardown = preflight_teardown,
	.message = preflight_message,
};
