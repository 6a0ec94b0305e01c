/* SPDX-License-Identifier: MPL-2.0 */
/*
 * JSON as it is read: whatever the text is, there is a tree or none; and a tree that is written
 * and read again is the same tree, but that octets which are no UTF-8 have become U+FFFD.
 */
#include "lib/base/json.h"
#include "lib/base/json_read.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool is_so)
{
	if (!is_so)
		abort();
}

/* The writer's nesting is less deep than the reader's. */
static size_t
depth_of(const struct json_value *v)
{
	size_t deepest = 0;

	for (v = v->first; v != NULL; v = v->next) {
		const size_t depth = depth_of(v);

		deepest = depth > deepest ? depth : deepest;
	}
	return deepest + 1;
}

/* Keys are C strings for the writer: those with a NUL cannot be written again. */
static bool
has_nul_key(const struct json_value *v)
{
	if (v->key.len > 0 && memchr(v->key.p, '\0', v->key.len) != NULL)
		return true;
	for (v = v->first; v != NULL; v = v->next) {
		if (has_nul_key(v))
			return true;
	}
	return false;
}

static void
write_value(struct json *j, const struct json_value *v, bool in_object, struct arena *arena)
{
	const char *key = in_object ? arena_strdup(arena, v->key) : NULL;

	switch (v->type) {
	case JSON_NULL:
		json_str(j, key, NULL);
		return;
	case JSON_BOOL:
		json_bool(j, key, v->is_true);
		return;
	case JSON_NUMBER:
		json_raw(j, key, v->text);
		return;
	case JSON_STRING:
		json_view(j, key, v->text);
		return;
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	json_open(j, key, v->type == JSON_OBJECT ? '{' : '[');
	for (const struct json_value *item = v->first; item != NULL; item = item->next)
		write_value(j, item, v->type == JSON_OBJECT, arena);
	json_close(j);
}

/* write_all - false: its texts are too many octets. */
static bool
write_all(const struct json_value *v, struct arena *arena, struct buf *out)
{
	struct json j;

	json_begin(&j, out);
	write_value(&j, v, false, arena);
	return json_end(&j);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;
	const struct json_value *v;
	struct buf once, twice;

	arena_init(&arena);
	buf_init(&once, 1 << 20);
	buf_init(&twice, 1 << 20);
	v = json_read(view_make((const char *)data, size), &arena);
	if (v != NULL && depth_of(v) < JSON_DEPTH_MAX && !has_nul_key(v) &&
	    write_all(v, &arena, &once)) {
		v = json_read(buf_view(&once), &arena);
		require(v != NULL && write_all(v, &arena, &twice));
		require(view_eq(buf_view(&once), buf_view(&twice)));
	}
	buf_finish(&once);
	buf_finish(&twice);
	arena_finish(&arena);
	return 0;
}
