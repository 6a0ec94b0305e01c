/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Connections that a balancer hands on: the PROXY header in front, and who the client is. The
 * header is looked at in the socket's buffer and exactly that much taken from there, so that
 * what follows in the same segment, a TLS hello maybe, is read by whom it is for. A balancer
 * that looks whether the port answers is not news: it says LOCAL or UNKNOWN, names its own
 * connection's end (HAProxy's checks, version 1), or says nothing at all.
 */
#include "proxy/session/session_private.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/address.h"
#include "proxy/session/admission.h"

#include <errno.h>
#include <sys/socket.h>

#define PEEK_OCTETS 512

void
session_set_client(struct session *s, const struct sockaddr_storage *addr)
{
	struct peer_address *client = &s->facts.client;

	client->addr = *addr;
	address_fold(&client->addr);
	address_host_text(&client->addr, client->text);
	client->port = address_port(&client->addr);
}

bool
session_is_balancer(
    const struct snapshot_listener *listener, const struct sockaddr_storage *addr)
{
	for (size_t i = 0; i < listener->config->proxy_networks.count; i++) {
		if (network_has(&listener->proxy_networks[i], addr))
			return true;
	}
	return false;
}

void
proxied_begin(struct session *s)
{
	if (session_is_balancer(s->listener, &s->facts.client.addr))
		s->proxy = mem_calloc(1, sizeof(*s->proxy));
}

void
proxied_give_up(struct session *s, const char *reason)
{
	s->is_check = s->proxy->len == 0;
	log_event(s->is_check ? LEVEL_DEBUG : LEVEL_WARNING, "session.proxy_refused",
	    LOG_STR("id", s->facts.session_id), LOG_STR("client", s->facts.client.text),
	    LOG_STR("listener", s->facts.listener), LOG_STR("reason", reason));
}

/* The client is known now, so it is counted now. In clear it hears why there is no room. */
static void
count_client(struct session *s)
{
	const struct config_limits *limits = &s->snapshot->config->limits;
	enum reply_id why;

	if (!admission_count(&s->facts.client.addr, limits, &s->slot.place, &why))
		session_close(s, s->handshaking ? REPLY_COUNT : why, s->facts.hostname,
		    "too many connections");
}

/* The header is whole: from here on the client is the one that it names. */
static enum input_status
finish(struct session *s)
{
	bool names_another =
	    s->proxy->has_client && !address_eq(&s->proxy->client, &s->facts.client.addr);

	if (names_another) {
		s->facts.via = arena_strdup(&s->arena, view_of(s->facts.client.text));
		session_set_client(s, &s->proxy->client);
	}
	s->is_check = !names_another;
	mem_free(s->proxy);
	s->proxy = NULL;
	if (names_another)
		count_client(s);
	return INPUT_OK;
}

enum input_status
proxied_read(struct session *s)
{
	enum proxy_header_status status = PROXY_HEADER_MORE;
	char octets[PEEK_OCTETS];

	while (status == PROXY_HEADER_MORE) {
		size_t used;
		ssize_t got = recv(s->fd, octets, sizeof(octets), MSG_PEEK);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return INPUT_WANT_READ;
		if (got <= 0) {
			proxied_give_up(s, "the connection ended within it");
			return INPUT_CLOSED;
		}
		status = proxy_header_feed(s->proxy, view_make(octets, (size_t)got), &used);
		if (status != PROXY_HEADER_REFUSED &&
		    recv(s->fd, octets, used, 0) != (ssize_t)used)
			return INPUT_CLOSED; /* what was there a moment ago */
	}
	if (status == PROXY_HEADER_DONE)
		return finish(s);
	proxied_give_up(s, s->proxy->reason);
	return INPUT_CLOSED;
}
