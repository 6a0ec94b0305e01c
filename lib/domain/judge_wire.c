/* SPDX-License-Identifier: MPL-2.0 */
/* Values of the judge's frames; see judge_wire.h. */
#include "lib/domain/judge_wire.h"

/* ---- one value ---- */

static bool
put_number(struct buf *out, int64_t number)
{
	return buf_add(out, &number, sizeof(number));
}

static bool
put_view(struct buf *out, struct view v)
{
	return put_number(out, (int64_t)v.len) && buf_add_view(out, v);
}

/* NULL is told from "". */
static bool
put_text(struct buf *out, const char *text)
{
	return text == NULL ? put_number(out, -1) : put_view(out, view_of(text));
}

/* What is left to be read; is_bad: something did not fit, and nothing else is read. */
struct reader {
	struct view rest;
	struct arena *arena;
	bool is_bad;
};

static int64_t
get_number(struct reader *r, int64_t least, int64_t most)
{
	int64_t number;

	if (r->is_bad || r->rest.len < sizeof(number)) {
		r->is_bad = true;
		return least;
	}
	memcpy(&number, r->rest.p, sizeof(number));
	r->rest = view_from(r->rest, sizeof(number));
	if (number >= least && number <= most)
		return number;
	r->is_bad = true;
	return least;
}

static struct view
get_view(struct reader *r)
{
	const size_t len = (size_t)get_number(r, 0, JUDGE_FRAME_MAX);

	if (r->is_bad || len > r->rest.len) {
		r->is_bad = true;
		return VIEW("");
	}
	const struct view v = view_make(r->rest.p, len);
	r->rest = view_from(r->rest, len);
	return v;
}

/* A copy without NULs inside. */
static const char *
get_text_or_null(struct reader *r)
{
	struct reader ahead = *r;
	struct view v;

	if (get_number(&ahead, -1, JUDGE_FRAME_MAX) == -1 && !ahead.is_bad) {
		*r = ahead;
		return NULL;
	}
	v = get_view(r);
	r->is_bad = r->is_bad || memchr(v.p, '\0', v.len) != NULL;
	return arena_strdup(r->arena, r->is_bad ? VIEW("") : v);
}

static const char *
get_text(struct reader *r)
{
	const char *text = get_text_or_null(r);

	r->is_bad = r->is_bad || text == NULL;
	return text != NULL ? text : "";
}

/* Printable ASCII only: what goes into replies and names. */
static const char *
get_plain(struct reader *r)
{
	const char *text = get_text(r);

	for (const char *p = text; *p != '\0'; p++)
		r->is_bad = r->is_bad || *p < ' ' || *p > '~';
	return text;
}

static void
get_array(struct reader *r, char *out, size_t room)
{
	const struct view v = view_of(get_plain(r));

	if (!view_copy(v, out, room))
		r->is_bad = true;
}

static bool
is_whole(const struct reader *r)
{
	return !r->is_bad && r->rest.len == 0;
}

/* ---- SPF ---- */

bool
judge_write_spf(struct buf *out, const struct spf_request *request)
{
	const struct view client =
	    view_make((const char *)request->client, sizeof(*request->client));

	return put_view(out, client) && put_number(out, request->identity) &&
	       put_text(out, request->helo) && put_view(out, request->local) &&
	       put_view(out, request->domain) && put_text(out, request->receiver) &&
	       put_number(out, request->now) && put_number(out, request->deadline_ms);
}

bool
judge_read_spf(struct view text, struct arena *arena, struct sockaddr_storage *client_out,
    struct spf_request *out)
{
	struct reader r = { .rest = text, .arena = arena };
	const struct view client = get_view(&r);

	*out = (struct spf_request){ .client = client_out };
	if (client.len != sizeof(*client_out))
		return false;
	memcpy(client_out, client.p, sizeof(*client_out));
	out->identity = (enum spf_identity)get_number(&r, SPF_HELO, SPF_MAIL_FROM);
	out->helo = get_text(&r);
	out->local = arena_view(arena, get_view(&r));
	out->domain = arena_view(arena, get_view(&r));
	out->receiver = get_text(&r);
	out->now = get_number(&r, INT64_MIN, INT64_MAX);
	out->deadline_ms = get_number(&r, 0, INT64_MAX);
	return is_whole(&r);
}

bool
judge_write_outcome(struct buf *out, const struct spf_outcome *outcome)
{
	return put_number(out, outcome->result) && put_text(out, outcome->domain) &&
	       put_text(out, outcome->mechanism) && put_text(out, outcome->problem) &&
	       put_text(out, outcome->explanation) && put_number(out, outcome->terms) &&
	       put_number(out, outcome->voids) && put_number(out, outcome->queries);
}

bool
judge_read_outcome(struct view text, struct arena *arena, struct spf_outcome *out)
{
	struct reader r = { .rest = text, .arena = arena };

	*out = (struct spf_outcome){ .domain = "" };
	out->result = (enum authres_result)get_number(&r, AUTHRES_NONE, AUTHRES_PERMERROR);
	out->domain = get_plain(&r);
	get_array(&r, out->mechanism, sizeof(out->mechanism));
	get_array(&r, out->problem, sizeof(out->problem));
	get_array(&r, out->explanation, sizeof(out->explanation));
	out->terms = (unsigned)get_number(&r, 0, UINT16_MAX);
	out->voids = (unsigned)get_number(&r, 0, UINT16_MAX);
	out->queries = (unsigned)get_number(&r, 0, UINT16_MAX);
	return is_whole(&r) && out->result != AUTHRES_POLICY;
}

/* ---- DKIM ---- */

bool
judge_write_dkim(struct buf *out, const struct dkim_verify_request *request)
{
	return put_number(out, request->deadline_ms) && put_number(out, request->now) &&
	       put_number(out, request->skew_s) && put_number(out, request->max_signatures) &&
	       put_number(out, request->min_rsa_bits) && put_number(out, request->allow_length);
}

bool
judge_read_dkim(struct view text, struct dkim_verify_request *out)
{
	struct reader r = { .rest = text };

	*out = (struct dkim_verify_request){ 0 };
	out->deadline_ms = get_number(&r, 0, INT64_MAX);
	out->now = get_number(&r, INT64_MIN, INT64_MAX);
	out->skew_s = get_number(&r, 0, INT32_MAX);
	out->max_signatures = (unsigned)get_number(&r, 1, DKIM_SIGNATURES_MAX);
	out->min_rsa_bits = (unsigned)get_number(&r, 0, UINT16_MAX);
	out->allow_length = get_number(&r, 0, 1) != 0;
	return is_whole(&r);
}

static bool
put_signature(struct buf *out, const struct dkim_signature *s)
{
	return put_number(out, s->result) && put_number(out, s->verdict) &&
	       put_text(out, s->reason) && put_text(out, s->domain) &&
	       put_text(out, s->selector) && put_text(out, s->identity) &&
	       put_text(out, s->algorithm) && put_text(out, s->b) &&
	       put_number(out, s->key_bits) && put_number(out, s->is_test);
}

bool
judge_write_verification(struct buf *out, const struct dkim_verification *v)
{
	bool ok = put_number(out, (int64_t)v->count) && put_number(out, (int64_t)v->ignored);

	for (size_t i = 0; ok && i < v->count; i++)
		ok = put_signature(out, &v->signatures[i]);
	return ok;
}

static void
get_signature(struct reader *r, struct dkim_signature *out)
{
	out->result = (enum authres_result)get_number(r, AUTHRES_NONE, AUTHRES_PERMERROR);
	out->verdict = (enum dkim_verdict)get_number(r, DKIM_GOOD, DKIM_INTERNAL);
	out->reason = get_text_or_null(r);
	out->domain = get_plain(r);
	out->selector = get_plain(r);
	out->identity = get_text_or_null(r);
	out->algorithm = get_plain(r);
	out->b = get_plain(r);
	out->key_bits = (unsigned)get_number(r, 0, UINT16_MAX);
	out->is_test = get_number(r, 0, 1) != 0;
	if ((out->result == AUTHRES_PASS) != (out->verdict == DKIM_GOOD))
		r->is_bad = true;
	if (out->verdict != DKIM_GOOD && out->reason == NULL)
		r->is_bad = true;
}

bool
judge_read_verification(struct view text, struct arena *arena, struct dkim_verification *out)
{
	struct reader r = { .rest = text, .arena = arena };

	*out = (struct dkim_verification){ 0 };
	out->count = (size_t)get_number(&r, 0, DKIM_SIGNATURES_MAX);
	out->ignored = (size_t)get_number(&r, 0, MESSAGE_FIELDS_MAX);
	for (size_t i = 0; i < out->count; i++)
		get_signature(&r, &out->signatures[i]);
	return is_whole(&r);
}

/* ---- DNS ---- */

bool
judge_write_query(struct buf *out, const struct judge_query *query)
{
	return put_text(out, query->name) && put_number(out, query->type) &&
	       put_number(out, query->deadline_ms);
}

bool
judge_read_query(struct view text, struct arena *arena, struct judge_query *out)
{
	struct reader r = { .rest = text, .arena = arena };

	out->name = get_text(&r);
	out->type = (enum dns_type)get_number(&r, 0, UINT16_MAX);
	out->deadline_ms = get_number(&r, 0, INT64_MAX);
	return is_whole(&r) && strlen(out->name) < DNS_NAME_TEXT_MAX &&
	       (out->type == DNS_A || out->type == DNS_AAAA || out->type == DNS_MX ||
		   out->type == DNS_PTR || out->type == DNS_TXT);
}

bool
judge_write_answer(struct buf *out, const struct dns_answer *answer)
{
	bool ok = put_number(out, answer->status) && put_number(out, answer->ttl_s) &&
		  put_number(out, answer->is_alias) && put_number(out, answer->is_secure) &&
		  put_text(out, answer->why) && put_number(out, (int64_t)answer->count);

	for (size_t i = 0; ok && i < answer->count; i++)
		ok = put_number(out, answer->records[i].preference) &&
		     put_view(out, answer->records[i].data);
	return ok;
}

bool
judge_read_answer(struct view text, struct arena *arena, struct dns_answer *out)
{
	struct reader r = { .rest = text, .arena = arena };

	*out = (struct dns_answer){ 0 };
	out->status = (enum dns_status)get_number(&r, DNS_FOUND, DNS_TEMPFAIL);
	out->ttl_s = (uint32_t)get_number(&r, 0, UINT32_MAX);
	out->is_alias = get_number(&r, 0, 1) != 0;
	out->is_secure = get_number(&r, 0, 1) != 0;
	get_array(&r, out->why, sizeof(out->why));
	out->count = (size_t)get_number(&r, 0, DNS_RECORDS_MAX);
	out->records =
	    out->count > 0 ? arena_alloc(arena, out->count * sizeof(*out->records)) : NULL;
	for (size_t i = 0; i < out->count; i++) {
		out->records[i].preference = (uint16_t)get_number(&r, 0, UINT16_MAX);
		/* With a NUL behind it, as whoever made it gave it. */
		const struct view data = get_view(&r);
		out->records[i].data = view_make(arena_strdup(arena, data), data.len);
	}
	return is_whole(&r);
}
