/* SPDX-License-Identifier: MPL-2.0 */
/* What the receivers of a message would find; see preflight_judge.h. */
#include "filters/preflight_judge.h"

#include <stdarg.h>
#include <stdio.h>

enum finding {
	SPF_FAIL,
	SPF_SOFTFAIL,
	SPF_NEUTRAL,
	SPF_NONE,
	SPF_PERMERROR,
	SPF_TEMPERROR,
	SPF_UNKNOWN,
	DKIM_UNSIGNED,
	DKIM_MISMATCH,
	DKIM_ABSENT,
	DKIM_DNS,
	DKIM_UNKNOWN,
	DMARC_NONE,
	DMARC_MALFORMED_RECORD,
	DMARC_DNS,
	DMARC_UNKNOWN,
	ALIGNMENT_FAIL,
	ALIGNMENT_DNS,
	ALIGNMENT_UNKNOWN,
};

/* Enhanced codes: RFC 7372 3.1 to 3.3; RFC 3463 3.5 (4.3) and 3.8 (7.1). */
static const struct finding_row {
	const char *name;
	enum preflight_kind kind;
	const char *status;
} rows[] = {
	[SPF_FAIL] = { "spf-fail", PREFLIGHT_PROBLEM, "7.23" },
	[SPF_SOFTFAIL] = { "spf-softfail", PREFLIGHT_PROBLEM, "7.23" },
	[SPF_NEUTRAL] = { "spf-neutral", PREFLIGHT_PROBLEM, "7.23" },
	[SPF_NONE] = { "spf-none", PREFLIGHT_PROBLEM, "7.23" },
	[SPF_PERMERROR] = { "spf-permerror", PREFLIGHT_PROBLEM, "7.24" },
	[SPF_TEMPERROR] = { "spf-temperror", PREFLIGHT_NO_DNS, "4.3" },
	[SPF_UNKNOWN] = { "spf-unknown", PREFLIGHT_NOT_YET, "4.3" },
	[DKIM_UNSIGNED] = { "dkim-unsigned", PREFLIGHT_PROBLEM, "7.20" },
	[DKIM_MISMATCH] = { "dkim-mismatch", PREFLIGHT_PROBLEM, "7.20" },
	[DKIM_ABSENT] = { "dkim-absent", PREFLIGHT_PROBLEM, "7.20" },
	[DKIM_DNS] = { "dkim-dns", PREFLIGHT_NO_DNS, "4.3" },
	[DKIM_UNKNOWN] = { "dkim-unknown", PREFLIGHT_NOT_YET, "4.3" },
	[DMARC_NONE] = { "dmarc-none", PREFLIGHT_PROBLEM, "7.1" },
	[DMARC_MALFORMED_RECORD] = { "dmarc-malformed", PREFLIGHT_PROBLEM, "7.1" },
	[DMARC_DNS] = { "dmarc-dns", PREFLIGHT_NO_DNS, "4.3" },
	[DMARC_UNKNOWN] = { "dmarc-unknown", PREFLIGHT_NOT_YET, "4.3" },
	[ALIGNMENT_FAIL] = { "alignment-fail", PREFLIGHT_PROBLEM, "7.26" },
	[ALIGNMENT_DNS] = { "alignment-dns", PREFLIGHT_NO_DNS, "4.3" },
	[ALIGNMENT_UNKNOWN] = { "alignment-unknown", PREFLIGHT_NOT_YET, "4.3" },
};

/* Records of others may stand in a sentence: what is not printable ASCII becomes '?'. */
static void PRINTF_LIKE(3, 4)
    say(struct preflight_finding *out, enum finding finding, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(out->text, sizeof(out->text), fmt, ap);
	va_end(ap);
	out->kind = rows[finding].kind;
	out->name = rows[finding].name;
	out->status = rows[finding].status;
	for (char *p = out->text; *p != '\0'; p++) {
		if (*p < ' ' || *p > '~')
			*p = '?';
	}
}

static bool
is_known(const struct domain_report *report)
{
	return report != NULL && report->checked_at != 0;
}

/* ---- SPF ---- */

static enum finding
spf_finding(enum authres_result result)
{
	switch (result) {
	case AUTHRES_SOFTFAIL:
		return SPF_SOFTFAIL;
	case AUTHRES_NEUTRAL:
		return SPF_NEUTRAL;
	case AUTHRES_NONE:
		return SPF_NONE;
	case AUTHRES_PERMERROR:
		return SPF_PERMERROR;
	case AUTHRES_TEMPERROR:
		return SPF_TEMPERROR;
	case AUTHRES_FAIL:
	case AUTHRES_POLICY:
	case AUTHRES_PASS:
		break;
	}
	return SPF_FAIL;
}

static void
say_spf(const struct domain_report *r, struct preflight_finding *out)
{
	const enum finding finding = spf_finding(r->spf.result);

	switch (finding) {
	case SPF_NONE:
		say(out, finding, "%s has no SPF record: %s", r->domain, r->spf_publish);
		break;
	case SPF_PERMERROR:
		say(out, finding, "SPF of %s is in error (%s): correct it", r->domain,
		    r->spf.problem);
		break;
	case SPF_TEMPERROR:
		say(out, finding, "DNS gives no answer about the SPF record of %s", r->domain);
		break;
	case SPF_FAIL:
		say(out, finding,
		    "%s does not authorise %s, from which this mail would leave: %s", r->domain,
		    r->spf_address, r->spf_publish);
		break;
	default:
		say(out, finding,
		    "%s does not authorise %s (%s), from which this mail would leave: %s",
		    r->domain, r->spf_address, authres_result_name(r->spf.result),
		    r->spf_publish);
		break;
	}
}

static void
judge_spf(const struct preflight_facts *f, struct preflight_finding *out)
{
	if (f->spf_domain[0] == '\0')
		say(out, SPF_NONE, "MAIL FROM names no domain that could have an SPF record");
	else if (!is_known(f->spf))
		say(out, SPF_UNKNOWN, "%s has not been looked up yet", f->spf_domain);
	else if (f->spf->has_egress && f->spf->spf.result != AUTHRES_PASS)
		say_spf(f->spf, out);
}

/* ---- DKIM ---- */

/* signing_key - that of ours which made the signature; NULL: it is somebody else's. */
static const struct watched_key *
signing_key(const struct preflight_signature *signature)
{
	for (size_t i = 0; signature->report != NULL && i < signature->report->key_count; i++) {
		const struct watched_key *key = &signature->report->keys[i];

		if (view_eq_nocase(view_of(key->selector), view_of(signature->selector)))
			return key;
	}
	return NULL;
}

/* How much a signature helps: a confirmed key, one that DNS may confirm, one that it does not.
 */
static unsigned
key_rank(const struct watched_key *key)
{
	if (key->presence == KEY_CONFIRMED)
		return 3;
	return key->presence == KEY_UNKNOWN ? 2 : 1;
}

static void
say_dkim(const struct preflight_signature *signature, const struct watched_key *key,
    struct preflight_finding *out)
{
	const char *domain = signature->domain;

	if (key->presence == KEY_UNKNOWN && !is_known(signature->report)) {
		say(out, DKIM_UNKNOWN, "%s has not been looked up yet", domain);
	} else if (key->presence == KEY_UNKNOWN) {
		say(out, DKIM_DNS, "DNS gives no answer about the key %s of %s", key->selector,
		    domain);
	} else {
		say(out, key->presence == KEY_ABSENT ? DKIM_ABSENT : DKIM_MISMATCH,
		    "DNS does not show the key that has signed for %s (%s): publish it at "
		    "%s._domainkey.%s",
		    domain, key->why, key->selector, domain);
		out->publish = key->publish;
	}
}

static void
judge_dkim(const struct preflight_facts *f, struct preflight_finding *out)
{
	const struct preflight_signature *best = NULL;
	const struct watched_key *best_key = NULL;

	for (size_t i = 0; i < f->signature_count; i++) {
		const struct watched_key *key = signing_key(&f->signatures[i]);

		if (key != NULL && (best_key == NULL || key_rank(key) > key_rank(best_key))) {
			best = &f->signatures[i];
			best_key = key;
		}
	}
	if (best_key == NULL)
		say(out, DKIM_UNSIGNED,
		    "no key of this server signs mail from %s: make one (gatepost keygen)",
		    f->from_domain[0] != '\0' ? f->from_domain : "nobody");
	else if (best_key->presence != KEY_CONFIRMED)
		say_dkim(best, best_key, out);
}

/* ---- DMARC ---- */

static void
judge_dmarc(const struct preflight_facts *f, struct preflight_finding *out)
{
	if (f->from_domain[0] == '\0')
		say(out, DMARC_NONE, "the From field names no domain");
	else if (!is_known(f->from))
		say(out, DMARC_UNKNOWN, "%s has not been looked up yet", f->from_domain);
	else if (f->from->dmarc.status == DMARC_FOUND_TEMPFAIL)
		say(out, DMARC_DNS, "DNS gives no answer about the DMARC record of %s",
		    f->from_domain);
	else if (f->from->dmarc.status == DMARC_FOUND_MALFORMED)
		say(out, DMARC_MALFORMED_RECORD,
		    "the DMARC record for %s is malformed (%s): correct it", f->from_domain,
		    f->from->dmarc.why);
	else if (f->from->dmarc.status == DMARC_FOUND_NOTHING)
		say(out, DMARC_NONE,
		    "%s has no DMARC record: publish the TXT record \"v=DMARC1; p=none\" at "
		    "_dmarc.%s, or a stricter one",
		    f->from_domain, f->from_domain);
}

/* ---- alignment (RFC 9989 4.10.2: relaxed by organizational domain, strict by name) ---- */

static bool
has_organization(const struct domain_report *report)
{
	const char *domain = report->dmarc.organizational_domain;

	return report->dmarc.status != DMARC_FOUND_TEMPFAIL && domain != NULL &&
	       domain[0] != '\0';
}

/* From bad to good: what is not known may turn out well. */
enum chance { CHANCE_NO, CHANCE_DNS, CHANCE_NOT_YET, CHANCE_YES };

static enum chance
lesser(enum chance a, enum chance b)
{
	return a < b ? a : b;
}

static enum chance
greater(enum chance a, enum chance b)
{
	return a > b ? a : b;
}

/* is_aligned - of an authenticated domain, whose own report may still be missing. */
static enum chance
is_aligned(const struct preflight_facts *f, const char *domain,
    const struct domain_report *report, bool (*is_strict)(const struct dmarc_record *))
{
	const struct domain_report *from = f->from;

	if (strcmp(domain, f->from_domain) == 0)
		return CHANCE_YES;
	if (!is_known(from) || !is_known(report))
		return CHANCE_NOT_YET;
	if (from->dmarc.status == DMARC_FOUND && is_strict(&from->dmarc.record))
		return CHANCE_NO;
	if (!has_organization(from) || !has_organization(report))
		return CHANCE_DNS;
	return strcmp(from->dmarc.organizational_domain, report->dmarc.organizational_domain) ==
		       0
		   ? CHANCE_YES
		   : CHANCE_NO;
}

static bool
spf_is_strict(const struct dmarc_record *record)
{
	return record->aspf_strict;
}

static bool
dkim_is_strict(const struct dmarc_record *record)
{
	return record->adkim_strict;
}

static enum chance
spf_chance(const struct preflight_facts *f)
{
	enum chance passes = CHANCE_NO;

	if (f->spf_domain[0] == '\0')
		return CHANCE_NO;
	if (!is_known(f->spf))
		passes = CHANCE_NOT_YET;
	else if (f->spf->has_egress && f->spf->spf.result == AUTHRES_PASS)
		passes = CHANCE_YES;
	else if (f->spf->has_egress && f->spf->spf.result == AUTHRES_TEMPERROR)
		passes = CHANCE_DNS;
	return lesser(passes, is_aligned(f, f->spf_domain, f->spf, spf_is_strict));
}

static enum chance
signature_chance(const struct preflight_facts *f, const struct preflight_signature *s)
{
	const struct watched_key *key = signing_key(s);
	enum chance passes = CHANCE_NO;

	if (key == NULL)
		return CHANCE_NO;
	if (key->presence == KEY_CONFIRMED)
		passes = CHANCE_YES;
	else if (key->presence == KEY_UNKNOWN)
		passes = is_known(s->report) ? CHANCE_DNS : CHANCE_NOT_YET;
	return lesser(passes, is_aligned(f, s->domain, s->report, dkim_is_strict));
}

static void
judge_alignment(const struct preflight_facts *f, struct preflight_finding *out)
{
	enum chance best;

	if (f->from_domain[0] == '\0') {
		say(out, ALIGNMENT_FAIL, "the From field names no domain");
		return;
	}
	best = spf_chance(f);
	for (size_t i = 0; i < f->signature_count; i++)
		best = greater(best, signature_chance(f, &f->signatures[i]));
	if (best == CHANCE_NO)
		say(out, ALIGNMENT_FAIL,
		    "this mail would fail DMARC: neither SPF of %s nor a signature passes for "
		    "%s; sign with a published key of %s, or use it in MAIL FROM with an SPF "
		    "record that passes",
		    f->spf_domain[0] != '\0' ? f->spf_domain : "MAIL FROM", f->from_domain,
		    f->from_domain);
	else if (best == CHANCE_DNS)
		say(out, ALIGNMENT_DNS, "DNS gives no answer whether this mail passes DMARC");
	else if (best == CHANCE_NOT_YET)
		say(out, ALIGNMENT_UNKNOWN, "%s has not been looked up yet", f->from_domain);
}

void
preflight_judge(
    const struct preflight_facts *facts, struct preflight_finding out[PREFLIGHT_AREAS])
{
	for (size_t i = 0; i < PREFLIGHT_AREAS; i++)
		out[i] = (struct preflight_finding){ .kind = PREFLIGHT_WELL };
	judge_spf(facts, &out[PREFLIGHT_SPF]);
	judge_dkim(facts, &out[PREFLIGHT_DKIM]);
	judge_dmarc(facts, &out[PREFLIGHT_DMARC]);
	judge_alignment(facts, &out[PREFLIGHT_ALIGNMENT]);
}
