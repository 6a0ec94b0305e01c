/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Metrics; see metrics.h. The series of a metric stand in a table of slots, found by the hash
 * of their label values. A slot is filled once, by compare and swap, and never emptied: so
 * reading needs no lock.
 */
#include "lib/base/metrics.h"

#include "lib/base/buf.h"
#include "lib/base/mem.h"

#include <pthread.h>
#include <string.h>

struct metric_series {
	char *values[METRIC_LABELS_MAX]; /* owned; NULL behind the last one */
	atomic_int_fast64_t number;
};

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct metric *registry; /* under registry_lock; by name */

void
metric_register(struct metric *m)
{
	struct metric **at = &registry;

	pthread_mutex_lock(&registry_lock);
	while (*at != NULL && strcmp((*at)->name, m->name) < 0)
		at = &(*at)->next;
	if (*at != NULL && strcmp((*at)->name, m->name) == 0)
		BUG("metric %s is there twice", m->name);
	m->next = *at;
	*at = m;
	pthread_mutex_unlock(&registry_lock);
}

/* ---- series ---- */

static size_t
label_count(const struct metric *m)
{
	size_t count = 0;

	while (count < METRIC_LABELS_MAX && m->labels[count] != NULL)
		count++;
	return count;
}

/* FNV-1a over the values, each with its NUL. */
static size_t
hash_values(const char *const *values, size_t count)
{
	uint64_t hash = 14695981039346656037ULL;

	for (size_t i = 0; i < count; i++) {
		const char *p = values[i];
		do {
			hash = (hash ^ (unsigned char)*p) * 1099511628211ULL;
		} while (*p++ != '\0');
	}
	return (size_t)(hash ^ hash >> 32);
}

static bool
series_has(const struct metric_series *s, const char *const *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(s->values[i], values[i]) != 0)
			return false;
	}
	return true;
}

static struct metric_series *
series_create(const char *const *values, size_t count)
{
	struct metric_series *s = mem_calloc(1, sizeof(*s));

	for (size_t i = 0; i < count; i++)
		s->values[i] = mem_strdup(values[i]);
	return s;
}

static void
series_destroy(struct metric_series *s)
{
	for (size_t i = 0; i < METRIC_LABELS_MAX; i++)
		mem_free(s->values[i]);
	mem_free(s);
}

/* fill_slot - with a new series, unless another thread was faster; NULL: there are enough. */
static struct metric_series *
fill_slot(struct metric *m, size_t slot, const char *const *values, size_t count)
{
	struct metric_series *there = NULL, *fresh;

	if (atomic_fetch_add(&m->count, 1) >= METRIC_SERIES_MAX) {
		atomic_fetch_sub(&m->count, 1);
		return NULL;
	}
	fresh = series_create(values, count);
	if (atomic_compare_exchange_strong(&m->slots[slot], &there, fresh))
		return fresh;
	atomic_fetch_sub(&m->count, 1);
	series_destroy(fresh);
	return there;
}

/* find_number - where that combination is counted; made when may_add and there is none yet. */
static atomic_int_fast64_t *
find_number(struct metric *m, const char *const *values, bool may_add)
{
	const size_t count = label_count(m);

	if (count == 0)
		return &m->value;
	for (size_t i = 0; i < count; i++) {
		if (values == NULL || values[i] == NULL)
			BUG("metric %s lacks a value for %s", m->name, m->labels[i]);
	}
	for (size_t at = hash_values(values, count);; at++) {
		const size_t slot = at % METRIC_SLOTS;
		struct metric_series *s = atomic_load(&m->slots[slot]);

		if (s == NULL && !may_add)
			return NULL;
		if (s == NULL)
			s = fill_slot(m, slot, values, count);
		if (s == NULL)
			return &m->other;
		if (series_has(s, values, count))
			return &s->number;
	}
}

void
metric_add(struct metric *m, int64_t n, const char *const values[METRIC_LABELS_MAX])
{
	atomic_fetch_add_explicit(find_number(m, values, true), n, memory_order_relaxed);
}

metric_cell *
metric_find_cell(struct metric *m, const char *const values[METRIC_LABELS_MAX])
{
	return find_number(m, values, true);
}

int64_t
metric_value(struct metric *m, const char *const values[METRIC_LABELS_MAX])
{
	const atomic_int_fast64_t *number = find_number(m, values, false);

	return number != NULL ? (int64_t)atomic_load_explicit(number, memory_order_relaxed) : 0;
}

/* ---- printing ---- */

static bool
print_value(const char *value, struct buf *out)
{
	bool ok = true;

	for (const char *p = value; *p != '\0' && ok; p++) {
		if (*p == '\\' || *p == '"')
			ok = buf_printf(out, "\\%c", *p);
		else if (*p == '\n')
			ok = buf_printf(out, "\\n");
		else
			ok = buf_add_char(out, *p);
	}
	return ok;
}

/* values NULL: "other" for each label. */
static bool
print_series(const struct metric *m, char *const *values, int64_t number, struct buf *out)
{
	bool ok = buf_printf(out, "%s", m->name);

	for (size_t i = 0; i < label_count(m) && ok; i++)
		ok = buf_printf(out, "%s%s=\"", i == 0 ? "{" : ",", m->labels[i]) &&
		     print_value(values != NULL ? values[i] : "other", out) &&
		     buf_printf(out, "\"");
	return ok &&
	       buf_printf(out, "%s %lld\n", label_count(m) > 0 ? "}" : "", (long long)number);
}

static bool
print_metric(struct metric *m, struct buf *out)
{
	const int64_t other = (int64_t)atomic_load(&m->other);
	bool ok = buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name,
	    m->type == METRIC_TYPE_COUNTER ? "counter" : "gauge");

	if (label_count(m) == 0)
		return ok && print_series(m, NULL, (int64_t)atomic_load(&m->value), out);
	for (size_t i = 0; i < METRIC_SLOTS && ok; i++) {
		const struct metric_series *s = atomic_load(&m->slots[i]);
		if (s != NULL)
			ok = print_series(m, s->values, (int64_t)atomic_load(&s->number), out);
	}
	return ok && (other == 0 || print_series(m, NULL, other, out));
}

bool
metrics_print(struct buf *out)
{
	bool ok = true;

	pthread_mutex_lock(&registry_lock);
	for (struct metric *m = registry; m != NULL && ok; m = m->next)
		ok = print_metric(m, out);
	pthread_mutex_unlock(&registry_lock);
	return ok;
}
