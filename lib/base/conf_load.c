/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Loading a configuration: the text through conf_source.c, libconfig's tree from it, and the
 * tree into structs by the tables. A group gets all its defaults first; then what is written,
 * in the order of the file; then what is required and was not.
 */
#include "lib/base/conf.h"

#include "lib/base/conf_row.h"

struct load {
	const char *file; /* in the arena */
	const struct conf_source *source;
	struct conf_extra *extras;
	size_t extra_count;
	struct arena *arena;
	struct conf_errors *errors;
};

/* A group while it is read. */
struct group {
	const struct conf_table *table;
	char *target;
	const char *path; /* "" for the root */
	struct conf_where where;
	bool is_root;
};

static void read_group(
    struct load *load, const struct group *group, const config_setting_t *setting);

static void *
member_of(const struct group *group, const struct conf_row *row)
{
	if (row->offset >= group->table->size)
		BUG("row %s is not in the struct of %s", row->key, group->table->name);
	return group->target + row->offset;
}

static void
set_where(const struct conf_table *table, char *target, struct conf_where where)
{
	if (table->where_offset != SIZE_MAX)
		memcpy(target + table->where_offset, &where, sizeof(where));
}

static struct conf_where
where_of(const struct load *load, const config_setting_t *setting)
{
	struct conf_where where =
	    conf_source_where(load->source, config_setting_source_line(setting));
	where.file = arena_strdup(load->arena, view_of(where.file));
	return where;
}

static const char *
path_in(const struct load *load, const struct group *group, const char *key)
{
	return group->path[0] != '\0' ? arena_printf(load->arena, "%s.%s", group->path, key)
				      : key;
}

static struct conf_slot
slot_of(const struct load *load, const struct group *group, const struct conf_row *row)
{
	return (struct conf_slot){
		.row = row,
		.member = member_of(group, row),
		.path = path_in(load, group, row->key),
		.where = { load->file, 0 },
		.arena = load->arena,
		.errors = load->errors,
	};
}

/* ---- defaults ---- */

/* The target is zeroed memory. */
static void
set_defaults(const struct load *load, const struct conf_table *table, void *target)
{
	struct group group = { .table = table, .target = target, .path = "" };
	set_where(table, target, (struct conf_where){ load->file, 0 });
	for (const struct conf_row *row = table->rows; row->key != NULL; row++) {
		struct conf_slot slot = slot_of(load, &group, row);
		if (row->type == CONF_GROUP)
			set_defaults(load, row->table, slot.member);
		else if (row->type != CONF_LIST)
			conf_row_set_default(&slot);
	}
}

/* ---- what is written ---- */

static void
read_row_group(struct load *load, const struct conf_slot *slot, const config_setting_t *setting)
{
	struct group group = { .table = slot->row->table,
		.target = slot->member,
		.path = slot->path,
		.where = slot->where };
	if (config_setting_type(setting) == CONFIG_TYPE_GROUP)
		read_group(load, &group, setting);
	else
		conf_row_mismatch(slot, setting, "a group: { ... }");
}

static void
read_item(struct load *load, const struct conf_slot *slot, const config_setting_t *setting,
    char *target, size_t index)
{
	struct conf_slot item = *slot;
	item.path = arena_printf(load->arena, "%s[%zu]", slot->path, index);
	item.where = where_of(load, setting);
	item.member = target;
	set_defaults(load, slot->row->table, target);
	set_where(slot->row->table, target, item.where);
	read_row_group(load, &item, setting);
}

static void
read_row_list(struct load *load, const struct conf_slot *slot, const config_setting_t *setting)
{
	struct conf_list *list = slot->member;
	const struct conf_table *table = slot->row->table;
	int type = config_setting_type(setting);
	bool empty_array = type == CONFIG_TYPE_ARRAY && config_setting_length(setting) == 0;
	if (type != CONFIG_TYPE_LIST && !empty_array) {
		conf_row_mismatch(slot, setting, "a list of groups: ( { ... }, { ... } )");
		return;
	}
	size_t count = (size_t)config_setting_length(setting);
	char *items = arena_alloc(load->arena, count * table->size);
	for (size_t i = 0; i < count; i++)
		read_item(load, slot, config_setting_get_elem(setting, (unsigned)i),
		    items + i * table->size, i);
	*list = (struct conf_list){ items, count };
}

static void
read_row(struct load *load, const struct group *group, const struct conf_row *row,
    const config_setting_t *setting)
{
	struct conf_slot slot = slot_of(load, group, row);
	slot.where = where_of(load, setting);
	if (row->type == CONF_GROUP)
		read_row_group(load, &slot, setting);
	else if (row->type == CONF_LIST)
		read_row_list(load, &slot, setting);
	else
		conf_row_read(&slot, setting);
}

static const struct conf_row *
find_row(const struct conf_table *table, const char *key)
{
	for (const struct conf_row *row = table->rows; row->key != NULL; row++)
		if (strcmp(row->key, key) == 0)
			return row;
	return NULL;
}

static struct conf_extra *
find_extra(const struct load *load, const char *key)
{
	for (size_t i = 0; i < load->extra_count; i++)
		if (strcmp(load->extras[i].table->name, key) == 0)
			return &load->extras[i];
	return NULL;
}

static void
read_extra(struct load *load, struct conf_extra *extra, const config_setting_t *setting)
{
	struct conf_list list = { extra->target_out, 1 };
	struct conf_row row = {
		.key = extra->table->name, .type = CONF_GROUP, .table = extra->table
	};
	struct conf_slot slot = { .row = &row,
		.member = extra->target_out,
		.path = row.key,
		.where = where_of(load, setting),
		.arena = load->arena,
		.errors = load->errors };
	if (config_setting_type(setting) != CONFIG_TYPE_LIST) {
		read_row_group(load, &slot, setting);
		return;
	}
	slot.member = &list;
	read_row_list(load, &slot, setting);
	if (list.count == 0) {
		conf_error(load->errors, slot.where, slot.path, "is a list without a group");
		return;
	}
	extra->target_out = list.items;
	extra->count = list.count;
	extra->is_list = true;
}

static void
report_unknown(struct load *load, const struct group *group, const config_setting_t *setting)
{
	const char *key = config_setting_name(setting);
	size_t count = 0, room = group->is_root ? load->extra_count : 0;
	for (const struct conf_row *row = group->table->rows; row->key != NULL; row++)
		room++;
	const char **names = arena_alloc(load->arena, room * sizeof(*names));
	for (const struct conf_row *row = group->table->rows; row->key != NULL; row++)
		names[count++] = row->key;
	for (size_t i = 0; count < room; i++)
		names[count++] = load->extras[i].table->name;
	conf_error(load->errors, where_of(load, setting), path_in(load, group, key),
	    "is not a known key%s", conf_did_you_mean(load->arena, key, names, count));
}

static void
report_missing(struct load *load, const struct group *group, const config_setting_t *setting)
{
	for (const struct conf_row *row = group->table->rows; row->key != NULL; row++)
		if (row->required && config_setting_get_member(setting, row->key) == NULL)
			conf_error(load->errors, group->where, path_in(load, group, row->key),
			    "is missing");
}

static void
read_group(struct load *load, const struct group *group, const config_setting_t *setting)
{
	set_where(group->table, group->target, group->where);
	for (int i = 0; i < config_setting_length(setting); i++) {
		const config_setting_t *member = config_setting_get_elem(setting, (unsigned)i);
		const char *key = config_setting_name(member);
		const struct conf_row *row = find_row(group->table, key);
		struct conf_extra *extra = group->is_root ? find_extra(load, key) : NULL;
		if (row != NULL)
			read_row(load, group, row, member);
		else if (extra != NULL)
			read_extra(load, extra, member);
		else
			report_unknown(load, group, member);
	}
	report_missing(load, group, setting);
}

/* ---- the file ---- */

static void
report_syntax(struct load *load, const config_t *config)
{
	static const struct {
		const char *from_library, *text;
	} texts[] = {
		{ "syntax error", "syntax error here, or just before" },
		{ "duplicate setting name", "a key on this line stands twice in its group" },
		{ "mismatched element type in array",
		    "an array [ ... ] holds values of one type only" },
		{ "memory exhausted", "groups or lists are nested too deep" },
	};
	const char *error = config_error_text(config);
	for (size_t i = 0; error != NULL && i < ARRAY_LEN(texts); i++)
		if (strcmp(error, texts[i].from_library) == 0)
			error = texts[i].text;
	unsigned line = config_error_line(config) > 0 ? (unsigned)config_error_line(config) : 1;
	conf_error(load->errors, conf_source_where(load->source, line), "", "%s",
	    error != NULL ? error : "cannot be read");
}

static void
read_tree(struct load *load, const struct group *root)
{
	config_t config;
	config_init(&config);
	if (config_read_string(&config, load->source->text.p) == CONFIG_TRUE)
		read_group(load, root, config_root_setting(&config));
	else
		report_syntax(load, &config);
	config_destroy(&config);
}

bool
conf_load(const char *file, const struct conf_table *root, void *target,
    struct conf_extra *extras, size_t extra_count, struct arena *arena,
    struct conf_errors *errors)
{
	struct conf_source source;
	size_t errors_before = errors->count;
	struct load load = { .file = arena_strdup(arena, view_of(file)),
		.source = &source,
		.extras = extras,
		.extra_count = extra_count,
		.arena = arena,
		.errors = errors };
	struct group group = { .table = root,
		.target = target,
		.path = "",
		.where = { load.file, 0 },
		.is_root = true };

	memset(target, 0, root->size);
	set_defaults(&load, root, target);
	for (size_t i = 0; i < extra_count; i++) {
		extras[i].target_out = arena_alloc(arena, extras[i].table->size);
		extras[i].count = 1;
		extras[i].is_list = false;
		set_defaults(&load, extras[i].table, extras[i].target_out);
	}
	if (conf_source_read(&source, load.file, arena, errors))
		read_tree(&load, &group);
	conf_source_finish(&source);
	return errors->count == errors_before;
}
