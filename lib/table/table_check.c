/* SPDX-License-Identifier: MPL-2.0 */
/* See table_check.h. */
#include "lib/table/table_check.h"

#include "lib/net/address.h"

#include <stddef.h>
#include <stdio.h>

/* The keys that are strings, and whose they are. */
struct string_key {
	const char *path;
	size_t offset;
	unsigned types, needed_by; /* bits by enum table_type */
};

#define S     (1U << TABLE_SQLITE)
#define L     (1U << TABLE_LDAP)
#define R     (1U << TABLE_REDIS)
#define AT(m) offsetof(struct table_config, m)

static const struct string_key string_keys[] = {
	{ "tables.file", AT(file), S, S },
	{ "tables.query", AT(query), S, S },
	{ "tables.uri", AT(uri), L, L },
	{ "tables.base", AT(base), L, L },
	{ "tables.bind_dn", AT(bind_dn), L, 0 },
	{ "tables.filter", AT(filter), L, L },
	{ "tables.attribute", AT(attribute), L, L },
	{ "tables.server", AT(server), R, R },
	{ "tables.login", AT(login), R, 0 },
	{ "tables.hash", AT(hash), R, 0 },
	{ "tables.key", AT(key), R, 0 },
	{ "tables.password_file", AT(password_file), L | R, 0 },
	{ "tables.ca_file", AT(ca_file), L | R, 0 },
};

static const char *const type_names[] = {
	[TABLE_SQLITE] = "sqlite",
	[TABLE_LDAP] = "ldap",
	[TABLE_REDIS] = "redis",
};

void
table_check_keys(const struct table_config *config, struct conf_errors *errors)
{
	const unsigned type = 1U << config->type;

	for (size_t i = 0; i < ARRAY_LEN(string_keys); i++) {
		const struct string_key *key = &string_keys[i];
		const char *value;

		memcpy(&value, (const char *)config + key->offset, sizeof(value));
		if (value != NULL && (key->types & type) == 0)
			conf_error(errors, config->where, key->path, "is not for type \"%s\"",
			    type_names[config->type]);
		if ((value == NULL || value[0] == '\0') && (key->needed_by & type) != 0)
			conf_error(errors, config->where, key->path,
			    "is missing: type \"%s\" needs it", type_names[config->type]);
	}
}

/* next_percent - the offset of a % behind which stands neither s nor %; or a %s. */
static const char *
next_percent(const char *at)
{
	at = strchr(at, '%');
	while (at != NULL && at[1] == '%')
		at = strchr(at + 2, '%');
	return at;
}

void
table_check_pattern(const struct table_config *config, const char *path, const char *pattern,
    struct conf_errors *errors)
{
	const char *at = next_percent(pattern);

	if (at == NULL)
		conf_error(errors, config->where, path, "has no %%s for the key");
	for (; at != NULL; at = next_percent(at + 1)) {
		if (at[1] == 's')
			continue;
		conf_error(
		    errors, config->where, path, "has a %% that is neither %%s nor %%%%");
		return;
	}
}

void
table_check_secure(const struct table_config *config, const char *host, bool has_tls,
    struct conf_errors *errors)
{
	struct sockaddr_storage address;

	if (has_tls || config->insecure || host == NULL || strcmp(host, "localhost") == 0)
		return;
	if (address_from_host(host, 0, &address) && address_is_loopback(&address))
		return;
	conf_error(errors, config->where, "tables.tls",
	    "is needed to another machine (or insecure = true)");
}

struct view
table_pattern_fill(struct arena *arena, const char *pattern, struct view key)
{
	size_t room = strlen(pattern) + 1, len = 0;
	char *out;

	for (const char *at = pattern; *at != '\0'; at++)
		room += *at == '%' ? key.len : 0;
	out = arena_alloc(arena, room);
	for (const char *at = pattern; *at != '\0'; at++) {
		if (*at != '%' || at[1] == '\0') {
			out[len++] = *at;
		} else if (*++at == 's') {
			memcpy(out + len, key.p, key.len);
			len += key.len;
		} else {
			out[len++] = '%';
		}
	}
	return view_make(out, len);
}
