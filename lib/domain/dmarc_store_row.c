/* SPDX-License-Identifier: MPL-2.0 */
/*
 * From a DMARC outcome to the texts of a row. Everything that a report tells apart is in them,
 * nothing else: no addresses of people, no content.
 */
#include "lib/domain/dmarc_store_row.h"

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/mail/domain_name.h"

#define ROW_MAX (64 * 1024) /* octets; what the texts' own caps add up to is far less */
#define WHY_MAX 120	    /* octets of an explanation */

/* A row while it is made: its texts behind each other, each with a NUL. */
struct making {
	struct buf texts;
	size_t at[DMARC_TEXTS];
	bool fits;
};

static void
add_char(struct making *m, char c)
{
	m->fits = m->fits && buf_add_char(&m->texts, c);
}

/* add_clean - text of a peer, or of ours: no controls, max octets at most, no half character.
 */
static void
add_clean(struct making *m, const char *text, size_t max)
{
	struct view v = view_of(text);

	if (v.len > max) {
		v.len = max;
		while (v.len > 0 && ((unsigned char)v.p[v.len] & 0xc0) == 0x80)
			v.len--;
	}
	for (size_t i = 0; i < v.len; i++) {
		const unsigned char c = (unsigned char)v.p[i];

		add_char(m, c < 0x20 || c == 0x7f ? '?' : (char)c);
	}
}

static void
begin_text(struct making *m, enum dmarc_text which)
{
	m->at[which] = m->texts.len;
}

static void
add_text(struct making *m, enum dmarc_text which, const char *text)
{
	begin_text(m, which);
	add_clean(m, text, DMARC_TEXT_MAX);
	add_char(m, '\0');
}

static const char *
one_of(const char *text, const char *const *known, size_t count, const char *otherwise)
{
	for (size_t i = 0; text != NULL && i < count; i++) {
		if (strcmp(text, known[i]) == 0)
			return known[i];
	}
	return otherwise;
}

static void
add_verdict(struct making *m, const struct dmarc_store_row *row)
{
	static const char *const dispositions[] = { "none", "pass", "quarantine", "reject" };
	static const char *const overrides[] = { "local_policy", "mailing_list", "other",
		"policy_test_mode", "trusted_forwarder" };
	const struct dmarc_outcome *o = row->outcome;

	add_text(m, DMARC_DISPOSITION,
	    one_of(row->disposition, dispositions, ARRAY_LEN(dispositions), "none"));
	add_text(m, DMARC_DKIM_ALIGNED, o->dkim_aligned ? "pass" : "fail");
	add_text(m, DMARC_SPF_ALIGNED, o->spf_aligned ? "pass" : "fail");
	add_text(m, DMARC_OVERRIDE_TYPE,
	    row->override_type == NULL
		? ""
		: one_of(row->override_type, overrides, ARRAY_LEN(overrides), "other"));
	add_text(m, DMARC_OVERRIDE_COMMENT, row->override_comment);
}

static void
add_policy(struct making *m, const struct dmarc_record *r)
{
	const enum dmarc_policy sp = r->has_sp ? r->sp : r->p;
	const enum dmarc_policy policies[] = { r->p, sp, r->has_np ? r->np : sp };

	begin_text(m, DMARC_POLICY);
	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		static const char *const names[] = { [DMARC_P_NONE] = "none",
			[DMARC_P_QUARANTINE] = "quarantine",
			[DMARC_P_REJECT] = "reject" };

		add_clean(m, names[policies[i]], DMARC_TEXT_MAX);
		add_char(m, ' ');
	}
	add_char(m, r->adkim_strict ? 's' : 'r');
	add_char(m, ' ');
	add_char(m, r->aspf_strict ? 's' : 'r');
	add_char(m, ' ');
	add_char(m, r->is_testing ? 'y' : 'n');
	add_char(m, '\0');
}

/* add_result - domain, (selector,) result, and why it is no pass. */
static void
add_result(struct making *m, const struct authres *r, const char *selector)
{
	add_clean(m, r->domain, DMARC_TEXT_MAX);
	add_char(m, DMARC_PART_END);
	if (selector != NULL) {
		add_clean(m, selector, DMARC_TEXT_MAX);
		add_char(m, DMARC_PART_END);
	}
	add_clean(m, authres_result_name(r->result), DMARC_TEXT_MAX);
	add_char(m, DMARC_PART_END);
	if (r->result != AUTHRES_PASS)
		add_clean(m, r->reason, WHY_MAX);
	add_char(m, DMARC_RESULT_END);
}

static void
add_spf(struct making *m, const struct dmarc_store_row *row)
{
	begin_text(m, DMARC_SPF);
	for (size_t i = 0; i < row->result_count; i++) {
		const struct authres *r = &row->results[i];

		if (r->method == AUTHRES_SPF && r->is_for_dmarc && r->domain != NULL &&
		    r->domain[0] != '\0') {
			add_result(m, r, NULL);
			break;
		}
	}
	add_char(m, '\0');
}

/* What comes first when there are more signatures than a row has room for (RFC 9990 3.1.3). */
static unsigned
signature_rank(const struct dmarc_outcome *o, const struct authres *r)
{
	const char *organization = o->found.organizational_domain;

	if (r->result != AUTHRES_PASS)
		return 3;
	if (strcmp(r->domain, o->from_domain) == 0)
		return 0;
	return organization != NULL && domain_is_below(r->domain, organization) ? 1 : 2;
}

static bool
is_signature(const struct authres *r)
{
	return r->method == AUTHRES_DKIM && r->domain != NULL && r->domain[0] != '\0';
}

static void
add_dkim(struct making *m, const struct dmarc_store_row *row)
{
	size_t count = 0;

	begin_text(m, DMARC_DKIM);
	for (unsigned rank = 0; rank <= 3; rank++) {
		for (size_t i = 0; i < row->result_count; i++) {
			const struct authres *r = &row->results[i];
			const char *selector;

			if (!is_signature(r) || signature_rank(row->outcome, r) != rank ||
			    count++ >= DMARC_SIGNATURES_MAX)
				continue;
			selector = authres_property(r, "header", "s");
			add_result(m, r, selector != NULL ? selector : "");
		}
	}
	add_char(m, '\0');
}

static struct dmarc_row *
seal(const struct making *m, int64_t at)
{
	struct dmarc_row *row = mem_alloc(sizeof(*row) + m->texts.len);
	char *texts = (char *)(row + 1);

	memcpy(texts, m->texts.p, m->texts.len);
	row->next = NULL;
	row->at = at;
	for (int i = 0; i < DMARC_TEXTS; i++)
		row->text[i] = texts + m->at[i];
	return row;
}

struct dmarc_row *
dmarc_row_create(const struct dmarc_store_row *row)
{
	const struct dmarc_policy_found *found = &row->outcome->found;
	struct making m = { .fits = true };
	struct dmarc_row *made = NULL;
	char domain[DOMAIN_NAME_MAX];

	/* The name stands in file names and Message-IDs: nothing but a plain one is good. */
	if (found->record.rua_count == 0 || found->policy_domain == NULL ||
	    row->outcome->from_domain == NULL || row->at < 0 ||
	    !domain_to_ascii(view_of(found->policy_domain), domain))
		return NULL;
	buf_init(&m.texts, ROW_MAX);
	add_text(&m, DMARC_POLICY_DOMAIN, domain);
	add_text(&m, DMARC_HEADER_FROM, row->outcome->from_domain);
	add_text(&m, DMARC_SOURCE_IP, row->client);
	add_verdict(&m, row);
	add_text(&m, DMARC_ENVELOPE_FROM, row->envelope_from);
	add_text(&m, DMARC_ENVELOPE_TO, row->envelope_to);
	add_spf(&m, row);
	add_dkim(&m, row);
	add_policy(&m, &found->record);
	if (m.fits)
		made = seal(&m, row->at);
	buf_finish(&m.texts);
	return made;
}
