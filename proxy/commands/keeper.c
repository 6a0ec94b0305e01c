/* SPDX-License-Identifier: MPL-2.0 */
/*
 * gatepost keeper: the process that holds the DKIM private keys. The parent of the gate starts
 * it (proxy/supervisor_child.h); it reads the keys, becomes its own user, gives up all else,
 * and signs, a thread for each connection, until the gate closes one of them.
 */
#include "proxy/commands/commands.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "proxy/config_ops.h"
#include "proxy/confine.h"
#include "proxy/keeper_files.h"
#include "proxy/keeper_filter.h"
#include "proxy/key_list.h"
#include "proxy/privileges.h"
#include "proxy/supervisor_child.h"

#include <openssl/crypto.h>

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct identity {
	const char *name; /* of the keeper's account; NULL: whoever we are */
	uid_t user, keeper;
	gid_t group;
};

struct server {
	const struct keeper_keys *keys;
	pthread_barrier_t meet; /* twice: all threads are there; they are confined */
};

struct connection {
	struct server *server;
	int fd;
};

/* ---- who it is ---- */

/* The account that the configuration names, or the usual one; otherwise the gate's. */
static bool
find_identity(struct view list, struct identity *out, struct err *err)
{
	const char *wanted = key_list_value(list, 'K');
	const char *user = key_list_value(list, 'U');

	if (!privileges_find(user, key_list_value(list, 'G'), &out->user, &out->group, err))
		return false;
	out->keeper = out->user;
	out->name = geteuid() == 0 ? user : NULL;
	if (geteuid() != 0)
		return true;
	if (wanted == NULL && getpwnam(CONFIG_KEEPER_DEFAULT) != NULL)
		wanted = CONFIG_KEEPER_DEFAULT;
	if (wanted == NULL)
		return true;
	out->name = wanted;
	if (privileges_find(wanted, NULL, &out->keeper, &out->group, err))
		return true;
	return err_prefix(err, "keeper_user");
}

/* ---- serving ---- */

static void *
serve_connection(void *arg)
{
	const struct connection *c = arg;
	char request[KEEPER_PACKET_MAX];
	struct buf reply;

	buf_init(&reply, KEEPER_PACKET_MAX);
	for (;;) {
		const ssize_t got = recv(c->fd, request, sizeof(request), 0);

		if (got < 0 && errno == EINTR)
			continue;
		buf_clear(&reply);
		if (got <= 0)
			_exit(EXIT_SUCCESS); /* the gate is gone, or has another keeper */
		if (!keeper_answer(c->server->keys, view_make(request, (size_t)got), &reply) ||
		    send(c->fd, reply.p, reply.len, MSG_NOSIGNAL) != (ssize_t)reply.len)
			_exit(EXIT_FAILURE);
	}
}

static void *
thread_main(void *arg)
{
	const struct connection *c = arg;

	(void)pthread_barrier_wait(&c->server->meet);
	(void)pthread_barrier_wait(&c->server->meet);
	return serve_connection(arg);
}

static bool
start_threads(struct connection *connections, size_t count, struct err *err)
{
	for (size_t i = 1; i < count; i++) {
		pthread_t thread;
		const int error = pthread_create(&thread, NULL, thread_main, &connections[i]);

		if (error != 0)
			return err_set_errno(err, error, "a thread");
	}
	return true;
}

/* serve - never comes back, but for an error. */
static bool
serve(const struct keeper_keys *keys, size_t count, struct err *err)
{
	struct connection *connections = mem_calloc(count, sizeof(*connections));
	struct server server = { .keys = keys };

	(void)pthread_barrier_init(&server.meet, NULL, (unsigned)count);
	for (size_t i = 0; i < count; i++)
		connections[i] =
		    (struct connection){ .server = &server, .fd = CHILD_LINKS_FD + (int)i };
	if (!start_threads(connections, count, err))
		return false;
	(void)pthread_barrier_wait(&server.meet);
	if (!keeper_confine(err))
		return false;
	(void)pthread_barrier_wait(&server.meet);
	(void)serve_connection(&connections[0]);
	return false;
}

/* ---- life ---- */

/* What the parent gave: a regular file and connections. Nobody else can start a keeper. */
static bool
check_descriptors(size_t count, struct err *err)
{
	struct stat st;

	if (count == 0 || count > KEEPER_LINKS_MAX || fstat(CHILD_LIST_FD, &st) != 0 ||
	    !S_ISREG(st.st_mode))
		return err_set(err, ERR_CONFIG, "is started by \"gatepost run\" only");
	for (size_t i = 0; i < count; i++) {
		if (fstat(CHILD_LINKS_FD + (int)i, &st) != 0 || !S_ISSOCK(st.st_mode))
			return err_set(err, ERR_CONFIG, "connection %zu is missing", i);
	}
	return true;
}

static bool
run(size_t count, struct err *err)
{
	struct keeper_keys *keys = keeper_keys_create();
	struct identity identity;
	struct buf list;

	buf_init(&list, KEY_LIST_MAX);
	if (!file_read_fd(CHILD_LIST_FD, &list, err) ||
	    !find_identity(buf_view(&list), &identity, err))
		return false;
	(void)close(CHILD_LIST_FD);
	(void)OPENSSL_init_crypto(0, NULL);
	(void)mallopt(M_ARENA_MAX, KEEPER_LINKS_MAX); /* or it asks for the number of cores */
	keeper_files_read(buf_view(&list), identity.user, identity.keeper, keys);
	if (!confine_as_root(0, err) ||
	    !privileges_become(identity.name, identity.keeper, identity.group, err) ||
	    !keeper_give_up(err))
		return false;
	(void)close(STDIN_FILENO);
	(void)close(STDOUT_FILENO);
	return serve(keys, count, err);
}

int
command_keeper(int argc, char **argv)
{
	uint64_t count = 0;
	struct err err = { 0 };

	(void)prctl(PR_SET_NAME, "gatepost-keeper", 0, 0, 0);
	child_ignore_signal(SIGTERM); /* it ends when the gate has let go */
	child_ignore_signal(SIGINT);
	if (argc != 2 || !view_to_u64(view_of(argv[1]), &count))
		count = 0;
	if (!check_descriptors(count, &err) || !run(count, &err))
		(void)fprintf(stderr, "gatepost keeper: %s\n", err.text);
	return EXIT_FAILURE;
}
