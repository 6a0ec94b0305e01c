/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The rows of the configuration file: every key but the links' own (those stand in each link's
 * file). From here come parsing, defaults, error texts and docs/CONFIG.md. A new key is a
 * member in config.h, a row here, and a line in proxy.conf.example.
 */
#include "proxy/config.h"

#include "lib/base/log.h"

#include <stddef.h>

#define MINUTE (60LL * 1000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define KIB    1024LL
#define MIB    (1024 * KIB)
#define GIB    (1024 * MIB)

#define NAMED(key_, type_, struct_, member_) \
	.key = (key_), .type = (type_), .offset = offsetof(struct struct_, member_)

static const struct conf_choice backend_type_choices[] = {
	{ "passwd", BACKEND_PASSWD },
	{ "upstream", BACKEND_UPSTREAM },
	{ NULL, 0 },
};

static const struct conf_choice backend_tls_choices[] = {
	{ "starttls", LISTENER_TLS_STARTTLS },
	{ "implicit", LISTENER_TLS_IMPLICIT },
	{ NULL, 0 },
};

static const struct conf_choice log_level_choices[] = {
	{ "debug", LEVEL_DEBUG },
	{ "info", LEVEL_INFO },
	{ "warning", LEVEL_WARNING },
	{ "error", LEVEL_ERROR },
	{ NULL, 0 },
};

static const struct conf_choice log_format_choices[] = {
	{ "text", LOG_FORMAT_TEXT },
	{ "json", LOG_FORMAT_JSON },
	{ NULL, 0 },
};

static const struct conf_choice log_target_choices[] = {
	{ "stderr", LOG_TARGET_STDERR },
	{ "syslog", LOG_TARGET_SYSLOG },
	{ NULL, 0 },
};

static const struct conf_row backend_rows[] = {
	{ NAMED("type", CONF_ENUM, config_backend, type), .required = true,
	    .choices = backend_type_choices,
	    .help =
		"\"passwd\" is a users file; \"upstream\" proves a password by logging in at "
		"another mail server." },
	{ NAMED("file", CONF_PATH, config_backend, file),
	    .help =
		"passwd: the users file, a line login:hash:patterns each, written by gatepost "
		"passwd; read again when it changes." },
	{ NAMED("server", CONF_STRING, config_backend, server),
	    .help =
		"upstream: the server, \"host:port\"; its certificate is always verified." },
	{ NAMED("tls", CONF_ENUM, config_backend, tls), .fallback = "starttls",
	    .choices = backend_tls_choices,
	    .help =
		"upstream: how TLS begins there: \"starttls\" (port 587) or \"implicit\" (port "
		"465)." },
	{ NAMED("tls_name", CONF_STRING, config_backend, tls_name),
	    .help =
		"upstream: the name that its certificate must carry; without it, the host of "
		"server." },
	{ NAMED("ca_file", CONF_PATH, config_backend, ca_file),
	    .help = "upstream: PEM file of the authorities to trust there; without it, the "
		    "system's." },
	{ NAMED("patterns", CONF_PATH, config_backend, patterns),
	    .help = "upstream: a file with a line login:patterns each; without it, a login "
		    "sends as "
		    "itself." },
	{ NAMED("timeout", CONF_DURATION, config_backend, timeout_ms), .fallback = "20s",
	    .min = 100, .max = 5 * MINUTE,
	    .help =
		"How long the backend may take to answer; then the client hears 454 4.7.0." },
	{ .key = NULL },
};

static const struct conf_table backend_table = {
	.name = "backends",
	.help =
	    "Asked in this order until one accepts. One that is down never makes a password "
	    "wrong: the client is asked to try again later.",
	.size = sizeof(struct config_backend),
	.rows = backend_rows,
	.where_offset = offsetof(struct config_backend, where),
};

static const struct conf_row auth_rows[] = {
	{ NAMED("backends", CONF_LIST, config_auth, backends), .table = &backend_table,
	    .help = "Who knows the logins and their passwords." },
	{ NAMED("cache", CONF_DURATION, config_auth, cache_ms), .fallback = "5m", .min = 0,
	    .max = DAY,
	    .help =
		"How long a proven password is remembered (as a keyed hash, in memory); \"0s\" "
		"turns that off." },
	{ NAMED("cache_entries", CONF_INT, config_auth, cache_entries), .fallback = "10000",
	    .min = 1, .max = 10000000, .help = "How many of them are remembered at most." },
	{ NAMED("penalties", CONF_GROUP, config_auth, penalties),
	    .table = &config_penalties_table, .help = "Against guessing of passwords." },
	{ .key = NULL },
};

static const struct conf_table auth_table = {
	.name = "auth",
	.help = "Who may log in. Needed by submission listeners.",
	.size = sizeof(struct config_auth),
	.rows = auth_rows,
	.where_offset = SIZE_MAX,
};

static const struct conf_row dkim_key_rows[] = {
	{ NAMED("selector", CONF_STRING, config_dkim_key, selector), .required = true,
	    .help = "The name under which the public key stands in DNS: "
		    "SELECTOR._domainkey.DOMAIN." },
	{ NAMED("key", CONF_PATH, config_dkim_key, key), .required = true,
	    .help = "PEM file with the private key (RSA or Ed25519), as gatepost keygen makes "
		    "it." },
	{ .key = NULL },
};

static const struct conf_table dkim_key_table = {
	.name = "dkim",
	.help = "One signature is made with each of these keys; an RSA key with an Ed25519 key "
		"beside it is a good choice.",
	.size = sizeof(struct config_dkim_key),
	.rows = dkim_key_rows,
	.where_offset = offsetof(struct config_dkim_key, where),
};

static const struct conf_row domain_rows[] = {
	{ NAMED("name", CONF_STRING, config_domain, name), .required = true,
	    .help = "The domain, as it stands behind the @ in From." },
	{ NAMED("dkim", CONF_LIST, config_domain, dkim), .table = &dkim_key_table,
	    .help = "The keys that sign its mail." },
	{ .key = NULL },
};

static const struct conf_table domain_table = {
	.name = "domains",
	.help = "Your own domains.",
	.size = sizeof(struct config_domain),
	.rows = domain_rows,
	.where_offset = offsetof(struct config_domain, where),
};

static const struct conf_row service_rows[] = {
	{ NAMED("upstream", CONF_STRING, config_service, upstream),
	    .help = "The name of the upstream that gets the mail." },
	{ NAMED("chain", CONF_STRINGS, config_service, chain),
	    .help = "The links that a message passes, in this order; none can be skipped." },
	{ NAMED("received_client", CONF_BOOL, config_service, received_client),
	    .fallback = "true",
	    .help =
		"Whether the Received field names the client's address and EHLO name; false "
		"keeps people's home addresses out of their mail." },
	{ NAMED("strict_helo", CONF_BOOL, config_service, strict_helo), .fallback = "true",
	    .help = "Whether a HELO name must be a domain name or an address literal (501 "
		    "otherwise); false takes any printable text." },
	{ .key = NULL },
};

static const struct conf_table submission_table = {
	.name = "submission",
	.help = "What happens to mail of your own users. Needed when a listener has this role.",
	.size = sizeof(struct config_service),
	.rows = service_rows,
	.where_offset = offsetof(struct config_service, where),
};

static const struct conf_table inbound_table = {
	.name = "inbound",
	.help =
	    "What happens to mail from other servers. Needed when a listener has this role.",
	.size = sizeof(struct config_service),
	.rows = service_rows,
	.where_offset = offsetof(struct config_service, where),
};

static const struct conf_row dns_rows[] = {
	{ NAMED("servers", CONF_STRINGS, config_dns, servers),
	    .help =
		"Resolvers to ask, each a numeric address with a port; without any, those of "
		"/etc/resolv.conf. Best one on this machine." },
	{ NAMED("recursive", CONF_BOOL, config_dns, recursive), .fallback = "false",
	    .help = "Ask no resolver, but the servers of the root and down." },
	{ NAMED("trust_anchor", CONF_PATH, config_dns, trust_anchor),
	    .help =
		"A file of DS or DNSKEY records (Debian: /usr/share/dns/root.key, package "
		"dns-root-data): answers are validated by DNSSEC from there on, and bogus ones "
		"fail. The resolvers must hand signatures on. Without it nothing is validated "
		"here." },
	{ NAMED("timeout", CONF_DURATION, config_dns, timeout_ms), .fallback = "5s", .min = 100,
	    .max = 60000,
	    .help = "How long one query may take; a link's own time limit holds besides." },
	{ NAMED("message_timeout", CONF_DURATION, config_dns, message_timeout_ms),
	    .fallback = "20s", .min = 1000, .max = 600000,
	    .help = "How long one message may wait for DNS in all links together, and so hold "
		    "a worker; then what is not known counts as a failure of DNS." },
	{ NAMED("cache", CONF_SIZE, config_dns, cache_octets), .fallback = "16M", .min = MIB,
	    .max = GIB, .help = "Memory for answers; 1.3M more at most for recent ones." },
	{ NAMED("authority_port", CONF_INT, config_dns, authority_port), .fallback = "53",
	    .min = 1, .max = 65535,
	    .help =
		"Where a domain's own servers are asked whether all of them show a new key." },
	{ .key = NULL },
};

static const struct conf_table dns_table = {
	.name = "dns",
	.help = "Who is asked about names. Answers are cached; a reload keeps the cache.",
	.size = sizeof(struct config_dns),
	.rows = dns_rows,
	.where_offset = offsetof(struct config_dns, where),
};

static const struct conf_row watch_rows[] = {
	{ NAMED("enabled", CONF_BOOL, config_watch, enabled), .fallback = "true",
	    .help = "Look at all; without it dkim_sign signs with every key of the "
		    "configuration and none of rotation, and there is no preflight." },
	{ NAMED("refresh", CONF_DURATION, config_watch, refresh_ms), .fallback = "1h",
	    .min = 1000, .max = 7 * DAY,
	    .help = "How long until a domain with which all is well is looked at again." },
	{ NAMED("retry", CONF_DURATION, config_watch, retry_ms), .fallback = "5m", .min = 1000,
	    .max = DAY,
	    .help = "And one where something is missing or wrong, or DNS did not answer." },
	{ NAMED("timeout", CONF_DURATION, config_watch, timeout_ms), .fallback = "20s",
	    .min = 1000, .max = 10 * MINUTE,
	    .help = "How long the look at one domain may take." },
	{ NAMED("start_wait", CONF_DURATION, config_watch, start_wait_ms), .fallback = "3s",
	    .min = 0, .max = MINUTE,
	    .help =
		"How long the gate waits at start, and with a new configuration, for the first "
		"look at every domain; what is not known by then counts as unknown." },
	{ .key = NULL },
};

static const struct conf_row rotation_rows[] = {
	{ NAMED("settle", CONF_DURATION, config_rotation, settle_ms), .fallback = "1h",
	    .min = 0, .max = 30 * DAY,
	    .help = "How long every authoritative server must have shown a new key before it "
		    "signs; where resolvers may believe for longer that it is not there, that "
		    "is waited for." },
	{ NAMED("queue_life", CONF_DURATION, config_rotation, queue_life_ms), .fallback = "7d",
	    .min = 0, .max = 90 * DAY,
	    .help = "How long a message may be under way, in anybody's queue: so long, and "
		    "limits.session, the record of a replaced key must stay, or for its TTL if "
		    "that is longer." },
	{ .key = NULL },
};

static const struct conf_table rotation_table = {
	.name = "rotation",
	.help = "How new DKIM keys, made by gatepost rotate, take over from the old ones.",
	.size = sizeof(struct config_rotation),
	.rows = rotation_rows,
	.where_offset = SIZE_MAX,
};

static const struct conf_table watch_table = {
	.name = "watch",
	.help =
	    "Looks in the background at what DNS says of your domains: which DKIM keys it "
	    "shows, whether SPF authorises the egress addresses of submission's upstream, "
	    "DMARC. Serves dkim_sign and preflight; nothing is looked up when neither needs "
	    "it.",
	.size = sizeof(struct config_watch),
	.rows = watch_rows,
	.where_offset = offsetof(struct config_watch, where),
};

static const struct conf_row log_rows[] = {
	{ NAMED("level", CONF_ENUM, config_log, level), .fallback = "info",
	    .choices = log_level_choices, .help = "Events below this level are left out." },
	{ NAMED("format", CONF_ENUM, config_log, format), .fallback = "text",
	    .choices = log_format_choices,
	    .help = "\"text\" is key=value; \"json\" is an object a line." },
	{ NAMED("target", CONF_ENUM, config_log, target), .fallback = "stderr",
	    .choices = log_target_choices,
	    .help = "\"stderr\" (systemd's journal takes it from there) or \"syslog\" "
		    "(facility mail)." },
	{ .key = NULL },
};

static const struct conf_table log_table = {
	.name = "log",
	.help = "One line an event, with one id through session and message.",
	.size = sizeof(struct config_log),
	.rows = log_rows,
	.where_offset = SIZE_MAX,
};

static const struct conf_row root_rows[] = {
	{ NAMED("hostname", CONF_STRING, config, hostname), .required = true,
	    .help =
		"The full name of this server: in its greeting, in Received, and in EHLO to "
		"upstreams." },
	{ NAMED("state_dir", CONF_PATH, config, state_dir),
	    .fallback = CONFIG_STATE_DIR_DEFAULT,
	    .help = "The folder that the gate may write in." },
	{ NAMED("user", CONF_STRING, config, user), .fallback = CONFIG_USER_DEFAULT,
	    .help =
		"Started as root, the gate becomes this user once its ports are bound and its "
		"keys read." },
	{ NAMED("group", CONF_STRING, config, group),
	    .help = "And this group; without it, the user's own." },
	{ NAMED("keeper_user", CONF_STRING, config, keeper_user),
	    .help = "And the process that holds the DKIM keys becomes this user; without it, "
		    "gatepost-keeper, or user where there is no such account." },
	{ NAMED("tls", CONF_GROUP, config, tls), .table = &config_tls_table,
	    .help = "The certificate that clients see." },
	{ NAMED("listeners", CONF_LIST, config, listeners), .required = true,
	    .table = &config_listener_table, .help = "Where clients connect." },
	{ NAMED("auth", CONF_GROUP, config, auth), .table = &auth_table,
	    .help = "Who may log in." },
	{ NAMED("domains", CONF_LIST, config, domains), .table = &domain_table,
	    .help = "Your own domains and their DKIM keys." },
	{ NAMED("upstreams", CONF_LIST, config, upstreams), .required = true,
	    .table = &config_upstream_table, .help = "Where mail goes." },
	{ NAMED("submission", CONF_GROUP, config, submission), .table = &submission_table,
	    .help = "What happens to mail of your own users." },
	{ NAMED("inbound", CONF_GROUP, config, inbound), .table = &inbound_table,
	    .help = "What happens to mail from other servers." },
	{ NAMED("dns", CONF_GROUP, config, dns), .table = &dns_table,
	    .help = "Who is asked about names." },
	{ NAMED("watch", CONF_GROUP, config, watch), .table = &watch_table,
	    .help = "What DNS says of your own domains." },
	{ NAMED("rotation", CONF_GROUP, config, rotation), .table = &rotation_table,
	    .help = "How new DKIM keys take over." },
	{ NAMED("limits", CONF_GROUP, config, limits), .table = &config_limits_table,
	    .help = "What a client may use up." },
	{ NAMED("log", CONF_GROUP, config, log), .table = &log_table,
	    .help = "What is logged where." },
	{ NAMED("dmarc_reports", CONF_GROUP, config, dmarc_reports),
	    .table = &config_dmarc_reports_table, .help = "DMARC aggregate reports." },
	{ NAMED("tables", CONF_LIST, config, tables), .table = &table_config_table,
	    .help = "Where links look things up." },
	{ NAMED("trace", CONF_GROUP, config, trace), .table = &config_trace_table,
	    .help = "A record of each transaction." },
	{ NAMED("metrics", CONF_GROUP, config, metrics), .table = &config_metrics_table,
	    .help = "Where the numbers for Prometheus are served." },
	{ NAMED("confine", CONF_GROUP, config, confine), .table = &config_confine_table,
	    .help = "What the serving process gives up." },
	{ NAMED("drain", CONF_DURATION, config, drain_ms), .fallback = "30s", .min = 0,
	    .max = HOUR,
	    .help =
		"How long running transactions may take to finish when the gate is stopped." },
	{ .key = NULL },
};

const struct conf_table config_table = {
	.name = "proxy.conf",
	.help =
	    "The gate reads one file, /etc/gatepost/proxy.conf unless -c names another. A "
	    "running gate reads it again on SIGHUP; a file with errors is refused whole, and "
	    "the gate "
	    "keeps the configuration that it has. proxy.conf.example is a file to start from.",
	.size = sizeof(struct config),
	.rows = root_rows,
	.where_offset = SIZE_MAX,
};
