/* SPDX-License-Identifier: MPL-2.0 */
/* The backends in their order, and the credential cache in front of them. See auth.h. */
#include "proxy/auth/auth.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "proxy/auth/backend.h"
#include "proxy/auth/credential_cache.h"
#include "proxy/auth/penalties.h"

#include <stdatomic.h>
#include <stdio.h>

struct authenticator {
	int64_t cache_ms;
	struct backend **backends; /* owned, count of them */
	size_t count;
};

/* One question on its way through the backends. */
struct auth_walk {
	struct auth_question question;
	uint64_t generation; /* of the cache, before any backend was asked */
	struct identity *identity;
	struct err refused, unavailable; /* what the backends said, joined */
};

static struct backend *
create_backend(const struct config_backend *config, size_t i, const char *hostname,
    struct conf_errors *errors)
{
	static atomic_uint_fast64_t numbers;
	struct backend *b = NULL;
	char path[48];

	snprintf(path, sizeof(path), "auth.backends[%zu]", i);
	switch (config->type) {
	case BACKEND_PASSWD:
		b = backend_passwd_create(config, path, errors);
		break;
	case BACKEND_UPSTREAM:
		b = backend_upstream_create(config, path, hostname, errors);
		break;
	default:
		BUG("a backend of type %d", config->type);
	}
	if (b != NULL) {
		b->number = atomic_fetch_add(&numbers, 1);
		b->timeout_ms = config->timeout_ms;
	}
	return b;
}

struct authenticator *
auth_create(const struct config_auth *config, const char *hostname, struct conf_errors *errors)
{
	const struct config_backend *backends = config->backends.items;
	struct authenticator *a = mem_calloc(1, sizeof(*a));
	bool is_whole = true;

	a->cache_ms = config->cache_ms;
	a->backends = mem_calloc(config->backends.count + 1, sizeof(*a->backends));
	for (size_t i = 0; i < config->backends.count; i++) {
		struct backend *b = create_backend(&backends[i], i, hostname, errors);

		if (b != NULL)
			a->backends[a->count++] = b;
		else
			is_whole = false; /* and go on: all errors at once */
	}
	if (!is_whole) {
		auth_destroy(&a);
		return NULL;
	}
	credential_cache_resize(config->cache_ms > 0 ? (size_t)config->cache_entries : 0);
	penalties_resize((size_t)config->penalties.entries);
	return a;
}

void
auth_destroy(struct authenticator **a)
{
	if (*a == NULL)
		return;
	for (size_t i = 0; i < (*a)->count; i++)
		(*a)->backends[i]->ops->destroy((*a)->backends[i]);
	mem_free((*a)->backends);
	mem_free(*a);
	*a = NULL;
}

static struct credential
credential_of(const struct backend *b, const struct auth_question *q)
{
	return (struct credential){ b->number, q->login, q->password };
}

/* is_remembered - proven by b a short while ago, and the login is still known there. */
static bool
is_remembered(struct backend *b, struct auth_walk *w)
{
	const struct credential c = credential_of(b, &w->question);

	return credential_cache_has(&c) &&
	       b->ops->identify(b, w->question.login, w->question.arena, w->identity);
}

/* note - "backend: text" behind what stands in *all. */
static void
note(struct err *all, const char *backend, const struct err *why)
{
	const size_t len = strlen(all->text);

	if (all->kind == ERR_NONE) {
		all->kind = why->kind;
		all->errnum = why->errnum;
	}
	(void)snprintf(all->text + len, sizeof(all->text) - len, "%s%s: %s",
	    len > 0 ? "; " : "", backend, why->text);
}

/* ask - one backend, within its own time. */
static enum auth_verdict
ask(struct backend *b, struct auth_walk *w, int64_t cache_ms)
{
	struct auth_question q = w->question;
	const struct credential c = credential_of(b, &q);
	const int64_t own = clock_mono_ms() + b->timeout_ms;
	struct err why = { .kind = ERR_NONE };
	enum auth_verdict verdict;

	if (own < q.deadline_ms)
		q.deadline_ms = own;
	verdict = b->ops->check(b, &q, w->identity, &why);
	switch (verdict) {
	case AUTH_ACCEPTED:
		if (cache_ms > 0)
			credential_cache_put(&c, clock_mono_ms() + cache_ms, w->generation);
		break;
	case AUTH_UNAVAILABLE:
		note(&w->unavailable, b->ops->name, &why);
		break;
	case AUTH_REFUSED:
		note(&w->refused, b->ops->name, &why);
		break;
	}
	return verdict;
}

/* walk - the first backend that accepts, or NULL. */
static const struct backend *
walk(struct authenticator *a, struct auth_walk *w)
{
	for (size_t i = 0; i < a->count; i++)
		a->backends[i]->ops->refresh(a->backends[i]);
	/* Before any table is looked at: a proof by an older table is not remembered then. */
	w->generation = credential_cache_generation();
	for (size_t i = 0; i < a->count && a->cache_ms > 0; i++) {
		if (is_remembered(a->backends[i], w))
			return a->backends[i];
	}
	for (size_t i = 0; i < a->count; i++) {
		if (ask(a->backends[i], w, a->cache_ms) == AUTH_ACCEPTED)
			return a->backends[i];
	}
	return NULL;
}

enum auth_verdict
auth_check(struct authenticator *a, const struct auth_question *q, struct identity *identity,
    struct err *why)
{
	struct auth_walk w = { .question = *q, .identity = identity };
	const struct backend *accepted;

	*identity = (struct identity){ .login = NULL };
	if (!secret_is_set(q->password)) {
		err_set(why, ERR_REFUSED, "there is no password");
		return AUTH_REFUSED;
	}
	accepted = walk(a, &w);
	if (accepted != NULL) {
		identity->backend = accepted->ops->name;
		return AUTH_ACCEPTED;
	}
	*identity = (struct identity){ .login = NULL };
	if (a->count == 0)
		err_set(&w.refused, ERR_REFUSED, "there is no backend");
	if (why != NULL)
		*why = w.unavailable.kind != ERR_NONE ? w.unavailable : w.refused;
	return w.unavailable.kind != ERR_NONE ? AUTH_UNAVAILABLE : AUTH_REFUSED;
}

/* first_that_knows - the identity of a login, of the first backend that has it. */
static bool
first_that_knows(struct authenticator *a, struct view login, bool is_proven,
    struct arena *arena, struct identity *identity)
{
	*identity = (struct identity){ .login = NULL };
	for (size_t i = 0; i < a->count; i++) {
		struct backend *b = a->backends[i];

		if (is_proven && !b->knows_logins)
			continue;
		b->ops->refresh(b);
		if (!b->ops->identify(b, login, arena, identity))
			continue;
		identity->backend = b->ops->name;
		return true;
	}
	return false;
}

bool
auth_identify(
    struct authenticator *a, struct view login, struct arena *arena, struct identity *identity)
{
	return first_that_knows(a, login, false, arena, identity);
}

bool
auth_vouch(
    struct authenticator *a, struct view login, struct arena *arena, struct identity *identity)
{
	return first_that_knows(a, login, true, arena, identity);
}
