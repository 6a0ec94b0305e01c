/* SPDX-License-Identifier: MPL-2.0 */
/* gatepost: the sub-commands of the one binary. */
#include "proxy/commands/commands.h"

#include "lib/base/attr.h"
#include "proxy/session/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name, *summary; /* NULL: not for people */
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "run", "serve: accept, check, sign and forward mail", command_run },
	{ "check-config", "read the configuration and say what is wrong with it",
	    command_check_config },
	{ "check-domain", "judge what DNS shows of a domain", command_check_domain },
	{ "explain", "tell what would become of a message, and why", command_explain },
	{ "keygen", "make a DKIM key and print its DNS record", command_keygen },
	{ "dmarc-report", "mail DMARC aggregate reports of what was recorded",
	    command_dmarc_report },
	{ "links", "list the links of a chain, with their settings", command_links },
	{ "passwd", "set a login's password in the users file", command_passwd },
	{ "rotate", "make the next DKIM key of a domain", command_rotate },
	{ "test-policy", "run cases with expected verdicts over the configuration",
	    command_test_policy },
	{ "trace", "show what became of a transaction, link by link", command_trace },
	{ "gate", NULL, command_gate },
	{ "keeper", NULL, command_keeper },
	{ "judge", NULL, command_judge },
};

static void
print_usage(FILE *to)
{
	(void)fprintf(to, "usage: gatepost COMMAND [OPTION]...\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (commands[i].summary != NULL)
			(void)fprintf(to, "  %-14s%s\n", commands[i].name, commands[i].summary);
	}
	(void)fprintf(
	    to, "\n\"gatepost COMMAND --help\" says more; --version prints the version.\n");
}

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	memory_share();
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
	    strcmp(name, "help") == 0) {
		print_usage(stdout);
		return EXIT_SUCCESS;
	}
	if (strcmp(name, "--version") == 0) {
		(void)printf("gatepost %s\n", GATEPOST_VERSION);
		return EXIT_SUCCESS;
	}
	if (argc > 1)
		(void)fprintf(stderr, "gatepost: there is no command \"%s\"\n", name);
	print_usage(stderr);
	return EXIT_USAGE;
}
