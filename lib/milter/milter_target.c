/* SPDX-License-Identifier: MPL-2.0 */
/* See milter_target.h. */
#include "lib/milter/milter_target.h"

#include "lib/net/address.h"

static bool
parse_path(struct view path, struct milter_target *out, struct err *err)
{
	out->is_path = true;
	if (path.len == 0 || path.p[0] != '/')
		return err_set(err, ERR_CONFIG, "the path of a socket begins with a slash");
	if (path.len > STREAM_PATH_MAX || !view_copy(path, out->host, sizeof(out->host)))
		return err_set(err, ERR_CONFIG, "the path of a socket has %d octets at most",
		    STREAM_PATH_MAX);
	return true;
}

/* parse_port_at - libmilter's "port@host". */
static bool
parse_port_at(struct view port, struct view host, struct milter_target *out, struct err *err)
{
	uint64_t number;

	if (!view_to_u64(port, &number) || number == 0 || number > UINT16_MAX)
		return err_set(err, ERR_CONFIG, "\"%.*s\" is no port", VIEW_ARG(port));
	if (host.len >= 2 && host.p[0] == '[' && host.p[host.len - 1] == ']')
		host = view_make(host.p + 1, host.len - 2);
	if (host.len == 0 || !view_copy(host, out->host, sizeof(out->host)))
		return err_set(err, ERR_CONFIG, "\"%.*s\" is no host", VIEW_ARG(host));
	out->port = (uint16_t)number;
	return true;
}

static bool
parse_inet(struct view text, struct milter_target *out, struct err *err)
{
	const size_t at = view_find(text, '@');

	if (at < text.len)
		return parse_port_at(view_make(text.p, at), view_from(text, at + 1), out, err);
	return address_split(text.p, 0, out->host, sizeof(out->host), &out->port, err);
}

bool
milter_target_parse(const char *text, struct milter_target *out, struct err *err)
{
	static const char *const inets[] = { "inet:", "inet6:" };
	static const char *const paths[] = { "unix:", "local:" };
	const struct view whole = view_of(text);

	*out = (struct milter_target){ .is_path = false };
	if (text[0] == '/')
		return parse_path(whole, out, err);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (view_starts(whole, view_of(paths[i])))
			return parse_path(view_from(whole, strlen(paths[i])), out, err);
	}
	for (size_t i = 0; i < ARRAY_LEN(inets); i++) {
		if (view_starts(whole, view_of(inets[i])))
			return parse_inet(view_from(whole, strlen(inets[i])), out, err);
	}
	return parse_inet(whole, out, err);
}

struct stream *
milter_target_connect(const struct milter_target *target, int64_t deadline_ms, struct err *err)
{
	if (target->is_path)
		return stream_connect_unix(target->host, deadline_ms, err);
	return stream_connect(target->host, target->port, deadline_ms, err);
}
