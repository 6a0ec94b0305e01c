/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The link milter in a chain, against a milter that says what the input says: two sessions of
 * two messages. This file is the network: it stands in for lib/net/stream, so that no run
 * depends on time or threads.
 *
 * Input: an octet of options, then pieces parted by 0xff, one for each time that the link
 * waits. A piece is a packet's code and data; one that begins with 0xfe is octets as they are;
 * behind 0xfd within a piece another packet begins. An empty piece closes. Where OPTNEG is
 * waited for, a piece that does not begin with 'O' is one option octet, and the milter agrees.
 *
 * Invariants: the link sends whole packets of known commands; a message that was not passed is
 * untouched, and so is its envelope; one that was passed is a message still, its body clean,
 * our own Received field in it; its addresses are addresses; a reply is one for a client.
 */
#include "filters/filters.h"
#include "filters/milter_private.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/chain/chain.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OURS "Received: from x by gate.example.com (Gatepost) with ESMTP id s1.1; now\r\n"
#define TEXT OURS "From: a@example.com\r\nX: 1\r\nx:2\r\n folded\r\n\r\nbody\r\nmore\r\n"
#define ROOM 20000 /* octets of what one piece can become */

struct stream {
	struct buf said; /* by the milter, not yet read */
	bool is_closed;	 /* behind what it said */
	bool is_new;	 /* OPTNEG is waited for */
};

static struct view input; /* pieces that are left */

static void
check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* ---- the network ---- */

static void
add_packet(struct buf *out, struct view packet)
{
	const char head[] = { 0, 0, (char)(packet.len >> 8), (char)packet.len };

	check(buf_add(out, head, sizeof(head)) && buf_add_view(out, packet), "room");
}

static void
agree(struct stream *s, struct view piece)
{
	static const uint32_t steps[] = { 0, 0x400, 0x100480, 0xff080, 0x27f, 0x10 };
	const unsigned options = (unsigned char)piece.p[0];
	const uint32_t step = steps[options % ARRAY_LEN(steps)];
	const char packet[] = { 'O', 0, 0, 0, 6, 0, 0, 1, (char)0xff, (char)(step >> 24),
		(char)(step >> 16), (char)(step >> 8), (char)step };

	add_packet(&s->said, view_make(packet, sizeof(packet)));
}

/* say_next - the milter's turn. */
static void
say_next(struct stream *s)
{
	const size_t len = view_find(input, '\xff');
	struct view piece = view_make(input.p, len < ROOM / 8 ? len : ROOM / 8), packet;

	s->is_closed = piece.len == 0;
	input = view_from(input, len + 1);
	if (piece.len > 0 && piece.p[0] == '\xfe')
		check(buf_add_view(&s->said, view_from(piece, 1)), "room");
	else if (piece.len > 0 && s->is_new && piece.p[0] != 'O')
		agree(s, piece);
	else
		while (view_split(&piece, '\xfd', &packet))
			add_packet(&s->said, packet);
	s->is_new = false;
}

struct stream *
stream_connect(const char *host, uint16_t port, int64_t deadline_ms, struct err *err)
{
	struct stream *s;

	(void)host, (void)port, (void)deadline_ms;
	if (input.len == 0) {
		err_set(err, ERR_IO, "refused");
		return NULL;
	}
	s = mem_calloc(1, sizeof(*s));
	buf_init(&s->said, ROOM);
	s->is_new = true;
	return s;
}

struct stream *
stream_connect_unix(const char *path, int64_t deadline_ms, struct err *err)
{
	return stream_connect(path, 0, deadline_ms, err);
}

struct stream *
stream_from_fd(int fd, const char *peer)
{
	(void)fd, (void)peer;
	abort();
}

void
stream_close(struct stream **s)
{
	if (*s == NULL)
		return;
	buf_finish(&(*s)->said);
	mem_free(*s);
	*s = NULL;
}

void
stream_abort(struct stream **s)
{
	stream_close(s);
}

bool
stream_start_tls(
    struct stream *s, SSL_CTX *ctx, const char *name, int64_t deadline_ms, struct err *err)
{
	(void)s, (void)ctx, (void)name, (void)deadline_ms, (void)err;
	abort();
}

bool
stream_is_tls(const struct stream *s)
{
	(void)s;
	return false;
}

size_t
stream_read(struct stream *s, char *out, size_t room, int64_t deadline_ms, struct err *err)
{
	size_t len;

	(void)deadline_ms;
	if (s->said.len == 0 && !s->is_closed)
		say_next(s);
	len = s->said.len < room ? s->said.len : room;
	if (len == 0) {
		s->is_closed = true;
		err_set(err, ERR_CLOSED, "the connection was closed");
		return 0;
	}
	if (len > 7 && s->said.p[len - 1] % 2 == 0)
		len = len / 2; /* in two reads */
	memcpy(out, s->said.p, len);
	buf_drop(&s->said, len);
	return len;
}

bool
stream_write(struct stream *s, struct view data, int64_t deadline_ms, struct err *err)
{
	(void)deadline_ms;
	if (s->is_closed)
		return err_set(err, ERR_IO, "closed");
	while (data.len > 0) {
		struct view packet;
		size_t used;
		char code;

		check(milter_packet_read(data, MILTER_DATA_MAX, &code, &packet, &used) ==
			  MILTER_PACKET,
		    "whole packets are sent");
		check(milter_command_name(code)[0] != '?', "known commands are sent");
		data = view_from(data, used);
	}
	return true;
}

bool
stream_is_quiet(struct stream *s)
{
	return s->said.len == 0 && !s->is_closed;
}

int
stream_fd(const struct stream *s)
{
	(void)s;
	abort();
}

const char *
stream_peer(const struct stream *s)
{
	(void)s;
	return "milter";
}

const char *
stream_tls_text(const struct stream *s)
{
	(void)s;
	return "";
}

/* ---- the gate ---- */

static const struct body_limits limits = {
	.temp_dir = "/tmp", .memory_octets = 1 << 20, .max_octets = 1 << 20
};

static struct message *
split(struct view content)
{
	struct body_store *store = body_create(&limits);
	struct message *m = NULL;
	size_t line;

	check(body_append(store, content, NULL) && body_seal(store, NULL), "room");
	check(message_create(&store, &m, &line) == MESSAGE_OK, "a message is one");
	return m;
}

static bool
add_piece(void *context, struct view piece)
{
	return buf_add_view(context, piece);
}

static void
check_clean(struct view text)
{
	for (size_t i = 0; i < text.len; i++) {
		check(text.p[i] != '\0', "no NUL");
		check(text.p[i] != '\n' || (i > 0 && text.p[i - 1] == '\r'), "no bare LF");
		check(text.p[i] != '\r' || (i + 1 < text.len && text.p[i + 1] == '\n'),
		    "no bare CR");
	}
}

/* check_message - as it would go out now. */
static void
check_message(const struct message *m, bool was_passed)
{
	struct message *again;
	struct buf out;
	size_t own;

	buf_init(&out, 4 << 20);
	check(message_write(m, add_piece, &out), "room");
	check(was_passed || view_eq(buf_view(&out), VIEW(TEXT)), "untouched");
	check_clean(buf_view(&out));
	again = split(buf_view(&out));
	check(message_field_count(again) == message_field_count(m), "as many fields");
	own = message_find(again, "Received", 0);
	while (own != SIZE_MAX && !view_eq(message_field(again, own)->raw, VIEW(OURS)))
		own = message_find(again, "Received", own + 1);
	check(own != SIZE_MAX, "our own field is there");
	message_destroy(&again);
	buf_finish(&out);
}

static void
check_address(const char *text)
{
	struct smtp_path path;
	char bracketed[SMTP_PATH_MAX + 2];

	snprintf(bracketed, sizeof(bracketed), "<%s>", text);
	check(smtp_path_parse(view_of(bracketed), &path) == SMTP_SYNTAX_OK, "an address");
}

static void
check_envelope(const struct facts *f, bool was_passed, const struct facts *before)
{
	check_address(f->reverse_path);
	for (size_t i = 0; i < f->recipient_count; i++)
		check_address(f->recipients[i].address);
	if (was_passed)
		return;
	check(f->reverse_path == before->reverse_path && f->recipients == before->recipients &&
		  f->recipient_count == before->recipient_count,
	    "the envelope is untouched");
}

struct session {
	const struct chain *chain;
	struct chain_session *memory;
	struct facts facts;
};

static bool
run(struct session *s, struct chain_run *run_memory, enum link_stage stage,
    const struct recipient *recipient, struct message *m)
{
	const struct chain_work work = {
		.facts = &s->facts, .session = s->memory, .recipient = recipient, .message = m
	};
	struct smtp_reply reply = { .code = 0 };

	if (chain_run_stage(s->chain, run_memory, stage, &work, &reply))
		return true;
	check(reply.code >= 400 && reply.code <= 599, "a code for the client");
	check(memchr(reply.text, '\0', sizeof(reply.text)) != NULL, "the text has an end");
	return false;
}

static const struct recipient recipients[] = {
	{ .path = { .local = { "b", 1 }, .domain = { "example.net", 11 } },
	    .address = "b@example.net" },
	{ .path = { .local = { "c", 1 }, .domain = { "example.net", 11 } },
	    .address = "c@example.net" },
};

static void
send_message(struct session *s)
{
	struct chain_run *memory = chain_run_create(s->chain);
	struct message *m = split(VIEW(TEXT));

	s->facts.message_id = "s1.1";
	s->facts.reverse_path = "a@example.com";
	s->facts.mail.path =
	    (struct smtp_path){ .local = VIEW("a"), .domain = VIEW("example.com") };
	s->facts.recipients = recipients;
	s->facts.recipient_count = 0;
	if (run(s, memory, STAGE_MAIL, NULL, NULL)) {
		for (size_t i = 0; i < ARRAY_LEN(recipients); i++)
			s->facts.recipient_count +=
			    run(s, memory, STAGE_RCPT, &recipients[i], NULL);
		const struct facts before = s->facts;
		const bool passed = run(s, memory, STAGE_MESSAGE, NULL, m);

		check_message(m, passed);
		check_envelope(&s->facts, passed, &before);
	}
	message_destroy(&m);
	chain_run_destroy(&memory);
}

static void
hold_session(const struct chain *chain)
{
	struct session s = { .chain = chain, .memory = chain_session_create(chain) };

	s.facts = (struct facts){ .session_id = "s1",
		.message_id = "",
		.hostname = "gate.example.com",
		.listener = "[::]:25",
		.reverse_path = "",
		.helo = "" };
	snprintf(s.facts.client.text, sizeof(s.facts.client.text), "192.0.2.1");
	s.facts.client.addr.ss_family = AF_INET;
	if (run(&s, NULL, STAGE_CONNECT, NULL, NULL)) {
		s.facts.helo = "x.example.org";
		if (run(&s, NULL, STAGE_HELO, NULL, NULL)) {
			send_message(&s);
			send_message(&s);
		}
	}
	chain_session_destroy(&s.memory);
}

static struct chain *
make_chain(unsigned options)
{
	static struct milter_settings settings = { .socket = "127.0.0.1:1",
		.connect_ms = 1000,
		.command_ms = 1000,
		.content_ms = 1000,
		.macros = { "j {client_addr} _", "", "i {mail_addr}", "{rcpt_addr}", "i", "i",
		    "" },
		.quarantine_field = "X-Quarantine",
		.quarantine_to = "q@example.net" };
	const struct link_env env = { .name = "milter", .message_octets = 1 << 16 };
	struct conf_errors errors;
	struct chain *chain;

	settings.protocol = 2 + options % 5;
	settings.max_idle = options >> 7;
	settings.quarantine = (int)(options >> 3) % 4;
	if (settings.quarantine != QUARANTINE_REDIRECT)
		settings.quarantine_to = NULL;
	else
		settings.quarantine_to = "q@example.net";
	settings.discard = (int)(options >> 5) % 2;
	const struct chain_entry entry = { .link = &link_milter,
		.settings = &settings,
		.on_error = (options & 0x40) != 0 ? ON_ERROR_PASS : ON_ERROR_DEFER,
		.timeout_ms = 1000 };
	conf_errors_init(&errors);
	chain = chain_create(&entry, 1, &env, &errors);
	check(chain != NULL, "settings");
	conf_errors_finish(&errors);
	return chain;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct log_config quiet = { .level = LEVEL_ERROR };
	struct chain *chain;

	if (size == 0)
		return 0;
	log_configure(&quiet);
	clock_fake_set(1000000, 1700000000);
	input = view_make((const char *)data + 1, size - 1);
	chain = make_chain(data[0]);
	hold_session(chain);
	hold_session(chain);
	chain_destroy(&chain);
	return 0;
}
