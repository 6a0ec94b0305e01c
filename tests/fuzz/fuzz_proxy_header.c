/* SPDX-License-Identifier: MPL-2.0 */
/*
 * PROXY headers. Invariants: whole, in two pieces and octet by octet the parser says the same
 * and takes the same; never more than the largest header; a client has an address of a client;
 * a header that is written anew from what was read says the same.
 */
#include "lib/net/proxy_header.h"

#include "lib/net/address.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static enum proxy_header_status
feed_by(struct proxy_header *h, struct view all, size_t piece, size_t *taken_out)
{
	enum proxy_header_status status = PROXY_HEADER_MORE;
	size_t taken = 0, used = 0;

	while (taken < all.len && status == PROXY_HEADER_MORE) {
		size_t len = all.len - taken < piece ? all.len - taken : piece;
		status = proxy_header_feed(h, view_make(all.p + taken, len), &used);
		check(used <= len, "no more is taken than there is");
		check(status != PROXY_HEADER_MORE || used == len,
		    "all is taken while more is wanted");
		taken += used;
	}
	*taken_out = taken;
	return status;
}

static void
check_again(const struct proxy_header *h)
{
	char host[INET6_ADDRSTRLEN], line[PROXY_HEADER_V1_MAX + 1];
	struct proxy_header again = { 0 };
	size_t used;

	address_host_text(&h->client, host);
	const char *other = h->client.ss_family == AF_INET ? "192.0.2.1" : "2001:db8::1";
	int len = snprintf(line, sizeof(line), "PROXY %s %s %s %u 25\r\n",
	    h->client.ss_family == AF_INET ? "TCP4" : "TCP6", host, other,
	    (unsigned)address_port(&h->client));
	check(
	    proxy_header_feed(&again, view_make(line, (size_t)len), &used) == PROXY_HEADER_DONE,
	    "what was read can be written");
	check(again.has_client && address_eq(&again.client, &h->client), "and means the same");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct view all = view_make((const char *)data, size);
	struct proxy_header whole = { 0 };
	size_t taken;
	enum proxy_header_status status = feed_by(&whole, all, size > 0 ? size : 1, &taken);

	check(taken <= 16 + PROXY_HEADER_BLOCK_MAX, "a header has its largest size");
	check(status != PROXY_HEADER_REFUSED || whole.reason != NULL, "a refusal has a reason");
	check(status == PROXY_HEADER_DONE || !whole.has_client,
	    "only a whole header names a client");
	for (size_t piece = 1; piece < size && piece < 40; piece += 6) {
		struct proxy_header cut = { 0 };
		size_t cut_taken;
		check(feed_by(&cut, all, piece, &cut_taken) == status, "pieces say the same");
		check(cut_taken == taken, "pieces take the same");
		check(cut.reason == whole.reason && cut.has_client == whole.has_client &&
			  memcmp(&cut.client, &whole.client, sizeof(cut.client)) == 0,
		    "pieces mean the same");
	}
	if (whole.has_client)
		check_again(&whole);
	return 0;
}
