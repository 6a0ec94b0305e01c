/* SPDX-License-Identifier: MPL-2.0 */
/* All tables of a configuration: making, finding, asking, and who is down. See table.h. */
#include "lib/table/table_set.h"

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/table/table_cache.h"
#include "lib/table/table_file.h"
#include "lib/table/table_pool.h"

#include <pthread.h>

#define RETRY_MS  1000 /* until a table that is down is tried again */
#define ENOUGH_MS 1000 /* a table that is silent for so long is down, whatever its timeout */

METRIC_COUNTER(
    lookups, "gatepost_table_lookups_total", "Look-ups in tables.", "table", "result", "from");

struct table {
	struct table *next; /* in the set */
	char *name;	    /* owned: "ldap:people" */
	int64_t timeout_ms;
	struct table_file *file;   /* owned; of a file, else NULL; it is never down */
	struct table_pool *pool;   /* owned; of the others */
	struct table_cache *cache; /* owned, or NULL */

	pthread_mutex_t lock;
	bool is_down;	     /* guarded by lock */
	bool is_tried;	     /* guarded by lock: somebody tries whether it is up again */
	int64_t retry_at_ms; /* guarded by lock: while it is down */
	char why[sizeof(((struct err *)NULL)->text)]; /* guarded by lock: of the last failure */
};

struct table_set {
	pthread_mutex_t lock;
	struct table *tables; /* owned; guarded by lock */
};

static const struct table_kind *const kinds[] = {
	[TABLE_SQLITE] = &table_kind_sqlite,
	[TABLE_LDAP] = &table_kind_ldap,
	[TABLE_REDIS] = &table_kind_redis,
};

/* ---- making ---- */

static void
add(struct table_set *set, struct table *table)
{
	pthread_mutex_init(&table->lock, NULL);
	table->next = set->tables;
	set->tables = table;
}

static struct table *
find(const struct table_set *set, const char *name)
{
	struct table *table = set->tables;

	while (table != NULL && strcmp(table->name, name) != 0)
		table = table->next;
	return table;
}

static char *
make_name(const char *kind, const char *name)
{
	struct arena arena;
	char *out;

	arena_init(&arena);
	out = mem_strdup(arena_printf(&arena, "%s:%s", kind, name));
	arena_finish(&arena);
	return out;
}

/* read_password - the first line of the file. */
static bool
read_password(const char *path, struct secret *out, struct err *err)
{
	struct buf text;
	struct view line;
	bool ok;

	buf_init(&text, 8192);
	ok = file_read(path, &text, err);
	if (ok) {
		line =
		    view_trim(view_make(buf_view(&text).p, view_find(buf_view(&text), '\n')));
		ok = (line.len > 0 && secret_set(out, line)) ||
		     err_set(err, ERR_CONFIG, "its first line is no password");
	}
	if (text.p != NULL)
		secret_wipe(text.p, text.len);
	buf_finish(&text);
	return ok;
}

static void
add_configured(
    struct table_set *set, const struct table_config *config, struct conf_errors *errors)
{
	const struct table_kind *kind = kinds[config->type];
	struct secret password;
	struct err err = { .kind = ERR_NONE };
	struct table *table;

	if (config->name == NULL || !kind->check(config, errors))
		return;
	secret_init(&password);
	if (config->password_file != NULL &&
	    !read_password(config->password_file, &password, &err)) {
		conf_error(errors, config->where, "tables.password_file", "%s: %s",
		    config->password_file, err.text);
		return;
	}
	table = mem_calloc(1, sizeof(*table));
	table->name = make_name(kind->name, config->name);
	table->timeout_ms = config->timeout_ms;
	table->pool = table_pool_create(kind, config, &password);
	if (kind->is_cached && config->cache_entries > 0)
		table->cache = table_cache_create(
		    (size_t)config->cache_entries, config->cache_ms, config->cache_absent_ms);
	secret_finish(&password);
	if (find(set, table->name) != NULL)
		conf_error(errors, config->where, "tables.name", "\"%s\" is there twice",
		    config->name);
	add(set, table);
}

struct table_set *
table_set_create(const struct table_config *configs, size_t count, struct conf_errors *errors)
{
	struct table_set *set = mem_calloc(1, sizeof(*set));
	const size_t errors_before = errors->count;

	pthread_mutex_init(&set->lock, NULL);
	for (size_t i = 0; i < count; i++)
		add_configured(set, &configs[i], errors);
	if (errors->count > errors_before)
		table_set_destroy(&set);
	return set;
}

static void
destroy(struct table *table)
{
	table_file_destroy(&table->file);
	table_pool_destroy(&table->pool);
	table_cache_destroy(&table->cache);
	pthread_mutex_destroy(&table->lock);
	mem_free(table->name);
	mem_free(table);
}

void
table_set_destroy(struct table_set **set)
{
	if (*set == NULL)
		return;
	while ((*set)->tables != NULL) {
		struct table *table = (*set)->tables;

		(*set)->tables = table->next;
		destroy(table);
	}
	pthread_mutex_destroy(&(*set)->lock);
	mem_free(*set);
	*set = NULL;
}

/* ---- finding ---- */

static struct table *
make_file(struct table_set *set, const char *name, struct conf_errors *errors)
{
	const char *path = name + strlen("file:");
	struct table_file *file = table_file_create(path, errors);
	struct table *table;

	if (file == NULL)
		return NULL;
	table = mem_calloc(1, sizeof(*table));
	table->name = mem_strdup(name);
	table->file = file;
	add(set, table);
	return table;
}

/* report_unknown - which name was near. */
static void
report_unknown(const struct table_set *set, const char *name, struct conf_where where,
    const char *path, struct conf_errors *errors)
{
	const char *names[64], *near;
	size_t count = 0;

	for (const struct table *t = set->tables; t != NULL && count < ARRAY_LEN(names);
	     t = t->next)
		names[count++] = t->name;
	near = conf_nearest(name, names, count);
	conf_error(errors, where, path,
	    "there is no table \"%s\"%s%s%s: it is \"file:/PATH\", or \"TYPE:NAME\" of one of "
	    "the list \"tables\"",
	    name, near != NULL ? " (did you mean \"" : "", near != NULL ? near : "",
	    near != NULL ? "\"?)" : "");
}

struct table *
table_find(struct table_set *set, const char *name, struct conf_where where, const char *path,
    struct conf_errors *errors)
{
	struct table *table;

	if (set == NULL) {
		conf_error(errors, where, path, "there are no tables here");
		return NULL;
	}
	pthread_mutex_lock(&set->lock);
	table = find(set, name);
	if (table == NULL && view_starts(view_of(name), VIEW("file:/")))
		table = make_file(set, name, errors);
	else if (table == NULL)
		report_unknown(set, name, where, path, errors);
	pthread_mutex_unlock(&set->lock);
	return table;
}

void
table_set_each_file(
    struct table_set *set, void (*each)(void *context, const char *path), void *context)
{
	pthread_mutex_lock(&set->lock);
	for (const struct table *t = set->tables; t != NULL; t = t->next) {
		if (t->file != NULL)
			each(context, t->name + strlen("file:"));
	}
	pthread_mutex_unlock(&set->lock);
}

const char *
table_name(const struct table *table)
{
	return table->name;
}

/* ---- who is down ---- */

/* may_ask - false: it is down, and it is not for the caller to try it again. */
static bool
may_ask(struct table *table, struct err *err)
{
	bool may;

	pthread_mutex_lock(&table->lock);
	may = !table->is_down || (!table->is_tried && clock_mono_ms() >= table->retry_at_ms);
	table->is_tried |= table->is_down && may;
	if (!may)
		(void)err_set(err, ERR_TEMP, "%s", table->why);
	pthread_mutex_unlock(&table->lock);
	return may;
}

/* note - what asking it came to. err: of a failure; NULL: it answered. */
static void
note(struct table *table, const struct err *err)
{
	bool was_down;

	pthread_mutex_lock(&table->lock);
	was_down = table->is_down;
	table->is_down = err != NULL;
	table->is_tried = false;
	if (err != NULL) {
		table->retry_at_ms = clock_mono_ms() + RETRY_MS;
		(void)view_copy(view_of(err->text), table->why, sizeof(table->why));
	}
	pthread_mutex_unlock(&table->lock);
	if (err != NULL && !was_down)
		log_event(LEVEL_ERROR, "table.down", LOG_STR("table", table->name),
		    LOG_STR("kind", err_kind_name(err->kind)), LOG_STR("reason", err->text));
	else if (err == NULL && was_down)
		log_event(LEVEL_INFO, "table.up", LOG_STR("table", table->name));
}

/* give_up - the caller had no time to find out: somebody else may try. */
static void
give_up(struct table *table)
{
	pthread_mutex_lock(&table->lock);
	table->is_tried = false;
	pthread_mutex_unlock(&table->lock);
}

/* ---- asking ---- */

static enum table_result
ask_pool(struct table *table, struct view key, int64_t deadline_ms, struct table_answer *answer,
    struct err *err)
{
	const int64_t began_ms = clock_mono_ms(), own_ms = began_ms + table->timeout_ms;
	const int64_t enough_ms = table->timeout_ms < ENOUGH_MS ? table->timeout_ms : ENOUGH_MS;
	enum table_result result;

	if (!may_ask(table, err))
		return TABLE_DOWN;
	result = table_pool_ask(
	    table->pool, key, own_ms < deadline_ms ? own_ms : deadline_ms, answer, err);
	if (result != TABLE_DOWN || answer->is_bad)
		note(table, NULL);
	else if (err->kind == ERR_TIMEOUT && clock_mono_ms() - began_ms < enough_ms)
		give_up(table);
	else
		note(table, err);
	if (result != TABLE_DOWN && table->cache != NULL)
		table_cache_put(table->cache, key, result, answer);
	return result;
}

static bool
is_key(struct view key)
{
	return key.len > 0 && key.len <= TABLE_KEY_MAX && view_find(key, '\0') == key.len;
}

/* ask - *from_out: where the answer came from, for the metric. */
static enum table_result
ask(struct table *table, struct view key, int64_t deadline_ms, struct table_answer *answer,
    struct err *err, const char **from_out)
{
	enum table_result result;

	*from_out = "table";
	if (!is_key(key))
		return TABLE_ABSENT;
	if (table->file != NULL)
		return table_file_ask(table->file, key, answer);
	if (table->cache != NULL && table_cache_find(table->cache, key, answer, &result)) {
		*from_out = "cache";
		return result;
	}
	return ask_pool(table, key, deadline_ms, answer, err);
}

enum table_result
table_lookup(struct table *table, struct view key, int64_t deadline_ms, struct arena *arena,
    struct table_values *values_out, struct err *err)
{
	static const char *const names[] = {
		[TABLE_FOUND] = "found", [TABLE_ABSENT] = "absent", [TABLE_DOWN] = "down"
	};
	struct table_answer answer = { .arena = arena };
	struct err why = { .kind = ERR_NONE };
	const char *from;
	const enum table_result result = ask(table, key, deadline_ms, &answer, &why, &from);

	metric_add(&lookups, 1, METRIC_LABELS(table->name, names[result], from));
	*values_out =
	    (struct table_values){ answer.values, result == TABLE_FOUND ? answer.count : 0 };
	if (result == TABLE_DOWN && err != NULL) {
		*err = why;
		(void)err_prefix(err, "table %s", table->name);
	}
	return result;
}
