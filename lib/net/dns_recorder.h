/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A source of DNS answers in front of another one that keeps every question with its answer,
 * and who asked: for gatepost explain. Any thread may ask; one at a time reads what is kept.
 */
#ifndef GATEPOST_NET_DNS_RECORDER_H
#define GATEPOST_NET_DNS_RECORDER_H

#include "lib/base/buf.h"
#include "lib/net/dns.h"

#define DNS_RECORDER_MAX 20000 /* questions kept; further ones are only answered */

struct dns_question {
	const char *name; /* in the form of dns_text_name */
	enum dns_type type;
	bool is_each;			   /* every server of the zone was asked */
	struct dns_answer answer;	   /* of query */
	struct dns_server_answer *servers; /* of query_each, server_count of them */
	size_t server_count;
	int64_t took_us;
};

struct dns_recorder;

/* dns_recorder_create - inner is borrowed. */
struct dns_recorder *dns_recorder_create(const struct dns_source *inner);
void dns_recorder_destroy(struct dns_recorder **r);
const struct dns_source *dns_recorder_source(const struct dns_recorder *r);

/* dns_recorder_count - how many questions there were so far: those of a call lie between two
 * counts. dns_recorder_get - in order; lives as long as r. */
size_t dns_recorder_count(struct dns_recorder *r);
const struct dns_question *dns_recorder_get(struct dns_recorder *r, size_t index);

/*
 * dns_recorder_print - all of it as a file for dns_file.h: each question once, with the last
 * answer that was one. False: out's cap.
 */
MUST_CHECK bool dns_recorder_print(struct dns_recorder *r, struct buf *out);

#endif
