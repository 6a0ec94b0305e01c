/* SPDX-License-Identifier: MPL-2.0 */
/*
 * dkim_verify: verifies the DKIM signatures of a message (RFC 6376) and publishes one result
 * for each, or one "none". It refuses nothing: what a result is worth is for dmarc and for
 * whoever reads Authentication-Results. DNS trouble is a result too (temperror).
 */
#include "filters/filters.h"

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/domain/dkim_verify.h"

#include <stddef.h>

#define NOTE_MAX     160 /* octets of our word in msg.done */
#define IDENTITY_MAX 320 /* octets of an i= that is reported */

struct dkim_verify_settings {
	int64_t max_signatures, min_rsa_bits;
	bool allow_length;
	int64_t clock_skew_ms;
};

#define MEMBER(m) offsetof(struct dkim_verify_settings, m)

static const struct conf_row dkim_verify_rows[] = {
	{ .key = "max_signatures",
	    .type = CONF_INT,
	    .offset = MEMBER(max_signatures),
	    .fallback = "8",
	    .min = 1,
	    .max = DKIM_SIGNATURES_MAX,
	    .help = "Signatures of one message that are verified, from the top; further ones "
		    "are ignored. Each can cost a look-up." },
	{ .key = "min_rsa_bits",
	    .type = CONF_INT,
	    .offset = MEMBER(min_rsa_bits),
	    .fallback = "1024",
	    .min = 1024,
	    .max = 4096,
	    .help = "The smallest RSA key whose signatures count (RFC 8301)." },
	{ .key = "allow_length",
	    .type = CONF_BOOL,
	    .offset = MEMBER(allow_length),
	    .fallback = "false",
	    .help = "Let a signature pass that leaves the end of the body unsigned (l=): "
		    "anybody can append to such a message." },
	{ .key = "clock_skew",
	    .type = CONF_DURATION,
	    .offset = MEMBER(clock_skew_ms),
	    .fallback = "5m",
	    .max = INT64_C(86400) * 1000,
	    .help = "How far in the future the time of a signature (t=) may lie." },
	{ .key = NULL },
};

static const struct conf_table dkim_verify_table = {
	.name = "dkim_verify",
	.help = "Verifies DKIM signatures. Place it before dmarc and auth_results, and before "
		"whatever changes the message.",
	.size = sizeof(struct dkim_verify_settings),
	.rows = dkim_verify_rows,
	.where_offset = SIZE_MAX,
};

static bool
dkim_verify_setup(const void *settings, struct conf_where where, const struct link_env *env,
    void **state_out, struct conf_errors *errors)
{
	(void)settings;
	*state_out = (void *)(uintptr_t)env->dns;
	if (env->dns == NULL)
		conf_error(errors, where, "dkim_verify", "there is no resolver");
	return env->dns != NULL;
}

static void
add_property(struct authres *r, const char *name, const char *value)
{
	if (value != NULL && value[0] != '\0')
		r->properties[r->property_count++] =
		    (struct authres_property){ "header", name, value };
}

static void
publish(struct link_call *call, const struct dkim_signature *s)
{
	struct authres r = {
		.method = AUTHRES_DKIM,
		.result = s->result,
		.domain = s->domain,
		.is_for_dmarc = true,
		.reason = s->reason,
	};

	if (s->key_bits > 0)
		r.comment = arena_printf(link_arena(call), "%u-bit key%s", s->key_bits,
		    s->is_test ? ", in test mode" : "");
	add_property(&r, "d", s->domain);
	if (s->identity != NULL && strlen(s->identity) <= IDENTITY_MAX)
		add_property(&r, "i", s->identity);
	add_property(&r, "s", s->selector);
	add_property(&r, "a", s->algorithm);
	add_property(&r, "b", s->b);
	link_publish(call, &r);
}

static bool
note_one(struct buf *text, bool more, const struct dkim_signature *s)
{
	return buf_printf(text, "%s%s%s%s", more ? "," : "", authres_result_name(s->result),
	    s->domain[0] != '\0' ? ":" : "", s->domain);
}

/* "dkim_in=pass:example.com,fail:example.net,+3": the last is what has no room, or was ignored
 */
static void
note(struct link_call *call, const struct dkim_verification *v)
{
	struct buf text;
	size_t shown = 0;

	buf_init(&text, NOTE_MAX);
	while (shown < v->count && note_one(&text, shown > 0, &v->signatures[shown]))
		shown++;
	const size_t rest = v->count - shown + v->ignored;
	if (v->count == 0)
		link_note(call, "dkim_in", "none");
	else if (rest > 0)
		link_note(call, "dkim_in", "%.*s,+%zu", VIEW_ARG(buf_view(&text)), rest);
	else
		link_note(call, "dkim_in", "%.*s", VIEW_ARG(buf_view(&text)));
	buf_finish(&text);
}

static enum link_answer
dkim_verify_message_stage(struct link_call *call)
{
	const struct dkim_verify_settings *settings = link_settings(call);
	struct dkim_verification v;
	const struct dkim_verify_request request = {
		.message = link_message(call),
		.dns = link_state(call),
		.deadline_ms = link_dns_deadline_ms(call),
		.now = clock_real_s(),
		.skew_s = settings->clock_skew_ms / 1000,
		.max_signatures = (unsigned)settings->max_signatures,
		.min_rsa_bits = (unsigned)settings->min_rsa_bits,
		.allow_length = settings->allow_length,
	};

	dkim_verify_message(&request, link_arena(call), &v);
	for (size_t i = 0; i < v.count; i++)
		publish(call, &v.signatures[i]);
	if (v.count == 0)
		link_publish(
		    call, &(struct authres){ .method = AUTHRES_DKIM, .result = AUTHRES_NONE });
	note(call, &v);
	return LINK_NEXT;
}

const struct link link_dkim_verify = {
	.abi = LINK_ABI,
	.name = "dkim_verify",
	.summary = "verifies DKIM signatures; the results are for dmarc and auth_results",
	.kind = LINK_FILTER,
	.settings = &dkim_verify_table,
	.setup = dkim_verify_setup,
	.message = dkim_verify_message_stage,
};
