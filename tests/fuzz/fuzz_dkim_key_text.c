/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Published DKIM keys. Invariants: a key that is taken, written down anew in the plainest form,
 * is the same key; a list that says "duplicate" has two tags of one name; tags lie inside the
 * text and hold no line end but folds.
 */
#include "lib/base/base64.h"
#include "lib/base/buf.h"
#include "lib/domain/dkim_key_text.h"
#include "lib/domain/tag_list.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static void
check_tags(struct view text)
{
	struct tag_list tags;
	const enum tag_list_status status = tag_list_parse(text, &tags);
	bool twice = false;

	for (size_t i = 0; i < tags.count; i++) {
		const struct tag *tag = &tags.tags[i];

		check(tag->name.p >= text.p && tag->value.p >= tag->name.p + tag->name.len &&
			  tag->value.p + tag->value.len <= text.p + text.len,
		    "tags lie in the text, in order");
		check(view_find(tag->value, ';') == tag->value.len, "values end at ;");
		for (size_t n = 0; n < i; n++)
			twice = twice || view_eq(tags.tags[n].name, tag->name);
	}
	check(status != TAG_LIST_OK || !twice, "duplicates are seen");
	check(status != TAG_LIST_DUPLICATE || twice, "duplicates are there");
}

static void
check_again(const struct dkim_key_text *key, struct arena *arena)
{
	const size_t room = BASE64_ENCODED_LEN(key->key.len);
	struct dkim_key_text again;
	struct buf record;
	const char *why;
	size_t len = 0;
	char *base64 = arena_alloc(arena, room + 1);

	buf_init(&record, room + 64);
	check(base64_encode(key->key, base64, room, &len), "base64 fits");
	check(buf_printf(&record, "v=DKIM1; k=%s; p=%.*s",
		  key->type == DKIM_KEY_RSA ? "rsa" : "ed25519", (int)len, base64),
	    "the record fits");
	check(dkim_key_text_parse(buf_view(&record), arena, &again, &why) == DKIM_PUBLISHED,
	    "a key written anew is a key");
	check(
	    again.type == key->type && again.bits == key->bits && view_eq(again.key, key->key),
	    "a key written anew is the same");
	buf_finish(&record);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct view text = view_make((const char *)data, size);
	struct dkim_key_text key;
	struct arena arena;
	const char *why;

	if (size > DNS_TXT_MAX)
		return 0;
	arena_init(&arena);
	check_tags(text);
	const enum dkim_key_status status = dkim_key_text_parse(text, &arena, &key, &why);
	check((status == DKIM_PUBLISHED) == (why == NULL), "a sentence says why not");
	check(status == DKIM_PUBLISHED || status == DKIM_PUBLISHED_SYNTAX ||
		  status == DKIM_PUBLISHED_REVOKED,
	    "no other status");
	if (status == DKIM_PUBLISHED && key.type != DKIM_KEY_OTHER)
		check_again(&key, &arena);
	arena_finish(&arena);
	return 0;
}
