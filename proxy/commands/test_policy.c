/* SPDX-License-Identifier: MPL-2.0 */
/*
 * gatepost test-policy: regression tests of one's own policy. A folder of cases, each with who
 * sends what, the answers of the DNS, and what must come of it; the real chain of the
 * configuration runs over each. Prints TAP, for people and for whatever reads tests.
 */
#include "proxy/commands/commands.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "proxy/commands/policy_case.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define CASE_FILE   "case.conf"
#define CASES_MAX   10000
#define ENTRIES_MAX 40000	       /* names in a folder */
#define REPORT_MAX  (64 * 1024 * 1024) /* octets of what is said of one case */

static const char usage[] =
    "usage: gatepost test-policy [-c FILE] [-v] CASES...\n"
    "\n"
    "Runs the chain of the configuration over each case of a folder, and compares what comes\n"
    "of it with what is expected. A case is a folder with case.conf, message.eml and dns, or\n"
    "the files NAME.conf, NAME.eml and NAME.dns; a folder's own file \"dns\" is for all cases "
    "in\n"
    "it that have none. Names that no file has do not exist: the DNS is never asked.\n"
    "\n"
    "  -c, --config FILE   configuration (default " CONFIG_FILE_DEFAULT ")\n"
    "  -v, --verbose       tell of each case that fails what each link did\n"
    "  -h, --help          print this\n"
    "\n"
    "Exit status: 0 all is as expected, 1 something is not, 2 wrong usage.\n";

struct options {
	const char *config;
	bool is_verbose;
};

/* One case: its file, and what it has when it names nothing itself. */
struct found {
	const char *name; /* for the report */
	const char *file, *message, *dns, *folder_dns;
};

struct cases {
	struct arena arena;
	struct found items[CASES_MAX];
	size_t count;
};

/* ---- finding ---- */

static bool
exists(const char *path, mode_t kind)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & S_IFMT) == kind;
}

static bool
complain(const char *path, const char *text)
{
	(void)fprintf(stderr, "gatepost test-policy: %s: %s\n", path, text);
	return false;
}

static bool
add(struct cases *cases, const struct found *found)
{
	if (cases->count == CASES_MAX)
		return complain(found->file, "there are too many cases");
	cases->items[cases->count++] = *found;
	return true;
}

/* add_folder_case - a folder with a case.conf. */
static bool
add_folder_case(struct cases *cases, const char *folder, const char *path, const char *name)
{
	struct arena *arena = &cases->arena;

	return add(cases,
	    &(struct found){
		.name = name,
		.file = arena_printf(arena, "%s/" CASE_FILE, path),
		.message = arena_printf(arena, "%s/message.eml", path),
		.dns = arena_printf(arena, "%s/dns", path),
		.folder_dns = folder != NULL ? arena_printf(arena, "%s/dns", folder) : NULL,
	    });
}

static bool
add_entry(struct cases *cases, const char *folder, const char *name)
{
	struct arena *arena = &cases->arena;
	const char *path = arena_printf(arena, "%s/%s", folder, name);
	const size_t len = strlen(name), stem_len = len > 5 ? len - 5 : 0;
	const char *stem;

	if (exists(arena_printf(arena, "%s/" CASE_FILE, path), S_IFREG))
		return add_folder_case(cases, folder, path, name);
	if (stem_len == 0 || strcmp(name + stem_len, ".conf") != 0 || !exists(path, S_IFREG))
		return true;
	stem = arena_strdup(arena, view_make(name, stem_len));
	return add(cases, &(struct found){
			      .name = stem,
			      .file = path,
			      .message = arena_printf(arena, "%s/%s.eml", folder, stem),
			      .dns = arena_printf(arena, "%s/%s.dns", folder, stem),
			      .folder_dns = arena_printf(arena, "%s/dns", folder),
			  });
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* list - the names in a folder, sorted, in the arena; false: it cannot be read. */
static bool
list(const char *folder, struct arena *arena, const char **names, size_t *count_out)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	*count_out = 0;
	if (dir == NULL)
		return false;
	while ((entry = readdir(dir)) != NULL && *count_out < ENTRIES_MAX) {
		if (entry->d_name[0] != '.')
			names[(*count_out)++] = arena_strdup(arena, view_of(entry->d_name));
	}
	(void)closedir(dir);
	qsort(names, *count_out, sizeof(*names), compare_names);
	return true;
}

static bool
find_cases(struct cases *cases, const char *folder)
{
	const char *itself = arena_printf(&cases->arena, "%s/" CASE_FILE, folder);
	const char **names = arena_alloc(&cases->arena, ENTRIES_MAX * sizeof(*names));
	const size_t before = cases->count;
	size_t count;

	if (exists(itself, S_IFREG))
		return add_folder_case(cases, NULL, folder, folder);
	if (!list(folder, &cases->arena, names, &count))
		return complain(folder, strerror(errno));
	for (size_t i = 0; i < count; i++) {
		if (!add_entry(cases, folder, names[i]))
			return false;
	}
	return cases->count > before || complain(folder, "there are no cases in it");
}

/* ---- one case ---- */

/* All of one case while it runs. */
struct trial {
	const struct options *options;
	const struct found *found;
	struct policy_case c;
	struct rehearsal_request request;
	struct arena arena;
	struct buf content, report; /* report: lines, each of them a reason */
	size_t problems;
};

static void
report(struct trial *t, const char *text)
{
	t->problems++;
	if (!buf_printf(&t->report, "%s\n", text))
		buf_clear(&t->report);
}

static void
report_errors(struct trial *t, const struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		report(t, errors->lines[i]);
}

static void
report_unlisted(struct trial *t, struct rehearse *r, const char *file)
{
	char text[64];

	if (!t->c.strict_dns || rehearse_unlisted(r) == 0)
		return;
	(void)snprintf(
	    text, sizeof(text), "dns: %zu questions are not in ", rehearse_unlisted(r));
	report(t, arena_printf(&t->arena, "%s%s", text, file != NULL ? file : "any file"));
}

static void
judge(struct trial *t, struct rehearse *r, const struct rehearsal *rehearsal)
{
	const struct rehearse_story story = { &t->request, rehearsal, r->recorder };
	size_t differences;

	if (!policy_case_compare(&t->c.expect, rehearsal, &t->report, &differences))
		report(t, "there is too much to tell");
	t->problems += differences;
	if (t->problems > 0 && t->options->is_verbose &&
	    !rehearse_tell(&story, "| ", &t->report))
		report(t, "there is too much to tell");
}

static const char *
choose_dns(const struct trial *t)
{
	const struct found *found = t->found;

	if (t->c.dns != NULL)
		return t->c.dns;
	if (exists(found->dns, S_IFREG))
		return found->dns;
	if (found->folder_dns != NULL && exists(found->folder_dns, S_IFREG))
		return found->folder_dns;
	return NULL;
}

static void
rehearse(struct trial *t, struct conf_errors *errors)
{
	const char *dns = choose_dns(t);
	const enum rehearse_dns kind = dns == NULL	 ? REHEARSE_DNS_EMPTY
				       : t->c.strict_dns ? REHEARSE_DNS_STRICT
							 : REHEARSE_DNS_FILE;
	struct rehearsal rehearsal;
	struct rehearse r;
	struct err err = { 0 };

	if (rehearse_open(&r, t->options->config, kind, dns, errors)) {
		if (rehearsal_run(r.snapshot, &t->request, r.recorder, &rehearsal, &err))
			judge(t, &r, &rehearsal);
		else
			report(t, err.text);
		report_unlisted(t, &r, dns);
		rehearsal_finish(&rehearsal);
	}
	rehearse_close(&r);
}

/* prepare - what the case says, as a request. */
static bool
prepare(struct trial *t)
{
	const char *message = t->c.message != NULL ? t->c.message : t->found->message;
	int64_t now = -1;
	struct err err = { 0 };

	policy_case_request(&t->c, &t->request);
	if (!address_from_host(t->c.ip, 0, &t->request.client))
		report(t, "ip: this is no address");
	if (t->c.to.count == 0)
		report(t, "to: there must be a recipient");
	if (t->c.login != NULL && t->request.role == ROLE_INBOUND)
		report(t, "login: nobody logs in on an inbound listener");
	if (t->c.time != NULL && !rehearse_time(t->c.time, &now))
		report(t, "time: is like 2026-11-24T12:00:00Z");
	if (!file_read(message, &t->content, &err))
		report(t, arena_printf(&t->arena, "%s: %s", message, err.text));
	t->request.content = buf_view(&t->content);
	clock_real_fix(now);
	return t->problems == 0;
}

static void
print_trial(struct trial *t, size_t number)
{
	struct view rest = buf_view(&t->report), line;

	printf("%s %zu - %s\n", t->problems == 0 ? "ok" : "not ok", number, t->found->name);
	while (rest.len > 0 && view_split(&rest, '\n', &line))
		printf("# %.*s\n", VIEW_ARG(line));
}

static bool
try_case(const struct options *o, const struct found *found, size_t number)
{
	struct trial t = { .options = o, .found = found };
	struct conf_errors errors;

	arena_init(&t.arena);
	conf_errors_init(&errors);
	buf_init(&t.content, REHEARSE_MESSAGE_MAX);
	buf_init(&t.report, REPORT_MAX);
	if (conf_load(found->file, &policy_case_table, &t.c, NULL, 0, &t.arena, &errors) &&
	    prepare(&t))
		rehearse(&t, &errors);
	report_errors(&t, &errors);
	clock_real_fix(-1);
	print_trial(&t, number);
	buf_finish(&t.report);
	buf_finish(&t.content);
	conf_errors_finish(&errors);
	arena_finish(&t.arena);
	return t.problems == 0;
}

/* ---- the command ---- */

static int
try_all(const struct options *o, char **folders, int folder_count)
{
	static struct cases cases; /* too large for a stack; there is one run a process */
	size_t failed = 0;
	bool ok = true;

	arena_init(&cases.arena);
	for (int i = 0; ok && i < folder_count; i++)
		ok = find_cases(&cases, folders[i]);
	if (ok) {
		printf("TAP version 13\n1..%zu\n", cases.count);
		for (size_t i = 0; i < cases.count; i++)
			failed += !try_case(o, &cases.items[i], i + 1);
		printf("# %zu of %zu cases as expected\n", cases.count - failed, cases.count);
		ok = fflush(stdout) == 0;
	}
	arena_finish(&cases.arena);
	return ok && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
command_test_policy(int argc, char **argv)
{
	static const struct option names[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { .config = CONFIG_FILE_DEFAULT };
	int option, status;

	while ((option = getopt_long(argc, argv, "c:vh", names, NULL)) != -1) {
		if (option == 'h')
			return fputs(usage, stdout) < 0;
		if (option == '?') {
			(void)fputs(usage, stderr);
			return EXIT_USAGE;
		}
		o.config = option == 'c' ? optarg : o.config;
		o.is_verbose = o.is_verbose || option == 'v';
	}
	if (optind == argc) {
		(void)fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (!rehearse_start("test-policy"))
		return EXIT_FAILURE;
	status = try_all(&o, argv + optind, argc - optind);
	rehearse_stop();
	return status;
}
