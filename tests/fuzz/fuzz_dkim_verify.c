/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Verifying DKIM signatures. Input: an octet that chooses, two octets of length, a key record
 * of that length, then the content of a message (line ends are made CRLF, NUL is taken out).
 *
 *  - even: the message as it is, with that record for every key. Verdict, result and reason go
 *    together, and nothing passes under a record that is no key.
 *  - odd: the message is signed, with fields of its own still in it; the signature passes. Then
 *    one character of the body or of From is changed, and it does not.
 */
#include "filters/dkim_fields.h"
#include "lib/domain/dkim_key_text.h"
#include "lib/domain/dkim_sign.h"
#include "lib/domain/dkim_verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW	  1795553870
#define ROOM	  16384
#define FROMS_MAX 20 /* of hundreds only the lowest are signed */
#define CHECK(x)  ((x) ? (void)0 : BUG("%s", #x))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dkim_keyring *ring;
static struct buf good_record;
static struct view published; /* for every name */
static size_t asked;

static void
answer(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_answer *out)
{
	struct dns_record *record = arena_alloc(arena, sizeof(*record));

	(void)context, (void)deadline_ms;
	CHECK(type == DNS_TXT && dns_name_is_valid(view_of(name)));
	asked++;
	record->data = published;
	*out = (struct dns_answer){ .status = DNS_FOUND, .records = record, .count = 1 };
}

static const struct dns_source source = { .query = answer };

static void
set_up(void)
{
	char folder[] = "/tmp/gatepost-fuzz-XXXXXX", path[64], warning[160];

	CHECK(dkim_sign_init(NULL) && dkim_verify_init(NULL));
	CHECK(mkdtemp(folder) != NULL);
	snprintf(path, sizeof(path), "%s/key.pem", folder);
	CHECK(dkim_key_generate(DKIM_ED25519_SHA256, 0, path, NULL));
	struct dkim_key *key = dkim_key_read(path, warning, NULL);
	CHECK(key != NULL);
	unlink(path);
	rmdir(folder);
	buf_init(&good_record, 4096);
	CHECK(dkim_key_record(key, &good_record));
	ring = dkim_keyring_create();
	CHECK(dkim_keyring_add(ring, "example.com", "s", key, NULL));
}

/* As it comes out of DATA: no NUL, lines end in CRLF. */
static void
tidy(const uint8_t *data, size_t size, struct buf *out)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n')
			CHECK(buf_add_str(out, "\r\n"));
		else if (data[i] != '\0' && data[i] != '\r')
			CHECK(buf_add_char(out, (char)data[i]));
	}
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
check_signature(const struct dkim_signature *s)
{
	struct arena arena;
	struct dkim_key_text key;
	const char *why;

	CHECK((s->verdict == DKIM_GOOD) == (s->result == AUTHRES_PASS));
	CHECK((s->verdict == DKIM_GOOD) == (s->reason == NULL));
	CHECK(s->domain != NULL && s->selector != NULL && s->algorithm != NULL &&
	      s->b != NULL && strlen(s->b) <= 8);
	if (s->result != AUTHRES_PASS)
		return;
	arena_init(&arena);
	CHECK(dkim_key_text_parse(published, &arena, &key, &why) == DKIM_PUBLISHED);
	CHECK(key.bits == s->key_bits && key.sha256_allowed && key.email_allowed);
	CHECK(s->key_bits >= (key.type == DKIM_KEY_RSA ? 1024 : 256));
	arena_finish(&arena);
}

/* passes - does the first signature pass? */
static bool
passes(const struct message *m)
{
	struct dkim_verification v;
	struct arena arena;
	const struct dkim_verify_request request = {
		.message = m,
		.dns = &source,
		.now = NOW,
		.max_signatures = 8,
		.min_rsa_bits = 1024,
	};

	arena_init(&arena);
	asked = 0;
	dkim_verify_message(&request, &arena, &v);
	CHECK(v.count <= 8 && asked <= v.count);
	CHECK(v.count + v.ignored == message_count_of(m, "DKIM-Signature"));
	for (size_t i = 0; i < v.count; i++)
		check_signature(&v.signatures[i]);
	const bool pass = v.count > 0 && v.signatures[0].result == AUTHRES_PASS;
	arena_finish(&arena);
	return pass;
}

static bool
sign(const struct message *m, bool relaxed, struct buf *value)
{
	const struct dkim_sign_request request = {
		.message = m,
		.domain = dkim_keyring_find(ring, "example.com", false),
		.header_canon = relaxed ? CANON_RELAXED : CANON_SIMPLE,
		.body_canon = relaxed ? CANON_RELAXED : CANON_SIMPLE,
		.sign = dkim_fields_sign,
		.sign_count = dkim_fields_sign_count,
		.oversign = dkim_fields_oversign,
		.oversign_count = dkim_fields_oversign_count,
		.now = NOW,
	};

	return dkim_sign_message(&request, value, NULL);
}

/* A character that is no blank becomes another one. */
static bool
change(struct buf *text, size_t from, size_t to, size_t choice)
{
	for (size_t n = from; n < to; n++) {
		char *c = &text->p[from + (n - from + choice) % (to - from)];

		if (*c > ' ' && *c < 127) {
			*c = *c == 'x' ? 'y' : 'x';
			return true;
		}
	}
	return false;
}

static void
check_changed(const struct message *m, struct buf *text, size_t choice)
{
	const size_t from = message_find(m, "From", 0);
	const struct view body = message_body(m);
	size_t start = text->len - body.len, end = text->len;
	struct message *changed;

	if (choice % 2 == 0 && from != SIZE_MAX) {
		const struct header_field *field = message_field(m, from);

		start = text->len - message_size(m);
		for (size_t i = 0; i < from; i++)
			start += message_field(m, i)->raw.len;
		start += (size_t)(field->body.p - field->raw.p);
		end = start + field->body.len;
	}
	if (end == start || !change(text, start, end, choice / 2))
		return;
	changed = make_message(buf_view(text));
	CHECK(changed != NULL && !passes(changed));
	message_destroy(&changed);
}

static void
check_signed(struct view content, uint8_t how, size_t choice)
{
	struct message *m = make_message(content), *with;
	struct buf value, text;

	buf_init(&value, ROOM);
	buf_init(&text, content.len + ROOM + 64);
	if (m != NULL && message_count_of(m, "From") <= FROMS_MAX && sign(m, how & 2, &value)) {
		CHECK(buf_add_str(&text, "DKIM-Signature: ") &&
		      buf_add_view(&text, buf_view(&value)) && buf_add_str(&text, "\r\n") &&
		      buf_add_view(&text, content));
		with = make_message(buf_view(&text));
		if (with != NULL) { /* else a limit was reached */
			CHECK(passes(with));
			check_changed(m, &text, choice);
		}
		message_destroy(&with);
	}
	message_destroy(&m);
	buf_finish(&text);
	buf_finish(&value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf content;

	if (ring == NULL)
		set_up();
	if (size < 3 || size > 1 << 20)
		return 0;
	const size_t number = (size_t)(data[1] << 8 | data[2]);
	const size_t record = data[0] & 1 ? 0 : number;
	if (size - 3 < record)
		return 0;
	buf_init(&content, 2 * size + 2);
	tidy(data + 3 + record, size - 3 - record, &content);
	if (data[0] & 1) {
		published = buf_view(&good_record);
		check_signed(buf_view(&content), data[0], number);
	} else {
		struct message *m = make_message(buf_view(&content));

		published = view_make((const char *)data + 3, record);
		if (m != NULL)
			(void)passes(m);
		message_destroy(&m);
	}
	buf_finish(&content);
	return 0;
}
