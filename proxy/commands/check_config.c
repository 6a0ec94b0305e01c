/* SPDX-License-Identifier: MPL-2.0 */
/*
 * gatepost check-config: everything that is wrong with a configuration, at once, before it is
 * used; and the reference manual of the configuration, which is made of the same rows.
 */
#include "proxy/commands/commands.h"

#include "lib/base/conf_dump.h"
#include "proxy/config.h"
#include "proxy/links.h"
#include "proxy/snapshot.h"

#include <getopt.h>
#include <stdio.h>

#define OUTPUT_MAX (16 * 1024 * 1024) /* octets of a manual or a dump */

static const char usage[] =
    "usage: gatepost check-config [-c FILE] [--syntax | --dump]\n"
    "       gatepost check-config --print-manual\n"
    "\n"
    "Reads the configuration as \"gatepost run\" would, with its certificates, keys and users, "
    "and\n"
    "prints everything that is wrong with it. Nothing is started.\n"
    "\n"
    "  -c, --config FILE   the file (default: " CONFIG_FILE_DEFAULT ")\n"
    "      --syntax        look at the file alone, not at the files that it names\n"
    "      --dump          print the settings that are in force, defaults included\n"
    "      --print-manual  print the reference of all keys as Markdown\n"
    "  -h, --help          print this\n"
    "\n"
    "Exit status: 0 it is fine (there may be warnings), 1 it has errors, 2 wrong usage.\n";

static const char manual_head[] = "<!-- Made by gatepost check-config --print-manual from the "
				  "tables in the source: do not edit. "
				  "-->\n\n";

static const char manual_links[] =
    "\n## All links\n"
    "\n"
    "`submission.chain` and `inbound.chain` name the links that a message passes, in the order "
    "in\n"
    "which they run. No link can skip a later one. A link's settings stand in the group with "
    "its\n"
    "name; a group that is left out means the defaults. A link that shall run several times "
    "has a "
    "list of\ngroups, each with its `name`: `milter: ( { name = \"a\"; ... }, { name = \"b\"; "
    "... } )` "
    "and, in\nthe chain, `\"milter:a\", \"milter:b\"`. Put a new link into `mode = "
    "\"shadow\"`\n"
    "first, and read in the log what it would have done. More about links: "
    "[FILTERS.md](FILTERS.md).\n"
    "\n"
    "| link | kind | what it does |\n"
    "|---|---|---|\n";

static void
print_lines(FILE *out, const char *prefix, const struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		fprintf(out, "%s%s\n", prefix, errors->lines[i]);
}

static bool
add_link_list(struct buf *out)
{
	bool ok = buf_add_str(out, manual_links);

	for (size_t i = 0; ok && i < builtin_link_count; i++) {
		const struct link *link = builtin_links[i];

		ok = buf_printf(out, "| `%s` | %s | %s |\n", link->name,
		    link->kind == LINK_POLICY ? "decides" : "may edit", link->summary);
	}
	return ok;
}

static int
print_manual(void)
{
	struct arena arena;
	struct buf out;
	const struct conf_table **groups;
	bool ok;

	arena_init(&arena);
	buf_init(&out, OUTPUT_MAX);
	groups = arena_alloc(&arena, builtin_link_count * sizeof(void *));
	for (size_t i = 0; i < builtin_link_count; i++)
		groups[i] = link_group_table(builtin_links[i], &arena);
	ok = buf_add_str(&out, manual_head) &&
	     conf_print_manual(&config_table, groups, builtin_link_count, &out) &&
	     add_link_list(&out) && fwrite(out.p, 1, out.len, stdout) == out.len &&
	     fflush(stdout) == 0;
	buf_finish(&out);
	arena_finish(&arena);
	return ok ? 0 : 1;
}

static bool
dump(const struct loaded_config *config)
{
	struct buf out;
	bool ok;

	buf_init(&out, OUTPUT_MAX);
	ok = conf_dump(&config_table, &config->config, &out);
	for (size_t i = 0; ok && i < config->link_count; i++)
		ok = conf_dump_extra(&config->groups[i], &out);
	ok = ok && fwrite(out.p, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
	buf_finish(&out);
	return ok;
}

/* dump_file - only a file without errors has settings that could be in force. */
static int
dump_file(const char *file)
{
	struct conf_errors errors;
	struct loaded_config *config;
	bool ok;

	conf_errors_init(&errors);
	config = config_load(file, &errors);
	print_lines(stderr, "", &errors);
	ok = config != NULL && dump(config);
	config_unload(&config);
	conf_errors_finish(&errors);
	return ok ? 0 : 1;
}

/* check_file - errors to stderr, warnings and the verdict to stdout. */
static int
check_file(const char *file, bool syntax_only)
{
	struct conf_errors errors, warnings;
	struct loaded_config *config;
	int status = 1;

	conf_errors_init(&errors);
	conf_errors_init(&warnings);
	config = config_load(file, &errors);
	if (config != NULL)
		config_warn(config, &warnings);
	if (config != NULL && !syntax_only) {
		struct snapshot *snapshot = snapshot_create(&config, &errors);

		snapshot_release(&snapshot);
	}
	config_unload(&config);
	print_lines(stderr, "", &errors);
	print_lines(stdout, "warning: ", &warnings);
	if (errors.count == 0) {
		printf("%s: OK\n", file);
		status = 0;
	}
	conf_errors_finish(&warnings);
	conf_errors_finish(&errors);
	return status;
}

int
command_check_config(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "dump", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "print-manual", no_argument, NULL, 'm' },
		{ "syntax", no_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	const char *file = CONFIG_FILE_DEFAULT;
	int c, mode = 0;

	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (c == '?') {
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
		if (c == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (c == 'c')
			file = optarg;
		else
			mode = c;
	}
	if (optind < argc) {
		fprintf(stderr, "gatepost check-config: \"%s\" is one too many\n%s",
		    argv[optind], usage);
		return EXIT_USAGE;
	}
	if (mode == 'm')
		return print_manual();
	return mode == 'd' ? dump_file(file) : check_file(file, mode == 's');
}
