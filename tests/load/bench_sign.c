/* SPDX-License-Identifier: MPL-2.0 */
/*
 * How fast one thread signs, for `make bench`: reads an RSA key, signs one message of 4 KB over
 * and over (relaxed/relaxed, the fields that the dkim_sign link signs), and prints signatures
 * per second of this thread's CPU time.
 *
 * usage: bench_sign KEY.pem SECONDS
 */
#include "filters/dkim_fields.h"
#include "lib/domain/dkim_sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BODY_OCTETS 4096
#define AT_ONCE	    50 /* signatures between two looks at the clock */

static const char header[] =
    "From: Alice <alice@example.com>\r\nTo: you@example.net\r\nSubject: load\r\n"
    "Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <load@example.com>\r\n"
    "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n";

static double
cpu_seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct message *
make_message(struct err *err)
{
	const struct body_limits limits = {
		.temp_dir = "/tmp", .memory_octets = 1 << 20, .max_octets = 1 << 20
	};
	struct body_store *store = body_create(&limits);
	struct message *m = NULL;
	size_t line;
	bool ok = body_append(store, VIEW(header), err);

	while (ok && body_size(store) < sizeof(header) + BODY_OCTETS)
		ok = body_append(store,
		    VIEW("Sphinx of black quartz, judge my vow; the five boxing wizards "
			 "jump.\r\n"),
		    err);
	if (ok && body_seal(store, err) && message_create(&store, &m, &line) == MESSAGE_OK)
		return m;
	body_destroy(&store);
	return NULL;
}

/* Signatures per CPU second; 0: *err says why not. */
static double
measure(const struct dkim_sign_request *request, double seconds, struct err *err)
{
	double start = cpu_seconds(), now = start;
	long count = 0;

	while (now - start < seconds) {
		for (int i = 0; i < AT_ONCE; i++) {
			struct buf value;
			buf_init(&value, 16384);
			bool ok = dkim_sign_message(request, &value, err);
			buf_finish(&value);
			if (!ok)
				return 0;
		}
		count += AT_ONCE;
		now = cpu_seconds();
	}
	return (double)count / (now - start);
}

int
main(int argc, char **argv)
{
	struct err err = { 0 };
	char warning[160];
	struct dkim_keyring *ring = dkim_keyring_create();
	struct dkim_key *key;
	struct message *message;
	double rate = 0;

	if (argc != 3) {
		(void)fprintf(stderr, "usage: bench_sign KEY.pem SECONDS\n");
		return 2;
	}
	key = dkim_key_read(argv[1], warning, &err);
	message = make_message(&err);
	if (key != NULL && message != NULL && dkim_sign_init(&err) &&
	    dkim_keyring_add(ring, "example.com", "bench", key, &err)) {
		const struct dkim_sign_request request = {
			.message = message,
			.domain = dkim_keyring_find(ring, "example.com", false),
			.header_canon = CANON_RELAXED,
			.body_canon = CANON_RELAXED,
			.sign = dkim_fields_sign,
			.sign_count = dkim_fields_sign_count,
			.oversign = dkim_fields_oversign,
			.oversign_count = dkim_fields_oversign_count,
			.now = (int64_t)time(NULL),
		};
		rate = measure(&request, strtod(argv[2], NULL), &err);
	}
	dkim_sign_finish();
	message_destroy(&message);
	dkim_keyring_destroy(&ring);
	if (rate <= 0) {
		(void)fprintf(stderr, "bench_sign: %s\n", err.text);
		return EXIT_FAILURE;
	}
	(void)printf("%.1f\n", rate);
	return EXIT_SUCCESS;
}
