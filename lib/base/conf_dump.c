/* SPDX-License-Identifier: MPL-2.0 */
/* Writing a configuration out: see lib/base/conf_dump.h. Recursion ends with the tables'
 * nesting. */
#include "lib/base/conf_dump.h"

#include <inttypes.h>

struct unit {
	int64_t factor;
	const char *name;
};

/* From large to small, so that the first one without a rest is the shortest way to write it. */
static const struct unit duration_units[] = {
	{ 24 * 60 * 60 * 1000, "d" },
	{ 60 * 60 * 1000, "h" },
	{ 60 * 1000, "m" },
	{ 1000, "s" },
	{ 1, "ms" },
};

static const struct unit size_units[] = {
	{ 1024 * 1024 * 1024, "G" },
	{ 1024 * 1024, "M" },
	{ 1024, "K" },
};

static bool
dump_indent(struct buf *out, unsigned depth)
{
	return buf_printf(out, "%*s", (int)depth * 4, "");
}

static bool
dump_string(struct buf *out, const char *text)
{
	bool ok = buf_add_char(out, '"');

	for (; ok && *text != '\0'; text++) {
		const unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f)
			ok = buf_printf(out, "\\x%02x", c);
		else if (c == '"' || c == '\\')
			ok = buf_printf(out, "\\%c", c);
		else
			ok = buf_add_char(out, (char)c);
	}
	return ok && buf_add_char(out, '"');
}

static bool
dump_number(struct buf *out, int64_t number)
{
	const bool is_long = number > INT32_MAX || number < INT32_MIN; /* libconfig's L */

	return buf_printf(out, "%" PRId64 "%s", number, is_long ? "L" : "");
}

static bool
dump_duration(struct buf *out, int64_t ms)
{
	size_t i = 0;

	if (ms == 0)
		return buf_add_str(out, "\"0s\"");
	while (ms % duration_units[i].factor != 0)
		i++;
	return buf_printf(
	    out, "\"%" PRId64 "%s\"", ms / duration_units[i].factor, duration_units[i].name);
}

static bool
dump_size(struct buf *out, int64_t octets)
{
	for (size_t i = 0; i < ARRAY_LEN(size_units) && octets > 0; i++) {
		if (octets % size_units[i].factor == 0)
			return buf_printf(out, "\"%" PRId64 "%s\"",
			    octets / size_units[i].factor, size_units[i].name);
	}
	return dump_number(out, octets);
}

static const char *
choice_name(const struct conf_choice *choices, int value)
{
	for (; choices->name != NULL; choices++) {
		if (choices->value == value)
			return choices->name;
	}
	return NULL;
}

static bool
dump_strings(struct buf *out, const struct conf_strings *strings)
{
	bool ok = buf_add_str(out, "[ ");

	for (size_t i = 0; ok && i < strings->count; i++)
		ok = (i == 0 || buf_add_str(out, ", ")) && dump_string(out, strings->items[i]);
	return ok && buf_add_str(out, " ]");
}

static bool dump_rows(
    struct buf *out, const struct conf_table *table, const void *values, unsigned depth);

static bool
dump_braces(struct buf *out, const struct conf_table *table, const void *values, unsigned depth)
{
	return buf_add_str(out, "{\n") && dump_rows(out, table, values, depth + 1) &&
	       dump_indent(out, depth) && buf_add_char(out, '}');
}

static bool
dump_list(struct buf *out, const struct conf_table *table, const struct conf_list *list,
    unsigned depth)
{
	const char *item = list->items;
	bool ok = buf_add_str(out, "(");

	for (size_t i = 0; ok && i < list->count; i++, item += table->size)
		ok = (i == 0 || buf_add_char(out, ',')) && buf_add_char(out, ' ') &&
		     dump_braces(out, table, item, depth);
	return ok && buf_add_str(out, " )");
}

/* row_is_set - is there something to write for it? */
static bool
row_is_set(const struct conf_row *row, const void *member)
{
	switch (row->type) {
	case CONF_STRING:
	case CONF_PATH:
	case CONF_SECRET:
		return *(const char *const *)member != NULL;
	case CONF_ENUM:
		return choice_name(row->choices, *(const int *)member) != NULL;
	case CONF_BOOL:
	case CONF_INT:
	case CONF_SIZE:
	case CONF_DURATION:
	case CONF_STRINGS:
	case CONF_GROUP:
	case CONF_LIST:
		break;
	}
	return true;
}

static bool
dump_value(struct buf *out, const struct conf_row *row, const void *member, unsigned depth)
{
	switch (row->type) {
	case CONF_BOOL:
		return buf_add_str(out, *(const bool *)member ? "true" : "false");
	case CONF_INT:
		return dump_number(out, *(const int64_t *)member);
	case CONF_SIZE:
		return dump_size(out, *(const int64_t *)member);
	case CONF_DURATION:
		return dump_duration(out, *(const int64_t *)member);
	case CONF_STRING:
	case CONF_PATH:
		return dump_string(out, *(const char *const *)member);
	case CONF_ENUM:
		return dump_string(out, choice_name(row->choices, *(const int *)member));
	case CONF_STRINGS:
		return dump_strings(out, member);
	case CONF_GROUP:
		return dump_braces(out, row->table, member, depth);
	case CONF_LIST:
		return dump_list(out, row->table, member, depth);
	case CONF_SECRET:
		break;
	}
	BUG("row type %d", (int)row->type);
}

static bool
dump_rows(struct buf *out, const struct conf_table *table, const void *values, unsigned depth)
{
	bool ok = true;

	for (const struct conf_row *row = table->rows; ok && row->key != NULL; row++) {
		const void *member = (const char *)values + row->offset;

		if (!row_is_set(row, member))
			continue;
		ok = dump_indent(out, depth);
		if (row->type == CONF_SECRET)
			ok = ok && buf_printf(out, "# %s is set\n", row->key);
		else
			ok = ok && buf_printf(out, "%s = ", row->key) &&
			     dump_value(out, row, member, depth) && buf_add_str(out, ";\n");
	}
	return ok;
}

bool
conf_dump(const struct conf_table *table, const void *values, struct buf *out)
{
	return dump_rows(out, table, values, 0);
}

bool
conf_dump_extra(const struct conf_extra *extra, struct buf *out)
{
	const struct conf_list list = { extra->target_out, extra->count };
	bool ok = buf_printf(out, "%s = ", extra->table->name);

	if (extra->is_list)
		ok = ok && dump_list(out, extra->table, &list, 0);
	else
		ok = ok && dump_braces(out, extra->table, extra->target_out, 0);
	return ok && buf_add_str(out, ";\n");
}
