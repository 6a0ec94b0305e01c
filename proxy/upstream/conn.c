/* SPDX-License-Identifier: MPL-2.0 */
/* See conn.h. How a connection is opened (TLS, AUTH) is in conn_open.c. */
#include "proxy/upstream/conn.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "proxy/upstream/conn_private.h"

#include <openssl/evp.h>

/* key_add - length, then octets, so that no two sets of fields give one digest. */
static void
key_add(EVP_MD_CTX *md, const void *p, size_t len)
{
	if (EVP_DigestUpdate(md, &len, sizeof(len)) != 1 || EVP_DigestUpdate(md, p, len) != 1)
		BUG("SHA-256 fails");
}

static void
key_add_str(EVP_MD_CTX *md, const char *s)
{
	key_add(md, s != NULL ? s : "", s != NULL ? strlen(s) : 0);
}

void
conn_target_set_key(struct conn_target *t)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		BUG("SHA-256 fails");
	key_add_str(md, t->host);
	key_add(md, &t->port, sizeof(t->port));
	key_add(md, &t->is_lmtp, sizeof(t->is_lmtp));
	key_add(md, &t->tls, sizeof(t->tls));
	key_add_str(md, t->tls_name);
	key_add(md, &t->tls_ctx, sizeof(t->tls_ctx)); /* whom it trusts */
	key_add_str(md, t->login);
	if (t->login != NULL)
		key_add(md, t->password->p, t->password->len);
	key_add_str(md, t->helo);
	if (EVP_DigestFinal_ex(md, t->key, NULL) != 1)
		BUG("SHA-256 fails");
	EVP_MD_CTX_free(md);
}

struct conn *
conn_make(const struct conn_target *t, struct stream *stream)
{
	struct conn *c = mem_calloc(1, sizeof(*c));

	c->target = t;
	c->stream = stream;
	c->outstanding = 1; /* the greeting */
	return c;
}

static void
conn_free(struct conn **c)
{
	secret_wipe((*c)->in, sizeof((*c)->in));
	mem_free(*c);
	*c = NULL;
}

void
conn_close(struct conn **c)
{
	if (*c == NULL)
		return;
	if (conn_is_idle(*c)) {
		struct err unused;

		/* A courtesy: what does not go out at once is not waited for. */
		if (!stream_write((*c)->stream, VIEW("QUIT\r\n"), clock_mono_ms(), &unused))
			(*c)->is_broken = true;
	}
	stream_close(&(*c)->stream);
	conn_free(c);
}

void
conn_abort(struct conn **c)
{
	if (*c == NULL)
		return;
	stream_abort(&(*c)->stream);
	conn_free(c);
}

/* broken - note that the connection is of no more use; always false. */
static bool
broken(struct conn *c)
{
	c->is_broken = true;
	return false;
}

bool
conn_is_idle(const struct conn *c)
{
	return !c->is_broken && c->outstanding == 0 && c->in_len == 0;
}

bool
conn_is_usable(struct conn *c)
{
	return conn_is_idle(c) && stream_is_quiet(c->stream);
}

/* must_be_quiet - what comes before we have asked is not an answer to anything. */
static bool
must_be_quiet(struct conn *c, struct err *err)
{
	if (conn_is_usable(c))
		return true;
	err_set(err, ERR_PROTOCOL, "the server closed the connection or talked unasked");
	return broken(c);
}

bool
conn_put(struct conn *c, struct view data, int64_t deadline_ms, struct err *err)
{
	if (c->is_broken)
		return err_set(err, ERR_PROTOCOL, "the connection is of no more use");
	return stream_write(c->stream, data, deadline_ms, err) || broken(c);
}

bool
conn_put_last(
    struct conn *c, struct view data, int64_t deadline_ms, bool *started_out, struct err *err)
{
	*started_out = false;
	if (!must_be_quiet(c, err))
		return false;
	*started_out = true;
	c->outstanding++;
	return conn_put(c, data, deadline_ms, err);
}

void
conn_expect(struct conn *c, unsigned more)
{
	c->outstanding += more;
}

bool
conn_get_reply(
    struct conn *c, int64_t deadline_ms, struct smtp_reply *reply_out, struct err *err)
{
	if (c->outstanding == 0)
		BUG("no reply is due");
	smtp_reply_reader_init(&c->reader);
	for (;;) {
		size_t used = 0;
		enum smtp_reply_status status =
		    smtp_reply_read(&c->reader, view_make(c->in, c->in_len), &used);

		if (status == SMTP_REPLY_MALFORMED) {
			err_set(err, ERR_PROTOCOL, "what the server sent is no SMTP reply");
			return broken(c);
		}
		c->in_len -= used;
		memmove(c->in, c->in + used, c->in_len);
		if (status == SMTP_REPLY_DONE)
			break;
		c->in_len = stream_read(c->stream, c->in, sizeof(c->in), deadline_ms, err);
		if (c->in_len == 0)
			return broken(c);
	}
	c->outstanding--;
	*reply_out = c->reader.reply;
	return true;
}

bool
conn_early_reply(
    struct conn *c, int64_t deadline_ms, struct smtp_reply *reply_out, struct err *err)
{
	if (c->is_broken || (c->in_len == 0 && stream_is_quiet(c->stream)))
		return err_set(err, ERR_PROTOCOL, "the server has said nothing");
	c->outstanding++;
	const bool ok = conn_get_reply(c, deadline_ms, reply_out, err);
	c->is_broken = true;
	return ok;
}

/* line_is_clean - one line stays one line, whatever its parts were made of. */
static bool
line_is_clean(struct view line)
{
	return memchr(line.p, '\r', line.len) == NULL &&
	       memchr(line.p, '\n', line.len) == NULL && memchr(line.p, '\0', line.len) == NULL;
}

bool
conn_command(struct conn *c, struct view line, int64_t deadline_ms,
    struct smtp_reply *reply_out, struct err *err)
{
	char wire[SMTP_WIRE_MAX];
	bool started, ok;

	if (!line_is_clean(line) || line.len > sizeof(wire) - 2) {
		err_set(err, ERR_PROTOCOL, "a command that is no line was not sent");
		return broken(c);
	}
	c->mails += view_starts(line, VIEW("MAIL "));
	memcpy(wire, line.p, line.len);
	memcpy(wire + line.len, "\r\n", 2);
	ok = conn_put_last(c, view_make(wire, line.len + 2), deadline_ms, &started, err);
	secret_wipe(wire, line.len);
	return ok && conn_get_reply(c, deadline_ms, reply_out, err);
}

bool
conn_is_spent(const struct conn *c)
{
	return c->ehlo.mail_max != 0 && c->mails >= c->ehlo.mail_max;
}

const struct conn_target *
conn_target(const struct conn *c)
{
	return c->target;
}

const struct smtp_ehlo *
conn_ehlo(const struct conn *c)
{
	return &c->ehlo;
}

const char *
conn_peer(const struct conn *c)
{
	return stream_peer(c->stream);
}

const char *
conn_tls_text(const struct conn *c)
{
	return stream_tls_text(c->stream);
}
