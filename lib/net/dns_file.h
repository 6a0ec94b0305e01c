/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DNS out of a file: answers that stay the same, for regression tests of one's own policy.
 *
 *	# NAME [TTL] [ALIAS] TYPE DATA, or a word instead of the data
 *	example.com          TXT   "v=spf1 mx -all"
 *	example.com      60  MX    10 mail.example.com
 *	mail.example.com     A     192.0.2.1
 *	www.example.com      CNAME mail.example.com
 *	odd.example.com      TXT   SERVFAIL
 *	slow.example.com     *     TIMEOUT
 *	gone.example.com     *     NXDOMAIN
 *	[ns1.example.net 192.0.2.53] k1._domainkey.example.com TXT NXDOMAIN
 *
 * Lines that begin with "#" or ";" are comments. DATA is as in dns_text.h; the words are
 * NXDOMAIN, NODATA, SERVFAIL, TIMEOUT (answered at once, as if time had passed), and TEMPFAIL
 * with a reason behind it; with the type "*" they are the answer to every type that has no line
 * of its own. (A TXT record of such a word stands between quotes.) A CNAME is followed within
 * the file. ALIAS: the answer was found by way of one that is not in the file.
 *
 * What is not there: a name with other types, or with names below it, is DNS_NODATA, any other
 * one DNS_NXDOMAIN; after dns_file_set_strict both are DNS_TEMPFAIL instead. There are no
 * wildcards.
 *
 * query_each gives the lines that begin with a server in brackets; without any, one server (the
 * file's name) with the answer that everybody gets. "[] NAME TYPE SERVFAIL" says that the
 * servers could not be found.
 *
 * Immutable once made, any thread.
 */
#ifndef GATEPOST_NET_DNS_FILE_H
#define GATEPOST_NET_DNS_FILE_H

#include "lib/base/buf.h"
#include "lib/base/conf.h"
#include "lib/net/dns.h"

#define DNS_FILE_MAX	  (16 * 1024 * 1024)   /* octets */
#define DNS_FILE_LINES	  100000	       /* with an answer */
#define DNS_FILE_ERRORS	  20		       /* reported of one file */
#define DNS_FILE_TTL_S	  300		       /* of a line without one */
#define DNS_FILE_UNLISTED "is not in the file" /* why, of a strict file */

struct dns_file;

/* dns_file_parse - file is its name for errors. NULL when an error was added. */
MUST_CHECK struct dns_file *dns_file_parse(
    const char *file, struct view text, struct conf_errors *errors);
MUST_CHECK struct dns_file *dns_file_read(const char *path, struct conf_errors *errors);
void dns_file_destroy(struct dns_file **f);

/* dns_file_set_strict - what is not listed is an error from now on; before it is used. */
void dns_file_set_strict(struct dns_file *f);

/* dns_file_source - lives as long as f. */
const struct dns_source *dns_file_source(const struct dns_file *f);

/*
 * dns_file_print - the lines of one answer; server NULL: of everybody. dns_file_print_unknown -
 * the line that says that query_each found no servers. False: out's cap.
 */
MUST_CHECK bool dns_file_print(struct buf *out, const char *server, const char *name,
    enum dns_type type, const struct dns_answer *answer);
MUST_CHECK bool dns_file_print_unknown(struct buf *out, const char *name, enum dns_type type);

/* dns_file_print_all - the whole file, in its one form; what it says parses to the same. */
MUST_CHECK bool dns_file_print_all(const struct dns_file *f, struct buf *out);

#endif
