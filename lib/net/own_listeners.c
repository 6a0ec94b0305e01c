/* SPDX-License-Identifier: MPL-2.0 */
/* See own_listeners.h. */
#include "lib/net/own_listeners.h"

#include "lib/base/mem.h"
#include "lib/net/address.h"

#include <pthread.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sockaddr_storage *own; /* owned */
static size_t own_count;

void
own_listeners_set(const struct sockaddr_storage *addresses, size_t count)
{
	struct sockaddr_storage *before, *now = mem_calloc(count + 1, sizeof(*now));

	if (count > 0)
		memcpy(now, addresses, count * sizeof(*now));
	pthread_mutex_lock(&lock);
	before = own;
	own = now;
	own_count = count;
	pthread_mutex_unlock(&lock);
	mem_free(before);
}

/* ends_of - the addresses of both ends, IPv4 as such; false: not of the internet. */
static bool
ends_of(int fd, struct sockaddr_storage *here, struct sockaddr_storage *peer)
{
	socklen_t here_len = sizeof(*here), peer_len = sizeof(*peer);

	memset(here, 0, sizeof(*here));
	memset(peer, 0, sizeof(*peer));
	if (getsockname(fd, (struct sockaddr *)here, &here_len) != 0 ||
	    getpeername(fd, (struct sockaddr *)peer, &peer_len) != 0)
		return false;
	address_fold(here);
	address_fold(peer);
	return peer->ss_family == AF_INET || peer->ss_family == AF_INET6;
}

static bool
is_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	char text[ADDRESS_TEXT_MAX], other[ADDRESS_TEXT_MAX];

	address_host_text(a, text);
	address_host_text(b, other);
	return strcmp(text, other) == 0;
}

static bool
is_every_address(const struct sockaddr_storage *a)
{
	char text[ADDRESS_TEXT_MAX];

	address_host_text(a, text);
	return strcmp(text, "::") == 0 || strcmp(text, "0.0.0.0") == 0;
}

bool
own_listeners_has(int fd)
{
	struct sockaddr_storage peer, here;
	bool found = false;

	if (fd < 0 || !ends_of(fd, &here, &peer))
		return false;
	/* To an address of this machine, the kernel speaks from the same one. */
	const bool is_this_machine = address_is_loopback(&peer) || is_same_host(&peer, &here);
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < own_count && !found; i++)
		found = address_port(&own[i]) == address_port(&peer) &&
			(is_same_host(&own[i], &peer) ||
			    (is_this_machine && is_every_address(&own[i])));
	pthread_mutex_unlock(&lock);
	return found;
}
