/* SPDX-License-Identifier: MPL-2.0 */
/* Finding and verifying destinations; see dmarc_rua.h. */
#include "lib/domain/dmarc_rua.h"

#include "lib/domain/tag_list.h"
#include "lib/mail/domain_name.h"
#include "lib/smtp/command.h"

#include <stdio.h>

/* One search. */
struct search {
	const struct dns_source *dns;
	const char *policy_domain;
	const char *organization; /* of policy_domain; NULL: not asked for yet */
	int64_t deadline_ms;
	struct arena *arena;
	struct dmarc_rua *out;
};

/* ---- one URI ---- */

/* without_size - "mailto:a@b!10m" without its "!10m" (RFC 9989 4.8, obs-dmarc-report-size). */
static struct view
without_size(struct view uri)
{
	size_t end = uri.len;

	if (end > 0 && strchr("kmgtKMGT", uri.p[end - 1]) != NULL && uri.p[end - 1] != '\0')
		end--;
	const size_t unit = end;
	while (end > 0 && ascii_is_digit(uri.p[end - 1]))
		end--;
	if (end < unit && end > 0 && uri.p[end - 1] == '!')
		uri.len = end - 1;
	return uri;
}

/* decode - %XX as octets; false: not so, or more than room. NUL-terminated. */
static bool
decode(struct view in, char *out, size_t room)
{
	size_t len = 0;

	for (size_t i = 0; i < in.len; i++) {
		int c = (unsigned char)in.p[i];

		if (c == '%') {
			const int high = i + 2 < in.len ? ascii_hex_value(in.p[i + 1]) : -1;
			const int low = high >= 0 ? ascii_hex_value(in.p[i + 2]) : -1;

			if (low < 0)
				return false;
			c = high * 16 + low;
			i += 2;
		}
		if (c <= 0x20 || c >= 0x7f || len + 1 >= room)
			return false;
		out[len++] = (char)c;
	}
	out[len] = '\0';
	return true;
}

const char *
dmarc_rua_address(struct view uri, struct arena *arena, const char **why_out)
{
	char text[SMTP_PATH_MAX + 2], bracketed[SMTP_PATH_MAX + 4], domain[DOMAIN_NAME_MAX];
	struct smtp_path path;

	uri = without_size(view_trim(uri));
	if (!view_starts_nocase(uri, VIEW("mailto:"))) {
		*why_out = "not a mailto: URI";
		return NULL;
	}
	uri = view_from(uri, strlen("mailto:"));
	uri.len = view_find(uri, '?'); /* header fields that it asks for are not its business */
	*why_out = "not one mail address";
	if (!decode(uri, text, sizeof(text)))
		return NULL;
	snprintf(bracketed, sizeof(bracketed), "<%s>", text);
	if (smtp_path_parse(view_of(bracketed), &path) != SMTP_SYNTAX_OK ||
	    path.local.len == 0 || path.local.p[0] == '"' || path.domain.len == 0 ||
	    !domain_to_ascii(path.domain, domain))
		return NULL;
	*why_out = NULL;
	return arena_printf(arena, "%.*s@%s", VIEW_ARG(path.local), domain);
}

/* ---- destinations ---- */

/* add - a destination; NULL: it is there already, or there is no room. */
static struct dmarc_destination *
add(struct search *s, enum dmarc_destination_status status, const char *address)
{
	struct dmarc_destination *d = &s->out->destinations[s->out->count];

	if (s->out->count == DMARC_DESTINATIONS_MAX)
		return NULL;
	for (size_t i = 0; i < s->out->count; i++) {
		if (strcmp(s->out->destinations[i].address, address) == 0)
			return NULL;
	}
	s->out->count++;
	d->status = status;
	d->address = address;
	d->why[0] = '\0';
	return d;
}

static void
reject(struct search *s, enum dmarc_destination_status status, const char *address,
    const char *why)
{
	struct dmarc_destination *d = add(s, status, address);

	if (d != NULL)
		snprintf(d->why, sizeof(d->why), "%s", why);
}

static const char *
host_of(const char *address)
{
	return strrchr(address, '@') + 1;
}

/* ---- verification (section 4) ---- */

/* is_confirmation - "v=DMARC1" first, and a tag list. */
static bool
is_confirmation(struct view txt, struct tag_list *tags)
{
	return tag_list_parse(txt, tags) == TAG_LIST_OK && tags->count > 0 &&
	       view_eq_nocase(tags->tags[0].name, VIEW("v")) &&
	       view_eq(tags->tags[0].value, VIEW("DMARC1"));
}

/*
 * override - the confirming record names addresses to use instead, all of them at the host that
 * published it; else neither they nor the original get anything.
 */
static void
override(struct search *s, const char *original, struct view list)
{
	const char *addresses[DMARC_DESTINATIONS_MAX], *why;
	size_t count = 0;
	struct view uri;

	while (view_split(&list, ',', &uri)) {
		const char *address = dmarc_rua_address(uri, s->arena, &why);

		if (address == NULL || strcmp(host_of(address), host_of(original)) != 0) {
			reject(s, DMARC_DESTINATION_UNVERIFIED, original,
			    "its host confirms, but sends the reports elsewhere");
			return;
		}
		if (count < ARRAY_LEN(addresses))
			addresses[count++] = address;
	}
	for (size_t i = 0; i < count; i++)
		(void)add(s, DMARC_DESTINATION_GOOD, addresses[i]);
}

static void
read_confirmation(
    struct search *s, const char *address, const char *name, const struct dns_answer *answer)
{
	struct tag_list tags;
	bool is_confirmed = false;

	for (size_t i = 0; i < answer->count; i++) {
		if (!is_confirmation(answer->records[i].data, &tags))
			continue;
		is_confirmed = true;
		if (tag_list_find(&tags, "rua") != NULL) {
			override(s, address, tag_list_value(&tags, "rua"));
			return;
		}
	}
	if (is_confirmed)
		(void)add(s, DMARC_DESTINATION_GOOD, address);
	else
		reject(s, DMARC_DESTINATION_UNVERIFIED, address,
		    arena_printf(s->arena, "not confirmed by %s", name));
}

static void
verify(struct search *s, const char *address)
{
	const char *host = host_of(address);
	const char *name =
	    arena_printf(s->arena, "%s._report._dmarc.%s", s->policy_domain, host);
	struct dns_answer answer;

	if (strlen(name) >= DNS_NAME_MAX) {
		reject(s, DMARC_DESTINATION_UNVERIFIED, address,
		    "not confirmed: the name to ask for is too long");
		return;
	}
	dns_query(s->dns, name, DNS_TXT, s->deadline_ms, s->arena, &answer);
	switch (answer.status) {
	case DNS_FOUND:
		read_confirmation(s, address, name, &answer);
		break;
	case DNS_NODATA:
	case DNS_NXDOMAIN:
		reject(s, DMARC_DESTINATION_UNVERIFIED, address,
		    arena_printf(s->arena, "not confirmed: there is no %s", name));
		break;
	case DNS_TEMPFAIL:
		reject(s, DMARC_DESTINATION_LATER, address,
		    arena_printf(s->arena, "%s: %s", name, answer.why));
		break;
	}
}

static const char *
organization_of(struct search *s, const char *domain)
{
	return dmarc_organizational_domain(s->dns, domain, s->deadline_ms, s->arena);
}

static void
take_uri(struct search *s, const char *uri)
{
	const char *why, *address = dmarc_rua_address(view_of(uri), s->arena, &why);
	const char *theirs;

	if (address == NULL) {
		reject(s, DMARC_DESTINATION_BAD, uri, why);
		return;
	}
	if (strcmp(host_of(address), s->policy_domain) == 0) {
		(void)add(s, DMARC_DESTINATION_GOOD, address);
		return;
	}
	if (s->organization == NULL)
		s->organization = organization_of(s, s->policy_domain);
	theirs = organization_of(s, host_of(address));
	if (s->organization == NULL || theirs == NULL)
		reject(s, DMARC_DESTINATION_LATER, address,
		    "DNS does not say now whose domain that is");
	else if (strcmp(s->organization, theirs) == 0)
		(void)add(s, DMARC_DESTINATION_GOOD, address);
	else
		verify(s, address);
}

/* ---- the record ---- */

/* find_record - the one DMARC record of an answer; false: none, several, or a broken one. */
static bool
find_record(struct search *s, const struct dns_answer *answer, struct dmarc_record *out)
{
	bool is_good = false;
	size_t count = 0;

	for (size_t i = 0; i < answer->count; i++) {
		struct dmarc_record record;
		const char *why;
		const enum dmarc_parse status =
		    dmarc_record_parse(answer->records[i].data, s->arena, &record, &why);

		if (status == DMARC_NOT_A_RECORD)
			continue;
		*out = record;
		is_good = status == DMARC_RECORD;
		count++;
	}
	return count == 1 && is_good;
}

static void
end_search(struct search *s, enum dmarc_rua_status status, const char *why)
{
	s->out->status = status;
	snprintf(s->out->why, sizeof(s->out->why), "%s", why);
}

void
dmarc_rua_find(const struct dns_source *dns, const char *policy_domain, int64_t deadline_ms,
    struct arena *arena, struct dmarc_rua *out)
{
	struct search s = { .dns = dns,
		.policy_domain = policy_domain,
		.deadline_ms = deadline_ms,
		.arena = arena,
		.out = out };
	const char *name = arena_printf(arena, "_dmarc.%s", policy_domain);
	struct dmarc_record record = { .rua_count = 0 };
	struct dns_answer answer;

	*out = (struct dmarc_rua){ .status = DMARC_RUA_FOUND };
	dns_query(dns, name, DNS_TXT, deadline_ms, arena, &answer);
	if (answer.status == DNS_TEMPFAIL) {
		end_search(
		    &s, DMARC_RUA_LATER, arena_printf(arena, "%s: %s", name, answer.why));
		return;
	}
	if (answer.status != DNS_FOUND || !find_record(&s, &answer, &record)) {
		end_search(&s, DMARC_RUA_NONE, "there is no valid DMARC record any more");
		return;
	}
	if (record.rua_count == 0) {
		end_search(&s, DMARC_RUA_NONE, "its DMARC record asks for no reports");
		return;
	}
	for (size_t i = 0; i < record.rua_count; i++)
		take_uri(&s, record.rua[i]);
}
