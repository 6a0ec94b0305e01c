/* SPDX-License-Identifier: MPL-2.0 */
/*
 * gatepost keeper: the process that holds the DKIM private keys. The parent of the gate starts
 * it (proxy/supervisor_child.h); it reads the keys, becomes its own user, gives up all else,
 * and signs (proxy/helper_process.h).
 */
#include "proxy/commands/commands.h"

#include "proxy/config_ops.h"
#include "proxy/helper_process.h"
#include "proxy/keeper_files.h"
#include "proxy/key_list.h"

#include <openssl/crypto.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void
serve(const void *keys, int fd)
{
	char request[KEEPER_PACKET_MAX];
	struct buf reply;

	buf_init(&reply, KEEPER_PACKET_MAX);
	for (;;) {
		const ssize_t got = recv(fd, request, sizeof(request), 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		buf_clear(&reply);
		if (!keeper_answer(keys, view_make(request, (size_t)got), &reply) ||
		    send(fd, reply.p, reply.len, MSG_NOSIGNAL) != (ssize_t)reply.len)
			_exit(EXIT_FAILURE);
	}
	buf_finish(&reply);
}

/* The account that the configuration names, or the usual one. */
static bool
find_account(struct helper_process *p, struct err *err)
{
	const char *wanted = key_list_value(buf_view(&p->list), 'K');

	if (wanted == NULL)
		return helper_process_find_account(p, CONFIG_KEEPER_DEFAULT, true, err);
	return helper_process_find_account(p, wanted, false, err) ||
	       err_prefix(err, "keeper_user");
}

int
command_keeper(int argc, char **argv)
{
	struct keeper_keys *keys = keeper_keys_create();
	struct helper_process process;
	struct err err = { 0 };

	(void)prctl(PR_SET_NAME, "gatepost-keeper", 0, 0, 0);
	if (helper_process_begin(&process, argc, argv, &err) && find_account(&process, &err)) {
		(void)OPENSSL_init_crypto(0, NULL);
		keeper_files_read(buf_view(&process.list), process.user, process.own, keys);
		(void)!helper_process_serve(&process, serve, keys, &err);
	}
	(void)fprintf(stderr, "gatepost keeper: %s\n", err.text);
	return EXIT_FAILURE;
}
