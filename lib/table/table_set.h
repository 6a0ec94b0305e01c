/* SPDX-License-Identifier: MPL-2.0 */
/* All tables of a configuration, and the group in the configuration file that tells of each. */
#ifndef GATEPOST_TABLE_TABLE_SET_H
#define GATEPOST_TABLE_TABLE_SET_H

#include "lib/table/table.h"

enum table_type { TABLE_SQLITE, TABLE_LDAP, TABLE_REDIS };
enum table_tls { TABLE_TLS_NONE, TABLE_TLS_STARTTLS, TABLE_TLS_IMPLICIT };
enum table_scope { TABLE_SCOPE_BASE, TABLE_SCOPE_ONE, TABLE_SCOPE_SUB };
enum table_form { TABLE_STRING, TABLE_MEMBERS, TABLE_HASH };

struct table_config {
	struct conf_where where;
	const char *name;
	int type;			   /* enum table_type */
	const char *file, *query;	   /* sqlite */
	const char *uri, *base, *bind_dn;  /* ldap */
	const char *filter, *attribute;	   /* ldap; %s in filter is the key */
	int scope;			   /* ldap; enum table_scope */
	const char *server, *login, *hash; /* redis; login and hash may be NULL */
	const char *key;		   /* redis; %s in it is the key */
	int form;			   /* redis; enum table_form */
	int64_t database;		   /* redis */
	const char *password_file;	   /* ldap, redis; its first line */
	int tls;			   /* ldap, redis; enum table_tls */
	const char *ca_file;		   /* ldap, redis; NULL: the system's */
	bool insecure;			   /* allows no TLS away from this machine */
	int64_t timeout_ms, connections;
	int64_t cache_ms, cache_absent_ms, cache_entries; /* not redis */
};

extern const struct conf_table table_config_table; /* of one item of the list "tables" */

/*
 * table_set_create - checks the items and reads password files; connects to nobody. NULL when
 * an error was added. configs are borrowed and outlive the set.
 */
MUST_CHECK struct table_set *table_set_create(
    const struct table_config *configs, size_t count, struct conf_errors *errors);
void table_set_destroy(struct table_set **set);

/* table_set_each_file - the path of each table in a file that a link has asked for so far. */
void table_set_each_file(
    struct table_set *set, void (*each)(void *context, const char *path), void *context);

#endif
