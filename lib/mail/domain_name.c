/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Domain names in the one form in which this house compares them. Labels are converted one by
 * one: a label with octets over 0x7f must become an A-label of its own. So neither a full-width
 * letter, nor a soft hyphen, nor one of the dots that Unicode maps to "." can make a name equal
 * to another one that looks different to whoever does not convert it in the same way.
 */
#include "lib/mail/domain_name.h"

#include <idn2.h>

#define LABEL_MAX      63  /* octets, RFC 1035 2.3.4 */
#define UTF8_LABEL_MAX 252 /* 63 characters of 4 octets */

static bool
label_char_is_valid(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_';
}

/* Append len octets in lower case to out; false when they are no label, or out is full. */
static bool
label_add(const char *label, size_t len, char out[DOMAIN_NAME_MAX], size_t *out_len)
{
	if (len == 0 || len > LABEL_MAX || *out_len + len >= DOMAIN_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!label_char_is_valid(label[i]))
			return false;
		out[(*out_len)++] = ascii_lower(label[i]);
	}
	return true;
}

static bool
label_is_ascii(struct view label)
{
	for (size_t i = 0; i < label.len; i++) {
		if ((unsigned char)label.p[i] > 0x7f)
			return false;
	}
	return true;
}

/* A U-label: through libidn2, which checks UTF-8, mapping, bidi and context rules. */
static bool
label_add_unicode(struct view label, char out[DOMAIN_NAME_MAX], size_t *out_len)
{
	char text[UTF8_LABEL_MAX + 1];
	char *ascii = NULL;

	if (memchr(label.p, '\0', label.len) != NULL || !view_copy(label, text, sizeof(text)))
		return false;
	if (idn2_to_ascii_8z(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return false;
	bool ok =
	    strncmp(ascii, "xn--", 4) == 0 && label_add(ascii, strlen(ascii), out, out_len);
	idn2_free(ascii);
	return ok;
}

bool
domain_to_ascii(struct view domain, char out[DOMAIN_NAME_MAX])
{
	size_t out_len = 0;
	struct view rest = domain;

	out[0] = '\0';
	if (rest.len > 0 && rest.p[rest.len - 1] == '.')
		rest.len--;
	for (;;) {
		struct view label = view_make(rest.p, view_find(rest, '.'));
		bool ok = label_is_ascii(label) ? label_add(label.p, label.len, out, &out_len)
						: label_add_unicode(label, out, &out_len);
		if (!ok)
			break;
		if (label.len == rest.len) {
			out[out_len] = '\0';
			return true;
		}
		if (out_len + 1 >= DOMAIN_NAME_MAX)
			break;
		out[out_len++] = '.';
		rest = view_from(rest, label.len + 1);
	}
	out[0] = '\0';
	return false;
}

bool
domain_is_below(const char *child, const char *parent)
{
	size_t child_len = strlen(child), parent_len = strlen(parent);

	if (parent_len == 0 || child_len < parent_len)
		return false;
	if (strcmp(child + (child_len - parent_len), parent) != 0)
		return false;
	return child_len == parent_len || child[child_len - parent_len - 1] == '.';
}
