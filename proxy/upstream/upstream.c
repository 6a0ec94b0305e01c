/* SPDX-License-Identifier: MPL-2.0 */
/* See upstream.h: making and ending an upstream. Its health is in group.c. */
#include "proxy/upstream/upstream.h"

#include "lib/base/mem.h"
#include "lib/net/address.h"
#include "proxy/upstream/group.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* complain - an error of the key of this upstream; always false. */
static bool
complain(const struct config_upstream *config, struct conf_errors *errors, const char *key,
    const char *text)
{
	char path[160];

	snprintf(path, sizeof(path), "upstreams \"%s\": %s", config->name, key);
	conf_error(errors, config->where, path, "%s", text);
	return false;
}

/* read_first_line - of a file that not everybody may read. */
static bool
read_first_line(const char *file, struct secret *out, struct err *err)
{
	char text[4200];
	struct stat st;
	ssize_t n = -1;
	struct view line;
	bool ok = true;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 || fstat(fd, &st) != 0)
		ok = err_set(err, ERR_CONFIG, "%s: %s", file, strerror(errno));
	else if ((st.st_mode & S_IRWXO) != 0)
		ok = err_set(err, ERR_CONFIG,
		    "%s: a password that everybody may read (mode %03o)", file,
		    (unsigned)(st.st_mode & 0777));
	else if ((n = read(fd, text, sizeof(text))) < 0)
		ok = err_set(err, ERR_CONFIG, "%s: %s", file, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (!ok)
		return false;
	line = view_make(text, (size_t)n);
	line.len = view_find(line, '\n');
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (line.len == 0 || !secret_set(out, line))
		ok = err_set(err, ERR_CONFIG, "%s: no password in its first line", file);
	secret_wipe(text, sizeof(text));
	return ok;
}

static bool
load_password(struct upstream *u, struct conf_errors *errors)
{
	const struct config_upstream *c = u->config;
	struct err err = { .kind = ERR_NONE };

	if (c->password_file != NULL)
		return read_first_line(c->password_file, &u->password, &err) ||
		       complain(c, errors, "password_file", err.text);
	if (c->password != NULL && !secret_set(&u->password, view_of(c->password)))
		return complain(c, errors, "password", "is too long");
	if (c->login != NULL && !secret_is_set(&u->password))
		return complain(c, errors, "login", "has no password");
	return true;
}

static bool
add_server(struct upstream *u, const char *text, struct conf_errors *errors)
{
	const struct config_upstream *c = u->config;
	struct group_server *s = &u->servers[u->server_count];
	struct err err = { .kind = ERR_NONE };
	uint16_t port;

	if (u->server_count == GROUP_SERVERS_MAX)
		return complain(c, errors, "servers", "more than 32");
	if (config_is_unix_server(text)) {
		port = 0;
		(void)view_copy(view_of(text + strlen("unix:")), s->host, sizeof(s->host));
	} else if (!address_split(text, c->type == UPSTREAM_LMTP ? 24 : 25, s->host,
		       sizeof(s->host), &port, &err)) {
		return complain(c, errors, "servers", err.text);
	}
	s->target = (struct conn_target){ .host = s->host,
		.port = port,
		.is_lmtp = c->type == UPSTREAM_LMTP,
		.tls = port == 0 ? UPSTREAM_TLS_NONE : (enum upstream_tls)c->tls,
		.tls_name = c->tls_name != NULL ? c->tls_name : s->host,
		.tls_ctx = u->tls_ctx,
		.login = c->login,
		.password = &u->password,
		.helo = c->helo != NULL ? c->helo : u->hostname,
		.connect_timeout_ms = c->connect_timeout_ms };
	conn_target_set_key(&s->target);
	u->server_count++;
	return true;
}

static enum tls_verify
verify_of(enum upstream_tls tls)
{
	switch (tls) {
	case UPSTREAM_TLS_NONE:
	case UPSTREAM_TLS_OPPORTUNISTIC:
		break;
	case UPSTREAM_TLS_REQUIRED:
		return TLS_VERIFY_PEER;
	case UPSTREAM_TLS_DANE:
		return TLS_VERIFY_DANE;
	}
	return TLS_VERIFY_NONE;
}

static bool
set_up_tls(struct upstream *u, struct conf_errors *errors)
{
	const struct config_upstream *c = u->config;
	struct err err = { .kind = ERR_NONE };

	u->tls_ctx = tls_client_create(verify_of((enum upstream_tls)c->tls), c->ca_file, &err);
	if (u->tls_ctx == NULL)
		return complain(c, errors, "ca_file", err.text);
	if (c->certificate != NULL && c->key != NULL &&
	    !tls_use_certificate(u->tls_ctx, c->certificate, c->key, &err))
		return complain(c, errors, "certificate", err.text);
	return true;
}

static bool
set_up_smtp(struct upstream *u, struct conf_errors *errors)
{
	const struct config_upstream *c = u->config;
	const struct pool_limits limits = { .max_idle = (size_t)c->max_idle,
		.max_connections = (size_t)c->max_connections,
		.idle_ms = c->idle_ms };
	bool ok = load_password(u, errors);

	ok &= c->tls == UPSTREAM_TLS_NONE || set_up_tls(u, errors);
	if (c->servers.count == 0)
		ok = complain(c, errors, "servers", "names no server");
	for (size_t i = 0; i < c->servers.count; i++)
		ok &= add_server(u, c->servers.items[i], errors);
	u->pool = pool_create(&limits);
	return ok;
}

/*
 * set_up_maildir - the folder must be there or its parent, in which the first delivery makes
 * it: not here, where only the configuration is checked, and perhaps by another user.
 */
static bool
set_up_maildir(struct upstream *u, struct conf_errors *errors)
{
	const char *folder = u->config->maildir;
	struct stat st;
	char *copy;
	bool ok;

	if (folder == NULL)
		return complain(u->config, errors, "maildir", "is missing");
	if (stat(folder, &st) == 0)
		return S_ISDIR(st.st_mode) ||
		       complain(u->config, errors, "maildir", "is no folder");
	copy = mem_strdup(folder);
	ok = stat(dirname(copy), &st) == 0 && S_ISDIR(st.st_mode);
	mem_free(copy);
	return ok || complain(u->config, errors, "maildir",
			 "neither it nor the folder above it exists");
}

struct upstream *
upstream_create(
    const struct config_upstream *config, const char *hostname, struct conf_errors *errors)
{
	struct upstream *u = mem_calloc(1, sizeof(*u));

	u->config = config;
	u->hostname = hostname;
	secret_init(&u->password);
	pthread_mutex_init(&u->lock, NULL);
	if (!(config->type == UPSTREAM_MAILDIR ? set_up_maildir(u, errors)
					       : set_up_smtp(u, errors)))
		upstream_destroy(&u);
	return u;
}

void
upstream_destroy(struct upstream **u)
{
	if (*u == NULL)
		return;
	group_forget(*u);
	pool_destroy(&(*u)->pool);
	SSL_CTX_free((*u)->tls_ctx);
	secret_finish(&(*u)->password);
	pthread_mutex_destroy(&(*u)->lock);
	mem_free(*u);
	*u = NULL;
}

void
upstream_use_dns(struct upstream *u, const struct dns_source *dns)
{
	for (size_t i = 0; i < u->server_count; i++)
		u->servers[i].target.dns = dns;
}

const char *
upstream_name(const struct upstream *u)
{
	return u->config->name;
}

void
upstream_tend(struct upstream *u)
{
	if (u->pool != NULL)
		pool_tend(u->pool);
}
