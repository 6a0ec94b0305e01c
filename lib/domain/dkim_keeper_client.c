/* SPDX-License-Identifier: MPL-2.0 */
/* The gate's way to a keeper; see dkim_keeper_client.h. Any thread. */
#include "lib/domain/dkim_keeper_client.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS	  3000	/* for a free connection, or for the next keeper */
#define ASKED_MAX 2	/* keepers, over one question */
#define START_MS  60000 /* it may have thousands of keys to read */

struct keeper_client {
	struct helper_pool *pool; /* owned */
	int64_t answer_ms;
	struct dkim_key_source source;
	struct dkim_signer signer;
};

/* ---- asking ---- */

static bool
receive(int fd, int64_t deadline_ms, struct buf *reply, struct err *err)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };
	char *to = buf_reserve(reply, KEEPER_PACKET_MAX);
	int ready;

	do
		ready = poll(&readable, 1, clock_left_ms(deadline_ms));
	while (ready < 0 && errno == EINTR);
	if (ready == 0)
		return err_set(err, ERR_TIMEOUT, "the keeper does not answer");
	const ssize_t got =
	    ready > 0 && to != NULL ? recv(fd, to, KEEPER_PACKET_MAX, MSG_DONTWAIT) : -1;
	if (got <= 0)
		return err_set(err, ERR_TEMP, "the keeper has ended");
	buf_commit(reply, (size_t)got);
	return true;
}

static bool
exchange(int fd, int64_t time_ms, struct view request, struct buf *reply, struct err *err)
{
	const int64_t deadline_ms = clock_mono_ms() + time_ms;

	buf_clear(reply);
	if (send(fd, request.p, request.len, MSG_NOSIGNAL | MSG_DONTWAIT) !=
	    (ssize_t)request.len)
		return err_set(err, ERR_TEMP, "the keeper has ended");
	return receive(fd, deadline_ms, reply, err);
}

/* ask_once - false: whoever was asked gave no answer, and is given up. */
static bool
ask_once(struct keeper_client *c, struct view request, struct buf *reply, struct err *err)
{
	struct helper_turn turn = { 0 };
	enum turn_outcome outcome = TURN_GOOD;

	if (!helper_pool_take(c->pool, clock_mono_ms() + WAIT_MS, &turn, err))
		return false;
	if (!exchange(turn.fd, c->answer_ms, request, reply, err))
		outcome = err->kind == ERR_TIMEOUT ? TURN_HANGS : TURN_ENDED;
	helper_pool_give(c->pool, &turn, outcome);
	return outcome == TURN_GOOD;
}

static bool
ask(struct keeper_client *c, const struct buf *request, struct buf *reply, struct err *err)
{
	struct err trouble = { 0 };

	for (int i = 0; i < ASKED_MAX; i++) {
		if (ask_once(c, buf_view(request), reply, &trouble))
			return true;
	}
	if (err != NULL)
		*err = trouble;
	return false;
}

/* greet - a new keeper has read its keys. */
static bool
greet(int fd, struct err *err)
{
	struct buf request, reply;
	bool ok;

	buf_init(&request, KEEPER_PACKET_MAX);
	buf_init(&reply, KEEPER_PACKET_MAX);
	ok = keeper_ask_ready(&request) &&
	     exchange(fd, START_MS, buf_view(&request), &reply, err) &&
	     keeper_read_ready(buf_view(&reply), err);
	buf_finish(&request);
	buf_finish(&reply);
	return ok;
}

/* ---- what the world sees ---- */

static bool
sign_there(void *context, const unsigned char id[DKIM_KEY_ID_SIZE],
    const unsigned char hash[32], unsigned char out[1024], size_t *len_out, struct err *err)
{
	struct keeper_client *c = context;
	struct buf request, reply;
	bool ok;

	buf_init(&request, KEEPER_PACKET_MAX);
	buf_init(&reply, KEEPER_PACKET_MAX);
	ok = keeper_ask_sign(&request, id, hash) && ask(c, &request, &reply, err) &&
	     keeper_read_signature(buf_view(&reply), out, len_out, err);
	buf_finish(&request);
	buf_finish(&reply);
	return ok;
}

static bool
describe(struct keeper_client *c, const char *path, struct buf *reply, struct view *spki_out,
    char warning_out[160], struct err *err)
{
	struct buf request;
	bool ok;

	buf_init(&request, KEEPER_PACKET_MAX);
	if (!keeper_ask_describe(&request, path))
		ok = err_set(err, ERR_CONFIG, "key %s: the path is too long", path);
	else
		ok = ask(c, &request, reply, err) &&
		     keeper_read_description(buf_view(reply), spki_out, warning_out, err);
	buf_finish(&request);
	return ok;
}

/* Whether a keeper that is started now could know more of that file than this one. */
static bool
may_be_younger(const char *path, const struct err *err)
{
	return err->kind == ERR_CLOSED && access(path, F_OK) == 0;
}

static struct dkim_key *
read_there(void *context, const char *path, char warning_out[160], struct err *err)
{
	struct keeper_client *c = context;
	const struct helper_set *before;
	struct dkim_key *key = NULL;
	struct err trouble = { 0 };
	struct view spki = VIEW("");
	struct buf reply;
	bool ok;

	warning_out[0] = '\0';
	before = helper_pool_current(c->pool);
	if (before == NULL && !helper_pool_replace(c->pool, NULL, err))
		return NULL;
	buf_init(&reply, KEEPER_PACKET_MAX);
	ok = describe(c, path, &reply, &spki, warning_out, &trouble);
	if (!ok && before != NULL && may_be_younger(path, &trouble))
		ok = helper_pool_replace(c->pool, before, &trouble) &&
		     describe(c, path, &reply, &spki, warning_out, &trouble);
	if (ok)
		key = dkim_key_of_public(spki, &c->signer, &trouble);
	buf_finish(&reply);
	if (key == NULL && err != NULL)
		*err = trouble;
	return key;
}

const struct dkim_key_source *
keeper_client_source(const struct keeper_client *c)
{
	return &c->source;
}

/* ---- life ---- */

struct keeper_client *
keeper_client_create(const struct helper_kind *starter, int64_t answer_ms)
{
	struct keeper_client *c = mem_calloc(1, sizeof(*c));
	struct helper_kind kind = *starter;

	kind.name = "keeper";
	kind.greet = greet;
	c->pool = helper_pool_create(&kind);
	c->answer_ms = answer_ms;
	c->source = (struct dkim_key_source){ .read = read_there, .context = c };
	c->signer = (struct dkim_signer){ .sign = sign_there, .context = c };
	return c;
}

bool
keeper_client_start(struct keeper_client *c, struct err *err)
{
	return helper_pool_start(c->pool, err);
}

void
keeper_client_destroy(struct keeper_client **c)
{
	if (*c == NULL)
		return;
	helper_pool_destroy(&(*c)->pool);
	mem_free(*c);
	*c = NULL;
}
