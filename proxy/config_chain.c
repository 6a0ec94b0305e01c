/* SPDX-License-Identifier: MPL-2.0 */
/*
 * From the names in a chain to links and their settings. "milter" is the link's group that has
 * no name; "milter:opendkim" is the group of the list `milter` that has this one.
 */
#include "proxy/config_check.h"

#include "lib/base/buf.h"
#include "proxy/links.h"

#include <stdio.h>

#define INSTANCE_NAME_MAX 32 /* octets */
#define NAMES_MAX	  64 /* that an error chooses the nearest from, or lists */

/* A name in a chain, in its two parts. */
struct called {
	const char *whole; /* "milter:opendkim" */
	struct view link;
	const char *instance; /* NULL: none */
};

static struct called
called_of(const char *name)
{
	const char *colon = strchr(name, ':');

	if (colon == NULL)
		return (struct called){ name, view_of(name), NULL };
	return (struct called){ name, view_make(name, (size_t)(colon - name)), colon + 1 };
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
	for (size_t i = 0; i < builtin_link_count; i++) {
		for (size_t j = 0; j < c->groups[i].count; j++)
			check_instance(c, &c->groups[i], j, errors);
	}
}

/* ---- a name of a chain ---- */

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
	const struct called called = called_of(load->service->chain.items[index]);
	char path[CONFIG_PATH_ROOM];
	const void *group;
	size_t link = 0;

	snprintf(path, sizeof(path), "%s.chain[%zu]", load->name, index);
	while (link < builtin_link_count &&
	       !view_eq(called.link, view_of(builtin_links[link]->name)))
		link++;
	if (link == builtin_link_count) {
		report_unknown_link(load, path, called.whole);
		return false;
	}
	if (!check_place(load, index, path, &called))
		return false;
	group = find_group(load, path, &called, &load->config->groups[link]);
	if (group == NULL)
		return false;
	*entry = link_group_entry(builtin_links[link], group);
	entry->name = called.whole;
	entry->where = config_where(load->config, entry->where);
	return true;
}
