/* SPDX-License-Identifier: MPL-2.0 */
/* What dns_file_read.c fills and dns_file.c looks up. Nobody else includes this. */
#ifndef GATEPOST_NET_DNS_FILE_PRIVATE_H
#define GATEPOST_NET_DNS_FILE_PRIVATE_H

#include "lib/net/dns_file.h"

#define DNS_FILE_ANY	 0    /* as a type: "*" */
#define DNS_FILE_UNKNOWN "[]" /* as a server: they cannot be found */

/* One line. */
struct dns_file_line {
	const char *name;   /* in the form of dns_text_name */
	int type;	    /* enum dns_type, or DNS_FILE_ANY */
	const char *server; /* "": everybody's; DNS_FILE_UNKNOWN: nobody's */
	size_t number;	    /* of the line */
	uint32_t ttl_s;
	bool is_alias;
	enum dns_status status;
	const char *why;	  /* DNS_TEMPFAIL */
	struct dns_record record; /* DNS_FOUND */
};

struct dns_file {
	struct dns_source source;
	struct arena arena;
	const char *path;
	bool is_strict;
	struct dns_file_line *lines; /* owned; sorted by name, type, server, number */
	size_t count, room;
};

/* The lines of one name, type and server. */
struct dns_file_lines {
	const struct dns_file_line *first;
	size_t count;
};

/* dns_file_create - empty. */
MUST_CHECK struct dns_file *dns_file_create(const char *path);
void dns_file_sort(struct dns_file *f);
struct dns_file_lines dns_file_find(
    const struct dns_file *f, const char *name, int type, const char *server);

#endif
