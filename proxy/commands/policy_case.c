/* SPDX-License-Identifier: MPL-2.0 */
/* A case of gatepost test-policy: its rows, and what came against what was expected. */
#include "proxy/commands/policy_case.h"

#include "lib/base/mem.h"

#include <fnmatch.h>

#define ROW(member) .offset = offsetof(struct policy_expect, member)
static const struct conf_choice verdicts[] = {
	{ "accept", REHEARSAL_ACCEPTED },
	{ "discard", REHEARSAL_DISCARDED },
	{ "refuse", REHEARSAL_REFUSED },
	{ "defer", REHEARSAL_DEFERRED },
	{ NULL, 0 },
};

static const struct conf_row expect_rows[] = {
	{ .key = "verdict",
	    .type = CONF_ENUM,
	    ROW(verdict),
	    .required = true,
	    .choices = verdicts,
	    .help = "What becomes of the message." },
	{ .key = "code",
	    .type = CONF_INT,
	    ROW(code),
	    .fallback = "0",
	    .max = 599,
	    .help = "The reply's code; 0: any." },
	{ .key = "enhanced",
	    .type = CONF_STRING,
	    ROW(enhanced),
	    .help = "Its enhanced status code." },
	{ .key = "text", .type = CONF_STRING, ROW(text), .help = "Its text, a shell pattern." },
	{ .key = "by",
	    .type = CONF_STRING,
	    ROW(by),
	    .help = "Who decided: the name of a link, \"session\" or \"upstream\"." },
	{ .key = "upstream",
	    .type = CONF_STRING,
	    ROW(upstream),
	    .help = "Where the message would go, as links may route it." },
	{ .key = "stage",
	    .type = CONF_STRING,
	    ROW(stage),
	    .help = "When: connect, helo, mail, rcpt or message." },
	{ .key = "fields",
	    .type = CONF_STRINGS,
	    ROW(fields),
	    .help = "Fields of the message as it is forwarded: \"Name: pattern\" each." },
	{ .key = "no_fields",
	    .type = CONF_STRINGS,
	    ROW(no_fields),
	    .help = "Fields that it must not have." },
	{ .key = "results",
	    .type = CONF_STRINGS,
	    ROW(results),
	    .help = "Results of authentication: \"spf=pass\", or \"spf=pass example.com\"." },
	{ .key = "refused_recipients",
	    .type = CONF_STRINGS,
	    ROW(refused_recipients),
	    .help = "Recipients that are refused, though the message may be accepted." },
	{ .key = "envelope_from",
	    .type = CONF_STRING,
	    ROW(envelope_from),
	    .help = "The reverse-path that it is forwarded with." },
	{ .key = "envelope_to",
	    .type = CONF_STRINGS,
	    ROW(envelope_to),
	    .help = "All recipients that it is forwarded to." },
	{ .key = NULL },
};
#undef ROW

static const struct conf_table expect_table = {
	.name = "expect",
	.help = "What must come of it.",
	.size = sizeof(struct policy_expect),
	.rows = expect_rows,
	.where_offset = SIZE_MAX,
};

static const struct conf_choice roles[] = {
	{ "auto", POLICY_ROLE_AUTO },
	{ "submission", ROLE_SUBMISSION },
	{ "inbound", ROLE_INBOUND },
	{ NULL, 0 },
};

#define ROW(member) .offset = offsetof(struct policy_case, member)
static const struct conf_row case_rows[] = {
	{ .key = "login",
	    .type = CONF_STRING,
	    ROW(login),
	    .help = "The login that has authenticated." },
	{ .key = "role",
	    .type = CONF_ENUM,
	    ROW(role),
	    .fallback = "auto",
	    .choices = roles,
	    .help = "The listener's role; auto: submission with a login, else inbound." },
	{ .key = "listener",
	    .type = CONF_STRING,
	    ROW(listener),
	    .help = "The listener, as it is configured; default: the role's first." },
	{ .key = "tls",
	    .type = CONF_BOOL,
	    ROW(tls),
	    .fallback = "false",
	    .help = "The client uses TLS." },
	{ .key = "ip",
	    .type = CONF_STRING,
	    ROW(ip),
	    .required = true,
	    .help = "The client's address." },
	{ .key = "helo",
	    .type = CONF_STRING,
	    ROW(helo),
	    .required = true,
	    .help = "What it says at EHLO." },
	{ .key = "from",
	    .type = CONF_STRING,
	    ROW(from),
	    .required = true,
	    .help = "The address of MAIL; \"<>\" is the null reverse-path." },
	{ .key = "to",
	    .type = CONF_STRINGS,
	    ROW(to),
	    .required = true,
	    .help = "The addresses of RCPT." },
	{ .key = "message",
	    .type = CONF_PATH,
	    ROW(message),
	    .help = "The file with the message." },
	{ .key = "dns",
	    .type = CONF_PATH,
	    ROW(dns),
	    .help = "The file with the answers of the DNS." },
	{ .key = "strict_dns",
	    .type = CONF_BOOL,
	    ROW(strict_dns),
	    .fallback = "false",
	    .help = "A name that is not in that file is an error." },
	{ .key = "time",
	    .type = CONF_STRING,
	    ROW(time),
	    .help = "As if it were then: \"2026-11-24T12:00:00Z\"." },
	{ .key = "expect",
	    .type = CONF_GROUP,
	    ROW(expect),
	    .required = true,
	    .table = &expect_table,
	    .help = "What must come of it." },
	{ .key = NULL },
};
#undef ROW

const struct conf_table policy_case_table = {
	.name = "case",
	.help = "A case of gatepost test-policy.",
	.size = sizeof(struct policy_case),
	.rows = case_rows,
	.where_offset = SIZE_MAX,
};

void
policy_case_request(const struct policy_case *c, struct rehearsal_request *out)
{
	*out = (struct rehearsal_request){
		.role = c->login != NULL ? ROLE_SUBMISSION : ROLE_INBOUND,
		.listener = c->listener,
		.login = c->login,
		.helo = c->helo,
		.from = c->from,
		.recipients = c->to.items,
		.recipient_count = c->to.count,
		.tls = c->tls,
	};
	if (c->role != POLICY_ROLE_AUTO)
		out->role = (enum gate_role)c->role;
}

/* ---- comparing ---- */

struct comparison {
	const struct rehearsal *r;
	struct buf *out;
	size_t count;
	bool is_full;
};

static void
put_safe(struct comparison *c, const char *text)
{
	for (; *text != '\0' && !c->is_full; text++) {
		const unsigned char octet = (unsigned char)*text;

		c->is_full = octet >= ' ' && octet <= '~'
				 ? !buf_add_char(c->out, *text)
				 : !buf_printf(c->out, "\\x%02x", octet);
	}
}

static void
differ(struct comparison *c, const char *what, const char *expected, const char *got)
{
	c->count++;
	put_safe(c, what);
	c->is_full = c->is_full || !buf_add_str(c->out, ": expected ");
	put_safe(c, expected);
	c->is_full = c->is_full || !buf_add_str(c->out, ", got ");
	put_safe(c, got);
	c->is_full = c->is_full || !buf_add_char(c->out, '\n');
}

/* compare - a text against a shell pattern; NULL: any will do. */
static void
compare(struct comparison *c, const char *what, const char *pattern, const char *got)
{
	if (pattern != NULL && fnmatch(pattern, got, 0) != 0)
		differ(c, what, pattern, got);
}

static void
compare_reply(struct comparison *c, const struct policy_expect *expect)
{
	const struct rehearsal *r = c->r;
	struct arena arena;

	arena_init(&arena);
	if (expect->verdict != (int)r->verdict)
		differ(c, "verdict", verdicts[expect->verdict].name,
		    arena_printf(&arena, "%s (%d %s %s, by %s at %s)",
			verdicts[r->verdict].name, r->reply.code, r->reply.enhanced,
			r->reply.text, r->by, r->step));
	if (expect->code != 0 && expect->code != r->reply.code)
		differ(c, "code", arena_printf(&arena, "%d", (int)expect->code),
		    arena_printf(&arena, "%d", r->reply.code));
	compare(c, "enhanced", expect->enhanced, r->reply.enhanced);
	compare(c, "text", expect->text, r->reply.text);
	compare(c, "by", expect->by, r->by);
	compare(c, "upstream", expect->upstream, r->upstream);
	compare(c, "stage", expect->stage, r->step);
	arena_finish(&arena);
}

/* ---- fields ---- */

/* unfolded - a field's value on one line (RFC 5322 2.2.3), in the arena; a NUL cannot be. */
static const char *
unfolded(const struct header_field *field, struct arena *arena)
{
	const struct view value = view_trim(field->body);
	char *text = arena_strdup(arena, value);
	size_t len = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] != '\r' && value.p[i] != '\n')
			text[len++] = value.p[i] == '\t' ? ' ' : value.p[i];
	}
	text[len] = '\0';
	return text;
}

/* has_field - one that is like "Name: pattern"; *other_out is the value of another one of that
 * name, or NULL. */
static bool
has_field(
    const struct message *m, const char *wanted, struct arena *arena, const char **other_out)
{
	const struct view text = view_of(wanted);
	const size_t colon = view_find(text, ':');
	const struct view name = view_trim(view_make(text.p, colon));
	const char *pattern = arena_strdup(arena, view_trim(view_from(text, colon + 1)));

	*other_out = NULL;
	for (size_t i = 0; i < message_field_count(m); i++) {
		const struct header_field *field = message_field(m, i);

		if (!view_eq_nocase(field->name, name))
			continue;
		*other_out = unfolded(field, arena);
		if (colon == text.len || fnmatch(pattern, *other_out, 0) == 0)
			return true;
	}
	return false;
}

static void
compare_fields(struct comparison *c, const struct policy_expect *expect)
{
	const struct message *m = c->r->message;
	const char *other;
	struct arena arena;

	arena_init(&arena);
	for (size_t i = 0; i < expect->fields.count; i++) {
		if (m == NULL)
			differ(c, "field", expect->fields.items[i], "no message");
		else if (!has_field(m, expect->fields.items[i], &arena, &other))
			differ(c, "field", expect->fields.items[i],
			    other != NULL ? other : "none of that name");
	}
	for (size_t i = 0; m != NULL && i < expect->no_fields.count; i++) {
		if (has_field(m, expect->no_fields.items[i], &arena, &other))
			differ(c, "no field", expect->no_fields.items[i], other);
	}
	arena_finish(&arena);
}

/* ---- results, recipients ---- */

static const char *
result_text(const struct authres *r, bool with_domain, struct arena *arena)
{
	return arena_printf(arena, "%s=%s%s%s", authres_method_name(r->method),
	    authres_result_name(r->result), with_domain ? " " : "",
	    with_domain ? r->domain : "");
}

static void
compare_results(struct comparison *c, const struct conf_strings *wanted)
{
	const struct rehearsal *r = c->r;
	struct arena arena;

	arena_init(&arena);
	for (size_t i = 0; i < wanted->count; i++) {
		const bool with_domain = strchr(wanted->items[i], ' ') != NULL;
		const char *all = "";
		bool found = false;

		for (size_t k = 0; k < r->result_count && !found; k++) {
			const char *text = result_text(&r->results[k], with_domain, &arena);

			found = fnmatch(wanted->items[i], text, 0) == 0;
			all = arena_printf(&arena, "%s%s%s", all, k > 0 ? ", " : "", text);
		}
		if (!found)
			differ(c, "result", wanted->items[i], all[0] != '\0' ? all : "none");
	}
	arena_finish(&arena);
}

static void
compare_refused(struct comparison *c, const struct conf_strings *wanted)
{
	const struct rehearsal *r = c->r;

	for (size_t i = 0; i < wanted->count; i++) {
		const char *got = "no such recipient";

		for (size_t k = 0; k < r->recipient_count; k++) {
			if (strcmp(r->recipients[k].address, wanted->items[i]) == 0)
				got = smtp_reply_is_ok(&r->recipients[k].reply) ? "accepted"
										: NULL;
		}
		if (got != NULL)
			differ(c, "refused recipient", wanted->items[i], got);
	}
}

static bool
has_text(const char *const *texts, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(texts[i], text) == 0)
			return true;
	}
	return false;
}

static void
compare_envelope(struct comparison *c, const struct policy_expect *expect)
{
	const struct rehearsal *r = c->r;
	const struct conf_strings *to = &expect->envelope_to;

	if (expect->envelope_from != NULL &&
	    strcmp(expect->envelope_from, r->reverse_path) != 0)
		differ(c, "envelope_from", expect->envelope_from, r->reverse_path);
	for (size_t i = 0; i < to->count; i++) {
		if (!has_text(r->forward_paths, r->forward_path_count, to->items[i]))
			differ(c, "envelope_to", to->items[i], "no such recipient");
	}
	for (size_t i = 0; to->count > 0 && i < r->forward_path_count; i++) {
		if (!has_text(to->items, to->count, r->forward_paths[i]))
			differ(c, "envelope_to", "nobody else", r->forward_paths[i]);
	}
}

bool
policy_case_compare(const struct policy_expect *expect, const struct rehearsal *r,
    struct buf *out, size_t *count_out)
{
	struct comparison c = { .r = r, .out = out };

	compare_reply(&c, expect);
	compare_fields(&c, expect);
	compare_results(&c, &expect->results);
	compare_refused(&c, &expect->refused_recipients);
	compare_envelope(&c, expect);
	*count_out = c.count;
	return !c.is_full;
}
