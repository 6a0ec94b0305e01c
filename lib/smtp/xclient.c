/* SPDX-License-Identifier: MPL-2.0 */
/* See xclient.h. */
#include "lib/smtp/xclient.h"

#include <stdio.h>

#define PORT_MAX 65535

static const char *const names[XCLIENT_COUNT] = {
	[XCLIENT_NAME] = "NAME",
	[XCLIENT_ADDR] = "ADDR",
	[XCLIENT_PORT] = "PORT",
	[XCLIENT_PROTO] = "PROTO",
	[XCLIENT_HELO] = "HELO",
	[XCLIENT_LOGIN] = "LOGIN",
	[XCLIENT_DESTADDR] = "DESTADDR",
	[XCLIENT_DESTPORT] = "DESTPORT",
};

static enum xclient_attribute
attribute_of(struct view word)
{
	size_t i = 0;

	while (i < XCLIENT_COUNT && !view_eq_nocase(word, view_of(names[i])))
		i++;
	return (enum xclient_attribute)i;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool
is_xchar(char c)
{
	return c >= '!' && c <= '~' && c != '+' && c != '=';
}

/* decode - xtext; false: it is none, or longer than room. "=" is let through, as Postfix does.
 */
static bool
decode(struct view text, char out[XCLIENT_VALUE_MAX + 1])
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		int c = (unsigned char)text.p[i];

		if (c == '+') {
			const int high = i + 2 < text.len ? hex_value(text.p[i + 1]) : -1;
			const int low = i + 2 < text.len ? hex_value(text.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = high * 16 + low;
			i += 2;
		} else if (!is_xchar((char)c) && c != '=') {
			return false;
		}
		if (len == XCLIENT_VALUE_MAX)
			return false;
		out[len++] = (char)c;
	}
	out[len] = '\0';
	return len > 0 && memchr(out, '\0', len) == NULL;
}

static bool
is_port(struct view value)
{
	uint64_t port;

	return view_to_u64(value, &port) && port > 0 && port <= PORT_MAX;
}

static bool
is_valid(enum xclient_attribute attribute, struct view value)
{
	for (size_t i = 0; i < value.len; i++) {
		const unsigned char c = (unsigned char)value.p[i];

		if (c < ' ' || c == 0x7f || (c > 0x7f && attribute != XCLIENT_LOGIN))
			return false;
	}
	if (attribute == XCLIENT_PORT || attribute == XCLIENT_DESTPORT)
		return is_port(value);
	if (attribute == XCLIENT_PROTO)
		return view_eq_nocase(value, VIEW("SMTP")) ||
		       view_eq_nocase(value, VIEW("ESMTP"));
	return true;
}

static bool
take(enum xclient_attribute attribute, struct view text, struct smtp_xclient *out)
{
	char *value = out->values[attribute];

	if ((out->given & XCLIENT_BIT(attribute)) != 0)
		return false;
	out->given |= XCLIENT_BIT(attribute);
	if (view_eq_nocase(text, VIEW("[UNAVAILABLE]")) ||
	    view_eq_nocase(text, VIEW("[TEMPUNAVAIL]")))
		return true;
	if (!decode(text, value) || !is_valid(attribute, view_of(value))) {
		value[0] = '\0';
		return false;
	}
	out->known |= XCLIENT_BIT(attribute);
	return true;
}

bool
smtp_xclient_parse(struct view args, struct smtp_xclient *out, const char **wrong_out)
{
	*out = (struct smtp_xclient){ .given = 0 };
	*wrong_out = "?";
	while (args.len > 0) {
		const struct view word = view_make(args.p, view_find(args, ' '));
		const size_t equals = view_find(word, '=');
		enum xclient_attribute attribute;

		args = view_from(args, word.len + 1);
		if (word.len == 0)
			continue; /* more than one blank */
		attribute = attribute_of(view_make(word.p, equals));
		if (attribute == XCLIENT_COUNT || equals == word.len)
			return false;
		*wrong_out = names[attribute];
		if (!take(attribute, view_from(word, equals + 1), out))
			return false;
		*wrong_out = "?";
	}
	return out->given != 0;
}

const char *
smtp_xclient_address(const char *value)
{
	const struct view all = view_of(value);
	const bool is_v6 = view_find(all, ':') < all.len;
	const bool is_tagged = view_starts_nocase(all, VIEW("IPV6:"));

	if (is_v6 != is_tagged)
		return NULL;
	return is_tagged ? value + strlen("IPV6:") : value;
}

size_t
smtp_xclient_write(enum xclient_attribute attribute, const char *value, char *out, size_t room)
{
	int n = snprintf(
	    out, room, " %s=%s", names[attribute], value[0] == '\0' ? "[UNAVAILABLE]" : "");
	size_t len = (size_t)n;

	if (n < 0 || len >= room)
		return 0;
	for (const char *p = value; *p != '\0'; p++) {
		if (room - len < 4)
			return 0;
		if (is_xchar(*p))
			out[len++] = *p;
		else
			len += (size_t)snprintf(
			    out + len, room - len, "+%02X", (unsigned)(unsigned char)*p);
	}
	out[len] = '\0';
	return len;
}

unsigned
smtp_xclient_offered(struct view words)
{
	unsigned offered = 0;

	while (words.len > 0) {
		const struct view word = view_make(words.p, view_find(words, ' '));
		const enum xclient_attribute attribute = attribute_of(word);

		if (attribute < XCLIENT_COUNT)
			offered |= XCLIENT_BIT(attribute);
		words = view_from(words, word.len + 1);
	}
	return offered;
}
