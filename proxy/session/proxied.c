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

void
proxied_begin(struct session *s)
{
	const struct snapshot_listener *l = s->listener;

	for (size_t i = 0; i < l->config->proxy_networks.count && s->proxy == NULL; i++) {
		if (network_has(&l->proxy_networks[i], &s->facts.client.addr))
			s->proxy = mem_calloc(1, sizeof(*s->proxy));
	}
}

void
proxied_give_up(struct session *s, const char *reason)
{
	s->is_check = s->proxy->len == 0;
	log_event(s->is_check ? LEVEL_DEBUG : LEVEL_WARNING, "session.proxy_refused",
	    LOG_STR("id", s->facts.session_id), LOG_STR("client", s->facts.client.text),
	    LOG_STR("listener", s->facts.listener), LOG_STR("reason", reason));
}

/* The header is whole: from here on the client is the one that it names. */
static enum input_status
finish(struct session *s)
{
	if (s->proxy->has_client && !address_eq(&s->proxy->client, &s->facts.client.addr)) {
		s->facts.via = arena_strdup(&s->arena, view_of(s->facts.client.text));
		session_set_client(s, &s->proxy->client);
	} else {
		s->is_check = true;
	}
	mem_free(s->proxy);
	s->proxy = NULL;
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
