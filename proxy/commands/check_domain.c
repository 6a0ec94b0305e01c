/* SPDX-License-Identifier: MPL-2.0 */
/*
 * gatepost check-domain: is the mail of this domain found authentic? Judges what DNS shows
 * against the configuration, as the watch of a running gate does, for a person or for
 * monitoring. Changes nothing.
 */
#include "proxy/commands/commands.h"

#include "lib/base/clock.h"
#include "lib/domain/dkim_rotation_keeper.h"
#include "lib/domain/domain_findings.h"
#include "lib/mail/domain_name.h"
#include "lib/net/address.h"
#include "lib/net/resolver.h"
#include "proxy/commands/record_text.h"
#include "proxy/config.h"
#include "proxy/keeper_files.h"
#include "proxy/privileges.h"
#include "proxy/watch.h"

#include <getopt.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_UNKNOWN = 3 };

static const char usage[] =
    "usage: gatepost check-domain [OPTION]... DOMAIN...\n"
    "\n"
    "Judges what DNS shows of a domain: MX; SPF for the addresses from which mail leaves\n"
    "(upstreams.egress); each DKIM key against the one that signs, and how far a rotation\n"
    "is; DMARC; whether mail from the domain passes DMARC; what large providers ask of bulk\n"
    "senders.\n"
    "\n"
    "  -c, --config FILE   configuration (default " CONFIG_FILE_DEFAULT ")\n"
    "      --all           every domain of the configuration\n"
    "      --strict        a warning counts as a problem\n"
    "      --json          print a JSON array instead\n"
    "  -h, --help          print this\n"
    "\n"
    "Exit status: 0 all is well, 1 there is a problem (or the configuration is wrong), 2 "
    "wrong\n"
    "usage, 3 DNS gave no answer.\n";

struct options {
	const char *config;
	bool is_all, is_strict, is_json;
};

/* What all domains of one run share. */
struct run {
	const struct options *options;
	const struct loaded_config *loaded;
	struct resolver *resolver;
	struct watch_config watch; /* egress and rules, as the gate has them */
	uid_t uid, keeper;	   /* who serves, who signs: they may own the keys */
	size_t printed;
	enum finding_level worst;
};

/* ---- keys ---- */

/* The configured keys of one domain. */
struct keys {
	struct dkim_keyring *ring; /* owned */
	struct unread_key unread[DKIM_SELECTORS_MAX];
	size_t unread_count;
};

/* A key that this user cannot read is a finding like any other. */
static void
add_key(struct keys *keys, const struct run *run, const char *domain,
    const struct config_dkim_key *config, struct arena *arena)
{
	char warning[160] = "";
	struct err err = { 0 };
	struct dkim_key *key =
	    dkim_key_read_kept(config->key, run->uid, run->keeper, warning, &err);

	if (key != NULL && dkim_keyring_add(keys->ring, domain, config->selector, key, &err)) {
		if (warning[0] != '\0')
			fprintf(stderr, "gatepost check-domain: %s: %s\n", config->selector,
			    warning);
	} else if (keys->unread_count < ARRAY_LEN(keys->unread)) {
		keys->unread[keys->unread_count++] = (struct unread_key){ config->selector,
			arena_strdup(arena, view_of(err.text)) };
	}
}

static void
read_keys(const struct run *run, const char *domain, struct arena *arena, struct keys *out)
{
	const struct config_domain *all = run->loaded->config.domains.items;

	*out = (struct keys){ .ring = dkim_keyring_create() };
	for (size_t i = 0; i < run->loaded->config.domains.count; i++) {
		const struct config_dkim_key *keys = all[i].dkim.items;
		char name[DOMAIN_NAME_MAX];

		if (!domain_to_ascii(view_of(all[i].name), name) || strcmp(name, domain) != 0)
			continue;
		for (size_t j = 0; j < all[i].dkim.count; j++)
			add_key(out, run, domain, &keys[j], arena);
	}
}

/* ---- printing ---- */

static void
print_findings(const char *domain, const struct findings *findings)
{
	printf("%s\n", domain);
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->items[i];
		const bool same = i > 0 && strcmp(f->area, findings->items[i - 1].area) == 0;

		printf("  %-10s%-9s%s%s%s\n", same ? "" : f->area, finding_level_name(f->level),
		    f->subject, f->subject[0] != '\0' ? ": " : "", f->text);
		if (f->publish[0] != '\0')
			printf("  %-19spublish: %s\n", "", f->publish);
	}
}

static void
print_json(const char *domain, const struct findings *findings, bool is_first)
{
	printf("%s{", is_first ? "" : ",\n ");
	json_print_member("domain", view_of(domain));
	printf(", ");
	json_print_member("verdict", view_of(finding_level_name(findings_worst(findings))));
	printf(", \"findings\": [");
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->items[i];

		printf("%s\n  {", i > 0 ? "," : "");
		json_print_member("area", view_of(f->area));
		printf(", ");
		json_print_member("level", view_of(finding_level_name(f->level)));
		printf(", ");
		json_print_member("subject", view_of(f->subject));
		printf(", ");
		json_print_member("text", view_of(f->text));
		printf(", ");
		json_print_member("publish", view_of(f->publish));
		printf("}");
	}
	printf("]}");
}

/* ---- one domain ---- */

static void
judge(struct run *run, const char *domain, const struct keys *configured,
    struct rotation_keeper *keeper, struct arena *arena)
{
	const struct dns_source *dns = resolver_source(run->resolver);
	const int64_t deadline_ms = clock_mono_ms() + run->watch.timeout_ms;
	const struct rotation_look look = {
		.domain = domain,
		.configured = dkim_keyring_find(configured->ring, domain, false),
		.dns = dns,
		.now = clock_real_s(),
		.deadline_ms = deadline_ms,
		.is_dry = true,
	};
	struct domain_key *keys = arena_alloc(arena, DOMAIN_KEYS_MAX * sizeof(*keys));
	struct domain_report report = { 0 };
	struct rotation rotation = { .count = 0 };
	struct findings findings;
	struct err err = { 0 };
	bool is_moving;

	if (!rotation_read(run->watch.rotation_dir, domain, &rotation, &err))
		fprintf(stderr, "gatepost check-domain: %s\n", err.text);
	const struct domain_check_request check = {
		.dns = dns,
		.hostname = run->watch.hostname,
		.egress = run->watch.egress,
		.egress_count = run->watch.egress_count,
		.domain = domain,
		.keys = keys,
		.key_count = rotation_keeper_look(keeper, &look, arena, keys, &is_moving),
		.now = look.now,
		.deadline_ms = deadline_ms,
	};
	domain_check(&check, arena, &report);
	const struct findings_request request = {
		.report = &report,
		.dns = dns,
		.deadline_ms = deadline_ms,
		.now = look.now,
		.egress = run->watch.egress,
		.egress_count = run->watch.egress_count,
		.unread = configured->unread,
		.unread_count = configured->unread_count,
		.rotation = &rotation,
		.rotation_rules = run->watch.rotation,
		.has_bulk_rules = watch_has_bulk_rules(run->loaded, domain),
	};
	findings_make(&request, arena, &findings);
	if (run->options->is_json)
		print_json(domain, &findings, run->printed == 0);
	else
		print_findings(domain, &findings);
	run->printed++;
	const enum finding_level worst = findings_worst(&findings);
	if (worst == FINDING_PROBLEM || run->worst == FINDING_OK ||
	    (worst == FINDING_UNKNOWN && run->worst == FINDING_WARNING))
		run->worst = worst;
}

/* read_made - a key of rotation, for struct dkim_key_source. */
static struct dkim_key *
read_made(void *context, const char *path, char warning_out[160], struct err *err)
{
	const struct run *run = context;

	return keeper_files_read_made(path, run->keeper, warning_out, err);
}

static void
check_one(struct run *run, const char *domain)
{
	const struct dkim_key_source source = { .read = read_made, .context = run };
	struct rotation_keeper *keeper =
	    rotation_keeper_create(run->watch.rotation_dir, &run->watch.rotation);
	struct arena arena;
	struct keys keys;

	rotation_keeper_set_source(keeper, &source);
	arena_init(&arena);
	read_keys(run, domain, &arena, &keys);
	judge(run, domain, &keys, keeper, &arena);
	arena_finish(&arena);
	rotation_keeper_destroy(&keeper);
	dkim_keyring_destroy(&keys.ring);
}

/* ---- the command ---- */

static bool
are_domains(char **names, size_t count)
{
	char domain[DOMAIN_NAME_MAX];

	for (size_t i = 0; i < count; i++) {
		if (domain_to_ascii(view_of(names[i]), domain))
			continue;
		fprintf(
		    stderr, "gatepost check-domain: \"%s\" is not a domain name\n", names[i]);
		return false;
	}
	return true;
}

static void
check_named(struct run *run, char **names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char domain[DOMAIN_NAME_MAX];

		if (domain_to_ascii(view_of(names[i]), domain))
			check_one(run, domain);
	}
}

static void
check_all(struct run *run)
{
	const struct config_domain *all = run->loaded->config.domains.items;

	for (size_t i = 0; i < run->loaded->config.domains.count; i++) {
		char domain[DOMAIN_NAME_MAX];

		if (domain_to_ascii(view_of(all[i].name), domain))
			check_one(run, domain);
	}
}

static int
exit_status(const struct run *run)
{
	switch (run->worst) {
	case FINDING_OK:
	case FINDING_NOTE:
		return EXIT_SUCCESS;
	case FINDING_WARNING:
		return run->options->is_strict ? EXIT_FAILURE : EXIT_SUCCESS;
	case FINDING_PROBLEM:
		return EXIT_FAILURE;
	case FINDING_UNKNOWN:
		return EXIT_UNKNOWN;
	}
	BUG("level %d", (int)run->worst);
}

/* prepare - what the gate would work with. */
/* keeper_of - who signs; without a user of his own, who serves. */
static uid_t
keeper_of(const struct config *config, uid_t server)
{
	const struct passwd *account =
	    getpwnam(config->keeper_user != NULL ? config->keeper_user : CONFIG_KEEPER_DEFAULT);

	return account != NULL ? account->pw_uid : server;
}

static bool
prepare(struct run *run, struct arena *arena, struct err *err)
{
	const struct config *config = &run->loaded->config;
	gid_t gid;

	if (!privileges_find(config->user, config->group, &run->uid, &gid, NULL))
		run->uid = geteuid();
	run->keeper = keeper_of(config, run->uid);
	watch_describe(run->loaded, arena, &run->watch);
	run->resolver = watch_resolver(config, err);
	return run->resolver != NULL;
}

static int
check(const struct options *o, const struct loaded_config *loaded, char **names, size_t count)
{
	struct run run = { .options = o, .loaded = loaded };
	struct arena arena;
	struct err err = { 0 };
	int status = EXIT_FAILURE;

	arena_init(&arena);
	if (!prepare(&run, &arena, &err)) {
		fprintf(stderr, "gatepost check-domain: %s\n", err.text);
		goto out;
	}
	printf("%s", o->is_json ? "[" : "");
	if (o->is_all)
		check_all(&run);
	else
		check_named(&run, names, count);
	printf("%s", o->is_json ? "]\n" : "");
	status = fflush(stdout) == 0 ? exit_status(&run) : EXIT_FAILURE;
out:
	resolver_close(&run.resolver);
	arena_finish(&arena);
	return status;
}

int
command_check_domain(int argc, char **argv)
{
	static const struct option names[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "all", no_argument, NULL, 'a' },
		{ "strict", no_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { .config = CONFIG_FILE_DEFAULT };
	struct conf_errors errors;
	int c, status = EXIT_FAILURE;

	while ((c = getopt_long(argc, argv, "c:h", names, NULL)) != -1) {
		if (c == 'h')
			return fputs(usage, stdout) < 0;
		if (c == '?') {
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
		o.config = c == 'c' ? optarg : o.config;
		o.is_all = o.is_all || c == 'a';
		o.is_strict = o.is_strict || c == 's';
		o.is_json = o.is_json || c == 'j';
	}
	if ((optind == argc) != o.is_all) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (!are_domains(argv + optind, (size_t)(argc - optind)))
		return EXIT_USAGE; /* before anything is printed */
	conf_errors_init(&errors);
	struct loaded_config *loaded = config_load(o.config, &errors);
	for (size_t i = 0; i < errors.count; i++)
		fprintf(stderr, "%s\n", errors.lines[i]);
	if (loaded != NULL)
		status = check(&o, loaded, argv + optind, (size_t)(argc - optind));
	config_unload(&loaded);
	conf_errors_finish(&errors);
	return status;
}
