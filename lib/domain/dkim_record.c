/* SPDX-License-Identifier: MPL-2.0 */
/*
 * How a DKIM key record is written down for a name server: TXT data are strings of at most 255
 * octets each (RFC 1035 3.3.14), which readers put together without a blank (RFC 6376 3.6.2.2).
 */
#include "lib/domain/dkim_key.h"

#define TXT_STRING_MAX 255

bool
dkim_record_string(struct view *rest, struct view *string_out)
{
	if (rest->len == 0)
		return false;
	*string_out =
	    view_make(rest->p, rest->len < TXT_STRING_MAX ? rest->len : TXT_STRING_MAX);
	*rest = view_from(*rest, string_out->len);
	return true;
}

static bool
add_quoted(struct buf *out, struct view text)
{
	bool ok = buf_add_char(out, '"');

	for (size_t i = 0; ok && i < text.len; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			ok = buf_add_char(out, '\\');
		ok = ok && buf_add_char(out, text.p[i]);
	}
	return ok && buf_add_char(out, '"');
}

bool
dkim_record_zone_line(
    const char *domain, const char *selector, struct view record, struct buf *out)
{
	size_t before = out->len;
	struct view string;
	bool ok = buf_printf(out, "%s._domainkey.%s. IN TXT (", selector, domain);

	while (ok && dkim_record_string(&record, &string))
		ok = buf_add_char(out, ' ') && add_quoted(out, string);
	ok = ok && buf_add_str(out, " )");
	if (!ok)
		out->len = before;
	return ok;
}
