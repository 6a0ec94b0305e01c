/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The first line of a buffer. Only the first max octets are looked at, and the first offence in
 * them decides: so the answer does not depend on how much of the input has arrived.
 */
#include "lib/smtp/line.h"

/* memchr that answers end where there is none. */
static const char *
find_before(const char *p, const char *end, char c)
{
	const char *found = end > p ? memchr(p, c, (size_t)(end - p)) : NULL;

	return found != NULL ? found : end;
}

enum smtp_line
smtp_line_scan(struct view in, size_t max, struct view *line_out, size_t *used_out)
{
	const char *end = in.p + (in.len < max ? in.len : max);
	const char *lf = find_before(in.p, end, '\n');
	const char *cr = find_before(in.p, lf, '\r');

	*line_out = view_make(in.p, 0);
	*used_out = 0;
	if (find_before(in.p, cr, '\0') != cr)
		return SMTP_LINE_NUL;
	if (cr < lf && cr + 1 < lf)
		return SMTP_LINE_BARE_CR;
	if (lf == end) /* nothing but, perhaps, a CR at the very end */
		return in.len < max ? SMTP_LINE_MORE : SMTP_LINE_TOO_LONG;
	if (cr == lf)
		return SMTP_LINE_BARE_LF;
	*line_out = view_make(in.p, (size_t)(cr - in.p));
	*used_out = line_out->len + 2;
	return SMTP_LINE_DONE;
}
