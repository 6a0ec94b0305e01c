/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The PROXY protocol's header, octet by octet; see proxy_header.h. Of version 1 the line is
 * kept and read at its end; of version 2 the fixed part and the addresses are, and the TLVs
 * behind them only have their lengths checked.
 */
#include "lib/net/proxy_header.h"

#include "lib/net/address.h"

#include <arpa/inet.h>

#define V1_START      "PROXY "
#define V1_START_LEN  6
#define V2_START      "\r\n\r\n\0\r\nQUIT\n"
#define V2_START_LEN  12
#define V2_FIXED      16 /* signature, version and command, family, length */
#define V2_INET_LEN   12 /* two IPv4 addresses, two ports */
#define V2_INET6_LEN  36
#define V2_UNIX_LEN   216
#define COMMAND_LOCAL 0x20
#define COMMAND_PROXY 0x21

static enum proxy_header_status
refuse(struct proxy_header *h, const char *reason)
{
	h->reason = reason;
	return PROXY_HEADER_REFUSED;
}

/* ---- addresses ---- */

/* is_a_client - can a TCP connection come from there? */
static bool
is_a_client(const struct sockaddr_storage *addr)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (addr->ss_family == AF_INET) {
		memcpy(&in, addr, sizeof(in));
		uint32_t host = ntohl(in.sin_addr.s_addr);
		return host != INADDR_ANY && host != INADDR_BROADCAST && !IN_MULTICAST(host);
	}
	memcpy(&in6, addr, sizeof(in6));
	return !IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr) &&
	       !IN6_IS_ADDR_MULTICAST(&in6.sin6_addr);
}

/* finish_client - the address that octets (4 or 16) and port stand for becomes the client's. */
static enum proxy_header_status
finish_client(struct proxy_header *h, const unsigned char *octets, size_t len, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	if (len == sizeof(in.sin_addr)) {
		memcpy(&in.sin_addr, octets, len);
		memcpy(&h->client, &in, sizeof(in));
	} else {
		memcpy(&in6.sin6_addr, octets, len);
		memcpy(&h->client, &in6, sizeof(in6));
	}
	address_fold(&h->client);
	if (!is_a_client(&h->client))
		return refuse(h, "the client's address is none that a client has");
	h->has_client = true;
	return PROXY_HEADER_DONE;
}

/* ---- version 1 ---- */

static bool
host_read(struct view *rest, int family, unsigned char out[16])
{
	char text[INET6_ADDRSTRLEN];
	struct view piece;

	return view_split(rest, ' ', &piece) && view_copy(piece, text, sizeof(text)) &&
	       inet_pton(family, text, out) == 1;
}

/* port_read - decimal, without leading zeros. */
static bool
port_read(struct view *rest, uint16_t *out)
{
	struct view piece;
	uint64_t port;

	if (!view_split(rest, ' ', &piece) || piece.len > 5 || !view_to_u64(piece, &port) ||
	    port > UINT16_MAX || (piece.len > 1 && piece.p[0] == '0'))
		return false;
	*out = (uint16_t)port;
	return true;
}

/* v1_finish - "PROXY TCP4 SOURCE DESTINATION PORT PORT", without its CRLF. */
static enum proxy_header_status
v1_finish(struct proxy_header *h)
{
	struct view rest = view_make((const char *)h->kept, h->len - 2), kind;
	unsigned char source[16], destination[16];
	uint16_t source_port, destination_port;

	rest = view_from(rest, V1_START_LEN);
	if (!view_split(&rest, ' ', &kind))
		return refuse(h, "the protocol is missing");
	if (view_eq(kind, VIEW("UNKNOWN"))) /* whatever follows */
		return PROXY_HEADER_DONE;
	bool v6 = view_eq(kind, VIEW("TCP6"));
	if (!v6 && !view_eq(kind, VIEW("TCP4")))
		return refuse(h, "the protocol is unknown");
	int family = v6 ? AF_INET6 : AF_INET;
	if (!host_read(&rest, family, source) || !host_read(&rest, family, destination))
		return refuse(h, "an address is malformed");
	if (!port_read(&rest, &source_port) || !port_read(&rest, &destination_port))
		return refuse(h, "a port is malformed");
	if (view_split(&rest, ' ', &kind))
		return refuse(h, "something stands behind the ports");
	return finish_client(h, source, v6 ? 16 : 4, source_port);
}

static enum proxy_header_status
v1_step(struct proxy_header *h, unsigned char c)
{
	bool had_cr = h->kept[h->len - 2] == '\r';

	if (had_cr != (c == '\n'))
		return refuse(h, "the line does not end in CRLF");
	if (c == '\n')
		return v1_finish(h);
	if (c != '\r' && (c < 0x20 || c > 0x7e))
		return refuse(h, "the line holds what is not printable");
	if (h->len == PROXY_HEADER_V1_MAX)
		return refuse(h, "the line is too long");
	return PROXY_HEADER_MORE;
}

/* ---- version 2 ---- */

/* addresses_len - of the block, by family; SIZE_MAX: not a family that a TCP listener is told.
 */
static size_t
addresses_len(unsigned char family)
{
	switch (family) {
	case 0x00: /* UNSPEC */
		return 0;
	case 0x11:
		return V2_INET_LEN;
	case 0x21:
		return V2_INET6_LEN;
	case 0x31: /* a stream over a local socket */
		return V2_UNIX_LEN;
	default:
		return SIZE_MAX;
	}
}

static enum proxy_header_status
v2_finish(struct proxy_header *h)
{
	const unsigned char family = h->kept[13], *block = h->kept + V2_FIXED;

	if (h->tlv_head != 0)
		return refuse(h, "a TLV is cut off");
	if (h->kept[12] == COMMAND_LOCAL)
		return PROXY_HEADER_DONE;
	if (family == 0x11)
		return finish_client(h, block, 4, (uint16_t)(block[8] << 8 | block[9]));
	if (family == 0x21)
		return finish_client(h, block, 16, (uint16_t)(block[32] << 8 | block[33]));
	return PROXY_HEADER_DONE;
}

/* v2_fixed - the sixteenth octet is there. Of LOCAL and UNSPEC the block is thrown away unread.
 */
static enum proxy_header_status
v2_fixed(struct proxy_header *h)
{
	const size_t block = (size_t)(h->kept[14] << 8 | h->kept[15]);
	const unsigned char command = h->kept[12], family = h->kept[13];

	if (command != COMMAND_LOCAL && command != COMMAND_PROXY)
		return refuse(h, "the version or command is unknown");
	if (block > PROXY_HEADER_BLOCK_MAX)
		return refuse(h, "the header is too long");
	h->total = V2_FIXED + block;
	if (command == COMMAND_PROXY) {
		size_t addresses = addresses_len(family);
		if (addresses == SIZE_MAX)
			return refuse(h, "the protocol is not TCP");
		if (block < addresses)
			return refuse(h, "the addresses are cut off");
		h->tlv_begin = family != 0 ? V2_FIXED + addresses : 0;
	}
	return h->len == h->total ? v2_finish(h) : PROXY_HEADER_MORE;
}

/* tlv_step - an octet of type, length or value; false: a value longer than the header. */
static bool
tlv_step(struct proxy_header *h, unsigned char c)
{
	if (h->tlv_head == 3) { /* within a value */
		h->tlv_left--;
	} else {
		h->tlv_head++;
		if (h->tlv_head > 1)
			h->tlv_left = (h->tlv_left << 8 | c) & 0xffff;
	}
	if (h->tlv_head == 3 && h->tlv_left == 0)
		h->tlv_head = 0;
	return h->tlv_head != 3 || h->tlv_left <= h->total - h->len;
}

static enum proxy_header_status
v2_step(struct proxy_header *h, unsigned char c)
{
	if (h->len < V2_FIXED)
		return PROXY_HEADER_MORE;
	if (h->len == V2_FIXED)
		return v2_fixed(h);
	if (h->tlv_begin != 0 && h->len > h->tlv_begin && !tlv_step(h, c))
		return refuse(h, "a TLV is longer than the header");
	return h->len == h->total ? v2_finish(h) : PROXY_HEADER_MORE;
}

static enum proxy_header_status
step(struct proxy_header *h, unsigned char c)
{
	const size_t at = h->len++;

	if (at < sizeof(h->kept))
		h->kept[at] = c;
	bool v2 = h->kept[0] == V2_START[0];
	if (at >= (v2 ? V2_START_LEN : V1_START_LEN))
		return v2 ? v2_step(h, c) : v1_step(h, c);
	return (unsigned char)(v2 ? V2_START : V1_START)[at] == c
		   ? PROXY_HEADER_MORE
		   : refuse(h, "there is no header");
}

enum proxy_header_status
proxy_header_feed(struct proxy_header *h, struct view octets, size_t *used_out)
{
	enum proxy_header_status status = PROXY_HEADER_MORE;
	size_t used = 0;

	while (used < octets.len && status == PROXY_HEADER_MORE)
		status = step(h, (unsigned char)octets.p[used++]);
	*used_out = used;
	return status;
}
