/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For unit tests: DNS out of a table.
 *
 *	static const struct dns_row rows[] = {
 *		{ "example.com", DNS_TXT, "v=spf1 -all" },
 *		{ "example.com", DNS_MX, "10 mail.example.com" },
 *		{ "mail.example.com", DNS_A, "192.0.2.1" },
 *		{ "www.example.com", DNS_CNAME, "mail.example.com" },
 *		{ "slow.example.com", DNS_ANY_TYPE, DNS_ROW_TEMPFAIL },
 *		{ .name = NULL },
 *	};
 *	struct dns_table *dns = dns_table_create(rows);
 *	thing_under_test(dns_table_source(dns), ...);
 *	assert_int_equal(dns_table_asked(dns, "example.com", DNS_TXT), 1);
 *	dns_table_remove(dns, "example.com", DNS_TXT);          (while it runs, from any thread)
 *	dns_table_add(dns, "example.com", DNS_TXT, "v=spf1 +all");
 *	dns_table_destroy(&dns);
 *
 * Names match whatever their case. A name that has only other types, or only names below it
 * (an empty non-terminal), is DNS_NODATA; any other one DNS_NXDOMAIN. A CNAME is followed
 * within the table, unless CNAME is asked for. A row whose text is one of DNS_ROW_TEMPFAIL,
 * DNS_ROW_NXDOMAIN and DNS_ROW_NODATA gives queries of its name and type that status instead of
 * data; DNS_ANY_TYPE there: of every type. dns_table_add_row adds what three columns cannot
 * say: a TTL, octets with a NUL, DNSSEC.
 *
 * query_each: dns_table_servers(dns, 3) makes three servers with empty tables of their own;
 * dns_table_server(dns, 0) is the first one's, to be changed like any table. A server that
 * is_off does not answer (DNS_TEMPFAIL). Without servers the count is 0. A test that wants a
 * source without query_each sets dns->source.query_each to NULL.
 *
 * What was asked is counted and kept in order: dns_table_asked, query_count, log.
 */
#ifndef GATEPOST_TESTS_DNS_TABLE_H
#define GATEPOST_TESTS_DNS_TABLE_H

#include "tests/unit/dns_table_answer.h"

#include <stdlib.h>

/* ---- filling it ---- */

static inline void
dns_table_add_row(struct dns_table *t, const struct dns_table_row *row)
{
	const size_t len = row->len > 0 ? row->len : strlen(row->row.text);
	struct dns_table_row *to;
	char *text = mem_alloc(len + 1);

	memcpy(text, row->row.text, len);
	text[len] = '\0';
	pthread_mutex_lock(&t->lock);
	if (t->row_count == DNS_TABLE_ROWS)
		BUG("a DNS table of over %d rows", DNS_TABLE_ROWS);
	to = &t->rows[t->row_count++];
	*to = *row;
	to->row.name = mem_strdup(row->row.name);
	to->row.text = text;
	to->len = len;
	pthread_mutex_unlock(&t->lock);
}

static inline void
dns_table_add(struct dns_table *t, const char *name, enum dns_type type, const char *text)
{
	dns_table_add_row(t, &(struct dns_table_row){ .row = { name, type, text } });
}

static inline void
dns_table_free_row(struct dns_table_row *row)
{
	free((void *)(uintptr_t)row->row.name);
	free((void *)(uintptr_t)row->row.text);
}

/* dns_table_remove - all rows of name and type, also those with a status. */
static inline void
dns_table_remove(struct dns_table *t, const char *name, enum dns_type type)
{
	size_t kept = 0;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->row_count; i++) {
		struct dns_table_row *row = &t->rows[i];

		if (view_eq_nocase(
			dns_table_bare_name(row->row.name), dns_table_bare_name(name)) &&
		    row->row.type == type)
			dns_table_free_row(row);
		else
			t->rows[kept++] = *row;
	}
	t->row_count = kept;
	pthread_mutex_unlock(&t->lock);
}

/* dns_table_set - the one record (or status) of name and type from now on; NULL: none. */
static inline void
dns_table_set(struct dns_table *t, const char *name, enum dns_type type, const char *text)
{
	dns_table_remove(t, name, type);
	if (text != NULL)
		dns_table_add(t, name, type, text);
}

static inline void
dns_table_clear(struct dns_table *t)
{
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->row_count; i++)
		dns_table_free_row(&t->rows[i]);
	t->row_count = 0;
	pthread_mutex_unlock(&t->lock);
}

/* ---- asking it ---- */

static inline void
dns_table_note(struct dns_table *t, const char *name, enum dns_type type)
{
	if (t->query_count < DNS_TABLE_LOG) {
		view_copy(view_of(name), t->log[t->query_count].name, DNS_NAME_MAX);
		t->log[t->query_count].type = type;
	}
	t->query_count++;
}

static inline void
dns_table_query(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_answer *out)
{
	struct dns_table *t = context;
	const char *at = name;
	int aliases = 0;

	(void)deadline_ms;
	*out = (struct dns_answer){ .status = DNS_NXDOMAIN };
	if (t->on_query != NULL)
		t->on_query(t->on_query_context, name, type);
	pthread_mutex_lock(&t->lock);
	dns_table_note(t, name, type);
	for (; at != NULL && aliases <= DNS_TABLE_CNAMES && !t->is_off; aliases++)
		at = dns_table_look_up(t, dns_table_bare_name(at), type, arena, out);
	if (t->is_off)
		dns_table_answer_status(out, DNS_TEMPFAIL, "timed out");
	else if (at != NULL)
		dns_table_answer_status(out, DNS_TEMPFAIL, "too many CNAMEs");
	out->is_alias = aliases > 1;
	pthread_mutex_unlock(&t->lock);
}

static inline size_t
dns_table_query_each(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_server_answer **out)
{
	struct dns_table *t = context;

	pthread_mutex_lock(&t->lock);
	t->each_count++;
	pthread_mutex_unlock(&t->lock);
	*out = arena_alloc(arena, (t->server_count + 1) * sizeof(**out));
	for (size_t i = 0; i < t->server_count; i++) {
		snprintf((*out)[i].server, sizeof((*out)[i].server),
		    "ns%zu.dns.example 192.0.2.%zu", i + 1, i + 1);
		dns_table_query(
		    &t->servers[i], name, type, deadline_ms, arena, &(*out)[i].answer);
	}
	return t->server_count;
}

/* dns_table_asked - how often name and type (DNS_ANY_TYPE: any) were asked for. */
static inline size_t
dns_table_asked(struct dns_table *t, const char *name, enum dns_type type)
{
	size_t count = 0;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->query_count && i < DNS_TABLE_LOG; i++) {
		if (view_eq_nocase(
			dns_table_bare_name(t->log[i].name), dns_table_bare_name(name)) &&
		    (type == DNS_ANY_TYPE || t->log[i].type == type))
			count++;
	}
	pthread_mutex_unlock(&t->lock);
	return count;
}

static inline void
dns_table_forget_asked(struct dns_table *t)
{
	pthread_mutex_lock(&t->lock);
	t->query_count = t->each_count = 0;
	pthread_mutex_unlock(&t->lock);
}

/* ---- life ---- */

static inline void
dns_table_init(struct dns_table *t)
{
	pthread_mutex_init(&t->lock, NULL);
	t->source = (struct dns_source){
		.query = dns_table_query,
		.query_each = dns_table_query_each,
		.context = t,
	};
}

/* dns_table_create - rows end with a name of NULL; NULL: an empty table. Copied. */
static inline struct dns_table *
dns_table_create(const struct dns_row *rows)
{
	struct dns_table *t = mem_calloc(1, sizeof(*t));

	dns_table_init(t);
	for (; rows != NULL && rows->name != NULL; rows++)
		dns_table_add(t, rows->name, rows->type, rows->text);
	return t;
}

/* dns_table_servers - once, before anybody asks. */
static inline void
dns_table_servers(struct dns_table *t, size_t count)
{
	t->servers = mem_calloc(count, sizeof(*t->servers));
	t->server_count = count;
	for (size_t i = 0; i < count; i++)
		dns_table_init(&t->servers[i]);
}

static inline struct dns_table *
dns_table_server(struct dns_table *t, size_t index)
{
	return &t->servers[index];
}

static inline const struct dns_source *
dns_table_source(const struct dns_table *t)
{
	return &t->source;
}

static inline void
dns_table_destroy(struct dns_table **t)
{
	if (*t == NULL)
		return;
	for (size_t i = 0; i < (*t)->server_count; i++) {
		dns_table_clear(&(*t)->servers[i]);
		pthread_mutex_destroy(&(*t)->servers[i].lock);
	}
	mem_free((*t)->servers);
	dns_table_clear(*t);
	pthread_mutex_destroy(&(*t)->lock);
	mem_free(*t);
	*t = NULL;
}

#endif
