/* SPDX-License-Identifier: MPL-2.0 */
/* The group dmarc_reports: its rows, its checks, and the name of the file that it is about. */
#include "proxy/config_check.h"

#include "lib/smtp/command.h"

#include <stddef.h>
#include <stdio.h>

#define DAY (24LL * 60 * 60 * 1000)
#define MIB (1024LL * 1024)
#define GIB (1024 * MIB)

#define NAMED(key_, type_, member_) \
	.key = (key_), .type = (type_), .offset = offsetof(struct config_dmarc_reports, member_)

static const struct conf_row dmarc_reports_rows[] = {
	{ NAMED("store", CONF_BOOL, store), .fallback = "false",
	    .help = "Whether the link dmarc records what it finds, in STATE_DIR/dmarc.sqlite; "
		    "gatepost dmarc-report mails it to the domains that ask for it." },
	{ NAMED("keep", CONF_DURATION, keep_ms), .fallback = "30d", .min = 4 * DAY,
	    .max = 400 * DAY, .help = "How long the records are kept." },
	{ NAMED("max_store", CONF_SIZE, max_store_octets), .fallback = "256M", .min = MIB,
	    .max = 64 * GIB,
	    .help = "How large the file may grow; what comes then is lost for the reports." },
	{ NAMED("from", CONF_STRING, from),
	    .help = "The sender of the reports, an address of a domain of yours whose mail "
		    "passes DMARC; needed to mail any. Bounces go there too." },
	{ NAMED("org_name", CONF_STRING, org_name),
	    .help = "The name of your organisation in the reports; without it, hostname." },
	{ NAMED("contact", CONF_STRING, contact),
	    .help = "Where people who read the reports may turn to, a web page perhaps." },
	{ NAMED("upstream", CONF_STRING, upstream),
	    .help = "The upstream that carries the reports to the world; without it, that of "
		    "submission, or else that of inbound." },
	{ NAMED("max_size", CONF_SIZE, max_size_octets), .fallback = "10M", .min = 64 * 1024,
	    .max = 100 * MIB,
	    .help = "The largest mail with a report; of a larger one the sources with the "
		    "fewest messages are left out." },
	{ .key = NULL },
};

const struct conf_table config_dmarc_reports_table = {
	.name = "dmarc_reports",
	.help =
	    "DMARC aggregate reports (RFC 9990) for the domains that inbound mail comes from: "
	    "the link dmarc records, gatepost dmarc-report mails, once a day, by a timer.",
	.size = sizeof(struct config_dmarc_reports),
	.rows = dmarc_reports_rows,
	.where_offset = offsetof(struct config_dmarc_reports, where),
};

bool
config_dmarc_store_path(const struct config *config, char *out, size_t room)
{
	const int len = snprintf(out, room, "%s/dmarc.sqlite", config->state_dir);

	return len > 0 && (size_t)len < room;
}

const char *
config_dmarc_upstream(const struct config *config)
{
	if (config->dmarc_reports.upstream != NULL)
		return config->dmarc_reports.upstream;
	return config->submission.upstream != NULL ? config->submission.upstream
						   : config->inbound.upstream;
}

static bool
is_address(const char *text)
{
	char bracketed[SMTP_PATH_MAX];
	struct smtp_path path;
	const int len = snprintf(bracketed, sizeof(bracketed), "<%s>", text);

	return len > 0 && (size_t)len < sizeof(bracketed) &&
	       smtp_path_parse(view_of(bracketed), &path) == SMTP_SYNTAX_OK &&
	       path.domain.len > 0 && path.domain.p[0] != '[' && path.local.p[0] != '"';
}

static bool
upstream_exists(const struct config *config, const char *name)
{
	const struct config_upstream *upstreams = config->upstreams.items;

	for (size_t i = 0; i < config->upstreams.count; i++) {
		if (upstreams[i].name != NULL && strcmp(upstreams[i].name, name) == 0)
			return true;
	}
	return false;
}

void
config_check_dmarc_reports(const struct loaded_config *c, struct conf_errors *errors)
{
	const struct config_dmarc_reports *r = &c->config.dmarc_reports;
	const struct conf_where where = config_where(c, r->where);

	if (r->from != NULL && !is_address(r->from))
		conf_error(errors, where, "dmarc_reports.from",
		    "\"%s\" is not a plain mail address", r->from);
	if (r->upstream != NULL && !upstream_exists(&c->config, r->upstream))
		conf_error(errors, where, "dmarc_reports.upstream",
		    "there is no upstream \"%s\"", r->upstream);
}

void
config_warn_dmarc_reports(const struct loaded_config *c, struct conf_errors *warnings)
{
	const struct config_dmarc_reports *r = &c->config.dmarc_reports;
	const struct conf_where where = config_where(c, r->where);
	bool has_dmarc = false;

	for (size_t i = 0; i < c->inbound_count; i++)
		has_dmarc |= strcmp(c->inbound_chain[i].link->name, "dmarc") == 0;
	if (r->store && !has_dmarc)
		conf_error(warnings, where, "dmarc_reports.store",
		    "is on, but inbound.chain has no \"dmarc\": there is nothing to record");
	if (r->store && r->from == NULL)
		conf_error(warnings, where, "dmarc_reports.from",
		    "is missing: what is recorded is never mailed to anybody");
}
