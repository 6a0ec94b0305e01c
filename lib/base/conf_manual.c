/* SPDX-License-Identifier: MPL-2.0 */
/* The reference manual of the configuration, from its tables: see conf_print_manual in conf.h.
 */
#include "lib/base/buf.h"
#include "lib/base/conf_value.h"

static const char introduction[] =
    "The file is in [libconfig](https://hyperrealm.github.io/libconfig/) syntax: `key = "
    "value;`, "
    "groups in `{ }`, lists of groups in `( )`, lists of strings in `[ ]`; comments begin with "
    "`#` or `//`, or stand between `/*` and `*/`. `@include \"file\"` on a line of its own "
    "puts "
    "another file in, which is looked for beside the file that names it.\n\n"
    "Durations are strings with a unit: `ms`, `s`, `m`, `h`, `d`. Sizes are octets, or strings "
    "with `K`, `M` or `G` (of 1024). A path that is not absolute begins at the folder of the "
    "file that it is written in. `gatepost check-config` reports every error at once, with "
    "file and line.\n";

static const char *const type_names[] = {
	[CONF_BOOL] = "`true` or `false`",
	[CONF_INT] = "number",
	[CONF_SIZE] = "size",
	[CONF_DURATION] = "duration",
	[CONF_STRING] = "string",
	[CONF_PATH] = "path",
	[CONF_ENUM] = "one of",
	[CONF_STRINGS] = "list of strings",
	[CONF_GROUP] = "group",
	[CONF_LIST] = "list of groups",
	[CONF_SECRET] = "secret string",
};

/* A bar would end the cell of a table. */
static bool
add_cell(struct buf *out, const char *text)
{
	bool ok = true;
	for (; ok && *text != '\0'; text++)
		ok = (*text != '|' || buf_add_char(out, '\\')) && buf_add_char(out, *text);
	return ok;
}

static bool
add_choices(struct buf *out, const struct conf_choice *choices)
{
	bool ok = true;
	for (size_t i = 0; ok && choices[i].name != NULL; i++)
		ok = buf_printf(out, "%s `\"%s\"`", i > 0 ? "," : "", choices[i].name);
	return ok;
}

bool
conf_row_describe(const struct conf_row *row, struct buf *out)
{
	char min[CONF_NUMBER_ROOM], max[CONF_NUMBER_ROOM];
	bool number =
	    row->type == CONF_INT || row->type == CONF_SIZE || row->type == CONF_DURATION;
	if (!buf_add_str(out, type_names[row->type]))
		return false;
	if (row->type == CONF_ENUM)
		return add_choices(out, row->choices);
	if (!number || (row->min == 0 && row->max == 0))
		return true;
	return buf_printf(out, ", %s to %s", conf_print_number(row->type, row->min, min),
	    conf_print_number(row->type, row->max, max));
}

static bool
is_all_digits(const char *text)
{
	uint64_t number;
	return view_to_u64(view_of(text), &number);
}

/* As one would write it: with quotes where they are needed. */
static bool
add_default(struct buf *out, const struct conf_row *row)
{
	if (row->required)
		return buf_add_str(out, "required");
	if (row->fallback == NULL)
		return true;
	if (row->type == CONF_STRINGS)
		return buf_printf(out, "`%s`", row->fallback);
	bool bare = row->type == CONF_BOOL || row->type == CONF_INT ||
		    (row->type == CONF_SIZE && is_all_digits(row->fallback));
	return buf_printf(out, bare ? "`%s`" : "`\"%s\"`", row->fallback);
}

static bool
add_row(struct buf *out, const struct conf_row *row)
{
	return buf_printf(out, "| `%s` | ", row->key) && conf_row_describe(row, out) &&
	       buf_add_str(out, " | ") && add_default(out, row) && buf_add_str(out, " | ") &&
	       add_cell(out, row->help != NULL ? row->help : "") && buf_add_str(out, " |\n");
}

static bool
add_rows(struct buf *out, const struct conf_row *rows)
{
	bool ok = buf_add_str(out, "\n| key | type | default | meaning |\n|---|---|---|---|\n");
	for (; ok && rows->key != NULL; rows++)
		ok = add_row(out, rows);
	return ok;
}

static bool add_groups_below(struct buf *out, const struct conf_table *table, const char *path);

static bool
add_section(struct buf *out, const struct conf_table *table, const char *path, const char *form)
{
	return buf_printf(out, "\n## %s\n\n%s%s\n", path, form, table->help) &&
	       add_rows(out, table->rows) && add_groups_below(out, table, path);
}

/* A section for each row that is a group or a list of groups. */
static bool
add_groups_below(struct buf *out, const struct conf_table *table, const char *path)
{
	bool ok = true;
	for (const struct conf_row *row = table->rows; ok && row->key != NULL; row++) {
		struct buf below;
		if (row->type != CONF_GROUP && row->type != CONF_LIST)
			continue;
		buf_init(&below, 256);
		ok = buf_printf(&below, "%s%s%s", path, path[0] != '\0' ? "." : "", row->key) &&
		     buf_add_char(&below, '\0') &&
		     add_section(out, row->table, below.p,
			 row->type == CONF_LIST ? "A list of groups. " : "");
		buf_finish(&below);
	}
	return ok;
}

bool
conf_print_manual(const struct conf_table *root, const struct conf_table *const *extras,
    size_t extra_count, struct buf *out)
{
	bool ok = buf_printf(out, "# %s\n\n%s\n\n%s", root->name, root->help, introduction) &&
		  add_rows(out, root->rows) && add_groups_below(out, root, "");
	for (size_t i = 0; ok && i < extra_count; i++)
		ok = add_section(out, extras[i], extras[i]->name, "");
	return ok;
}
