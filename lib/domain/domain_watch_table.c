/* SPDX-License-Identifier: MPL-2.0 */
/* See domain_watch_table.h. */
#include "lib/domain/domain_watch_table.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"

struct counted_report *
counted_report_hold(struct counted_report *r)
{
	if (r != NULL)
		atomic_fetch_add(&r->references, 1);
	return r;
}

void
counted_report_release(struct counted_report *r)
{
	if (r == NULL || atomic_fetch_sub(&r->references, 1) != 1)
		return;
	arena_finish(&r->arena);
	mem_free(r);
}

static size_t
place_of(const struct watch_table *t, const char *name, bool *found_out)
{
	size_t low = 0, high = t->count;

	*found_out = false;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const int order = strcmp(name, t->domains[middle]->name);

		if (order == 0) {
			*found_out = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct watched *
watch_table_find(const struct watch_table *t, const char *name)
{
	bool found;
	const size_t place = place_of(t, name, &found);

	return found ? t->domains[place] : NULL;
}

struct watched *
watch_table_insert(struct watch_table *t, const char *name, bool is_guest)
{
	bool found;
	const size_t place = place_of(t, name, &found);
	struct watched *d;

	if (found)
		return t->domains[place];
	d = mem_calloc(1, sizeof(*d));
	d->name = mem_strdup(name);
	d->is_guest = is_guest;
	d->used_ms = d->due_ms = clock_mono_ms();
	if (t->count == t->room) {
		t->room = t->room > 0 ? 2 * t->room : 16;
		t->domains = mem_realloc(t->domains, t->room * sizeof(struct watched *));
	}
	memmove(t->domains + place + 1, t->domains + place,
	    (t->count - place) * sizeof(struct watched *));
	t->domains[place] = d;
	t->count++;
	t->guests += is_guest;
	return d;
}

void
watch_table_remove_at(struct watch_table *t, size_t place)
{
	struct watched *d = t->domains[place];

	t->guests -= d->is_guest;
	t->count--;
	memmove(t->domains + place, t->domains + place + 1,
	    (t->count - place) * sizeof(struct watched *));
	counted_report_release(d->report);
	mem_free(d->name);
	mem_free(d);
}

void
watch_table_make_room(struct watch_table *t)
{
	size_t oldest = SIZE_MAX;

	for (size_t i = 0; t->guests >= WATCH_GUESTS_MAX && i < t->count; i++) {
		if (t->domains[i]->is_guest &&
		    (oldest == SIZE_MAX ||
			t->domains[i]->used_ms < t->domains[oldest]->used_ms))
			oldest = i;
	}
	if (oldest != SIZE_MAX)
		watch_table_remove_at(t, oldest);
}

void
watch_table_finish(struct watch_table *t)
{
	while (t->count > 0)
		watch_table_remove_at(t, t->count - 1);
	mem_free(t->domains);
	t->domains = NULL;
	t->room = 0;
}
