/* SPDX-License-Identifier: MPL-2.0 */
/* Of tests/unit/dns_table.h: its structs, and how rows become an answer. */
#ifndef GATEPOST_TESTS_DNS_TABLE_ANSWER_H
#define GATEPOST_TESTS_DNS_TABLE_ANSWER_H

#include "lib/base/mem.h"
#include "lib/net/dns.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define DNS_ANY_TYPE	 ((enum dns_type)0)
#define DNS_TABLE_ROWS	 1024
#define DNS_TABLE_LOG	 4096 /* queries kept; later ones are counted only */
#define DNS_TABLE_TTL_S	 300
#define DNS_TABLE_CNAMES 8 /* a longer chain, or a ring, is DNS_TEMPFAIL */

#define DNS_ROW_TEMPFAIL "\1tempfail"
#define DNS_ROW_NXDOMAIN "\1nxdomain"
#define DNS_ROW_NODATA	 "\1nodata"

struct dns_row {
	const char *name;
	enum dns_type type;
	const char *text; /* A, AAAA: an address; MX: "10 name"; others as they are */
};

struct dns_table_row {
	struct dns_row row;
	uint32_t ttl_s; /* 0: DNS_TABLE_TTL_S */
	size_t len;	/* of a text that has a NUL in it; 0: to its end */
	bool is_secure;
};

struct dns_asked {
	char name[DNS_NAME_MAX];
	enum dns_type type;
};

struct dns_table {
	struct dns_source source;
	pthread_mutex_t lock;
	struct dns_table_row rows[DNS_TABLE_ROWS]; /* their texts are owned */
	size_t row_count;
	struct dns_asked log[DNS_TABLE_LOG];
	size_t query_count;
	size_t each_count;	   /* calls of query_each */
	bool is_off;		   /* everything is DNS_TEMPFAIL "timed out" */
	struct dns_table *servers; /* owned */
	size_t server_count;
	/* When set: called first, unlocked, with every query; may change the table. */
	void (*on_query)(void *context, const char *name, enum dns_type type);
	void *on_query_context;
};

static inline struct view
dns_table_bare_name(const char *name)
{
	struct view v = view_of(name);

	if (v.len > 1 && v.p[v.len - 1] == '.')
		v.len--;
	return v;
}

/* dns_table_exists - has the name a row, or a name below it one? */
static inline bool
dns_table_exists(const struct dns_table *t, struct view name)
{
	for (size_t i = 0; i < t->row_count; i++) {
		const struct view row = dns_table_bare_name(t->rows[i].row.name);

		if (view_eq_nocase(row, name) ||
		    (view_ends_nocase(row, name) && row.len > name.len &&
			row.p[row.len - name.len - 1] == '.'))
			return true;
	}
	return false;
}

static inline void
dns_table_store_name(struct view text, struct arena *arena, struct dns_record *out)
{
	char *copy;

	if (text.len > 1 && text.p[text.len - 1] == '.')
		text.len--;
	copy = arena_strdup(arena, text);
	for (size_t i = 0; i < text.len; i++)
		copy[i] = ascii_lower(copy[i]);
	out->data = view_make(copy, text.len);
}

static inline void
dns_table_store_address(const struct dns_row *row, struct arena *arena, struct dns_record *out)
{
	char octets[16];

	if (inet_pton(row->type == DNS_A ? AF_INET : AF_INET6, row->text, octets) != 1)
		BUG("%s: \"%s\" is no address", row->name, row->text);
	out->data = arena_view(arena, view_make(octets, row->type == DNS_A ? 4 : 16));
}

static inline void
dns_table_store_mx(const struct dns_row *row, struct arena *arena, struct dns_record *out)
{
	char *end = NULL;

	out->preference = (uint16_t)strtoul(row->text, &end, 10);
	if (end == row->text || *end != ' ')
		BUG("%s: \"%s\" is not \"10 name\"", row->name, row->text);
	dns_table_store_name(view_of(end + 1), arena, out);
}

static inline void
dns_table_store(const struct dns_table_row *row, struct arena *arena, struct dns_record *out)
{
	switch (row->row.type) {
	case DNS_A:
	case DNS_AAAA:
		dns_table_store_address(&row->row, arena, out);
		break;
	case DNS_MX:
		dns_table_store_mx(&row->row, arena, out);
		break;
	case DNS_NS:
	case DNS_PTR:
	case DNS_CNAME:
		dns_table_store_name(view_of(row->row.text), arena, out);
		break;
	case DNS_TXT:
	case DNS_SOA:
	case DNS_TLSA:
		out->data = arena_view(arena, view_make(row->row.text, row->len));
		break;
	}
}

static inline void
dns_table_answer_status(struct dns_answer *out, enum dns_status status, const char *why)
{
	out->status = status;
	out->records = NULL;
	out->count = 0;
	snprintf(out->why, sizeof(out->why), "%s", status == DNS_TEMPFAIL ? why : "");
}

/* dns_table_answer_marker - true: the text is a DNS_ROW_... and was obeyed. */
static inline bool
dns_table_answer_marker(const char *text, struct dns_answer *out)
{
	if (strcmp(text, DNS_ROW_TEMPFAIL) == 0)
		dns_table_answer_status(out, DNS_TEMPFAIL, "SERVFAIL");
	else if (strcmp(text, DNS_ROW_NXDOMAIN) == 0)
		dns_table_answer_status(out, DNS_NXDOMAIN, "");
	else if (strcmp(text, DNS_ROW_NODATA) == 0)
		dns_table_answer_status(out, DNS_NODATA, "");
	else
		return false;
	return true;
}

static inline void
dns_table_add_record(
    const struct dns_table_row *row, struct arena *arena, struct dns_answer *out)
{
	const uint32_t ttl_s = row->ttl_s > 0 ? row->ttl_s : DNS_TABLE_TTL_S;

	if (out->records == NULL)
		out->records = arena_alloc(arena, DNS_RECORDS_MAX * sizeof(*out->records));
	if (out->count == DNS_RECORDS_MAX)
		return;
	if (out->count == 0 || ttl_s < out->ttl_s)
		out->ttl_s = ttl_s;
	out->status = DNS_FOUND;
	out->is_secure = row->is_secure;
	dns_table_store(row, arena, &out->records[out->count++]);
}

/*
 * dns_table_look_up - the rows of one name; a CNAME that leads on is returned. Locked by the
 * caller.
 */
static inline const char *
dns_table_look_up(struct dns_table *t, struct view name, enum dns_type type,
    struct arena *arena, struct dns_answer *out)
{
	dns_table_answer_status(out, dns_table_exists(t, name) ? DNS_NODATA : DNS_NXDOMAIN, "");
	out->ttl_s = DNS_TABLE_TTL_S;
	for (size_t i = 0; i < t->row_count; i++) {
		const struct dns_table_row *row = &t->rows[i];
		const bool is_asked = row->row.type == type || row->row.type == DNS_ANY_TYPE;

		if (!view_eq_nocase(dns_table_bare_name(row->row.name), name))
			continue;
		if (row->row.type == DNS_CNAME && !is_asked && row->row.text[0] != '\1')
			return row->row.text;
		if (!is_asked)
			continue;
		if (dns_table_answer_marker(row->row.text, out))
			return NULL;
		if (type == DNS_TXT && row->len > DNS_TXT_MAX) {
			dns_table_answer_status(out, DNS_TEMPFAIL, "a TXT record is too long");
			return NULL;
		}
		dns_table_add_record(row, arena, out);
	}
	return NULL;
}

#endif
