/* SPDX-License-Identifier: MPL-2.0 */
/* The keeper's packets: what it answers, what it refuses, what the gate believes of it. */
#include "lib/domain/dkim_keeper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/dkim_keys.h"

#include <openssl/evp.h>

static const unsigned char hash[32] = { 1, 2, 3 };

struct rig {
	struct keeper_keys *keys;
	struct buf request, reply;
	char folder[32];
};

static struct dkim_key *
make_key(const struct rig *r, const char *name, const char *pem)
{
	char path[64], warning[160];
	struct err err = { 0 };

	(void)snprintf(path, sizeof(path), "%s/%s", r->folder, name);
	write_key_file(path, pem, 0600);
	struct dkim_key *key = dkim_key_read(path, warning, &err);
	assert_non_null(key);
	assert_int_equal(unlink(path), 0);
	return key;
}

static int
set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	(void)snprintf(r->folder, sizeof(r->folder), "/tmp/keeper-XXXXXX");
	assert_non_null(mkdtemp(r->folder));
	buf_init(&r->request, KEEPER_PACKET_MAX);
	buf_init(&r->reply, KEEPER_PACKET_MAX);
	r->keys = keeper_keys_create();
	keeper_keys_add(r->keys, "/k/rsa", make_key(r, "rsa", key_rsa_2048), "is odd");
	keeper_keys_add(r->keys, "/k/broken", NULL, "key /k/broken: is broken");
	keeper_keys_add(r->keys, "/k/ed", make_key(r, "ed", key_ed25519), "");
	keeper_keys_add(r->keys, "/k/rsa", make_key(r, "ed", key_ed25519), "again");
	keeper_keys_end_adding(r->keys);
	*state = r;
	return 0;
}

static int
tear_down(void **state)
{
	struct rig *r = *state;

	keeper_keys_destroy(&r->keys);
	buf_finish(&r->request);
	buf_finish(&r->reply);
	assert_int_equal(rmdir(r->folder), 0);
	free(r);
	return 0;
}

static struct view
answer(struct rig *r)
{
	buf_clear(&r->reply);
	assert_true(keeper_answer(r->keys, buf_view(&r->request), &r->reply));
	buf_clear(&r->request);
	return buf_view(&r->reply);
}

/* The signer of keys that were described: the keeper, without a process between. */
static bool
sign_by_packet(void *context, const unsigned char id[DKIM_KEY_ID_SIZE],
    const unsigned char what[32], unsigned char out[1024], size_t *len_out, struct err *err)
{
	struct rig *r = context;

	assert_true(keeper_ask_sign(&r->request, id, what));
	return keeper_read_signature(answer(r), out, len_out, err);
}

static void
test_sign(void **state)
{
	static const char *const paths[] = { "/k/rsa", "/k/ed" };
	const char *const pems[] = { key_rsa_2048, key_ed25519 };
	struct rig *r = *state;
	const struct dkim_signer signer = { sign_by_packet, r };

	assert_int_equal(keeper_keys_count(r->keys), 2);
	for (size_t i = 0; i < 2; i++) {
		unsigned char here[1024], there[1024];
		struct dkim_key *private_key = make_key(r, "x", pems[i]), *public_key;
		size_t here_len, there_len;
		struct err err = { 0 };
		struct view spki;
		char warning[160];

		assert_true(keeper_ask_describe(&r->request, paths[i]));
		assert_true(keeper_read_description(answer(r), &spki, warning, &err));
		assert_string_equal(warning, i == 0 ? "is odd" : "");
		public_key = dkim_key_of_public(spki, &signer, &err);
		assert_non_null(public_key);
		assert_int_equal(
		    dkim_key_algorithm(public_key), dkim_key_algorithm(private_key));
		assert_true(dkim_key_sign_hash(public_key, hash, there, &there_len, &err));
		assert_true(dkim_key_sign_hash(private_key, hash, here, &here_len, &err));
		assert_int_equal(here_len, there_len);
		assert_memory_equal(here, there, here_len); /* both kinds are deterministic */
		dkim_key_destroy(&public_key);
		dkim_key_destroy(&private_key);
	}
}

static bool
sign_short(void *context, const unsigned char id[DKIM_KEY_ID_SIZE],
    const unsigned char what[32], unsigned char out[1024], size_t *len_out, struct err *err)
{
	(void)context, (void)id, (void)what, (void)out, (void)err;
	*len_out = 63;
	return true;
}

static void
test_short_signature(void **state)
{
	struct rig *r = *state;
	const struct dkim_signer signer = { sign_short, NULL };
	unsigned char out[1024];
	struct err err = { 0 };
	struct view spki;
	char warning[160];
	size_t len;

	assert_true(keeper_ask_describe(&r->request, "/k/ed"));
	assert_true(keeper_read_description(answer(r), &spki, warning, &err));
	struct dkim_key *key = dkim_key_of_public(spki, &signer, &err);
	assert_non_null(key);
	assert_false(dkim_key_sign_hash(key, hash, out, &len, &err));
	assert_int_equal(err.kind, ERR_PROTOCOL);
	dkim_key_destroy(&key);
}

static void
test_unknown(void **state)
{
	const unsigned char id[DKIM_KEY_ID_SIZE] = { 9 };
	struct rig *r = *state;
	unsigned char out[1024];
	struct err err = { 0 };
	struct view spki;
	char warning[160];
	size_t len;

	assert_true(keeper_ask_sign(&r->request, id, hash));
	assert_false(keeper_read_signature(answer(r), out, &len, &err));
	assert_int_equal(err.kind, ERR_CLOSED);
	assert_true(keeper_ask_describe(&r->request, "/etc/passwd"));
	assert_false(keeper_read_description(answer(r), &spki, warning, &err));
	assert_int_equal(err.kind, ERR_CLOSED);
	assert_true(keeper_ask_describe(&r->request, "/k/broken"));
	assert_false(keeper_read_description(answer(r), &spki, warning, &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_string_equal(err.text, "key /k/broken: is broken");
	assert_true(keeper_ask_ready(&r->request));
	assert_true(keeper_read_ready(answer(r), &err));
}

static void
test_no_request(void **state)
{
	static const char long_sign[66] = "S", short_sign[64] = "S";
	const struct view requests[] = { VIEW(""), VIEW("R "), VIEW("D"), VIEW("S"), VIEW("X"),
		VIEW("\0"), view_make(long_sign, sizeof(long_sign)),
		view_make(short_sign, sizeof(short_sign)) };
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		assert_false(keeper_answer(r->keys, requests[i], &r->reply));
		assert_int_equal(r->reply.len, 0);
	}
}

static void
test_no_answer(void **state)
{
	static const char unended[170] = "d................................................."
					 "................................................."
					 "................................................."
					 "......................";
	static const char bare[161] = "d", huge[1026] = "s";
	const struct view replies[] = { VIEW(""), VIEW("e"), VIEW("x"), VIEW("s"), VIEW("d"),
		VIEW("r"), view_make(unended, sizeof(unended)), view_make(bare, sizeof(bare)),
		view_make(huge, sizeof(huge)) };
	unsigned char out[1024];
	struct err err = { 0 };
	struct view spki;
	char warning[160];
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		assert_false(keeper_read_description(replies[i], &spki, warning, &err));
		assert_int_equal(err.kind, ERR_PROTOCOL);
		assert_false(keeper_read_signature(replies[i], out, &len, &err));
		assert_int_equal(err.kind, ERR_PROTOCOL);
	}
	assert_false(keeper_read_ready(VIEW("s1"), &err));
	assert_null(dkim_key_of_public(VIEW("no key at all"), NULL, &err));
	assert_int_equal(err.kind, ERR_PROTOCOL);
}

int
main(void)
{
#define CASE(name, f)                            \
	{                                        \
		name, f, set_up, tear_down, NULL \
	}
	const struct CMUnitTest tests[] = {
		CASE("a key that was described signs as the key itself does", test_sign),
		CASE("a signature of the wrong length is not believed", test_short_signature),
		CASE("unknown keys, unknown files and broken files are told apart",
		    test_unknown),
		CASE("what is no request ends the connection", test_no_request),
		CASE("what is no answer is not believed", test_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
