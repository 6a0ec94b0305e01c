/* SPDX-License-Identifier: MPL-2.0 */
/* DNS records as text; see dns_text.h. */
#include "lib/net/dns_text.h"

#include "lib/net/dns_wire.h"

#include <arpa/inet.h>

#define STRING_MAX 255	 /* octets of one string of a TXT record (RFC 1035 3.3) */
#define RDATA_MAX  65535 /* octets */

static const enum dns_type types[] = {
	DNS_A,
	DNS_NS,
	DNS_CNAME,
	DNS_SOA,
	DNS_PTR,
	DNS_MX,
	DNS_TXT,
	DNS_AAAA,
	DNS_TLSA,
};

bool
dns_type_find(struct view name, enum dns_type *out)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (view_eq_nocase(name, view_of(dns_type_name(types[i])))) {
			*out = types[i];
			return true;
		}
	}
	return false;
}

bool
dns_text_name(struct view text, char out[DNS_NAME_TEXT_MAX])
{
	unsigned char wire[DNS_NAME_WIRE_MAX];

	if (dns_name_to_wire(text, wire) == 0)
		return false;
	(void)dns_name_to_text(wire, out);
	return true;
}

/* ---- reading ---- */

static bool
read_address(enum dns_type type, struct view text, struct arena *arena, struct dns_record *out,
    struct err *err)
{
	const size_t size = type == DNS_A ? sizeof(struct in_addr) : sizeof(struct in6_addr);
	char host[INET6_ADDRSTRLEN];
	char *octets = arena_alloc(arena, size);

	if (!view_copy(text, host, sizeof(host)) || strlen(host) != text.len ||
	    inet_pton(type == DNS_A ? AF_INET : AF_INET6, host, octets) != 1)
		return err_set(
		    err, ERR_CONFIG, "is no IPv%c address", type == DNS_A ? '4' : '6');
	out->data = view_make(octets, size);
	return true;
}

static bool
read_name(struct view text, struct arena *arena, struct dns_record *out, struct err *err)
{
	char name[DNS_NAME_TEXT_MAX];

	if (!dns_text_name(text, name))
		return err_set(err, ERR_CONFIG, "is no name");
	out->data = view_make(arena_strdup(arena, view_of(name)), strlen(name));
	return true;
}

static bool
read_mx(struct view text, struct arena *arena, struct dns_record *out, struct err *err)
{
	const size_t blank = view_find(text, ' ');
	uint64_t preference;

	if (blank == text.len || !view_to_u64(view_make(text.p, blank), &preference) ||
	    preference > UINT16_MAX)
		return err_set(err, ERR_CONFIG, "MX needs a preference and a name");
	out->preference = (uint16_t)preference;
	return read_name(view_trim(view_from(text, blank)), arena, out, err);
}

/* escaped - what stands behind a backslash, taken off *text; -1: no escape. */
static int
escaped(struct view *text)
{
	int value = 0;

	if (text->len == 0)
		return -1;
	if (!ascii_is_digit(text->p[0])) {
		value = (unsigned char)text->p[0];
		*text = view_from(*text, 1);
		return value;
	}
	for (size_t i = 0; i < 3; i++) {
		if (i >= text->len || !ascii_is_digit(text->p[i]))
			return -1;
		value = value * 10 + (text->p[i] - '0');
	}
	*text = view_from(*text, 3);
	return value <= 255 ? value : -1;
}

/* read_string - one string off *text, which begins behind its quote. */
static bool
read_string(struct view *text, struct buf *out, struct err *err)
{
	while (text->len > 0 && text->p[0] != '"') {
		int c = (unsigned char)text->p[0];

		*text = view_from(*text, 1);
		if (c == '\\')
			c = escaped(text);
		if (c < 0)
			return err_set(err, ERR_CONFIG, "has a broken escape: \\DDD or \\X");
		if (!buf_add_char(out, (char)c))
			return err_set(
			    err, ERR_CONFIG, "is over %d octets of TXT", DNS_TXT_MAX);
	}
	if (text->len == 0)
		return err_set(err, ERR_CONFIG, "has a string without an end");
	*text = view_trim(view_from(*text, 1));
	return true;
}

static bool
read_strings(struct view text, struct buf *out, struct err *err)
{
	while (text.len > 0) {
		if (text.p[0] != '"')
			return err_set(err, ERR_CONFIG, "has text behind a string");
		text = view_from(text, 1);
		if (!read_string(&text, out, err))
			return false;
	}
	return true;
}

static bool
read_txt(struct view text, struct arena *arena, struct dns_record *out, struct err *err)
{
	struct buf joined;
	bool ok;

	buf_init(&joined, DNS_TXT_MAX);
	if (text.len > 0 && text.p[0] != '"')
		ok = buf_add_view(&joined, text) ||
		     err_set(err, ERR_CONFIG, "is over %d octets of TXT", DNS_TXT_MAX);
	else
		ok = read_strings(text, &joined, err);
	if (ok)
		out->data = arena_view(arena, buf_view(&joined));
	buf_finish(&joined);
	return ok;
}

/* read_octets - "\# LENGTH HEX" (RFC 3597 5); the digits may have blanks between them. */
static bool
read_octets(struct view text, struct arena *arena, struct dns_record *out, struct err *err)
{
	uint64_t length = 0;
	size_t digits = 0, blank;
	char *octets;

	if (!view_starts(text, VIEW("\\# ")))
		return err_set(err, ERR_CONFIG, "needs the form \\# LENGTH HEX (RFC 3597)");
	text = view_trim(view_from(text, 3));
	blank = view_find(text, ' ');
	if (!view_to_u64(view_make(text.p, blank), &length) || length > RDATA_MAX)
		return err_set(err, ERR_CONFIG, "needs a length behind \\#");
	text = view_from(text, blank);
	octets = arena_alloc(arena, length + 1);
	for (size_t i = 0; i < text.len; i++) {
		const int value = ascii_hex_value(text.p[i]);

		if (text.p[i] == ' ')
			continue;
		if (value < 0 || digits == 2 * length)
			return err_set(err, ERR_CONFIG, "is not that many octets");
		octets[digits / 2] = (char)((unsigned char)octets[digits / 2] << 4 | value);
		digits++;
	}
	if (digits != 2 * length)
		return err_set(err, ERR_CONFIG, "is not that many octets");
	out->data = view_make(octets, length);
	return true;
}

bool
dns_text_read(enum dns_type type, struct view text, struct arena *arena, struct dns_record *out,
    struct err *err)
{
	*out = (struct dns_record){ .preference = 0 };
	text = view_trim(text);
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		return read_address(type, text, arena, out, err);
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		return read_name(text, arena, out, err);
	case DNS_MX:
		return read_mx(text, arena, out, err);
	case DNS_TXT:
		return read_txt(text, arena, out, err);
	case DNS_SOA:
	case DNS_TLSA:
		return read_octets(text, arena, out, err);
	}
	BUG("DNS type %d", (int)type);
}

/* ---- writing ---- */

static bool
write_string(struct view octets, struct buf *out)
{
	bool ok = buf_add_char(out, '"');

	for (size_t i = 0; ok && i < octets.len; i++) {
		const unsigned char c = (unsigned char)octets.p[i];

		if (c < ' ' || c > '~')
			ok = buf_printf(out, "\\%03u", c);
		else if (c == '"' || c == '\\')
			ok = buf_printf(out, "\\%c", c);
		else
			ok = buf_add_char(out, (char)c);
	}
	return ok && buf_add_char(out, '"');
}

static bool
write_txt(struct view text, struct buf *out)
{
	bool ok = true;

	for (size_t at = 0; ok && (at == 0 || at < text.len); at += STRING_MAX) {
		const struct view rest = view_from(text, at);

		ok = (at == 0 || buf_add_char(out, ' ')) &&
		     write_string(
			 view_make(rest.p, rest.len < STRING_MAX ? rest.len : STRING_MAX), out);
	}
	return ok;
}

static bool
write_address(enum dns_type type, struct view octets, struct buf *out)
{
	char host[INET6_ADDRSTRLEN];

	if (octets.len != (type == DNS_A ? 4 : 16) ||
	    inet_ntop(type == DNS_A ? AF_INET : AF_INET6, octets.p, host, sizeof(host)) == NULL)
		BUG("a DNS source gave an address of %zu octets", octets.len);
	return buf_add_str(out, host);
}

static bool
write_octets(struct view octets, struct buf *out)
{
	bool ok = buf_printf(out, "\\# %zu ", octets.len);

	for (size_t i = 0; ok && i < octets.len; i++)
		ok = buf_printf(out, "%02x", (unsigned char)octets.p[i]);
	return ok;
}

bool
dns_text_write(enum dns_type type, const struct dns_record *record, struct buf *out)
{
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		return write_address(type, record->data, out);
	case DNS_MX:
		return buf_printf(out, "%u ", (unsigned)record->preference) &&
		       buf_add_view(out, record->data);
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		return buf_add_view(out, record->data);
	case DNS_TXT:
		return write_txt(record->data, out);
	case DNS_SOA:
	case DNS_TLSA:
		return write_octets(record->data, out);
	}
	BUG("DNS type %d", (int)type);
}
