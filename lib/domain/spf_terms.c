/* SPDX-License-Identifier: MPL-2.0 */
/* Which terms of SPF match, of those that ask DNS; and the explanation. See spf_private.h. */
#include "lib/domain/spf_private.h"

#include <stdio.h>

bool
spf_count_term(struct spf_run *run)
{
	if (run->is_stopped)
		return false;
	if (run->out->terms == SPF_TERMS_MAX) {
		spf_stop(run, AUTHRES_PERMERROR,
		    "the record of %s and what it includes need more than %d DNS look-ups",
		    run->out->domain, SPF_TERMS_MAX);
		return false;
	}
	run->out->terms++;
	return true;
}

/*
 * A term's own query: true when there are records. Without any the term is a void look-up
 * (RFC 7208 4.6.4); the addresses of an mx term's names are not counted as such again.
 */
static bool
ask_for_term(struct spf_run *run, const char *name, enum dns_type type, bool counts_void,
    struct dns_answer *out)
{
	spf_ask(run, name, type, out);
	if (out->status == DNS_TEMPFAIL)
		spf_stop_dns(run, name, type, out);
	if (out->status == DNS_FOUND || run->is_stopped || !counts_void)
		return out->status == DNS_FOUND;
	if (run->out->voids == SPF_VOIDS_MAX)
		spf_stop(run, AUTHRES_PERMERROR,
		    "more than %d DNS look-ups without an answer, the last one for %s %s",
		    SPF_VOIDS_MAX, name, dns_type_name(type));
	else
		run->out->voids++;
	return false;
}

static bool
name_matches(struct spf_run *run, const struct spf_term *term, const char *name, bool is_own)
{
	const bool is_v4 = run->client.ss_family == AF_INET;
	struct network network = {
		.family = run->client.ss_family,
		.prefix = is_v4 ? term->prefix4 : term->prefix6,
	};
	const size_t len = is_v4 ? 4 : 16;
	struct dns_answer answer;

	if (!ask_for_term(run, name, is_v4 ? DNS_A : DNS_AAAA, is_own, &answer))
		return false;
	for (size_t i = 0; i < answer.count; i++) {
		if (answer.records[i].data.len != len)
			continue;
		memcpy(network.octets, answer.records[i].data.p, len);
		if (network_has(&network, &run->client))
			return true;
	}
	return false;
}

static bool
mx_matches(struct spf_run *run, const struct spf_term *term, const char *name)
{
	struct dns_answer answer;

	if (!ask_for_term(run, name, DNS_MX, true, &answer))
		return false;
	if (answer.count > SPF_MX_NAMES_MAX) {
		spf_stop(run, AUTHRES_PERMERROR, "%s has more than %d MX records", name,
		    SPF_MX_NAMES_MAX);
		return false;
	}
	for (size_t i = 0; i < answer.count && !run->is_stopped; i++) {
		const char *mx = answer.records[i].data.p;

		/* "." says that there is no mail server (RFC 7505). */
		if (strcmp(mx, ".") != 0 && name_matches(run, term, mx, false))
			return true;
	}
	return false;
}

/* Is name the domain itself, or below it? */
static bool
name_is_below(const char *name, const char *domain)
{
	const struct view n = view_of(name), d = view_of(domain);

	return view_ends_nocase(n, d) && (n.len == d.len || n.p[n.len - d.len - 1] == '.');
}

static bool
ptr_matches(struct spf_run *run, const char *domain)
{
	spf_names(run);
	for (size_t i = 0; i < run->name_count && !run->is_stopped; i++) {
		if (name_is_below(run->names[i], domain))
			return true;
	}
	return false;
}

bool
spf_term_matches(
    struct spf_run *run, const struct spf_frame *frame, const struct spf_term *term)
{
	struct dns_answer answer;
	const char *name;

	if (!spf_count_term(run))
		return false;
	name = spf_target(run, frame, term->domain);
	if (name == NULL || run->is_stopped)
		return false;
	switch (term->kind) {
	case SPF_A:
		return name_matches(run, term, name, true);
	case SPF_MX:
		return mx_matches(run, term, name);
	case SPF_PTR:
		return ptr_matches(run, name);
	case SPF_EXISTS:
		return ask_for_term(run, name, DNS_A, true, &answer);
	case SPF_ALL:
	case SPF_INCLUDE:
	case SPF_IP4:
	case SPF_IP6:
		break;
	}
	BUG("a term of kind %d asks no DNS", (int)term->kind);
}

/* The owner's text as we may show it: printable ASCII, cut. */
static void
copy_safely(struct view text, char out[SPF_EXPLANATION_MAX])
{
	size_t len = 0;

	for (size_t i = 0; i < text.len && len < SPF_EXPLANATION_MAX - 1; i++)
		out[len++] = text.p[i] >= ' ' && text.p[i] <= '~' ? text.p[i] : '?';
	out[len] = '\0';
}

void
spf_explain(struct spf_run *run, const struct spf_frame *frame)
{
	struct dns_answer answer;
	struct buf text;
	const char *name;

	/* Whatever fails from here on leaves the result alone (RFC 7208 6.2). */
	run->is_judged = true;
	if (frame->record.exp.len == 0)
		return;
	name = spf_target(run, frame, frame->record.exp);
	if (name == NULL)
		return;
	spf_ask(run, name, DNS_TXT, &answer);
	if (answer.status != DNS_FOUND || answer.count != 1 ||
	    spf_macro_check(answer.records[0].data, SPF_IN_EXPLANATION) != NULL)
		return;
	buf_init(&text, SPF_EXPANDED_MAX);
	if (spf_macro_expand(answer.records[0].data, &run->values, &text))
		copy_safely(buf_view(&text), run->out->explanation);
	buf_finish(&text);
}
