/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Aggregate reports of hostile rows. Input: texts with a NUL between them; they fill a row as a
 * reader would hand it out, and an outcome as the gate would record it. Invariants: the
 * document is well-formed (tags nest, only the five entities, valid UTF-8 without forbidden
 * characters); the same row gives the same octets; what is put into the file has no controls
 * but the marks between the parts of a result, and as many of those as there must be.
 */
#include "lib/base/mem.h"
#include "lib/domain/dmarc_report.h"
#include "lib/domain/dmarc_store_row.h"

#include <stdio.h>
#include <stdlib.h>

#define DEPTH_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* ---- a tiny reader of XML: elements without attributes but at the root, text ---- */

struct scan {
	struct view open[DEPTH_MAX];
	size_t depth, elements;
};

static struct view
read_tag(struct scan *s, struct view rest)
{
	const size_t end = view_find(rest, '>');
	const bool is_end = rest.len > 1 && rest.p[1] == '/';

	check(end < rest.len, "a tag ends");
	struct view name = view_make(rest.p + 1 + is_end, end - 1 - is_end);
	name.len = view_find(name, ' ');
	for (size_t i = 0; i < name.len; i++)
		check(name.p[i] == '_' || ascii_is_alnum(name.p[i]), "the name of an element");
	if (is_end) {
		check(s->depth > 0 && view_eq(s->open[s->depth - 1], name), "tags nest");
		s->depth--;
	} else {
		check(s->depth < DEPTH_MAX && name.len > 0, "depth");
		s->open[s->depth++] = name;
		s->elements++;
	}
	return view_from(rest, end + 1);
}

static size_t
entity_length(struct view rest)
{
	static const char *const known[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&apos;" };

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (view_starts(rest, view_of(known[i])))
			return strlen(known[i]);
	}
	return 0;
}

static void
check_code_point(uint32_t code, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

	check(code >= least[len], "the least form");
	check(code <= 0x10ffff && (code < 0xd800 || code > 0xdfff), "a character");
	check(code != 0xfffe && code != 0xffff, "no non-character that XML forbids");
	check(code >= 0x20 || code == '\n', "no control");
}

static size_t
character_length(struct view rest)
{
	const unsigned char first = (unsigned char)rest.p[0];
	const size_t len = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	uint32_t code = len == 1 ? first : first & (0x7fu >> len);

	check(first < 0x80 || (first >= 0xc2 && first <= 0xf4), "a first octet of UTF-8");
	check(len <= rest.len, "a whole character");
	for (size_t i = 1; i < len; i++) {
		check(((unsigned char)rest.p[i] & 0xc0) == 0x80, "a following octet");
		code = code << 6 | ((unsigned char)rest.p[i] & 0x3f);
	}
	check_code_point(code, len);
	return len;
}

static size_t
check_document(struct view xml)
{
	static const char head[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
	struct scan s = { .depth = 0 };

	check(view_starts(xml, view_of(head)), "the declaration");
	xml = view_from(xml, strlen(head));
	while (xml.len > 0) {
		if (xml.p[0] == '<') {
			xml = read_tag(&s, xml);
			continue;
		}
		const size_t entity = entity_length(xml);
		check(xml.p[0] != '&' || entity > 0, "an entity");
		check(s.depth > 0 || xml.p[0] == '\n', "text stands in an element");
		xml = view_from(xml, entity > 0 ? entity : character_length(xml));
	}
	check(s.depth == 0, "every element is closed");
	return s.elements;
}

/* ---- rows ---- */

#define TEXTS_MAX 40

struct texts {
	char *text[TEXTS_MAX];
	size_t count, next;
};

static const char *
next_text(struct texts *t)
{
	return t->count == 0 ? "" : t->text[t->next++ % t->count];
}

static void
read_texts(struct texts *t, struct view rest)
{
	struct view one;

	*t = (struct texts){ .count = 0 };
	while (t->count < TEXTS_MAX && view_split(&rest, '\0', &one))
		t->text[t->count++] = mem_strndup(one.p, one.len);
}

static void
check_report(struct texts *t, int64_t count)
{
	const struct dmarc_report_head head = { .org_name = next_text(t),
		.email = "r@example.net",
		.contact = next_text(t),
		.receiver = "mx.example.net",
		.policy_domain = "example.com",
		.store_id = "1a2b3c4d",
		.generator = next_text(t),
		.day = 20781 };
	const struct dmarc_published published = { "none", "none", "none", "r", "r", "n" };
	struct dmarc_group g = { .count = count,
		.source_ip = next_text(t),
		.header_from = next_text(t),
		.envelope_from = next_text(t),
		.envelope_to = next_text(t),
		.disposition = next_text(t),
		.dkim_aligned = next_text(t),
		.spf_aligned = next_text(t),
		.override_type = next_text(t),
		.override_comment = next_text(t),
		.spf = { next_text(t), "", next_text(t), next_text(t) },
		.spf_count = t->count % 2,
		.dkim_count = t->count % (DMARC_GROUP_CHECKS_MAX + 1) };
	struct dmarc_report report;
	struct buf xml, again;

	for (size_t i = 0; i < g.dkim_count; i++)
		g.dkim[i] = (struct dmarc_check){ next_text(t), next_text(t), next_text(t),
			next_text(t) };
	dmarc_report_init(&report, 2);
	buf_init(&xml, DMARC_REPORT_XML_MAX);
	buf_init(&again, DMARC_REPORT_XML_MAX);
	for (int i = 0; i < 3; i++)
		check(dmarc_report_add(&report, &g), "an iteration goes on");
	check(report.rows == 2 && report.left_out == 1, "rows are counted");
	check(dmarc_report_write(&report, &head, &published, &xml) &&
		  dmarc_report_write(&report, &head, &published, &again),
	    "it fits");
	check(view_eq(buf_view(&xml), buf_view(&again)), "the same octets");
	check(check_document(buf_view(&xml)) > 30, "elements");
	buf_finish(&xml);
	buf_finish(&again);
	dmarc_report_finish(&report);
}

static size_t
count_of(const char *text, char c)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += *text == c;
	return n;
}

static void
check_stored(const struct dmarc_row *row, size_t signatures)
{
	for (int i = 0; i < DMARC_TEXTS; i++) {
		for (const char *p = row->text[i]; *p != '\0'; p++)
			check((unsigned char)*p >= 0x20 || *p == DMARC_PART_END ||
				  *p == DMARC_RESULT_END,
			    "no control");
		check(i >= DMARC_SPF || (count_of(row->text[i], DMARC_PART_END) == 0 &&
					    strlen(row->text[i]) <= DMARC_TEXT_MAX),
		    "a text is one");
	}
	check(count_of(row->text[DMARC_DKIM], DMARC_RESULT_END) == signatures, "signatures");
	check(count_of(row->text[DMARC_DKIM], DMARC_PART_END) == 3 * signatures, "parts");
}

static void
check_row(struct texts *t)
{
	struct authres results[20];
	const size_t count = t->count % ARRAY_LEN(results);
	size_t signatures = 0;
	struct dmarc_outcome outcome = { .from_domain = next_text(t) };

	for (size_t i = 0; i < count; i++) {
		struct authres *r = &results[i];

		*r = (struct authres){ .method = i == 0 ? AUTHRES_SPF : AUTHRES_DKIM,
			.result = (enum authres_result)(i % 8) };
		r->domain = next_text(t);
		r->is_for_dmarc = true;
		r->reason = next_text(t);
		r->properties[0] = (struct authres_property){ "header", "s", next_text(t) };
		r->property_count = i % 2;
		signatures += i > 0 && results[i].domain[0] != '\0';
	}
	outcome.found.policy_domain = "example.com";
	outcome.found.organizational_domain = next_text(t);
	outcome.found.record.rua_count = 1;
	const struct dmarc_store_row in = { .at = 1795478400,
		.client = next_text(t),
		.outcome = &outcome,
		.disposition = next_text(t),
		.override_type = next_text(t),
		.override_comment = next_text(t),
		.envelope_from = next_text(t),
		.envelope_to = next_text(t),
		.results = results,
		.result_count = count };
	struct dmarc_row *row = dmarc_row_create(&in);
	check(row != NULL, "it is kept");
	check_stored(
	    row, signatures < DMARC_SIGNATURES_MAX ? signatures : DMARC_SIGNATURES_MAX);
	mem_free(row);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct texts t;

	read_texts(&t, view_make((const char *)data, size));
	check_report(&t, (int64_t)size);
	t.next = 0;
	check_row(&t);
	for (size_t i = 0; i < t.count; i++)
		mem_free(t.text[i]);
	return 0;
}
