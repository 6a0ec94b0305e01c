/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reading JSON (RFC 8259) into a tree. Strict: one value, nothing behind it but blanks; no
 * comments, no commas too many, no control characters in strings. Octets of strings that are
 * not ASCII are handed on as they are; \u escapes become UTF-8 (half a surrogate pair: U+FFFD).
 * A member that is there twice is there twice: json_get gives the first.
 */
#ifndef GATEPOST_BASE_JSON_READ_H
#define GATEPOST_BASE_JSON_READ_H

#include "lib/base/arena.h"

#define JSON_READ_DEPTH_MAX  32
#define JSON_READ_VALUES_MAX 200000 /* of one text */

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_value {
	enum json_type type;
	struct view key;  /* as a member of an object */
	struct view text; /* of a string, decoded; of a number, as it stands */
	bool is_true;
	const struct json_value *first; /* of an array's or object's values */
	const struct json_value *next;	/* within the same array or object */
};

/* json_read - NULL: it is no JSON, or deeper or larger than the limits. In the arena. */
MUST_CHECK const struct json_value *json_read(struct view text, struct arena *arena);

/* Each takes NULL and values of another type for what is not there: NULL, "", 0, false. */
const struct json_value *json_get(const struct json_value *object, const char *key);
const struct json_value *json_first(const struct json_value *object, const char *key);
struct view json_get_text(const struct json_value *object, const char *key);
int64_t json_get_int(const struct json_value *object, const char *key);
bool json_get_bool(const struct json_value *object, const char *key);

#endif
