/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The XML of a report. The schema (appendix A) knows sets of values for most elements: one that
 * is not in its set becomes a harmless member, since one bad record makes consumers discard the
 * whole document. Text becomes valid UTF-8 without the characters that XML forbids.
 */
#include "lib/domain/dmarc_report.h"

#include "lib/domain/dmarc_xml.h"

#include <stdio.h>

#define DAY_S	 86400
#define TEXT_MAX 1024 /* octets of one element; the store cuts earlier */

static const char *const dispositions[] = { "none", "pass", "quarantine", "reject", NULL };
static const char *const policies[] = { "none", "quarantine", "reject", NULL };
static const char *const verdicts[] = { "fail", "pass", NULL };
static const char *const overrides[] = { "other", "local_policy", "mailing_list",
	"policy_test_mode", "trusted_forwarder", NULL };
static const char *const alignments[] = { "r", "s", NULL };
static const char *const answers[] = { "n", "y", NULL };
static const char *const dkim_results[] = { "none", "pass", "fail", "policy", "neutral",
	"temperror", "permerror", NULL };
static const char *const spf_results[] = { "none", "pass", "fail", "softfail", "policy",
	"neutral", "temperror", "permerror", NULL };

/* member_of - text if it is in the set, the set's first member otherwise. */
static const char *
member_of(const char *const *set, const char *text)
{
	for (size_t i = 0; set[i] != NULL; i++) {
		if (strcmp(set[i], text) == 0)
			return set[i];
	}
	return set[0];
}

static void
add_element(struct xml *x, const char *name, const char *text)
{
	xml_element(x, name, view_of(text), TEXT_MAX);
}

static void
add_number(struct xml *x, const char *name, int64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)number);
	add_element(x, name, text);
}

/* add_optional - an element that may be missing: it is when it would be empty. */
static void
add_optional(struct xml *x, const char *name, const char *text)
{
	if (text != NULL && text[0] != '\0')
		add_element(x, name, text);
}

static void
add_reason(struct xml *x, const struct dmarc_group *g)
{
	if (g->override_type[0] == '\0')
		return;
	xml_open(x, "reason");
	add_element(x, "type", member_of(overrides, g->override_type));
	add_optional(x, "comment", g->override_comment);
	xml_close(x, "reason");
}

static void
add_row(struct xml *x, const struct dmarc_group *g)
{
	xml_open(x, "row");
	add_element(x, "source_ip", g->source_ip);
	add_number(x, "count", g->count);
	xml_open(x, "policy_evaluated");
	add_element(x, "disposition", member_of(dispositions, g->disposition));
	add_element(x, "dkim", member_of(verdicts, g->dkim_aligned));
	add_element(x, "spf", member_of(verdicts, g->spf_aligned));
	add_reason(x, g);
	xml_close(x, "policy_evaluated");
	xml_close(x, "row");
}

static void
add_identifiers(struct xml *x, const struct dmarc_group *g)
{
	xml_open(x, "identifiers");
	add_element(x, "header_from", g->header_from);
	add_element(x, "envelope_from", g->envelope_from); /* empty: the null reverse-path */
	add_optional(x, "envelope_to", g->envelope_to);
	xml_close(x, "identifiers");
}

static void
add_auth_results(struct xml *x, const struct dmarc_group *g)
{
	xml_open(x, "auth_results");
	for (size_t i = 0; i < g->dkim_count; i++) {
		xml_open(x, "dkim");
		add_element(x, "domain", g->dkim[i].domain);
		add_element(x, "selector", g->dkim[i].selector);
		add_element(x, "result", member_of(dkim_results, g->dkim[i].result));
		add_optional(x, "human_result", g->dkim[i].why);
		xml_close(x, "dkim");
	}
	if (g->spf_count > 0) {
		xml_open(x, "spf");
		add_element(x, "domain", g->spf.domain);
		add_element(x, "scope", "mfrom");
		add_element(x, "result", member_of(spf_results, g->spf.result));
		add_optional(x, "human_result", g->spf.why);
		xml_close(x, "spf");
	}
	xml_close(x, "auth_results");
}

void
dmarc_report_init(struct dmarc_report *r, size_t rows_max)
{
	*r = (struct dmarc_report){ .rows_max = rows_max };
	/* Room for what stands around the records. */
	buf_init(&r->records, DMARC_REPORT_XML_MAX - (64 << 10));
}

void
dmarc_report_finish(struct dmarc_report *r)
{
	buf_finish(&r->records);
}

bool
dmarc_report_add(void *report, const struct dmarc_group *row)
{
	struct dmarc_report *r = report;
	struct xml x = { .out = &r->records, .depth = 1, .fits = true };
	const size_t before = r->records.len;

	if (r->rows >= r->rows_max) {
		r->left_out++;
		return true;
	}
	xml_open(&x, "record");
	add_row(&x, row);
	add_identifiers(&x, row);
	add_auth_results(&x, row);
	xml_close(&x, "record");
	if (!x.fits) {
		r->records.len = before; /* all of a record, or nothing */
		r->rows_max = r->rows;
		r->left_out++;
		return true;
	}
	r->rows++;
	r->messages += row->count;
	return true;
}

static void
add_metadata(struct xml *x, const struct dmarc_report *r, const struct dmarc_report_head *head)
{
	char id[DMARC_REPORT_ID_MAX], left_out[96];

	dmarc_report_id(head, id);
	xml_open(x, "report_metadata");
	add_element(x, "org_name", head->org_name);
	add_element(x, "email", head->email);
	add_optional(x, "extra_contact_info", head->contact);
	add_element(x, "report_id", id);
	xml_open(x, "date_range");
	add_number(x, "begin", head->day * DAY_S);
	add_number(x, "end", head->day * DAY_S + DAY_S - 1);
	xml_close(x, "date_range");
	if (r->left_out > 0) {
		snprintf(left_out, sizeof(left_out),
		    "%zu more records were left out: the report would be too large",
		    r->left_out);
		add_element(x, "error", left_out);
	}
	add_optional(x, "generator", head->generator);
	xml_close(x, "report_metadata");
}

static void
add_policy(struct xml *x, const char *domain, const struct dmarc_published *p)
{
	xml_open(x, "policy_published");
	add_element(x, "domain", domain);
	add_element(x, "discovery_method", "treewalk");
	add_element(x, "p", member_of(policies, p->p));
	add_element(x, "sp", member_of(policies, p->sp));
	add_element(x, "np", member_of(policies, p->np));
	add_element(x, "adkim", member_of(alignments, p->adkim));
	add_element(x, "aspf", member_of(alignments, p->aspf));
	add_element(x, "testing", member_of(answers, p->testing));
	xml_close(x, "policy_published");
}

bool
dmarc_report_write(const struct dmarc_report *r, const struct dmarc_report_head *head,
    const struct dmarc_published *published, struct buf *xml)
{
	struct xml x = { .out = xml, .depth = 1, .fits = true };

	x.fits = buf_add_str(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
				  "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n");
	add_element(&x, "version", "1.0");
	add_metadata(&x, r, head);
	add_policy(&x, head->policy_domain, published);
	return x.fits && buf_add_view(xml, buf_view(&r->records)) &&
	       buf_add_str(xml, "</feedback>\n");
}
