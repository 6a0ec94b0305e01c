/* SPDX-License-Identifier: MPL-2.0 */
/* See dmarc_xml.h. */
#include "lib/domain/dmarc_xml.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static void
add(struct xml *x, struct view v)
{
	x->fits = x->fits && buf_add_view(x->out, v);
}

static void
indent(struct xml *x)
{
	for (unsigned i = 0; i < x->depth; i++)
		add(x, VIEW("  "));
}

static void
add_tag(struct xml *x, struct view begin, const char *name, struct view end)
{
	add(x, begin);
	add(x, view_of(name));
	add(x, end);
}

void
xml_open(struct xml *x, const char *name)
{
	indent(x);
	add_tag(x, VIEW("<"), name, VIEW(">\n"));
	x->depth++;
}

void
xml_close(struct xml *x, const char *name)
{
	x->depth--;
	indent(x);
	add_tag(x, VIEW("</"), name, VIEW(">\n"));
}

/* How the first octet of a character says its length, and the least code point for that. */
static size_t
sequence_length(unsigned char first, uint32_t *bits_out, uint32_t *least_out)
{
	static const struct {
		unsigned char mask, value;
		uint32_t least;
	} forms[] = { { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 },
		{ 0xf8, 0xf0, 0x10000 } };

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if ((first & forms[i].mask) == forms[i].value) {
			*bits_out = first & (unsigned char)~forms[i].mask;
			*least_out = forms[i].least;
			return i + 1;
		}
	}
	return 0;
}

/* read_character - at the head of v; 0 octets: it is none. */
static size_t
read_character(struct view v, uint32_t *code_out)
{
	uint32_t code = 0, least = 0;
	const size_t len = sequence_length((unsigned char)v.p[0], &code, &least);

	if (len == 0 || len > v.len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		const unsigned char c = (unsigned char)v.p[i];

		if ((c & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (c & 0x3f);
	}
	*code_out = code;
	return code >= least ? len : 0;
}

/* XML 1.0 2.2, and without the controls of C1 and line ends, which a name never needs. */
static bool
is_allowed(uint32_t code)
{
	return (code >= 0x20 && code < 0x7f) || (code >= 0xa0 && code < 0xd800) ||
	       (code >= 0xe000 && code <= 0xfffd) || (code >= 0x10000 && code <= 0x10ffff);
}

static void
add_character(struct xml *x, struct view character)
{
	switch (character.p[0]) {
	case '&':
		add(x, VIEW("&amp;"));
		break;
	case '<':
		add(x, VIEW("&lt;"));
		break;
	case '>':
		add(x, VIEW("&gt;"));
		break;
	case '"':
		add(x, VIEW("&quot;"));
		break;
	case '\'':
		add(x, VIEW("&apos;"));
		break;
	default:
		add(x, character);
		break;
	}
}

void
xml_element(struct xml *x, const char *name, struct view text, size_t max)
{
	if (text.len > max)
		text.len = max;
	indent(x);
	add_tag(x, VIEW("<"), name, VIEW(">"));
	while (text.len > 0) {
		uint32_t code = 0;
		const size_t len = read_character(text, &code);

		if (len > 0 && is_allowed(code))
			add_character(x, view_make(text.p, len));
		else
			add(x, VIEW(REPLACEMENT));
		text = view_from(text, len > 0 ? len : 1);
	}
	add_tag(x, VIEW("</"), name, VIEW(">\n"));
}
