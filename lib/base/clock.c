/* SPDX-License-Identifier: MPL-2.0 */
/* Clocks; see clock.h. */
#include "lib/base/clock.h"

#include <limits.h>
#include <time.h>

static int64_t fake_mono_ms = -1, fake_real_s = -1;

int64_t
clock_mono_ms(void)
{
	struct timespec now;

	if (fake_mono_ms >= 0)
		return fake_mono_ms;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
clock_real_s(void)
{
	return fake_real_s >= 0 ? fake_real_s : (int64_t)time(NULL);
}

int
clock_left_ms(int64_t deadline_ms)
{
	int64_t now = clock_mono_ms();

	if (deadline_ms <= now)
		return 0;
	int64_t left = deadline_ms - now;
	return left > INT_MAX ? INT_MAX : (int)left;
}

void
clock_fake_set(int64_t mono_ms, int64_t real_s)
{
	fake_mono_ms = mono_ms;
	fake_real_s = real_s;
}
