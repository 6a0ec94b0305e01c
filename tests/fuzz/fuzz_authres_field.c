/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Authentication-Results. The first octet chooses:
 *
 *  - even: the rest is a foreign value. Whatever the reader by the grammar takes for ours must
 *    be told as ours.
 *  - odd: the rest, cut at NULs, are the texts of results. What is written from them is
 *    printable ASCII in lines of at most 998 octets, says "=pass" only where a result does
 *    (or a value begins with "pass"), is told as ours, and reads back to the same results with
 *    the same properties.
 */
#include "lib/mail/authres_field.h"
#include "lib/mail/domain_name.h"

#include <stdio.h>
#include <stdlib.h>

#define ID	 "mx.example.org"
#define CHECK(x) ((x) ? (void)0 : BUG("%s", #x))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_foreign(struct view value, struct arena *arena)
{
	struct authres_reading reading;
	char domain[DOMAIN_NAME_MAX];
	bool claim = authres_field_is_claim(value, ID);

	if (!authres_field_read(value, arena, &reading))
		return;
	if (domain_to_ascii(view_of(reading.authserv_id), domain) && strcmp(domain, ID) == 0)
		CHECK(claim);
	for (size_t i = 0; i < reading.count; i++)
		CHECK(reading.results[i].method[0] != '\0' &&
		      reading.results[i].result[0] != '\0');
}

/* The next text, without NUL; NULL when the input is used up. */
static const char *
next_text(struct view *rest, struct arena *arena)
{
	struct view piece;

	return view_split(rest, '\0', &piece) ? arena_strdup(arena, piece) : NULL;
}

static size_t
make_results(struct view rest, struct authres *results, struct arena *arena)
{
	static const char *const types[] = { "smtp", "header", "policy", AUTHRES_INTERNAL };
	const char *text;
	size_t count = 0;

	while (count < AUTHRES_MAX && (text = next_text(&rest, arena)) != NULL) {
		struct authres *r = &results[count++];
		const unsigned kind = (unsigned char)text[0];

		*r = (struct authres){ .method = kind & 3, .result = (kind >> 2) & 7 };
		r->reason = next_text(&rest, arena);
		r->comment = next_text(&rest, arena);
		while (r->property_count < (kind >> 5) % AUTHRES_PROPERTIES_MAX &&
		       (text = next_text(&rest, arena)) != NULL) {
			r->properties[r->property_count] =
			    (struct authres_property){ types[(kind + r->property_count) % 4],
				    "name", text };
			r->property_count++;
		}
	}
	return count;
}

static void
check_octets(struct view value, size_t passes)
{
	size_t column = 0;

	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];

		if (c == '\r') {
			CHECK(view_starts(view_from(value, i), VIEW("\r\n\t")));
			i += 2;
			column = 0;
			continue;
		}
		CHECK(c >= ' ' && c <= '~');
		CHECK(++column <= 998);
		/* "smtp.name=passport.example" is no result */
		if (view_starts_nocase(view_from(value, i), VIEW("=pass")) &&
		    !view_ends_nocase(view_make(value.p, i), VIEW(".name"))) {
			CHECK(passes > 0);
			passes--;
		}
	}
	CHECK(passes == 0);
}

/* Is written what value encodes? */
static bool
is_encoding_of(const char *written, const char *value)
{
	for (; *written != '\0'; written++, value++) {
		unsigned c = (unsigned char)*written;

		if (c == '%') {
			CHECK(sscanf(written, "%%%2X", &c) == 1);
			written += 2;
		}
		if (c != (unsigned char)*value)
			return false;
	}
	return *value == '\0';
}

static void
check_result(const struct authres *wrote, const struct authres_read_result *read)
{
	size_t at = 0;

	CHECK(strcmp(read->method, authres_method_name(wrote->method)) == 0);
	CHECK(strcmp(read->result, authres_result_name(wrote->result)) == 0);
	for (size_t i = 0; i < wrote->property_count && at < read->property_count; i++) {
		if (strcmp(wrote->properties[i].type, read->properties[at].type) == 0 &&
		    is_encoding_of(read->properties[at].value, wrote->properties[i].value))
			at++;
		else /* left out: internal, empty, or too long */
			CHECK(strcmp(wrote->properties[i].type, AUTHRES_INTERNAL) == 0 ||
			      wrote->properties[i].value[0] == '\0' ||
			      strlen(wrote->properties[i].value) > AUTHRES_VALUE_MAX / 3);
	}
	CHECK(at == read->property_count);
}

static void
check_written(struct view in, struct arena *arena)
{
	struct authres results[AUTHRES_MAX];
	const size_t count = make_results(in, results, arena);
	const struct authres_field field = {
		.authserv_id = ID, .results = results, .count = count
	};
	struct authres_reading reading;
	size_t passes = 0;
	struct buf out;

	for (size_t i = 0; i < count; i++)
		passes += results[i].result == AUTHRES_PASS;
	buf_init(&out, AUTHRES_FIELD_MAX);
	CHECK(authres_field_write(&field, &out));
	check_octets(buf_view(&out), passes);
	CHECK(authres_field_is_claim(buf_view(&out), ID));
	CHECK(authres_field_read(buf_view(&out), arena, &reading));
	CHECK(strcmp(reading.authserv_id, ID) == 0 && reading.count == count);
	for (size_t i = 0; i < count; i++)
		check_result(&results[i], &reading.results[i]);
	buf_finish(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;

	if (size < 1)
		return 0;
	arena_init(&arena);
	struct view in = view_make((const char *)data + 1, size - 1);
	if ((data[0] & 1) == 0)
		check_foreign(in, &arena);
	else
		check_written(in, &arena);
	arena_finish(&arena);
	return 0;
}
