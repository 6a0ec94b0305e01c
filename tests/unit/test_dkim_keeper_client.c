/* SPDX-License-Identifier: MPL-2.0 */
/* The gate's way to keepers that end, hang, and lie. They are threads of the test. */
#include "lib/domain/dkim_keeper_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/dkim_keys.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define ANSWER_MS 300

enum manners { GOOD, HANGS, ENDS_AT_SIGN, LIES, CANNOT_START };

struct rig {
	struct keeper_keys *keys;
	struct keeper_client *client;
	char folder[32], path[64];
	_Atomic(enum manners) manners[8]; /* of the keepers, in order of their start */
	atomic_size_t started, ended;
	pthread_t threads[8];
	size_t thread_count; /* keepers are started one at a time */
};

struct one_keeper {
	struct rig *rig;
	enum manners manners;
	int fd;
};

static void
reply(const struct one_keeper *k, struct view request)
{
	struct buf out;

	buf_init(&out, KEEPER_PACKET_MAX);
	if (k->manners == LIES && request.p[0] == 'S')
		assert_true(buf_add_str(&out, "sno signature"));
	else
		assert_true(keeper_answer(k->rig->keys, request, &out));
	(void)!send(k->fd, out.p, out.len, MSG_NOSIGNAL);
	buf_finish(&out);
}

static void *
keeper_main(void *arg)
{
	struct one_keeper *k = arg;
	char request[KEEPER_PACKET_MAX];
	ssize_t got;

	while ((got = recv(k->fd, request, sizeof(request), 0)) > 0) {
		if (request[0] == 'S' && k->manners == ENDS_AT_SIGN)
			break;
		if (request[0] == 'S' && k->manners == HANGS)
			continue;
		reply(k, view_make(request, (size_t)got));
	}
	(void)close(k->fd);
	free(k);
	return NULL;
}

static bool
open_keeper(void *context, struct helper_links *out, struct err *err)
{
	struct rig *r = context;
	struct one_keeper *k = calloc(1, sizeof(*k));
	const size_t number = atomic_fetch_add(&r->started, 1);
	int pair[2];

	assert_non_null(k);
	k->rig = r;
	k->manners = number < ARRAY_LEN(r->manners) ? r->manners[number] : GOOD;
	if (k->manners == CANNOT_START) {
		free(k);
		return err_set(err, ERR_TEMP, "no keeper can be started");
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	k->fd = pair[1];
	*out = (struct helper_links){ .fds = { pair[0] }, .count = 1, .pid = (pid_t)number };
	assert_true(r->thread_count < ARRAY_LEN(r->threads));
	assert_int_equal(
	    pthread_create(&r->threads[r->thread_count++], NULL, keeper_main, k), 0);
	return true;
}

static void
end_keeper(void *context, pid_t pid)
{
	struct rig *r = context;

	(void)pid;
	atomic_fetch_add(&r->ended, 1);
}

static int
set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	const struct helper_kind starter = {
		.open = open_keeper, .end = end_keeper, .context = r
	};
	struct err err = { 0 };
	char warning[160];

	assert_non_null(r);
	(void)snprintf(r->folder, sizeof(r->folder), "/tmp/keeper-XXXXXX");
	assert_non_null(mkdtemp(r->folder));
	(void)snprintf(r->path, sizeof(r->path), "%s/ed.pem", r->folder);
	write_key_file(r->path, key_ed25519, 0600);
	r->keys = keeper_keys_create();
	keeper_keys_add(r->keys, r->path, dkim_key_read(r->path, warning, &err), "");
	keeper_keys_end_adding(r->keys);
	r->client = keeper_client_create(&starter, ANSWER_MS);
	*state = r;
	return 0;
}

static int
tear_down(void **state)
{
	struct rig *r = *state;

	keeper_client_destroy(&r->client);
	for (size_t i = 0; i < r->thread_count; i++)
		assert_int_equal(pthread_join(r->threads[i], NULL), 0);
	keeper_keys_destroy(&r->keys);
	assert_int_equal(unlink(r->path), 0);
	assert_int_equal(rmdir(r->folder), 0);
	free(r);
	return 0;
}

static struct dkim_key *
read_key(struct rig *r)
{
	const struct dkim_key_source *source = keeper_client_source(r->client);
	struct err err = { 0 };
	char warning[160];
	struct dkim_key *key = source->read(source->context, r->path, warning, &err);

	assert_non_null(key);
	assert_true(keeper_client_start(r->client, &err));
	return key;
}

static bool
sign(const struct dkim_key *key, struct err *err)
{
	static const unsigned char hash[32] = { 7 };
	unsigned char out[1024];
	size_t len;

	return dkim_key_sign_hash(key, hash, out, &len, err);
}

static void
test_ends(void **state)
{
	struct rig *r = *state;
	struct err err = { 0 };

	r->manners[0] = ENDS_AT_SIGN;
	struct dkim_key *key = read_key(r);
	assert_true(sign(key, &err)); /* by the next keeper */
	assert_int_equal(r->started, 2);
	dkim_key_destroy(&key);
}

static void
test_poison(void **state)
{
	struct rig *r = *state;
	struct err err = { 0 };

	r->manners[0] = r->manners[1] = ENDS_AT_SIGN;
	struct dkim_key *key = read_key(r);
	assert_false(sign(key, &err)); /* two keepers are enough for one message */
	assert_int_equal(err.kind, ERR_TEMP);
	assert_true(sign(key, &err));
	assert_int_equal(r->started, 3);
	dkim_key_destroy(&key);
}

static void
test_hangs(void **state)
{
	struct rig *r = *state;
	struct err err = { 0 };

	r->manners[0] = HANGS;
	struct dkim_key *key = read_key(r);
	assert_true(sign(key, &err));
	assert_int_equal(r->ended, 1);
	assert_int_equal(r->started, 2);
	dkim_key_destroy(&key);
}

static void
test_lies(void **state)
{
	struct rig *r = *state;
	struct err err = { 0 };

	r->manners[0] = LIES;
	struct dkim_key *key = read_key(r);
	assert_false(sign(key, &err));
	assert_int_equal(err.kind, ERR_PROTOCOL);
	dkim_key_destroy(&key);
}

static void
test_cannot_start(void **state)
{
	struct rig *r = *state;
	const struct dkim_key_source *source = keeper_client_source(r->client);
	struct err err = { 0 };
	char warning[160];

	r->manners[0] = CANNOT_START;
	assert_null(source->read(source->context, r->path, warning, &err));
	assert_int_equal(err.kind, ERR_TEMP);
	struct dkim_key *key = read_key(r); /* it can now */
	assert_true(sign(key, &err));
	dkim_key_destroy(&key);
}

static void
test_younger_file(void **state)
{
	struct rig *r = *state;
	const struct dkim_key_source *source = keeper_client_source(r->client);
	struct dkim_key *key = read_key(r);
	struct err err = { 0 };
	char warning[160], path[80];

	(void)snprintf(path, sizeof(path), "%s/none.pem", r->folder);
	assert_null(source->read(source->context, path, warning, &err));
	assert_int_equal(r->started, 1); /* there is no such file: nothing can be younger */
	(void)snprintf(path, sizeof(path), "%s/new.pem", r->folder);
	write_key_file(path, key_ed25519, 0600);
	assert_null(source->read(source->context, path, warning, &err));
	assert_int_equal(err.kind, ERR_CLOSED); /* our keepers never learn it */
	assert_int_equal(r->started, 2);
	assert_true(sign(key, &err));
	assert_int_equal(unlink(path), 0);
	dkim_key_destroy(&key);
}

#define THREADS 8

static void *
sign_often(void *key)
{
	struct err err = { 0 };

	for (int i = 0; i < 50; i++)
		assert_true(sign(key, &err));
	return NULL;
}

static void
test_many(void **state)
{
	struct rig *r = *state;
	struct dkim_key *key = read_key(r);
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, sign_often, key), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(r->started, 1);
	dkim_key_destroy(&key);
}

int
main(void)
{
#define CASE(name, f)                            \
	{                                        \
		name, f, set_up, tear_down, NULL \
	}
	const struct CMUnitTest tests[] = {
		CASE("a keeper that ends is replaced, and the signature is made", test_ends),
		CASE("a request that ends two keepers is given up, the third one serves",
		    test_poison),
		CASE("a keeper that hangs is ended and replaced", test_hangs),
		CASE("a keeper that lies is not believed", test_lies),
		CASE("a keeper that cannot be started is an error, until it can",
		    test_cannot_start),
		CASE("a file that is younger than the keeper makes for another keeper",
		    test_younger_file),
		CASE("many threads share one connection", test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
