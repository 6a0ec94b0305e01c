/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reading configuration text: see conf_source.h. One pass over each file, token by token, knows
 * just enough of libconfig's lexer: comments, strings, names, numbers, and @include at the
 * beginning of a line. Comments are left out of the text; line ends always stay.
 */
#include "lib/base/conf_source.h"

#include "lib/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_MAX = 1 << 20,
	TEXT_MAX = 4 << 20,
	DEPTH_MAX = 10,
	INCLUDE_MAX = 256,
	NUMBER_MAX = 64, /* octets of a number that is looked at */
};

struct scan {
	struct conf_source *source;
	struct view rest; /* of the file, not yet read */
	struct conf_where where;
	bool at_line_start; /* nothing but blanks since */
	unsigned depth;
};

static bool scan_file(
    struct conf_source *s, const char *file, struct view text, unsigned depth);

/* ---- reading files ---- */

static bool
read_all(int fd, struct buf *out, struct err *err)
{
	for (;;) {
		char *to = buf_reserve(out, out->len < out->cap ? 1 : 0);
		size_t room = out->room - out->len;
		if (room == 0)
			return err_set(err, ERR_LIMIT, "is over %d KiB", FILE_MAX / 1024);
		ssize_t n = read(fd, to, room);
		if (n == 0)
			return true;
		if (n > 0)
			buf_commit(out, (size_t)n);
		else if (errno != EINTR)
			return err_set_errno(err, errno, "cannot be read");
	}
}

static bool
read_descriptor(int fd, struct buf *out, struct err *err)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return err_set_errno(err, errno, "cannot be read");
	if (S_ISDIR(st.st_mode))
		return err_set(err, ERR_CONFIG, "is a folder, not a file");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CONFIG, "is not a regular file");
	return read_all(fd, out, err);
}

/* Non-blocking: to open a FIFO would wait for its writer. */
static bool
read_file(const char *file, struct buf *out, struct err *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_set_errno(err, errno, "cannot be read");
	bool ok = read_descriptor(fd, out, err);
	close(fd);
	return ok;
}

/* ---- the text and its marks ---- */

static void
add_mark(struct conf_source *s, struct conf_where where)
{
	if (s->count == s->room) {
		s->room = s->room > 0 ? s->room * 2 : 8;
		s->marks = mem_realloc(s->marks, s->room * sizeof(*s->marks));
	}
	s->marks[s->count++] = (struct conf_mark){ s->line, where };
}

struct conf_where
conf_source_where(const struct conf_source *s, unsigned line)
{
	const struct conf_mark *mark = &s->marks[0];
	for (size_t i = 1; i < s->count && (unsigned)s->marks[i].first <= line; i++)
		mark = &s->marks[i];
	struct conf_where where = mark->where;
	if (line > (unsigned)mark->first)
		where.line += (int)(line - (unsigned)mark->first);
	return where;
}

static bool
emit(struct scan *scan, struct view piece)
{
	if (buf_add_view(&scan->source->text, piece))
		return true;
	conf_error(scan->source->errors, scan->where, "",
	    "the configuration with its includes is over %d KiB", TEXT_MAX / 1024);
	return false;
}

static bool
emit_newline(struct scan *scan)
{
	scan->source->line++;
	return emit(scan, VIEW("\n"));
}

static struct view
take(struct scan *scan, size_t len)
{
	struct view piece = view_make(scan->rest.p, len);
	scan->rest = view_from(scan->rest, len);
	return piece;
}

/* ---- tokens: each function reads one; false: an error was added, and going on is no use ----
 */

static bool
scan_newline(struct scan *scan)
{
	take(scan, 1);
	scan->where.line++;
	scan->at_line_start = true;
	return emit_newline(scan);
}

static bool
scan_comment(struct scan *scan)
{
	take(scan, view_find(scan->rest, '\n'));
	return true;
}

static bool
scan_block_comment(struct scan *scan)
{
	const char *end = memmem(scan->rest.p + 2, scan->rest.len - 2, "*/", 2);
	if (end == NULL) {
		conf_error(scan->source->errors, scan->where, "",
		    "a comment begins here with /* and never ends with */");
		return false;
	}
	struct view comment = take(scan, (size_t)(end - scan->rest.p) + 2);
	for (size_t i = 0; i < comment.len; i++) {
		if (comment.p[i] != '\n')
			continue;
		scan->where.line++;
		if (!emit_newline(scan))
			return false;
	}
	return emit(scan, VIEW(" "));
}

/* Length of the string at the start of v with both quotes; 0: it does not end on its line. */
static size_t
string_len(struct view v)
{
	for (size_t i = 1; i < v.len && v.p[i] != '\n'; i++) {
		if (v.p[i] == '"')
			return i + 1;
		if (v.p[i] == '\\' && i + 1 < v.len && v.p[i + 1] != '\n')
			i++;
	}
	return 0;
}

static bool
scan_string(struct scan *scan)
{
	size_t len = string_len(scan->rest);
	if (len == 0) {
		conf_error(scan->source->errors, scan->where, "",
		    "a string has no closing quote on its line");
		return false;
	}
	struct view string = take(scan, len);
	for (size_t i = 1; i + 3 < len; i++) {
		if (string.p[i] != '\\')
			continue;
		if (view_starts(view_from(string, i), VIEW("\\x00")))
			conf_error(
			    scan->source->errors, scan->where, "", "a string holds \\x00");
		i++; /* what is escaped */
	}
	return emit(scan, string);
}

static bool
is_name_char(char c)
{
	return ascii_is_alnum(c) || c == '_' || c == '-' || c == '*';
}

static bool
scan_name(struct scan *scan)
{
	size_t len = 1;
	while (len < scan->rest.len && is_name_char(scan->rest.p[len]))
		len++;
	return emit(scan, take(scan, len));
}

static bool
is_number_start(struct view v)
{
	size_t i = v.len > 0 && (v.p[0] == '-' || v.p[0] == '+') ? 1 : 0;
	if (i < v.len && v.p[i] == '.')
		i++;
	return i < v.len && ascii_is_digit(v.p[i]);
}

static size_t
number_len(struct view v)
{
	bool hex = v.len > 1 && v.p[0] == '0' && ascii_lower(v.p[1]) == 'x';
	size_t len = 1;
	for (; len < v.len; len++) {
		char c = v.p[len];
		bool exponent = !hex && ascii_lower(v.p[len - 1]) == 'e';
		if (!ascii_is_alnum(c) && c != '.' && !(exponent && (c == '-' || c == '+')))
			break;
	}
	return len;
}

/*
 * The magnitude of a whole number, 10 or 0x10; false: it is none. Over 64 bits: UINT64_MAX.
 * *long_out: it has its L.
 */
static bool
read_magnitude(struct view token, uint64_t *out, bool *long_out)
{
	char text[NUMBER_MAX];
	char *end = NULL;
	if (!view_copy(token, text, sizeof(text)))
		return false;
	const char *digits = text[0] == '-' || text[0] == '+' ? text + 1 : text;
	bool hex = digits == text && digits[0] == '0' && ascii_lower(digits[1]) == 'x';
	*out = strtoull(digits, &end, hex ? 16 : 10);
	*long_out = *end == 'L';
	while (*end == 'L')
		end++;
	return *end == '\0' && end != digits;
}

/* Without its L a number is cut to 32 bits in silence: it gets one. */
static bool
scan_number(struct scan *scan)
{
	struct view token = take(scan, number_len(scan->rest));
	uint64_t magnitude;
	bool is_long = false;
	if (!read_magnitude(token, &magnitude, &is_long)) {
		if (token.len < NUMBER_MAX)
			return emit(
			    scan, token); /* a fraction, or nonsense for libconfig to refuse */
		magnitude = UINT64_MAX;
	}
	if (magnitude > INT64_MAX)
		conf_error(scan->source->errors, scan->where, "",
		    "the number %.24s%s is too large", arena_strdup(scan->source->arena, token),
		    token.len > 24 ? "..." : "");
	return emit(scan, token) &&
	       (is_long || magnitude <= INT32_MAX || emit(scan, VIEW("L")));
}

/* ---- includes ---- */

/* The file that an include names, beside the file that names it. */
static const char *
include_name(const struct scan *scan, struct view name)
{
	const char *slash = strrchr(scan->where.file, '/');
	if (name.p[0] == '/' || slash == NULL)
		return arena_strdup(scan->source->arena, name);
	return arena_printf(scan->source->arena, "%.*s/%.*s", (int)(slash - scan->where.file),
	    scan->where.file, VIEW_ARG(name));
}

/* The name in @include "name" at the start of rest, taken off it; false: it has no such form.
 */
static bool
take_include_name(struct scan *scan, struct view *name_out)
{
	struct view line = view_make(scan->rest.p, view_find(scan->rest, '\n'));
	struct view keyword = VIEW("@include");
	if (!scan->at_line_start || !view_starts(line, keyword))
		return false;
	struct view quoted = view_from(line, keyword.len);
	while (quoted.len > 0 && (quoted.p[0] == ' ' || quoted.p[0] == '\t'))
		quoted = view_from(quoted, 1);
	if (quoted.len < 3 || quoted.p[0] != '"')
		return false;
	struct view name = view_from(quoted, 1);
	name.len = view_find(name, '"');
	if (name.len == 0 || name.p + name.len == line.p + line.len ||
	    view_find(name, '\\') < name.len)
		return false;
	take(scan, (size_t)(name.p + name.len + 1 - line.p));
	*name_out = name;
	return true;
}

static bool
include_file(struct scan *scan, const char *file)
{
	struct conf_source *s = scan->source;
	struct buf content;
	struct err err;
	bool go_on = true;
	buf_init(&content, FILE_MAX);
	if (scan->depth >= DEPTH_MAX || s->include_count >= INCLUDE_MAX) {
		conf_error(s->errors, scan->where, "@include",
		    "there are too many includes in each other; does \"%s\" include itself?",
		    file);
		go_on = false;
	} else if (!read_file(file, &content, &err)) {
		conf_error(s->errors, scan->where, "@include", "\"%s\" %s", file, err.text);
	} else {
		s->include_count++;
		go_on = scan_file(s, file, buf_view(&content), scan->depth + 1);
	}
	buf_finish(&content);
	return go_on;
}

/* The file's text begins on a line of its own, and so does what follows the include. */
static bool
scan_include(struct scan *scan)
{
	struct view name;
	if (!take_include_name(scan, &name)) {
		conf_error(scan->source->errors, scan->where, "",
		    "an include is written @include \"file\", on a line of its own");
		return false;
	}
	if (!emit_newline(scan) || !include_file(scan, include_name(scan, name)) ||
	    !emit_newline(scan))
		return false;
	add_mark(scan->source, scan->where);
	return true;
}

/* ---- files ---- */

static bool
scan_token(struct scan *scan)
{
	char c = scan->rest.p[0];
	if (c == '\n')
		return scan_newline(scan);
	if (c == ' ' || c == '\t')
		return emit(scan, take(scan, 1));
	if (c == '@')
		return scan_include(scan);
	scan->at_line_start = false;
	if (c == '#' || view_starts(scan->rest, VIEW("//")))
		return scan_comment(scan);
	if (view_starts(scan->rest, VIEW("/*")))
		return scan_block_comment(scan);
	if (c == '"')
		return scan_string(scan);
	if (is_number_start(scan->rest))
		return scan_number(scan);
	if (is_name_char(c))
		return scan_name(scan);
	return emit(scan, take(scan, 1));
}

static bool
scan_file(struct conf_source *s, const char *file, struct view text, unsigned depth)
{
	struct scan scan = { .source = s,
		.rest = text,
		.where = { file, 1 },
		.at_line_start = true,
		.depth = depth };
	if (view_find(text, '\0') < text.len) {
		conf_error(s->errors, (struct conf_where){ file, 0 }, "",
		    "holds a NUL octet: it is not a text file");
		return false;
	}
	if (view_starts(text, VIEW("\xef\xbb\xbf")))
		take(&scan, 3); /* the mark that some editors put before UTF-8 */
	add_mark(s, scan.where);
	while (scan.rest.len > 0)
		if (!scan_token(&scan))
			return false;
	return true;
}

bool
conf_source_read(
    struct conf_source *s, const char *file, struct arena *arena, struct conf_errors *errors)
{
	struct buf content;
	struct err err;
	size_t errors_before = errors->count;
	*s = (struct conf_source){ .line = 1, .arena = arena, .errors = errors };
	buf_init(&s->text, TEXT_MAX);
	buf_init(&content, FILE_MAX);
	if (!read_file(file, &content, &err))
		conf_error(errors, (struct conf_where){ file, 0 }, "", "%s", err.text);
	else if (scan_file(s, file, buf_view(&content), 0) && !buf_add_char(&s->text, '\0'))
		conf_error(errors, (struct conf_where){ file, 0 }, "", "is too long");
	buf_finish(&content);
	return errors->count == errors_before;
}

void
conf_source_finish(struct conf_source *s)
{
	buf_finish(&s->text);
	mem_free(s->marks);
	s->marks = NULL;
}
