/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A report's names, its compression, and the mail around it (section 3.5): multipart/mixed of a
 * sentence for people and the compressed XML.
 */
#include "lib/domain/dmarc_report.h"

#include "lib/base/base64.h"
#include "lib/mail/date.h"

#include <stdio.h>
#include <time.h>
#include <zlib.h>

#define DAY_S	    86400
#define GZIP_WINDOW (15 + 16) /* zlib: the largest window, in a gzip wrapper */
#define GZIP_MEMORY 8
#define GZIP_PIECE  65536
#define LINE_OCTETS 57 /* that become a line of 76 characters */

bool
dmarc_report_compress(struct view xml, struct buf *out)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)xml.p, .avail_in = (uInt)xml.len };
	int status = Z_OK;

	if (xml.len > DMARC_REPORT_XML_MAX ||
	    deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
		Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	while (status == Z_OK) {
		char *to = buf_reserve(out, GZIP_PIECE);

		if (to == NULL)
			break;
		z.next_out = (Bytef *)to;
		z.avail_out = GZIP_PIECE;
		status = deflate(&z, Z_FINISH);
		buf_commit(out, GZIP_PIECE - z.avail_out);
	}
	(void)deflateEnd(&z);
	return status == Z_STREAM_END;
}

void
dmarc_report_day_text(int64_t day, char out[DMARC_DAY_TEXT_MAX])
{
	const time_t at = (time_t)(day * DAY_S);
	struct tm tm;

	(void)gmtime_r(&at, &tm);
	(void)strftime(out, DMARC_DAY_TEXT_MAX, "%Y-%m-%d", &tm);
}

void
dmarc_report_id(const struct dmarc_report_head *head, char out[DMARC_REPORT_ID_MAX])
{
	char day[DMARC_DAY_TEXT_MAX];

	dmarc_report_day_text(head->day, day);
	snprintf(out, DMARC_REPORT_ID_MAX, "%s_%s_%s@%s", day, head->policy_domain,
	    head->store_id, head->receiver);
}

void
dmarc_report_file_name(const struct dmarc_report_head *head, char out[DMARC_REPORT_ID_MAX])
{
	const long long begin = (long long)head->day * DAY_S;

	snprintf(out, DMARC_REPORT_ID_MAX, "%s!%s!%lld!%lld!%s.xml.gz", head->receiver,
	    head->policy_domain, begin, begin + DAY_S - 1, head->store_id);
}

static bool
add_base64(struct view data, struct buf *out)
{
	char line[BASE64_ENCODED_LEN(LINE_OCTETS)];

	while (data.len > 0) {
		const size_t n = data.len < LINE_OCTETS ? data.len : LINE_OCTETS;
		size_t len = 0;

		if (!base64_encode(view_make(data.p, n), line, sizeof(line), &len) ||
		    !buf_add(out, line, len) || !buf_add_str(out, "\r\n"))
			return false;
		data = view_from(data, n);
	}
	return true;
}

static bool
add_header(const struct dmarc_report_head *head, const char *to, int64_t now, struct buf *out)
{
	char id[DMARC_REPORT_ID_MAX], date[DATE_MAX];

	dmarc_report_id(head, id);
	date_format(now, date);
	return buf_printf(out,
	    "Date: %s\r\n"
	    "From: <%s>\r\n"
	    "To: <%s>\r\n"
	    "Subject: Report Domain: %s\r\n"
	    " Submitter: %s\r\n"
	    " Report-ID: <%s>\r\n"
	    "Message-ID: <%s>\r\n"
	    "Auto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\n",
	    date, head->email, to, head->policy_domain, head->receiver, id, id);
}

bool
dmarc_report_mail(const struct dmarc_report_head *head, struct view gzip, const char *to,
    int64_t now, struct buf *out)
{
	char name[DMARC_REPORT_ID_MAX], day[DMARC_DAY_TEXT_MAX], boundary[64];

	dmarc_report_file_name(head, name);
	dmarc_report_day_text(head->day, day);
	/* No line of base64 begins with hyphens, nor does the sentence. */
	snprintf(boundary, sizeof(boundary), "=_dmarc_%s_%s", day, head->store_id);
	return add_header(head, to, now, out) &&
	       buf_printf(out,
		   "Content-Type: multipart/mixed;\r\n boundary=\"%s\"\r\n"
		   "\r\n"
		   "--%s\r\n"
		   "Content-Type: text/plain; charset=us-ascii\r\n"
		   "\r\n"
		   "This is a DMARC aggregate report about mail from %s\r\n"
		   "that %s received on %s (UTC).\r\n"
		   "\r\n"
		   "--%s\r\n"
		   "Content-Type: application/gzip\r\n"
		   "Content-Disposition: attachment;\r\n filename=\"%s\"\r\n"
		   "Content-Transfer-Encoding: base64\r\n"
		   "\r\n",
		   boundary, boundary, head->policy_domain, head->receiver, day, boundary,
		   name) &&
	       add_base64(gzip, out) && buf_printf(out, "\r\n--%s--\r\n", boundary);
}
