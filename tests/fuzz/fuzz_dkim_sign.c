/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Any message that parses is signed, and libopendkim, asked as a verifier, says pass for both
 * signatures. The first octet chooses the canonicalizations; the rest is the content, with line
 * ends made CRLF and NUL taken out, as the decoder of DATA delivers it.
 */
#include "filters/dkim_fields.h"
#include "lib/domain/dkim_sign.h"

#include <opendkim/dkim.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW	 1795553870
#define ROOM	 16384
#define CHECK(x) ((x) ? (void)0 : BUG("%s", #x))

static DKIM_LIB *verifier;
static struct dkim_keyring *ring;
static struct buf records[2]; /* of selectors "s0" (RSA) and "s1" (Ed25519) */

static DKIM_CBSTAT
look_up(DKIM *dkim, DKIM_SIGINFO *sig, unsigned char *buffer, size_t size)
{
	const char *selector = (const char *)dkim_sig_getselector(sig);
	const struct buf *record = &records[selector[1] == '1'];

	(void)dkim;
	CHECK(record->len < size);
	memcpy(buffer, record->p, record->len);
	buffer[record->len] = '\0';
	return DKIM_CBSTAT_CONTINUE;
}

static void
make_key(const char *selector, enum dkim_algorithm algorithm, struct buf *record)
{
	char folder[] = "/tmp/gatepost-fuzz-XXXXXX", path[64], warning[160];

	CHECK(mkdtemp(folder) != NULL);
	snprintf(path, sizeof(path), "%s/key.pem", folder);
	CHECK(dkim_key_generate(algorithm, 1024, path, NULL));
	struct dkim_key *key = dkim_key_read(path, warning, NULL);
	CHECK(key != NULL);
	unlink(path);
	rmdir(folder);
	buf_init(record, 4096);
	CHECK(dkim_key_record(key, record));
	CHECK(dkim_keyring_add(ring, "example.com", selector, key, NULL));
}

static void
set_up(void)
{
	unsigned int flags = DKIM_LIBFLAGS_BADSIGHANDLES | DKIM_LIBFLAGS_DELAYSIGPROC;
	uint64_t drift = 1000000000;

	CHECK(dkim_sign_init(NULL));
	ring = dkim_keyring_create();
	make_key("s0", DKIM_RSA_SHA256, &records[0]);
	make_key("s1", DKIM_ED25519_SHA256, &records[1]);
	verifier = dkim_init(NULL, NULL);
	CHECK(verifier != NULL);
	CHECK(dkim_options(verifier, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags, sizeof(flags)) ==
	      0);
	CHECK(dkim_options(
		  verifier, DKIM_OP_SETOPT, DKIM_OPTS_CLOCKDRIFT, &drift, sizeof(drift)) == 0);
	CHECK(dkim_set_key_lookup(verifier, look_up) == DKIM_STAT_OK);
}

/* As it comes out of DATA: no NUL, lines end in CRLF. */
static struct buf
tidy(const uint8_t *data, size_t size)
{
	struct buf out;

	buf_init(&out, 2 * size + 2);
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n')
			CHECK(buf_add_str(&out, "\r\n"));
		else if (data[i] != '\0' && data[i] != '\r')
			CHECK(buf_add_char(&out, (char)data[i]));
	}
	return out;
}

static struct message *
make_message(struct view text)
{
	const struct body_limits limits = {
		.temp_dir = "/tmp", .memory_octets = 16 << 20, .max_octets = 16 << 20
	};
	struct body_store *store = body_create(&limits);
	struct message *m = NULL;
	size_t line;

	CHECK(body_append(store, text, NULL) && body_seal(store, NULL));
	if (message_create(&store, &m, &line) != MESSAGE_OK)
		body_destroy(&store);
	return m;
}

static void
feed(DKIM *dkim, struct view field)
{
	/* The library takes no name with ";" or a tab before the colon: none of these is
	 * signed. */
	(void)dkim_header(dkim, (unsigned char *)(uintptr_t)field.p, field.len);
}

static void
verify(const struct message *m, const struct buf values[2])
{
	struct view body = message_body(m);
	DKIM_SIGINFO **signatures;
	DKIM_STAT status;
	int count = 0;
	DKIM *dkim = dkim_verify(verifier, (const unsigned char *)"fuzz", NULL, &status);

	CHECK(dkim != NULL);
	feed(dkim, VIEW("x x: guard"));
	for (size_t i = 0; i < 2; i++) {
		struct buf field;

		buf_init(&field, ROOM + 64);
		CHECK(buf_add_str(&field, "DKIM-Signature: ") &&
		      buf_add_view(&field, buf_view(&values[i])));
		feed(dkim, buf_view(&field));
		buf_finish(&field);
	}
	for (size_t i = 0; i < message_field_count(m); i++) {
		struct header_field field = *message_field(m, i);

		/* Only ours are wanted here; others' are for the verifier's own fuzzer. */
		if (!view_eq_nocase(field.name, VIEW("DKIM-Signature")))
			feed(dkim, view_make(field.raw.p, field.raw.len - 2));
	}
	(void)dkim_eoh(dkim);
	if (body.len > 0)
		CHECK(dkim_body(dkim, (unsigned char *)(uintptr_t)body.p, body.len) == 0);
	if (body.len > 0 && !view_ends_nocase(body, VIEW("\r\n")))
		CHECK(dkim_body(dkim, (unsigned char *)(uintptr_t) "\r\n", 2) == 0);
	(void)dkim_eom(dkim, NULL);
	CHECK(dkim_getsiglist(dkim, &signatures, &count) == DKIM_STAT_OK && count == 2);
	for (int i = 0; i < count; i++) {
		unsigned int got = dkim_sig_getflags(signatures[i]);

		if ((got & DKIM_SIGFLAG_PASSED) == 0 ||
		    dkim_sig_getbh(signatures[i]) != DKIM_SIGBH_MATCH)
			BUG("signature %d does not hold: %s", i,
			    dkim_sig_geterrorstr(dkim_sig_geterror(signatures[i])));
	}
	dkim_free(dkim);
}

/* A tab before the colon of a signed field: we sign it, but this library refuses to read it. */
static bool
library_can_read(const struct message *m)
{
	for (size_t i = 0; i < message_field_count(m); i++) {
		const struct header_field *field = message_field(m, i);
		size_t len = (size_t)(field->body.p - field->raw.p);

		if (memchr(field->raw.p, '\t', len) != NULL)
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (verifier == NULL)
		set_up();
	if (size < 1)
		return 0;

	struct buf text = tidy(data + 1, size - 1), values[2];
	struct message *m = make_message(buf_view(&text));
	const struct dkim_sign_request request = {
		.message = m,
		.domain = dkim_keyring_find(ring, "example.com", false),
		.header_canon = (data[0] & 1) != 0 ? CANON_SIMPLE : CANON_RELAXED,
		.body_canon = (data[0] & 2) != 0 ? CANON_SIMPLE : CANON_RELAXED,
		.identity = (data[0] & 4) != 0 ? "@sub.example.com" : NULL,
		.sign = dkim_fields_sign,
		.sign_count = dkim_fields_sign_count,
		.oversign = dkim_fields_oversign,
		.oversign_count = dkim_fields_oversign_count,
		.now = NOW,
		.valid_s = (data[0] & 8) != 0 ? 86400 : 0,
	};

	if (m != NULL) {
		struct err err = { 0 };

		buf_init(&values[0], ROOM);
		buf_init(&values[1], ROOM);
		if (!dkim_sign_message(&request, values, &err))
			BUG("%s", err.text);
		if (library_can_read(m))
			verify(m, values);
		buf_finish(&values[0]);
		buf_finish(&values[1]);
	}
	message_destroy(&m);
	buf_finish(&text);
	return 0;
}
