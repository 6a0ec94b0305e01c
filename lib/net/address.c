/* SPDX-License-Identifier: MPL-2.0 */
/* Socket addresses and networks as text and back. Pure: no look-up, no I/O. */
#include "lib/net/address.h"

#include <arpa/inet.h>
#include <stdio.h>

static bool
host_is_name(struct view host)
{
	for (size_t i = 0; i < host.len; i++) {
		char c = host.p[i];

		if (!ascii_is_alnum(c) && c != '-' && c != '.' && c != '_')
			return false;
	}
	return host.len > 0 && host.len <= 255 && host.p[0] != '-' && host.p[0] != '.';
}

/* split_port - "host:port" into its parts; the port is 1..65535, or default_port when left out.
 */
static bool
split_port(const char *text, uint16_t default_port, struct view *host_out, bool *brackets_out,
    uint16_t *port_out, struct err *err)
{
	struct view all = view_of(text);
	struct view rest;
	uint64_t port = default_port;

	*brackets_out = all.len > 0 && all.p[0] == '[';
	if (*brackets_out) {
		size_t close = view_find(all, ']');

		if (close == all.len)
			return err_set(err, ERR_CONFIG, "\"%s\" has no \"]\"", text);
		*host_out = view_make(all.p + 1, close - 1);
		rest = view_from(all, close + 1);
	} else {
		size_t colon = view_find(all, ':');

		*host_out = view_make(all.p, colon);
		rest = view_from(all, colon);
		if (view_find(view_from(rest, 1), ':') != rest.len - (rest.len > 0))
			return err_set(err, ERR_CONFIG,
			    "\"%s\" has more than one colon (an IPv6 address needs brackets: "
			    "[::1]:25)",
			    text);
	}
	if (rest.len > 0 && (rest.p[0] != ':' || !view_to_u64(view_from(rest, 1), &port)))
		return err_set(err, ERR_CONFIG, "\"%s\" has no valid port", text);
	if (port == 0 && rest.len == 0)
		return err_set(err, ERR_CONFIG, "\"%s\" needs a port", text);
	if (port == 0 || port > 65535)
		return err_set(
		    err, ERR_CONFIG, "the port of \"%s\" is not within 1..65535", text);
	*port_out = (uint16_t)port;
	return true;
}

static bool
parse_v4(const char *host, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
		return false;
	memset(out, 0, sizeof(*out));
	memcpy(out, &in, sizeof(in));
	return true;
}

static bool
parse_v6(const char *host, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	if (inet_pton(AF_INET6, host, &in6.sin6_addr) != 1)
		return false;
	memset(out, 0, sizeof(*out));
	memcpy(out, &in6, sizeof(in6));
	address_fold(out);
	return true;
}

bool
address_parse(const char *text, struct sockaddr_storage *out, struct err *err)
{
	char host[INET6_ADDRSTRLEN];
	struct view part = VIEW("");
	bool brackets = false;
	uint16_t port = 0;

	if (!split_port(text, 0, &part, &brackets, &port, err))
		return false;
	if (!brackets && view_eq(part, VIEW("*")))
		part = VIEW("0.0.0.0");
	if (!view_copy(part, host, sizeof(host)) ||
	    !(brackets ? parse_v6(host, port, out) : parse_v4(host, port, out)))
		return err_set(
		    err, ERR_CONFIG, "\"%s\" is not a numeric address with a port", text);
	return true;
}

bool
address_from_host(const char *host, uint16_t port, struct sockaddr_storage *out)
{
	return parse_v4(host, port, out) || parse_v6(host, port, out);
}

bool
address_split(const char *text, uint16_t default_port, char *host, size_t room,
    uint16_t *port_out, struct err *err)
{
	struct sockaddr_storage unused;
	struct view part = VIEW("");
	bool brackets = false;

	if (!split_port(text, default_port, &part, &brackets, port_out, err))
		return false;
	if (!view_copy(part, host, room))
		return err_set(err, ERR_CONFIG, "the host of \"%s\" is too long", text);
	if (brackets ? !parse_v6(host, *port_out, &unused) : !host_is_name(part))
		return err_set(err, ERR_CONFIG, "\"%s\" is not a host with a port", text);
	return true;
}

void
address_fold(struct sockaddr_storage *addr)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in = { .sin_family = AF_INET };

	if (addr->ss_family != AF_INET6)
		return;
	memcpy(&in6, addr, sizeof(in6));
	if (!IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
		return;
	in.sin_port = in6.sin6_port;
	memcpy(&in.sin_addr, in6.sin6_addr.s6_addr + 12, 4);
	memset(addr, 0, sizeof(*addr));
	memcpy(addr, &in, sizeof(in));
}

/* octets_of - the address alone, folded, in network order; its length in octets, 0: not IP. */
static size_t
octets_of(const struct sockaddr_storage *addr, unsigned char out[16])
{
	struct sockaddr_storage folded = *addr;

	address_fold(&folded);
	if (folded.ss_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, &folded, sizeof(in));
		memcpy(out, &in.sin_addr, 4);
		return 4;
	}
	if (folded.ss_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, &folded, sizeof(in6));
		memcpy(out, &in6.sin6_addr, 16);
		return 16;
	}
	return 0;
}

void
address_host_text(const struct sockaddr_storage *addr, char out[INET6_ADDRSTRLEN])
{
	unsigned char octets[16];
	size_t len = octets_of(addr, octets);

	if (len == 0 ||
	    inet_ntop(len == 4 ? AF_INET : AF_INET6, octets, out, INET6_ADDRSTRLEN) == NULL)
		snprintf(out, INET6_ADDRSTRLEN, "unknown");
}

void
address_text(const struct sockaddr_storage *addr, char out[ADDRESS_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN];
	bool v6;

	address_host_text(addr, host);
	v6 = strchr(host, ':') != NULL;
	snprintf(out, ADDRESS_TEXT_MAX, "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "",
	    (unsigned)address_port(addr));
}

uint16_t
address_port(const struct sockaddr_storage *addr)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (addr->ss_family == AF_INET) {
		memcpy(&in, addr, sizeof(in));
		return ntohs(in.sin_port);
	}
	if (addr->ss_family == AF_INET6) {
		memcpy(&in6, addr, sizeof(in6));
		return ntohs(in6.sin6_port);
	}
	return 0;
}

void
address_set_port(struct sockaddr_storage *addr, uint16_t port)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (addr->ss_family == AF_INET) {
		memcpy(&in, addr, sizeof(in));
		in.sin_port = htons(port);
		memcpy(addr, &in, sizeof(in));
	} else if (addr->ss_family == AF_INET6) {
		memcpy(&in6, addr, sizeof(in6));
		in6.sin6_port = htons(port);
		memcpy(addr, &in6, sizeof(in6));
	}
}

bool
address_is_loopback(const struct sockaddr_storage *addr)
{
	unsigned char octets[16];

	switch (octets_of(addr, octets)) {
	case 4:
		return octets[0] == 127;
	case 16:
		return memcmp(octets, &in6addr_loopback, 16) == 0;
	default:
		return false;
	}
}

/* scope_of - the zone of a link-local IPv6 address: the same octets on two links are two peers.
 */
static uint32_t
scope_of(const struct sockaddr_storage *addr)
{
	struct sockaddr_in6 in6;

	if (addr->ss_family != AF_INET6)
		return 0;
	memcpy(&in6, addr, sizeof(in6));
	return in6.sin6_scope_id;
}

void
address_reverse_name(const struct sockaddr_storage *addr, char out[ADDRESS_REVERSE_MAX])
{
	static const char digits[] = "0123456789abcdef";
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)addr;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)addr;

	if (addr->ss_family == AF_INET) {
		const uint32_t host = ntohl(v4->sin_addr.s_addr);

		(void)snprintf(out, ADDRESS_REVERSE_MAX, "%u.%u.%u.%u.in-addr.arpa", host & 255,
		    host >> 8 & 255, host >> 16 & 255, host >> 24);
		return;
	}
	for (size_t i = 0; i < 16; i++) {
		const unsigned octet = v6->sin6_addr.s6_addr[15 - i];

		out[4 * i] = digits[octet & 15];
		out[4 * i + 2] = digits[octet >> 4];
		out[4 * i + 1] = out[4 * i + 3] = '.';
	}
	memcpy(out + 64, "ip6.arpa", sizeof("ip6.arpa"));
}

bool
address_eq(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	unsigned char octets_a[16], octets_b[16];
	size_t len = octets_of(a, octets_a);

	return len > 0 && len == octets_of(b, octets_b) &&
	       memcmp(octets_a, octets_b, len) == 0 && address_port(a) == address_port(b) &&
	       (len == 4 || scope_of(a) == scope_of(b));
}

static bool
bits_match(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

static bool
host_bits_are_zero(const struct network *network, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned used = network->prefix > i * 8 ? network->prefix - (unsigned)i * 8 : 0;

		if (used < 8 && (network->octets[i] & (0xff >> used)) != 0)
			return false;
	}
	return true;
}

/* prefix_parse - the bits behind the slash; none written: all. */
static bool
prefix_parse(struct view text, bool is_written, unsigned max, unsigned *out)
{
	uint64_t bits = max;

	if (is_written && (text.len > 3 || !view_to_u64(text, &bits) || bits > max))
		return false;
	*out = (unsigned)bits;
	return true;
}

bool
network_parse(const char *text, struct network *out, struct err *err)
{
	struct view all = view_of(text);
	size_t slash = view_find(all, '/');
	char host[INET6_ADDRSTRLEN];
	struct network n = { .family = AF_INET };
	size_t len = 4;

	if (!view_copy(view_make(all.p, slash), host, sizeof(host)))
		return err_set(err, ERR_CONFIG, "\"%s\" is not a network", text);
	if (inet_pton(AF_INET, host, n.octets) != 1) {
		n.family = AF_INET6;
		len = 16;
		if (inet_pton(AF_INET6, host, n.octets) != 1)
			return err_set(err, ERR_CONFIG, "\"%s\" is not a network", text);
	}
	if (!prefix_parse(
		view_from(all, slash + 1), slash < all.len, (unsigned)len * 8, &n.prefix))
		return err_set(err, ERR_CONFIG, "\"%s\" has no valid prefix length", text);
	if (!host_bits_are_zero(&n, len))
		return err_set(err, ERR_CONFIG, "\"%s\" has bits set behind its prefix", text);
	if (len == 16 && n.prefix >= 96 &&
	    memcmp(n.octets, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0) {
		n.family = AF_INET;
		n.prefix -= 96;
		memmove(n.octets, n.octets + 12, 4);
		memset(n.octets + 4, 0, 12);
	}
	*out = n;
	return true;
}

bool
network_has(const struct network *network, const struct sockaddr_storage *addr)
{
	unsigned char octets[16];
	size_t len = octets_of(addr, octets);

	if (len != (network->family == AF_INET ? 4U : 16U))
		return false;
	return bits_match(network->octets, octets, network->prefix);
}

bool
network_of(const struct sockaddr_storage *addr, unsigned v4_bits, unsigned v6_bits,
    struct network *out)
{
	struct network n = { 0 };
	const size_t len = octets_of(addr, n.octets);

	n.family = len == 4 ? AF_INET : AF_INET6;
	n.prefix = len == 4 ? v4_bits : v6_bits;
	for (size_t i = 0; i < len; i++) {
		if (8 * i >= n.prefix)
			n.octets[i] = 0;
		else if (n.prefix - 8 * i < 8)
			n.octets[i] &= (unsigned char)(0xff << (8 - (n.prefix - 8 * i)));
	}
	*out = n;
	return len > 0;
}
