/* SPDX-License-Identifier: MPL-2.0 */
/* The list of key files; see key_list.h. */
#include "proxy/key_list.h"

#include "lib/base/conf.h"
#include "proxy/config_ops.h"

static bool
add_record(struct buf *out, char letter, const char *value)
{
	const size_t before = out->len;

	if (buf_add_char(out, letter) && buf_add(out, value, strlen(value) + 1))
		return true;
	out->len = before;
	return false;
}

static void
add_setting(struct buf *out, char letter, const char *file, const char *name,
    const char *fallback, struct arena *arena)
{
	const struct conf_strings found = letter == 'S' ? conf_peek_paths(file, name, arena)
							: conf_peek_strings(file, name, arena);
	const char *value = found.count > 0 ? found.items[0] : fallback;

	if (value != NULL)
		(void)add_record(out, letter, value);
}

void
key_list_scan(const char *file, struct buf *out)
{
	struct arena arena;

	arena_init(&arena);
	const struct conf_strings paths = conf_peek_paths(file, "domains[].dkim[].key", &arena);
	/* Without listeners it serves nobody: it is no configuration, or could not be read. */
	if (conf_peek_strings(file, "listeners[].listen", &arena).count > 0) {
		add_setting(out, 'U', file, "user", CONFIG_USER_DEFAULT, &arena);
		add_setting(out, 'G', file, "group", NULL, &arena);
		add_setting(out, 'K', file, "keeper_user", NULL, &arena);
		add_setting(out, 'S', file, "state_dir", CONFIG_STATE_DIR_DEFAULT, &arena);
		for (size_t i = 0; i < paths.count; i++)
			(void)add_record(out, 'P', paths.items[i]);
	}
	arena_finish(&arena);
}

bool
key_list_next(struct view *rest, char *letter_out, const char **value_out)
{
	const char *end = rest->len > 0 ? memchr(rest->p, '\0', rest->len) : NULL;

	if (end == NULL || end == rest->p)
		return false;
	*letter_out = rest->p[0];
	*value_out = rest->p + 1;
	*rest = view_from(*rest, (size_t)(end - rest->p) + 1);
	return true;
}

const char *
key_list_value(struct view list, char letter)
{
	const char *value;
	char here;

	while (key_list_next(&list, &here, &value)) {
		if (here == letter)
			return value;
	}
	return NULL;
}

static bool
has_path(struct view list, const char *path)
{
	const char *value;
	char letter;

	while (key_list_next(&list, &letter, &value)) {
		if (letter == 'P' && strcmp(value, path) == 0)
			return true;
	}
	return false;
}

void
key_list_merge(struct buf *list, struct view fresh)
{
	struct view old = buf_view(list);
	struct buf merged;
	const char *value;
	char letter;

	if (fresh.len == 0)
		return;
	buf_init(&merged, list->cap);
	if (!buf_add_view(&merged, fresh)) {
		buf_finish(&merged);
		return;
	}
	while (key_list_next(&old, &letter, &value)) {
		if (letter == 'P' && !has_path(fresh, value))
			(void)add_record(&merged, letter, value);
	}
	buf_finish(list);
	*list = merged;
}
