/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A DMARC aggregate report: rows of a day become an XML document, compressed, in a mail. Pure:
 * no files, no network, no clock; the same rows give the same octets, names and identifiers, so
 * that a report sent again is known for what it is. Whatever peers wrote into the rows, the XML
 * is well-formed UTF-8. Section numbers are those of
 * draft-ietf-dmarc-aggregate-reporting-32, which became RFC 9990.
 */
#ifndef GATEPOST_DOMAIN_DMARC_REPORT_H
#define GATEPOST_DOMAIN_DMARC_REPORT_H

#include "lib/base/buf.h"
#include "lib/domain/dmarc_store_read.h"

#define DMARC_REPORT_XML_MAX  (64 << 20) /* octets */
#define DMARC_REPORT_GZIP_MAX (80 << 20)
#define DMARC_REPORT_ID_MAX   600 /* octets of a Report-ID, and of a file name, with NUL */

/* Who reports on whom. Domains are plain A-labels. */
struct dmarc_report_head {
	const char *org_name, *email;
	const char *contact;  /* NULL: none */
	const char *receiver; /* the reporting host */
	const char *policy_domain;
	const char *store_id; /* letters and digits: tells apart the stores of one receiver */
	const char *generator;
	int64_t day; /* since 1970, UTC */
};

/* The records of a report while they are gathered. */
struct dmarc_report {
	struct buf records;
	size_t rows_max;
	size_t rows, left_out;
	int64_t messages; /* of the rows that are in */
};

/* dmarc_report_init - at most rows_max rows are taken; further ones are counted. */
void dmarc_report_init(struct dmarc_report *r, size_t rows_max);
void dmarc_report_finish(struct dmarc_report *r);

/*
 * dmarc_report_add - one row; a dmarc_reader_row, so it never ends an iteration: true. What no
 * longer fits is counted in left_out, and named in the report's "error".
 */
bool dmarc_report_add(void *report, const struct dmarc_group *row);

/* dmarc_report_write - the whole document; there is a row. False: xml's cap. */
MUST_CHECK bool dmarc_report_write(const struct dmarc_report *r,
    const struct dmarc_report_head *head, const struct dmarc_published *published,
    struct buf *xml);

/* dmarc_report_compress - gzip, without a time. False: out's cap, or zlib has no memory. */
MUST_CHECK bool dmarc_report_compress(struct view xml, struct buf *out);

#define DMARC_DAY_TEXT_MAX 16

/* dmarc_report_day_text - a day since 1970 as "2026-11-24". */
void dmarc_report_day_text(int64_t day, char out[DMARC_DAY_TEXT_MAX]);

/* dmarc_report_id - "2026-11-24_example.com_1a2b3c4d@mail.example.net" (section 3.5.1). */
void dmarc_report_id(const struct dmarc_report_head *head, char out[DMARC_REPORT_ID_MAX]);

/* dmarc_report_file_name - "receiver!domain!begin!end!id.xml.gz" (section 3.5.2). */
void dmarc_report_file_name(
    const struct dmarc_report_head *head, char out[DMARC_REPORT_ID_MAX]);

/*
 * dmarc_report_mail - the message that carries it to one address: RFC 5322, lines of CRLF,
 * 7-bit. now is its Date, in seconds since 1970. False: out's cap.
 */
MUST_CHECK bool dmarc_report_mail(const struct dmarc_report_head *head, struct view gzip,
    const char *to, int64_t now, struct buf *out);

#endif
