/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sign_tool: sign the message on standard input as the dkim_sign link would, for tests against
 * other people's verifiers.
 *
 *	sign_tool [-c relaxed/simple] [-t now] [-x seconds] [-i identity] DOMAIN
 *SELECTOR=KEY.pem...
 */
#include "filters/dkim_fields.h"
#include "lib/domain/dkim_sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX (64 * 1024 * 1024)

static void
die(const char *what, const struct err *err)
{
	fprintf(stderr, "sign_tool: %s: %s\n", what, err != NULL ? err->text : "");
	exit(1);
}

static struct message *
read_message(void)
{
	const struct body_limits limits = {
		.temp_dir = "/tmp", .memory_octets = 1024 * 1024, .max_octets = MESSAGE_MAX
	};
	struct body_store *store = body_create(&limits);
	struct message *message;
	struct err err = { 0 };
	char chunk[65536];
	size_t n, line;

	while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0) {
		if (!body_append(store, view_make(chunk, n), &err))
			die("read", &err);
	}
	if (!body_seal(store, &err))
		die("seal", &err);
	if (message_create(&store, &message, &line) != MESSAGE_OK) {
		fprintf(stderr, "sign_tool: line %zu of the header is no field\n", line);
		exit(1);
	}
	return message;
}

static void
read_keys(struct dkim_keyring *keyring, const char *domain, char **args)
{
	for (; *args != NULL; args++) {
		char *equals = strchr(*args, '='), warning[160];
		struct err err = { 0 };
		struct dkim_key *key;

		if (equals == NULL)
			die("not SELECTOR=KEY", NULL);
		*equals = '\0';
		key = dkim_key_read(equals + 1, warning, &err);
		if (key == NULL || !dkim_keyring_add(keyring, domain, *args, key, &err))
			die("key", &err);
	}
}

static bool
write_piece(void *context, struct view piece)
{
	return fwrite(piece.p, 1, piece.len, context) == piece.len;
}

static void
sign(struct message *message, struct dkim_sign_request *request)
{
	const size_t count = request->domain->selector_count;
	struct buf values[DKIM_SELECTORS_MAX];
	struct edits *edits = edits_create();
	struct err err = { 0 };

	for (size_t i = 0; i < count; i++)
		buf_init(&values[i], 16384);
	if (!dkim_sign_init(&err) || !dkim_sign_message(request, values, &err))
		die("sign", &err);
	for (size_t i = 0; i < count; i++) {
		if (!edits_prepend(edits, "DKIM-Signature", buf_view(&values[i])))
			die("edits_prepend", NULL);
		buf_finish(&values[i]);
	}
	message_commit(message, edits);
	edits_destroy(&edits);
	if (!message_write(message, write_piece, stdout))
		die("write", NULL);
	dkim_sign_finish();
}

int
main(int argc, char **argv)
{
	struct dkim_sign_request request = {
		.header_canon = CANON_RELAXED,
		.body_canon = CANON_RELAXED,
		.sign = dkim_fields_sign,
		.sign_count = dkim_fields_sign_count,
		.oversign = dkim_fields_oversign,
		.oversign_count = dkim_fields_oversign_count,
		.now = time(NULL),
	};
	int option;

	while ((option = getopt(argc, argv, "c:t:x:i:")) != -1) {
		if (option == 'c') {
			request.header_canon = optarg[0] == 's' ? CANON_SIMPLE : CANON_RELAXED;
			request.body_canon =
			    strstr(optarg, "/s") != NULL ? CANON_SIMPLE : CANON_RELAXED;
		} else if (option == 't') {
			request.now = strtoll(optarg, NULL, 10);
		} else if (option == 'x') {
			request.valid_s = strtoll(optarg, NULL, 10);
		} else if (option == 'i') {
			request.identity = optarg;
		} else {
			return 2;
		}
	}
	if (argc - optind < 2)
		return 2;

	struct dkim_keyring *keyring = dkim_keyring_create();
	struct message *message = read_message();
	read_keys(keyring, argv[optind], argv + optind + 1);
	request.message = message;
	request.domain = dkim_keyring_find(keyring, argv[optind], false);
	if (request.domain == NULL)
		die("DOMAIN is not as keyring has it (lower case)", NULL);
	sign(message, &request);
	message_destroy(&message);
	dkim_keyring_destroy(&keyring);
	return 0;
}
