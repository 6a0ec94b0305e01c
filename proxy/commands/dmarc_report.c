/* SPDX-License-Identifier: MPL-2.0 */
/*
 * gatepost dmarc-report: aggregate reports (RFC 9990) of what the gate recorded on a day, to
 * the domains that ask for them. Run by a timer; what was mailed is recorded, so that each run
 * does what the ones before it left.
 */
#include "proxy/commands/commands.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/domain/dkim_sign.h"
#include "lib/domain/dmarc_report.h"
#include "lib/domain/dmarc_rua.h"
#include "proxy/commands/dmarc_report_options.h"
#include "proxy/commands/report_mailer.h"
#include "proxy/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_S	     86400
#define RETRY_DAYS   3	    /* days that a run without --day looks at */
#define DNS_LIMIT_MS 10000  /* for all that is asked about one domain */
#define ROWS_MAX     100000 /* of one report */
#define MAIL_MAX     (INT64_C(160) << 20)
#define TRIES_MAX    12 /* to get under max_size */

struct job {
	const struct dmarc_report_options *options;
	struct snapshot *snapshot; /* owned */
	const struct config *config;
	struct dmarc_reader *reader; /* owned */
	struct report_mailer mailer;
	int64_t today;
	size_t domains;	   /* looked at */
	bool is_left_over; /* something must be done again */
};

/* Names of the policy domains of one day. */
struct names {
	struct arena arena;
	const char **items; /* owned */
	size_t count, room;
};

/* ---- talking ---- */

/* say - a line to stdout; octets of peers that are no printable ASCII become "?". */
static void say(const char *fmt, ...) PRINTF_LIKE(1, 2);

static void
say(const char *fmt, ...)
{
	char line[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (char *p = line; *p != '\0'; p++) {
		if (*p < ' ' || *p > '~')
			*p = '?';
	}
	puts(line);
}

static void
complain(struct job *job, const char *what, const struct err *err)
{
	fprintf(stderr, "gatepost dmarc-report: %s: %s\n", what, err->text);
	job->is_left_over = true;
}

/* ---- one report ---- */

/* A report, and what it is about. */
struct made {
	struct dmarc_report_head head;
	struct buf xml, gzip;
	size_t rows, left_out;
	int64_t messages;
};

static void
made_finish(struct made *m)
{
	buf_finish(&m->xml);
	buf_finish(&m->gzip);
}

static struct dmarc_report_head
head_of(const struct job *job, int64_t day, const char *domain)
{
	const struct config_dmarc_reports *config = &job->config->dmarc_reports;

	return (struct dmarc_report_head){
		.org_name = config->org_name != NULL ? config->org_name : job->config->hostname,
		.email = config->from != NULL ? config->from : "",
		.contact = config->contact,
		.receiver = job->config->hostname,
		.policy_domain = domain,
		.store_id = dmarc_reader_id(job->reader),
		.generator = "Gatepost " GATEPOST_VERSION,
		.day = day,
	};
}

/* make_once - with so many rows at most. */
static bool
make_once(struct job *job, struct made *m, size_t rows_max, struct err *err)
{
	struct dmarc_published published;
	struct dmarc_report report;
	bool ok;

	buf_init(&m->xml, DMARC_REPORT_XML_MAX);
	buf_init(&m->gzip, DMARC_REPORT_GZIP_MAX);
	dmarc_report_init(&report, rows_max);
	ok = dmarc_reader_policy(
		 job->reader, m->head.day, m->head.policy_domain, &published, err) &&
	     dmarc_reader_each_row(job->reader, m->head.day, m->head.policy_domain,
		 dmarc_report_add, &report, err);
	if (ok)
		ok = (dmarc_report_write(&report, &m->head, &published, &m->xml) &&
			 dmarc_report_compress(buf_view(&m->xml), &m->gzip)) ||
		     err_set(err, ERR_LIMIT, "the report is too large");
	m->rows = report.rows;
	m->left_out = report.left_out;
	m->messages = report.messages;
	dmarc_report_finish(&report);
	return ok;
}

/* make_report - with as many rows as go into a mail of max_size, most messages first. */
static bool
make_report(struct job *job, int64_t day, const char *domain, struct made *m, struct err *err)
{
	const uint64_t max = (uint64_t)job->config->dmarc_reports.max_size_octets;
	size_t rows_max = ROWS_MAX;

	for (int tries = 0; tries < TRIES_MAX; tries++) {
		*m = (struct made){ .head = head_of(job, day, domain) };
		if (!make_once(job, m, rows_max, err)) {
			made_finish(m);
			return false;
		}
		/* Base64 in lines of 78 octets, a header, signatures. */
		const uint64_t size = (uint64_t)m->gzip.len * 78 / 57 + 16384;
		if (size <= max)
			return true;
		rows_max = (size_t)((uint64_t)m->rows * max / size * 9 / 10);
		made_finish(m);
		if (rows_max == 0)
			break;
	}
	return err_set(err, ERR_LIMIT, "no report fits into dmarc_reports.max_size");
}

static void
print_report(struct job *job, int64_t day, const char *domain)
{
	struct err err = { .kind = ERR_NONE };
	struct made made;

	if (!make_report(job, day, domain, &made, &err)) {
		complain(job, domain, &err);
		return;
	}
	if (fwrite(made.xml.p, 1, made.xml.len, stdout) != made.xml.len)
		job->is_left_over = true;
	made_finish(&made);
}

/* ---- destinations ---- */

/* mail_to - true: nothing is left to do for this address. */
static bool
mail_to(struct job *job, const struct made *made, const char *to)
{
	char answer[REPORT_ANSWER_MAX];
	struct err err = { .kind = ERR_NONE };
	struct buf text;
	bool ok;

	buf_init(&text, MAIL_MAX);
	ok = dmarc_report_mail(&made->head, buf_view(&made->gzip), to, clock_real_s(), &text);
	if (!ok)
		snprintf(answer, sizeof(answer), "the mail would be too large");
	else
		ok = report_mailer_send(&job->mailer, buf_view(&text), to, answer);
	buf_finish(&text);
	say("  %s: %s: %s", to, ok ? "mailed" : "not mailed", answer);
	if (ok && !dmarc_reader_mark(job->reader, made->head.day, made->head.policy_domain, to,
		      clock_real_s(), &err))
		complain(job, "it will be mailed again", &err);
	return ok;
}

/* serve - one destination; true: nothing is left to do for it. */
static bool
serve(struct job *job, const struct made *made, const struct dmarc_destination *d)
{
	struct err err = { .kind = ERR_NONE };
	bool is_mailed = false;

	if (d->status != DMARC_DESTINATION_GOOD) {
		say("  %s: %s%s", d->address,
		    d->status == DMARC_DESTINATION_LATER ? "later: " : "", d->why);
		return d->status != DMARC_DESTINATION_LATER;
	}
	if (!dmarc_reader_is_marked(job->reader, made->head.day, made->head.policy_domain,
		d->address, &is_mailed, &err)) {
		complain(job, d->address, &err);
		return false;
	}
	if (is_mailed && !job->options->resend) {
		say("  %s: mailed before", d->address);
		return true;
	}
	if (job->options->mode == REPORT_SEND)
		return mail_to(job, made, d->address);
	say("  %s: would be mailed", d->address);
	return true;
}

static bool
serve_all(struct job *job, int64_t day, const char *domain, const struct dmarc_rua *rua)
{
	struct err err = { .kind = ERR_NONE };
	struct made made;
	char text[DMARC_DAY_TEXT_MAX];
	bool is_done = true;

	if (!make_report(job, day, domain, &made, &err)) {
		complain(job, domain, &err);
		return false;
	}
	dmarc_report_day_text(day, text);
	say("%s %s: %lld messages in %zu records, %zu octets%s", text, domain,
	    (long long)made.messages, made.rows, made.gzip.len,
	    made.left_out > 0 ? ", some left out" : "");
	for (size_t i = 0; i < rua->count; i++)
		is_done &= serve(job, &made, &rua->destinations[i]);
	made_finish(&made);
	return is_done;
}

/* ---- domains and days ---- */

static void
mail_report(struct job *job, int64_t day, const char *domain)
{
	struct dmarc_rua *rua = mem_calloc(1, sizeof(*rua));
	struct err err = { .kind = ERR_NONE };
	struct arena arena;
	bool is_done = true;
	char text[DMARC_DAY_TEXT_MAX];

	arena_init(&arena);
	dmarc_report_day_text(day, text);
	dmarc_rua_find(resolver_source(job->snapshot->resolver), domain,
	    clock_mono_ms() + DNS_LIMIT_MS, &arena, rua);
	if (rua->status == DMARC_RUA_FOUND) {
		is_done = serve_all(job, day, domain, rua);
	} else {
		is_done = rua->status == DMARC_RUA_NONE;
		say("%s %s: %s%s", text, domain, is_done ? "" : "later: ", rua->why);
	}
	arena_finish(&arena);
	mem_free(rua);
	if (!is_done)
		job->is_left_over = true;
	else if (job->options->mode == REPORT_SEND &&
		 !dmarc_reader_mark(job->reader, day, domain, "", clock_real_s(), &err))
		complain(job, domain, &err);
}

static void
report_domain(struct job *job, int64_t day, const char *domain)
{
	struct err err = { .kind = ERR_NONE };
	bool is_done = false;

	job->domains++;
	if (job->options->mode == REPORT_PRINT) {
		print_report(job, day, domain);
		return;
	}
	if (!dmarc_reader_is_marked(job->reader, day, domain, "", &is_done, &err))
		complain(job, domain, &err);
	else if (!is_done || job->options->resend)
		mail_report(job, day, domain);
}

static bool
take_name(void *context, const char *domain)
{
	struct names *n = context;

	if (n->count == n->room) {
		n->room = n->room == 0 ? 64 : 2 * n->room;
		n->items = mem_realloc(n->items, n->room * sizeof(*n->items));
	}
	n->items[n->count++] = arena_strdup(&n->arena, view_of(domain));
	return true;
}

/* report_day - the names first: no look-up and no mail while the file is being read. */
static void
report_day(struct job *job, int64_t day)
{
	const char *wanted = job->options->domain;
	struct err err = { .kind = ERR_NONE };
	struct names names = { .count = 0 };

	arena_init(&names.arena);
	if (!dmarc_reader_each_domain(job->reader, day, take_name, &names, &err))
		complain(job, job->options->config, &err);
	for (size_t i = 0; i < names.count; i++) {
		if (wanted[0] == '\0' || strcmp(names.items[i], wanted) == 0)
			report_domain(job, day, names.items[i]);
		(void)fflush(stdout);
	}
	mem_free(names.items);
	arena_finish(&names.arena);
}

static void
report_days(struct job *job)
{
	if (job->options->day >= 0) {
		report_day(job, job->options->day);
	} else {
		for (int64_t day = job->today - RETRY_DAYS; day < job->today; day++)
			report_day(job, day);
	}
	if (job->domains == 0 && job->options->mode != REPORT_PRINT && !job->is_left_over)
		say("nothing was recorded for these days");
}

/* ---- setting up ---- */

/* take_lock - only one such command at a time: a report must not go out twice. */
static bool
take_lock(const struct job *job, int *lock_out, struct err *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/dmarc-report.lock", job->config->state_dir);
	*lock_out = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (*lock_out < 0)
		return err_set_errno(err, errno, "%s", path);
	return flock(*lock_out, LOCK_EX | LOCK_NB) == 0 ||
	       err_set(err, ERR_TEMP, "another one is at work (%s)", path);
}

static bool
become_user(const struct config *config, struct err *err)
{
	uid_t uid;
	gid_t gid;

	return privileges_find(config->user, config->group, &uid, &gid, err) &&
	       privileges_drop(config->user, uid, gid, err);
}

static bool
prepare(struct job *job, int *lock_out, struct err *err)
{
	const struct config_dmarc_reports *config = &job->config->dmarc_reports;
	char path[PATH_MAX];

	if (!become_user(job->config, err))
		return false;
	if (!config_dmarc_store_path(job->config, path, sizeof(path)))
		return err_set(err, ERR_CONFIG, "state_dir: the path is too long");
	if (job->options->mode != REPORT_PRINT) {
		if (config->from == NULL)
			return err_set(err, ERR_CONFIG,
			    "dmarc_reports.from is not set: whom do the reports come from?");
		if (!report_mailer_init(&job->mailer, job->snapshot, config->from,
			config_dmarc_upstream(job->config), err) ||
		    !take_lock(job, lock_out, err))
			return false;
		if (job->mailer.signer == NULL)
			fprintf(stderr,
			    "gatepost dmarc-report: warning: no DKIM key signs for %s: the "
			    "reports must pass DMARC by SPF alone\n",
			    config->from);
	}
	job->reader = dmarc_reader_open(path, err);
	return job->reader != NULL;
}

/* is_recorded - a gate that has seen no mail yet has no file; that is no error. */
static bool
is_recorded(const struct config *config)
{
	char path[PATH_MAX];
	struct stat st;

	if (!config_dmarc_store_path(config, path, sizeof(path)) || stat(path, &st) == 0 ||
	    errno != ENOENT)
		return true;
	fprintf(stderr, "gatepost dmarc-report: nothing was recorded yet%s\n",
	    config->dmarc_reports.store ? "" : " (dmarc_reports.store is off)");
	return false;
}

static bool
check_day(const struct job *job, struct err *err)
{
	return job->options->day < job->today || job->options->mode != REPORT_SEND ||
	       err_set(err, ERR_CONFIG, "that day is not over; --print and --dry-run show it");
}

static int
work(const struct dmarc_report_options *options, struct snapshot *snapshot)
{
	struct job job = { .options = options,
		.snapshot = snapshot,
		.config = snapshot->config,
		.today = clock_real_s() / DAY_S };
	struct err err = { .kind = ERR_NONE };
	int lock = -1;

	if (!check_day(&job, &err)) {
		complain(&job, "--day", &err);
	} else if (is_recorded(job.config)) {
		if (prepare(&job, &lock, &err))
			report_days(&job);
		else
			complain(&job, options->config, &err);
	}
	report_mailer_finish(&job.mailer);
	dmarc_reader_close(&job.reader);
	if (lock >= 0)
		(void)close(lock);
	return job.is_left_over || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static struct snapshot *
load(const char *file)
{
	struct snapshot *snapshot = NULL;
	struct loaded_config *loaded;
	struct conf_errors errors;

	conf_errors_init(&errors);
	loaded = config_load(file, &errors);
	if (loaded != NULL)
		snapshot = snapshot_create(&loaded, &errors);
	for (size_t i = 0; i < errors.count; i++)
		fprintf(stderr, "%s\n", errors.lines[i]);
	conf_errors_finish(&errors);
	return snapshot;
}

int
command_dmarc_report(int argc, char **argv)
{
	struct err err = { .kind = ERR_NONE };
	struct dmarc_report_options options;
	int status = dmarc_report_options_read(&options, argc, argv);

	if (status >= 0)
		return status;
	/* What it does goes to stdout; of the log only what is broken is news here. */
	const struct log_config log = { .level = LEVEL_ERROR };
	log_configure(&log);
	(void)umask(027);
	if (!dkim_sign_init(&err)) {
		fprintf(stderr, "gatepost dmarc-report: %s\n", err.text);
		return EXIT_FAILURE;
	}
	struct snapshot *snapshot = load(options.config);
	status = snapshot != NULL ? work(&options, snapshot) : EXIT_FAILURE;
	snapshot_release(&snapshot);
	dkim_sign_finish();
	return status;
}
