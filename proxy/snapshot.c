/* SPDX-License-Identifier: MPL-2.0 */
/* Making and ending snapshots; see snapshot.h. Any thread. */
#include "proxy/snapshot.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/domain/dkim_key.h"
#include "lib/domain/dmarc_store.h"
#include "proxy/helpers.h"
#include "proxy/privileges.h"
#include "proxy/watch.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define DAY_MS (24 * 60 * 60 * INT64_C(1000))

/* Whose keys may be, beside root's: those of the user that serves, or will. */
static uid_t
key_owner(const struct config *config)
{
	uid_t uid;
	gid_t gid;

	return privileges_find(config->user, config->group, &uid, &gid, NULL) ? uid : geteuid();
}

static struct dkim_key *
read_key(const struct snapshot *s, const char *path, char warning_out[160], struct err *err)
{
	if (s->keeper == NULL)
		return dkim_key_read_for(path, key_owner(s->config), warning_out, err);
	const struct dkim_key_source *source = keeper_client_source(s->keeper);
	return source->read(source->context, path, warning_out, err);
}

static void
add_key(struct snapshot *s, const char *domain, const struct config_dkim_key *config,
    struct conf_errors *errors)
{
	char warning[160] = "";
	struct err err = { 0 };
	struct dkim_key *key = read_key(s, config->key, warning, &err);

	if (key == NULL || !dkim_keyring_add(s->keyring, domain, config->selector, key, &err))
		conf_error(errors, config->where, "domains.dkim", "%s", err.text);
	if (warning[0] == '\0')
		return;
	s->warnings++;
	log_event(LEVEL_WARNING, "config.warning", LOG_STR("domain", domain),
	    LOG_STR("selector", config->selector), LOG_STR("text", warning));
}

static void
make_keyring(struct snapshot *s, struct conf_errors *errors)
{
	const struct config_domain *domains = s->config->domains.items;

	s->keyring = dkim_keyring_create();
	for (size_t i = 0; i < s->config->domains.count; i++) {
		const struct config_dkim_key *keys = domains[i].dkim.items;

		for (size_t j = 0; j < domains[i].dkim.count; j++)
			add_key(s, domains[i].name, &keys[j], errors);
	}
}

static void
make_upstreams(struct snapshot *s, struct conf_errors *errors)
{
	const struct config_upstream *configs = s->config->upstreams.items;

	s->upstreams = mem_calloc(s->config->upstreams.count + 1, sizeof(*s->upstreams));
	for (size_t i = 0; i < s->config->upstreams.count; i++)
		s->upstreams[i] = upstream_create(&configs[i], s->config->hostname, errors);
}

static struct network *
make_networks(const struct snapshot_listener *l, const struct conf_strings *texts,
    struct conf_errors *errors)
{
	struct network *networks = mem_calloc(texts->count + 1, sizeof(*networks));
	struct err err = { 0 };

	for (size_t i = 0; i < texts->count; i++) {
		if (!network_parse(texts->items[i], &networks[i], &err))
			conf_error(errors, l->config->where, "listeners", "%s", err.text);
	}
	return networks;
}

/* make_tls - of a listener: the default certificate, then the others. */
static bool
make_tls(const struct snapshot *s, struct snapshot_listener *l, struct conf_errors *errors)
{
	static const enum tls_client_check client_checks[] = {
		[CLIENT_CERTIFICATES_NONE] = TLS_CLIENT_NONE,
		[CLIENT_CERTIFICATES_OPTIONAL] = TLS_CLIENT_OPTIONAL,
		[CLIENT_CERTIFICATES_REQUIRED] = TLS_CLIENT_REQUIRED,
	};
	const struct config_tls *config = &s->config->tls;
	const struct config_certificate *more = config->certificates.items;
	struct tls_server_config tls = { .certificate = config->certificate,
		.key = config->key,
		.min_version = config->min_version,
		.listener = l->config->listen,
		.client_check = client_checks[l->config->client_certificates],
		.client_ca_file = l->config->client_ca_file };
	struct err err = { .kind = ERR_NONE };
	bool ok = true;

	l->tls = tls_server_create(&tls, &err);
	if (l->tls == NULL) {
		conf_error(errors, l->config->where, "tls", "%s", err.text);
		return false;
	}
	for (size_t i = 0; i < config->certificates.count; i++) {
		err.kind = ERR_NONE;
		tls.certificate = more[i].certificate;
		tls.key = more[i].key;
		if (tls_server_add(l->tls, &tls, &err))
			continue;
		conf_error(errors, more[i].where, "tls.certificates", "%s", err.text);
		ok = false; /* and go on: all errors at once */
	}
	return ok;
}

static void
make_listeners(struct snapshot *s, struct conf_errors *errors)
{
	const struct config_listener *configs = s->config->listeners.items;

	s->listeners = mem_calloc(s->config->listeners.count + 1, sizeof(*s->listeners));
	for (size_t i = 0; i < s->config->listeners.count; i++) {
		struct snapshot_listener *l = &s->listeners[i];
		struct err err = { 0 };
		l->config = &configs[i];
		l->proxy_networks = make_networks(l, &configs[i].proxy_networks, errors);
		l->xclient_networks = make_networks(l, &configs[i].xclient_networks, errors);
		if (!address_parse(configs[i].listen, &l->address, &err)) {
			conf_error(
			    errors, configs[i].where, "listeners.listen", "%s", err.text);
			continue;
		}
		if (configs[i].tls != LISTENER_TLS_NONE && !make_tls(s, l, errors))
			break; /* the next listener's context would say the same again */
	}
}

static void
open_resolver(struct snapshot *s, struct conf_errors *errors)
{
	struct err err = { 0 };

	s->resolver = watch_resolver(s->config, &err);
	if (s->resolver == NULL)
		conf_error(errors, s->config->dns.where, "dns", "%s", err.text);
	else
		s->dns = resolver_source(s->resolver);
	for (size_t i = 0; s->dns != NULL && i < s->config->upstreams.count; i++) {
		if (s->upstreams[i] != NULL)
			upstream_use_dns(s->upstreams[i], s->dns);
	}
}

struct upstream *
snapshot_upstream(const struct snapshot *s, const char *name)
{
	for (size_t i = 0; s->upstreams != NULL && i < s->config->upstreams.count; i++) {
		if (s->upstreams[i] != NULL &&
		    strcmp(upstream_name(s->upstreams[i]), name) == 0)
			return s->upstreams[i];
	}
	return NULL;
}

/* Nothing is written here, perhaps as root: the first row makes the file. */
static void
make_dmarc_store(struct snapshot *s, struct conf_errors *errors)
{
	const struct config_dmarc_reports *config = &s->config->dmarc_reports;
	struct err err = { 0 };
	char path[PATH_MAX];

	if (!config->store)
		return;
	if (!config_dmarc_store_path(s->config, path, sizeof(path)))
		(void)err_set(&err, ERR_CONFIG, "the path in state_dir is too long");
	else
		s->dmarc_store = dmarc_store_open(path, &err);
	if (s->dmarc_store == NULL)
		conf_error(errors, config->where, "dmarc_reports.store", "%s", err.text);
	else
		dmarc_store_limit(s->dmarc_store, (unsigned)(config->keep_ms / DAY_MS),
		    config->max_store_octets);
}

/* Likewise. */
static void
make_trace(struct snapshot *s, struct conf_errors *errors)
{
	const struct config_trace *config = &s->config->trace;
	const struct trace_limits limits = { .file_octets = config->max_size_octets,
		.files = (unsigned)config->keep };
	struct err err = { 0 };
	char folder[TRACE_FOLDER_MAX];

	if (!config->enabled)
		return;
	if (!config_trace_folder(s->config, folder, sizeof(folder)))
		(void)err_set(&err, ERR_CONFIG, "the path in state_dir is too long");
	else
		s->trace = trace_open(folder, &limits, &err);
	if (s->trace == NULL)
		conf_error(errors, config->where, "trace", "%s", err.text);
}

/* ---- the watch of our own domains ---- */

static void
make_watch(struct snapshot *s)
{
	struct watch_config config;

	if (!watch_is_needed(s->loaded))
		return;
	watch_describe(s->loaded, &s->loaded->arena, &config);
	config.keyring = s->keyring;
	config.dns = s->dns;
	config.is_dry = s->is_rehearsal;
	config.keys = s->keeper != NULL ? keeper_client_source(s->keeper) : NULL;
	s->watch = domain_watch_create(&config);
}

bool
snapshot_start(struct snapshot *s, const struct snapshot *before, struct err *err)
{
	if (s->keeper != NULL && !keeper_client_start(s->keeper, err))
		return false;
	if (s->watch == NULL)
		return true;
	if (before != NULL && before->watch != NULL)
		domain_watch_inherit(s->watch, before->watch);
	if (!domain_watch_start(s->watch, err))
		return false;
	(void)domain_watch_wait(s->watch, clock_mono_ms() + s->config->watch.start_wait_ms);
	return true;
}

void
snapshot_retire(struct snapshot *s)
{
	if (s->watch != NULL)
		domain_watch_stop(s->watch);
}

/* ---- services ---- */

static void
make_service(struct snapshot *s, enum gate_role role, struct conf_errors *errors)
{
	const struct link_env env = {
		.hostname = s->config->hostname,
		.temp_dir = s->temp_dir,
		.message_octets = s->config->limits.message_octets,
		.tables = s->tables,
		.keyring = s->keyring,
		.dns = s->dns,
		.dmarc_store = s->dmarc_store,
		.watch = s->watch,
		.dns_time_ms = s->config->dns.message_timeout_ms,
		.upstreams = s->upstream_names,
		.upstream_count = s->config->upstreams.count,
	};
	struct snapshot_service *service = &s->services[role];
	bool submission = role == ROLE_SUBMISSION;
	const struct config_service *config =
	    submission ? &s->config->submission : &s->config->inbound;

	if (config->upstream == NULL)
		return;
	service->config = config;
	service->upstream = snapshot_upstream(s, config->upstream);
	service->chain = submission ? chain_create(s->loaded->submission_chain,
					  s->loaded->submission_count, &env, errors)
				    : chain_create(s->loaded->inbound_chain,
					  s->loaded->inbound_count, &env, errors);
}

static void
destroy(struct snapshot *s)
{
	for (size_t i = 0; i < ARRAY_LEN(s->services); i++)
		chain_destroy(&s->services[i].chain);
	domain_watch_destroy(&s->watch);
	resolver_close(&s->resolver);
	for (size_t i = 0; s->listeners != NULL && i < s->config->listeners.count; i++) {
		SSL_CTX_free(s->listeners[i].tls);
		mem_free(s->listeners[i].proxy_networks);
		mem_free(s->listeners[i].xclient_networks);
	}
	for (size_t i = 0; s->upstreams != NULL && i < s->config->upstreams.count; i++)
		upstream_destroy(&s->upstreams[i]);
	auth_destroy(&s->authenticator);
	table_set_destroy(&s->tables); /* behind the chains, whose links borrow from it */
	dkim_keyring_destroy(&s->keyring);
	keeper_client_destroy(&s->keeper); /* behind all keys */
	dmarc_store_close(&s->dmarc_store);
	trace_close(&s->trace);
	mem_free(s->listeners);
	mem_free(s->upstreams);
	mem_free(s->upstream_names);
	mem_free(s->temp_dir);
	config_unload(&s->loaded);
	mem_free(s);
}

static struct snapshot *
begin(struct loaded_config **loaded)
{
	struct snapshot *s = mem_calloc(1, sizeof(*s));

	atomic_init(&s->references, 1);
	s->loaded = *loaded;
	*loaded = NULL;
	s->config = &s->loaded->config;
	const struct config_upstream *upstreams = s->config->upstreams.items;
	s->upstream_names =
	    mem_calloc(s->config->upstreams.count + 1, sizeof(*s->upstream_names));
	for (size_t i = 0; i < s->config->upstreams.count; i++)
		s->upstream_names[i] = upstreams[i].name;
	return s;
}

/* make_chains - and what they need; the same whoever runs them. */
static void
make_chains(struct snapshot *s, struct conf_errors *errors)
{
	s->tables = table_set_create(s->config->tables.items, s->config->tables.count, errors);
	if (s->dns != NULL && s->tables != NULL) {
		make_watch(s);
		make_service(s, ROLE_SUBMISSION, errors);
		make_service(s, ROLE_INBOUND, errors);
	}
	if (s->config->auth.backends.count > 0)
		s->authenticator = auth_create(&s->config->auth, s->config->hostname, errors);
}

/* if_good - s, or NULL and nothing of it left. */
static struct snapshot *
if_good(struct snapshot *s, bool is_good)
{
	if (is_good)
		return s;
	destroy(s);
	return NULL;
}

struct snapshot *
snapshot_create(struct loaded_config **loaded, struct conf_errors *errors)
{
	size_t errors_before = errors->count;
	size_t room = strlen((*loaded)->config.state_dir) + sizeof("/tmp");
	struct snapshot *s = begin(loaded);

	s->temp_dir = mem_alloc(room);
	(void)snprintf(s->temp_dir, room, "%s/tmp", s->config->state_dir);
	if (helpers_are_apart())
		s->keeper = helpers_keeper();

	make_keyring(s, errors);
	make_upstreams(s, errors);
	make_listeners(s, errors);
	open_resolver(s, errors);
	make_dmarc_store(s, errors);
	make_trace(s, errors);
	make_chains(s, errors);
	return if_good(s, errors->count == errors_before);
}

struct snapshot *
snapshot_rehearse(
    struct loaded_config **loaded, const struct dns_source *dns, struct conf_errors *errors)
{
	size_t errors_before = errors->count;
	struct snapshot *s = begin(loaded);

	s->is_rehearsal = true;
	s->dns = dns;
	make_keyring(s, errors);
	make_chains(s, errors);
	return if_good(s, errors->count == errors_before);
}

struct snapshot *
snapshot_hold(struct snapshot *s)
{
	atomic_fetch_add(&s->references, 1);
	return s;
}

void
snapshot_release(struct snapshot **s)
{
	if (*s != NULL && atomic_fetch_sub(&(*s)->references, 1) == 1)
		destroy(*s);
	*s = NULL;
}
