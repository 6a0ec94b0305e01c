/* SPDX-License-Identifier: MPL-2.0 */
/* Whether a table that somebody else brings along can be used: conf_table_check in conf.h. */
#include "lib/base/conf_row.h"

#include <stdalign.h>

#define NESTING_MAX	  4
#define ROWS_MAX	  256
#define SIZE_MAX_OF_TABLE (1 << 20) /* octets */

struct member {
	size_t size, alignment;
};

#define MEMBER(type)                        \
	{                                   \
		sizeof(type), alignof(type) \
	}

static const struct member members[] = {
	[CONF_BOOL] = MEMBER(bool),
	[CONF_INT] = MEMBER(int64_t),
	[CONF_SIZE] = MEMBER(int64_t),
	[CONF_DURATION] = MEMBER(int64_t),
	[CONF_STRING] = MEMBER(const char *),
	[CONF_PATH] = MEMBER(const char *),
	[CONF_ENUM] = MEMBER(int),
	[CONF_STRINGS] = MEMBER(struct conf_strings),
	[CONF_GROUP] = { 0, 1 }, /* of its table */
	[CONF_LIST] = MEMBER(struct conf_list),
	[CONF_SECRET] = MEMBER(const char *),
};

static bool
key_is_good(const char *key)
{
	bool good = ascii_is_alnum(key[0]) && !ascii_is_digit(key[0]);

	for (; good && *key != '\0'; key++)
		good = ascii_is_alnum(*key) || *key == '_';
	return good;
}

/* check_place - does the member lie in the struct? */
static bool
check_place(const struct conf_table *table, const struct conf_row *row, struct err *err)
{
	const struct member member = members[row->type];
	const size_t size = row->type == CONF_GROUP ? row->table->size : member.size;

	if (row->offset > table->size || table->size - row->offset < size ||
	    row->offset % member.alignment != 0)
		return err_set(err, ERR_CONFIG,
		    "row %s is at offset %zu of a struct of %zu octets", row->key, row->offset,
		    table->size);
	return true;
}

/* check_default - the slot's memory is only for this. */
static bool
check_default(const struct conf_row *row, struct arena *arena, struct err *err)
{
	union {
		int64_t number;
		const char *text;
		struct conf_strings strings;
	} member = { 0 };
	const struct conf_slot slot = { .row = row,
		.member = &member,
		.path = row->key,
		.where = { "", 0 },
		.arena = arena };

	if (row->type == CONF_GROUP || row->type == CONF_LIST)
		return true;
	return conf_row_try_default(&slot) ||
	       err_set(err, ERR_CONFIG, "row %s would not take its own default \"%s\"",
		   row->key, row->fallback);
}

static bool check_table(
    const struct conf_table *table, unsigned depth, struct arena *arena, struct err *err);

static bool
check_row(const struct conf_table *table, const struct conf_row *row, unsigned depth,
    struct arena *arena, struct err *err)
{
	const bool has_table = row->type == CONF_GROUP || row->type == CONF_LIST;

	if (!key_is_good(row->key))
		return err_set(err, ERR_CONFIG, "row \"%.40s\" has no proper key", row->key);
	if ((unsigned)row->type >= ARRAY_LEN(members))
		return err_set(err, ERR_CONFIG, "row %s has no known type", row->key);
	if (has_table && row->table == NULL)
		return err_set(err, ERR_CONFIG, "row %s is a group without a table", row->key);
	if (row->type == CONF_ENUM && row->choices == NULL)
		return err_set(err, ERR_CONFIG, "row %s has no choices", row->key);
	for (const struct conf_row *other = table->rows; other != row; other++) {
		if (strcmp(other->key, row->key) == 0)
			return err_set(err, ERR_CONFIG, "two rows have the key %s", row->key);
	}
	return (!has_table || check_table(row->table, depth + 1, arena, err)) &&
	       check_place(table, row, err) && check_default(row, arena, err);
}

static bool
check_table(
    const struct conf_table *table, unsigned depth, struct arena *arena, struct err *err)
{
	size_t count = 0;

	if (depth > NESTING_MAX)
		return err_set(err, ERR_CONFIG, "tables are nested too deep");
	if (table->name == NULL || table->help == NULL || table->rows == NULL ||
	    table->size > SIZE_MAX_OF_TABLE)
		return err_set(
		    err, ERR_CONFIG, "a table needs a name, a help text, rows and a size");
	if (table->where_offset != SIZE_MAX &&
	    (table->where_offset > table->size ||
		table->size - table->where_offset < sizeof(struct conf_where)))
		return err_set(
		    err, ERR_CONFIG, "where_offset of table %s is wrong", table->name);
	for (const struct conf_row *row = table->rows; row->key != NULL; row++) {
		if (++count > ROWS_MAX)
			return err_set(err, ERR_CONFIG, "table %s has no end", table->name);
		if (!check_row(table, row, depth, arena, err))
			return err_prefix(err, "table %s", table->name);
	}
	return true;
}

bool
conf_table_check(const struct conf_table *table, struct err *err)
{
	struct arena arena;
	bool ok;

	arena_init(&arena);
	ok = check_table(table, 0, &arena, err);
	arena_finish(&arena);
	return ok;
}
