/* SPDX-License-Identifier: MPL-2.0 */
/*
 * See authority.h. UDP to all servers at once, from a socket each with a random port and id;
 * again after 1, 2, 4... seconds; TCP for what was cut.
 */
#include "lib/net/authority.h"

#include "lib/base/clock.h"
#include "lib/net/address.h"
#include "lib/net/dns_wire.h"
#include "lib/net/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define LEVELS_MAX    20    /* labels taken off the name until a zone must begin */
#define NS_MAX	      16    /* names of servers of a zone */
#define ALIAS_MAX     8	    /* CNAMEs from zone to zone */
#define ALL_MS	      20000 /* besides the caller's deadline */
#define TCP_MS	      3000
#define FIRST_WAIT_MS 1000
#define UDP_ROOM      4096

struct server {
	char name[80]; /* as in dns_server_answer */
	struct sockaddr_storage address;
	int fd;
	unsigned char query[DNS_QUERY_MAX];
	size_t query_len;
	uint16_t id;
	int64_t resend_at; /* ms */
	int64_t wait_ms;
	bool is_done;
	const char *why; /* nothing good has come yet because */
	struct dns_reply reply;
};

/* One call of authority_query. */
struct asking {
	const struct authority_request *request;
	int64_t deadline_ms;
	struct dns_server_answer *answers; /* DNS_SERVERS_MAX of them */
	size_t count;
};

/* The servers of one zone, and the name that they are asked for. */
struct round {
	struct asking *asking;
	const char *name;
	unsigned char wire[DNS_NAME_WIRE_MAX];
	struct server servers[DNS_SERVERS_MAX];
	size_t count;
};

/* ---- who they are ---- */

/* parent_of - behind the first dot that is no escaped one; "" at the end. */
static const char *
parent_of(const char *name)
{
	while (*name != '\0' && *name != '.')
		name += *name == '\\' && name[1] != '\0' ? 2 : 1;
	return *name == '.' ? name + 1 : name;
}

static bool
find_zone(const struct asking *a, const char *name, struct dns_answer *out)
{
	for (int i = 0; i < LEVELS_MAX && name[0] != '\0'; i++, name = parent_of(name)) {
		dns_query(
		    a->request->source, name, DNS_NS, a->deadline_ms, a->request->arena, out);
		if (out->status == DNS_TEMPFAIL)
			return false;
		if (out->status == DNS_FOUND && !out->is_alias)
			return true;
	}
	return false;
}

static struct server *
add_server(struct round *round, const char *name, const char *address)
{
	struct server *server = &round->servers[round->count++];
	const int room = (int)(sizeof(server->name) - strlen(address) - 2);

	*server = (struct server){ .fd = -1, .why = "timed out", .wait_ms = FIRST_WAIT_MS };
	snprintf(server->name, sizeof(server->name), "%.*s %s", room, name, address);
	return server;
}

/* is_unreachable - this machine has no way to such an address at all (no IPv6, mostly). */
static bool
is_unreachable(int error)
{
	return error == ENETUNREACH || error == EHOSTUNREACH || error == EAFNOSUPPORT ||
	       error == EADDRNOTAVAIL;
}

/* open_server - false: errno. */
static bool
open_server(struct server *server, const struct sockaddr_storage *address)
{
	server->address = *address;
	server->fd = socket(address->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return server->fd >= 0 &&
	       connect(server->fd, (const struct sockaddr *)address,
		   address->ss_family == AF_INET ? sizeof(struct sockaddr_in)
						 : sizeof(struct sockaddr_in6)) == 0;
}

static void
add_address(struct round *round, const char *ns, const struct dns_record *record)
{
	struct sockaddr_storage address;
	char host[INET6_ADDRSTRLEN];
	struct server *server;

	if (round->count == DNS_SERVERS_MAX ||
	    inet_ntop(record->data.len == 4 ? AF_INET : AF_INET6, record->data.p, host,
		sizeof(host)) == NULL ||
	    !address_from_host(host, round->asking->request->port, &address))
		return;
	server = add_server(round, ns, host);
	if (open_server(server, &address))
		return;
	server->is_done = true;
	server->why = is_unreachable(errno) ? NULL : "no socket";
	if (server->fd >= 0)
		close(server->fd);
	server->fd = -1;
}

/* drop_unreachable - those from first on, if another address of theirs can be reached. */
static void
drop_unreachable(struct round *round, size_t first)
{
	size_t kept = first, reachable = 0;

	for (size_t i = first; i < round->count; i++)
		reachable += round->servers[i].why != NULL;
	for (size_t i = first; i < round->count; i++) {
		if (round->servers[i].why == NULL && reachable > 0)
			continue;
		if (round->servers[i].why == NULL)
			round->servers[i].why = "cannot be reached from here";
		if (kept != i)
			round->servers[kept] = round->servers[i];
		kept++;
	}
	round->count = kept;
}

/* add_ns - every address of one server; one that has none now is a server that fails. */
static void
add_ns(struct round *round, const char *ns)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA };
	const struct authority_request *request = round->asking->request;
	const size_t first = round->count;
	struct server *server;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct dns_answer answer;

		dns_query(request->source, ns, types[i], round->asking->deadline_ms,
		    request->arena, &answer);
		for (size_t j = 0; j < answer.count; j++)
			add_address(round, ns, &answer.records[j]);
	}
	if (round->count == first && round->count < DNS_SERVERS_MAX) {
		server = add_server(round, ns, "?");
		server->is_done = true;
		server->why = "has no address now";
		return;
	}
	drop_unreachable(round, first);
}

/* ---- asking them ---- */

static void
send_query(struct server *server)
{
	/* What cannot be sent now is like what gets lost. */
	(void)send(server->fd, server->query, server->query_len, MSG_NOSIGNAL);
	server->resend_at = clock_mono_ms() + server->wait_ms;
	server->wait_ms *= 2;
}

/* is_ours - the reply to this server's question, whole and well-formed? */
static bool
is_ours(struct round *round, struct server *server, struct view wire)
{
	const struct authority_request *request = round->asking->request;

	if (wire.len < 2 ||
	    ((unsigned char)wire.p[0] << 8 | (unsigned char)wire.p[1]) != server->id)
		return false;
	if (dns_wire_read(wire, round->wire, request->type, request->arena, &server->reply))
		return true;
	server->why = "a broken answer";
	return false;
}

/* ask_again - over TCP, for a reply that was cut. */
static void
ask_again(struct round *round, struct server *server)
{
	const int64_t own_ms = clock_mono_ms() + TCP_MS;
	const int64_t deadline_ms =
	    own_ms < round->asking->deadline_ms ? own_ms : round->asking->deadline_ms;
	unsigned char prefix[2] = { (unsigned char)(server->query_len >> 8),
		(unsigned char)server->query_len };
	char host[INET6_ADDRSTRLEN];
	struct err err = { 0 };
	struct stream *s;
	char *wire = arena_alloc(round->asking->request->arena, UINT16_MAX + 2);
	size_t have = 0, wanted = 2;

	server->why = "truncated, and no answer over TCP";
	address_host_text(&server->address, host);
	s = stream_connect(host, round->asking->request->port, deadline_ms, &err);
	if (s == NULL)
		return;
	bool ok = stream_write(s, view_make((const char *)prefix, 2), deadline_ms, &err) &&
		  stream_write(s, view_make((const char *)server->query, server->query_len),
		      deadline_ms, &err);
	while (ok && have < wanted) {
		const size_t n = stream_read(s, wire + have, wanted - have, deadline_ms, &err);

		ok = n > 0;
		have += n;
		if (have == 2)
			wanted =
			    2 + ((size_t)(unsigned char)wire[0] << 8 | (unsigned char)wire[1]);
	}
	stream_abort(&s);
	if (ok && is_ours(round, server, view_make(wire + 2, wanted - 2)))
		server->why = server->reply.is_truncated ? "truncated over TCP" : NULL;
}

/* hear - what has come in from one server. */
static void
hear(struct round *round, struct server *server)
{
	char wire[UDP_ROOM];
	const ssize_t n = recv(server->fd, wire, sizeof(wire), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		server->why = "no server there";
		server->is_done = true;
		return;
	}
	if (!is_ours(round, server, view_make(wire, (size_t)n)))
		return; /* whoever sent it: the right one may still come */
	server->is_done = true;
	server->why = NULL;
	if (server->reply.is_truncated)
		ask_again(round, server);
}

/* send_due - queries and their repetitions; returns when the next one is due. */
static int64_t
send_due(struct round *round)
{
	const int64_t now = clock_mono_ms();
	int64_t next = round->asking->deadline_ms;

	for (size_t i = 0; i < round->count; i++) {
		struct server *server = &round->servers[i];

		if (server->is_done)
			continue;
		if (server->resend_at <= now)
			send_query(server);
		if (server->resend_at < next)
			next = server->resend_at;
	}
	return next;
}

static void
exchange(struct round *round)
{
	struct pollfd fds[DNS_SERVERS_MAX];

	for (;;) {
		size_t open = 0;
		const int64_t next = send_due(round);

		for (size_t i = 0; i < round->count; i++) {
			const struct server *server = &round->servers[i];

			fds[i] = (struct pollfd){ .fd = server->is_done ? -1 : server->fd,
				.events = POLLIN };
			open += !server->is_done;
		}
		if (open == 0 || clock_left_ms(round->asking->deadline_ms) == 0 ||
		    (poll(fds, round->count, clock_left_ms(next)) < 0 && errno != EINTR))
			return;
		for (size_t i = 0; i < round->count; i++) {
			if (fds[i].fd >= 0 && fds[i].revents != 0)
				hear(round, &round->servers[i]);
		}
	}
}

static bool
prepare(struct round *round)
{
	const struct authority_request *request = round->asking->request;

	for (size_t i = 0; i < round->count; i++) {
		struct server *server = &round->servers[i];

		if (RAND_bytes((unsigned char *)&server->id, sizeof(server->id)) != 1)
			return false;
		server->query_len = dns_wire_query(
		    server->id, round->wire, request->type, false, server->query);
	}
	return true;
}

/* ---- what they say ---- */

static struct dns_server_answer *
add_answer(struct asking *a, const char *server)
{
	struct dns_server_answer *answer;

	if (a->count == DNS_SERVERS_MAX)
		return NULL;
	answer = &a->answers[a->count++];
	snprintf(answer->server, sizeof(answer->server), "%s", server);
	return answer;
}

static void
add_failure(struct asking *a, const char *server, const char *why)
{
	struct dns_server_answer *answer = add_answer(a, server);

	if (answer == NULL)
		return;
	answer->answer = (struct dns_answer){ .status = DNS_TEMPFAIL };
	snprintf(answer->answer.why, sizeof(answer->answer.why), "%s", why);
}

/* add_reply - false: it leads elsewhere. */
static bool
add_reply(struct asking *a, const struct server *server)
{
	const struct dns_reply *reply = &server->reply;
	struct dns_server_answer *answer;

	if (server->why != NULL) {
		add_failure(a, server->name, server->why);
	} else if (reply->answer.status != DNS_TEMPFAIL && !reply->is_authoritative) {
		add_failure(a, server->name, "not authoritative");
	} else if (reply->leads_to != NULL) {
		return false;
	} else {
		answer = add_answer(a, server->name);
		if (answer != NULL)
			answer->answer = reply->answer;
	}
	return true;
}

/* find_servers - of the zone that round->name is in. */
static void
find_servers(struct round *round)
{
	struct dns_answer zone;

	if (!find_zone(round->asking, round->name, &zone))
		return;
	for (size_t i = 0; i < zone.count && i < NS_MAX; i++)
		add_ns(round, zone.records[i].data.p);
}

/*
 * ask_zone - the answers of the servers of one name's zone. Returns where a CNAME leads that
 * they have, or NULL; when they disagree about that, the one who says otherwise has failed.
 */
static const char *
ask_zone(struct asking *a, const char *name)
{
	struct round *round = arena_alloc(a->request->arena, sizeof(*round));
	const char *leads_to = NULL;

	round->asking = a;
	round->name = name;
	if (dns_name_to_wire(view_of(name), round->wire) == 0)
		return NULL;
	find_servers(round);
	if (prepare(round))
		exchange(round);
	for (size_t i = 0; i < round->count; i++) {
		const struct server *server = &round->servers[i];

		if (server->fd >= 0)
			close(server->fd);
		if (add_reply(a, server))
			continue;
		if (leads_to == NULL)
			leads_to = server->reply.leads_to;
		else if (strcmp(leads_to, server->reply.leads_to) != 0)
			add_failure(a, server->name, "its CNAME differs from the others'");
	}
	return leads_to;
}

size_t
authority_query(const struct authority_request *request, struct dns_server_answer **out)
{
	const int64_t own_ms = clock_mono_ms() + ALL_MS;
	struct asking a = {
		.request = request,
		.deadline_ms = own_ms < request->deadline_ms ? own_ms : request->deadline_ms,
		.answers = arena_alloc(
		    request->arena, DNS_SERVERS_MAX * sizeof(struct dns_server_answer)),
	};
	const char *name = request->name;

	for (int aliases = 0; name != NULL; aliases++) {
		const size_t before = a.count;
		const char *next = ask_zone(&a, name);

		for (size_t i = before; i < a.count && aliases > 0; i++)
			a.answers[i].answer.is_alias = true;
		if (a.count == before && next == NULL && aliases > 0)
			add_failure(&a, name, "its servers are not known");
		if (next != NULL && aliases == ALIAS_MAX)
			add_failure(&a, name, "too many CNAMEs");
		name = aliases < ALIAS_MAX ? next : NULL;
	}
	*out = a.answers;
	return a.count;
}
