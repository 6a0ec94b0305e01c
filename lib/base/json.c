/* SPDX-License-Identifier: MPL-2.0 */
/* JSON into a buffer; see json.h. */
#include "lib/base/json.h"

#define REPLACEMENT 0xfffdU

static void
put(struct json *j, const char *text, size_t len)
{
	j->is_full = j->is_full || !buf_add(j->out, text, len);
}

static void
put_unit(struct json *j, unsigned unit)
{
	j->is_full = j->is_full || !buf_printf(j->out, "\\u%04x", unit);
}

static void
put_code_point(struct json *j, unsigned code)
{
	if (code < 0x10000) {
		put_unit(j, code);
		return;
	}
	code -= 0x10000;
	put_unit(j, 0xd800 + (code >> 10));
	put_unit(j, 0xdc00 + (code & 0x3ff));
}

/* utf8_take - the code point at the head of text and its octets; what is none is one octet. */
static unsigned
utf8_take(struct view text, size_t *used)
{
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char first = (unsigned char)text.p[0];
	const size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	unsigned code = first & (0xffU >> (len + 1));

	*used = 1;
	if (first < 0xc2 || first > 0xf4 || text.len < len)
		return REPLACEMENT;
	for (size_t i = 1; i < len; i++) {
		const unsigned char c = (unsigned char)text.p[i];

		if ((c & 0xc0) != 0x80)
			return REPLACEMENT;
		code = code << 6 | (c & 0x3fU);
	}
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return REPLACEMENT;
	*used = len;
	return code;
}

static void
put_text(struct json *j, struct view text)
{
	put(j, "\"", 1);
	while (text.len > 0 && !j->is_full) {
		const unsigned char c = (unsigned char)text.p[0];
		size_t used = 1;

		if (c == '"' || c == '\\')
			put(j, "\\", 1);
		if (c >= 0x80)
			put_code_point(j, utf8_take(text, &used));
		else if (c < 0x20 || c == 0x7f)
			put_unit(j, c);
		else
			put(j, text.p, 1);
		text = view_from(text, used);
	}
	put(j, "\"", 1);
}

/* item - what stands in front of a value. */
static void
item(struct json *j, const char *key)
{
	if (j->has_items[j->depth])
		put(j, ",", 1);
	j->has_items[j->depth] = true;
	if (key == NULL)
		return;
	put_text(j, view_of(key));
	put(j, ":", 1);
}

void
json_begin(struct json *j, struct buf *out)
{
	*j = (struct json){ .out = out };
}

bool
json_end(const struct json *j)
{
	if (j->depth > 0)
		BUG("%zu JSON brackets are open", j->depth);
	return !j->is_full;
}

void
json_open(struct json *j, const char *key, char bracket)
{
	if (j->depth == JSON_DEPTH_MAX)
		BUG("JSON within JSON within JSON");
	item(j, key);
	put(j, &bracket, 1);
	j->closers[j->depth++] = bracket == '{' ? '}' : ']';
	j->has_items[j->depth] = false;
}

void
json_close(struct json *j)
{
	if (j->depth == 0)
		BUG("no JSON bracket is open");
	put(j, &j->closers[--j->depth], 1);
}

void
json_view(struct json *j, const char *key, struct view text)
{
	item(j, key);
	put_text(j, text);
}

void
json_str(struct json *j, const char *key, const char *text)
{
	item(j, key);
	if (text != NULL)
		put_text(j, view_of(text));
	else
		put(j, "null", 4);
}

void
json_int(struct json *j, const char *key, int64_t number)
{
	item(j, key);
	j->is_full = j->is_full || !buf_printf(j->out, "%lld", (long long)number);
}

void
json_bool(struct json *j, const char *key, bool is_true)
{
	item(j, key);
	if (is_true)
		put(j, "true", 4);
	else
		put(j, "false", 5);
}

void
json_raw(struct json *j, const char *key, struct view text)
{
	if (text.len == 0)
		return;
	item(j, key);
	put(j, text.p, text.len);
}
