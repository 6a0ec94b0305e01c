/* SPDX-License-Identifier: MPL-2.0 */
/*
 * From the names in a chain to links and their settings. "milter" is the link's group that has
 * no name; "milter:opendkim" is the group of the list `milter` that has this one.
 * "plugin:/path/x.so", and "plugin:/path/x.so:name", is a link from a shared object.
 */
#include "proxy/config_check.h"

#include "lib/base/buf.h"
#include "proxy/links.h"
#include "proxy/plugins.h"

#include <stdio.h>

#define INSTANCE_NAME_MAX 32 /* octets */
#define NAMES_MAX	  64 /* that an error chooses the nearest from, or lists */

#define PLUGIN_PREFIX "plugin:"

/* A name in a chain, in its parts. */
struct called {
	const char *whole; /* "milter:opendkim" */
	bool is_plugin;
	struct view link;     /* name or path */
	const char *instance; /* NULL: none */
};

static struct called
called_of(const char *name)
{
	const bool is_plugin = strncmp(name, PLUGIN_PREFIX, strlen(PLUGIN_PREFIX)) == 0;
	const char *link = is_plugin ? name + strlen(PLUGIN_PREFIX) : name;
	const char *file = strrchr(link, '/');
	const char *colon = strchr(is_plugin && file != NULL ? file : link, ':');

	if (colon == NULL)
		return (struct called){ name, is_plugin, view_of(link), NULL };
	return (struct called){ name, is_plugin, view_make(link, (size_t)(colon - link)),
		colon + 1 };
}

static const void *
group_at(const struct conf_extra *extra, size_t i)
{
	return (const char *)extra->target_out + i * extra->table->size;
}

/* ---- the names of groups ---- */

static bool
instance_name_is_good(const char *name)
{
	const size_t len = strlen(name);

	for (size_t i = 0; i < len; i++) {
		if (!ascii_is_alnum(name[i]) && strchr("-_.", name[i]) == NULL)
			return false;
	}
	return len > 0 && len <= INSTANCE_NAME_MAX;
}

static bool
names_are_same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
check_instance(const struct loaded_config *c, const struct conf_extra *extra, size_t index,
    struct conf_errors *errors)
{
	const void *group = group_at(extra, index);
	const char *name = link_group_name(group);
	char path[CONFIG_PATH_ROOM];

	snprintf(path, sizeof(path), extra->is_list ? "%s[%zu].name" : "%s.name",
	    extra->table->name, index);
	if (name != NULL && !instance_name_is_good(name))
		conf_error(errors, config_where(c, link_group_where(group)), path,
		    "must be 1 to %d letters, digits, \"-\", \"_\" or \".\"",
		    INSTANCE_NAME_MAX);
	for (size_t i = 0; i < index; i++) {
		if (!names_are_same(link_group_name(group_at(extra, i)), name))
			continue;
		if (name != NULL)
			conf_error(errors, config_where(c, link_group_where(group)), path,
			    "\"%s\" is the name of %s[%zu] already", name, extra->table->name,
			    i);
		else
			conf_error(errors, config_where(c, link_group_where(group)), path,
			    "is missing, as it is in %s[%zu]: only one group can be without",
			    extra->table->name, i);
		return;
	}
}

void
config_check_instances(const struct loaded_config *c, struct conf_errors *errors)
{
	for (size_t i = 0; i < c->link_count; i++) {
		for (size_t j = 0; j < c->groups[i].count; j++)
			check_instance(c, &c->groups[i], j, errors);
	}
}

/* ---- links ---- */

static void
report_unknown_link(const struct chain_load *load, const char *path, const char *name)
{
	const char *names[NAMES_MAX];
	size_t count = 0;
	const char *near;

	for (; count < builtin_link_count && count < ARRAY_LEN(names); count++)
		names[count] = builtin_links[count]->name;
	near = conf_nearest(name, names, count);
	conf_error(load->errors, config_where(load->config, load->service->where), path,
	    "there is no link \"%s\"%s%s%s", name, near != NULL ? " (did you mean \"" : "",
	    near != NULL ? near : "", near != NULL ? "\"?)" : "");
}

static struct loaded_plugin *
find_plugin(const struct loaded_config *c, struct view path)
{
	for (size_t i = 0; i < c->plugin_count; i++) {
		if (view_eq(path, view_of(c->plugins[i].path)))
			return &c->plugins[i];
	}
	return NULL;
}

/* check_plugin_name - two shared objects cannot have one group. */
static const char *
check_plugin_name(struct loaded_config *c, const struct link *link)
{
	for (size_t i = 0; i < c->plugin_count; i++) {
		const struct loaded_plugin *other = &c->plugins[i];

		if (other->link != NULL && strcmp(other->link->name, link->name) == 0)
			return arena_printf(&c->arena, "\"%s\" is the link in %s already",
			    link->name, other->path);
	}
	for (const struct conf_row *row = config_table.rows; row->key != NULL; row++) {
		if (strcmp(row->key, link->name) == 0)
			return arena_printf(&c->arena,
			    "\"%s\" is a key of the configuration: the link needs another name",
			    link->name);
	}
	return NULL;
}

static void
load_plugin(struct loaded_config *c, const struct called *called)
{
	struct loaded_plugin plugin = { .path = arena_strdup(&c->arena, called->link) };
	struct err err;

	plugin.link = plugin_load(plugin.path, &err);
	if (plugin.link == NULL)
		plugin.why = arena_strdup(&c->arena, view_of(err.text));
	else
		plugin.why = check_plugin_name(c, plugin.link);
	if (plugin.why != NULL)
		plugin.link = NULL;
	c->plugins[c->plugin_count++] = plugin;
}

void
config_load_links(struct loaded_config *c)
{
	static const char *const paths[] = { "submission.chain", "inbound.chain" };
	struct conf_strings chains[ARRAY_LEN(paths)];
	size_t room = 0;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		chains[i] = conf_peek_strings(c->file, paths[i], &c->arena);
		room += chains[i].count;
	}
	c->plugins = arena_alloc(&c->arena, (room + 1) * sizeof(*c->plugins));
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		for (size_t j = 0; j < chains[i].count; j++) {
			const struct called called = called_of(chains[i].items[j]);

			if (called.is_plugin && find_plugin(c, called.link) == NULL)
				load_plugin(c, &called);
		}
	}
	room += builtin_link_count;
	c->links = arena_alloc(&c->arena, room * sizeof(*c->links));
	c->groups = arena_alloc(&c->arena, room * sizeof(*c->groups));
	for (; c->link_count < builtin_link_count; c->link_count++)
		c->links[c->link_count] = builtin_links[c->link_count];
	for (size_t i = 0; i < c->plugin_count; i++) {
		if (c->plugins[i].link != NULL)
			c->links[c->link_count++] = c->plugins[i].link;
	}
	for (size_t i = 0; i < c->link_count; i++)
		c->groups[i].table = link_group_table(c->links[i], &c->arena);
}

/* find_link - its number; SIZE_MAX: an error was added. */
static size_t
find_link(const struct chain_load *load, const char *path, const struct called *called)
{
	const struct loaded_config *c = load->config;
	const struct loaded_plugin *plugin =
	    called->is_plugin ? find_plugin(c, called->link) : NULL;

	for (size_t i = 0; i < c->link_count; i++) {
		if (plugin != NULL ? c->links[i] == plugin->link
				   : i < builtin_link_count &&
					 view_eq(called->link, view_of(c->links[i]->name)))
			return i;
	}
	if (plugin != NULL)
		conf_error(load->errors, config_where(c, load->service->where), path, "%s",
		    plugin->why);
	else
		report_unknown_link(load, path, called->whole);
	return SIZE_MAX;
}

/* ---- a name of a chain ---- */

/* report_instance - no group of the link has the name: say what there is. */
static void
report_instance(const struct chain_load *load, const char *path, const struct called *called,
    const struct conf_extra *extra)
{
	const struct conf_where where = config_where(load->config, load->service->where);
	struct buf names;

	buf_init(&names, 1024);
	for (size_t i = 0; i < extra->count; i++) {
		const char *name = link_group_name(group_at(extra, i));

		/* over the cap: the rest is not listed */
		if (name != NULL && !buf_printf(&names, "%s\"%s:%s\"",
					names.len > 0 ? ", " : "", extra->table->name, name))
			break;
	}
	if (names.len == 0)
		conf_error(load->errors, where, path,
		    "no group of \"%s\" has name = \"%s\": write %s: ( { name = \"%s\"; ... } "
		    ")",
		    extra->table->name, called->instance, extra->table->name, called->instance);
	else if (called->instance == NULL)
		conf_error(load->errors, where, path,
		    "every group of \"%s\" has a name: which one is it? %.*s", called->whole,
		    (int)names.len, names.p);
	else
		conf_error(load->errors, where, path,
		    "no group of \"%s\" has name = \"%s\"; there is %.*s", extra->table->name,
		    called->instance, (int)names.len, names.p);
	buf_finish(&names);
}

/* find_group - the settings that are called; NULL: an error was added. */
static const void *
find_group(const struct chain_load *load, const char *path, const struct called *called,
    const struct conf_extra *extra)
{
	for (size_t i = 0; i < extra->count; i++) {
		const void *group = group_at(extra, i);

		if (names_are_same(link_group_name(group), called->instance))
			return group;
	}
	report_instance(load, path, called, extra);
	return NULL;
}

/* check_place - is it in the chain already, or where it makes no sense? */
static bool
check_place(
    const struct chain_load *load, size_t index, const char *path, const struct called *called)
{
	const struct conf_where where = config_where(load->config, load->service->where);

	for (size_t i = 0; i < index; i++) {
		if (strcmp(load->service->chain.items[i], called->whole) != 0)
			continue;
		conf_error(load->errors, where, path, "\"%s\" is in this chain already",
		    called->whole);
		return false;
	}
	if (load->role == ROLE_INBOUND && view_eq(called->link, view_of("identity"))) {
		conf_error(load->errors, where, path,
		    "\"identity\" is about logins, and nobody logs in on an inbound listener");
		return false;
	}
	return true;
}

bool
config_load_entry(const struct chain_load *load, size_t index, struct chain_entry *entry)
{
	struct loaded_config *c = load->config;
	const struct called called = called_of(load->service->chain.items[index]);
	char path[CONFIG_PATH_ROOM];
	const void *group;
	size_t link;

	snprintf(path, sizeof(path), "%s.chain[%zu]", load->name, index);
	link = find_link(load, path, &called);
	if (link == SIZE_MAX || !check_place(load, index, path, &called))
		return false;
	group = find_group(load, path, &called, &c->groups[link]);
	if (group == NULL)
		return false;
	*entry = link_group_entry(c->links[link], group);
	entry->name = called.whole;
	if (called.is_plugin)
		entry->name = called.instance == NULL
				  ? c->links[link]->name
				  : arena_printf(&c->arena, "%s:%s", c->links[link]->name,
					called.instance);
	entry->where = config_where(c, entry->where);
	return true;
}
