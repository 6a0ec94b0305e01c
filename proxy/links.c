/* SPDX-License-Identifier: MPL-2.0 */
/* The built-in links and the tables of their groups: see proxy/links.h. */
#include "proxy/links.h"

#include "filters/filters.h"
#include "policy/policy.h"

#include <stddef.h>

const struct link *const builtin_links[] = {
	&link_access,
	&link_recipient_limit,
	&link_relay_domains,
	&link_identity,
	&link_hop_limit,
	&link_spf,
	&link_dkim_verify,
	&link_arc,
	&link_dmarc,
	&link_auth_results,
	&link_fix_headers,
	&link_bulk_rules,
	&link_milter,
	&link_lua,
	&link_dkim_sign,
	&link_preflight,
};
const size_t builtin_link_count = ARRAY_LEN(builtin_links);

/* What a group's table fills: the link's own struct begins at own, aligned for anything. */
struct link_group {
	struct chain_common common; /* first: chain_common_rows are written for offset 0 */
	struct conf_where where;
	max_align_t own[];
};

static size_t
count_rows(const struct conf_row *rows)
{
	size_t count = 0;

	while (rows != NULL && rows[count].key != NULL)
		count++;
	return count;
}

/* group_size - of the link's struct with ours before it; groups lie in arrays, so it is a
 * multiple of what they are aligned to. */
static size_t
group_size(const struct link *link)
{
	const size_t unit = _Alignof(struct link_group);
	const size_t size = offsetof(struct link_group, own) +
			    (link->settings != NULL ? link->settings->size : 0);

	return (size + unit - 1) / unit * unit;
}

const struct conf_table *
link_group_table(const struct link *link, struct arena *arena)
{
	const struct conf_table *own = link->settings;
	const size_t own_count = own != NULL ? count_rows(own->rows) : 0;
	const size_t common_count = count_rows(chain_common_rows);
	struct conf_table *table = arena_alloc(arena, sizeof(*table));
	struct conf_row *rows =
	    arena_alloc(arena, (own_count + common_count + 1) * sizeof(*rows));

	for (size_t i = 0; i < own_count; i++) {
		rows[i] = own->rows[i];
		rows[i].offset += offsetof(struct link_group, own);
	}
	memcpy(rows + own_count, chain_common_rows, common_count * sizeof(*rows));
	*table = (struct conf_table){
		.name = link->name,
		.help = own != NULL ? own->help : link->summary,
		.size = group_size(link),
		.rows = rows,
		.where_offset = offsetof(struct link_group, where),
	};
	return table;
}

struct chain_entry
link_group_entry(const struct link *link, const void *group)
{
	const struct link_group *g = group;

	return (struct chain_entry){
		.link = link,
		.settings = link->settings != NULL ? (const void *)g->own : NULL,
		.where = g->where,
		.mode = (enum link_mode)g->common.mode,
		.on_error = (enum link_on_error)g->common.on_error,
		.timeout_ms = g->common.timeout_ms,
	};
}

const char *
link_group_name(const void *group)
{
	const struct link_group *g = group;

	return g->common.name;
}

struct conf_where
link_group_where(const void *group)
{
	const struct link_group *g = group;

	return g->where;
}
