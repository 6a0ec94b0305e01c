/* SPDX-License-Identifier: MPL-2.0 */
/*
 * gatepost rotate: the next DKIM key of a domain. Makes it, prints the record to publish, and
 * leaves it to the gate to sign with it when every authoritative server shows it. Nothing that
 * signs today is touched.
 */
#include "proxy/commands/commands.h"

#include "lib/base/clock.h"
#include "lib/domain/dkim_rotation.h"
#include "lib/mail/domain_name.h"
#include "proxy/commands/record_text.h"
#include "proxy/config.h"
#include "proxy/privileges.h"
#include "proxy/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_WAIT_MS 5000

enum { BITS = 2048, SUFFIX_MAX = 100 };

static const char usage[] =
    "usage: gatepost rotate [OPTION]... DOMAIN\n"
    "       gatepost rotate --cancel [-c FILE] DOMAIN\n"
    "\n"
    "Makes the next DKIM key of DOMAIN and prints the TXT record to publish. A running gate\n"
    "begins to sign with it once every authoritative server of DOMAIN shows the record; until\n"
    "then the present key signs. `gatepost check-domain DOMAIN` shows how far that is, and\n"
    "when the old record may go. Run again, it prints the record again.\n"
    "\n"
    "  -a, --algorithm NAME   rsa, ed25519 (default: each one that DOMAIN signs with today)\n"
    "  -s, --selector NAME    name of the key (default: the month, like 202611; Ed25519: "
    "202611e);\n"
    "                         for one algorithm only\n"
    "      --cancel           take back what is pending\n"
    "  -c, --config FILE      configuration (default " CONFIG_FILE_DEFAULT ")\n"
    "      --json             print a JSON array instead\n"
    "  -h, --help             print this\n"
    "\n"
    "Exit status: 0 done, 1 it failed, 2 wrong usage.\n";

struct options {
	const char *config, *selector, *domain_text;
	bool has_algorithm, is_cancel, is_json;
	enum dkim_algorithm algorithm;
};

/* What one run works on. */
struct job {
	const struct options *options;
	const struct config *config;
	const struct config_domain *domain_config;
	char domain[DOMAIN_NAME_MAX];
	char folder[PATH_MAX]; /* STATE_DIR/dkim */
	uid_t uid;	       /* who serves, and makes everything in state_dir */
	gid_t gid;
	struct dkim_keyring *configured; /* owned */
	struct rotation rotation;
	int64_t now;
};

/* The exit status, or -1 to go on. */
static int
read_options(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "algorithm", required_argument, NULL, 'a' },
		{ "selector", required_argument, NULL, 's' },
		{ "cancel", no_argument, NULL, 'x' },
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*o = (struct options){ .config = CONFIG_FILE_DEFAULT };
	optind = 0; /* start anew, whoever asked before */
	while ((c = getopt_long(argc, argv, "a:s:c:h", names, NULL)) != -1) {
		if (c == 'h')
			return fputs(usage, stdout) < 0;
		if (c == '?' || (c == 'a' && strcmp(optarg, "rsa") != 0 &&
				    strcmp(optarg, "ed25519") != 0)) {
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
		o->config = c == 'c' ? optarg : o->config;
		o->selector = c == 's' ? optarg : o->selector;
		o->is_cancel = o->is_cancel || c == 'x';
		o->is_json = o->is_json || c == 'j';
		if (c != 'a')
			continue;
		o->has_algorithm = true;
		o->algorithm = optarg[0] == 'r' ? DKIM_RSA_SHA256 : DKIM_ED25519_SHA256;
	}
	if (argc - optind != 1 || (o->is_cancel && (o->has_algorithm || o->selector != NULL))) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	o->domain_text = argv[optind];
	return -1;
}

static bool
find_domain(struct job *job, struct err *err)
{
	const struct config_domain *all = job->config->domains.items;
	char name[DOMAIN_NAME_MAX];

	if (!domain_to_ascii(view_of(job->options->domain_text), job->domain))
		return err_set(
		    err, ERR_CONFIG, "\"%s\" is not a domain name", job->options->domain_text);
	for (size_t i = 0; i < job->config->domains.count; i++) {
		if (all[i].name != NULL && domain_to_ascii(view_of(all[i].name), name) &&
		    strcmp(name, job->domain) == 0)
			job->domain_config = &all[i];
	}
	if (job->domain_config == NULL)
		return err_set(err, ERR_CONFIG, "%s is not one of the domains in %s",
		    job->domain, job->options->config);
	return true;
}

/* The keys of the configuration may be root's: they are read before root is given up. */
static bool
read_configured(struct job *job, struct err *err)
{
	const struct config_dkim_key *keys = job->domain_config->dkim.items;

	job->configured = dkim_keyring_create();
	for (size_t i = 0; i < job->domain_config->dkim.count; i++) {
		char warning[160];
		struct dkim_key *key = dkim_key_read_for(keys[i].key, job->uid, warning, err);

		if (key == NULL ||
		    !dkim_keyring_add(job->configured, job->domain, keys[i].selector, key, err))
			return false;
	}
	return true;
}

/*
 * become_server - the folders below state_dir belong to the user that serves, and so may be
 * anything: nothing is made in them as root.
 */
static bool
become_server(struct job *job, struct err *err)
{
	const char *state_dir = job->config->state_dir;

	if (mkdir(state_dir, 0750) == 0) {
		if (geteuid() == 0 && chown(state_dir, job->uid, job->gid) != 0)
			return err_set_errno(
			    err, errno, "cannot give %s to its owner", state_dir);
	} else if (errno != EEXIST) {
		return err_set_errno(err, errno, "cannot make %s", state_dir);
	}
	return privileges_drop(job->config->user, job->uid, job->gid, err);
}

static bool
make_folder(const char *path, struct err *err)
{
	return mkdir(path, 0750) == 0 || errno == EEXIST ||
	       err_set_errno(err, errno, "cannot make %s", path);
}

static bool
prepare_folders(struct job *job, struct err *err)
{
	char path[PATH_MAX];
	int len;

	len = snprintf(job->folder, sizeof(job->folder), "%s/dkim", job->config->state_dir);
	if (len < 0 || (size_t)len >= sizeof(job->folder))
		return err_set(err, ERR_CONFIG, "state_dir: the path is too long");
	len = snprintf(path, sizeof(path), "%s/%s", job->folder, job->domain);
	if (len < 0 || (size_t)len >= sizeof(path))
		return err_set(err, ERR_CONFIG, "state_dir: the path is too long");
	return make_folder(job->folder, err) && make_folder(path, err);
}

/* The keys of the configuration sign today: they are what the new ones take over from. */
static bool
adopt_configured(struct job *job, struct err *err)
{
	const struct dkim_domain *keys = dkim_keyring_find(job->configured, job->domain, false);

	for (size_t i = 0; keys != NULL && i < keys->selector_count; i++) {
		const struct dkim_selector *key = &keys->selectors[i];

		if (!rotation_adopt(
			&job->rotation, key->selector, dkim_key_algorithm(key->key), job->now))
			return err_set(err, ERR_LIMIT, "%s has too many keys", job->domain);
	}
	return true;
}

static const struct rotation_key *
find_pending(const struct job *job, enum dkim_algorithm algorithm)
{
	for (size_t i = 0; i < job->rotation.count; i++) {
		if (job->rotation.keys[i].state == ROTATION_PENDING &&
		    job->rotation.keys[i].algorithm == algorithm)
			return &job->rotation.keys[i];
	}
	return NULL;
}

static bool
is_wanted(const struct job *job, enum dkim_algorithm algorithm)
{
	bool signs_at_all = false;

	if (job->options->has_algorithm)
		return algorithm == job->options->algorithm;
	for (size_t i = 0; i < job->rotation.count; i++) {
		if (job->rotation.keys[i].state != ROTATION_ACTIVE)
			continue;
		signs_at_all = true;
		if (job->rotation.keys[i].algorithm == algorithm)
			return true;
	}
	return !signs_at_all && algorithm == DKIM_RSA_SHA256;
}

/* ---- one key ---- */

/* "202611", or "202611-2" if that was used, and so on. */
static bool
choose_selector(struct job *job, enum dkim_algorithm algorithm, char out[DKIM_SELECTOR_MAX + 1],
    struct err *err)
{
	const time_t now = (time_t)job->now;
	char suffix[16] = "", path[PATH_MAX];
	struct stat st;
	struct tm tm;

	if (job->options->selector != NULL) {
		if (!dkim_selector_is_valid(view_of(job->options->selector)))
			return err_set(err, ERR_CONFIG, "--selector: \"%s\" is not one",
			    job->options->selector);
		return view_copy(view_of(job->options->selector), out, DKIM_SELECTOR_MAX + 1);
	}
	gmtime_r(&now, &tm);
	for (int i = 2; i < SUFFIX_MAX; i++) {
		snprintf(out, DKIM_SELECTOR_MAX + 1, "%04d%02d%s%s",
		    (tm.tm_year + 1900) % 10000, (tm.tm_mon + 1) % 100,
		    algorithm == DKIM_ED25519_SHA256 ? "e" : "", suffix);
		if (rotation_find(&job->rotation, out) == NULL &&
		    rotation_key_path(job->folder, job->domain, out, path, sizeof(path)) &&
		    lstat(path, &st) != 0)
			return true;
		snprintf(suffix, sizeof(suffix), "-%d", i);
	}
	return err_set(err, ERR_LIMIT, "no selector is left for this month: use --selector");
}

/* ---- the record of a key, in a file beside it: the key soon is the keeper's alone ---- */

static bool
record_path(const struct job *job, const char *selector, char out[PATH_MAX], struct err *err)
{
	const int len =
	    snprintf(out, PATH_MAX, "%s/%s/%s.txt", job->folder, job->domain, selector);

	return (len > 0 && len < PATH_MAX) ||
	       err_set(err, ERR_CONFIG, "the path of %s is too long", selector);
}

static bool
write_text(const char *path, struct view text, struct err *err)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
	const bool ok = fd >= 0 && write(fd, text.p, text.len) == (ssize_t)text.len;

	if (!ok)
		(void)err_set_errno(err, errno, "cannot write %s", path);
	if (fd >= 0)
		(void)close(fd);
	return ok;
}

/* write_record - of the key that was just made. */
static bool
write_record(const struct job *job, const char *selector, const char *key_path, struct err *err)
{
	char path[PATH_MAX], warning[160];
	struct dkim_key *key = dkim_key_read_made(key_path, job->uid, warning, err);
	struct buf record;
	bool ok;

	if (key == NULL)
		return false;
	buf_init(&record, RECORD_TEXT_MAX);
	ok = (dkim_key_record(key, &record) ||
		 err_set(err, ERR_LIMIT, "the key's record is too long")) &&
	     record_path(job, selector, path, err) && write_text(path, buf_view(&record), err);
	buf_finish(&record);
	dkim_key_destroy(&key);
	return ok;
}

static bool
make_key(struct job *job, enum dkim_algorithm algorithm, struct err *err)
{
	char selector[DKIM_SELECTOR_MAX + 1], path[PATH_MAX];

	if (!choose_selector(job, algorithm, selector, err))
		return false;
	if (strlen(selector) + strlen("._domainkey.") + strlen(job->domain) >=
		DOMAIN_NAME_MAX ||
	    !rotation_key_path(job->folder, job->domain, selector, path, sizeof(path)))
		return err_set(
		    err, ERR_CONFIG, "%s._domainkey.%s is too long", selector, job->domain);
	if (!rotation_begin(&job->rotation, selector, algorithm, job->now, err) ||
	    !dkim_key_generate(algorithm, BITS, path, err))
		return false;
	if (write_record(job, selector, path, err) &&
	    rotation_write(job->folder, job->domain, &job->rotation, err))
		return true;
	(void)unlink(path);
	if (record_path(job, selector, path, NULL))
		(void)unlink(path);
	return false;
}

/* ---- what is printed ---- */

/* read_record - as it was written when the key was made; the key itself may be the keeper's. */
static bool
read_record(
    const struct job *job, const struct rotation_key *key, struct buf *record, struct err *err)
{
	char path[PATH_MAX], text[RECORD_TEXT_MAX];
	ssize_t len = -1;
	int fd;

	if (!record_path(job, key->selector, path, err))
		return false;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0) {
		len = read(fd, text, sizeof(text));
		(void)close(fd);
	}
	return (len > 0 && buf_add_view(record, view_make(text, (size_t)len))) ||
	       err_set_errno(err, errno, "%s", path);
}

static void
print_json(
    const struct job *job, const struct rotation_key *key, struct view record, struct view line)
{
	printf("{");
	json_print_member("domain", view_of(job->domain));
	printf(", ");
	json_print_member("selector", view_of(key->selector));
	printf(", ");
	json_print_member("algorithm", view_of(dkim_algorithm_name(key->algorithm)));
	printf(", ");
	json_print_member("state", view_of(rotation_state_name(key->state)));
	printf(", ");
	json_print_member("record", record);
	printf(", ");
	json_print_member("zone_line", line);
	printf(", \"name\": \"%s._domainkey.%s\", \"strings\": [", key->selector, job->domain);
	record_print_strings(", ", record);
	printf("]}");
}

static void
print_text(
    const struct job *job, const struct rotation_key *key, struct view record, struct view line)
{
	printf("%s, %s, is pending. Publish this TXT record:\n\n"
	       "  name:   %s._domainkey.%s\n  value:  ",
	    key->selector, dkim_algorithm_name(key->algorithm), key->selector, job->domain);
	record_print_strings("\n          ", record);
	printf("\n\nThe same as a line of a zone file:\n\n%.*s\n\n", VIEW_ARG(line));
}

static bool
print_key(const struct job *job, const struct rotation_key *key, bool is_first, struct err *err)
{
	struct buf record, line;
	bool ok;

	buf_init(&record, RECORD_TEXT_MAX);
	buf_init(&line, RECORD_TEXT_MAX);
	ok = read_record(job, key, &record, err) &&
	     (dkim_record_zone_line(job->domain, key->selector, buf_view(&record), &line) ||
		 err_set(err, ERR_LIMIT, "the key's record is too long"));
	if (ok && job->options->is_json)
		printf("%s", is_first ? "" : ", ");
	if (ok && job->options->is_json)
		print_json(job, key, buf_view(&record), buf_view(&line));
	else if (ok)
		print_text(job, key, buf_view(&record), buf_view(&line));
	buf_finish(&record);
	buf_finish(&line);
	return ok;
}

static void
print_what_follows(const struct job *job)
{
	printf(
	    "The gate signs with it once every authoritative server of %s shows it, and has\n"
	    "done so for a while; leave the old record where it is until\n"
	    "\"gatepost check-domain %s\" says that it may go.\n",
	    job->domain, job->domain);
}

/* ---- the command ---- */

/*
 * cancel - what is pending is retired at once. Its selector stays in the list, so that no other
 * key gets that name: caches may hold the record of this one.
 */
static bool
cancel(struct job *job, struct err *err)
{
	const struct rotation before = job->rotation;
	char path[PATH_MAX];
	size_t pending = 0;

	for (size_t i = 0; i < before.count; i++) {
		if (before.keys[i].state != ROTATION_PENDING)
			continue;
		job->rotation.keys[i].state = ROTATION_RETIRED;
		job->rotation.keys[i].since = job->now;
		pending++;
	}
	if (pending == 0)
		return err_set(err, ERR_CONFIG, "no key of %s is pending", job->domain);
	if (!rotation_write(job->folder, job->domain, &job->rotation, err))
		return false;
	for (size_t i = 0; i < before.count; i++) {
		const struct rotation_key *key = &before.keys[i];

		if (key->state == ROTATION_PENDING &&
		    rotation_key_path(
			job->folder, job->domain, key->selector, path, sizeof(path)) &&
		    unlink(path) == 0) {
			if (record_path(job, key->selector, path, NULL))
				(void)unlink(path);
			printf("%s is taken back; its record may go.\n", key->selector);
		}
	}
	return true;
}

static bool
rotate(struct job *job, struct err *err)
{
	static const enum dkim_algorithm algorithms[] = { DKIM_RSA_SHA256,
		DKIM_ED25519_SHA256 };
	size_t wanted = 0, printed = 0;

	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
		wanted += is_wanted(job, algorithms[i]);
	if (job->options->selector != NULL && wanted > 1)
		return err_set(err, ERR_CONFIG,
		    "%s signs with both algorithms: --selector needs --algorithm", job->domain);
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
		if (is_wanted(job, algorithms[i]) && find_pending(job, algorithms[i]) == NULL &&
		    !make_key(job, algorithms[i], err))
			return false;
	}
	printf("%s", job->options->is_json ? "[" : "");
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
		if (is_wanted(job, algorithms[i]) &&
		    !print_key(job, find_pending(job, algorithms[i]), printed++ == 0, err))
			return false;
	}
	if (job->options->is_json)
		printf("]\n");
	else
		print_what_follows(job);
	return true;
}

static bool
work(struct job *job, struct err *err)
{
	bool ok;
	int lock;

	if (!find_domain(job, err) ||
	    !privileges_find(
		job->config->user, job->config->group, &job->uid, &job->gid, err) ||
	    !read_configured(job, err) || !become_server(job, err) ||
	    !prepare_folders(job, err))
		return false;
	lock = rotation_lock(job->folder, job->domain, clock_mono_ms() + LOCK_WAIT_MS, err);
	if (lock < 0)
		return false;
	ok = rotation_read(job->folder, job->domain, &job->rotation, err);
	if (ok && job->options->is_cancel)
		ok = cancel(job, err);
	else if (ok)
		ok = adopt_configured(job, err) && rotate(job, err);
	rotation_unlock(&lock);
	return ok && (fflush(stdout) == 0 || err_set(err, ERR_IO, "output"));
}

int
command_rotate(int argc, char **argv)
{
	struct options o;
	struct conf_errors errors;
	struct err err = { 0 };
	const int status = read_options(&o, argc, argv);
	bool ok = false;

	if (status >= 0)
		return status;
	conf_errors_init(&errors);
	struct loaded_config *loaded = config_load(o.config, &errors);
	for (size_t i = 0; i < errors.count; i++)
		fprintf(stderr, "%s\n", errors.lines[i]);
	if (loaded != NULL && !watch_is_needed(loaded)) {
		fprintf(stderr, "gatepost rotate: nothing would ever sign with a new key: put "
				"dkim_sign into a "
				"chain, and leave watch.enabled true\n");
	} else if (loaded != NULL) {
		struct job job = {
			.options = &o, .config = &loaded->config, .now = clock_real_s()
		};
		ok = work(&job, &err);
		if (!ok)
			fprintf(stderr, "gatepost rotate: %s\n", err.text);
		dkim_keyring_destroy(&job.configured);
	}
	config_unload(&loaded);
	conf_errors_finish(&errors);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
