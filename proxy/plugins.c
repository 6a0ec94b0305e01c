/* SPDX-License-Identifier: MPL-2.0 */
/* Loading links from shared objects: see proxy/plugins.h. */
#include "proxy/plugins.h"

#include "proxy/links.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_OCTETS 32

/* check_file - what it runs is what root, or whoever runs the gate, has put there. */
static bool
check_file(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return err_set_errno(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CONFIG, "%s is no regular file", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(
		    err, ERR_CONFIG, "%s belongs neither to root nor to this user", path);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_set(err, ERR_CONFIG,
		    "%s can be written by its group or by everybody: chmod go-w", path);
	return true;
}

static bool
name_is_good(const char *name)
{
	const size_t len = name != NULL ? strnlen(name, NAME_MAX_OCTETS + 1) : 0;

	for (size_t i = 0; i < len; i++) {
		const char c = name[i];

		if (!(c >= 'a' && c <= 'z') && !(i > 0 && (ascii_is_digit(c) || c == '_')))
			return false;
	}
	return len > 0 && len <= NAME_MAX_OCTETS;
}

static bool
is_built_in(const char *name)
{
	for (size_t i = 0; i < builtin_link_count; i++) {
		if (strcmp(builtin_links[i]->name, name) == 0)
			return true;
	}
	return false;
}

/* common_key - a key of the link's own that every link has already; NULL: none. */
static const char *
common_key(const struct link *link)
{
	for (const struct conf_row *row = link->settings->rows; row->key != NULL; row++) {
		for (const struct conf_row *own = chain_common_rows; own->key != NULL; own++) {
			if (strcmp(row->key, own->key) == 0)
				return row->key;
		}
	}
	return NULL;
}

static bool
check_settings(const struct link *link, struct err *err)
{
	if (link->settings == NULL)
		return true;
	if (!conf_table_check(link->settings, err))
		return false;
	if (common_key(link) != NULL)
		return err_set(err, ERR_CONFIG, "\"%s\" is a setting that every link has",
		    common_key(link));
	return true;
}

static bool
check_link(const struct link *link, struct err *err)
{
	if (link->abi != LINK_ABI)
		return err_set(err, ERR_CONFIG,
		    "was built for link interface %u, this is %u: build it anew",
		    (unsigned)link->abi, (unsigned)LINK_ABI);
	if (link->size != LINK_SIZE)
		return err_set(err, ERR_CONFIG,
		    "was built with other headers (size %u, not %u): build it anew, with .size "
		    "= "
		    "LINK_SIZE",
		    (unsigned)link->size, (unsigned)LINK_SIZE);
	if (!name_is_good(link->name))
		return err_set(err, ERR_CONFIG,
		    "the link's name must be 1 to %d of a-z, 0-9, \"_\", a letter first",
		    NAME_MAX_OCTETS);
	if (is_built_in(link->name))
		return err_set(err, ERR_CONFIG, "\"%s\" is the name of a link that is built in",
		    link->name);
	if (link->summary == NULL || (link->kind != LINK_POLICY && link->kind != LINK_FILTER))
		return err_set(err, ERR_CONFIG, "the link has no summary, or no kind");
	if (link->connect == NULL && link->helo == NULL && link->mail == NULL &&
	    link->rcpt == NULL && link->message == NULL)
		return err_set(err, ERR_CONFIG, "the link has no hook: it would never run");
	return check_settings(link, err);
}

const struct link *
plugin_load(const char *path, struct err *err)
{
	const struct link *link;
	void *object;

	if (path[0] != '/') {
		err_set(err, ERR_CONFIG, "%s is not an absolute path", path);
		return NULL;
	}
	if (!check_file(path, err))
		return NULL;
	object = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (object == NULL) {
		err_set(err, ERR_CONFIG, "%s", dlerror());
		return NULL;
	}
	link = dlsym(object, PLUGIN_SYMBOL);
	if (link == NULL)
		err_set(
		    err, ERR_CONFIG, "%s has no \"const struct link " PLUGIN_SYMBOL "\"", path);
	else if (!check_link(link, err)) {
		err_prefix(err, "%s", path);
		link = NULL;
	}
	return link; /* the object stays */
}
