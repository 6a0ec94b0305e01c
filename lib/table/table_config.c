/* SPDX-License-Identifier: MPL-2.0 */
/* The rows of an item of the list "tables". What belongs to which type: the kinds' check. */
#include "lib/table/table_set.h"

#include <stddef.h>

#define MINUTE (60LL * 1000)
#define DAY    (24 * 60 * MINUTE)

#define NAMED(key_, type_, member_) \
	.key = (key_), .type = (type_), .offset = offsetof(struct table_config, member_)

static const struct conf_choice type_choices[] = {
	{ "sqlite", TABLE_SQLITE },
	{ "ldap", TABLE_LDAP },
	{ "redis", TABLE_REDIS },
	{ NULL, 0 },
};

static const struct conf_choice tls_choices[] = {
	{ "none", TABLE_TLS_NONE },
	{ "starttls", TABLE_TLS_STARTTLS },
	{ "implicit", TABLE_TLS_IMPLICIT },
	{ NULL, 0 },
};

static const struct conf_choice scope_choices[] = {
	{ "base", TABLE_SCOPE_BASE },
	{ "one", TABLE_SCOPE_ONE },
	{ "sub", TABLE_SCOPE_SUB },
	{ NULL, 0 },
};

static const struct conf_choice form_choices[] = {
	{ "string", TABLE_STRING },
	{ "set", TABLE_MEMBERS },
	{ "hash", TABLE_HASH },
	{ NULL, 0 },
};

static const struct conf_row rows[] = {
	{ NAMED("name", CONF_STRING, name), .required = true,
	    .help = "What links call it, behind its type: \"ldap:people\"." },
	{ NAMED("type", CONF_ENUM, type), .required = true, .choices = type_choices,
	    .help = "Where it is. (A file needs no item here: \"file:/PATH\".)" },
	{ NAMED("file", CONF_PATH, file), .help = "sqlite: the database, which is only read." },
	{ NAMED("query", CONF_STRING, query),
	    .help = "sqlite: a SELECT with one ? for the key; every column of every row is a "
		    "value, NULL is none." },
	{ NAMED("uri", CONF_STRING, uri),
	    .help =
		"ldap: \"ldap://host\", \"ldaps://host\", \"ldapi://%2Frun%2Fslapd%2Fldapi\"; "
		"a port may follow the host." },
	{ NAMED("base", CONF_STRING, base), .help = "ldap: where the search begins." },
	{ NAMED("scope", CONF_ENUM, scope), .fallback = "sub", .choices = scope_choices,
	    .help = "ldap: that entry, those right below it, or all of the tree." },
	{ NAMED("filter", CONF_STRING, filter),
	    .help = "ldap: the filter, with %s for the key, which is escaped: \"(mail=%s)\"." },
	{ NAMED("attribute", CONF_STRING, attribute),
	    .help = "ldap: whose values are the values." },
	{ NAMED("bind_dn", CONF_STRING, bind_dn),
	    .help = "ldap: who asks, with the password in password_file; without it, "
		    "anonymous." },
	{ NAMED("server", CONF_STRING, server),
	    .help = "redis: \"host:port\", or the path of a unix socket." },
	{ NAMED("key", CONF_STRING, key),
	    .help = "redis: the name to ask for, with %s for the key; without it, the key "
		    "itself." },
	{ NAMED("form", CONF_ENUM, form), .fallback = "string", .choices = form_choices,
	    .help = "redis: what is there: a string (GET), a set (SMEMBERS), or a field of "
		    "hash (HGET)." },
	{ NAMED("hash", CONF_STRING, hash), .help = "redis: the name of the hash." },
	{ NAMED("database", CONF_INT, database), .fallback = "0", .min = 0, .max = 65535,
	    .help = "redis: its number." },
	{ NAMED("login", CONF_STRING, login),
	    .help = "redis: the user of its ACL; without it, the default user." },
	{ NAMED("password_file", CONF_PATH, password_file),
	    .help = "ldap, redis: a file whose first line is the password." },
	{ NAMED("tls", CONF_ENUM, tls), .fallback = "none", .choices = tls_choices,
	    .help = "ldap: \"starttls\" for ldap://, \"implicit\" is ldaps://; redis: \"none\" "
		    "or \"implicit\". The certificate must be good, for the host's name." },
	{ NAMED("ca_file", CONF_PATH, ca_file),
	    .help = "ldap, redis: who may have signed it; without it, the system's list." },
	{ NAMED("insecure", CONF_BOOL, insecure), .fallback = "false",
	    .help = "ldap, redis: allows tls = \"none\" to another machine: whoever is between "
		    "reads the password and writes the answers." },
	{ NAMED("timeout", CONF_DURATION, timeout_ms), .fallback = "5s", .min = 50,
	    .max = 5 * MINUTE,
	    .help = "How long a look-up may take; the link's own time limit holds besides." },
	{ NAMED("connections", CONF_INT, connections), .fallback = "4", .min = 1, .max = 256,
	    .help = "How many look-ups may be under way at a time; others wait." },
	{ NAMED("cache", CONF_DURATION, cache_ms), .fallback = "1m", .min = 0, .max = DAY,
	    .help = "sqlite, ldap: how long what was found is remembered; 0: not at all." },
	{ NAMED("cache_absent", CONF_DURATION, cache_absent_ms), .fallback = "10s", .min = 0,
	    .max = DAY,
	    .help = "sqlite, ldap: how long it is remembered that nothing was found." },
	{ NAMED("cache_entries", CONF_INT, cache_entries), .fallback = "5000", .min = 0,
	    .max = 1000000, .help = "sqlite, ldap: how much is remembered; 0: nothing." },
	{ .key = NULL },
};

const struct conf_table table_config_table = {
	.name = "tables",
	.help = "Where links look things up: access, identity, relay_domains. Each is a "
		"table \"TYPE:NAME\" for them.",
	.size = sizeof(struct table_config),
	.rows = rows,
	.where_offset = offsetof(struct table_config, where),
};
