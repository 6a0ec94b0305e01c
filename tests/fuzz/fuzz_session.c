/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One client's whole session, from accept to close, against the real session, chains, delivery
 * and a real snapshot. What is not ours is played: the client by the input, over a socket; TLS
 * by session_tls.h; the servers by session_server.h; DNS by a file; time stands still unless
 * the input moves it. One thread, and nothing stays from one input to the next.
 *
 * Input: an octet of options, then pieces parted by 0xff, each of which is what its first octet
 * says: 0xfe and a text: what a server says at its next turn instead of the usual; 0xfd and an
 * octet: so many seconds pass; 0xfc: the client closes its side; 0xfb: it is gone; 0xfa: the
 * gate is stopping; 0xf9: the client reads no replies until the next of these. Else it is sent.
 *
 * Invariants: those of session_replies.h, _messages.h, _server.h and _tls.h; a message that is
 * answered 2xx was answered 250 by the server; nobody sends who has not logged in, or logs in
 * without TLS; the session ends when its client is gone or its time is over.
 */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/domain/dkim_hash.h"
#include "lib/net/dns_file.h"
#include "proxy/session/session.h"
#include "proxy/upstream/group.h"
#include "tests/fuzz/session_messages.h"
#include "tests/fuzz/session_replies.h"
#include "tests/fuzz/session_server.h"
#include "tests/fuzz/session_tls.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DAY_MS	  86400000
#define REAL_S	  1700000000
#define RUNS_MAX  20000 /* of one session between two pieces */
#define HEARD_MAX (1 << 20)

enum option {
	OPTION_INBOUND = 1,
	OPTION_IMPLICIT = 2, /* TLS from the first octet */
	OPTION_PROXIED = 4,  /* a PROXY header comes first */
	OPTION_CHUNKING = 8, /* the servers offer it */
	OPTION_EARLY = 16,   /* the client does not wait for the greeting */
};

static char folder[] = "/tmp/gatepost-fuzz-XXXXXX";
static struct snapshot *snapshot;

/* Of the input at hand. */
static struct session *session;
static enum session_wait waits_for;
static int64_t deadline_ms, began_ms, now_ms;
static int client; /* its end; -1: closed */
static bool client_is_deaf;
static bool is_submission;
static size_t said_in_clear, answers_in_clear; /* before TLS, if it is up */
static struct buf heard;

/* ---- what there is once ---- */

static const char configuration[] =
    "hostname = \"" OUR_NAME "\"; state_dir = \".\";\n"
    "tls: { certificate = \"none\"; key = \"none\"; };\n"
    "listeners: ( { listen = \"127.0.0.1:587\"; role = \"submission\"; },\n"
    "  { listen = \"127.0.0.1:465\"; role = \"submission\"; tls = \"implicit\"; },\n"
    "  { listen = \"127.0.0.1:588\"; role = \"submission\";\n"
    "    proxy_networks = [ \"192.0.2.0/24\" ]; },\n"
    "  { listen = \"127.0.0.1:25\"; role = \"inbound\"; } );\n"
    "auth: { backends = ( { type = \"passwd\"; file = \"users\"; } ); };\n"
    "domains: ( { name = \"example.com\"; dkim =\n"
    "  ( { selector = \"ed\"; key = \"ed.pem\"; } ); } );\n"
    "upstreams: ( { name = \"mta\"; servers = [ \"a.test:25\", \"b.test:25\" ];\n"
    "  tls = \"none\"; } );\n"
    "submission: { upstream = \"mta\"; chain = [ \"access\", \"recipient_limit\",\n"
    "  \"identity\", \"hop_limit\", \"fix_headers\", \"dkim_sign\" ]; };\n"
    "inbound: { upstream = \"mta\"; chain = [ \"spf\", \"dkim_verify\", \"arc\", \"dmarc\",\n"
    "  \"auth_results\" ]; };\n"
    "watch: { enabled = false; };\n"
    "limits: { message = \"64K\"; memory = \"4K\"; };\n";

/* The password is "secret"; the cheapest method that is accepted. */
static const char users[] =
    "a@example.com:$5$rounds=1000$salt$CCvcOM6b7TEJDPb37Aec/9UpOg4QhPNAxPpL9ZzjTB7:\n";

static const char key[] = "-----BEGIN PRIVATE KEY-----\n"
			  "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
			  "-----END PRIVATE KEY-----\n";

static const char zone[] = "example.net TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\n"
			   "example.org TXT \"v=spf1 -all\"\n"
			   "_dmarc.example.org TXT \"v=DMARC1; p=reject\"\n"
			   "ed._domainkey.example.com TXT \"v=DKIM1; k=ed25519; "
			   "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n"
			   "slow.example TXT TIMEOUT\n";

static void
put_file(const char *name, const char *text)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "a file");
	(void)close(fd);
}

static void
remove_folder(void)
{
	static const char *const names[] = { "gate.conf", "users", "ed.pem" };
	char path[64];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(folder);
}

static void
tell_errors(const struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		fprintf(stderr, "%s\n", errors->lines[i]);
	check(errors->count == 0, "the configuration is good");
}

/* make_snapshot - real but for what it would need a network for, or a certificate. */
static void
make_snapshot(void)
{
	struct conf_errors errors;
	struct loaded_config *loaded;
	struct dns_file *dns;
	char path[64];

	check(mkdtemp(folder) != NULL && atexit(remove_folder) == 0, "a folder");
	put_file("gate.conf", configuration);
	put_file("users", users);
	put_file("ed.pem", key);
	conf_errors_init(&errors);
	(void)snprintf(path, sizeof(path), "%s/gate.conf", folder);
	loaded = config_load(path, &errors);
	dns = dns_file_parse("zone", view_of(zone), &errors);
	tell_errors(&errors);
	snapshot = snapshot_rehearse(&loaded, dns_file_source(dns), &errors);
	tell_errors(&errors);
	conf_errors_finish(&errors);
	snapshot->temp_dir = mem_strdup("/tmp");
	snapshot->listeners =
	    mem_calloc(snapshot->config->listeners.count, sizeof(*snapshot->listeners));
	for (size_t i = 0; i < snapshot->config->listeners.count; i++) {
		const struct config_listener *all = snapshot->config->listeners.items;
		struct snapshot_listener *l = &snapshot->listeners[i];

		l->config = &all[i];
		l->proxy_networks = mem_calloc(1, sizeof(*l->proxy_networks));
		if (all[i].proxy_networks.count > 0)
			check(network_parse(
				  all[i].proxy_networks.items[0], l->proxy_networks, NULL),
			    "a network");
	}
}

/* ---- a session ---- */

static struct upstream *
make_upstream(void)
{
	struct conf_errors errors;
	struct upstream *u;

	conf_errors_init(&errors);
	u = upstream_create(snapshot->config->upstreams.items, OUR_NAME, &errors);
	tell_errors(&errors);
	conf_errors_finish(&errors);
	for (size_t i = 0; i < u->server_count; i++)
		u->servers[i].target.connect = server_connect;
	snapshot->services[ROLE_SUBMISSION].upstream = u;
	snapshot->services[ROLE_INBOUND].upstream = u;
	return u;
}

static const struct snapshot_listener *
choose_listener(unsigned options)
{
	size_t i = 0;

	if ((options & OPTION_INBOUND) != 0)
		i = 3;
	else if ((options & OPTION_PROXIED) != 0)
		i = 2;
	else if ((options & OPTION_IMPLICIT) != 0)
		i = 1;
	is_submission = i != 3;
	return &snapshot->listeners[i];
}

static void
set_time(int64_t ms)
{
	now_ms = ms > now_ms ? ms : now_ms;
	clock_fake_set(now_ms, REAL_S + (now_ms - began_ms) / 1000);
}

static void
begin(unsigned options)
{
	const struct sockaddr_in from = { .sin_family = AF_INET,
		.sin_port = htons(40000),
		.sin_addr.s_addr = htonl(0xc0000209) };
	struct sockaddr_storage address = { 0 };
	int ends[2];

	memcpy(&address, &from, sizeof(from));
	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0,
	    "a pair of sockets");
	client = ends[0];
	client_is_deaf = false;
	client_looked_until = 0;
	script_next = script_count = 0;
	server_has_mail = false;
	server_has_chunking = (options & OPTION_CHUNKING) != 0;
	server_oks = 0;
	memset(&tls, 0, sizeof(tls));
	buf_init(&client_said, HEARD_MAX);
	buf_init(&heard, HEARD_MAX);
	session_set_draining(false);
	began_ms += DAY_MS; /* what is remembered of clients is over */
	now_ms = began_ms;
	set_time(now_ms);
	session = session_create(
	    ends[1], &address, snapshot_hold(snapshot), choose_listener(options));
	waits_for = session_first_wait(session);
	deadline_ms = now_ms + snapshot->config->limits.greeting_ms;
}

static void
listen_on(void)
{
	char octets[4096];
	ssize_t got;

	while (client >= 0 && !client_is_deaf &&
	       (got = recv(client, octets, sizeof(octets), MSG_DONTWAIT)) > 0)
		check(buf_add(&heard, octets, (size_t)got), "not that many replies");
}

static void
run_once(enum session_wake why)
{
	waits_for = session_run(session, why, &deadline_ms);
	listen_on();
	if (waits_for == WAIT_NONE)
		session_destroy(&session);
}

/* is_ready - what the loop would see. */
static bool
is_ready(void)
{
	struct pollfd gate = { .fd = session_fd(session),
		.events = waits_for == WAIT_WRITE ? POLLOUT : POLLIN };

	if (waits_for != WAIT_READ && waits_for != WAIT_WRITE && waits_for != WAIT_TURN)
		set_time(deadline_ms); /* a pause, whatever the client does */
	else if (waits_for != WAIT_TURN)
		return poll(&gate, 1, 0) > 0;
	return true;
}

static void
run(enum session_wake why)
{
	size_t runs = 0;

	if (session != NULL && why != WAKE_READY)
		run_once(why);
	while (session != NULL && is_ready()) {
		run_once(WAKE_READY);
		check(++runs < RUNS_MAX, "a session does not spin");
	}
}

/* tls_begins - the greeting may come later: under TLS from the first octet. */
static void
tls_begins(int fd)
{
	const bool is_deaf = client_is_deaf;
	struct replies replies;
	int unread = 0;

	client_is_deaf = false; /* what was said in clear is heard as such */
	listen_on();
	client_is_deaf = is_deaf;
	replies_read(&replies, buf_view(&heard));
	check(ioctl(fd, FIONREAD, &unread) == 0, "what is behind the handshake");
	said_in_clear = client_said.len - (size_t)unread;
	answers_in_clear = replies.answers > 0 ? replies.answers : 1;
}

static size_t
lines_from(size_t at)
{
	size_t lines = 0;

	for (; at < client_said.len; at++)
		lines += client_said.p[at] == '\n';
	return lines;
}

/* What must hold whenever the client has been told all there is. */
static void
check_replies(void)
{
	struct replies replies;

	replies_read(&replies, buf_view(&heard));
	check(replies.answers <= 1 + lines_from(0), "no more replies than commands");
	check(!tls.is_up || replies.answers <= answers_in_clear + lines_from(said_in_clear),
	    "what was said in clear is not answered under TLS");
	check(replies.messages <= server_oks, "a message's 250 is the upstream's");
	check(replies.logins == 0 || tls.is_up, "nobody logs in without TLS");
	if (client < 0 || client_is_deaf || waits_for == WAIT_WRITE)
		return;
	check(!server_has_mail || !is_submission || replies.logins > 0,
	    "nobody sends without a login");
	check(script_count > 0 || replies.queued == server_oks,
	    "what the upstream has, the client knows of");
}

static void
message_arrived(struct view content, bool is_chunk)
{
	struct buf message;
	size_t used;

	buf_init(&message, MESSAGE_ROOM);
	check(is_chunk || (wire_message(content, &message, &used) && used == content.len),
	    "a message ends where it ends");
	check(client_message_is(is_chunk ? content : buf_view(&message)),
	    "a message is as the client sent it");
	buf_finish(&message);
}

/* ---- what the input says ---- */

static void
send_octets(struct view octets)
{
	while (client >= 0 && octets.len > 0) {
		ssize_t sent = send(client, octets.p, octets.len, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		check(buf_add(&client_said, octets.p, (size_t)sent), "room for the input");
		octets = view_from(octets, (size_t)sent);
		run(WAKE_READY);
	}
}

static void
pass_time(int64_t seconds)
{
	set_time(now_ms + seconds * 1000);
	run(now_ms >= deadline_ms ? WAKE_TIMEOUT : WAKE_READY);
}

static void
leave(void)
{
	if (client >= 0)
		(void)close(client);
	client = -1;
}

static void
play(struct view piece)
{
	const struct view rest = view_from(piece, 1);

	switch (piece.len > 0 ? (unsigned char)piece.p[0] : 0) {
	case 0xfe:
		server_script_add(rest);
		return;
	case 0xfd:
		pass_time(rest.len > 0 ? (unsigned char)rest.p[0] : 1);
		return;
	case 0xfc:
		if (client >= 0)
			(void)shutdown(client, SHUT_WR);
		break;
	case 0xfb:
		leave();
		break;
	case 0xfa:
		session_set_draining(true);
		run(WAKE_DRAIN);
		return;
	case 0xf9:
		client_is_deaf = !client_is_deaf;
		listen_on();
		break;
	default:
		send_octets(piece);
	}
	run(WAKE_READY);
}

/* end_session - the client says no more; then time runs out. */
static void
end_session(void)
{
	client_is_deaf = false;
	listen_on();
	run(WAKE_READY);
	check_replies();
	if (client >= 0)
		(void)shutdown(client, SHUT_WR);
	run(WAKE_READY);
	check_replies();
	for (int i = 0; session != NULL && i < 4; i++)
		pass_time(1 + (deadline_ms - now_ms) / 1000);
	check(session == NULL, "a session ends");
	check_replies();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct log_config quiet = { .level = LEVEL_ERROR };
	struct view rest = view_make((const char *)data + 1, size - 1), piece;
	struct upstream *u;

	if (size == 0)
		return 0;
	if (snapshot == NULL) {
		log_configure(&quiet);
		check(dkim_hash_init(NULL), "libopendkim");
		make_snapshot();
	}
	u = make_upstream();
	begin(data[0]);
	if ((data[0] & OPTION_EARLY) == 0)
		run(WAKE_READY);
	while (rest.len > 0 && session != NULL) {
		(void)view_split(&rest, '\xff', &piece);
		play(piece);
		check_replies();
	}
	end_session();
	leave();
	fprintf(stderr, "%.*s== oks %u\n", (int)heard.len, heard.p, server_oks);
	upstream_destroy(&u);
	buf_finish(&client_said);
	buf_finish(&heard);
	return 0;
}
