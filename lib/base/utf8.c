/* SPDX-License-Identifier: MPL-2.0 */
/* See utf8.h. */
#include "lib/base/utf8.h"

size_t
utf8_decode(struct view v, uint32_t *code_out)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)v.p;
	size_t len;
	uint32_t code;

	if (p[0] < 0x80) {
		*code_out = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		len = 2;
		code = p[0] & 0x1fU;
	} else if (p[0] >= 0xe0 && p[0] <= 0xef) {
		len = 3;
		code = p[0] & 0x0fU;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		len = 4;
		code = p[0] & 0x07U;
	} else {
		return 0;
	}
	if (len > v.len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0U) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3fU);
	}
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*code_out = code;
	return len;
}

bool
utf8_is_ascii(struct view v)
{
	for (size_t i = 0; i < v.len; i++) {
		if ((unsigned char)v.p[i] > 0x7f)
			return false;
	}
	return true;
}

bool
utf8_is_text(struct view v)
{
	uint32_t code;
	size_t len;

	for (size_t i = 0; i < v.len; i += len) {
		len = utf8_decode(view_from(v, i), &code);
		if (len == 0 || (code >= 0x80 && code <= 0x9f) || code == 0x2028 ||
		    code == 0x2029)
			return false;
	}
	return true;
}
