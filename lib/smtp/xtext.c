/* SPDX-License-Identifier: MPL-2.0 */
/* See xtext.h. */
#include "lib/smtp/xtext.h"

#include "lib/base/utf8.h"

static int
hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* hexchar - the octet that "+XX" at the head of text stands for; -1: it is none of ours. */
static int
hexchar(struct view text)
{
	if (text.len < 3)
		return -1;
	const int high = hex_value(text.p[1]), low = hex_value(text.p[2]);
	if (high < 0 || low < 0)
		return -1;
	const int octet = high * 16 + low;
	return octet >= ' ' && octet <= '~' ? octet : -1;
}

static bool
is_valid(struct view text, bool beyond_ascii)
{
	for (size_t i = 0; i < text.len; i++) {
		const char c = text.p[i];

		if ((unsigned char)c > 0x7f && beyond_ascii)
			continue;
		if (c <= ' ' || c > '~' || c == '=')
			return false;
		if (c != '+')
			continue;
		if (hexchar(view_from(text, i)) < 0)
			return false;
		i += 2;
	}
	return text.len > 0;
}

bool
xtext_is_valid(struct view text)
{
	return is_valid(text, false);
}

bool
xtext_is_valid_utf8(struct view text)
{
	return utf8_is_text(text) && is_valid(text, true);
}

size_t
xtext_decode(struct view text, char *out)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		const int octet = text.p[i] == '+' ? hexchar(view_from(text, i)) : -1;

		out[len++] = octet >= 0 ? (char)octet : text.p[i];
		i += octet >= 0 ? 2 : 0;
	}
	return len;
}

bool
xtext_encode(struct view plain, struct buf *out)
{
	for (size_t i = 0; i < plain.len; i++) {
		const unsigned char c = (unsigned char)plain.p[i];
		const bool is_plain = c > ' ' && c != '+' && c != '=' && c != 0x7f;

		if (!(is_plain ? buf_add_char(out, (char)c) : buf_printf(out, "+%02X", c)))
			return false;
	}
	return true;
}

bool
xtext_rewrite(struct view text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		const int octet = text.p[i] == '+' ? hexchar(view_from(text, i)) : -1;
		const char c = octet >= 0 ? (char)octet : text.p[i];

		if (!xtext_encode(view_make(&c, 1), out))
			return false;
		i += octet >= 0 ? 2 : 0;
	}
	return true;
}
