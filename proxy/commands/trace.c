/* SPDX-License-Identifier: MPL-2.0 */
/*
 * gatepost trace: finds records of the trace and shows them. It reads the files and nothing
 * else; the gate may be running, or not.
 */
#include "proxy/commands/commands.h"

#include "proxy/commands/trace_text.h"
#include "proxy/config.h"
#include "proxy/ops/trace_read.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define LAST_MAX    100000
#define ID_MAX	    64
#define TEXT_MAX    (16U << 20)		      /* octets of a record shown */
#define RECORD_HEAD "{\"format\":1,\"id\":\"" /* how each of them begins */

static const char usage[] =
    "usage: gatepost trace [-c FILE] [--json] ID\n"
    "       gatepost trace [-c FILE] [--json] --last N\n"
    "\n"
    "Shows what became of a transaction: what each link said to it and how long it took, what\n"
    "the upstream answered, how it ended. ID is the id of the log lines (a3f09c2e5b71.1), or\n"
    "that of a session (a3f09c2e5b71): all its transactions, the newest first. There are\n"
    "records of the time in which trace.enabled is true.\n"
    "\n"
    "  -n, --last N        the newest N records\n"
    "      --json          the records as they are in the files, one a line\n"
    "  -c, --config FILE   configuration (default " CONFIG_FILE_DEFAULT ")\n"
    "  -h, --help          print this\n"
    "\n"
    "Exit status: 0 found, 1 not found or not readable, 2 wrong usage.\n";

struct options {
	const char *config;
	const char *id; /* NULL: the newest ones, up to last */
	uint64_t last;
	bool is_json;
};

/* What is searched for, and what was found. */
struct search {
	const struct options *options;
	char heads[2]
		  [sizeof(RECORD_HEAD) + ID_MAX + 2]; /* of the transaction's, the session's */
	uint64_t found, broken;
};

static bool
is_id(const char *text)
{
	const size_t len = strlen(text);

	return len > 0 && len < ID_MAX && strspn(text, "0123456789abcdef.") == len;
}

static bool
read_last(const char *text, struct options *o)
{
	return view_to_u64(view_of(text), &o->last) && o->last > 0 && o->last <= LAST_MAX;
}

/* The exit status, or -1 to go on. */
static int
read_options(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "last", required_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool ok = true;
	int c;

	*o = (struct options){ .config = CONFIG_FILE_DEFAULT };
	optind = 0; /* start anew, whoever asked before */
	while ((c = getopt_long(argc, argv, "n:c:h", names, NULL)) != -1) {
		if (c == 'h')
			return fputs(usage, stdout) < 0;
		ok = ok && c != '?' && (c != 'n' || read_last(optarg, o));
		o->is_json = o->is_json || c == 'j';
		o->config = c == 'c' ? optarg : o->config;
	}
	o->id = optind < argc ? argv[optind++] : NULL;
	if (ok && optind == argc &&
	    (o->id == NULL ? o->last > 0 : o->last == 0 && is_id(o->id)))
		return -1;
	(void)fputs(usage, stderr);
	return EXIT_USAGE;
}

/* is_wanted - of all that is read only what is found is parsed. */
static bool
is_wanted(const struct search *s, struct view line)
{
	return s->options->id == NULL || view_starts(line, view_of(s->heads[0])) ||
	       view_starts(line, view_of(s->heads[1]));
}

static bool
is_done(const struct search *s)
{
	if (s->options->id == NULL)
		return s->found == s->options->last;
	return s->found > 0 && strchr(s->options->id, '.') != NULL;
}

static void
show_text(struct search *s, const struct json_value *record)
{
	struct buf out;

	buf_init(&out, TEXT_MAX);
	if (!trace_text_write(record, &out))
		(void)fputs(
		    "gatepost trace: a record is too large to be shown whole\n", stderr);
	if (s->found > 1)
		(void)fputc('\n', stdout);
	(void)fwrite(out.p, 1, out.len, stdout);
	buf_finish(&out);
}

static void
show(struct search *s, struct view line)
{
	const struct json_value *record;
	struct arena arena;

	arena_init(&arena);
	record = json_read(line, &arena);
	if (record == NULL || json_get(record, "id") == NULL) {
		s->broken++;
	} else {
		s->found++;
		if (!s->options->is_json)
			show_text(s, record);
		else if (fwrite(line.p, 1, line.len, stdout) == line.len)
			(void)fputc('\n', stdout);
	}
	arena_finish(&arena);
}

static void
warn_of(uint64_t count, const char *what)
{
	if (count > 0)
		(void)fprintf(
		    stderr, "gatepost trace: %llu %s\n", (unsigned long long)count, what);
}

static void
search(struct search *s, struct trace_reader *reader)
{
	struct view line;

	(void)snprintf(s->heads[0], sizeof(s->heads[0]), RECORD_HEAD "%s\"",
	    s->options->id != NULL ? s->options->id : "");
	(void)snprintf(s->heads[1], sizeof(s->heads[1]), RECORD_HEAD "%s.",
	    s->options->id != NULL ? s->options->id : "");
	while (!is_done(s) && trace_reader_next(reader, &line)) {
		if (is_wanted(s, line))
			show(s, line);
	}
	warn_of(reader->cut_off, "record cut off at the end of a file was left out");
	warn_of(s->broken + reader->too_long, "lines that are no record were left out");
}

static int
run_search(const struct options *o, const char *folder)
{
	struct search s = { .options = o };
	struct trace_reader reader;
	struct err err = { 0 };

	if (!trace_reader_open(&reader, folder, &err)) {
		(void)fprintf(stderr, "gatepost trace: no trace: %s\n", err.text);
		return EXIT_FAILURE;
	}
	search(&s, &reader);
	trace_reader_close(&reader);
	if (s.found == 0)
		(void)fprintf(stderr, "gatepost trace: there is no record of %s in %s\n",
		    o->id != NULL ? o->id : "anything", folder);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("gatepost trace");
		return EXIT_FAILURE;
	}
	return s.found > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
command_trace(int argc, char **argv)
{
	struct loaded_config *loaded;
	struct conf_errors errors;
	struct options options;
	char folder[TRACE_FOLDER_MAX];
	int status = read_options(&options, argc, argv);

	if (status >= 0)
		return status;
	conf_errors_init(&errors);
	loaded = config_load(options.config, &errors);
	for (size_t i = 0; i < errors.count; i++)
		(void)fprintf(stderr, "%s\n", errors.lines[i]);
	conf_errors_finish(&errors);
	if (loaded == NULL)
		return EXIT_FAILURE;
	status = EXIT_FAILURE;
	if (config_trace_folder(&loaded->config, folder, sizeof(folder)))
		status = run_search(&options, folder);
	config_unload(&loaded);
	return status;
}
