/* SPDX-License-Identifier: MPL-2.0 */
/* The rows of tls, listeners and upstreams; what is true of all rows stands in config_tables.c.
 */
#include "proxy/config.h"

#include <openssl/ssl.h>
#include <stddef.h>

#define MINUTE (60LL * 1000)
#define HOUR   (60 * MINUTE)

#define NAMED(key_, type_, struct_, member_) \
	.key = (key_), .type = (type_), .offset = offsetof(struct struct_, member_)

static const struct conf_choice tls_version_choices[] = {
	{ "1.2", TLS1_2_VERSION },
	{ "1.3", TLS1_3_VERSION },
	{ NULL, 0 },
};

static const struct conf_choice role_choices[] = {
	{ "submission", ROLE_SUBMISSION },
	{ "inbound", ROLE_INBOUND },
	{ NULL, 0 },
};

static const struct conf_choice listener_tls_choices[] = {
	{ "none", LISTENER_TLS_NONE },
	{ "starttls", LISTENER_TLS_STARTTLS },
	{ "implicit", LISTENER_TLS_IMPLICIT },
	{ NULL, 0 },
};

static const struct conf_choice client_certificates_choices[] = {
	{ "none", CLIENT_CERTIFICATES_NONE },
	{ "optional", CLIENT_CERTIFICATES_OPTIONAL },
	{ "required", CLIENT_CERTIFICATES_REQUIRED },
	{ NULL, 0 },
};

static const struct conf_choice upstream_type_choices[] = {
	{ "smtp", UPSTREAM_SMTP },
	{ "lmtp", UPSTREAM_LMTP },
	{ "maildir", UPSTREAM_MAILDIR },
	{ NULL, 0 },
};

static const struct conf_choice upstream_tls_choices[] = {
	{ "none", UPSTREAM_TLS_NONE },
	{ "opportunistic", UPSTREAM_TLS_OPPORTUNISTIC },
	{ "required", UPSTREAM_TLS_REQUIRED },
	{ "dane", UPSTREAM_TLS_DANE },
	{ NULL, 0 },
};

static const struct conf_row certificate_rows[] = {
	{ NAMED("certificate", CONF_PATH, config_certificate, certificate), .required = true,
	    .help = "PEM file with the chain, the server's own certificate first." },
	{ NAMED("key", CONF_PATH, config_certificate, key), .required = true,
	    .help = "PEM file with its private key." },
	{ .key = NULL },
};

static const struct conf_table certificate_table = {
	.name = "certificates",
	.help =
	    "Further certificates, for other names of this server. A client gets the one with "
	    "the host name that it asks for (SNI): its full name before a wildcard, and of two "
	    "with one name the one that stands first. A second one with the same names and "
	    "another kind of key (RSA, ECDSA) stands beside the first.",
	.size = sizeof(struct config_certificate),
	.rows = certificate_rows,
	.where_offset = offsetof(struct config_certificate, where),
};

static const struct conf_row tls_rows[] = {
	{ NAMED("certificate", CONF_PATH, config_tls, certificate),
	    .help =
		"PEM file with the certificate chain, the server's own first; read again at "
		"reload." },
	{ NAMED("key", CONF_PATH, config_tls, key),
	    .help =
		"PEM file with the private key of that certificate; nobody else may be able to "
		"read it." },
	{ NAMED("certificates", CONF_LIST, config_tls, certificates),
	    .table = &certificate_table,
	    .help = "Further certificates; who asks for a name that none has, or for none, "
		    "gets the one above." },
	{ NAMED("min_version", CONF_ENUM, config_tls, min_version), .fallback = "1.2",
	    .choices = tls_version_choices,
	    .help = "The oldest TLS version that a client may use." },
	{ .key = NULL },
};

const struct conf_table config_tls_table = {
	.name = "tls",
	.help =
	    "The certificate that clients see. Needed by every listener with tls other than "
	    "\"none\".",
	.size = sizeof(struct config_tls),
	.rows = tls_rows,
	.where_offset = SIZE_MAX,
};

static const struct conf_row listener_rows[] = {
	{ NAMED("listen", CONF_STRING, config_listener, listen), .required = true,
	    .help = "Numeric address and port: \"192.0.2.1:587\", \"[::]:587\" (every address, "
		    "IPv4 "
		    "too), \"*:587\" (every IPv4 address)." },
	{ NAMED("role", CONF_ENUM, config_listener, role), .required = true,
	    .choices = role_choices,
	    .help =
		"\"submission\" serves your users, who must authenticate; \"inbound\" serves "
		"other mail servers." },
	{ NAMED("tls", CONF_ENUM, config_listener, tls), .fallback = "starttls",
	    .choices = listener_tls_choices,
	    .help = "\"starttls\" (ports 587 and 25), \"implicit\" (port 465), or \"none\" "
		    "(loopback "
		    "addresses only, unless insecure is set)." },
	{ NAMED("insecure", CONF_BOOL, config_listener, insecure), .fallback = "false",
	    .help = "Allows tls = \"none\" on an address that is not loopback." },
	{ NAMED("client_certificates", CONF_ENUM, config_listener, client_certificates),
	    .fallback = "none", .choices = client_certificates_choices,
	    .help =
		"Whether clients are asked for a certificate: \"none\"; \"optional\"; "
		"\"required\" (no connection without one that client_ca_file vouches for). Who "
		"has shown one on a submission listener may log in by AUTH EXTERNAL, as the "
		"first mail address, else host name, in it that auth.backends knows." },
	{ NAMED("client_ca_file", CONF_PATH, config_listener, client_ca_file),
	    .help = "PEM file of the authorities that vouch for clients: whoever they issue a "
		    "certificate to can be whom it names. Never those of the system." },
	{ NAMED("proxy_networks", CONF_STRINGS, config_listener, proxy_networks),
	    .help =
		"Networks of the balancers in front: each connection from there must begin "
		"with a PROXY protocol header (version 1 or 2), which says who the client is; "
		"from elsewhere none is taken." },
	{ NAMED("xclient_networks", CONF_STRINGS, config_listener, xclient_networks),
	    .help =
		"Networks of the proxies in front that may name their client by XCLIENT (as "
		"Postfix has it); from elsewhere it is refused with 550 5.7.0." },
	{ NAMED("xclient_login", CONF_BOOL, config_listener, xclient_login),
	    .fallback = "false",
	    .help = "Whether their word is taken for who the client is, too (LOGIN): without a "
		    "password, for any login that auth.backends knows." },
	{ .key = NULL },
};

const struct conf_table config_listener_table = {
	.name = "listeners",
	.help = "Where clients connect: one group for each address and port.",
	.size = sizeof(struct config_listener),
	.rows = listener_rows,
	.where_offset = offsetof(struct config_listener, where),
};

static const struct conf_row upstream_rows[] = {
	{ NAMED("name", CONF_STRING, config_upstream, name), .required = true,
	    .help = "What the services call it." },
	{ NAMED("type", CONF_ENUM, config_upstream, type), .fallback = "smtp",
	    .choices = upstream_type_choices,
	    .help =
		"\"smtp\" is a mail server; \"lmtp\" one that delivers into mailboxes "
		"(Dovecot, "
		"Cyrus) and answers for each recipient; \"maildir\" writes each message into a "
		"folder, for a first try. What is said of smtp below holds for lmtp too." },
	{ NAMED("servers", CONF_STRINGS, config_upstream, servers),
	    .help =
		"smtp: \"host:port\" each, in order of preference; the next one is tried when "
		"one is down. lmtp: also \"unix:PATH\", which is spoken to without TLS." },
	{ NAMED("tls", CONF_ENUM, config_upstream, tls), .fallback = "opportunistic",
	    .choices = upstream_tls_choices,
	    .help = "smtp: \"none\"; \"opportunistic\" (STARTTLS where it is offered, nothing "
		    "verified); \"required\" (STARTTLS and a verified certificate, or no "
		    "mail); \"dane\" "
		    "(the same, verified by TLSA records that DNSSEC vouches for; needs "
		    "dns.trust_anchor)." },
	{ NAMED("tls_name", CONF_STRING, config_upstream, tls_name),
	    .help = "smtp: the name that the certificates must carry, and whose TLSA records "
		    "count; "
		    "without it, each server's host." },
	{ NAMED("ca_file", CONF_PATH, config_upstream, ca_file),
	    .help = "smtp: PEM file of the authorities to trust; without it, the system's." },
	{ NAMED("certificate", CONF_PATH, config_upstream, certificate),
	    .help = "smtp: PEM file with a certificate chain that the gate shows to a server "
		    "which asks for one, its own first; read again at reload." },
	{ NAMED("key", CONF_PATH, config_upstream, key),
	    .help = "smtp: PEM file with the private key of that certificate; nobody else may "
		    "be able to read it." },
	{ NAMED("login", CONF_STRING, config_upstream, login),
	    .help = "smtp: the gate logs in there with this login." },
	{ NAMED("password", CONF_SECRET, config_upstream, password),
	    .help = "smtp: and this password; password_file keeps it out of this file." },
	{ NAMED("password_file", CONF_PATH, config_upstream, password_file),
	    .help = "smtp: a file whose first line is the password." },
	{ NAMED("helo", CONF_STRING, config_upstream, helo),
	    .help = "smtp: the name that the gate gives in EHLO; without it, hostname." },
	{ NAMED("xclient", CONF_BOOL, config_upstream, xclient), .fallback = "false",
	    .help =
		"smtp: whether a server that offers XCLIENT is told each client's address, "
		"port, HELO name and login, as far as it offers these; not with login, since "
		"XCLIENT ends that." },
	{ NAMED("maildir", CONF_PATH, config_upstream, maildir),
	    .help = "maildir: the folder; tmp, new and cur are made in it." },
	{ NAMED("connect_timeout", CONF_DURATION, config_upstream, connect_timeout_ms),
	    .fallback = "10s", .min = 100, .max = 2 * MINUTE,
	    .help =
		"How long connecting to one server may take, its greeting, EHLO, TLS and login "
		"included." },
	{ NAMED("command_timeout", CONF_DURATION, config_upstream, command_timeout_ms),
	    .fallback = "1m", .min = 100, .max = 5 * MINUTE,
	    .help = "How long a server may take for each reply but the final one; keep it "
		    "under the "
		    "five minutes that clients wait." },
	{ NAMED("final_timeout", CONF_DURATION, config_upstream, final_timeout_ms),
	    .fallback = "5m", .min = 100, .max = 10 * MINUTE,
	    .help =
		"How long a server may take to accept the whole message; keep it under the ten "
		"minutes that clients wait." },
	{ NAMED("idle", CONF_DURATION, config_upstream, idle_ms), .fallback = "30s", .min = 0,
	    .max = HOUR,
	    .help = "How long an unused connection is kept warm; stay below what the server "
		    "allows." },
	{ NAMED("max_idle", CONF_INT, config_upstream, max_idle), .fallback = "20", .min = 0,
	    .max = 10000,
	    .help = "How many unused connections are kept warm at most; 0 keeps none." },
	{ NAMED("max_connections", CONF_INT, config_upstream, max_connections), .fallback = "0",
	    .min = 0, .max = 100000,
	    .help = "How many connections to this upstream there are at most; 0 sets no limit "
		    "(there are never more busy ones than limits.workers)." },
	{ NAMED("egress", CONF_STRINGS, config_upstream, egress),
	    .help = "smtp: the public addresses from which its mail leaves for the internet; "
		    "SPF of your domains must authorise them (see watch)." },
	{ .key = NULL },
};

const struct conf_table config_upstream_table = {
	.name = "upstreams",
	.help = "Where mail goes.",
	.size = sizeof(struct config_upstream),
	.rows = upstream_rows,
	.where_offset = offsetof(struct config_upstream, where),
};

bool
config_is_unix_server(const char *server)
{
	return view_starts_nocase(view_of(server), VIEW("unix:"));
}
