/* SPDX-License-Identifier: MPL-2.0 */
/* SPF's questions to DNS: each counted, none after the deadline. See spf_private.h. */
#include "lib/domain/spf_private.h"

#include "lib/base/clock.h"

#include <stdarg.h>
#include <stdio.h>

void
spf_stop(struct spf_run *run, enum authres_result verdict, const char *fmt, ...)
{
	va_list ap;

	if (run->is_stopped || run->is_judged)
		return;
	run->is_stopped = true;
	run->verdict = verdict;
	va_start(ap, fmt);
	(void)vsnprintf(run->out->problem, sizeof(run->out->problem), fmt, ap);
	va_end(ap);
}

void
spf_stop_dns(
    struct spf_run *run, const char *name, enum dns_type type, const struct dns_answer *answer)
{
	spf_stop(run, AUTHRES_TEMPERROR, "no answer from DNS for %s %s: %s", name,
	    dns_type_name(type), answer->why);
}

void
spf_ask(struct spf_run *run, const char *name, enum dns_type type, struct dns_answer *out)
{
	const int64_t deadline_ms = run->request->deadline_ms;

	if (clock_mono_ms() >= deadline_ms) {
		*out = (struct dns_answer){ .status = DNS_TEMPFAIL };
		spf_stop(run, AUTHRES_TEMPERROR,
		    "the time for the evaluation was over before %s %s was known", name,
		    dns_type_name(type));
		return;
	}
	run->out->queries += dns_name_is_valid(view_of(name)); /* else nobody is asked */
	dns_query(run->request->dns, name, type, deadline_ms, run->arena, out);
}

static bool
answer_has_client(const struct spf_run *run, const struct dns_answer *answer)
{
	const struct sockaddr_in *v4 = (const void *)&run->client;
	const struct sockaddr_in6 *v6 = (const void *)&run->client;
	const struct view client = run->client.ss_family == AF_INET
				       ? view_make((const char *)&v4->sin_addr, 4)
				       : view_make((const char *)&v6->sin6_addr, 16);

	for (size_t i = 0; i < answer->count; i++) {
		if (view_eq(answer->records[i].data, client))
			return true;
	}
	return false;
}

/*
 * DNS trouble here is no error of the evaluation (RFC 7208 5.5): neither the client's reverse
 * zone nor where its names lead is in the hands of the domain's owner.
 */
void
spf_names(struct spf_run *run)
{
	const enum dns_type type = run->client.ss_family == AF_INET ? DNS_A : DNS_AAAA;
	struct dns_answer names, addresses;
	struct buf reverse;

	if (run->names_known)
		return;
	run->names_known = true;
	buf_init(&reverse, DNS_NAME_MAX);
	if (!spf_macro_expand(VIEW("%{ir}.%{v}.arpa"), &run->values, &reverse))
		BUG("a reverse name does not fit");
	spf_ask(run, arena_strdup(run->arena, buf_view(&reverse)), DNS_PTR, &names);
	buf_finish(&reverse);
	for (size_t i = 0; i < names.count && i < SPF_PTR_NAMES_MAX && !run->is_stopped; i++) {
		spf_ask(run, names.records[i].data.p, type, &addresses);
		if (answer_has_client(run, &addresses))
			run->names[run->name_count++] = names.records[i].data.p;
	}
}

/* %{p}: the domain itself, else a name below it, else any (RFC 7208 7.3). */
const char *
spf_validated_name(void *context)
{
	struct spf_run *run = context;
	const char *best = "unknown";
	int best_rank = 0;

	spf_names(run);
	for (size_t i = 0; i < run->name_count; i++) {
		const struct view name = view_of(run->names[i]), domain = run->values.domain;
		int rank = 1;

		if (memchr(name.p, '\\', name.len) != NULL)
			continue; /* no host has such a name */
		if (view_eq_nocase(name, domain))
			rank = 3;
		else if (name.len > domain.len && view_ends_nocase(name, domain) &&
			 name.p[name.len - domain.len - 1] == '.')
			rank = 2;
		if (rank > best_rank) {
			best = run->names[i];
			best_rank = rank;
		}
	}
	return best;
}

/* A name as it was expanded, as text for DNS: what is no plain character, and "\", as \DDD. */
static const char *
name_as_text(struct spf_run *run, struct view raw)
{
	char *text = arena_alloc(run->arena, raw.len * 4 + 1), *p = text;

	for (size_t i = 0; i < raw.len; i++) {
		const unsigned char c = (unsigned char)raw.p[i];

		if (c > ' ' && c <= '~' && c != '\\')
			*p++ = (char)c;
		else
			p += snprintf(p, 5, "\\%03u", c);
	}
	return text;
}

const char *
spf_target(struct spf_run *run, const struct spf_frame *frame, struct view spec)
{
	const char *text = NULL;
	struct view name;
	struct buf out;

	if (spec.len == 0)
		return frame->domain;
	buf_init(&out, SPF_EXPANDED_MAX);
	run->values.domain = view_of(frame->domain);
	if (spf_macro_expand(spec, &run->values, &out)) {
		name = buf_view(&out);
		if (name.len > 0 && name.p[name.len - 1] == '.')
			name.len--;
		while (name.len >= DNS_NAME_MAX && view_find(name, '.') < name.len)
			name = view_from(name, view_find(name, '.') + 1);
		text = name_as_text(run, name);
	} else {
		spf_stop(run, AUTHRES_PERMERROR,
		    "in the record of %s: a macro gives more than %d octets", frame->domain,
		    SPF_EXPANDED_MAX);
	}
	buf_finish(&out);
	return text;
}
