/* SPDX-License-Identifier: MPL-2.0 */
/* The keyring: domains in order of their names, each with its selectors. Read-only once filled.
 */
#include "lib/domain/dkim_key.h"

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/mail/domain_name.h"

struct keyring_entry {
	struct dkim_domain domain; /* its selectors are those below */
	struct dkim_selector selectors[DKIM_SELECTORS_MAX];
};

struct dkim_keyring {
	struct arena arena;		/* entries and names */
	struct keyring_entry **entries; /* owned, sorted by name */
	size_t count, room;
};

struct dkim_keyring *
dkim_keyring_create(void)
{
	struct dkim_keyring *r = mem_calloc(1, sizeof(*r));

	arena_init(&r->arena);
	return r;
}

void
dkim_keyring_destroy(struct dkim_keyring **r)
{
	if (*r == NULL)
		return;
	for (size_t i = 0; i < (*r)->count; i++) {
		struct keyring_entry *entry = (*r)->entries[i];

		for (size_t j = 0; j < entry->domain.selector_count; j++)
			dkim_key_destroy(&entry->selectors[j].key);
	}
	arena_finish(&(*r)->arena);
	mem_free((*r)->entries);
	mem_free(*r);
	*r = NULL;
}

bool
dkim_selector_is_valid(struct view selector)
{
	char before = '.'; /* a label begins and ends with a letter or digit */

	if (selector.len > DKIM_SELECTOR_MAX)
		return false;
	for (size_t i = 0; i < selector.len; i++) {
		char c = selector.p[i];

		if (!ascii_is_alnum(c) && (before == '.' || (c != '-' && c != '_' && c != '.')))
			return false;
		if (c == '.' && !ascii_is_alnum(before))
			return false;
		before = c;
	}
	return ascii_is_alnum(before);
}

/* The place of that name: where it is, or where it would have to stand. */
static size_t
keyring_place(const struct dkim_keyring *r, const char *domain, bool *found_out)
{
	size_t low = 0, high = r->count;

	*found_out = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(domain, r->entries[middle]->domain.name);

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

static struct keyring_entry *
keyring_insert(struct dkim_keyring *r, size_t place, const char *domain)
{
	struct keyring_entry *entry = arena_alloc(&r->arena, sizeof(*entry));

	entry->domain.name = arena_strdup(&r->arena, view_of(domain));
	entry->domain.selectors = entry->selectors;
	if (r->count == r->room) {
		r->room = r->room > 0 ? 2 * r->room : 8;
		r->entries = mem_realloc(r->entries, r->room * sizeof(struct keyring_entry *));
	}
	memmove(r->entries + place + 1, r->entries + place,
	    (r->count - place) * sizeof(struct keyring_entry *));
	r->entries[place] = entry;
	r->count++;
	return entry;
}

static bool
keyring_has(const struct dkim_domain *domain, const char *selector)
{
	for (size_t i = 0; i < domain->selector_count; i++) {
		if (view_eq_nocase(view_of(domain->selectors[i].selector), view_of(selector)))
			return true;
	}
	return false;
}

static bool
keyring_add(struct dkim_keyring *r, const char *domain, const char *selector,
    struct dkim_key *key, struct err *err)
{
	char name[DOMAIN_NAME_MAX];
	bool found;

	if (!domain_to_ascii(view_of(domain), name))
		return err_set(err, ERR_CONFIG, "\"%s\" is not a domain name", domain);
	if (!dkim_selector_is_valid(view_of(selector)))
		return err_set(err, ERR_CONFIG,
		    "\"%s\" is not a selector (letters, digits, hyphens, dots)", selector);
	if (strlen(selector) + strlen("._domainkey.") + strlen(name) > DOMAIN_NAME_MAX - 1)
		return err_set(err, ERR_CONFIG, "%s._domainkey.%s is too long for the DNS",
		    selector, name);
	size_t place = keyring_place(r, name, &found);
	struct keyring_entry *entry =
	    found ? r->entries[place] : keyring_insert(r, place, name);
	if (keyring_has(&entry->domain, selector))
		return err_set(
		    err, ERR_CONFIG, "%s has selector \"%s\" already", name, selector);
	if (entry->domain.selector_count == DKIM_SELECTORS_MAX)
		return err_set(err, ERR_CONFIG, "%s has %d keys already: no more are allowed",
		    name, DKIM_SELECTORS_MAX);
	entry->selectors[entry->domain.selector_count++] = (struct dkim_selector){
		.selector = arena_strdup(&r->arena, view_of(selector)),
		.key = key,
	};
	return true;
}

bool
dkim_keyring_add(struct dkim_keyring *r, const char *domain, const char *selector,
    struct dkim_key *key, struct err *err)
{
	if (keyring_add(r, domain, selector, key, err))
		return true;
	dkim_key_destroy(&key);
	return false;
}

const struct dkim_domain *
dkim_keyring_find(const struct dkim_keyring *r, const char *domain, bool parents)
{
	while (domain != NULL) {
		bool found;
		size_t place = keyring_place(r, domain, &found);
		const char *dot = parents ? strchr(domain, '.') : NULL;

		if (found)
			return &r->entries[place]->domain;
		domain = dot != NULL ? dot + 1 : NULL;
	}
	return NULL;
}

size_t
dkim_keyring_count(const struct dkim_keyring *r)
{
	return r->count;
}

const struct dkim_domain *
dkim_keyring_at(const struct dkim_keyring *r, size_t index)
{
	if (index >= r->count)
		BUG("domain %zu of %zu", index, r->count);
	return &r->entries[index]->domain;
}
