/* SPDX-License-Identifier: MPL-2.0 */
/* Findings about a sending domain; see domain_findings.h. */
#include "lib/domain/domain_findings.h"

#include "lib/domain/spf_record.h"
#include "lib/net/address.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define SPF_TERMS_MANY 8   /* of SPF_TERMS_MAX: the next include may be too much */
#define MX_SHOWN_MAX   10  /* exchanges that are looked up */
#define PTR_SHOWN_MAX  5   /* names of one address that are looked up */
#define TEXT_MAX       512 /* octets of one sentence */

struct work {
	const struct findings_request *request;
	const struct domain_report *report;
	struct arena *arena;
	struct findings *out;
};

static void add(const struct work *w, enum finding_level level, const char *area,
    const char *subject, const char *fmt, ...) PRINTF_LIKE(5, 6);

static void
add(const struct work *w, enum finding_level level, const char *area, const char *subject,
    const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (w->out->count == FINDINGS_MAX)
		return;
	w->out->items[w->out->count++] = (struct finding){
		.level = level,
		.area = area,
		.subject = arena_strdup(w->arena, view_of(subject)),
		.text = arena_strdup(w->arena, view_of(text)),
		.publish = "",
	};
}

/* What to publish, for the finding that was added last. */
static void
publish(const struct work *w, const char *text)
{
	if (w->out->count > 0)
		w->out->items[w->out->count - 1].publish = text;
}

static void
ask(const struct work *w, const char *name, enum dns_type type, struct dns_answer *answer)
{
	dns_query(w->request->dns, name, type, w->request->deadline_ms, w->arena, answer);
}

static const char *
day(const struct work *w, int64_t at)
{
	const time_t seconds = (time_t)at;
	char text[32] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm) != NULL)
		(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &tm);
	return arena_strdup(w->arena, view_of(text));
}

/* ---- MX ---- */

static void
judge_exchange(const struct work *w, const struct dns_record *mx)
{
	struct dns_answer v4, v6;
	char *subject =
	    arena_printf(w->arena, "%u %.*s", (unsigned)mx->preference, VIEW_ARG(mx->data));

	ask(w, mx->data.p, DNS_A, &v4);
	ask(w, mx->data.p, DNS_AAAA, &v6);
	if (v4.status == DNS_FOUND || v6.status == DNS_FOUND) {
		const bool is_alias = v4.is_alias || v6.is_alias;

		add(w, is_alias ? FINDING_WARNING : FINDING_OK, "mx", subject,
		    is_alias ? "is an alias (CNAME), which RFC 5321 5.1 does not allow"
			     : "has an address");
		return;
	}
	if (v4.status == DNS_TEMPFAIL || v6.status == DNS_TEMPFAIL)
		add(w, FINDING_UNKNOWN, "mx", subject, "no answer about its addresses");
	else
		add(w, FINDING_PROBLEM, "mx", subject, "has no address");
}

static void
judge_without_mx(const struct work *w)
{
	const char *domain = w->report->domain;
	struct dns_answer v4, v6;

	ask(w, domain, DNS_A, &v4);
	ask(w, domain, DNS_AAAA, &v6);
	if (v4.status == DNS_FOUND || v6.status == DNS_FOUND)
		add(w, FINDING_WARNING, "mx", "",
		    "there is no MX record; mail goes to the address of %s itself", domain);
	else if (v4.status == DNS_TEMPFAIL || v6.status == DNS_TEMPFAIL)
		add(w, FINDING_UNKNOWN, "mx", "", "no answer about the addresses of %s",
		    domain);
	else
		add(w, FINDING_PROBLEM, "mx", "",
		    "neither MX nor address: nobody can answer, and many servers refuse such "
		    "senders");
}

static void
judge_mx(const struct work *w)
{
	struct dns_answer answer;

	ask(w, w->report->domain, DNS_MX, &answer);
	switch (answer.status) {
	case DNS_TEMPFAIL:
		add(w, FINDING_UNKNOWN, "mx", "", "no answer (%s)", answer.why);
		return;
	case DNS_NXDOMAIN:
		add(w, FINDING_PROBLEM, "mx", "", "%s does not exist in the DNS",
		    w->report->domain);
		return;
	case DNS_NODATA:
		judge_without_mx(w);
		return;
	case DNS_FOUND:
		break;
	}
	if (answer.count == 1 && view_eq(answer.records[0].data, VIEW("."))) {
		add(w, FINDING_WARNING, "mx", "",
		    "says that it takes no mail (RFC 7505): bounces and answers are lost, and "
		    "many servers refuse such senders");
		return;
	}
	for (size_t i = 0; i < answer.count && i < MX_SHOWN_MAX; i++)
		judge_exchange(w, &answer.records[i]);
}

/* ---- SPF ---- */

static void
judge_address(const struct work *w, const struct watched_address *address)
{
	const struct spf_outcome *spf = &address->spf;

	switch (spf->result) {
	case AUTHRES_PASS:
		add(w, spf->terms >= SPF_TERMS_MANY ? FINDING_WARNING : FINDING_OK, "spf",
		    address->text, "pass by %s (%u of %d look-ups)", spf->mechanism, spf->terms,
		    SPF_TERMS_MAX);
		return;
	case AUTHRES_TEMPERROR:
		add(w, FINDING_UNKNOWN, "spf", address->text, "no answer: %s", spf->problem);
		return;
	case AUTHRES_PERMERROR:
		add(w, FINDING_PROBLEM, "spf", address->text, "the record is broken: %s",
		    spf->problem);
		break;
	case AUTHRES_NONE:
		add(w, FINDING_PROBLEM, "spf", address->text, "there is no SPF record");
		break;
	case AUTHRES_FAIL:
	case AUTHRES_SOFTFAIL:
	case AUTHRES_NEUTRAL:
	case AUTHRES_POLICY:
		add(w, FINDING_PROBLEM, "spf", address->text, "%s by %s: mail leaves from here",
		    authres_result_name(spf->result), spf->mechanism);
		break;
	}
	if (address == w->report->addresses ||
	    strcmp(address->text, w->report->spf_address) == 0)
		publish(w, w->report->spf_publish);
}

/* What no evaluation for our own addresses shows: who else passes. */
static void
judge_spf_terms(const struct work *w, const struct spf_record *record)
{
	bool has_end = record->redirect.len > 0;

	for (size_t i = 0; i < record->count; i++) {
		const struct spf_term *term = &record->terms[i];

		has_end = has_end || term->kind == SPF_ALL;
		if (term->kind == SPF_ALL && term->qualifier == '+')
			add(w, FINDING_PROBLEM, "spf", "all",
			    "lets everybody send as %s: end with -all or ~all",
			    w->report->domain);
		if (term->kind == SPF_PTR)
			add(w, FINDING_WARNING, "spf", "ptr",
			    "should not be used (RFC 7208 5.5): slow, and not reliable");
	}
	if (!has_end)
		add(w, FINDING_WARNING, "spf", "",
		    "the record has no end: without -all or ~all it says nothing about others");
}

static void
judge_spf_record(const struct work *w)
{
	struct spf_record record;
	struct dns_answer answer;
	char why[SPF_WHY_MAX];
	size_t found = 0;

	ask(w, w->report->domain, DNS_TXT, &answer);
	for (size_t i = 0; i < answer.count; i++) {
		if (!spf_record_is_one(answer.records[i].data))
			continue;
		if (found++ == 0 &&
		    spf_record_parse(answer.records[i].data, w->arena, &record, why))
			judge_spf_terms(w, &record);
	}
	if (found > 1)
		add(w, FINDING_PROBLEM, "spf", "",
		    "there are %zu SPF records: only one is allowed", found);
	if (answer.status == DNS_TEMPFAIL)
		add(w, FINDING_UNKNOWN, "spf", "", "no answer (%s)", answer.why);
	else if (found == 0 && !w->report->has_egress)
		add(w, FINDING_PROBLEM, "spf", "", "there is no SPF record");
}

static void
judge_spf(const struct work *w)
{
	for (size_t i = 0; i < w->report->address_count; i++)
		judge_address(w, &w->report->addresses[i]);
	if (!w->report->has_egress)
		add(w, FINDING_WARNING, "spf", "",
		    "not evaluated: upstreams.egress does not say from which addresses mail "
		    "leaves");
	judge_spf_record(w);
}

/* ---- DKIM ---- */

static const struct rotation_key *
rotation_of(const struct work *w, const char *selector)
{
	for (size_t i = 0; i < w->request->rotation->count; i++) {
		const struct rotation_key *key = &w->request->rotation->keys[i];

		if (view_eq_nocase(view_of(key->selector), view_of(selector)))
			return key;
	}
	return NULL;
}

static void
judge_active_key(const struct work *w, const struct watched_key *key)
{
	const char *algorithm = dkim_algorithm_name(key->algorithm);

	switch (key->presence) {
	case KEY_CONFIRMED:
		add(w, FINDING_OK, "dkim", key->selector, "%s, signs; DNS shows this key",
		    algorithm);
		return;
	case KEY_UNKNOWN:
		add(w, FINDING_UNKNOWN, "dkim", key->selector, "%s: no answer (%s)", algorithm,
		    key->why);
		return;
	case KEY_ABSENT:
	case KEY_MISMATCH:
		add(w, FINDING_PROBLEM, "dkim", key->selector, "%s: %s", algorithm,
		    key->why[0] != '\0' ? key->why : "DNS does not show this key");
		publish(w, key->publish);
		return;
	}
	BUG("presence %d", (int)key->presence);
}

static void
judge_pending_key(
    const struct work *w, const struct watched_key *key, const struct rotation_key *state)
{
	if (key->presence == KEY_CONFIRMED && state->shown_since > 0)
		add(w, FINDING_NOTE, "dkim", key->selector,
		    "%s, pending: every server shows it since %s; signs when that has lasted "
		    "for %lld s",
		    dkim_algorithm_name(key->algorithm), day(w, state->shown_since),
		    (long long)(state->negative_ttl_s > w->request->rotation_rules.settle_s
				    ? state->negative_ttl_s
				    : w->request->rotation_rules.settle_s));
	else
		add(w, FINDING_NOTE, "dkim", key->selector,
		    "%s, pending: signs when every authoritative server shows it%s%s",
		    dkim_algorithm_name(key->algorithm), key->why[0] != '\0' ? "; " : "",
		    key->why);
	publish(w, key->publish);
}

static void
judge_old_key(
    const struct work *w, const struct watched_key *key, const struct rotation_key *state)
{
	const int64_t until = rotation_retires_at(state, &w->request->rotation_rules);

	if (state->state == ROTATION_RETIRED && key->presence == KEY_CONFIRMED)
		add(w, FINDING_NOTE, "dkim", key->selector,
		    "retired: its record may be taken out of the DNS");
	else if (state->state == ROTATION_RETIRED)
		return;
	else if (key->presence == KEY_ABSENT || key->presence == KEY_MISMATCH) {
		add(w, FINDING_WARNING, "dkim", key->selector,
		    "retiring, but DNS does not show it any more: mail that it signed may "
		    "still "
		    "be under way, until %s",
		    day(w, until));
		publish(w, key->publish);
	} else
		add(w, FINDING_NOTE, "dkim", key->selector,
		    "retiring: leave its record in the DNS until %s", day(w, until));
}

static bool
has_key(const struct domain_report *report, const char *selector)
{
	for (size_t i = 0; i < report->key_count; i++) {
		if (view_eq_nocase(view_of(report->keys[i].selector), view_of(selector)))
			return true;
	}
	return false;
}

/* judge_unread - keys of which nothing can be said; how many there are. */
static size_t
judge_unread(const struct work *w)
{
	const struct findings_request *r = w->request;
	size_t count = r->unread_count;

	for (size_t i = 0; i < r->unread_count; i++)
		add(w, FINDING_PROBLEM, "dkim", r->unread[i].selector, "%s", r->unread[i].why);
	for (size_t i = 0; i < r->rotation->count; i++) {
		const struct rotation_key *key = &r->rotation->keys[i];

		if (key->is_configured || key->state == ROTATION_RETIRED ||
		    has_key(w->report, key->selector))
			continue;
		add(w, FINDING_PROBLEM, "dkim", key->selector,
		    "%s: its private key cannot be read", rotation_state_name(key->state));
		count++;
	}
	return count;
}

static void
judge_keys(const struct work *w)
{
	const size_t unread = judge_unread(w);
	size_t signing = 0;

	for (size_t i = 0; i < w->report->key_count; i++) {
		const struct watched_key *key = &w->report->keys[i];
		const struct rotation_key *state = rotation_of(w, key->selector);

		signing += key->sign_order == 0;
		if (state == NULL || state->state == ROTATION_ACTIVE)
			judge_active_key(w, key);
		else if (state->state == ROTATION_PENDING)
			judge_pending_key(w, key, state);
		else
			judge_old_key(w, key, state);
	}
	if (signing == 0 && unread == 0)
		add(w, FINDING_PROBLEM, "dkim", "",
		    "no key signs for it: gatepost keygen makes one");
}

/* ---- DMARC and alignment ---- */

static void
judge_dmarc_record(const struct work *w)
{
	const struct dmarc_policy_found *found = &w->report->dmarc;
	const struct dmarc_record *record = &found->record;
	const enum dmarc_policy policy = found->is_exact ? record->p : record->sp;

	add(w, policy == DMARC_P_NONE ? FINDING_NOTE : FINDING_OK, "dmarc",
	    found->policy_domain, "%s=%s%s%s", found->is_exact ? "p" : "sp",
	    dmarc_policy_name(policy), record->is_testing ? ", t=y (testing)" : "",
	    policy == DMARC_P_NONE ? ": it is watched, but nothing is refused" : "");
	if (found->why[0] != '\0')
		add(w, FINDING_WARNING, "dmarc", found->policy_domain, "%s", found->why);
	if (record->rua_count == 0)
		add(w, FINDING_NOTE, "dmarc", found->policy_domain,
		    "without rua= nobody reports who sends as %s", w->report->domain);
}

static void
judge_dmarc(const struct work *w)
{
	const struct dmarc_policy_found *found = &w->report->dmarc;

	switch (found->status) {
	case DMARC_FOUND:
		judge_dmarc_record(w);
		return;
	case DMARC_FOUND_TEMPFAIL:
		add(w, FINDING_UNKNOWN, "dmarc", "", "no answer: %s", found->why);
		return;
	case DMARC_FOUND_MALFORMED:
		add(w, FINDING_PROBLEM, "dmarc", found->policy_domain,
		    "the record gives no policy: %s", found->why);
		break;
	case DMARC_FOUND_NOTHING:
		add(w, FINDING_PROBLEM, "dmarc", "", "there is no DMARC record");
		break;
	}
	publish(w, arena_printf(w->arena,
		       "_dmarc.%s. IN TXT \"v=DMARC1; p=none; "
		       "rua=mailto:postmaster@%s\"",
		       w->report->domain, w->report->domain));
}

static bool
has_confirmed_signature(const struct domain_report *report)
{
	for (size_t i = 0; i < report->key_count; i++) {
		if (report->keys[i].sign_order >= 0 &&
		    report->keys[i].presence == KEY_CONFIRMED)
			return true;
	}
	return false;
}

/* lacks_answer - DNS did not say whether SPF passes, or of any key whether it is there. */
static bool
lacks_answer(const struct domain_report *report)
{
	bool lacks = report->has_egress && report->spf.result == AUTHRES_TEMPERROR;

	for (size_t i = 0; i < report->key_count; i++)
		lacks = lacks || (report->keys[i].sign_order >= 0 &&
				     report->keys[i].presence == KEY_UNKNOWN);
	return lacks;
}

/* Mail with MAIL FROM and From in the domain, signed by its keys: what DMARC makes of it. */
static void
judge_alignment(const struct work *w)
{
	const bool spf = w->report->has_egress && w->report->spf.result == AUTHRES_PASS;
	const bool dkim = has_confirmed_signature(w->report);

	if (spf && dkim)
		add(w, FINDING_OK, "alignment", "",
		    "mail from %s passes DMARC by SPF and by DKIM", w->report->domain);
	else if (lacks_answer(w->report))
		add(w, FINDING_UNKNOWN, "alignment", "", "no answer about SPF or the keys");
	else if (dkim)
		add(w, FINDING_NOTE, "alignment", "", "mail from %s passes DMARC by DKIM alone",
		    w->report->domain);
	else if (spf)
		add(w, FINDING_WARNING, "alignment", "",
		    "mail from %s passes DMARC by SPF alone: forwarded mail will fail",
		    w->report->domain);
	else
		add(w, FINDING_PROBLEM, "alignment", "",
		    "mail from %s fails DMARC: neither SPF nor DKIM passes", w->report->domain);
}

/* ---- bulk senders ---- */

/* is_confirmed - does the name lead back to the address (forward-confirmed reverse DNS)? */
static bool
is_confirmed(const struct work *w, const char *name, const struct sockaddr_storage *address,
    bool *tempfail_out)
{
	const bool v6 = address->ss_family == AF_INET6;
	struct dns_answer answer;

	ask(w, name, v6 ? DNS_AAAA : DNS_A, &answer);
	*tempfail_out = *tempfail_out || answer.status == DNS_TEMPFAIL;
	for (size_t i = 0; i < answer.count; i++) {
		const void *octets =
		    v6 ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
		       : (const void *)&((const struct sockaddr_in *)address)->sin_addr;

		if (answer.records[i].data.len == (v6 ? 16 : 4) &&
		    memcmp(answer.records[i].data.p, octets, answer.records[i].data.len) == 0)
			return true;
	}
	return false;
}

static void
judge_reverse(const struct work *w, const struct sockaddr_storage *address)
{
	char text[INET6_ADDRSTRLEN], name[ADDRESS_REVERSE_MAX];
	struct dns_answer answer;
	bool tempfail = false;

	address_host_text(address, text);
	address_reverse_name(address, name);
	ask(w, name, DNS_PTR, &answer);
	tempfail = answer.status == DNS_TEMPFAIL;
	for (size_t i = 0; i < answer.count && i < PTR_SHOWN_MAX; i++) {
		if (is_confirmed(w, answer.records[i].data.p, address, &tempfail)) {
			add(w, FINDING_OK, "bulk", text, "is %.*s, and back",
			    VIEW_ARG(answer.records[i].data));
			return;
		}
	}
	if (tempfail)
		add(w, FINDING_UNKNOWN, "bulk", text, "no answer about its name");
	else
		add(w, FINDING_PROBLEM, "bulk", text,
		    "has no name that leads back to it (PTR, and A or AAAA): large providers "
		    "refuse its mail");
}

static void
judge_bulk(const struct work *w)
{
	const bool spf = w->report->has_egress && w->report->spf.result == AUTHRES_PASS;
	const bool dkim = has_confirmed_signature(w->report);
	const bool dmarc = w->report->dmarc.status == DMARC_FOUND;

	for (size_t i = 0; i < w->request->egress_count; i++)
		judge_reverse(w, &w->request->egress[i]);
	if (spf && dkim && dmarc)
		add(w, FINDING_OK, "bulk", "", "SPF and DKIM pass, and DMARC is published");
	else if (lacks_answer(w->report) || w->report->dmarc.status == DMARC_FOUND_TEMPFAIL)
		add(w, FINDING_UNKNOWN, "bulk", "", "no answer about SPF, the keys or DMARC");
	else
		add(w, FINDING_WARNING, "bulk", "",
		    "large providers ask bulk senders for all of SPF, DKIM and DMARC:%s%s%s",
		    spf ? "" : " SPF is missing", dkim ? "" : " DKIM is missing",
		    dmarc ? "" : " DMARC is missing");
	add(w, w->request->has_bulk_rules ? FINDING_OK : FINDING_NOTE, "bulk", "unsubscribe",
	    w->request->has_bulk_rules
		? "the link bulk_rules asks its mail for one-click unsubscribe"
		: "bulk mail needs one-click unsubscribe (RFC 8058); no link bulk_rules looks "
		  "at mail of this domain");
}

/* ---- all of it ---- */

void
findings_make(const struct findings_request *request, struct arena *arena, struct findings *out)
{
	const struct work w = {
		.request = request, .report = request->report, .arena = arena, .out = out
	};

	out->items = arena_alloc(arena, FINDINGS_MAX * sizeof(*out->items));
	out->count = 0;
	judge_mx(&w);
	judge_spf(&w);
	judge_keys(&w);
	judge_dmarc(&w);
	judge_alignment(&w);
	judge_bulk(&w);
}

const char *
finding_level_name(enum finding_level level)
{
	switch (level) {
	case FINDING_OK:
		return "ok";
	case FINDING_NOTE:
		return "note";
	case FINDING_WARNING:
		return "warning";
	case FINDING_PROBLEM:
		return "problem";
	case FINDING_UNKNOWN:
		return "unknown";
	}
	BUG("level %d", (int)level);
}

enum finding_level
findings_worst(const struct findings *findings)
{
	/* OK and NOTE weigh nothing. */
	static const int weight[] = {
		[FINDING_WARNING] = 1, [FINDING_UNKNOWN] = 2, [FINDING_PROBLEM] = 3
	};
	enum finding_level worst = FINDING_OK;

	for (size_t i = 0; i < findings->count; i++) {
		if (weight[findings->items[i].level] > weight[worst])
			worst = findings->items[i].level;
	}
	return worst;
}
