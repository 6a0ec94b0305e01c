/* SPDX-License-Identifier: MPL-2.0 */
/*
 * gatepost run: starts the parent (proxy/supervisor.h), which starts the gate: load and bind
 * (perhaps as root), become the configured user, serve. With --single-process both are one, and
 * the DKIM keys are in it. Stays in the foreground; a service manager does the rest.
 */
#include "proxy/commands/commands.h"

#include "lib/base/log.h"
#include "lib/domain/dkim_sign.h"
#include "lib/domain/dkim_verify.h"
#include "proxy/confine.h"
#include "proxy/confine_paths.h"
#include "proxy/helpers.h"
#include "proxy/privileges.h"
#include "proxy/session/engine.h"
#include "proxy/supervisor.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MALLOC_ARENAS 4 /* many threads, few at a time: more arenas only fragment */

static const char usage[] =
    "usage: gatepost run [-c FILE]\n"
    "\n"
    "Serve until SIGTERM. SIGHUP reloads the configuration; a broken file is refused\n"
    "and the old configuration stays.\n"
    "\n"
    "  -c, --config FILE     configuration (default " CONFIG_FILE_DEFAULT ")\n"
    "      --single-process  all in one process, the DKIM keys too: for debugging\n"
    "  -h, --help            this text\n";

/* What a reload has to know of the start. */
struct start {
	const char *file;
	unsigned off;		    /* layers that are (confine.h) */
	struct confine_paths paths; /* what this process may open files in */
};

static void
print_errors(const struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		(void)fprintf(stderr, "%s\n", errors->lines[i]);
}

static void
log_warnings(const struct loaded_config *loaded)
{
	struct conf_errors warnings;

	conf_errors_init(&warnings);
	config_warn(loaded, &warnings);
	for (size_t i = 0; i < warnings.count; i++)
		log_event(LEVEL_WARNING, "config.warning", LOG_STR("text", warnings.lines[i]));
	conf_errors_finish(&warnings);
}

static struct snapshot *
load(const char *file, struct conf_errors *errors)
{
	struct loaded_config *loaded = config_load(file, errors);

	if (loaded != NULL)
		log_warnings(loaded);
	return loaded != NULL ? snapshot_create(&loaded, errors) : NULL;
}

/* is_within - does the new configuration name only what this process may open? */
static bool
is_within(
    const struct start *start, const struct loaded_config *loaded, struct conf_errors *errors)
{
	struct confine_paths wanted;
	bool is_covered;

	confine_paths_init(&wanted);
	confine_paths_gather(&wanted, loaded);
	is_covered = confine_paths_cover(&start->paths, &wanted, errors);
	confine_paths_finish(&wanted);
	if (is_covered && config_confine_off(&loaded->config.confine) != start->off)
		log_event(LEVEL_WARNING, "config.warning",
		    LOG_STR("text", "confine.off has changed: it takes effect at a restart"));
	return is_covered;
}

static struct snapshot *
load_again(const struct start *start, struct conf_errors *errors)
{
	struct loaded_config *loaded = config_load(start->file, errors);
	struct snapshot *fresh = NULL;

	if (loaded != NULL) {
		log_warnings(loaded);
		if (is_within(start, loaded, errors))
			fresh = snapshot_create(&loaded, errors);
		config_unload(&loaded);
	}
	if (fresh == NULL)
		confine_paths_explain(&start->paths, start->file, errors);
	return fresh;
}

/* SIGHUP, on a thread of its own. */
static struct snapshot *
reload(void *context, const struct snapshot *current)
{
	struct conf_errors errors;
	struct err err = { 0 };

	conf_errors_init(&errors);
	struct snapshot *fresh = load_again(context, &errors);
	if (fresh != NULL && !snapshot_start(fresh, current, &err)) {
		log_event(LEVEL_ERROR, "gate.reload_failed", LOG_STR("text", err.text));
		snapshot_release(&fresh);
	}
	for (size_t i = 0; i < errors.count; i++)
		log_event(LEVEL_ERROR, "gate.reload_failed", LOG_STR("text", errors.lines[i]));
	conf_errors_finish(&errors);
	return fresh;
}

static bool
make_folder(const char *path, uid_t uid, gid_t gid, struct err *err)
{
	if (mkdir(path, 0750) == 0) {
		if (geteuid() == 0 && chown(path, uid, gid) != 0)
			return err_set_errno(
			    err, errno, "cannot give %s to the serving user", path);
	} else if (errno != EEXIST) {
		return err_set_errno(err, errno, "cannot make the folder %s", path);
	}
	return true;
}

static bool
become_user(const struct snapshot *s, struct err *err)
{
	const struct config *config = s->config;
	uid_t uid;
	gid_t gid;

	if (!privileges_find(config->user, config->group, &uid, &gid, err) ||
	    !make_folder(config->state_dir, uid, gid, err) ||
	    !confine_as_root(config_confine_off(&config->confine), err) ||
	    !privileges_become(config->user, uid, gid, err) ||
	    !make_folder(s->temp_dir, uid, gid, err))
		return false;
	if (!helpers_live_with_parent())
		return err_set(err, ERR_CLOSED, "the parent process has ended");
	if (access(s->temp_dir, R_OK | W_OK | X_OK) != 0)
		return err_set_errno(
		    err, errno, "the serving user cannot write to %s", s->temp_dir);
	return true;
}

static void
add_table(void *context, const char *path)
{
	confine_paths_add(context, CONFINE_READ, path, "table", (struct conf_where){ NULL, 0 });
}

/* give_up_rights - behind this, there is no way back, and threads may begin. */
static bool
give_up_rights(struct start *start, const struct snapshot *s, struct err *err)
{
	struct confine_report report;

	start->off = config_confine_off(&s->config->confine);
	confine_paths_system(&start->paths);
	confine_paths_gather(&start->paths, s->loaded);
	table_set_each_file(s->tables, add_table, &start->paths); /* those of scripts, too */
	if (!confine_process(CONFINE_GATE, start->off, &start->paths, &report, err))
		return false;
	confine_log(&report);
	return true;
}

static void
set_up_process(void)
{
	struct rlimit files;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN); /* before and behind the loop, which takes it */
	(void)umask(027);
	(void)mallopt(M_ARENA_MAX, MALLOC_ARENAS);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* start_judges - none is started before the first question. */
static bool
start_judges(struct judge_client **out, struct err *err)
{
	*out = helpers_are_apart() ? helpers_judge() : NULL;
	if (*out == NULL)
		return true;
	judge_use(*out);
	return judge_client_start(*out, err);
}

static void
stop_judges(struct judge_client **judges)
{
	judge_use(NULL);
	judge_client_destroy(judges);
}

static int
serve(const char *file, struct snapshot **snapshot)
{
	struct judge_client *judges = NULL;
	struct engine *engine = engine_create(*snapshot);
	struct start start = { .file = file };
	struct conf_errors errors;
	struct err err = { 0 };
	int status = EXIT_FAILURE;

	conf_errors_init(&errors);
	confine_paths_init(&start.paths);
	if (!engine_bind(engine, &errors)) {
		print_errors(&errors);
		goto out;
	}
	if (!become_user(*snapshot, &err)) {
		(void)fprintf(stderr, "gatepost: %s\n", err.text);
		goto out;
	}
	const struct config_log *log = &(*snapshot)->config->log;
	const struct log_config log_config = { .level = (enum log_level)log->level,
		.format = (enum log_format)log->format,
		.target = (enum log_target)log->target };
	helpers_log_configure(&log_config);
	if (!give_up_rights(&start, *snapshot, &err) || !start_judges(&judges, &err) ||
	    !snapshot_start(*snapshot, NULL, &err)) {
		(void)fprintf(stderr, "gatepost: %s\n", err.text);
		goto out;
	}
	snapshot_release(snapshot);
	if (engine_run(engine, reload, &start, &err))
		status = EXIT_SUCCESS;
	else if (err.kind == ERR_TIMEOUT)
		_exit(EXIT_SUCCESS); /* workers still use everything: leave it to the kernel */
	else
		log_event(LEVEL_ERROR, "gate.failed", LOG_STR("text", err.text));
out:
	engine_destroy(&engine);
	confine_paths_finish(&start.paths);
	snapshot_release(snapshot); /* its watch ends: nobody asks any more */
	stop_judges(&judges);
	conf_errors_finish(&errors);
	return status;
}

/* run_here - load and serve in this process. */
static int
run_here(const char *file)
{
	struct conf_errors errors;
	struct err err = { 0 };
	int status = EXIT_FAILURE;

	set_up_process();
	if (!dkim_sign_init(&err) || !dkim_verify_init(&err)) {
		(void)fprintf(stderr, "gatepost: %s\n", err.text);
		return EXIT_FAILURE;
	}
	conf_errors_init(&errors);
	struct snapshot *snapshot = load(file, &errors);
	print_errors(&errors);
	conf_errors_finish(&errors);
	if (snapshot != NULL)
		status = serve(file, &snapshot);
	snapshot_release(&snapshot);
	dkim_verify_finish();
	dkim_sign_finish();
	return status;
}

/* read_options - EXIT_SUCCESS: go on; -1: done; EXIT_USAGE. */
static int
read_options(int argc, char **argv, const char **file_out, int *is_single_out)
{
	const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "single-process", no_argument, is_single_out, 1 },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	int option;

	*file_out = CONFIG_FILE_DEFAULT;
	*is_single_out = 0;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (option == 'h')
			return fputs(usage, stdout) < 0 ? EXIT_FAILURE : -1;
		if (option != 'c' && option != 0) {
			(void)fputs(usage, stderr);
			return EXIT_USAGE;
		}
		if (option == 'c')
			*file_out = optarg;
	}
	if (optind < argc) {
		(void)fprintf(stderr, "gatepost run: what is \"%s\"?\n%s", argv[optind], usage);
		return EXIT_USAGE;
	}
	return EXIT_SUCCESS;
}

int
command_run(int argc, char **argv)
{
	const char *file;
	int is_single;
	const int status = read_options(argc, argv, &file, &is_single);

	if (status != EXIT_SUCCESS)
		return status < 0 ? EXIT_SUCCESS : status;
	return is_single ? run_here(file) : supervisor_run(file);
}

/* command_gate - what the parent starts: gatepost gate -c FILE. */
int
command_gate(int argc, char **argv)
{
	const char *file;
	struct err err = { 0 };
	int is_single;
	const int status = read_options(argc, argv, &file, &is_single);

	if (status != EXIT_SUCCESS)
		return status < 0 ? EXIT_SUCCESS : status;
	(void)prctl(PR_SET_NAME, "gatepost", 0, 0, 0);
	if (helpers_init(&err))
		return run_here(file);
	(void)fprintf(stderr, "gatepost gate: %s\n", err.text);
	return EXIT_USAGE;
}
