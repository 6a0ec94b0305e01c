/* SPDX-License-Identifier: MPL-2.0 */
/* What keepers and judges have in common; see helper_process.h. */
#include "proxy/helper_process.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "proxy/confine.h"
#include "proxy/helper_filter.h"
#include "proxy/key_list.h"
#include "proxy/privileges.h"
#include "proxy/supervisor_child.h"

#include <malloc.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MALLOC_ARENAS 8 /* set, or malloc asks for the number of cores when it may not */

struct server {
	void (*serve)(const void *context, int fd);
	const void *context;
	pthread_barrier_t meet; /* twice: all threads are there; they are confined */
};

struct connection {
	struct server *server;
	int fd;
};

/* ---- who it is ---- */

/* What the parent gave: a regular file and connections. Nobody else can start a helper. */
static bool
check_descriptors(size_t count, struct err *err)
{
	struct stat st;

	if (count == 0 || count > HELPER_LINKS_MAX || fstat(CHILD_LIST_FD, &st) != 0 ||
	    !S_ISREG(st.st_mode))
		return err_set(err, ERR_CONFIG, "is started by \"gatepost run\" only");
	for (size_t i = 0; i < count; i++) {
		if (fstat(CHILD_LINKS_FD + (int)i, &st) != 0 || !S_ISSOCK(st.st_mode))
			return err_set(err, ERR_CONFIG, "connection %zu is missing", i);
	}
	return true;
}

bool
helper_process_begin(struct helper_process *p, int argc, char **argv, struct err *err)
{
	uint64_t count = 0;

	*p = (struct helper_process){ 0 };
	buf_init(&p->list, KEY_LIST_MAX);
	child_ignore_signal(SIGTERM); /* it ends when the gate has let go */
	child_ignore_signal(SIGINT);
	if (argc != 2 || !view_to_u64(view_of(argv[1]), &count))
		count = 0;
	p->count = (size_t)count;
	if (!check_descriptors(p->count, err) || !file_read_fd(CHILD_LIST_FD, &p->list, err))
		return false;
	(void)close(CHILD_LIST_FD);
	return true;
}

bool
helper_process_find_account(
    struct helper_process *p, const char *account, bool is_optional, struct err *err)
{
	const struct view list = buf_view(&p->list);
	const char *user = key_list_value(list, 'U');

	if (!privileges_find(user, key_list_value(list, 'G'), &p->user, &p->group, err))
		return false;
	p->own = p->user;
	p->name = user;
	if (geteuid() != 0 || account == NULL || (is_optional && getpwnam(account) == NULL))
		return true;
	p->name = account;
	return privileges_find(account, NULL, &p->own, &p->group, err);
}

/* ---- serving ---- */

static void
serve_connection(const struct connection *c)
{
	c->server->serve(c->server->context, c->fd);
	_exit(EXIT_SUCCESS); /* the gate is gone, or has another helper */
}

static void *
thread_main(void *arg)
{
	const struct connection *c = arg;

	(void)pthread_barrier_wait(&c->server->meet);
	(void)pthread_barrier_wait(&c->server->meet);
	serve_connection(c);
	return NULL;
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

bool
helper_process_serve(struct helper_process *p, void (*serve)(const void *context, int fd),
    const void *context, struct err *err)
{
	struct connection *connections = mem_calloc(p->count, sizeof(*connections));
	struct server server = { .serve = serve, .context = context };

	if (!confine_as_root(0, err) || !privileges_become(p->name, p->own, p->group, err) ||
	    !helper_give_up(err))
		return false;
	(void)close(STDIN_FILENO);
	(void)close(STDOUT_FILENO);
	(void)mallopt(M_ARENA_MAX, MALLOC_ARENAS);
	(void)pthread_barrier_init(&server.meet, NULL, (unsigned)p->count);
	for (size_t i = 0; i < p->count; i++)
		connections[i] =
		    (struct connection){ .server = &server, .fd = CHILD_LINKS_FD + (int)i };
	if (!start_threads(connections, p->count, err))
		return false;
	(void)pthread_barrier_wait(&server.meet);
	if (!helper_confine(err))
		return false;
	(void)pthread_barrier_wait(&server.meet);
	serve_connection(&connections[0]);
	return false;
}
