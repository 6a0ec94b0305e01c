/* SPDX-License-Identifier: MPL-2.0 */
/* Looking into a configuration file before its tables are known; see conf.h. */
#include "lib/base/conf_row.h"

#define PATH_MAX_OCTETS 128

struct peek {
	struct arena *arena;
	const struct conf_source *source;
	bool are_paths;
	const char **items; /* in the arena */
	size_t count, room;
};

/* add - the string that a setting is, if it is one. */
static void
add(struct peek *p, const config_setting_t *setting)
{
	const char *text = config_setting_get_string(setting);
	const unsigned line = config_setting_source_line(setting);

	if (text != NULL && p->are_paths)
		text =
		    conf_absolute_path(p->arena, conf_source_where(p->source, line).file, text);
	if (text == NULL)
		return;
	if (p->count == p->room) {
		const char **before = p->items;

		p->room = p->room > 0 ? 2 * p->room : 16;
		p->items = arena_alloc(p->arena, p->room * sizeof(*p->items));
		if (before != NULL)
			memcpy(p->items, before, p->count * sizeof(*p->items));
	}
	p->items[p->count++] = arena_strdup(p->arena, view_of(text));
}

/* take - a string, or a list's strings. */
static void
take(struct peek *p, const config_setting_t *found)
{
	if (!config_setting_is_aggregate(found)) {
		add(p, found);
		return;
	}
	for (int i = 0; i < config_setting_length(found); i++)
		add(p, config_setting_get_elem(found, (unsigned)i));
}

/* walk - path is below at; "[]" in it stands for every element. */
static void
walk(struct peek *p, config_setting_t *at, const char *path)
{
	const char *brackets = strstr(path, "[].");
	char before[PATH_MAX_OCTETS];

	if (brackets == NULL) {
		const config_setting_t *found = config_setting_lookup(at, path);

		if (found != NULL)
			take(p, found);
		return;
	}
	if (!view_copy(view_make(path, (size_t)(brackets - path)), before, sizeof(before)))
		return;
	config_setting_t *list = config_setting_lookup(at, before);
	if (list == NULL || !config_setting_is_aggregate(list))
		return;
	for (int i = 0; i < config_setting_length(list); i++) {
		config_setting_t *element = config_setting_get_elem(list, (unsigned)i);

		if (config_setting_is_group(element))
			walk(p, element, brackets + strlen("[]."));
	}
}

static struct conf_strings
look(const char *file, const char *path, bool are_paths, struct arena *arena)
{
	struct conf_source source;
	struct peek peek = { .arena = arena, .source = &source, .are_paths = are_paths };
	struct conf_errors ignored;
	config_t config;

	conf_errors_init(&ignored);
	config_init(&config);
	if (conf_source_read(&source, file, arena, &ignored) &&
	    config_read_string(&config, source.text.p) == CONFIG_TRUE)
		walk(&peek, config_root_setting(&config), path);
	config_destroy(&config);
	conf_source_finish(&source);
	conf_errors_finish(&ignored);
	return (struct conf_strings){ .items = peek.items, .count = peek.count };
}

struct conf_strings
conf_peek_strings(const char *file, const char *path, struct arena *arena)
{
	return look(file, path, false, arena);
}

struct conf_strings
conf_peek_paths(const char *file, const char *path, struct arena *arena)
{
	return look(file, path, true, arena);
}
