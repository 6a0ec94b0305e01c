/* SPDX-License-Identifier: MPL-2.0 */
/* See hash_gate.h. */
#include "proxy/auth/hash_gate.h"

#include "lib/base/clock.h"
#include "lib/base/cond.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t left = PTHREAD_COND_INITIALIZER;
static unsigned inside; /* guarded by lock, as is width */
static unsigned width;	/* 0: not counted yet */

/* count_cores - those that this process may run on. */
static unsigned
count_cores(void)
{
	cpu_set_t cores;

	if (sched_getaffinity(0, sizeof(cores), &cores) != 0 || CPU_COUNT(&cores) < 1)
		return 1;
	return (unsigned)CPU_COUNT(&cores);
}

bool
hash_gate_enter(int64_t deadline_ms)
{
	bool is_in;

	pthread_mutex_lock(&lock);
	if (width == 0)
		width = count_cores();
	/* A free place is taken even at the last moment: the signal for it was ours. */
	while (inside >= width && clock_left_ms(deadline_ms) > 0)
		(void)cond_wait(&left, &lock, deadline_ms);
	is_in = inside < width;
	if (is_in)
		inside++;
	pthread_mutex_unlock(&lock);
	return is_in;
}

void
hash_gate_leave(void)
{
	pthread_mutex_lock(&lock);
	if (inside == 0)
		BUG("leaving an empty hash gate");
	inside--;
	pthread_cond_signal(&left);
	pthread_mutex_unlock(&lock);
}

void
hash_gate_set_width(unsigned new_width)
{
	pthread_mutex_lock(&lock);
	width = new_width;
	pthread_mutex_unlock(&lock);
}
