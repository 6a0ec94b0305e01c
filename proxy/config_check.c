/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Checks of a configuration that need more than one row and no other file. After errors in rows
 * they run too, so a string may be NULL here that the rows call required.
 */
#include "proxy/config_check.h"

#include "lib/domain/domain_watch.h"
#include "lib/mail/domain_name.h"
#include "lib/net/address.h"
#include "lib/net/resolver.h"

#include <stdio.h>
#include <sys/un.h>

#define UNIX_PATH_OCTETS (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

#define PATH_TEXT_MAX 96  /* octets of "auth.backends[12]" with NUL */
#define KEY_TEXT_MAX  160 /* of a path with a key behind it: "upstreams[12].servers[3]" */

/* A key that does not belong to the type of its group. */
struct stray {
	const char *key;
	bool is_set;
};

static void
check_strays(struct conf_errors *errors, struct conf_where where, const char *path,
    const char *type, const struct stray *strays, size_t count)
{
	char text[KEY_TEXT_MAX];

	for (size_t i = 0; i < count; i++) {
		if (!strays[i].is_set)
			continue;
		snprintf(text, sizeof(text), "%s.%s", path, strays[i].key);
		conf_error(errors, where, text, "does not belong to type = \"%s\"", type);
	}
}

static void
check_present(struct conf_errors *errors, struct conf_where where, const char *path,
    const char *key, const char *value, const char *why)
{
	char text[KEY_TEXT_MAX];

	if (value != NULL && value[0] != '\0')
		return;
	snprintf(text, sizeof(text), "%s.%s", path, key);
	conf_error(errors, where, text, "is missing: %s", why);
}

/* host_is_loopback - of "host:port": a numeric loopback address, or localhost. */
static bool
host_is_loopback(const char *server)
{
	struct sockaddr_storage addr;

	if (address_parse(server, &addr, NULL))
		return address_is_loopback(&addr);
	return view_starts_nocase(view_of(server), VIEW("localhost:"));
}

/*
 * is_own_listener - would a connection to server come back to us? Other names than localhost,
 * and our other addresses, show when the connection stands (lib/net/own_listeners.h).
 */
static bool
is_own_listener(const struct config *config, const char *server)
{
	const struct config_listener *listeners = config->listeners.items;
	struct sockaddr_storage to, ours;
	char host[256];
	uint16_t port;

	if (!address_split(server, 25, host, sizeof(host), &port, NULL))
		return false;
	const bool is_localhost = view_eq_nocase(view_of(host), VIEW("localhost"));
	if (!address_from_host(is_localhost ? "127.0.0.1" : host, port, &to))
		return false;
	for (size_t i = 0; i < config->listeners.count; i++) {
		if (listeners[i].listen == NULL ||
		    !address_parse(listeners[i].listen, &ours, NULL))
			continue;
		if (address_eq(&to, &ours))
			return true;
		address_host_text(&ours, host);
		if (address_port(&ours) == address_port(&to) && address_is_loopback(&to) &&
		    (strcmp(host, "::") == 0 || strcmp(host, "0.0.0.0") == 0))
			return true;
	}
	return false;
}

/* ---- listeners ---- */

static void
check_networks(const struct config_listener *l, size_t index, const char *key,
    const struct conf_strings *texts, struct conf_errors *errors)
{
	struct network network;

	for (size_t i = 0; i < texts->count; i++) {
		struct err err = { 0 };
		char path[PATH_TEXT_MAX];

		if (network_parse(texts->items[i], &network, &err))
			continue;
		snprintf(path, sizeof(path), "listeners[%zu].%s[%zu]", index, key, i);
		conf_error(errors, l->where, path, "%s", err.text);
	}
}

static void
check_proxies(const struct config_listener *l, size_t index, struct conf_errors *errors)
{
	char path[PATH_TEXT_MAX];

	check_networks(l, index, "proxy_networks", &l->proxy_networks, errors);
	check_networks(l, index, "xclient_networks", &l->xclient_networks, errors);
	snprintf(path, sizeof(path), "listeners[%zu].xclient_login", index);
	if (l->xclient_login && l->xclient_networks.count == 0)
		conf_error(errors, l->where, path, "needs xclient_networks: whose word is it?");
	if (l->xclient_login && l->role != ROLE_SUBMISSION)
		conf_error(errors, l->where, path, "is for submission: nobody logs in here");
}

static void
check_client_certificates(
    const struct config_listener *l, size_t index, struct conf_errors *errors)
{
	char path[PATH_TEXT_MAX];

	snprintf(path, sizeof(path), "listeners[%zu]", index);
	if (l->client_certificates == CLIENT_CERTIFICATES_NONE) {
		if (l->client_ca_file != NULL)
			conf_error(errors, l->where, path,
			    "has client_ca_file, but client_certificates = \"none\"");
		return;
	}
	check_present(errors, l->where, path, "client_ca_file", l->client_ca_file,
	    "who vouches for the clients' certificates?");
	if (l->tls == LISTENER_TLS_NONE)
		conf_error(
		    errors, l->where, path, "asks for client_certificates, but tls = \"none\"");
}

static void
check_listener(const struct loaded_config *c, size_t index, struct conf_errors *errors)
{
	const struct config_listener *all = c->config.listeners.items;
	const struct config_listener *l = &all[index];
	struct sockaddr_storage addr, other;
	struct err err = { 0 };
	char path[PATH_TEXT_MAX];

	check_proxies(l, index, errors);
	check_client_certificates(l, index, errors);
	if (l->listen == NULL)
		return;
	snprintf(path, sizeof(path), "listeners[%zu].listen", index);
	if (!address_parse(l->listen, &addr, &err)) {
		conf_error(errors, l->where, path, "%s", err.text);
		return;
	}
	for (size_t i = 0; i < index; i++) {
		if (all[i].listen != NULL && address_parse(all[i].listen, &other, NULL) &&
		    address_eq(&addr, &other))
			conf_error(errors, l->where, path,
			    "%s is taken by listeners[%zu] already", l->listen, i);
	}
	if (l->tls != LISTENER_TLS_NONE || l->insecure || address_is_loopback(&addr))
		return;
	snprintf(path, sizeof(path), "listeners[%zu].tls", index);
	conf_error(errors, l->where, path,
	    "\"none\" is for loopback addresses; insecure = true insists on it");
}

static bool
any_listener_has_tls(const struct config *config)
{
	const struct config_listener *listeners = config->listeners.items;

	for (size_t i = 0; i < config->listeners.count; i++) {
		if (listeners[i].tls != LISTENER_TLS_NONE)
			return true;
	}
	return false;
}

void
config_check_listeners(const struct loaded_config *c, struct conf_errors *errors)
{
	const struct conf_where where = { .file = c->file };

	if (c->config.listeners.count == 0)
		conf_error(errors, where, "listeners", "is empty: where do clients connect?");
	for (size_t i = 0; i < c->config.listeners.count; i++)
		check_listener(c, i, errors);
	if (!any_listener_has_tls(&c->config)) {
		if (c->config.tls.certificates.count > 0)
			conf_error(errors, where, "tls.certificates", "no listener offers TLS");
		return;
	}
	check_present(errors, where, "tls", "certificate", c->config.tls.certificate,
	    "a listener offers TLS");
	check_present(errors, where, "tls", "key", c->config.tls.key, "a listener offers TLS");
}

/* ---- metrics ---- */

void
config_check_metrics(const struct loaded_config *c, struct conf_errors *errors)
{
	const struct config_metrics *m = &c->config.metrics;
	const struct config_listener *listeners = c->config.listeners.items;
	const struct conf_where where = config_where(c, m->where);
	struct sockaddr_storage addr, other;
	struct err err = { 0 };

	if (m->listen == NULL)
		return;
	if (!address_parse(m->listen, &addr, &err)) {
		conf_error(errors, where, "metrics.listen", "%s", err.text);
		return;
	}
	for (size_t i = 0; i < c->config.listeners.count; i++) {
		if (listeners[i].listen != NULL &&
		    address_parse(listeners[i].listen, &other, NULL) &&
		    address_eq(&addr, &other))
			conf_error(errors, where, "metrics.listen",
			    "%s is taken by listeners[%zu] already", m->listen, i);
	}
	if (!m->insecure && !address_is_loopback(&addr))
		conf_error(errors, where, "metrics.listen",
		    "%s is not a loopback address; insecure = true insists on it", m->listen);
}

/* ---- auth ---- */

static void
check_backend_passwd(
    const struct config_backend *b, const char *path, struct conf_errors *errors)
{
	const struct stray strays[] = {
		{ "server", b->server != NULL },
		{ "tls_name", b->tls_name != NULL },
		{ "ca_file", b->ca_file != NULL },
		{ "patterns", b->patterns != NULL },
	};

	check_present(errors, b->where, path, "file", b->file, "where are the users?");
	check_strays(errors, b->where, path, "passwd", strays, ARRAY_LEN(strays));
}

static void
check_backend_upstream(const struct config *config, const struct config_backend *b,
    const char *path, struct conf_errors *errors)
{
	const struct stray strays[] = { { "file", b->file != NULL } };
	struct err err = { 0 };
	char host[256], text[KEY_TEXT_MAX];
	uint16_t port;

	check_present(
	    errors, b->where, path, "server", b->server, "where are passwords proven?");
	check_strays(errors, b->where, path, "upstream", strays, ARRAY_LEN(strays));
	if (b->server == NULL)
		return;
	snprintf(text, sizeof(text), "%s.server", path);
	if (!address_split(b->server, 0, host, sizeof(host), &port, &err))
		conf_error(errors, b->where, text, "%s", err.text);
	else if (is_own_listener(config, b->server))
		conf_error(errors, b->where, text,
		    "%s is one of the gate's own listeners: it would ask itself for ever",
		    b->server);
}

void
config_check_auth(const struct loaded_config *c, struct conf_errors *errors)
{
	const struct config_backend *backends = c->config.auth.backends.items;
	const size_t count = c->config.auth.backends.count;

	if (count == 0 && config_has_role(&c->config, ROLE_SUBMISSION))
		conf_error(errors, (struct conf_where){ .file = c->file }, "auth.backends",
		    "is missing: a submission listener needs somebody who knows the users");
	for (size_t i = 0; i < count; i++) {
		char path[PATH_TEXT_MAX];

		snprintf(path, sizeof(path), "auth.backends[%zu]", i);
		if (backends[i].type == BACKEND_PASSWD)
			check_backend_passwd(&backends[i], path, errors);
		else
			check_backend_upstream(&c->config, &backends[i], path, errors);
	}
}

/* ---- domains ---- */

static bool
selector_is_valid(const char *selector)
{
	char ascii[DOMAIN_NAME_MAX];

	return domain_to_ascii(view_of(selector), ascii);
}

static void
check_dkim_keys(const struct config_domain *domain, size_t index, struct conf_errors *errors)
{
	const struct config_dkim_key *keys = domain->dkim.items;

	for (size_t i = 0; i < domain->dkim.count; i++) {
		char path[PATH_TEXT_MAX];

		if (keys[i].selector == NULL)
			continue;
		snprintf(path, sizeof(path), "domains[%zu].dkim[%zu].selector", index, i);
		if (!selector_is_valid(keys[i].selector))
			conf_error(errors, keys[i].where, path, "\"%s\" is not a name in DNS",
			    keys[i].selector);
		for (size_t j = 0; j < i; j++) {
			if (keys[j].selector != NULL &&
			    view_eq_nocase(
				view_of(keys[i].selector), view_of(keys[j].selector)))
				conf_error(errors, keys[i].where, path,
				    "\"%s\" is there twice; each key needs a selector of its "
				    "own",
				    keys[i].selector);
		}
	}
}

void
config_check_domains(const struct loaded_config *c, struct conf_errors *errors)
{
	const struct config_domain *domains = c->config.domains.items;

	for (size_t i = 0; i < c->config.domains.count; i++) {
		char path[PATH_TEXT_MAX], name[DOMAIN_NAME_MAX], other[DOMAIN_NAME_MAX];

		check_dkim_keys(&domains[i], i, errors);
		if (domains[i].name == NULL)
			continue;
		snprintf(path, sizeof(path), "domains[%zu].name", i);
		if (!domain_to_ascii(view_of(domains[i].name), name)) {
			conf_error(errors, domains[i].where, path,
			    "\"%s\" is not a domain name", domains[i].name);
			continue;
		}
		for (size_t j = 0; j < i; j++) {
			if (domains[j].name != NULL &&
			    domain_to_ascii(view_of(domains[j].name), other) &&
			    strcmp(name, other) == 0)
				conf_error(errors, domains[i].where, path,
				    "\"%s\" is domains[%zu] already", domains[i].name, j);
		}
	}
}

/* ---- upstreams ---- */

/* check_unix_server - a socket of this machine: for LMTP, and never over TLS. */
static void
check_unix_server(const struct config_upstream *u, const char *path, const char *server,
    struct conf_errors *errors)
{
	const size_t len = strlen(server + strlen("unix:"));

	if (u->type != UPSTREAM_LMTP)
		conf_error(errors, u->where, path, "a unix socket is for type = \"lmtp\"");
	if (len > 0 && server[strlen("unix:")] != '/')
		conf_error(errors, u->where, path, "the path must begin with /");
	if (len == 0 || len > UNIX_PATH_OCTETS)
		conf_error(
		    errors, u->where, path, "a path has 1 to %d octets", (int)UNIX_PATH_OCTETS);
	if (upstream_tls_is_verified((enum upstream_tls)u->tls))
		conf_error(errors, u->where, path,
		    "there is no TLS over a unix socket, but tls asks for it");
}

static void
check_servers(const struct config *config, const struct config_upstream *u, const char *path,
    struct conf_errors *errors)
{
	if (u->servers.count == 0)
		check_present(
		    errors, u->where, path, "servers", NULL, "which servers get the mail?");
	for (size_t i = 0; i < u->servers.count; i++) {
		const char *server = u->servers.items[i];
		struct err err = { 0 };
		char host[256], text[KEY_TEXT_MAX];
		uint16_t port;

		snprintf(text, sizeof(text), "%s.servers[%zu]", path, i);
		if (config_is_unix_server(server))
			check_unix_server(u, text, server, errors);
		else if (!address_split(server, 25, host, sizeof(host), &port, &err))
			conf_error(errors, u->where, text, "%s", err.text);
		else if (is_own_listener(config, server))
			conf_error(errors, u->where, text,
			    "%s is one of the gate's own listeners: mail would go round in a "
			    "loop",
			    server);
		else if (u->login != NULL &&
			 !upstream_tls_is_verified((enum upstream_tls)u->tls) &&
			 !host_is_loopback(server))
			conf_error(errors, u->where, text,
			    "the login for %s would go out unprotected: set tls = \"required\"",
			    server);
	}
}

static void
check_egress(const struct config_upstream *u, const char *path, struct conf_errors *errors)
{
	char text[KEY_TEXT_MAX];

	if (u->egress.count > WATCH_EGRESS_MAX) {
		snprintf(text, sizeof(text), "%s.egress", path);
		conf_error(errors, u->where, text, "has %zu addresses, %d are allowed",
		    u->egress.count, WATCH_EGRESS_MAX);
	}
	for (size_t i = 0; i < u->egress.count; i++) {
		struct sockaddr_storage addr;

		snprintf(text, sizeof(text), "%s.egress[%zu]", path, i);
		if (!address_from_host(u->egress.items[i], 0, &addr))
			conf_error(errors, u->where, text, "\"%s\" is not a numeric address",
			    u->egress.items[i]);
		else if (address_is_loopback(&addr))
			conf_error(errors, u->where, text,
			    "%s is a loopback address: no receiver will ever see it",
			    u->egress.items[i]);
	}
}

static void
check_own_certificate(
    const struct config_upstream *u, const char *path, struct conf_errors *errors)
{
	if (u->certificate != NULL)
		check_present(
		    errors, u->where, path, "key", u->key, "certificate is set, whose key?");
	if (u->key != NULL)
		check_present(errors, u->where, path, "certificate", u->certificate,
		    "key is set, of which certificate?");
	if (u->certificate != NULL && u->tls == UPSTREAM_TLS_NONE)
		conf_error(errors, u->where, path,
		    "has a certificate, but tls = \"none\": it would never be shown");
}

static void
check_dane(const struct config *config, const struct config_upstream *u, const char *path,
    struct conf_errors *errors)
{
	if (config->dns.trust_anchor == NULL)
		conf_error(errors, u->where, path,
		    "tls = \"dane\" needs DNSSEC: set dns.trust_anchor");
	if (u->ca_file != NULL)
		conf_error(errors, u->where, path,
		    "has a ca_file, but tls = \"dane\" asks the DNS whom to trust");
	for (size_t i = 0; u->tls_name == NULL && i < u->servers.count; i++) {
		struct sockaddr_storage addr;
		char host[256];
		uint16_t port;

		if (address_split(u->servers.items[i], 25, host, sizeof(host), &port, NULL) &&
		    address_from_host(host, port, &addr))
			conf_error(errors, u->where, path,
			    "tls = \"dane\" needs a name to ask the DNS for: set tls_name, or "
			    "write a name in place of %s",
			    u->servers.items[i]);
	}
}

static void
check_upstream_smtp(const struct config *config, const struct config_upstream *u,
    const char *path, struct conf_errors *errors)
{
	const struct stray strays[] = { { "maildir", u->maildir != NULL } };
	const bool has_password = u->password != NULL || u->password_file != NULL;

	check_servers(config, u, path, errors);
	check_egress(u, path, errors);
	check_strays(errors, u->where, path, u->type == UPSTREAM_LMTP ? "lmtp" : "smtp", strays,
	    ARRAY_LEN(strays));
	check_own_certificate(u, path, errors);
	if (u->tls == UPSTREAM_TLS_DANE)
		check_dane(config, u, path, errors);
	if (u->password != NULL && u->password_file != NULL)
		conf_error(errors, u->where, path,
		    "has both password and password_file; one of them is enough");
	if (u->login != NULL && !has_password)
		conf_error(errors, u->where, path, "has a login, but no password_file");
	if (u->login != NULL && u->xclient)
		conf_error(errors, u->where, path,
		    "has login and xclient: XCLIENT says who the client is instead");
	if (u->login == NULL && has_password)
		conf_error(errors, u->where, path, "has a password, but no login");
}

static void
check_upstream_maildir(
    const struct config_upstream *u, const char *path, struct conf_errors *errors)
{
	const struct stray strays[] = {
		{ "servers", u->servers.count > 0 },
		{ "tls_name", u->tls_name != NULL },
		{ "ca_file", u->ca_file != NULL },
		{ "certificate", u->certificate != NULL },
		{ "key", u->key != NULL },
		{ "login", u->login != NULL },
		{ "password", u->password != NULL },
		{ "password_file", u->password_file != NULL },
		{ "helo", u->helo != NULL },
		{ "xclient", u->xclient },
		{ "egress", u->egress.count > 0 },
	};

	check_present(
	    errors, u->where, path, "maildir", u->maildir, "which folder gets the mail?");
	check_strays(errors, u->where, path, "maildir", strays, ARRAY_LEN(strays));
}

void
config_check_upstreams(const struct loaded_config *c, struct conf_errors *errors)
{
	const struct config_upstream *upstreams = c->config.upstreams.items;

	for (size_t i = 0; i < c->config.upstreams.count; i++) {
		const struct config_upstream *u = &upstreams[i];
		char path[PATH_TEXT_MAX];

		snprintf(path, sizeof(path), "upstreams[%zu]", i);
		if (u->type == UPSTREAM_MAILDIR)
			check_upstream_maildir(u, path, errors);
		else
			check_upstream_smtp(&c->config, u, path, errors);
		for (size_t j = 0; j < i && u->name != NULL; j++) {
			if (upstreams[j].name != NULL &&
			    strcmp(upstreams[j].name, u->name) == 0)
				conf_error(errors, u->where, path,
				    "the name \"%s\" is taken by upstreams[%zu] already",
				    u->name, j);
		}
	}
}

/* ---- dns ---- */

void
config_check_dns(const struct loaded_config *c, struct conf_errors *errors)
{
	const struct config_dns *dns = &c->config.dns;
	const struct conf_where where = config_where(c, dns->where);

	for (size_t i = 0; i < dns->servers.count; i++) {
		struct sockaddr_storage addr;
		struct err err = { 0 };
		char path[PATH_TEXT_MAX];

		snprintf(path, sizeof(path), "dns.servers[%zu]", i);
		if (!address_parse(dns->servers.items[i], &addr, &err))
			conf_error(errors, where, path, "%s", err.text);
	}
	if (dns->servers.count > RESOLVER_SERVERS_MAX)
		conf_error(errors, where, "dns.servers", "are over %d", RESOLVER_SERVERS_MAX);
	if (dns->recursive && dns->servers.count > 0)
		conf_error(errors, where, "dns.recursive",
		    "means to ask no resolver, but servers names one");
}
