/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DNS answers into SPF. The first line is "CLIENT HELO LOCAL DOMAIN"; every further one is a
 * record of a zone: a letter for its type (T A 6 M P, or "!" for "no answer"), a name ("*":
 * any), the data.
 *
 * Invariants: whatever libspf2 makes of the rewritten records, a plain reading of the records
 * term by term makes the same of them; no more queries than the budget; texts are printable
 * ASCII within their caps; errors, and only they, have a problem; what decided is named.
 */
#include "lib/base/clock.h"
#include "lib/domain/spf_private.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#define QUERIES_MAX (1 + SPF_TERMS_MAX * (1 + SPF_MX_NAMES_MAX) + 1 + SPF_PTR_NAMES_MAX + 1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct zone {
	struct view text;
	unsigned queries;
};

static void
check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* ---- the source ---- */

static char
letter_of(enum dns_type type)
{
	switch (type) {
	case DNS_A:
		return 'A';
	case DNS_AAAA:
		return '6';
	case DNS_MX:
		return 'M';
	case DNS_PTR:
		return 'P';
	default:
		return 'T';
	}
}

/* A name as lib/net/dns.h promises it. */
static struct view
plain_name(struct view v, struct arena *arena)
{
	char *text = arena_alloc(arena, v.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < v.len && len < DNS_NAME_MAX - 1; i++) {
		const char c = ascii_lower(v.p[i]);

		text[len++] =
		    (char)(ascii_is_alnum(c) || memchr("-_.\\", c, 4) != NULL ? c : 'x');
	}
	return len > 0 ? view_make(text, len) : view_make(".", 1);
}

static bool
record_data(enum dns_type type, struct view v, struct arena *arena, struct view *out)
{
	char text[64], octets[16];

	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		if (!view_copy(v, text, sizeof(text)) ||
		    inet_pton(type == DNS_A ? AF_INET : AF_INET6, text, octets) != 1)
			return false;
		*out = arena_view(arena, view_make(octets, type == DNS_A ? 4 : 16));
		return true;
	case DNS_MX:
	case DNS_PTR:
		*out = plain_name(v, arena);
		return true;
	default:
		*out = arena_view(arena, v);
		return true;
	}
}

static void
zone_query(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_answer *out)
{
	struct zone *zone = context;
	struct view rest = zone->text, line, word;

	(void)deadline_ms;
	zone->queries++;
	*out = (struct dns_answer){ .status = DNS_NXDOMAIN,
		.records = arena_alloc(arena, DNS_RECORDS_MAX * sizeof(*out->records)) };
	while (view_split(&rest, '\n', &line) && out->count < DNS_RECORDS_MAX) {
		const char letter = line.len > 2 ? line.p[0] : ' ';

		line = view_from(line, 2);
		if (!view_split(&line, ' ', &word) ||
		    (!view_eq_nocase(word, view_of(name)) && !view_eq(word, VIEW("*"))))
			continue;
		if (letter == '!') {
			*out = (struct dns_answer){ .status = DNS_TEMPFAIL };
			return;
		}
		if (line.p == NULL)
			line = VIEW("");
		if (letter == letter_of(type) &&
		    record_data(type, line, arena, &out->records[out->count].data))
			out->count++;
		out->status = out->count > 0 ? DNS_FOUND : DNS_NODATA;
	}
}

/* ---- a plain reading of the records, without libspf2 ---- */

static enum authres_result read_domain(struct spf_run *run, const char *domain, unsigned depth);

static enum authres_result
read_target(
    struct spf_run *run, const struct spf_frame *frame, struct view spec, unsigned depth)
{
	const char *target;
	enum authres_result result;

	if (!spf_count_term(run))
		return run->verdict;
	target = spf_target(run, frame, spec);
	if (target == NULL)
		return run->verdict;
	result = read_domain(run, target, depth + 1);
	return result == AUTHRES_NONE ? AUTHRES_PERMERROR : result;
}

static bool
is_error(enum authres_result result)
{
	return result == AUTHRES_PERMERROR || result == AUTHRES_TEMPERROR;
}

/* Does the term match? An error ends the evaluation. */
static bool
read_term(struct spf_run *run, const struct spf_frame *frame, const struct spf_term *term,
    unsigned depth, enum authres_result *error)
{
	enum authres_result result;
	bool matches;

	*error = AUTHRES_NONE;
	if (term->kind == SPF_ALL)
		return true;
	if (term->kind == SPF_IP4 || term->kind == SPF_IP6)
		return network_has(&term->network, &run->client);
	if (term->kind != SPF_INCLUDE) {
		matches = spf_term_matches(run, frame, term);
		if (run->is_stopped)
			*error = run->verdict;
		return matches;
	}
	result = read_target(run, frame, term->domain, depth);
	if (is_error(result))
		*error = result;
	return result == AUTHRES_PASS;
}

static enum authres_result
result_of(char qualifier)
{
	switch (qualifier) {
	case '+':
		return AUTHRES_PASS;
	case '-':
		return AUTHRES_FAIL;
	case '~':
		return AUTHRES_SOFTFAIL;
	default:
		return AUTHRES_NEUTRAL;
	}
}

static enum authres_result
read_record(struct spf_run *run, const struct spf_frame *frame, unsigned depth)
{
	enum authres_result error;

	for (size_t i = 0; i < frame->record.count; i++) {
		const struct spf_term *term = &frame->record.terms[i];
		const bool matches = read_term(run, frame, term, depth, &error);

		if (error != AUTHRES_NONE)
			return error;
		if (matches)
			return result_of(term->qualifier);
	}
	if (frame->record.redirect.len > 0)
		return read_target(run, frame, frame->record.redirect, depth);
	return AUTHRES_NEUTRAL;
}

static enum authres_result
read_domain(struct spf_run *run, const char *domain, unsigned depth)
{
	struct spf_frame frame = { .domain = domain };
	struct view text = VIEW("");
	struct dns_answer answer;
	char why[SPF_WHY_MAX];
	size_t count = 0;

	check(depth <= SPF_TERMS_MAX, "no deeper than the budget");
	spf_ask(run, domain, DNS_TXT, &answer);
	if (answer.status == DNS_TEMPFAIL)
		return AUTHRES_TEMPERROR;
	for (size_t i = 0; i < answer.count; i++) {
		if (spf_record_is_one(answer.records[i].data)) {
			text = answer.records[i].data;
			count++;
		}
	}
	if (count != 1)
		return count == 0 ? AUTHRES_NONE : AUTHRES_PERMERROR;
	if (!spf_record_parse(text, run->arena, &frame.record, why))
		return AUTHRES_PERMERROR;
	return read_record(run, &frame, depth);
}

static enum authres_result
read_plainly(const struct spf_request *request, const char *domain, struct arena *arena)
{
	struct spf_outcome ignored = { .domain = domain };
	struct spf_run run = {
		.request = request,
		.arena = arena,
		.out = &ignored,
		.client = *request->client,
		.values = {
			.local = request->local.len > 0 ? request->local : VIEW("postmaster"),
			.sender_domain = view_of(domain),
			.domain = view_of(domain),
			.helo = view_of(request->helo),
			.receiver = request->receiver,
			.now = request->now,
			.validated_name = spf_validated_name,
		},
	};

	run.values.client = &run.client;
	run.values.context = &run;
	return read_domain(&run, domain, 0);
}

/* ---- what holds ---- */

static void
check_text(const char *text, size_t room, char first, const char *what)
{
	check(memchr(text, '\0', room) != NULL, what);
	for (; *text != '\0'; text++)
		check(*text >= first && *text <= '~', what);
}

static void
check_outcome(const struct spf_outcome *out, const struct zone *zone)
{
	const bool has_result = out->result == AUTHRES_PASS || out->result == AUTHRES_FAIL ||
				out->result == AUTHRES_SOFTFAIL ||
				out->result == AUTHRES_NEUTRAL;

	check(out->queries == zone->queries, "every query is counted");
	check(zone->queries <= QUERIES_MAX, "no more queries than the budget");
	check(out->terms <= SPF_TERMS_MAX && out->voids <= SPF_VOIDS_MAX, "the budgets hold");
	check(has_result || is_error(out->result) || out->result == AUTHRES_NONE, "a result");
	check(is_error(out->result) == (out->problem[0] != '\0'), "errors have a problem");
	check(has_result == (out->mechanism[0] != '\0'), "what decided is named");
	check(
	    out->explanation[0] == '\0' || out->result == AUTHRES_FAIL, "fails are explained");
	check(strncmp(out->problem, "libspf2 ", 8) != 0, "the library takes what it gets");
	check_text(out->problem, sizeof(out->problem), ' ', "a problem is printable");
	check_text(out->mechanism, sizeof(out->mechanism), '!', "a mechanism is printable");
	check_text(out->explanation, sizeof(out->explanation), ' ', "printable explanations");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zone zone = { .text = view_make((const char *)data, size) };
	const struct dns_source source = { .query = zone_query, .context = &zone };
	struct sockaddr_storage client;
	struct view line, words[4] = { 0 };
	struct spf_outcome out;
	struct arena arena;
	char text[INET6_ADDRSTRLEN];

	arena_init(&arena);
	if (!view_split(&zone.text, '\n', &line))
		return 0;
	if (zone.text.p == NULL)
		zone.text = VIEW("");
	for (size_t i = 0; i < 4; i++) {
		if (!view_split(&line, ' ', &words[i]))
			words[i] = VIEW("");
	}
	if (!view_copy(words[0], text, sizeof(text)) || !address_from_host(text, 25, &client))
		(void)!address_from_host("192.0.2.1", 25, &client);
	address_fold(&client);
	const struct spf_request request = {
		.client = &client,
		.identity = SPF_MAIL_FROM,
		.helo = arena_strdup(&arena, words[1]),
		.local = words[2],
		.domain = words[3].len > 0 ? words[3] : VIEW("e.example"),
		.receiver = "gate.example",
		.now = 1000000000,
		.deadline_ms = CLOCK_NEVER,
		.dns = &source,
	};

	spf_evaluate(&request, &arena, &out);
	check_outcome(&out, &zone);
	if (out.domain[0] != '\0')
		check(read_plainly(&request, out.domain, &arena) == out.result,
		    "libspf2 and a plain reading agree");
	arena_finish(&arena);
	return 0;
}
