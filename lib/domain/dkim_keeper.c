/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The keeper's table of keys and its packets; see dkim_keeper.h. The table is filled by one
 * thread, then only read, by any number.
 */
#include "lib/domain/dkim_keeper.h"

#include "lib/base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#define WARNING_SIZE	160
#define SIGNATURE_MAX	1024
#define SIGN_OCTETS	(1 + DKIM_KEY_ID_SIZE + 32)
#define PUBLIC_MAX	4096
#define PATH_OCTETS_MAX (KEEPER_PACKET_MAX - 1)

enum trouble { TROUBLE_UNKNOWN = 'u', TROUBLE_CONFIG = 'c', TROUBLE_IO = 'i' };

struct kept {
	char *path;	      /* owned */
	char *text;	      /* owned: a warning, or why there is no key */
	struct dkim_key *key; /* owned; NULL: it could not be read */
	unsigned char id[DKIM_KEY_ID_SIZE];
};

struct keeper_keys {
	struct kept *items;	   /* owned; by path */
	const struct kept **by_id; /* owned; those that have a key */
	size_t count, room, id_count;
};

struct keeper_keys *
keeper_keys_create(void)
{
	return mem_calloc(1, sizeof(struct keeper_keys));
}

static void
forget(struct kept *kept)
{
	dkim_key_destroy(&kept->key);
	mem_free(kept->path);
	mem_free(kept->text);
}

void
keeper_keys_destroy(struct keeper_keys **kp)
{
	struct keeper_keys *k = *kp;

	if (k == NULL)
		return;
	for (size_t i = 0; i < k->count; i++)
		forget(&k->items[i]);
	mem_free(k->items);
	mem_free(k->by_id);
	mem_free(k);
	*kp = NULL;
}

void
keeper_keys_add(struct keeper_keys *k, const char *path, struct dkim_key *key, const char *text)
{
	struct kept kept = { .key = key };

	if (k->count == KEEPER_KEYS_MAX || strlen(path) > PATH_OCTETS_MAX) {
		dkim_key_destroy(&kept.key);
		return;
	}
	if (k->count == k->room) {
		k->room = k->room > 0 ? 2 * k->room : 16;
		k->items = mem_realloc(k->items, k->room * sizeof(*k->items));
	}
	kept.path = mem_strdup(path);
	kept.text = mem_strdup(text);
	if (key != NULL && !dkim_key_id(key, kept.id)) {
		dkim_key_destroy(&kept.key);
		mem_free(kept.text);
		kept.text = mem_strdup("its public half could not be written down");
	}
	k->items[k->count++] = kept;
}

static int
compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct kept *)a)->path, ((const struct kept *)b)->path);
}

static int
compare_ids(const void *a, const void *b)
{
	const struct kept *const *left = a, *const *right = b;

	return memcmp((*left)->id, (*right)->id, DKIM_KEY_ID_SIZE);
}

void
keeper_keys_end_adding(struct keeper_keys *k)
{
	size_t count = 0;

	if (k->count > 0)
		qsort(k->items, k->count, sizeof(*k->items), compare_paths);
	for (size_t i = 0; i < k->count; i++) {
		if (count > 0 && strcmp(k->items[count - 1].path, k->items[i].path) == 0)
			forget(&k->items[i]);
		else
			k->items[count++] = k->items[i];
	}
	k->count = count;
	k->by_id = mem_calloc(k->count + 1, sizeof(*k->by_id));
	k->id_count = 0;
	for (size_t i = 0; i < k->count; i++) {
		if (k->items[i].key != NULL)
			k->by_id[k->id_count++] = &k->items[i];
	}
	qsort(k->by_id, k->id_count, sizeof(*k->by_id), compare_ids);
}

size_t
keeper_keys_count(const struct keeper_keys *k)
{
	return k->id_count;
}

/* ---- answers ---- */

static bool
say_trouble(struct buf *reply, enum trouble trouble, const char *text)
{
	return buf_add_char(reply, 'e') && buf_add_char(reply, (char)trouble) &&
	       buf_add_str(reply, text);
}

static const struct kept *
find_path(const struct keeper_keys *k, struct view path)
{
	size_t low = 0, high = k->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const struct view here = view_of(k->items[middle].path);
		const size_t shorter = here.len < path.len ? here.len : path.len;
		int order = memcmp(path.p, here.p, shorter);

		if (order == 0)
			order = (path.len > here.len) - (path.len < here.len);
		if (order == 0)
			return &k->items[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static bool
answer_describe(const struct keeper_keys *k, struct view path, struct buf *reply)
{
	const struct kept *kept = find_path(k, path);
	char warning[WARNING_SIZE] = "";
	struct buf spki;

	if (kept == NULL)
		return say_trouble(reply, TROUBLE_UNKNOWN, "the keeper knows no such file");
	if (kept->key == NULL)
		return say_trouble(reply, TROUBLE_CONFIG, kept->text);
	(void)snprintf(warning, sizeof(warning), "%s", kept->text);
	buf_init(&spki, PUBLIC_MAX);
	const bool ok = dkim_key_public(kept->key, &spki) && buf_add_char(reply, 'd') &&
			buf_add(reply, warning, sizeof(warning)) &&
			buf_add_view(reply, buf_view(&spki));
	buf_finish(&spki);
	return ok;
}

static bool
answer_sign(const struct keeper_keys *k, struct view request, struct buf *reply)
{
	struct kept wanted = { 0 };
	const struct kept *key = &wanted;
	unsigned char hash[32], signature[SIGNATURE_MAX];
	struct err err = { 0 };
	size_t len;

	memcpy(wanted.id, request.p + 1, DKIM_KEY_ID_SIZE);
	memcpy(hash, request.p + 1 + DKIM_KEY_ID_SIZE, sizeof(hash));
	const struct kept **found =
	    bsearch(&key, k->by_id, k->id_count, sizeof(*k->by_id), compare_ids);
	if (found == NULL)
		return say_trouble(reply, TROUBLE_UNKNOWN, "the keeper has no such key");
	if (!dkim_key_sign_hash((*found)->key, hash, signature, &len, &err))
		return say_trouble(reply, TROUBLE_IO, err.text);
	return buf_add_char(reply, 's') && buf_add(reply, signature, len);
}

bool
keeper_answer(const struct keeper_keys *k, struct view request, struct buf *reply)
{
	const char kind = request.len > 0 ? request.p[0] : '\0';

	if (kind == 'R' && request.len == 1)
		return buf_add_char(reply, 'r');
	if (kind == 'D' && request.len > 1 && request.len <= 1 + PATH_OCTETS_MAX)
		return answer_describe(k, view_from(request, 1), reply);
	if (kind == 'S' && request.len == SIGN_OCTETS)
		return answer_sign(k, request, reply);
	return false;
}

/* ---- the gate's side ---- */

bool
keeper_ask_ready(struct buf *out)
{
	return buf_add_char(out, 'R');
}

bool
keeper_ask_describe(struct buf *out, const char *path)
{
	return buf_add_char(out, 'D') && buf_add_str(out, path);
}

bool
keeper_ask_sign(
    struct buf *out, const unsigned char id[DKIM_KEY_ID_SIZE], const unsigned char hash[32])
{
	return buf_add_char(out, 'S') && buf_add(out, id, DKIM_KEY_ID_SIZE) &&
	       buf_add(out, hash, 32);
}

/* is_answer - of that kind; otherwise *err is what the keeper said, or that it said nonsense.
 */
static bool
is_answer(struct view reply, char kind, struct err *err)
{
	enum err_kind error;

	if (reply.len > 0 && reply.p[0] == kind)
		return true;
	if (reply.len < 2 || reply.p[0] != 'e')
		return err_set(err, ERR_PROTOCOL, "the keeper gave no answer to the question");
	error = reply.p[1] == TROUBLE_UNKNOWN  ? ERR_CLOSED
		: reply.p[1] == TROUBLE_CONFIG ? ERR_CONFIG
					       : ERR_IO;
	return err_set(
	    err, error, "%.*s", (int)(reply.len - 2 < 239 ? reply.len - 2 : 239), reply.p + 2);
}

bool
keeper_read_ready(struct view reply, struct err *err)
{
	return is_answer(reply, 'r', err);
}

bool
keeper_read_description(
    struct view reply, struct view *spki_out, char warning_out[160], struct err *err)
{
	if (!is_answer(reply, 'd', err))
		return false;
	if (reply.len <= 1 + WARNING_SIZE || reply.p[WARNING_SIZE] != '\0')
		return err_set(err, ERR_PROTOCOL, "the keeper described no key");
	memcpy(warning_out, reply.p + 1, WARNING_SIZE);
	*spki_out = view_from(reply, 1 + WARNING_SIZE);
	return true;
}

bool
keeper_read_signature(
    struct view reply, unsigned char out[1024], size_t *len_out, struct err *err)
{
	if (!is_answer(reply, 's', err))
		return false;
	if (reply.len < 2 || reply.len > 1 + SIGNATURE_MAX)
		return err_set(err, ERR_PROTOCOL, "the keeper's signature has no such length");
	*len_out = reply.len - 1;
	memcpy(out, reply.p + 1, *len_out);
	return true;
}
