/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Tables in an LDAP directory (RFC 4511), by libldap: one search a question. The key stands in
 * the filter as escaped octets (RFC 4515 3), so it is never part of the filter's grammar. The
 * server's certificate is always checked; referrals are not followed, aliases are not
 * dereferenced.
 */
#include "lib/table/table_check.h"
#include "lib/table/table_ldap.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/address.h"
#include "lib/net/lookup.h"

#include <lber.h>
#include <ldap.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>

#define SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt"

struct directory {
	LDAP *handle;
	const struct table_config *config; /* borrowed */
};

/* ---- settings ---- */

static void
check_uri(const struct table_config *config, struct conf_errors *errors)
{
	LDAPURLDesc *url = NULL;
	bool is_local, has_tls;

	if (ldap_url_parse(config->uri, &url) != LDAP_URL_SUCCESS || url->lud_next != NULL ||
	    (url->lud_dn != NULL && url->lud_dn[0] != '\0')) {
		conf_error(errors, config->where, "tables.uri",
		    "\"%s\" is not ldap://HOST, ldaps://HOST or ldapi://PATH", config->uri);
		if (url != NULL)
			ldap_free_urldesc(url);
		return;
	}
	is_local = strcasecmp(url->lud_scheme, "ldapi") == 0;
	has_tls = strcasecmp(url->lud_scheme, "ldaps") == 0;
	if (config->tls == TABLE_TLS_STARTTLS && (has_tls || is_local))
		conf_error(
		    errors, config->where, "tables.tls", "\"starttls\" is for ldap:// alone");
	else if (config->tls == TABLE_TLS_IMPLICIT && !has_tls)
		conf_error(errors, config->where, "tables.tls", "\"implicit\" needs ldaps://");
	else
		table_check_secure(config, is_local ? NULL : url->lud_host,
		    has_tls || config->tls == TABLE_TLS_STARTTLS, errors);
	ldap_free_urldesc(url);
}

static bool
directory_check(const struct table_config *config, struct conf_errors *errors)
{
	const size_t errors_before = errors->count;
	int version = 0;

	table_check_keys(config, errors);
	if (errors->count > errors_before)
		return false;
	check_uri(config, errors);
	table_check_pattern(config, "tables.filter", config->filter, errors);
	/* A password without a name, or none with it, would be an anonymous bind. */
	if ((config->bind_dn != NULL) != (config->password_file != NULL))
		conf_error(
		    errors, config->where, "tables.bind_dn", "and password_file go together");
	/* libldap reads its own defaults at the first call: now, not on a worker. */
	(void)ldap_get_option(NULL, LDAP_OPT_PROTOCOL_VERSION, &version);
	return errors->count == errors_before;
}

/* ---- connecting ---- */

static bool
directory_fail(const struct directory *d, int status, const char *doing, int64_t deadline_ms,
    struct err *err)
{
	char *more = NULL;
	enum err_kind kind = ERR_IO;

	if (clock_mono_ms() >= deadline_ms || status == LDAP_TIMEOUT ||
	    status == LDAP_TIMELIMIT_EXCEEDED)
		kind = ERR_TIMEOUT;
	else if (status > 0) /* the server's word; libldap's own are negative */
		kind = ERR_REFUSED;
	if (d->handle != NULL)
		(void)ldap_get_option(d->handle, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more);
	(void)err_set(err, kind, "%s: %s%s%.120s", doing, ldap_err2string(status),
	    more != NULL && more[0] != '\0' ? ": " : "", more != NULL ? more : "");
	ldap_memfree(more);
	return false;
}

static struct timeval
left_of(int64_t deadline_ms)
{
	const int ms = clock_left_ms(deadline_ms);

	/* Zero would mean for ever. */
	return (struct timeval){ ms / 1000, ms > 0 ? ms % 1000 * 1000 : 1000 };
}

/* set_deadline - of what libldap waits for, also in the midst of an answer. */
static void
set_deadline(const struct directory *d, int64_t deadline_ms)
{
	const struct timeval left = left_of(deadline_ms);
	int fd = -1;

	(void)ldap_set_option(d->handle, LDAP_OPT_NETWORK_TIMEOUT, &left);
	(void)ldap_set_option(d->handle, LDAP_OPT_TIMEOUT, &left);
	if (ldap_get_option(d->handle, LDAP_OPT_DESC, &fd) != LDAP_OPT_SUCCESS || fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &left, sizeof(left));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof(left));
}

static bool
set_number(const struct directory *d, int option, int value)
{
	return ldap_set_option(d->handle, option, &value) == LDAP_OPT_SUCCESS;
}

static bool
set_options(const struct directory *d, struct err *err)
{
	const char *ca_file = d->config->ca_file != NULL ? d->config->ca_file : SYSTEM_CA_FILE;
	bool ok =
	    set_number(d, LDAP_OPT_PROTOCOL_VERSION, LDAP_VERSION3) &&
	    set_number(d, LDAP_OPT_DEREF, LDAP_DEREF_NEVER) &&
	    ldap_set_option(d->handle, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) == LDAP_OPT_SUCCESS;

	if (ok && (d->config->tls != TABLE_TLS_NONE ||
		      strncasecmp(d->config->uri, "ldaps:", strlen("ldaps:")) == 0))
		ok = set_number(d, LDAP_OPT_X_TLS_REQUIRE_CERT, LDAP_OPT_X_TLS_DEMAND) &&
		     set_number(
			 d, LDAP_OPT_X_TLS_PROTOCOL_MIN, LDAP_OPT_X_TLS_PROTOCOL_TLS1_2) &&
		     ldap_set_option(d->handle, LDAP_OPT_X_TLS_CACERTFILE, ca_file) ==
			 LDAP_OPT_SUCCESS &&
		     set_number(d, LDAP_OPT_X_TLS_NEWCTX, 0);
	return ok || err_set(err, ERR_TLS, "libldap refuses the settings (is ca_file one?)");
}

/*
 * find_host - libldap will ask the system's resolver, which knows no deadline: so ask it first
 * where there is one.
 */
static bool
find_host(const struct directory *d, int64_t deadline_ms, struct err *err)
{
	LDAPURLDesc *url = NULL;
	struct sockaddr_storage address;
	struct lookup_answer answer;
	bool ok = true;

	if (ldap_url_parse(d->config->uri, &url) != LDAP_URL_SUCCESS)
		return err_set(err, ERR_CONFIG, "the uri is none");
	if (strcasecmp(url->lud_scheme, "ldapi") != 0 && url->lud_host != NULL &&
	    !address_from_host(url->lud_host, 0, &address))
		ok = lookup_host(url->lud_host, 0, deadline_ms, &answer, err);
	ldap_free_urldesc(url);
	return ok;
}

/* cap_answers - how large one message of the server may be. */
static void
cap_answers(const struct directory *d)
{
	ber_len_t most = 16 * TABLE_ANSWER_MAX;
	Sockbuf *sockbuf = NULL;

	if (ldap_get_option(d->handle, LDAP_OPT_SOCKBUF, &sockbuf) == LDAP_OPT_SUCCESS &&
	    sockbuf != NULL)
		(void)ber_sockbuf_ctrl(sockbuf, LBER_SB_OPT_SET_MAX_INCOMING, &most);
}

static bool
bind_as(const struct directory *d, const struct secret *password, int64_t deadline_ms,
    struct err *err)
{
	struct berval credentials = { password->len, password->p };
	int status;

	if (d->config->bind_dn == NULL)
		return true;
	set_deadline(d, deadline_ms);
	status = ldap_sasl_bind_s(
	    d->handle, d->config->bind_dn, LDAP_SASL_SIMPLE, &credentials, NULL, NULL, NULL);
	return status == LDAP_SUCCESS || directory_fail(d, status, "bind", deadline_ms, err);
}

static bool
connect_to(struct directory *d, int64_t deadline_ms, struct err *err)
{
	int status;

	if (!find_host(d, deadline_ms, err))
		return false;
	status = ldap_initialize(&d->handle, d->config->uri);
	if (status != LDAP_SUCCESS)
		return directory_fail(d, status, "begin", deadline_ms, err);
	if (!set_options(d, err))
		return false;
	set_deadline(d, deadline_ms);
	status = ldap_connect(d->handle);
	if (status != LDAP_SUCCESS)
		return directory_fail(d, status, "connect", deadline_ms, err);
	cap_answers(d);
	if (d->config->tls != TABLE_TLS_STARTTLS)
		return true;
	set_deadline(d, deadline_ms);
	status = ldap_start_tls_s(d->handle, NULL, NULL);
	return status == LDAP_SUCCESS ||
	       directory_fail(d, status, "StartTLS", deadline_ms, err);
}

static void
directory_close(void *connection)
{
	struct directory *d = connection;

	if (d->handle != NULL)
		(void)ldap_unbind_ext(d->handle, NULL, NULL);
	mem_free(d);
}

static void *
directory_open(const struct table_config *config, const struct secret *password,
    int64_t deadline_ms, struct err *err)
{
	struct directory *d = mem_calloc(1, sizeof(*d));

	d->config = config;
	if (connect_to(d, deadline_ms, err) && bind_as(d, password, deadline_ms, err))
		return d;
	directory_close(d);
	return NULL;
}

/* ---- asking ---- */

struct view
table_ldap_escape(struct arena *arena, struct view value)
{
	static const char hex[] = "0123456789abcdef";
	char *out = arena_alloc(arena, 3 * value.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < value.len; i++) {
		const unsigned char c = (unsigned char)value.p[i];

		if (c > ' ' && c < 0x7f && strchr("*()\\", c) == NULL) {
			out[len++] = (char)c;
			continue;
		}
		out[len++] = '\\';
		out[len++] = hex[c >> 4];
		out[len++] = hex[c & 15];
	}
	return view_make(out, len);
}

static bool
add_values(
    const struct directory *d, LDAPMessage *entry, struct table_answer *answer, struct err *err)
{
	struct berval **values = ldap_get_values_len(d->handle, entry, d->config->attribute);
	bool ok = true;

	for (size_t i = 0; values != NULL && values[i] != NULL && ok; i++)
		ok = table_answer_add(
		    answer, view_make(values[i]->bv_val, values[i]->bv_len), err);
	ldap_value_free_len(values);
	return ok;
}

/* finish - what the server said at the end. */
static enum table_result
finish(const struct directory *d, LDAPMessage *message, size_t entries, int64_t deadline_ms,
    struct err *err)
{
	int code = LDAP_OTHER;
	const int status =
	    ldap_parse_result(d->handle, message, &code, NULL, NULL, NULL, NULL, 0);

	if (status == LDAP_SUCCESS && code == LDAP_SUCCESS)
		return entries > 0 ? TABLE_FOUND : TABLE_ABSENT;
	(void)directory_fail(
	    d, status == LDAP_SUCCESS ? code : status, "search", deadline_ms, err);
	return TABLE_DOWN;
}

/* gather - the answers to one search; one message at a time, so that none piles up. */
static enum table_result
gather(const struct directory *d, int id, int64_t deadline_ms, struct table_answer *answer,
    struct err *err)
{
	enum table_result result = TABLE_DOWN;
	size_t entries = 0;
	bool goes_on = true;

	while (goes_on) {
		struct timeval left = left_of(deadline_ms);
		LDAPMessage *message = NULL;
		const int type = ldap_result(d->handle, id, LDAP_MSG_ONE, &left, &message);
		int status = LDAP_SERVER_DOWN;

		if (type == LDAP_RES_SEARCH_ENTRY) {
			entries++;
			goes_on = add_values(d, message, answer, err);
		} else if (type == LDAP_RES_SEARCH_RESULT) {
			result = finish(d, message, entries, deadline_ms, err);
			goes_on = false;
		} else if (type <= 0) {
			if (type < 0)
				(void)ldap_get_option(d->handle, LDAP_OPT_RESULT_CODE, &status);
			(void)directory_fail(
			    d, type == 0 ? LDAP_TIMEOUT : status, "search", deadline_ms, err);
			goes_on = false;
		}
		ldap_msgfree(message);
	}
	if (answer->is_bad)
		(void)ldap_abandon_ext(d->handle, id, NULL, NULL);
	return result;
}

static enum table_result
directory_ask(void *connection, struct view key, int64_t deadline_ms,
    struct table_answer *answer, struct err *err)
{
	static const int scopes[] = { [TABLE_SCOPE_BASE] = LDAP_SCOPE_BASE,
		[TABLE_SCOPE_ONE] = LDAP_SCOPE_ONELEVEL,
		[TABLE_SCOPE_SUB] = LDAP_SCOPE_SUBTREE };
	struct directory *d = connection;
	char *attribute = arena_strdup(answer->arena, view_of(d->config->attribute));
	char *attributes[] = { attribute, NULL };
	const struct view filter = table_pattern_fill(
	    answer->arena, d->config->filter, table_ldap_escape(answer->arena, key));
	struct timeval left = left_of(deadline_ms);
	int id = 0, status;

	set_deadline(d, deadline_ms);
	status = ldap_search_ext(d->handle, d->config->base, scopes[d->config->scope],
	    arena_strdup(answer->arena, filter), attributes, 0, NULL, NULL, &left,
	    TABLE_VALUES_MAX, &id);
	if (status == LDAP_SUCCESS)
		return gather(d, id, deadline_ms, answer, err);
	(void)directory_fail(d, status, "search", deadline_ms, err);
	return TABLE_DOWN;
}

const struct table_kind table_kind_ldap = {
	.name = "ldap",
	.is_cached = true,
	.check = directory_check,
	.open = directory_open,
	.close = directory_close,
	.ask = directory_ask,
};
