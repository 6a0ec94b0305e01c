/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The backend "passwd": a users file (users_table.h). Whatever is wrong, a login that is not
 * there, a locked one, or the password, one hash is computed: of the login's own, or of the
 * cost that most logins have. So the time that a refusal takes tells nothing.
 */
#include "proxy/auth/backend.h"

#include "lib/base/mem.h"
#include "proxy/auth/credential_cache.h"
#include "proxy/auth/hash_gate.h"
#include "proxy/auth/passwd_hash.h"
#include "proxy/auth/users_file.h"

struct backend_passwd {
	struct backend base;
	struct users_file *users; /* owned */
};

static struct users_file *
users_of(struct backend *b)
{
	return ((struct backend_passwd *)b)->users;
}

static void
refresh(struct backend *b)
{
	users_file_refresh(users_of(b));
}

/* match - the one hash of a check, behind the gate. */
static enum auth_verdict
match(const struct auth_question *q, const char *hash, struct err *why)
{
	enum passwd_match result;

	if (!hash_gate_enter(q->deadline_ms)) {
		err_set(why, ERR_TIMEOUT, "no core was free for the password hash in time");
		return AUTH_UNAVAILABLE;
	}
	result = passwd_hash_match(q->password, hash);
	hash_gate_leave();
	if (result == PASSWD_FAILED) {
		err_set(why, ERR_TEMP, "the password hash could not be computed");
		return AUTH_UNAVAILABLE;
	}
	err_set(why, ERR_REFUSED, "wrong password");
	return result == PASSWD_SAME ? AUTH_ACCEPTED : AUTH_REFUSED;
}

static enum auth_verdict
check_in(const struct users_table *table, const struct auth_question *q,
    struct identity *identity, struct err *why)
{
	const struct user *u = users_table_find(table, q->login);
	const bool is_open = u != NULL && !passwd_hash_is_locked(view_of(u->hash));
	enum auth_verdict verdict = match(q, is_open ? u->hash : users_table_dummy(table), why);

	if (verdict == AUTH_UNAVAILABLE)
		return verdict;
	if (!is_open) {
		err_set(why, ERR_REFUSED, u == NULL ? "no such login" : "the login is locked");
		return AUTH_REFUSED;
	}
	if (verdict == AUTH_ACCEPTED)
		users_identify(u, q->arena, identity);
	return verdict;
}

static enum auth_verdict
check(struct backend *b, const struct auth_question *q, struct identity *identity,
    struct err *why)
{
	struct users_table *table = users_file_take(users_of(b));
	const enum auth_verdict verdict = check_in(table, q, identity, why);

	users_table_unref(&table);
	return verdict;
}

static bool
identify(struct backend *b, struct view login, struct arena *arena, struct identity *identity)
{
	struct users_table *table = users_file_take(users_of(b));
	const struct user *u = users_table_find(table, login);
	const bool is_open = u != NULL && !passwd_hash_is_locked(view_of(u->hash));

	if (is_open)
		users_identify(u, arena, identity);
	users_table_unref(&table);
	return is_open;
}

static void
destroy(struct backend *b)
{
	struct backend_passwd *p = (struct backend_passwd *)b;

	users_file_destroy(&p->users);
	mem_free(p);
}

static const struct backend_ops ops = {
	.name = "passwd",
	.refresh = refresh,
	.check = check,
	.identify = identify,
	.destroy = destroy,
};

struct backend *
backend_passwd_create(
    const struct config_backend *config, const char *path, struct conf_errors *errors)
{
	struct backend_passwd *p;
	struct users_file *users;

	if (config->file == NULL) {
		conf_error(
		    errors, config->where, path, "type \"passwd\" needs file, the users file");
		return NULL;
	}
	users =
	    users_file_create(config->file, USERS_WITH_HASH, credential_cache_clear, errors);
	if (users == NULL)
		return NULL;
	p = mem_calloc(1, sizeof(*p));
	p->base.ops = &ops;
	p->base.knows_logins = true;
	p->users = users;
	return &p->base;
}
