/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Tables in an LDAP directory (RFC 4511): one search a question. The key stands in the filter
 * as escaped octets (RFC 4515 3), so it is never part of the filter's grammar. Referrals are
 * not followed, aliases are not dereferenced.
 *
 * libldap speaks the protocol. The octets go over our own stream, which libldap reads and
 * writes through the functions of a Sockbuf_IO: its own waiting holds no deadline in the midst
 * of a message, and its TLS turns in circles while a server is silent. So every wait is in
 * stream_read, and TLS is verified as elsewhere.
 */
#include "lib/table/table_ldap.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/address.h"
#include "lib/table/table_check.h"
#include "lib/table/table_connect.h"

#include <errno.h>
#include <lber.h>
#include <ldap.h>
#include <openldap.h>
#include <stdio.h>
#include <sys/time.h>

#define LDAP_DEFAULT_PORT  389
#define LDAPS_DEFAULT_PORT 636
#define ANSWER_MAX	   (16 * TABLE_ANSWER_MAX) /* octets of one message */
#define FAREWELL_MS	   100

struct directory {
	LDAP *handle;
	struct stream *stream;
	const struct table_config *config; /* borrowed */
	int64_t deadline_ms;		   /* of what is waited for now */
	struct err err;			   /* of the stream, once it has failed */
	bool is_spent;			   /* messages of an older search are still to come */
};

/* ---- settings ---- */

/* unescape - %HH of an ldapi:// path. False: it is malformed, or too long. */
static bool
unescape(struct view text, char *out, size_t room)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (len + 1 >= room)
			return false;
		if (c == '%') {
			const int high = i + 2 < text.len ? ascii_hex_value(text.p[i + 1]) : -1;
			const int low = high >= 0 ? ascii_hex_value(text.p[i + 2]) : -1;

			if (low < 0 || high + low == 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		out[len++] = c;
	}
	out[len] = '\0';
	return true;
}

/* find_server - what the uri says; *is_ldaps_out: TLS from the first octet on. */
static bool
find_server(const struct table_config *config, struct table_server *out, bool *is_ldaps_out,
    struct err *err)
{
	struct view uri = view_of(config->uri);
	char place[TABLE_HOST_MAX];
	const bool is_path = view_starts_nocase(uri, VIEW("ldapi://"));
	const bool is_ldaps = view_starts_nocase(uri, VIEW("ldaps://"));

	if (uri.len > 0 && uri.p[uri.len - 1] == '/')
		uri.len--;
	*out = (struct table_server){ .is_path = is_path };
	*is_ldaps_out = is_ldaps;
	if (is_path)
		return (unescape(view_from(uri, strlen("ldapi://")), place, sizeof(place)) &&
			   place[0] == '/' && table_server_path(view_of(place), out, err)) ||
		       err_set(err, ERR_CONFIG, "is not ldapi:// and a path with %%2F for /");
	if (!is_ldaps && !view_starts_nocase(uri, VIEW("ldap://")))
		return err_set(err, ERR_CONFIG,
		    "\"%s\" is not ldap://HOST, ldaps://HOST or ldapi://PATH", config->uri);
	return (view_copy(view_from(uri, strlen(is_ldaps ? "ldaps://" : "ldap://")), place,
		    sizeof(place)) ||
		   err_set(err, ERR_CONFIG, "is too long")) &&
	       address_split(place, is_ldaps ? LDAPS_DEFAULT_PORT : LDAP_DEFAULT_PORT,
		   out->host, sizeof(out->host), &out->port, err);
}

static void
check_server(const struct table_config *config, struct conf_errors *errors)
{
	struct table_server server;
	struct err err = { .kind = ERR_NONE };
	bool is_ldaps;

	if (!find_server(config, &server, &is_ldaps, &err))
		conf_error(errors, config->where, "tables.uri", "%s", err.text);
	else if (config->tls == TABLE_TLS_STARTTLS && (is_ldaps || server.is_path))
		conf_error(
		    errors, config->where, "tables.tls", "\"starttls\" is for ldap:// alone");
	else if (config->tls == TABLE_TLS_IMPLICIT && !is_ldaps)
		conf_error(errors, config->where, "tables.tls", "\"implicit\" needs ldaps://");
	else
		table_check_secure(config, server.is_path ? NULL : server.host,
		    is_ldaps || config->tls == TABLE_TLS_STARTTLS, errors);
}

static bool
directory_check(const struct table_config *config, struct conf_errors *errors)
{
	const size_t errors_before = errors->count;
	int version = 0;

	table_check_keys(config, errors);
	if (errors->count > errors_before)
		return false;
	check_server(config, errors);
	table_check_pattern(config, "tables.filter", config->filter, errors);
	/* A password without a name, or none with it, would be an anonymous bind. */
	if ((config->bind_dn != NULL) != (config->password_file != NULL))
		conf_error(
		    errors, config->where, "tables.bind_dn", "and password_file go together");
	/* libldap reads its own defaults at the first call: now, not on a worker. */
	(void)ldap_get_option(NULL, LDAP_OPT_PROTOCOL_VERSION, &version);
	return errors->count == errors_before;
}

/* ---- what libldap reads and writes by ---- */

static int
io_setup(Sockbuf_IO_Desc *io, void *directory)
{
	io->sbiod_pvt = directory;
	return 0;
}

static int
io_nothing(Sockbuf_IO_Desc *io UNUSED)
{
	return 0;
}

/* io_control - "there is something to read", always: then libldap does not poll, but reads. */
static int
io_control(Sockbuf_IO_Desc *io UNUSED, int option, void *argument UNUSED)
{
	return option == LBER_SB_OPT_DATA_READY ? 1 : 0;
}

static ber_slen_t
io_read(Sockbuf_IO_Desc *io, void *out, ber_len_t room)
{
	struct directory *d = io->sbiod_pvt;
	const size_t got = stream_read(d->stream, out, room, d->deadline_ms, &d->err);

	if (got == 0)
		errno = ECONNRESET; /* what it was stands in d->err */
	return got > 0 ? (ber_slen_t)got : -1;
}

static ber_slen_t
io_write(Sockbuf_IO_Desc *io, void *octets, ber_len_t len)
{
	struct directory *d = io->sbiod_pvt;

	if (stream_write(d->stream, view_make(octets, len), d->deadline_ms, &d->err))
		return (ber_slen_t)len;
	errno = ECONNRESET;
	return -1;
}

static Sockbuf_IO stream_io = {
	/* libldap wants it writable, and does not write */
	.sbi_setup = io_setup,
	.sbi_remove = io_nothing,
	.sbi_ctrl = io_control,
	.sbi_read = io_read,
	.sbi_write = io_write,
	.sbi_close = io_nothing,
};

/* ---- connecting ---- */

/* fail - the stream's reason, or else what the server or libldap says. Always false. */
static bool
fail(struct directory *d, int status, const char *doing, struct err *err)
{
	char *more = NULL;

	if (d->err.kind != ERR_NONE) {
		*err = d->err;
		return err_prefix(err, "%s", doing);
	}
	if (d->handle != NULL)
		(void)ldap_get_option(d->handle, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more);
	/* The server's own codes are positive. */
	(void)err_set(err,
	    status == LDAP_TIMELIMIT_EXCEEDED ? ERR_TIMEOUT
	    : status > 0		      ? ERR_REFUSED
					      : ERR_PROTOCOL,
	    "%s: %s%s%.120s", doing, ldap_err2string(status),
	    more != NULL && more[0] != '\0' ? ": " : "", more != NULL ? more : "");
	ldap_memfree(more);
	return false;
}

static bool
set_number(const struct directory *d, int option, int value)
{
	return ldap_set_option(d->handle, option, &value) == LDAP_OPT_SUCCESS;
}

/* begin - libldap over the stream that is open. */
static bool
begin(struct directory *d, struct err *err)
{
	ber_len_t most = ANSWER_MAX;
	Sockbuf *sockbuf = NULL;
	/* The URI is not used: what it would say is done already. */
	const int status =
	    ldap_init_fd(stream_fd(d->stream), LDAP_PROTO_EXT, "ldap://table/", &d->handle);

	if (status != LDAP_SUCCESS)
		return fail(d, status, "begin", err);
	if (set_number(d, LDAP_OPT_PROTOCOL_VERSION, LDAP_VERSION3) &&
	    set_number(d, LDAP_OPT_DEREF, LDAP_DEREF_NEVER) &&
	    ldap_set_option(d->handle, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) == LDAP_OPT_SUCCESS &&
	    ldap_get_option(d->handle, LDAP_OPT_SOCKBUF, &sockbuf) == LDAP_OPT_SUCCESS &&
	    ber_sockbuf_add_io(sockbuf, &stream_io, LBER_SBIOD_LEVEL_PROVIDER, d) == 0 &&
	    ber_sockbuf_ctrl(sockbuf, LBER_SB_OPT_SET_MAX_INCOMING, &most) == 1)
		return true;
	return err_set(err, ERR_IO, "libldap refuses its settings");
}

static bool
start_tls(struct directory *d, const struct table_server *server, struct err *err)
{
	struct berval *data = NULL;
	char *oid = NULL;
	const int status = ldap_extended_operation_s(
	    d->handle, LDAP_EXOP_START_TLS, NULL, NULL, NULL, &oid, &data);

	ldap_memfree(oid);
	ber_bvfree(data);
	if (status != LDAP_SUCCESS)
		return fail(d, status, "StartTLS", err);
	return table_start_tls(d->stream, server, d->config, d->deadline_ms, err) ||
	       err_prefix(err, "StartTLS");
}

static bool
bind_as(struct directory *d, const struct secret *password, struct err *err)
{
	struct berval credentials = { password->len, password->p };
	int status;

	if (d->config->bind_dn == NULL)
		return true;
	status = ldap_sasl_bind_s(
	    d->handle, d->config->bind_dn, LDAP_SASL_SIMPLE, &credentials, NULL, NULL, NULL);
	return status == LDAP_SUCCESS || fail(d, status, "bind", err);
}

static bool
connect_to(struct directory *d, const struct secret *password, struct err *err)
{
	struct table_server server;
	bool is_ldaps;

	if (!find_server(d->config, &server, &is_ldaps, err))
		return false;
	d->stream = table_server_connect(&server, d->deadline_ms, err);
	if (d->stream == NULL)
		return false;
	if (is_ldaps && !table_start_tls(d->stream, &server, d->config, d->deadline_ms, err))
		return false;
	return begin(d, err) &&
	       (d->config->tls != TABLE_TLS_STARTTLS || start_tls(d, &server, err)) &&
	       bind_as(d, password, err);
}

static void
directory_close(void *connection)
{
	struct directory *d = connection;

	d->deadline_ms = clock_mono_ms() + FAREWELL_MS;
	if (d->handle != NULL)
		(void)ldap_unbind_ext(d->handle, NULL, NULL);
	stream_close(&d->stream);
	mem_free(d);
}

static void *
directory_open(const struct table_config *config, const struct secret *password,
    int64_t deadline_ms, struct err *err)
{
	struct directory *d = mem_calloc(1, sizeof(*d));

	d->config = config;
	d->deadline_ms = deadline_ms;
	if (connect_to(d, password, err))
		return d;
	directory_close(d);
	return NULL;
}

static bool
directory_is_usable(void *connection)
{
	const struct directory *d = connection;

	return !d->is_spent && stream_is_quiet(d->stream);
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
finish(struct directory *d, LDAPMessage *message, size_t entries, struct err *err)
{
	int code = LDAP_OTHER;
	const int status =
	    ldap_parse_result(d->handle, message, &code, NULL, NULL, NULL, NULL, 0);

	if (status == LDAP_SUCCESS && code == LDAP_SUCCESS)
		return entries > 0 ? TABLE_FOUND : TABLE_ABSENT;
	(void)fail(d, status == LDAP_SUCCESS ? code : status, "search", err);
	return TABLE_DOWN;
}

/* lost - there is no further message. */
static enum table_result
lost(struct directory *d, int type, struct err *err)
{
	int status = LDAP_TIMEOUT;

	if (type < 0)
		(void)ldap_get_option(d->handle, LDAP_OPT_RESULT_CODE, &status);
	(void)fail(d, status, "search", err);
	return TABLE_DOWN;
}

/* gather - the answers to one search; one message at a time, so that none piles up. */
static enum table_result
gather(struct directory *d, int id, struct table_answer *answer, struct err *err)
{
	enum table_result result = TABLE_DOWN;
	size_t entries = 0;
	bool goes_on = true;

	while (goes_on) {
		struct timeval left = { clock_left_ms(d->deadline_ms) / 1000 + 1, 0 };
		LDAPMessage *message = NULL;
		const int type = ldap_result(d->handle, id, LDAP_MSG_ONE, &left, &message);

		if (type == LDAP_RES_SEARCH_ENTRY) {
			entries++;
			goes_on = add_values(d, message, answer, err);
			d->is_spent = !goes_on;
		} else if (type == LDAP_RES_SEARCH_RESULT || type <= 0) {
			result =
			    type > 0 ? finish(d, message, entries, err) : lost(d, type, err);
			goes_on = false;
		}
		ldap_msgfree(message);
	}
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
	struct timeval left = { clock_left_ms(deadline_ms) / 1000 + 1, 0 }; /* the server's */
	int id = 0, status;

	d->deadline_ms = deadline_ms;
	status = ldap_search_ext(d->handle, d->config->base, scopes[d->config->scope],
	    arena_strdup(answer->arena, filter), attributes, 0, NULL, NULL, &left,
	    TABLE_VALUES_MAX, &id);
	if (status == LDAP_SUCCESS)
		return gather(d, id, answer, err);
	(void)fail(d, status, "search", err);
	return TABLE_DOWN;
}

const struct table_kind table_kind_ldap = {
	.name = "ldap",
	.is_cached = true,
	.check = directory_check,
	.open = directory_open,
	.close = directory_close,
	.is_usable = directory_is_usable,
	.ask = directory_ask,
};
