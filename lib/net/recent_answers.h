/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Recent answers of the resolver, kept where any thread finds them at once. libunbound has the
 * real cache, but behind a thread of its own: asking it costs two changes between threads and a
 * dozen system calls, and a message asks for six or more names that hardly ever change.
 *
 * A fixed number of places, one for each hash of name and type: a newer answer takes the place
 * of an older one, so this never holds more than RECENT_PLACES answers of RECENT_OCTETS_MAX.
 * Any thread.
 */
#ifndef GATEPOST_NET_RECENT_ANSWERS_H
#define GATEPOST_NET_RECENT_ANSWERS_H

#include "lib/net/dns.h"

#define RECENT_PLACES	  1024
#define RECENT_OCTETS_MAX 1024 /* of an answer; longer ones are not kept here */
#define RECENT_KEPT_MAX_S 30   /* whatever the TTL: libunbound knows it better */

struct recent_answers;

MUST_CHECK struct recent_answers *recent_create(void);
void recent_destroy(struct recent_answers **recent); /* NULL is fine */

struct recent_answer {
	struct view packet; /* a whole DNS message; of recent_find: in the arena */
	bool is_secure;	    /* validated by DNSSEC */
	uint32_t ttl_s;	    /* recent_put: how long it is good */
	uint32_t age_s;	    /* recent_find: how long it has been here */
};

/*
 * recent_put - from now_ms on. name: canonical, from dns_name_to_text. One of no time, too
 * long, or of a name over DNS_NAME_MAX is not kept.
 */
void recent_put(struct recent_answers *recent, const char *name, enum dns_type type,
    const struct recent_answer *answer, int64_t now_ms);

/* recent_find - false: there is none. */
MUST_CHECK bool recent_find(struct recent_answers *recent, const char *name, enum dns_type type,
    int64_t now_ms, struct arena *arena, struct recent_answer *out);

#endif
