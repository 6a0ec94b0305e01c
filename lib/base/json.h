/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Writing JSON (RFC 8259) into a buffer, member by member; commas and nesting are kept here.
 * What comes out is ASCII: texts that are UTF-8 become escapes, octets that are not become
 * U+FFFD. Reaching the buffer's cap shows in json_end alone.
 *
 *	struct json j;
 *	json_begin(&j, &out);			{"link":"spf","us":12,"dns":["a","b"]}
 *	json_open(&j, NULL, '{');
 *	json_str(&j, "link", "spf");
 *	json_int(&j, "us", 12);
 *	json_open(&j, "dns", '[');
 *	json_str(&j, NULL, "a");
 *	json_str(&j, NULL, "b");
 *	json_close(&j);
 *	json_close(&j);
 *	ok = json_end(&j);
 */
#ifndef GATEPOST_BASE_JSON_H
#define GATEPOST_BASE_JSON_H

#include "lib/base/buf.h"

#define JSON_DEPTH_MAX 16

struct json {
	struct buf *out;
	bool is_full;		      /* the cap was reached: nothing is written any more */
	size_t depth;		      /* of open objects and arrays */
	char closers[JSON_DEPTH_MAX]; /* of each */
	bool has_items[JSON_DEPTH_MAX + 1];
};

void json_begin(struct json *j, struct buf *out);
MUST_CHECK bool json_end(const struct json *j); /* all is closed, and all was written */

/* key: in an object its member's name, NULL in an array and for the whole. bracket: '{' or '['.
 */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j);
void json_view(struct json *j, const char *key, struct view text);
void json_str(struct json *j, const char *key, const char *text); /* NULL: null */
void json_int(struct json *j, const char *key, int64_t number);
void json_bool(struct json *j, const char *key, bool is_true);
/* json_raw - text that is JSON already: a value, or in an array values with commas between. */
void json_raw(struct json *j, const char *key, struct view text);

#endif
