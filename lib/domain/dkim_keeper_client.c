/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The gate's way to a keeper; see dkim_keeper_client.h. A set is the connections to one keeper.
 * Who uses a set holds it, so that it can be given up by others meanwhile; the last one closes
 * it, and the keeper ends when its connections do.
 */
#include "lib/domain/dkim_keeper_client.h"

#include "lib/base/clock.h"
#include "lib/base/cond.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS	     3000  /* for a free connection, or for the next keeper */
#define PAUSE_MS     50	   /* before a keeper is replaced that ended soon; doubled each time */
#define PAUSE_MAX_MS 800   /* there is another one within a second */
#define GOOD_MS	     10000 /* a keeper that has lived that long was a good one */

METRIC_COUNTER(keeper_restarts_total, "gatepost_keeper_restarts_total",
    "Keepers that were started because one had ended.", NULL);

struct keeper_set {
	struct keeper_links links; /* owned */
	bool is_busy[KEEPER_LINKS_MAX];
	unsigned users; /* of whom the client itself is one while it is the current set */
};

struct keeper_client {
	struct keeper_starter starter;
	int64_t answer_ms, start_ms;
	struct dkim_key_source source;
	struct dkim_signer signer;
	pthread_mutex_t open_lock; /* one keeper is started at a time; not within lock */
	pthread_t thread;
	int wake; /* owned: eventfd; the thread has to look */

	pthread_mutex_t lock; /* what stands below, and the sets' insides */
	pthread_cond_t changed;
	struct keeper_set *set; /* current; NULL: there is none now */
	bool may_start;		/* the thread, once there has been a keeper */
	bool is_started, is_stopping;
};

/* One connection in use. */
struct turn {
	struct keeper_set *set;
	size_t index;
};

/* ---- sets ---- */

/* With the lock. */
static void
let_go(struct keeper_set *set)
{
	if (--set->users > 0)
		return;
	for (size_t i = 0; i < set->links.count; i++)
		(void)close(set->links.fds[i]);
	mem_free(set);
}

static void
wake_thread(struct keeper_client *c)
{
	const uint64_t one = 1;

	(void)!write(c->wake, &one, sizeof(one));
}

/* give_up - set is no good: nobody takes it from now on. */
static void
give_up(struct keeper_client *c, struct keeper_set *set)
{
	pthread_mutex_lock(&c->lock);
	if (c->set == set) {
		c->set = NULL;
		let_go(set);
		wake_thread(c);
	}
	pthread_mutex_unlock(&c->lock);
}

static bool
find_idle(const struct keeper_set *set, size_t *index_out)
{
	for (size_t i = 0; set != NULL && i < set->links.count; i++) {
		if (!set->is_busy[i]) {
			*index_out = i;
			return true;
		}
	}
	return false;
}

static bool
take(struct keeper_client *c, struct turn *out, struct err *err)
{
	const int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
	bool found;

	pthread_mutex_lock(&c->lock);
	while (!(found = find_idle(c->set, &out->index)) && !c->is_stopping &&
	       (c->set != NULL || c->is_started) &&
	       cond_wait(&c->changed, &c->lock, deadline_ms))
		continue;
	if (found) {
		out->set = c->set;
		out->set->is_busy[out->index] = true;
		out->set->users++;
	}
	pthread_mutex_unlock(&c->lock);
	return found || err_set(err, ERR_TEMP, "there is no keeper, or all it does is busy");
}

static void
give(struct keeper_client *c, struct turn *turn)
{
	pthread_mutex_lock(&c->lock);
	turn->set->is_busy[turn->index] = false;
	let_go(turn->set);
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

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
	struct turn turn = { 0 };

	if (!take(c, &turn, err))
		return false;
	const bool ok =
	    exchange(turn.set->links.fds[turn.index], c->answer_ms, request, reply, err);
	if (!ok) {
		if (err != NULL && err->kind == ERR_TIMEOUT)
			c->starter.end(c->starter.context, turn.set->links.pid);
		give_up(c, turn.set);
	}
	give(c, &turn);
	return ok;
}

static bool
ask(struct keeper_client *c, const struct buf *request, struct buf *reply, struct err *err)
{
	struct err first = { 0 };

	return ask_once(c, buf_view(request), reply, &first) ||
	       ask_once(c, buf_view(request), reply, err);
}

/* ---- starting keepers ---- */

static bool
open_set(struct keeper_client *c, struct keeper_set **out, struct err *err)
{
	struct keeper_set *set = mem_calloc(1, sizeof(*set));
	struct buf request, reply;
	bool ok;

	if (!c->starter.open(c->starter.context, &set->links, err)) {
		mem_free(set);
		return false;
	}
	set->users = 1;
	buf_init(&request, KEEPER_PACKET_MAX);
	buf_init(&reply, KEEPER_PACKET_MAX);
	ok = keeper_ask_ready(&request) &&
	     exchange(set->links.fds[0], c->start_ms, buf_view(&request), &reply, err) &&
	     keeper_read_ready(buf_view(&reply), err);
	buf_finish(&request);
	buf_finish(&reply);
	if (!ok) {
		c->starter.end(c->starter.context, set->links.pid);
		let_go(set);
		return false;
	}
	*out = set;
	return true;
}

static void *tend(void *arg);

/* With the lock. */
static void
start_thread(struct keeper_client *c)
{
	if (c->may_start && !c->is_started && c->set != NULL)
		c->is_started = pthread_create(&c->thread, NULL, tend, c) == 0;
}

/*
 * replace - start a keeper and make it the current one, instead of old (NULL: where there is
 * none). Somebody else may have done it meanwhile.
 */
static bool
replace(struct keeper_client *c, const struct keeper_set *old, struct err *err)
{
	struct keeper_set *fresh = NULL;
	bool is_done, ok = true;

	pthread_mutex_lock(&c->open_lock);
	pthread_mutex_lock(&c->lock);
	is_done = c->set != NULL && c->set != old;
	pthread_mutex_unlock(&c->lock);
	if (!is_done)
		ok = open_set(c, &fresh, err);
	pthread_mutex_lock(&c->lock);
	if (fresh != NULL) {
		if (c->set != NULL)
			let_go(c->set);
		c->set = fresh;
		start_thread(c);
		pthread_cond_broadcast(&c->changed);
		wake_thread(c);
	}
	pthread_mutex_unlock(&c->lock);
	pthread_mutex_unlock(&c->open_lock);
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
	const struct keeper_set *before;
	struct dkim_key *key = NULL;
	struct err trouble = { 0 };
	struct view spki = VIEW("");
	struct buf reply;
	bool ok;

	warning_out[0] = '\0';
	pthread_mutex_lock(&c->lock);
	before = c->set;
	pthread_mutex_unlock(&c->lock);
	if (before == NULL && !replace(c, NULL, err))
		return NULL;
	buf_init(&reply, KEEPER_PACKET_MAX);
	ok = describe(c, path, &reply, &spki, warning_out, &trouble);
	if (!ok && before != NULL && may_be_younger(path, &trouble))
		ok = replace(c, before, &trouble) &&
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

/* ---- the thread ---- */

/* wait_for_end - of the current keeper, or until somebody wants the thread to look. */
static void
wait_for_end(struct keeper_client *c, struct keeper_set *set, int64_t time_ms)
{
	struct pollfd fds[2] = { { .fd = c->wake, .events = POLLIN },
		{ .fd = set != NULL ? set->links.fds[0] : -1 } };
	uint64_t count;

	(void)poll(fds, 2, time_ms < 0 ? -1 : (int)time_ms);
	if ((fds[0].revents & POLLIN) != 0)
		(void)!read(c->wake, &count, sizeof(count));
	if (set != NULL && (fds[1].revents & (POLLHUP | POLLERR)) != 0)
		give_up(c, set);
}

static void
restart(struct keeper_client *c, int64_t *pause_ms, int64_t *started_ms)
{
	struct err err = { 0 };

	if (clock_mono_ms() - *started_ms > GOOD_MS)
		*pause_ms = 0;
	const int64_t waited_ms = *pause_ms;
	if (waited_ms > 0)
		wait_for_end(c, NULL, waited_ms);
	pthread_mutex_lock(&c->lock);
	const bool stop = c->is_stopping;
	pthread_mutex_unlock(&c->lock);
	if (stop)
		return;
	*pause_ms = *pause_ms == 0 ? PAUSE_MS : 2 * *pause_ms;
	if (*pause_ms > PAUSE_MAX_MS)
		*pause_ms = PAUSE_MAX_MS;
	metric_add(&keeper_restarts_total, 1, NULL);
	if (replace(c, NULL, &err))
		log_event(LEVEL_WARNING, "keeper.restarted", LOG_U64("waited_ms", waited_ms));
	else
		log_event(LEVEL_ERROR, "keeper.failed", LOG_STR("text", err.text));
	*started_ms = clock_mono_ms();
}

static void *
tend(void *arg)
{
	int64_t pause_ms = 0, started_ms = clock_mono_ms();
	struct keeper_client *c = arg;

	for (;;) {
		pthread_mutex_lock(&c->lock);
		const bool stop = c->is_stopping;
		struct keeper_set *set = c->set;
		if (set != NULL)
			set->users++;
		pthread_mutex_unlock(&c->lock);
		if (set != NULL && !stop)
			wait_for_end(c, set, -1);
		if (set != NULL) {
			pthread_mutex_lock(&c->lock);
			let_go(set);
			pthread_mutex_unlock(&c->lock);
		}
		if (stop)
			return NULL;
		if (set == NULL)
			restart(c, &pause_ms, &started_ms);
	}
}

/* ---- life ---- */

struct keeper_client *
keeper_client_create(const struct keeper_starter *starter, int64_t answer_ms, int64_t start_ms)
{
	struct keeper_client *c = mem_calloc(1, sizeof(*c));

	c->starter = *starter;
	c->answer_ms = answer_ms;
	c->start_ms = start_ms;
	c->source = (struct dkim_key_source){ .read = read_there, .context = c };
	c->signer = (struct dkim_signer){ .sign = sign_there, .context = c };
	c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->wake < 0)
		BUG("no eventfd");
	pthread_mutex_init(&c->open_lock, NULL);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	return c;
}

bool
keeper_client_start(struct keeper_client *c, struct err *err)
{
	pthread_mutex_lock(&c->lock);
	c->may_start = true;
	start_thread(c);
	const bool ok = c->set == NULL || c->is_started;
	pthread_mutex_unlock(&c->lock);
	return ok || err_set(err, ERR_IO, "no thread for the keeper");
}

void
keeper_client_destroy(struct keeper_client **cp)
{
	struct keeper_client *c = *cp;

	if (c == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	c->is_stopping = true;
	pthread_cond_broadcast(&c->changed);
	wake_thread(c);
	pthread_mutex_unlock(&c->lock);
	if (c->is_started)
		pthread_join(c->thread, NULL);
	if (c->set != NULL)
		let_go(c->set);
	(void)close(c->wake);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	pthread_mutex_destroy(&c->open_lock);
	mem_free(c);
	*cp = NULL;
}
