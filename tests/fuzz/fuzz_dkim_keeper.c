/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The keeper and the gate, each fed with whatever the other one might send. Invariants: an
 * answer is within a packet and of a known kind; what the gate takes for a signature is of the
 * length it is said to have.
 */
#include "lib/domain/dkim_keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char key_text[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";

static void
check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static const struct keeper_keys *
make_keys(void)
{
	struct keeper_keys *keys = keeper_keys_create();
	char path[] = "/tmp/fuzz-keeper-XXXXXX", warning[160];
	struct err err = { 0 };
	const int fd = mkstemp(path);

	check(write(fd, key_text, sizeof(key_text) - 1) == (ssize_t)sizeof(key_text) - 1,
	    "the key file is written");
	keeper_keys_add(keys, "/key", dkim_key_read(path, warning, &err), "");
	keeper_keys_add(keys, "/broken", NULL, "is broken");
	keeper_keys_end_adding(keys);
	check(keeper_keys_count(keys) == 1, "there is a key");
	close(fd);
	unlink(path);
	return keys;
}

static void
ask(const struct keeper_keys *keys, struct view request)
{
	struct buf reply;

	buf_init(&reply, KEEPER_PACKET_MAX);
	if (keeper_answer(keys, request, &reply))
		check(reply.len > 0 && strchr("rdse", reply.p[0]) != NULL, "answers are known");
	else
		check(reply.len == 0, "nothing is answered to what is no request");
	buf_finish(&reply);
}

static void
hear(struct view reply)
{
	struct err err = { 0 };
	unsigned char signature[1024];
	char warning[160];
	struct view spki;
	size_t len;

	if (keeper_read_description(reply, &spki, warning, &err)) {
		struct dkim_key *key = dkim_key_of_public(spki, NULL, &err);

		check(memchr(warning, '\0', sizeof(warning)) != NULL, "warnings end");
		dkim_key_destroy(&key);
	}
	if (keeper_read_signature(reply, signature, &len, &err))
		check(len > 0 && len <= sizeof(signature), "signatures have a length");
	(void)!keeper_read_ready(reply, &err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct keeper_keys *keys;
	const struct view packet = view_make((const char *)data, size);

	if (keys == NULL)
		keys = make_keys();
	if (size > KEEPER_PACKET_MAX)
		return 0;
	ask(keys, packet);
	hear(packet);
	return 0;
}
