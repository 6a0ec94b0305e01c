/* SPDX-License-Identifier: MPL-2.0 */
/*
 * gatepost judge: the process in which SPF is evaluated and DKIM signatures are verified
 * (lib/domain/judge.h). The parent of the gate starts it; it holds nothing and may do nothing
 * but talk over its connections (proxy/helper_process.h).
 */
#include "proxy/commands/commands.h"

#include "lib/domain/dkim_verify.h"
#include "lib/domain/judge.h"
#include "proxy/config_ops.h"
#include "proxy/helper_process.h"

#include <openssl/crypto.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

static void
serve(const void *context, int fd)
{
	(void)context;
	judge_serve(fd);
}

int
command_judge(int argc, char **argv)
{
	struct helper_process process;
	struct err err = { 0 };

	(void)prctl(PR_SET_NAME, "gatepost-judge", 0, 0, 0);
	/* Or it reads its configuration at the first signature, and may not. */
	(void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
	if (helper_process_begin(&process, argc, argv, &err) &&
	    helper_process_find_account(&process, CONFIG_JUDGE_DEFAULT, true, &err) &&
	    dkim_verify_init(&err))
		(void)!helper_process_serve(&process, serve, NULL, &err);
	(void)fprintf(stderr, "gatepost judge: %s\n", err.text);
	return EXIT_FAILURE;
}
