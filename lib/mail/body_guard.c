/* SPDX-License-Identifier: MPL-2.0 */
/*
 * See body_guard.h. The signal comes to the thread that touched the page, in the midst of
 * ordinary code. So the list has a lock that spins: who holds it touches no guarded page, and
 * can only be another thread. mmap(2) is a system call and takes no lock of ours.
 */
#include "lib/mail/body_guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static atomic_flag lock = ATOMIC_FLAG_INIT;
static struct body_guard *first;
static uintptr_t page_octets = 4096;

static void
take_lock(void)
{
	while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire))
		continue;
}

static void
give_lock(void)
{
	atomic_flag_clear_explicit(&lock, memory_order_release);
}

/* cover - zeros from the lost page on, to the end: what is behind is not worth another signal.
 */
static bool
cover(struct body_guard *g, uintptr_t address)
{
	const uintptr_t from = address & ~(page_octets - 1);
	const uintptr_t end = (uintptr_t)g->base + g->len;
	char *page = g->base + (from - (uintptr_t)g->base);

	atomic_store(&g->has_lost, true);
	return mmap(page, end - from, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0) != MAP_FAILED;
}

static void
on_sigbus(int number, siginfo_t *info, void *context)
{
	const uintptr_t address = (uintptr_t)info->si_addr;
	const struct sigaction usual = { .sa_handler = SIG_DFL };
	const int saved = errno;
	bool is_covered = false;

	(void)context;
	take_lock();
	for (struct body_guard *g = first; g != NULL && !is_covered; g = g->next) {
		if (address >= (uintptr_t)g->base && address - (uintptr_t)g->base < g->len)
			is_covered = cover(g, address);
	}
	give_lock();
	if (!is_covered) /* back to where it happens again, and ends the process */
		(void)sigaction(number, &usual, NULL);
	errno = saved;
}

void
body_guard_install(void)
{
	const struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	page_octets = (uintptr_t)sysconf(_SC_PAGESIZE);
	(void)sigaction(SIGBUS, &action, NULL);
}

void
body_guard_add(struct body_guard *g, void *base, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, body_guard_install);
	g->base = base;
	g->len = len;
	g->prev = NULL;
	atomic_store(&g->has_lost, false);
	take_lock();
	g->next = first;
	if (first != NULL)
		first->prev = g;
	first = g;
	give_lock();
}

void
body_guard_remove(struct body_guard *g)
{
	take_lock();
	if (g->prev != NULL)
		g->prev->next = g->next;
	else
		first = g->next;
	if (g->next != NULL)
		g->next->prev = g->prev;
	give_lock();
}
