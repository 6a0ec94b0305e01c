/* SPDX-License-Identifier: MPL-2.0 */
/* Socket addresses and networks: parse, print, match. IPv4-mapped IPv6 is always folded to
 * IPv4. */
#ifndef GATEPOST_NET_ADDRESS_H
#define GATEPOST_NET_ADDRESS_H

#include "lib/base/err.h"
#include "lib/base/view.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_MAX 64 /* "[ipv6]:port" with NUL */

/* address_parse - numeric "192.0.2.1:25", "[2001:db8::1]:25", "*:25" (any IPv4). */
MUST_CHECK bool address_parse(const char *text, struct sockaddr_storage *out, struct err *err);

/*
 * address_split - "host:port", "[v6]:port", "host" into host (room octets, no brackets) and
 * port. default_port 0: the port must be written. IPv6 needs its brackets.
 */
MUST_CHECK bool address_split(const char *text, uint16_t default_port, char *host, size_t room,
    uint16_t *port_out, struct err *err);

/* address_from_host - a numeric host without brackets and a port; false: it is not numeric. */
MUST_CHECK bool address_from_host(
    const char *host, uint16_t port, struct sockaddr_storage *out);

void address_fold(struct sockaddr_storage *addr); /* ::ffff:a.b.c.d becomes a.b.c.d */
void address_host_text(const struct sockaddr_storage *addr, char out[INET6_ADDRSTRLEN]);
void address_text(const struct sockaddr_storage *addr, char out[ADDRESS_TEXT_MAX]);
uint16_t address_port(const struct sockaddr_storage *addr);
void address_set_port(struct sockaddr_storage *addr, uint16_t port);
bool address_is_loopback(const struct sockaddr_storage *addr);
bool address_eq(
    const struct sockaddr_storage *a, const struct sockaddr_storage *b); /* with port */

/* address_reverse_name - where its PTR records stand: "1.2.0.192.in-addr.arpa". */
#define ADDRESS_REVERSE_MAX 74 /* octets with NUL */
void address_reverse_name(const struct sockaddr_storage *addr, char out[ADDRESS_REVERSE_MAX]);

struct network {
	int family;
	unsigned char octets[16];
	unsigned prefix; /* bits */
};

/* network_parse - "192.0.2.0/24", "2001:db8::/32", or a single address. Host bits must be zero.
 */
MUST_CHECK bool network_parse(const char *text, struct network *out, struct err *err);
/* network_of - the network of so many bits, of IPv4 or of IPv6, that addr is in; without gaps
 * and with zeros behind its prefix, so that two are compared as octets. False: it is not IP. */
MUST_CHECK bool network_of(const struct sockaddr_storage *addr, unsigned v4_bits,
    unsigned v6_bits, struct network *out);
bool network_has(const struct network *network, const struct sockaddr_storage *addr);

#endif
