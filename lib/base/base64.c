/* SPDX-License-Identifier: MPL-2.0 */
/* See base64.h. No tables are indexed by what is decoded: it may be a password. */
#include "lib/base/base64.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool
base64_encode(struct view in, char *out, size_t room, size_t *len_out)
{
	size_t len = 0;

	*len_out = 0;
	if (in.len > SIZE_MAX / 2 || BASE64_ENCODED_LEN(in.len) > room)
		return false;
	for (size_t i = 0; i < in.len; i += 3) {
		const size_t left = in.len - i;
		uint32_t bits = (uint32_t)(unsigned char)in.p[i] << 16;

		if (left > 1)
			bits |= (uint32_t)(unsigned char)in.p[i + 1] << 8;
		if (left > 2)
			bits |= (unsigned char)in.p[i + 2];
		out[len++] = alphabet[bits >> 18];
		out[len++] = alphabet[bits >> 12 & 63];
		out[len++] = left > 1 ? alphabet[bits >> 6 & 63] : '=';
		out[len++] = left > 2 ? alphabet[bits & 63] : '=';
	}
	*len_out = len;
	return true;
}

/* value_of - of one character: 0..63, or -1. */
static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* count_padding - "=" at the end, as far as they may stand there. */
static size_t
count_padding(struct view in)
{
	if (in.len == 0 || in.p[in.len - 1] != '=')
		return 0;
	return in.p[in.len - 2] == '=' ? 2 : 1;
}

bool
base64_decode(struct view in, char *out, size_t room, size_t *len_out)
{
	const size_t padding = in.len % 4 == 0 ? count_padding(in) : 0;
	size_t len = 0;
	uint32_t bits = 0;

	*len_out = 0;
	if (in.len % 4 != 0 || BASE64_DECODED_MAX(in.len) - padding > room)
		return false;
	for (size_t i = 0; i < in.len - padding; i++) {
		const int value = value_of(in.p[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		if (i % 4 != 0)
			out[len++] = (char)(bits >> (6 - i % 4 * 2) & 0xff);
	}
	/* What a short last group leaves over must be zero, or one value had many spellings. */
	if ((padding == 1 && (bits & 3) != 0) || (padding == 2 && (bits & 15) != 0))
		return false;
	*len_out = len;
	return true;
}
