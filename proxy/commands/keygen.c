/* SPDX-License-Identifier: MPL-2.0 */
/*
 * gatepost keygen: a new DKIM key, and what to do with it: the DNS record to publish, and the
 * lines for the configuration. Nothing that exists is ever written over.
 */
#include "proxy/commands/commands.h"

#include "lib/base/clock.h"
#include "lib/domain/dkim_key.h"
#include "lib/mail/domain_name.h"
#include "proxy/commands/record_text.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define KEYS_DIR "/etc/gatepost/keys"

enum { BITS_DEFAULT = 2048, BITS_MIN = 1024, BITS_GOOD = 2048, BITS_MAX = 4096 };

static const char usage[] =
    "usage: gatepost keygen [OPTION]... DOMAIN\n"
    "\n"
    "Makes a DKIM key for DOMAIN, and prints the TXT record to publish and the lines for the\n"
    "configuration. For signatures of both kinds run it twice, once for each algorithm.\n"
    "\n"
    "  -s, --selector NAME    name of the key (default: the month, like 202611; Ed25519: "
    "202611e)\n"
    "  -a, --algorithm NAME   rsa (default) or ed25519\n"
    "  -b, --bits NUMBER      size of an RSA key, 1024 to 4096 (default: 2048)\n"
    "  -d, --out-dir DIR      where NAME.pem goes (default: " KEYS_DIR "/DOMAIN)\n"
    "  -o, --owner USER       give the key to this user: the one that serves\n"
    "  -g, --group GROUP      give it to this group, which may then read it (mode 0640)\n"
    "      --json             print one JSON object instead\n"
    "  -h, --help             print this\n"
    "\n"
    "Exit status: 0 done, 1 it failed, 2 wrong usage.\n";

struct options {
	char domain[DOMAIN_NAME_MAX];
	char selector[DKIM_SELECTOR_MAX + 1];
	enum dkim_algorithm algorithm;
	unsigned bits;
	char directory[PATH_MAX];
	char path[PATH_MAX + DKIM_SELECTOR_MAX + 8];
	uid_t owner; /* -1: as it is */
	gid_t group; /* -1: as it is */
	bool group_reads, json;
};

static void
set_defaults(struct options *o)
{
	const time_t now = (time_t)clock_real_s();
	struct tm tm;

	if (o->selector[0] == '\0') {
		gmtime_r(&now, &tm);
		snprintf(o->selector, sizeof(o->selector), "%04d%02d%s",
		    (tm.tm_year + 1900) % 10000, (tm.tm_mon + 1) % 100,
		    o->algorithm == DKIM_ED25519_SHA256 ? "e" : "");
	}
	if (o->directory[0] == '\0')
		snprintf(o->directory, sizeof(o->directory), KEYS_DIR "/%s", o->domain);
}

static bool
set_algorithm(struct options *o, const char *name, struct err *err)
{
	if (strcmp(name, "rsa") != 0 && strcmp(name, "ed25519") != 0)
		return err_set(
		    err, ERR_CONFIG, "--algorithm: \"%s\" is not one of rsa, ed25519", name);
	o->algorithm = name[0] == 'r' ? DKIM_RSA_SHA256 : DKIM_ED25519_SHA256;
	return true;
}

static bool
set_bits(struct options *o, const char *text, struct err *err)
{
	uint64_t bits = 0;

	if (!view_to_u64(view_of(text), &bits) || bits < BITS_MIN || bits > BITS_MAX)
		return err_set(err, ERR_CONFIG, "--bits: \"%s\" is not within %d and %d", text,
		    BITS_MIN, BITS_MAX);
	o->bits = (unsigned)bits;
	return true;
}

static bool
set_owner(struct options *o, const char *user, struct err *err)
{
	const struct passwd *pw = getpwnam(user);

	if (pw == NULL)
		return err_set(err, ERR_CONFIG, "--owner: there is no user \"%s\"", user);
	o->owner = pw->pw_uid;
	if (!o->group_reads)
		o->group = pw->pw_gid;
	return true;
}

static bool
set_group(struct options *o, const char *group, struct err *err)
{
	const struct group *gr = getgrnam(group);

	if (gr == NULL)
		return err_set(err, ERR_CONFIG, "--group: there is no group \"%s\"", group);
	o->group = gr->gr_gid;
	o->group_reads = true;
	return true;
}

static bool
set_option(struct options *o, int option, const char *value, struct err *err)
{
	switch (option) {
	case 's':
		if (!dkim_selector_is_valid(view_of(value)) ||
		    !view_copy(view_of(value), o->selector, sizeof(o->selector)))
			return err_set(err, ERR_CONFIG,
			    "--selector: \"%s\" is not one (letters, digits, hyphens, dots)",
			    value);
		return true;
	case 'a':
		return set_algorithm(o, value, err);
	case 'b':
		return set_bits(o, value, err);
	case 'd':
		if (!view_copy(view_of(value), o->directory, sizeof(o->directory)))
			return err_set(err, ERR_CONFIG, "--out-dir: the name is too long");
		return true;
	case 'o':
		return set_owner(o, value, err);
	case 'g':
		return set_group(o, value, err);
	default:
		o->json = true;
		return true;
	}
}

/* The exit status, or -1 to go on. */
static int
read_options(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "selector", required_argument, NULL, 's' },
		{ "algorithm", required_argument, NULL, 'a' },
		{ "bits", required_argument, NULL, 'b' },
		{ "out-dir", required_argument, NULL, 'd' },
		{ "owner", required_argument, NULL, 'o' },
		{ "group", required_argument, NULL, 'g' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct err err = { 0 };
	int option;

	optind = 0; /* start anew, whoever asked before */
	while ((option = getopt_long(argc, argv, "s:a:b:d:o:g:h", names, NULL)) != -1) {
		if (option == 'h') {
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		}
		if (option == '?') {
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
		if (!set_option(o, option, optarg, &err)) {
			fprintf(stderr, "gatepost keygen: %s\n", err.text);
			return EXIT_USAGE;
		}
	}
	if (argc - optind != 1) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (!domain_to_ascii(view_of(argv[optind]), o->domain)) {
		fprintf(stderr, "gatepost keygen: \"%s\" is not a domain name\n", argv[optind]);
		return EXIT_USAGE;
	}
	return -1;
}

/* mkdir -p; folders that are made can be looked into by all: the key protects itself. */
static bool
make_directories(const char *path, struct err *err)
{
	char part[PATH_MAX];
	const size_t len = strlen(path);

	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return err_set_errno(err, errno, "mkdir %s", part);
	}
	return true;
}

/* The directory is made, and its name becomes absolute: the configuration needs it so. */
static bool
prepare_path(struct options *o, struct err *err)
{
	char absolute[PATH_MAX];

	if (!make_directories(o->directory, err))
		return false;
	if (realpath(o->directory, absolute) == NULL)
		return err_set_errno(err, errno, "%s", o->directory);
	snprintf(o->path, sizeof(o->path), "%s/%s.pem", absolute, o->selector);
	return true;
}

static bool
give_away(const struct options *o, struct err *err)
{
	int fd = open(o->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool ok = fd >= 0 && fchown(fd, o->owner, o->group) == 0 &&
		  fchmod(fd, o->group_reads ? 0640 : 0600) == 0;

	if (!ok)
		err_set_errno(err, errno, "cannot give %s to its owner", o->path);
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool
make_record(const struct options *o, struct buf *record, struct err *err)
{
	char warning[160];
	const uid_t owner = o->owner == (uid_t)-1 ? geteuid() : o->owner;
	struct dkim_key *key = dkim_key_read_for(o->path, owner, warning, err);
	const bool ok = key != NULL && dkim_key_record(key, record);

	if (key != NULL && !ok)
		err_set(err, ERR_LIMIT, "the key's record is too long");
	dkim_key_destroy(&key);
	return ok;
}

/* A key that could not be made ready leaves no file. */
static bool
make_key(const struct options *o, struct buf *record, struct err *err)
{
	if (!dkim_key_generate(o->algorithm, o->bits, o->path, err)) {
		if (err->errnum == EEXIST)
			err_set(err, ERR_CONFIG,
			    "%s is there already: choose another --selector", o->path);
		return false;
	}
	if (make_record(o, record, err) && give_away(o, err))
		return true;
	unlink(o->path);
	return false;
}

static void
print_json(const struct options *o, struct view record, struct view zone_line)
{
	const struct {
		const char *key;
		struct view value;
	} members[] = {
		{ "domain", view_of(o->domain) },
		{ "selector", view_of(o->selector) },
		{ "algorithm", view_of(dkim_algorithm_name(o->algorithm)) },
		{ "key", view_of(o->path) },
		{ "record", record },
		{ "zone_line", zone_line },
	};

	printf("{");
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		json_print_member(members[i].key, members[i].value);
		printf(", ");
	}
	printf("\"name\": \"%s._domainkey.%s\", \"strings\": [", o->selector, o->domain);
	record_print_strings(", ", record);
	printf("]}\n");
}

static void
print_text(const struct options *o, struct view record, struct view zone_line)
{
	char size[32] = "";

	if (o->algorithm == DKIM_RSA_SHA256)
		snprintf(size, sizeof(size), ", %u bits", o->bits);
	printf("Made %s (%s%s, mode %s).\n", o->path, dkim_algorithm_name(o->algorithm), size,
	    o->group_reads ? "0640" : "0600");
	if (o->algorithm == DKIM_RSA_SHA256 && o->bits < BITS_GOOD)
		printf("Warning: %d bits are recommended; some receivers do not trust less.\n",
		    BITS_GOOD);
	printf("\n1. Publish this TXT record:\n\n  name:   %s._domainkey.%s\n  value:  ",
	    o->selector, o->domain);
	record_print_strings("\n          ", record);
	printf("\n\nThe same as a line of a zone file:\n\n%.*s\n", VIEW_ARG(zone_line));
	printf("\n2. When DNS has it (dig +short TXT %s._domainkey.%s), let Gatepost sign with "
	       "it:\n\n",
	    o->selector, o->domain);
	printf("domains: ( { name = \"%s\";\n             dkim = ( { selector = \"%s\"; key = "
	       "\"%s\"; } ); } );\n",
	    o->domain, o->selector, o->path);
}

static bool
print_result(const struct options *o, struct view record)
{
	struct buf zone_line;
	bool ok;

	buf_init(&zone_line, RECORD_TEXT_MAX);
	ok = dkim_record_zone_line(o->domain, o->selector, record, &zone_line);
	if (ok && o->json)
		print_json(o, record, buf_view(&zone_line));
	else if (ok)
		print_text(o, record, buf_view(&zone_line));
	buf_finish(&zone_line);
	return ok && fflush(stdout) == 0;
}

int
command_keygen(int argc, char **argv)
{
	struct options o = { .bits = BITS_DEFAULT, .owner = (uid_t)-1, .group = (gid_t)-1 };
	struct err err = { 0 };
	struct buf record;
	const int status = read_options(&o, argc, argv);
	bool ok;

	if (status >= 0)
		return status;
	set_defaults(&o);
	if (strlen(o.selector) + strlen("._domainkey.") + strlen(o.domain) >= DOMAIN_NAME_MAX) {
		fprintf(stderr, "gatepost keygen: %s._domainkey.%s is too long for the DNS\n",
		    o.selector, o.domain);
		return EXIT_USAGE;
	}
	buf_init(&record, RECORD_TEXT_MAX);
	ok = prepare_path(&o, &err) && make_key(&o, &record, &err);
	if (!ok)
		fprintf(stderr, "gatepost keygen: %s\n", err.text);
	else if (!print_result(&o, buf_view(&record)))
		ok = err_set(&err, ERR_IO, "output");
	buf_finish(&record);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
