/* SPDX-License-Identifier: MPL-2.0 */
/* Reading a file of DNS answers; see dns_file.h. */
#include "lib/net/dns_file_private.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/net/dns_text.h"

#include <stdio.h>

#define LINE_MAX_OCTETS (4 * DNS_TXT_MAX + 4096) /* the longest TXT, all of it escaped */

struct parse {
	struct dns_file *file;
	struct conf_where where;
	struct conf_errors *errors;
	size_t error_count;
};

static bool
complain(struct parse *p, const char *path, const char *text)
{
	if (p->error_count++ < DNS_FILE_ERRORS)
		conf_error(p->errors, p->where, path, "%s", text);
	return false;
}

/* take_word - the next word of a line, off *rest. */
static struct view
take_word(struct view *rest)
{
	size_t len = 0;
	struct view word;

	while (len < rest->len && rest->p[len] != ' ' && rest->p[len] != '\t')
		len++;
	word = view_make(rest->p, len);
	*rest = view_trim(view_from(*rest, len));
	return word;
}

/* ---- one line ---- */

static bool
read_server(struct parse *p, struct view *rest, struct dns_file_line *line)
{
	const size_t end = view_find(*rest, ']');
	struct view name;

	if (rest->p[0] != '[')
		return true;
	if (end == rest->len)
		return complain(p, NULL, "a server in brackets needs its \"]\"");
	name = view_trim(view_make(rest->p + 1, end - 1));
	if (name.len >= sizeof(((struct dns_server_answer *)0)->server))
		return complain(p, NULL, "the name of the server is too long");
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] < ' ' || name.p[i] > '~')
			return complain(p, NULL, "the server's name has odd characters");
	}
	line->server = name.len > 0 ? arena_strdup(&p->file->arena, name) : DNS_FILE_UNKNOWN;
	*rest = view_trim(view_from(*rest, end + 1));
	return true;
}

static bool
read_name(struct parse *p, struct view *rest, struct dns_file_line *line)
{
	const struct view word = take_word(rest);
	char name[DNS_NAME_TEXT_MAX];

	if (!dns_name_is_valid(word) || !dns_text_name(word, name))
		return complain(p, NULL, "a line is NAME [TTL] TYPE DATA: this name is none");
	line->name = arena_strdup(&p->file->arena, view_of(name));
	return true;
}

static bool
read_type(struct parse *p, struct view *rest, struct dns_file_line *line)
{
	struct view word = take_word(rest);
	enum dns_type type;
	uint64_t ttl;

	line->ttl_s = DNS_FILE_TTL_S;
	if (view_to_u64(word, &ttl)) {
		line->ttl_s = ttl < UINT32_MAX ? (uint32_t)ttl : UINT32_MAX;
		word = take_word(rest);
	}
	if (view_eq_nocase(word, VIEW("IN")))
		word = take_word(rest);
	if (view_eq_nocase(word, VIEW("ALIAS"))) {
		line->is_alias = true;
		word = take_word(rest);
	}
	if (view_eq(word, VIEW("*"))) {
		line->type = DNS_FILE_ANY;
		return true;
	}
	if (!dns_type_find(word, &type))
		return complain(p, line->name,
		    "the type is none of A, AAAA, CNAME, MX, NS, PTR, SOA, TLSA, TXT and *");
	line->type = (int)type;
	return true;
}

/* read_failure - "TEMPFAIL why". */
static bool
read_failure(struct parse *p, struct view rest, struct dns_file_line *line)
{
	for (size_t i = 0; i < rest.len; i++) {
		if (rest.p[i] < ' ' || rest.p[i] > '~')
			return complain(p, line->name, "the reason has odd characters");
	}
	if (rest.len == 0 || rest.len >= DNS_WHY_MAX)
		return complain(p, line->name, "TEMPFAIL needs a reason, of up to 95 octets");
	line->status = DNS_TEMPFAIL;
	line->why = arena_strdup(&p->file->arena, rest);
	return true;
}

/* read_word - a word instead of data; false: it is none. */
static bool
read_word(struct view text, struct dns_file_line *line)
{
	static const struct {
		const char *word;
		enum dns_status status;
		const char *why;
	} words[] = {
		{ "NXDOMAIN", DNS_NXDOMAIN, NULL },
		{ "NODATA", DNS_NODATA, NULL },
		{ "SERVFAIL", DNS_TEMPFAIL, "SERVFAIL" },
		{ "TIMEOUT", DNS_TEMPFAIL, "timed out" },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!view_eq_nocase(text, view_of(words[i].word)))
			continue;
		line->status = words[i].status;
		line->why = words[i].why;
		return true;
	}
	return false;
}

static bool
read_data(struct parse *p, struct view rest, struct dns_file_line *line)
{
	struct view after = rest;
	struct err err = { 0 };

	if (read_word(rest, line))
		return true;
	if (view_eq_nocase(take_word(&after), VIEW("TEMPFAIL")))
		return read_failure(p, after, line);
	if (line->type == DNS_FILE_ANY)
		return complain(p, line->name,
		    "for \"*\" there is NXDOMAIN, NODATA, SERVFAIL, TIMEOUT or TEMPFAIL alone");
	if (rest.len == 0)
		return complain(p, line->name, "the data is missing");
	line->status = DNS_FOUND;
	if (!dns_text_read(
		(enum dns_type)line->type, rest, &p->file->arena, &line->record, &err))
		return complain(p, line->name, err.text);
	return true;
}

static bool
add_line(struct parse *p, const struct dns_file_line *line)
{
	struct dns_file *f = p->file;

	if (f->count == DNS_FILE_LINES)
		return complain(p, NULL, "the file has too many lines");
	if (f->count == f->room) {
		f->room = 2 * f->room + 16;
		f->lines = mem_realloc(f->lines, f->room * sizeof(*f->lines));
	}
	f->lines[f->count++] = *line;
	return true;
}

/* read_line - false: an error was added. */
static bool
read_line(struct parse *p, struct view text)
{
	struct dns_file_line line = { .server = "", .number = (size_t)p->where.line };

	if (memchr(text.p, '\0', text.len) != NULL)
		return complain(p, NULL, "has a NUL");
	text = view_trim(text);
	if (text.len == 0 || text.p[0] == '#' || text.p[0] == ';')
		return true;
	if (text.len > LINE_MAX_OCTETS)
		return complain(p, NULL, "the line is too long");
	return read_server(p, &text, &line) && read_name(p, &text, &line) &&
	       read_type(p, &text, &line) && read_data(p, text, &line) && add_line(p, &line);
}

/* ---- the whole ---- */

/* check_group - several lines of one name, type and server are several records, no more than
 * an answer has. */
static void
check_group(struct parse *p, struct dns_file_lines group)
{
	for (size_t i = 1; i < group.count; i++) {
		const struct dns_file_line *line = &group.first[i];

		p->where.line = (int)line->number;
		if (line->status == DNS_FOUND && group.first->status == DNS_FOUND &&
		    i < DNS_RECORDS_MAX)
			continue;
		(void)complain(p, line->name,
		    i < DNS_RECORDS_MAX
			? "is there already: a word stands alone for its name and type"
			: "has too many records");
		return;
	}
}

static void
check_groups(struct parse *p)
{
	const struct dns_file *f = p->file;

	for (size_t i = 0; i < f->count;) {
		const struct dns_file_line *line = &f->lines[i];
		const struct dns_file_lines group =
		    dns_file_find(f, line->name, line->type, line->server);

		check_group(p, group);
		i += group.count;
	}
}

struct dns_file *
dns_file_parse(const char *file, struct view text, struct conf_errors *errors)
{
	struct parse p = {
		.file = dns_file_create(file), .where = { .file = file }, .errors = errors
	};
	struct view line;

	while (p.error_count < DNS_FILE_ERRORS && view_split(&text, '\n', &line)) {
		p.where.line++;
		(void)read_line(&p, line);
	}
	dns_file_sort(p.file);
	check_groups(&p);
	if (p.error_count > 0)
		dns_file_destroy(&p.file);
	return p.file;
}

struct dns_file *
dns_file_read(const char *path, struct conf_errors *errors)
{
	struct dns_file *f = NULL;
	struct err err = { 0 };
	struct buf text;

	buf_init(&text, DNS_FILE_MAX);
	if (file_read(path, &text, &err))
		f = dns_file_parse(path, buf_view(&text), errors);
	else
		conf_error(errors, (struct conf_where){ .file = path }, NULL, "%s", err.text);
	buf_finish(&text);
	return f;
}
