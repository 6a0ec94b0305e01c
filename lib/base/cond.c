/* SPDX-License-Identifier: MPL-2.0 */
/* Waiting on a condition until a deadline; see cond.h. */
#include "lib/base/cond.h"

#include "lib/base/clock.h"

#include <time.h>

#define SECOND_NS 1000000000L

bool
cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_ms)
{
	const int left_ms = clock_left_ms(deadline_ms);
	struct timespec until;

	/* From what is left, not from the deadline: a test's clock may stand still. */
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += left_ms / 1000;
	until.tv_nsec += (long)(left_ms % 1000) * 1000000L;
	if (until.tv_nsec >= SECOND_NS) {
		until.tv_sec++;
		until.tv_nsec -= SECOND_NS;
	}
	return pthread_cond_clockwait(cond, lock, CLOCK_MONOTONIC, &until) == 0;
}
