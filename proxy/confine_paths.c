/* SPDX-License-Identifier: MPL-2.0 */
/* Folders that a serving process opens files in: see proxy/confine_paths.h. */
#include "proxy/confine_paths.h"

#include "lib/base/conf_source.h"
#include "lib/base/mem.h"
#include "proxy/confine_private.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
confine_paths_init(struct confine_paths *paths)
{
	memset(paths, 0, sizeof(*paths));
	arena_init(&paths->arena);
}

void
confine_paths_finish(struct confine_paths *paths)
{
	arena_finish(&paths->arena);
	mem_free(paths->items);
	paths->items = NULL;
	paths->count = paths->room = 0;
}

/* ---- one path ---- */

static bool
has(const struct confine_paths *paths, enum confine_access access, const char *path)
{
	for (size_t i = 0; i < paths->count; i++) {
		if (paths->items[i].access == access && strcmp(paths->items[i].path, path) == 0)
			return true;
	}
	return false;
}

/* put - path is without symbolic links. */
static void
put(struct confine_paths *paths, const struct confine_path *path)
{
	if (has(paths, path->access, path->path))
		return;
	if (paths->count == paths->room) {
		paths->room = paths->room > 0 ? paths->room * 2 : 32;
		paths->items = mem_realloc(paths->items, paths->room * sizeof(*paths->items));
	}
	paths->items[paths->count] = *path;
	paths->items[paths->count].path = arena_strdup(&paths->arena, view_of(path->path));
	paths->items[paths->count++].wanted =
	    arena_strdup(&paths->arena, view_of(path->wanted));
}

/* put_folder_of - file is without symbolic links; in the root folder it stands for itself. */
static void
put_folder_of(struct confine_paths *paths, struct confine_path path, const char *file)
{
	char folder[PATH_MAX];

	if (!view_copy(view_of(file), folder, sizeof(folder)))
		return;
	path.path = dirname(folder);
	if (strcmp(path.path, "/") == 0)
		path.path = file;
	put(paths, &path);
}

/*
 * put_file - the folder that its name is in, where another file may be put in its place, and
 * the one that it really is in, where a symbolic link leads.
 */
static void
put_file(struct confine_paths *paths, struct confine_path path)
{
	char named[PATH_MAX], real[PATH_MAX], real_folder[PATH_MAX];
	struct stat st;

	if (realpath(path.wanted, real) != NULL && stat(real, &st) == 0) {
		if (S_ISDIR(st.st_mode)) {
			path.path = real;
			put(paths, &path);
			return;
		}
		put_folder_of(paths, path, real);
	}
	if (!view_copy(view_of(path.wanted), named, sizeof(named)) ||
	    realpath(dirname(named), real_folder) == NULL || strcmp(real_folder, "/") == 0)
		return;
	path.path = real_folder;
	put(paths, &path);
}

void
confine_paths_add(struct confine_paths *paths, enum confine_access access, const char *wanted,
    const char *key, struct conf_where where)
{
	struct confine_path path = {
		.access = access, .wanted = wanted, .key = key, .where = where
	};
	char real[PATH_MAX];

	if (access == CONFINE_READ) {
		put_file(paths, path);
		return;
	}
	if (access == CONFINE_WRITE)
		(void)mkdir(wanted, 0700);
	path.path = real;
	if (realpath(wanted, real) != NULL)
		put(paths, &path);
}

/* ---- what the system's libraries read ---- */

static void
add_system(struct confine_paths *paths, enum confine_access access, const char *path)
{
	static const struct conf_where nowhere;
	char real[PATH_MAX];
	const struct confine_path folder = {
		.access = access, .path = real, .wanted = path, .where = nowhere
	};

	if (path != NULL && realpath(path, real) != NULL)
		put(paths, &folder);
}

void
confine_paths_system(struct confine_paths *paths)
{
	static const char *const folders[] = {
		"/etc", /* resolv.conf, hosts, nsswitch.conf, ssl, localtime, ldap.conf */
		"/lib",
		"/lib64",
		"/usr/lib",
		"/usr/lib64",
		"/usr/local/lib", /* modules */
		"/usr/share/zoneinfo",
		"/usr/share/ca-certificates",
		"/usr/local/share/ca-certificates",
		"/sys/devices/system/cpu", /* how many there are: malloc, libraries */
		"/dev/random",
		"/dev/urandom",
	};
	static const char *const files[] = { "/etc/resolv.conf", "/etc/hosts", "/etc/localtime",
		"/etc/nsswitch.conf", "/etc/gai.conf" };
	static const struct conf_where nowhere;
	const char *certificates = getenv(X509_get_default_cert_file_env());

	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		add_system(paths, CONFINE_READ, folders[i]);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) /* where symbolic links lead: /run */
		confine_paths_add(paths, CONFINE_READ, files[i], NULL, nowhere);
	if (certificates != NULL)
		confine_paths_add(paths, CONFINE_READ, certificates, NULL, nowhere);
	add_system(paths, CONFINE_READ, getenv(X509_get_default_cert_dir_env()));
	add_system(paths, CONFINE_READ, X509_get_default_cert_dir());
	add_system(paths, CONFINE_DEVICE, "/dev/null");
	if (CONFINE_SANITIZED) /* its run-time looks at its own process */
		add_system(paths, CONFINE_READ, "/proc");
#ifdef GATEPOST_COVERAGE /* counts are written at the end */
	add_system(paths, CONFINE_WRITE, GATEPOST_COVERAGE);
	add_system(paths, CONFINE_WRITE, getenv("GCOV_PREFIX"));
#endif
}

/* ---- what the configuration names ---- */

/*
 * has_wal - is it a SQLite database with a write-ahead log? Its readers, too, write: they make
 * and lock the files beside it (https://www.sqlite.org/fileformat.html 1.3.3).
 */
static bool
has_wal(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	unsigned char header[20];
	bool is_wal;

	if (fd < 0)
		return false;
	is_wal = read(fd, header, sizeof(header)) == (ssize_t)sizeof(header) &&
		 memcmp(header, "SQLite format 3", 16) == 0 && header[18] == 2;
	(void)close(fd);
	return is_wal;
}

/* add_databases - the folders of those that are written beside. */
static void
add_databases(struct confine_paths *paths, const struct conf_list *tables)
{
	const struct table_config *items = tables->items;
	char folder[PATH_MAX];

	for (size_t i = 0; i < tables->count; i++) {
		if (items[i].file != NULL && has_wal(items[i].file) &&
		    realpath(items[i].file, folder) != NULL)
			confine_paths_add(
			    paths, CONFINE_WRITE, dirname(folder), "file", items[i].where);
	}
}

/* access_of - the keys that name something to write in. */
static enum confine_access
access_of(const struct conf_table *table, const struct conf_row *row)
{
	static const struct {
		const char *table, *key;
	} written[] = {
		{ "proxy.conf", "state_dir" },
		{ "upstreams", "maildir" },
	};

	for (size_t i = 0; i < ARRAY_LEN(written); i++) {
		if (strcmp(table->name, written[i].table) == 0 &&
		    strcmp(row->key, written[i].key) == 0)
			return CONFINE_WRITE;
	}
	return CONFINE_READ;
}

/* add_name - a table in a file has no CONF_PATH: it is one of several kinds of names. */
static void
add_name(struct confine_paths *paths, const char *name, const struct conf_row *row,
    struct conf_where where)
{
	static const char prefix[] = "file:/";

	if (strncmp(name, prefix, sizeof(prefix) - 1) == 0)
		confine_paths_add(
		    paths, CONFINE_READ, name + sizeof(prefix) - 2, row->key, where);
}

static void walk(struct confine_paths *paths, const struct conf_table *table,
    const void *values, struct conf_where above);

static void
walk_list(struct confine_paths *paths, const struct conf_table *table, const char *items,
    size_t count, struct conf_where above)
{
	for (size_t i = 0; i < count; i++)
		walk(paths, table, items + i * table->size, above);
}

static void
walk_row(struct confine_paths *paths, const struct conf_table *table,
    const struct conf_row *row, const void *member, struct conf_where where)
{
	const struct conf_strings *strings = member;
	const struct conf_list *list = member;
	const char *text;

	switch (row->type) {
	case CONF_PATH:
		text = *(const char *const *)member;
		if (text != NULL)
			confine_paths_add(paths, access_of(table, row), text, row->key, where);
		break;
	case CONF_STRING:
		text = *(const char *const *)member;
		if (text != NULL)
			add_name(paths, text, row, where);
		break;
	case CONF_STRINGS:
		for (size_t i = 0; i < strings->count; i++)
			add_name(paths, strings->items[i], row, where);
		break;
	case CONF_GROUP:
		walk(paths, row->table, member, where);
		break;
	case CONF_LIST:
		walk_list(paths, row->table, list->items, list->count, where);
		break;
	case CONF_BOOL:
	case CONF_INT:
	case CONF_SIZE:
	case CONF_DURATION:
	case CONF_ENUM:
	case CONF_SECRET:
		break;
	}
}

/* walk - recursion ends with the tables' nesting. */
static void
walk(struct confine_paths *paths, const struct conf_table *table, const void *values,
    struct conf_where above)
{
	struct conf_where where = above;

	if (table->where_offset != SIZE_MAX)
		memcpy(&where, (const char *)values + table->where_offset, sizeof(where));
	if (where.line == 0)
		where = above;
	for (const struct conf_row *row = table->rows; row->key != NULL; row++)
		walk_row(paths, table, row, (const char *)values + row->offset, where);
}

/* add_sources - the file, and those that it includes. */
static void
add_sources(struct confine_paths *paths, const struct loaded_config *config)
{
	struct conf_errors ignored; /* the file has been read already */
	struct conf_source source;

	conf_errors_init(&ignored);
	confine_paths_add(paths, CONFINE_READ, config->file, "the configuration",
	    (struct conf_where){ .file = config->file });
	if (conf_source_read(&source, config->file, &paths->arena, &ignored)) {
		for (size_t i = 0; i < source.count; i++)
			confine_paths_add(paths, CONFINE_READ, source.marks[i].where.file,
			    "an include", source.marks[i].where);
	}
	conf_source_finish(&source);
	conf_errors_finish(&ignored);
}

void
confine_paths_gather(struct confine_paths *paths, const struct loaded_config *config)
{
	const struct conf_where file = { .file = config->file };

	add_sources(paths, config);
	for (size_t i = 0; i < config->plugin_count; i++)
		confine_paths_add(
		    paths, CONFINE_READ, config->plugins[i].path, "a plugin", file);
	walk(paths, &config_table, &config->config, file);
	add_databases(paths, &config->config.tables);
	for (size_t i = 0; i < config->link_count; i++)
		walk_list(paths, config->groups[i].table, config->groups[i].target_out,
		    config->groups[i].count, file);
}

/* ---- a reload ---- */

static bool
is_held(const struct confine_paths *held, const struct stat *st, enum confine_access access)
{
	for (size_t i = 0; i < held->count; i++) {
		const struct confine_path *path = &held->items[i];

		if (path->is_held && path->device == st->st_dev && path->inode == st->st_ino &&
		    (access == CONFINE_READ || path->access == access))
			return true;
	}
	return false;
}

/* is_below - path, or a folder above it, is held; so is what cannot be looked at. */
static bool
is_below(const struct confine_paths *held, const struct confine_path *wanted)
{
	char path[PATH_MAX];
	struct stat st;
	char *slash;

	if (!view_copy(view_of(wanted->path), path, sizeof(path)))
		return true;
	do {
		if (stat(path, &st) != 0 || is_held(held, &st, wanted->access))
			return true;
		slash = strrchr(path, '/');
		if (slash == path && slash[1] != '\0')
			slash[1] = '\0'; /* the root folder is the last one */
		else if (slash != NULL)
			*slash = '\0';
	} while (path[0] != '\0');
	return false;
}

static bool
has_landlock(const struct confine_paths *held)
{
	size_t i = 0;

	while (i < held->count && !held->items[i].is_held)
		i++;
	return i < held->count;
}

void
confine_paths_explain(
    const struct confine_paths *held, const char *file, struct conf_errors *errors)
{
	const char *denied = strerror(EACCES);
	size_t i = 0;

	while (i < errors->count && strstr(errors->lines[i], denied) == NULL)
		i++;
	if (i < errors->count && has_landlock(held))
		conf_error(errors, (struct conf_where){ .file = file }, "confine",
		    "the folders that this process may read were settled at its start "
		    "(landlock): for another one it must be restarted");
}

bool
confine_paths_cover(const struct confine_paths *held, const struct confine_paths *wanted,
    struct conf_errors *errors)
{
	const size_t errors_before = errors->count;

	for (size_t i = 0; has_landlock(held) && i < wanted->count; i++) {
		const struct confine_path *path = &wanted->items[i];

		if (!is_below(held, path))
			conf_error(errors, path->where, path->key,
			    "%s: this process was not started for %s the folder %s: restart "
			    "it instead (confine, landlock)",
			    path->wanted,
			    path->access == CONFINE_READ ? "reading" : "writing in",
			    path->path);
	}
	return errors->count == errors_before;
}
