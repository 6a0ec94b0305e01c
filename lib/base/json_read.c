/* SPDX-License-Identifier: MPL-2.0 */
/* JSON into a tree; see json_read.h. */
#include "lib/base/json_read.h"

#include "lib/base/buf.h"

#define REPLACEMENT 0xfffdU

struct reader {
	struct view rest;
	struct arena *arena;
	size_t values; /* so far */
};

static char
peek(const struct reader *r)
{
	return r->rest.len > 0 ? r->rest.p[0] : '\0';
}

static void
skip_blanks(struct reader *r)
{
	while (
	    r->rest.len > 0 && strchr(" \t\r\n", r->rest.p[0]) != NULL && r->rest.p[0] != '\0')
		r->rest = view_from(r->rest, 1);
}

static bool
take(struct reader *r, char c)
{
	if (r->rest.len == 0 || r->rest.p[0] != c)
		return false;
	r->rest = view_from(r->rest, 1);
	return true;
}

/* ---- strings ---- */

static bool
take_hex4(struct reader *r, unsigned *unit_out)
{
	*unit_out = 0;
	if (r->rest.len < 4)
		return false;
	for (size_t i = 0; i < 4; i++) {
		const int digit = ascii_hex_value(r->rest.p[i]);

		if (digit < 0)
			return false;
		*unit_out = *unit_out << 4 | (unsigned)digit;
	}
	r->rest = view_from(r->rest, 4);
	return true;
}

static size_t
put_utf8(unsigned code, char *out)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* read_unicode - behind "\u"; a second escape is taken too when it makes a pair. */
static bool
read_unicode(struct reader *r, unsigned *code_out)
{
	struct reader ahead;
	unsigned low;

	if (!take_hex4(r, code_out))
		return false;
	if (*code_out < 0xd800 || *code_out > 0xdfff)
		return true;
	ahead = *r;
	if (*code_out < 0xdc00 && take(&ahead, '\\') && take(&ahead, 'u') &&
	    take_hex4(&ahead, &low) && low >= 0xdc00 && low <= 0xdfff) {
		*code_out = 0x10000 + ((*code_out - 0xd800) << 10) + (low - 0xdc00);
		r->rest = ahead.rest;
		return true;
	}
	*code_out = REPLACEMENT;
	return true;
}

/* read_escape - behind the backslash; no more octets than the escape has. */
static bool
read_escape(struct reader *r, char *out, size_t *len)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char c = peek(r);
	const char *at = c != '\0' ? strchr(names, c) : NULL;
	unsigned code;

	if (c == '\0')
		return false;
	r->rest = view_from(r->rest, 1);
	if (at != NULL) {
		out[(*len)++] = values[at - names];
		return true;
	}
	if (c != 'u' || !read_unicode(r, &code))
		return false;
	*len += put_utf8(code, out + *len);
	return true;
}

/* read_string - behind the opening quote, to the closing one. */
static bool
read_string(struct reader *r, struct view *out)
{
	char *text;
	size_t end = 0, len = 0;

	while (end < r->rest.len && r->rest.p[end] != '"')
		end += r->rest.p[end] == '\\' ? 2 : 1;
	if (end >= r->rest.len)
		return false;
	text = arena_alloc(r->arena, end + 1);
	while (!take(r, '"')) {
		const char c = peek(r);

		r->rest = view_from(r->rest, 1);
		if ((unsigned char)c < 0x20)
			return false;
		if (c != '\\')
			text[len++] = c;
		else if (!read_escape(r, text, &len))
			return false;
	}
	*out = view_make(text, len);
	return true;
}

/* ---- numbers and words ---- */

static size_t
count_digits(struct view text)
{
	size_t count = 0;

	while (count < text.len && ascii_is_digit(text.p[count]))
		count++;
	return count;
}

static bool
skip_digits(struct view *text)
{
	const size_t count = count_digits(*text);

	*text = view_from(*text, count);
	return count > 0;
}

static bool
skip_char(struct view *text, const char *any)
{
	if (text->len == 0 || text->p[0] == '\0' || strchr(any, text->p[0]) == NULL)
		return false;
	*text = view_from(*text, 1);
	return true;
}

static bool
read_number(struct reader *r, struct view *out)
{
	struct view text = r->rest;

	(void)skip_char(&text, "-");
	if (!skip_char(&text, "0") && !skip_digits(&text))
		return false;
	if (skip_char(&text, ".") && !skip_digits(&text))
		return false;
	if (skip_char(&text, "eE")) {
		(void)skip_char(&text, "+-");
		if (!skip_digits(&text))
			return false;
	}
	*out = arena_view(r->arena, view_make(r->rest.p, r->rest.len - text.len));
	r->rest = text;
	return true;
}

static bool
read_word(struct reader *r, struct view word)
{
	if (!view_starts(r->rest, word))
		return false;
	r->rest = view_from(r->rest, word.len);
	return true;
}

/* ---- values ---- */

static struct json_value *read_value(struct reader *r, unsigned depth);

/* read_item - of an array or object; NULL: it is none. */
static struct json_value *
read_item(struct reader *r, bool in_object, unsigned depth)
{
	struct json_value *item;
	struct view key = VIEW("");

	if (in_object) {
		skip_blanks(r);
		if (!take(r, '"') || !read_string(r, &key))
			return NULL;
		skip_blanks(r);
		if (!take(r, ':'))
			return NULL;
	}
	item = read_value(r, depth);
	if (item != NULL)
		item->key = key;
	return item;
}

/* read_items - behind the opening bracket, to the closing one. */
static bool
read_items(struct reader *r, struct json_value *into, unsigned depth)
{
	const bool in_object = into->type == JSON_OBJECT;
	const char closer = in_object ? '}' : ']';
	const struct json_value **end = &into->first;

	skip_blanks(r);
	if (take(r, closer))
		return true;
	do {
		struct json_value *item = read_item(r, in_object, depth);

		if (item == NULL)
			return false;
		*end = item;
		end = &item->next;
		skip_blanks(r);
	} while (take(r, ','));
	return take(r, closer);
}

static bool
read_simple(struct reader *r, struct json_value *value)
{
	value->type = JSON_BOOL;
	if (take(r, '"')) {
		value->type = JSON_STRING;
		return read_string(r, &value->text);
	}
	if (read_word(r, VIEW("true"))) {
		value->is_true = true;
		return true;
	}
	if (read_word(r, VIEW("false")))
		return true;
	value->type = JSON_NULL;
	if (read_word(r, VIEW("null")))
		return true;
	value->type = JSON_NUMBER;
	return read_number(r, &value->text);
}

static struct json_value *
read_value(struct reader *r, unsigned depth)
{
	struct json_value *value;
	bool ok;

	if (depth == 0 || r->values == JSON_READ_VALUES_MAX)
		return NULL;
	r->values++;
	value = arena_alloc(r->arena, sizeof(*value));
	skip_blanks(r);
	if (take(r, '{')) {
		value->type = JSON_OBJECT;
		ok = read_items(r, value, depth - 1);
	} else if (take(r, '[')) {
		value->type = JSON_ARRAY;
		ok = read_items(r, value, depth - 1);
	} else {
		ok = read_simple(r, value);
	}
	return ok ? value : NULL;
}

const struct json_value *
json_read(struct view text, struct arena *arena)
{
	struct reader r = { .rest = text, .arena = arena };
	const struct json_value *value = read_value(&r, JSON_READ_DEPTH_MAX);

	skip_blanks(&r);
	return r.rest.len == 0 ? value : NULL;
}

/* ---- looking into it ---- */

const struct json_value *
json_get(const struct json_value *object, const char *key)
{
	const struct json_value *v =
	    object != NULL && object->type == JSON_OBJECT ? object->first : NULL;

	while (v != NULL && !view_eq(v->key, view_of(key)))
		v = v->next;
	return v;
}

const struct json_value *
json_first(const struct json_value *object, const char *key)
{
	const struct json_value *v = json_get(object, key);

	return v != NULL ? v->first : NULL;
}

struct view
json_get_text(const struct json_value *object, const char *key)
{
	const struct json_value *v = json_get(object, key);

	return v != NULL && v->type == JSON_STRING ? v->text : VIEW("");
}

int64_t
json_get_int(const struct json_value *object, const char *key)
{
	const struct json_value *v = json_get(object, key);
	struct view digits;
	uint64_t number;
	bool is_negative;

	if (v == NULL || v->type != JSON_NUMBER)
		return 0;
	digits = v->text;
	is_negative = skip_char(&digits, "-");
	if (!view_to_u64(digits, &number) || number > INT64_MAX)
		return 0;
	return is_negative ? -(int64_t)number : (int64_t)number;
}

bool
json_get_bool(const struct json_value *object, const char *key)
{
	const struct json_value *v = json_get(object, key);

	return v != NULL && v->type == JSON_BOOL && v->is_true;
}
