/* SPDX-License-Identifier: MPL-2.0 */
/* Answers out of a file, and answers as lines of one; see dns_file.h. */
#include "lib/net/dns_file_private.h"

#include "lib/base/mem.h"
#include "lib/net/dns_text.h"

#include <stdio.h>
#include <stdlib.h>

#define ALIASES_MAX 16 /* CNAMEs from one question to its answer */

static const char why_timeout[] = "timed out";
static const char why_servfail[] = "SERVFAIL";

/* ---- the order of lines ---- */

static int
compare_keys(const struct dns_file_line *a, const struct dns_file_line *b)
{
	const int names = strcmp(a->name, b->name);

	if (names != 0)
		return names;
	return a->type != b->type ? a->type - b->type : strcmp(a->server, b->server);
}

static int
compare_lines(const void *a, const void *b)
{
	const struct dns_file_line *x = a, *y = b;
	const int keys = compare_keys(x, y);

	return keys != 0 ? keys : (x->number > y->number) - (x->number < y->number);
}

void
dns_file_sort(struct dns_file *f)
{
	if (f->count > 0)
		qsort(f->lines, f->count, sizeof(*f->lines), compare_lines);
}

/* first_at - the first line that is not before key. */
static size_t
first_at(const struct dns_file *f, const struct dns_file_line *key)
{
	size_t low = 0, high = f->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (compare_keys(&f->lines[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct dns_file_lines
dns_file_find(const struct dns_file *f, const char *name, int type, const char *server)
{
	const struct dns_file_line key = { .name = name, .type = type, .server = server };
	const size_t first = first_at(f, &key);
	size_t end = first;

	while (end < f->count && compare_keys(&f->lines[end], &key) == 0)
		end++;
	return (struct dns_file_lines){ f->count > 0 ? f->lines + first : NULL, end - first };
}

/* ---- answers ---- */

static void
fail(struct dns_answer *out, const char *why)
{
	*out = (struct dns_answer){ .status = DNS_TEMPFAIL };
	(void)snprintf(out->why, sizeof(out->why), "%s", why);
}

static void
answer_with(struct dns_file_lines lines, struct arena *arena, struct dns_answer *out)
{
	const struct dns_file_line *first = lines.first;

	*out = (struct dns_answer){
		.status = first->status, .ttl_s = first->ttl_s, .is_alias = first->is_alias
	};
	if (first->status == DNS_TEMPFAIL)
		(void)snprintf(out->why, sizeof(out->why), "%s", first->why);
	if (first->status != DNS_FOUND)
		return;
	out->records = arena_alloc(arena, lines.count * sizeof(*out->records));
	for (; out->count < lines.count; out->count++) {
		const struct dns_file_line *line = &first[out->count];
		struct dns_record *record = &out->records[out->count];

		/* With a NUL behind it, as names have. */
		record->data =
		    view_make(arena_strdup(arena, line->record.data), line->record.data.len);
		record->preference = line->record.preference;
		if (line->ttl_s < out->ttl_s)
			out->ttl_s = line->ttl_s;
		out->is_alias = out->is_alias || line->is_alias;
	}
}

/* exists - the file says something of the name but that it does not exist, or of one below. */
static bool
exists(const struct dns_file *f, const char *name)
{
	const size_t len = strlen(name);

	for (size_t i = 0; i < f->count; i++) {
		const struct dns_file_line *line = &f->lines[i];
		const size_t own = strlen(line->name);

		if (line->server[0] != '\0' || line->status == DNS_NXDOMAIN || own < len ||
		    strcmp(line->name + own - len, name) != 0)
			continue;
		if (own == len || line->name[own - len - 1] == '.')
			return true;
	}
	return false;
}

static void
answer_unlisted(const struct dns_file *f, const char *name, struct dns_answer *out)
{
	if (f->is_strict) {
		fail(out, DNS_FILE_UNLISTED);
		return;
	}
	*out = (struct dns_answer){
		.status = exists(f, name) ? DNS_NODATA : DNS_NXDOMAIN,
		.ttl_s = DNS_FILE_TTL_S,
	};
}

/* look_up - what is said of the name itself; the alias that it is, or NULL. */
static const char *
look_up(const struct dns_file *f, const char *name, enum dns_type type, struct arena *arena,
    struct dns_answer *out)
{
	struct dns_file_lines lines = dns_file_find(f, name, (int)type, "");
	struct dns_file_lines alias = dns_file_find(f, name, DNS_CNAME, "");

	if (lines.count == 0 && alias.count > 0 && alias.first->status == DNS_FOUND)
		return alias.first->record.data.p;
	if (lines.count == 0)
		lines = dns_file_find(f, name, DNS_FILE_ANY, "");
	if (lines.count > 0)
		answer_with(lines, arena, out);
	else
		answer_unlisted(f, name, out);
	return NULL;
}

static void
query(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_answer *out)
{
	const struct dns_file *f = context;
	char asked[DNS_NAME_TEXT_MAX];
	const char *at = asked;
	size_t aliases = 0;

	(void)deadline_ms;
	*out = (struct dns_answer){ .status = DNS_NXDOMAIN };
	if (!dns_text_name(view_of(name), asked))
		return;
	for (;;) {
		at = look_up(f, at, type, arena, out);
		if (at == NULL)
			break;
		if (++aliases > ALIASES_MAX) {
			fail(out, "too many CNAMEs");
			return;
		}
	}
	out->is_alias = out->is_alias || aliases > 0;
}

/* next_server - the lines behind those, of the same name and type; none: it was the last. */
static struct dns_file_lines
next_server(const struct dns_file *f, struct dns_file_lines lines)
{
	const struct dns_file_line *last = &lines.first[lines.count - 1], *next = last + 1;

	if (next == f->lines + f->count || strcmp(next->name, last->name) != 0 ||
	    next->type != last->type)
		return (struct dns_file_lines){ NULL, 0 };
	return dns_file_find(f, next->name, next->type, next->server);
}

/* first_server - likewise, of the first server that has lines. */
static struct dns_file_lines
first_server(const struct dns_file *f, const char *name, int type)
{
	const struct dns_file_line key = { .name = name, .type = type, .server = " " };
	const size_t at = first_at(f, &key);

	if (at == f->count || strcmp(f->lines[at].name, name) != 0 || f->lines[at].type != type)
		return (struct dns_file_lines){ NULL, 0 };
	return dns_file_find(f, name, type, f->lines[at].server);
}

static size_t
query_each(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_server_answer **out)
{
	const struct dns_file *f = context;
	struct dns_file_lines lines;
	char asked[DNS_NAME_TEXT_MAX];
	size_t count = 0;

	*out = arena_alloc(arena, DNS_SERVERS_MAX * sizeof(**out));
	if (!dns_text_name(view_of(name), asked) ||
	    dns_file_find(f, asked, (int)type, DNS_FILE_UNKNOWN).count > 0)
		return 0;
	lines = first_server(f, asked, (int)type);
	for (; lines.count > 0 && count < DNS_SERVERS_MAX; lines = next_server(f, lines)) {
		(void)view_copy(view_of(lines.first->server), (*out)[count].server,
		    sizeof((*out)[count].server));
		answer_with(lines, arena, &(*out)[count++].answer);
	}
	if (count > 0)
		return count;
	(void)view_copy(view_of(f->path), (*out)[0].server, sizeof((*out)[0].server));
	query(context, asked, type, deadline_ms, arena, &(*out)[0].answer);
	return 1;
}

/* ---- life ---- */

void
dns_file_destroy(struct dns_file **f)
{
	if (*f == NULL)
		return;
	arena_finish(&(*f)->arena);
	mem_free((*f)->lines);
	mem_free(*f);
	*f = NULL;
}

void
dns_file_set_strict(struct dns_file *f)
{
	f->is_strict = true;
}

const struct dns_source *
dns_file_source(const struct dns_file *f)
{
	return &f->source;
}

struct dns_file *
dns_file_create(const char *path)
{
	struct dns_file *f = mem_calloc(1, sizeof(*f));

	arena_init(&f->arena);
	f->path = arena_strdup(&f->arena, view_of(path));
	f->source = (struct dns_source){ query, query_each, f };
	return f;
}

/* ---- printing ---- */

/* What stands in front of the data of each line. */
struct head {
	const char *server; /* as in struct dns_file_line */
	const char *name, *type;
	uint32_t ttl_s;
	bool is_alias;
};

static bool
print_head(struct buf *out, const struct head *h)
{
	char name[DNS_NAME_TEXT_MAX];

	if (!dns_text_name(view_of(h->name), name))
		BUG("an answer for what is no name");
	const bool is_known = strcmp(h->server, DNS_FILE_UNKNOWN) != 0;
	if (h->server[0] != '\0' && !buf_printf(out, "[%s] ", is_known ? h->server : ""))
		return false;
	return buf_printf(out, "%s %lu %s%s ", name, (unsigned long)h->ttl_s,
	    h->is_alias ? "ALIAS " : "", h->type);
}

static bool
print_failure(struct buf *out, const char *why)
{
	if (strcmp(why, why_timeout) == 0)
		return buf_add_str(out, "TIMEOUT\n");
	if (strcmp(why, why_servfail) == 0)
		return buf_add_str(out, "SERVFAIL\n");
	return buf_printf(out, "TEMPFAIL %s\n", why);
}

static bool
print_status(struct buf *out, const struct head *head, enum dns_status status, const char *why)
{
	if (!print_head(out, head))
		return false;
	switch (status) {
	case DNS_NODATA:
		return buf_add_str(out, "NODATA\n");
	case DNS_NXDOMAIN:
		return buf_add_str(out, "NXDOMAIN\n");
	case DNS_TEMPFAIL:
		return print_failure(out, why);
	case DNS_FOUND:
		break;
	}
	BUG("status %d without records", (int)status);
}

static bool
print_record(struct buf *out, const struct head *head, enum dns_type type,
    const struct dns_record *record)
{
	return print_head(out, head) && dns_text_write(type, record, out) &&
	       buf_add_char(out, '\n');
}

bool
dns_file_print(struct buf *out, const char *server, const char *name, enum dns_type type,
    const struct dns_answer *answer)
{
	const struct head head = {
		.server = server != NULL ? server : "",
		.name = name,
		.type = dns_type_name(type),
		.ttl_s = answer->ttl_s,
		.is_alias = answer->is_alias,
	};

	if (answer->status != DNS_FOUND)
		return print_status(out, &head, answer->status, answer->why);
	for (size_t i = 0; i < answer->count; i++) {
		if (!print_record(out, &head, type, &answer->records[i]))
			return false;
	}
	return true;
}

bool
dns_file_print_unknown(struct buf *out, const char *name, enum dns_type type)
{
	const struct head head = { .server = DNS_FILE_UNKNOWN,
		.name = name,
		.type = dns_type_name(type),
		.ttl_s = DNS_FILE_TTL_S };

	return print_status(out, &head, DNS_TEMPFAIL, why_servfail);
}

bool
dns_file_print_all(const struct dns_file *f, struct buf *out)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct dns_file_line *line = &f->lines[i];
		const bool is_any = line->type == DNS_FILE_ANY;
		const struct head head = {
			.server = line->server,
			.name = line->name,
			.type = is_any ? "*" : dns_type_name((enum dns_type)line->type),
			.ttl_s = line->ttl_s,
			.is_alias = line->is_alias,
		};
		const bool ok =
		    line->status == DNS_FOUND
			? print_record(out, &head, (enum dns_type)line->type, &line->record)
			: print_status(out, &head, line->status, line->why);

		if (!ok)
			return false;
	}
	return true;
}
