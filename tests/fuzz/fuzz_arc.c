/* SPDX-License-Identifier: MPL-2.0 */
/*
 * ARC chains. The first octet chooses:
 *
 *  - even: the rest is a key record, a NUL, and a message. Whatever is in them: a result,
 * within bounds, at most two look-ups a set; and a chain that holds does so no longer when the
 * body has a line more.
 *  - odd: a chain of two good seals, damaged by the rest: three octets each, where (two) and
 *    what. When it still holds, then nothing has changed but blanks: the canonical body, From
 *    and both Authentication-Results are as they were.
 */
#include "lib/domain/arc.h"

#include <stdio.h>
#include <stdlib.h>

/* What the test headers want of cmocka. */
#define CHECK(x)	       ((x) ? (void)0 : BUG("%s", #x))
#define assert_true(x)	       CHECK(x)
#define assert_non_null(x)     CHECK((x) != NULL)
#define assert_int_equal(a, b) CHECK((intmax_t)(a) == (intmax_t)(b))
#define fail_msg(...)	       BUG(__VA_ARGS__)

#include "tests/unit/arc_sealer.h"
#include "tests/unit/dkim_keys.h"

#define NOW	 1795553870
#define MAX_SETS 20
#define SEALED	 2 /* sets of the chain that gets damaged */

struct zone {
	struct view record; /* of every name; empty: no such name */
	unsigned queries;
};

static struct sealer sealer;
static char *chain; /* with two seals */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
answer(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_answer *out)
{
	struct zone *zone = context;

	(void)name, (void)deadline_ms;
	CHECK(type == DNS_TXT);
	zone->queries++;
	*out = (struct dns_answer){ .status = DNS_NXDOMAIN };
	if (zone->record.len == 0)
		return;
	out->status = DNS_FOUND;
	out->count = 1;
	out->records = arena_alloc(arena, sizeof(*out->records));
	out->records[0].data = arena_view(arena, zone->record);
}

static void
read_key(size_t index, const char *pem)
{
	char path[] = "/tmp/gatepost-fuzz-XXXXXX", warning[160];
	const int fd = mkstemp(path);

	CHECK(fd >= 0 && close(fd) == 0);
	write_key_file(path, pem, 0600);
	sealer.keys[index] = dkim_key_read(path, warning, NULL);
	CHECK(sealer.keys[index] != NULL);
	unlink(path);
	buf_init(&sealer.records[index], 4096);
	CHECK(dkim_key_record(sealer.keys[index], &sealer.records[index]));
}

static void
set_up(void)
{
	const struct seal_spec spec = { .algorithm = "ed25519-sha256" };
	char *one;

	read_key(0, key_rsa_2048);
	read_key(1, key_ed25519);
	one = sealer_seal(&sealer,
	    "From: a@example.com\r\nTo: b@example.net\r\nSubject: s\r\n\r\nHello you.\r\n", 1,
	    &spec);
	chain = sealer_seal(&sealer, one, 2, &spec);
	free(one);
}

/* As it comes out of DATA: no NUL, lines end in CRLF. */
static struct message *
make_message(const uint8_t *data, size_t size)
{
	const struct body_limits limits = {
		.temp_dir = "/tmp", .memory_octets = 16 << 20, .max_octets = 16 << 20
	};
	struct body_store *store = body_create(&limits);
	struct message *m = NULL;
	struct buf text;
	size_t line;

	buf_init(&text, 2 * size + 1);
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n')
			CHECK(buf_add_str(&text, "\r\n"));
		else if (data[i] != '\r' && data[i] != '\0')
			CHECK(buf_add_char(&text, (char)data[i]));
	}
	CHECK(body_append(store, buf_view(&text), NULL));
	buf_finish(&text);
	CHECK(body_seal(store, NULL));
	if (message_create(&store, &m, &line) != MESSAGE_OK)
		body_destroy(&store);
	return m;
}

static void
verify(
    const struct message *m, struct view record, struct arena *arena, struct arc_outcome *out)
{
	struct zone zone = { .record = record };
	const struct dns_source dns = { .query = answer, .context = &zone };
	const struct arc_request request = {
		.message = m,
		.dns = &dns,
		.deadline_ms = INT64_MAX,
		.now = NOW,
		.max_sets = MAX_SETS,
		.min_rsa_bits = 1024,
	};

	arc_verify_message(&request, arena, out);
	CHECK(zone.queries <= 2 * MAX_SETS);
	CHECK((out->result == AUTHRES_PASS) == (out->set_count > 0));
	CHECK(out->set_count <= MAX_SETS && out->oldest_pass <= out->set_count);
	CHECK(out->result == AUTHRES_NONE || out->result == AUTHRES_PASS ||
	      out->result == AUTHRES_FAIL);
	CHECK((out->result == AUTHRES_FAIL) == (out->reason[0] != '\0'));
}

static void
check_hostile(const uint8_t *data, size_t size, struct arena *arena)
{
	const struct view in = view_make((const char *)data, size);
	const struct view record = view_make(in.p, view_find(in, '\0'));
	struct message *m = make_message(data + record.len, size - record.len);
	struct arc_outcome out;

	if (m == NULL)
		return;
	verify(m, record, arena, &out);
	if (out.result == AUTHRES_PASS && message_has_separator(m)) {
		uint8_t *longer = arena_alloc(arena, size - record.len + 8);

		memcpy(longer, data + record.len, size - record.len);
		memcpy(longer + size - record.len, "\nx\n", 3);
		message_destroy(&m);
		m = make_message(longer, size - record.len + 3);
		verify(m, record, arena, &out);
		CHECK(out.result == AUTHRES_FAIL);
	}
	message_destroy(&m);
}

static void
collect(void *context, struct view piece)
{
	CHECK(buf_add_view(context, piece));
}

/* What must stay as it is, canonical, but for the newest sets: whoever takes off a whole set
 * leaves an older chain, which is as good as it was. */
static struct buf
essence(const struct message *m, size_t without)
{
	static const char *const names[] = { "From", "ARC-Authentication-Results" };
	struct buf out;

	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t last = SIZE_MAX;

		for (size_t at = message_find(m, names[i], 0); at != SIZE_MAX;
		     at = message_find(m, names[i], at + 1)) {
			last = at;
			if (i == 1 && without > 0)
				without--;
			else if (i == 1)
				canon_field(message_field(m, at), true, collect, &out);
		}
		if (i == 0 && last != SIZE_MAX) /* the lowest one is the signed one */
			canon_field(message_field(m, last), true, collect, &out);
	}
	canon_body(message_body(m), true, collect, &out);
	return out;
}

static void
check_damaged(const uint8_t *data, size_t size, struct arena *arena)
{
	const size_t len = strlen(chain);
	uint8_t *text = arena_alloc(arena, len);
	struct message *before = make_message((const uint8_t *)chain, len), *after;
	struct arc_outcome out;

	memcpy(text, chain, len);
	for (size_t i = 0; i + 2 < size; i += 3)
		text[((size_t)data[i] << 8 | data[i + 1]) % len] = data[i + 2];
	after = make_message(text, len);
	if (after != NULL)
		verify(after, buf_view(&sealer.records[1]), arena, &out);
	if (size < 3)
		CHECK(out.result == AUTHRES_PASS && out.oldest_pass == 0);
	if (after != NULL && out.result == AUTHRES_PASS) {
		struct buf a = essence(before, SEALED - out.set_count), b = essence(after, 0);

		CHECK(view_eq(buf_view(&a), buf_view(&b)));
		buf_finish(&a);
		buf_finish(&b);
	}
	message_destroy(&before);
	message_destroy(&after);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;

	if (chain == NULL)
		set_up();
	if (size < 1)
		return 0;
	arena_init(&arena);
	if ((data[0] & 1) == 0)
		check_hostile(data + 1, size - 1, &arena);
	else
		check_damaged(data + 1, size - 1, &arena);
	arena_finish(&arena);
	return 0;
}
