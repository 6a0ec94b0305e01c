/* SPDX-License-Identifier: MPL-2.0 */
/*
 * gatepost links: what can stand in a chain, from the links' own tables; for people, as JSON,
 * and as the table of docs/FILTERS.md.
 */
#include "proxy/links.h"

#include "lib/base/json.h"
#include "proxy/commands/commands.h"
#include "proxy/plugins.h"

#include <getopt.h>
#include <stdio.h>

#define OUTPUT_MAX (4 * 1024 * 1024) /* octets */
#define WIDTH	   88		     /* columns of a help text */

static const char usage[] =
    "usage: gatepost links [--json | --markdown] [NAME | FILE.so]...\n"
    "\n"
    "Lists the links that are built in, in an order in which it makes sense to run them. With "
    "names,\n"
    "or with plugins' files, shows those with their settings.\n"
    "\n"
    "      --json      everything as JSON\n"
    "      --markdown  the list as it stands in docs/FILTERS.md\n"
    "  -h, --help      print this\n"
    "\n"
    "Exit status: 0, 1 a plugin cannot be loaded, 2 wrong usage or no such link.\n";

/* What is wanted: links, of which all or some are shown. */
struct listing {
	const struct link **links;
	size_t count;
	bool is_whole; /* with settings */
	struct arena arena;
	struct buf out;
};

static const char *
kind_name(const struct link *link)
{
	return link->kind == LINK_POLICY ? "policy" : "filter";
}

/* stages_of - "mail, message", or "all", in the arena. */
static const char *
stages_of(const struct link *link, struct arena *arena)
{
	const bool has[] = { link->connect != NULL, link->helo != NULL, link->mail != NULL,
		link->rcpt != NULL, link->message != NULL };
	const char *text = "";
	bool all = true;

	for (size_t i = 0; i < ARRAY_LEN(has); i++) {
		all = all && has[i];
		if (has[i])
			text = arena_printf(arena, "%s%s%s", text, text[0] != '\0' ? ", " : "",
			    chain_stage_name((enum link_stage)i));
	}
	return all ? "all" : text;
}

/* ---- for people ---- */

static bool
add_line(struct listing *l, const struct link *link)
{
	return buf_printf(&l->out, "%-16s %-7s %-14s %s\n", link->name, kind_name(link),
	    stages_of(link, &l->arena), link->summary);
}

/* add_wrapped - text in lines of WIDTH columns, each behind the indent. */
static bool
add_wrapped(struct buf *out, const char *text, int indent)
{
	const size_t room = WIDTH - (size_t)indent;
	struct view rest = view_of(text);
	bool ok = true;

	while (ok && rest.len > 0) {
		size_t len = rest.len;

		if (len > room) {
			for (len = room; len > 0 && rest.p[len] != ' ';)
				len--;
			len = len > 0 ? len : room;
		}
		ok = buf_printf(out, "%*s%.*s\n", indent, "", (int)len, rest.p);
		rest = view_trim(view_from(rest, len));
	}
	return ok;
}

/* add_plain - without the quotes of Markdown. */
static bool
add_plain(struct buf *out, struct view text)
{
	bool ok = true;

	for (size_t i = 0; ok && i < text.len; i++)
		ok = text.p[i] == '`' || buf_add_char(out, text.p[i]);
	return ok;
}

static bool
add_row(struct buf *out, const struct conf_row *row, const char *path)
{
	struct buf type;
	bool ok;

	buf_init(&type, 4096);
	ok = conf_row_describe(row, &type) && buf_printf(out, "  %s%s: ", path, row->key) &&
	     add_plain(out, view_make(type.p, type.len));
	if (row->required)
		ok = ok && buf_add_str(out, ", required");
	else if (row->fallback != NULL)
		ok = ok && buf_printf(out, ", default %s",
			       row->fallback[0] != '\0' ? row->fallback : "\"\"");
	ok = ok && buf_add_char(out, '\n') &&
	     add_wrapped(out, row->help != NULL ? row->help : "", 6);
	buf_finish(&type);
	return ok;
}

/* Recursion ends with the tables' nesting. */
static bool
add_rows(struct listing *l, const struct conf_row *rows, const char *path)
{
	bool ok = true;

	for (; ok && rows->key != NULL; rows++) {
		ok = add_row(&l->out, rows, path);
		if (rows->table != NULL)
			ok = ok && add_rows(l, rows->table->rows,
				       arena_printf(&l->arena, "%s%s.", path, rows->key));
	}
	return ok;
}

static bool
add_whole(struct listing *l, const struct link *link)
{
	const struct conf_table *table = link_group_table(link, &l->arena);

	return buf_printf(&l->out, "%s: %s\n", link->name, link->summary) &&
	       (link->settings == NULL || add_wrapped(&l->out, table->help, 2)) &&
	       buf_printf(&l->out, "  kind:    %s (%s)\n", kind_name(link),
		   link->kind == LINK_POLICY ? "it decides" : "it may change the message") &&
	       buf_printf(&l->out, "  stages:  %s\n", stages_of(link, &l->arena)) &&
	       buf_printf(&l->out, "  refuses: %s\n",
		   link->refuses != NULL ? link->refuses : "never") &&
	       (!link->fails_closed ||
		   buf_add_str(&l->out, "  on_error can only be \"defer\"\n")) &&
	       buf_add_str(&l->out, "\n") && add_rows(l, table->rows, "");
}

static bool
add_text(struct listing *l)
{
	bool ok = true;

	for (size_t i = 0; ok && i < l->count; i++) {
		if (l->is_whole)
			ok = (i == 0 || buf_add_char(&l->out, '\n')) &&
			     add_whole(l, l->links[i]);
		else
			ok = add_line(l, l->links[i]);
	}
	return ok;
}

/* ---- the table of docs/FILTERS.md ---- */

static bool
add_markdown(struct listing *l)
{
	bool ok = buf_add_str(&l->out, "| link | stages | what it does | refuses with |\n"
				       "|---|---|---|---|\n");

	for (size_t i = 0; ok && i < l->count; i++) {
		const struct link *link = l->links[i];

		ok = buf_printf(&l->out, "| [`%s`](#%s) | %s | %s | %s |\n", link->name,
		    link->name, stages_of(link, &l->arena), link->summary,
		    link->refuses != NULL ? link->refuses : "");
	}
	return ok;
}

/* ---- JSON ---- */

static const char *const type_names[] = {
	[CONF_BOOL] = "bool",
	[CONF_INT] = "number",
	[CONF_SIZE] = "size",
	[CONF_DURATION] = "duration",
	[CONF_STRING] = "string",
	[CONF_PATH] = "path",
	[CONF_ENUM] = "enum",
	[CONF_STRINGS] = "strings",
	[CONF_GROUP] = "group",
	[CONF_LIST] = "groups",
	[CONF_SECRET] = "secret",
};

static void json_rows(struct json *j, const struct conf_row *rows);

static void
json_row(struct json *j, const struct conf_row *row)
{
	json_open(j, NULL, '{');
	json_str(j, "key", row->key);
	json_str(j, "type", type_names[row->type]);
	json_bool(j, "required", row->required);
	json_str(j, "default", row->fallback);
	if (row->min != 0 || row->max != 0) {
		json_int(j, "min", row->min); /* octets, milliseconds */
		json_int(j, "max", row->max);
	}
	if (row->choices != NULL) {
		json_open(j, "choices", '[');
		for (const struct conf_choice *c = row->choices; c->name != NULL; c++)
			json_str(j, NULL, c->name);
		json_close(j);
	}
	json_str(j, "help", row->help);
	if (row->table != NULL)
		json_rows(j, row->table->rows);
	json_close(j);
}

static void
json_rows(struct json *j, const struct conf_row *rows)
{
	json_open(j, "settings", '[');
	for (; rows->key != NULL; rows++)
		json_row(j, rows);
	json_close(j);
}

static void
json_link(struct json *j, const struct link *link, struct arena *arena)
{
	struct view rest, stage;

	json_open(j, NULL, '{');
	json_str(j, "name", link->name);
	json_str(j, "kind", kind_name(link));
	json_str(j, "summary", link->summary);
	json_open(j, "stages", '[');
	rest = view_of(stages_of(link, arena));
	if (view_eq(rest, VIEW("all")))
		rest = VIEW("connect, helo, mail, rcpt, message");
	while (view_split(&rest, ',', &stage))
		json_view(j, NULL, view_trim(stage));
	json_close(j);
	json_str(j, "refuses", link->refuses);
	json_bool(j, "fails_closed", link->fails_closed);
	json_rows(j, link_group_table(link, arena)->rows);
	json_close(j);
}

static bool
add_json(struct listing *l)
{
	struct json j;

	json_begin(&j, &l->out);
	json_open(&j, NULL, '[');
	for (size_t i = 0; i < l->count; i++)
		json_link(&j, l->links[i], &l->arena);
	json_close(&j);
	return json_end(&j) && buf_add_char(&l->out, '\n');
}

/* ---- which ones ---- */

static int
say_unknown(const char *name)
{
	const char *names[64];
	size_t count = 0;
	const char *near;

	for (; count < builtin_link_count && count < ARRAY_LEN(names); count++)
		names[count] = builtin_links[count]->name;
	near = conf_nearest(name, names, count);
	fprintf(stderr, "gatepost links: there is no link \"%s\"%s%s%s\n", name,
	    near != NULL ? " (did you mean \"" : "", near != NULL ? near : "",
	    near != NULL ? "\"?)" : "");
	return EXIT_USAGE;
}

/* choose - one link more; returns the exit status. */
static int
choose(struct listing *l, const char *name)
{
	struct err err;

	if (name[0] == '/') {
		const struct link *plugin = plugin_load(name, &err);

		if (plugin == NULL) {
			fprintf(stderr, "gatepost links: %s\n", err.text);
			return 1;
		}
		l->links[l->count++] = plugin;
		return 0;
	}
	for (size_t i = 0; i < builtin_link_count; i++) {
		if (strcmp(builtin_links[i]->name, name) != 0)
			continue;
		l->links[l->count++] = builtin_links[i];
		return 0;
	}
	return say_unknown(name);
}

static int
choose_all(struct listing *l, int argc, char **argv)
{
	int status = 0;

	l->links = arena_alloc(
	    &l->arena, (builtin_link_count + (size_t)argc) * sizeof(const struct link *));
	l->is_whole = argc > 0;
	for (int i = 0; status == 0 && i < argc; i++)
		status = choose(l, argv[i]);
	for (size_t i = 0; argc == 0 && i < builtin_link_count; i++)
		l->links[l->count++] = builtin_links[i];
	return status;
}

static bool
print(struct listing *l, int mode)
{
	bool ok;

	if (mode == 'j')
		ok = add_json(l);
	else
		ok = mode == 'm' ? add_markdown(l) : add_text(l);
	return ok && fwrite(l->out.p, 1, l->out.len, stdout) == l->out.len &&
	       fflush(stdout) == 0;
}

int
command_links(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ "markdown", no_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	struct listing l = { .count = 0 };
	int c, status, mode = 0;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h' || c == '?') {
			fputs(usage, c == 'h' ? stdout : stderr);
			return c == 'h' ? 0 : EXIT_USAGE;
		}
		mode = c;
	}
	arena_init(&l.arena);
	buf_init(&l.out, OUTPUT_MAX);
	status = choose_all(&l, argc - optind, argv + optind);
	if (status == 0 && !print(&l, mode))
		status = 1;
	buf_finish(&l.out);
	arena_finish(&l.arena);
	return status;
}
