/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Paths and domains of the envelope (RFC 5321 4.1.2, 4.1.3), strictly from left to right: what
 * a quoted string or a literal holds can never be taken for the end of the path. Each scan_
 * function moves *in behind what it matched. All octets over 0x7f were found to be UTF-8
 * before, and are letters then (RFC 6531 3.3).
 */
#include "lib/base/utf8.h"
#include "lib/smtp/path_private.h"

#include <arpa/inet.h>
#include <stdio.h>

#define LOCAL_MAX  64  /* octets as written, RFC 5321 4.5.3.1.1 */
#define DOMAIN_MAX 255 /* 4.5.3.1.2 */
#define PATH_MAX_  256 /* with brackets and route, 4.5.3.1.3 */
#define LABEL_MAX  63  /* RFC 1035 2.3.4; of a U-label its A-label has to, see domain_name.h */

static bool
scan_char(struct view *in, char c)
{
	if (in->len == 0 || in->p[0] != c)
		return false;
	*in = view_from(*in, 1);
	return true;
}

static bool
is_beyond_ascii(char c)
{
	return (unsigned char)c > 0x7f;
}

static bool
is_printable(char c)
{
	return (c >= ' ' && c <= '~') || is_beyond_ascii(c);
}

static bool
is_atext(char c)
{
	return ascii_is_alnum(c) || is_beyond_ascii(c) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static size_t
run_length(struct view in, bool (*is_member)(char c))
{
	size_t len = 0;

	while (len < in.len && is_member(in.p[len]))
		len++;
	return len;
}

static bool
scan_dot_string(struct view *in)
{
	do {
		size_t len = run_length(*in, is_atext);
		if (len == 0)
			return false;
		*in = view_from(*in, len);
	} while (scan_char(in, '.'));
	return true;
}

static bool
scan_quoted_string(struct view *in)
{
	if (!scan_char(in, '"'))
		return false;
	while (!scan_char(in, '"')) {
		(void)scan_char(in, '\\');
		if (in->len == 0 || !is_printable(in->p[0]))
			return false;
		*in = view_from(*in, 1);
	}
	return true;
}

static bool
scan_local(struct view *in, struct view *out)
{
	const char *start = in->p;
	bool ok = in->len > 0 && in->p[0] == '"' ? scan_quoted_string(in) : scan_dot_string(in);

	*out = view_make(start, (size_t)(in->p - start));
	return ok;
}

/* Underscores are no host name characters, but the DNS has them and mail comes from there. */
static bool
is_label_char(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_' || is_beyond_ascii(c);
}

static bool
scan_domain(struct view *in)
{
	do {
		size_t len = run_length(*in, is_label_char);
		const bool is_ascii = utf8_is_ascii(view_make(in->p, len));
		if (len == 0 || (is_ascii && len > LABEL_MAX) || in->p[0] == '-' ||
		    in->p[len - 1] == '-')
			return false;
		*in = view_from(*in, len);
	} while (scan_char(in, '.'));
	return true;
}

static bool
is_dcontent(char c)
{
	return c > ' ' && c <= '~' && c != '[' && c != '\\' && c != ']';
}

static bool
is_ip_address(int family, struct view text)
{
	char copy[INET6_ADDRSTRLEN];
	struct in6_addr address;

	return view_copy(text, copy, sizeof(copy)) && inet_pton(family, copy, &address) == 1;
}

/*
 * [192.0.2.1] or [IPv6:2001:db8::1]. A general literal needs a tag that is registered with IANA
 * (RFC 5321 4.1.3); "IPv6" is the only one there. Digits with leading zeros are refused: peers
 * do not agree whether they are octal.
 */
static bool
scan_literal(struct view *in)
{
	static const struct view tag = { "IPv6:", 5 };

	if (!scan_char(in, '['))
		return false;
	struct view text = view_make(in->p, run_length(*in, is_dcontent));
	*in = view_from(*in, text.len);
	if (!scan_char(in, ']'))
		return false;
	return view_starts_nocase(text, tag) ? is_ip_address(AF_INET6, view_from(text, tag.len))
					     : is_ip_address(AF_INET, text);
}

static bool
scan_host(struct view *in, struct view *out)
{
	const char *start = in->p;
	bool ok = in->len > 0 && in->p[0] == '[' ? scan_literal(in) : scan_domain(in);

	*out = view_make(start, (size_t)(in->p - start));
	return ok;
}

/* A source route, "@one,@two:", or nothing. */
static bool
scan_route(struct view *in)
{
	if (in->len == 0 || in->p[0] != '@')
		return true;
	do {
		if (!scan_char(in, '@') || !scan_domain(in))
			return false;
	} while (scan_char(in, ','));
	return scan_char(in, ':');
}

static bool
scan_mailbox(struct view *in, struct smtp_path *out)
{
	bool is_routed = in->len > 0 && in->p[0] == '@';

	if (!scan_route(in) || !scan_local(in, &out->local))
		return false;
	if (scan_char(in, '@'))
		return scan_host(in, &out->domain);
	return !is_routed && view_eq_nocase(out->local, VIEW("postmaster"));
}

enum smtp_syntax
smtp_path_scan(struct view *in, struct smtp_path *out)
{
	const char *start = in->p;

	*out = (struct smtp_path){ .local = VIEW(""), .domain = VIEW("") };
	if (!utf8_is_text(*in))
		return SMTP_SYNTAX_UTF8;
	if (!scan_char(in, '<'))
		return SMTP_SYNTAX_PATH;
	if (scan_char(in, '>')) {
		out->is_null = true;
		return SMTP_SYNTAX_OK;
	}
	if (!scan_mailbox(in, out) || !scan_char(in, '>'))
		return SMTP_SYNTAX_PATH;
	if (out->local.len > LOCAL_MAX || out->domain.len > DOMAIN_MAX ||
	    in->p - start > PATH_MAX_)
		return SMTP_SYNTAX_LONG;
	return SMTP_SYNTAX_OK;
}

enum smtp_syntax
smtp_path_parse(struct view text, struct smtp_path *out)
{
	if (!utf8_is_ascii(text))
		return SMTP_SYNTAX_UTF8;
	return smtp_path_parse_utf8(text, out);
}

enum smtp_syntax
smtp_path_parse_utf8(struct view text, struct smtp_path *out)
{
	enum smtp_syntax syntax = smtp_path_scan(&text, out);

	return syntax == SMTP_SYNTAX_OK && text.len > 0 ? SMTP_SYNTAX_PATH : syntax;
}

bool
smtp_path_is_ascii(const struct smtp_path *path)
{
	return utf8_is_ascii(path->local) && utf8_is_ascii(path->domain);
}

bool
smtp_helo_is_valid(struct view args)
{
	struct view host;

	return args.len <= SMTP_HELO_MAX && utf8_is_ascii(args) && scan_host(&args, &host) &&
	       args.len == 0;
}

bool
smtp_helo_is_text(struct view args)
{
	for (size_t i = 0; i < args.len; i++) {
		if (args.p[i] < ' ' || args.p[i] > '~')
			return false;
	}
	return args.len > 0 && args.len <= SMTP_HELO_MAX;
}

void
smtp_path_write(const struct smtp_path *path, char out[SMTP_PATH_MAX])
{
	if (path->is_null)
		out[0] = '\0';
	else
		(void)snprintf(out, SMTP_PATH_MAX, "%.*s%s%.*s", VIEW_ARG(path->local),
		    path->domain.len > 0 ? "@" : "", VIEW_ARG(path->domain));
}
