/* SPDX-License-Identifier: MPL-2.0 */
/* The resolver's settings: compared, completed from /etc/resolv.conf, and told to libunbound.
 */
#include "lib/net/resolver_private.h"

#include "lib/base/mem.h"
#include "lib/net/address.h"

#include <errno.h>
#include <stdio.h>

#include <unbound.h>

#define RESOLV_CONF	"/etc/resolv.conf"
#define RESOLV_LINE_MAX 512
#define OPTION_MAX	32
#define ANCHOR_LINE_MAX 2048 /* a DNSKEY of 8192 bits takes 1400 */
#define ANCHORS_MAX	64

/* ---- the configuration as a value ---- */

void
resolver_config_copy(const struct resolver_config *config, struct resolver_config *out)
{
	const char **servers =
	    mem_calloc(config->server_count + 1, sizeof(*servers)); /* and their texts */

	*out = *config;
	for (size_t i = 0; i < config->server_count; i++)
		servers[i] = mem_strdup(config->servers[i]);
	out->servers = servers;
	if (config->trust_anchor != NULL)
		out->trust_anchor = mem_strdup(config->trust_anchor);
}

void
resolver_config_finish(struct resolver_config *config)
{
	for (size_t i = 0; i < config->server_count; i++)
		mem_free((void *)(uintptr_t)config->servers[i]);
	mem_free((void *)(uintptr_t)config->servers);
	mem_free((void *)(uintptr_t)config->trust_anchor);
	*config = (struct resolver_config){ .servers = NULL };
}

static bool
str_eq(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool
resolver_config_eq(const struct resolver_config *a, const struct resolver_config *b)
{
	if (a->server_count != b->server_count || a->recursive != b->recursive ||
	    a->timeout_ms != b->timeout_ms || a->cache_octets != b->cache_octets ||
	    a->authority_port != b->authority_port || !str_eq(a->trust_anchor, b->trust_anchor))
		return false;
	for (size_t i = 0; i < a->server_count; i++) {
		if (strcmp(a->servers[i], b->servers[i]) != 0)
			return false;
	}
	return true;
}

/* read_nameserver - of a line of resolv.conf(5); false: it is about something else. */
static bool
read_nameserver(const char *line, char out[ADDRESS_TEXT_MAX])
{
	struct sockaddr_storage addr;
	struct view rest = view_trim(view_of(line)), word;
	char host[INET6_ADDRSTRLEN];

	if (!view_starts(rest, VIEW("nameserver")))
		return false;
	word = view_trim(view_from(rest, sizeof("nameserver") - 1));
	if (!view_copy(word, host, sizeof(host)) || !address_from_host(host, 53, &addr))
		return false;
	address_text(&addr, out);
	return true;
}

/* read_resolv_conf - its name servers, or 127.0.0.1 as resolv.conf(5) has it without any. */
static size_t
read_resolv_conf(char texts[RESOLVER_SERVERS_MAX][ADDRESS_TEXT_MAX])
{
	FILE *file = fopen(RESOLV_CONF, "re");
	char line[RESOLV_LINE_MAX];
	size_t count = 0;

	while (file != NULL && count < RESOLVER_SERVERS_MAX &&
	       fgets(line, sizeof(line), file) != NULL) {
		if (read_nameserver(line, texts[count]))
			count++;
	}
	if (file != NULL)
		fclose(file);
	if (count == 0)
		snprintf(texts[count++], ADDRESS_TEXT_MAX, "127.0.0.1:53");
	return count;
}

bool
resolver_config_complete(
    const struct resolver_config *config, struct resolver_config *out, struct err *err)
{
	char texts[RESOLVER_SERVERS_MAX][ADDRESS_TEXT_MAX];
	const char *servers[RESOLVER_SERVERS_MAX];
	struct resolver_config whole = *config;

	if (config->server_count > RESOLVER_SERVERS_MAX)
		return err_set(err, ERR_CONFIG, "over %d DNS servers", RESOLVER_SERVERS_MAX);
	for (size_t i = 0; i < config->server_count; i++) {
		struct sockaddr_storage addr;

		if (!address_parse(config->servers[i], &addr, err))
			return false;
	}
	if (!config->recursive && config->server_count == 0) {
		whole.server_count = read_resolv_conf(texts);
		for (size_t i = 0; i < whole.server_count; i++)
			servers[i] = texts[i];
		whole.servers = servers;
	}
	resolver_config_copy(&whole, out);
	return true;
}

/* ---- libunbound ---- */

static bool
set_option(struct ub_ctx *ctx, const char *option, const char *value, struct err *err)
{
	const int error = ub_ctx_set_option(ctx, option, value);

	return error == 0 ||
	       err_set(err, ERR_IO, "libunbound: %s %s: %s", option, value, ub_strerror(error));
}

static bool
set_size(struct ub_ctx *ctx, const char *option, int64_t octets, struct err *err)
{
	char text[OPTION_MAX];

	snprintf(text, sizeof(text), "%lld", (long long)octets);
	return set_option(ctx, option, text, err);
}

/*
 * set_servers - and forget soon that one was silent: there are often one or two of them, and
 * no others to ask. (A minute of silence would cost some further fifteen seconds otherwise.)
 *
 * That a server is near and has answered a hundred times in a millisecond does not say how long
 * it will take over a name that it has to ask for: it gets two seconds, where libunbound would
 * give up after some 50 ms.
 */
static bool
set_servers(struct ub_ctx *ctx, const struct resolver_config *config, struct err *err)
{
	for (size_t i = 0; i < config->server_count; i++) {
		struct sockaddr_storage addr;
		char host[INET6_ADDRSTRLEN], text[ADDRESS_TEXT_MAX];

		if (!address_parse(config->servers[i], &addr, err))
			return false;
		address_host_text(&addr, host);
		snprintf(text, sizeof(text), "%s@%u", host, address_port(&addr));
		if (ub_ctx_set_fwd(ctx, text) != 0)
			return err_set(err, ERR_CONFIG, "libunbound does not take %s", text);
	}
	return set_option(ctx, "infra-host-ttl:", "10", err) &&
	       set_option(ctx, "infra-cache-min-rtt:", "2000", err) &&
	       set_option(ctx, "do-not-query-localhost:", "no", err);
}

static const char *const settings[][2] = {
	{ "rrset-roundrobin:", "no" },
	{ "outbound-msg-retry:", "2" }, /* to one server that says SERVFAIL */
	{ "infra-keep-probing:", "yes" },
	{ "infra-cache-numhosts:", "1000" },
	{ "outgoing-num-tcp:", "32" },
	/* Room for RESOLVER_RUNNING_MAX at once: names that nobody answers for must not keep
	 * others waiting. (A library gets 16 sockets otherwise.) */
	{ "outgoing-range:", "2048" },
	{ "num-queries-per-thread:", "2048" },
	{ "msg-cache-slabs:", "2" },
	{ "rrset-cache-slabs:", "2" },
	{ "infra-cache-slabs:", "2" },
	{ "key-cache-slabs:", "2" },
	{ "key-cache-size:", "65536" },
	{ "neg-cache-size:", "65536" },
};

/* add_anchors - every line of the file but comments; libunbound reads them with the first
 * query.
 */
static bool
add_anchors(struct ub_ctx *ctx, const char *path, struct err *err)
{
	FILE *file = fopen(path, "re");
	char line[ANCHOR_LINE_MAX];
	size_t count = 0;

	if (file == NULL)
		return err_set_errno(err, errno, "trust_anchor: %s", path);
	while (count < ANCHORS_MAX && fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, ";\r\n")] = '\0';
		if (view_trim(view_of(line)).len == 0)
			continue;
		if (ub_ctx_add_ta(ctx, line) != 0)
			break;
		count++;
	}
	fclose(file);
	return count > 0 ||
	       err_set(err, ERR_CONFIG, "trust_anchor: %s has no DS or DNSKEY record", path);
}

/* check_anchors - in a context for nothing else, since looking at them is what starts one. */
static bool
check_anchors(const char *path, struct err *err)
{
	struct ub_ctx *ctx = ub_ctx_create();
	bool ok;

	if (ctx == NULL)
		return err_set_errno(err, errno, "libunbound");
	(void)ub_ctx_debugout(ctx, NULL);
	ok = add_anchors(ctx, path, err);
	if (ok && ub_ctx_zone_remove(ctx, "test.") != 0)
		ok = err_set(err, ERR_CONFIG,
		    "trust_anchor: %s is no list of DS or DNSKEY records", path);
	ub_ctx_delete(ctx);
	return ok;
}

/* set_validation - by libunbound, from the anchors on. */
static bool
set_validation(struct ub_ctx *ctx, const char *anchor, struct err *err)
{
	if (anchor == NULL)
		return set_option(ctx, "module-config:", "iterator", err);
	return check_anchors(anchor, err) && add_anchors(ctx, anchor, err) &&
	       set_option(ctx, "module-config:", "validator iterator", err);
}

struct ub_ctx *
resolver_context_create(const struct resolver_config *config, struct err *err)
{
	struct ub_ctx *ctx = ub_ctx_create();
	bool ok = ctx != NULL;

	if (ctx == NULL) {
		(void)err_set_errno(err, errno, "libunbound");
		return NULL;
	}
	(void)ub_ctx_debugout(ctx, NULL);
	for (size_t i = 0; ok && i < ARRAY_LEN(settings); i++)
		ok = set_option(ctx, settings[i][0], settings[i][1], err);
	ok = ok && set_validation(ctx, config->trust_anchor, err);
	/* Records take about twice what the messages that point at them do. */
	ok = ok && set_size(ctx, "msg-cache-size:", config->cache_octets / 3, err) &&
	     set_size(ctx, "rrset-cache-size:", config->cache_octets / 3 * 2, err) &&
	     (config->recursive || set_servers(ctx, config, err));
	if (ok && ub_ctx_async(ctx, 1) != 0)
		ok = err_set(err, ERR_IO, "libunbound without threads");
	if (ok)
		return ctx;
	ub_ctx_delete(ctx);
	return NULL;
}

/*
 * What libunbound answers itself, without asking anybody (RFC 6303, RFC 6761). A configured
 * server may know better of an organisation's private addresses, so these are given back to it;
 * localhost and onion are not.
 */
static const char *const local_zones[] = {
	"test.",
	"invalid.",
	"home.arpa.",
	"127.in-addr.arpa.",
	"10.in-addr.arpa.",
	"16.172.in-addr.arpa.",
	"17.172.in-addr.arpa.",
	"18.172.in-addr.arpa.",
	"19.172.in-addr.arpa.",
	"20.172.in-addr.arpa.",
	"21.172.in-addr.arpa.",
	"22.172.in-addr.arpa.",
	"23.172.in-addr.arpa.",
	"24.172.in-addr.arpa.",
	"25.172.in-addr.arpa.",
	"26.172.in-addr.arpa.",
	"27.172.in-addr.arpa.",
	"28.172.in-addr.arpa.",
	"29.172.in-addr.arpa.",
	"30.172.in-addr.arpa.",
	"31.172.in-addr.arpa.",
	"168.192.in-addr.arpa.",
	"0.in-addr.arpa.",
	"254.169.in-addr.arpa.",
	"2.0.192.in-addr.arpa.",
	"100.51.198.in-addr.arpa.",
	"113.0.203.in-addr.arpa.",
	"255.255.255.255.in-addr.arpa.",
	"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.",
	"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.",
	"d.f.ip6.arpa.",
	"8.e.f.ip6.arpa.",
	"9.e.f.ip6.arpa.",
	"a.e.f.ip6.arpa.",
	"b.e.f.ip6.arpa.",
	"8.b.d.0.1.0.0.2.ip6.arpa.",
};

bool
resolver_context_start(struct ub_ctx *ctx, bool recursive)
{
	char zone[DNS_NAME_MAX];

	for (size_t i = 0; !recursive && i < ARRAY_LEN(local_zones); i++) {
		if (ub_ctx_zone_remove(ctx, local_zones[i]) != 0)
			return false;
	}
	/* RFC 6598's shared addresses, of which there are 64 zones. */
	for (int i = 64; !recursive && i < 128; i++) {
		snprintf(zone, sizeof(zone), "%d.100.in-addr.arpa.", i);
		if (ub_ctx_zone_remove(ctx, zone) != 0)
			return false;
	}
	return true;
}
