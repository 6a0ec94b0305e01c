/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Hostile DNS answers and identifiers into the DMARC engine. Input: a line of From domains, a
 * line of results ("sp example.com": method, result, domain), then lines that serve as DNS
 * answers: which one a name gets is the name's own affair, so that every name has one answer. A
 * line is TXT records with "|" between them, or begins with "?" (no answer), "!" (NXDOMAIN) or
 * "-" (no data).
 *
 * Invariants: the number of queries is bounded, no question is asked twice; a pass has an
 * aligned result that passed; without trouble there is no temperror; t=y only makes it milder;
 * a record that is printed from what was read reads the same.
 */
#include "lib/base/buf.h"
#include "lib/domain/dmarc.h"
#include "lib/mail/domain_name.h"

#include <stdio.h>
#include <stdlib.h>

#define LINES_MAX   16
#define RESULTS_MAX 8
#define ASKED_MAX   256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct dns_source source;
	struct view lines[LINES_MAX];
	size_t line_count;
	char asked[ASKED_MAX][DNS_NAME_MAX + 8];
	size_t asked_count;
	bool has_tempfail;
};

static void
check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static void
note_question(struct world *w, const char *name, enum dns_type type)
{
	char key[sizeof(w->asked[0])];

	snprintf(key, sizeof(key), "%d %s", (int)type, name);
	for (size_t i = 0; i < w->asked_count; i++)
		check(strcmp(w->asked[i], key) != 0, "no question is asked twice");
	check(w->asked_count < ASKED_MAX, "questions are bounded");
	memcpy(w->asked[w->asked_count++], key, sizeof(key));
}

static void
answer_records(struct view line, struct arena *arena, struct dns_answer *out)
{
	struct view record;

	out->records = arena_alloc(arena, DNS_RECORDS_MAX * sizeof(*out->records));
	while (out->count < DNS_RECORDS_MAX && view_split(&line, '|', &record))
		out->records[out->count++].data = record;
	out->status = DNS_FOUND;
}

static void
world_query(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_answer *out)
{
	struct world *w = context;
	unsigned hash = (unsigned)type;

	(void)deadline_ms;
	*out = (struct dns_answer){ .status = DNS_NXDOMAIN };
	note_question(w, name, type);
	for (const char *c = name; *c != '\0'; c++)
		hash = hash * 31 + (unsigned char)*c;
	if (w->line_count == 0)
		return;
	const struct view line = w->lines[hash % w->line_count];

	if (line.len == 0 || line.p[0] == '!')
		return;
	if (line.p[0] == '?') {
		out->status = DNS_TEMPFAIL;
		w->has_tempfail = true;
	} else if (line.p[0] == '-')
		out->status = DNS_NODATA;
	else
		answer_records(line, arena, out);
}

static size_t
read_domains(struct view line, struct arena *arena, const char *out[DMARC_FROM_MAX + 1])
{
	char ascii[DOMAIN_NAME_MAX];
	struct view word;
	size_t count = 0;

	while (count <= DMARC_FROM_MAX && view_split(&line, ' ', &word)) {
		bool is_new = domain_to_ascii(word, ascii);

		for (size_t i = 0; i < count; i++)
			is_new = is_new && strcmp(out[i], ascii) != 0;
		if (is_new)
			out[count++] = arena_strdup(arena, view_of(ascii));
	}
	return count;
}

static size_t
read_results(struct view line, struct arena *arena, struct authres out[RESULTS_MAX])
{
	char ascii[DOMAIN_NAME_MAX];
	struct view kind, domain;
	size_t count = 0;

	while (count < RESULTS_MAX && view_split(&line, ' ', &kind) &&
	       view_split(&line, ' ', &domain)) {
		const bool is_spf = kind.len > 0 && (kind.p[0] | 0x20) == 's';

		out[count++] = (struct authres){
			.method = is_spf ? AUTHRES_SPF : AUTHRES_DKIM,
			.result = kind.len > 1 && kind.p[1] == 'p'   ? AUTHRES_PASS
				  : kind.len > 1 && kind.p[1] == 't' ? AUTHRES_TEMPERROR
								     : AUTHRES_FAIL,
			.domain = domain_to_ascii(domain, ascii)
				      ? arena_strdup(arena, view_of(ascii))
				      : "",
			.is_for_dmarc = kind.len > 0 && kind.p[0] != 'S',
		};
	}
	return count;
}

/* Records */

static void
print_record(const struct dmarc_record *r, struct buf *out)
{
	static const char *const psd[] = { "u", "y", "n" };
	bool ok = buf_printf(out, "v=DMARC1; adkim=%s; aspf=%s; t=%s; psd=%s",
	    r->adkim_strict ? "s" : "r", r->aspf_strict ? "s" : "r", r->is_testing ? "y" : "n",
	    psd[r->psd]);

	if (r->has_p)
		ok &= buf_printf(out, "; p=%s", dmarc_policy_name(r->p));
	if (r->has_sp)
		ok &= buf_printf(out, "; sp=%s", dmarc_policy_name(r->sp));
	if (r->has_np)
		ok &= buf_printf(out, "; np=%s", dmarc_policy_name(r->np));
	for (size_t i = 0; i < r->rua_count; i++)
		ok &= buf_printf(out, "%s%s", i == 0 ? "; rua=" : ",", r->rua[i]);
	check(ok, "a record fits");
}

static void
check_same(const struct dmarc_record *a, const struct dmarc_record *b)
{
	check(a->p == b->p && a->sp == b->sp && a->np == b->np, "policies survive");
	check(a->has_p == b->has_p && a->has_sp == b->has_sp && a->has_np == b->has_np,
	    "tags survive");
	check(a->adkim_strict == b->adkim_strict && a->aspf_strict == b->aspf_strict,
	    "alignment survives");
	check(a->psd == b->psd && a->is_testing == b->is_testing, "psd and t survive");
	check(a->rua_count == b->rua_count, "addresses survive");
	for (size_t i = 0; i < a->rua_count; i++)
		check(strcmp(a->rua[i], b->rua[i]) == 0, "each address survives");
}

static void
check_record(struct view txt, struct arena *arena)
{
	struct dmarc_record first, second;
	const char *why;
	struct buf text;
	enum dmarc_parse parse = dmarc_record_parse(txt, arena, &first, &why);

	if (parse == DMARC_NOT_A_RECORD)
		return;
	check(txt.len >= 8 && (txt.p[0] | 0x20) == 'v', "a record begins with v");
	check(first.rua_count <= DMARC_URIS_MAX, "addresses are capped");
	check(parse == DMARC_RECORD || (first.p == DMARC_P_NONE && first.rua_count == 0),
	    "only without p and rua is there no policy");
	buf_init(&text, txt.len + 200);
	print_record(&first, &text);
	check(dmarc_record_parse(buf_view(&text), arena, &second, &why) == parse,
	    "what was printed parses alike");
	check_same(&first, &second);
	buf_finish(&text);
}

/* Outcomes */

static void
check_pass(const struct dmarc_request *request, const struct dmarc_outcome *out)
{
	bool found = false;

	check(out->spf_aligned || out->dkim_aligned, "a pass has an aligned method");
	for (size_t i = 0; i < request->result_count; i++) {
		const struct authres *r = &request->results[i];
		const bool is_spf = r->method == AUTHRES_SPF;
		const bool strict =
		    is_spf ? out->found.record.aspf_strict : out->found.record.adkim_strict;
		const char *organizational = out->found.organizational_domain;

		found |= r->is_for_dmarc && r->result == AUTHRES_PASS &&
			 (is_spf ? out->spf_aligned : out->dkim_aligned) &&
			 (strcmp(r->domain, out->from_domain) == 0 ||
			     (!strict && organizational[0] != '\0' &&
				 domain_is_below(r->domain, organizational)));
	}
	check(found, "a pass has a result that passed and is aligned");
}

static void
check_outcome(struct world *w, const struct dmarc_request *request, struct arena *arena)
{
	struct dmarc_outcome out;
	bool has_trouble = false;

	w->asked_count = 0;
	w->has_tempfail = false;
	dmarc_evaluate(request, arena, &out);
	check(out.found.queries == w->asked_count, "queries are counted");
	check(w->asked_count <= request->from_count * (DMARC_WALK_MAX + 1) +
				    request->result_count * DMARC_WALK_MAX,
	    "queries are bounded");
	for (size_t i = 0; i < request->result_count; i++)
		has_trouble |= request->results[i].result == AUTHRES_TEMPERROR;
	check(out.result != AUTHRES_TEMPERROR || has_trouble || w->has_tempfail,
	    "no temperror without trouble");
	check(out.policy <= out.requested_policy, "t=y never makes it stricter");
	check((out.found.status == DMARC_FOUND) == (out.policy_tag[0] != '\0'),
	    "a policy comes from a record");
	check(out.result != AUTHRES_FAIL || out.found.status == DMARC_FOUND,
	    "a fail has a record");
	check(memchr(out.reason, '\0', sizeof(out.reason)) != NULL, "a reason ends");
	if (out.result == AUTHRES_PASS)
		check_pass(request, &out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view rest = view_make((const char *)data, size), from_line, result_line, line;
	const char *from[DMARC_FROM_MAX + 1];
	struct authres results[RESULTS_MAX];
	struct world w = { .source = { .query = world_query, .context = &w } };
	struct arena arena;

	if (size == 0 || !view_split(&rest, '\n', &from_line) ||
	    !view_split(&rest, '\n', &result_line))
		return 0;
	arena_init(&arena);
	while (w.line_count < LINES_MAX && view_split(&rest, '\n', &line))
		w.lines[w.line_count++] = line;
	for (size_t i = 0; i < w.line_count; i++)
		check_record(w.lines[i], &arena);
	const struct dmarc_request request = {
		.dns = &w.source,
		.deadline_ms = 1000,
		.from_domains = from,
		.from_count = read_domains(from_line, &arena, from),
		.results = results,
		.result_count = read_results(result_line, &arena, results),
	};
	check_outcome(&w, &request, &arena);
	arena_finish(&arena);
	return 0;
}
