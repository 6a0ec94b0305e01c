/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The header of the PROXY protocol, versions 1 (a line) and 2 (binary): a balancer says with it
 * whose connection it hands on. A pure, incremental parser of what a configured balancer sends
 * first; it never takes an octet beyond the header. haproxy.org, proxy-protocol.txt, 2.1, 2.2.
 */
#ifndef GATEPOST_NET_PROXY_HEADER_H
#define GATEPOST_NET_PROXY_HEADER_H

#include "lib/base/view.h"

#include <sys/socket.h>

#define PROXY_HEADER_V1_MAX    107  /* octets of a line with its CRLF */
#define PROXY_HEADER_BLOCK_MAX 4096 /* octets behind the 16 fixed ones of version 2 */

enum proxy_header_status {
	PROXY_HEADER_MORE,
	PROXY_HEADER_DONE,
	PROXY_HEADER_REFUSED, /* missing or malformed: reason says what */
};

/* Zeroed before the first octet. Read: client and has_client once DONE, reason once REFUSED. */
struct proxy_header {
	/*
	 * False: the balancer speaks for itself (LOCAL, a health check) or does not know the
	 * client (UNKNOWN, UNSPEC, a local socket), so the connection's own address stays.
	 */
	bool has_client;
	struct sockaddr_storage client; /* folded; never unspecified, multicast or broadcast */
	const char *reason;		/* static; of this house's words only */

	size_t len; /* octets taken so far; the rest is the parser's own */
	unsigned char kept[PROXY_HEADER_V1_MAX]; /* the first ones */
	size_t total;				 /* of version 2, once known */
	size_t tlv_begin;			 /* where the TLVs begin; 0: not looked at */
	size_t tlv_left;			 /* octets of the value at hand */
	unsigned tlv_head;			 /* octets of type and length taken */
};

/*
 * proxy_header_feed - take octets up to the header's end, however they are cut. *used_out says
 * how many of them were taken: all while MORE, what belongs to the header when DONE. Not to be
 * called again after DONE or REFUSED.
 */
MUST_CHECK enum proxy_header_status proxy_header_feed(
    struct proxy_header *h, struct view octets, size_t *used_out);

#endif
