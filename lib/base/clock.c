/* SPDX-License-Identifier: MPL-2.0 */
/* The clocks, and their stand-ins for tests. Any thread. */
#include "lib/base/clock.h"

#include <limits.h>
#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t fake_mono_ms = -1;
static _Atomic int64_t fake_real_s = -1;

static int64_t
read_ms(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
clock_mono_ms(void)
{
	int64_t fake = atomic_load(&fake_mono_ms);
	return fake >= 0 ? fake : read_ms(CLOCK_MONOTONIC);
}

int64_t
clock_mono_coarse_ms(void)
{
	int64_t fake = atomic_load(&fake_mono_ms);
	return fake >= 0 ? fake : read_ms(CLOCK_MONOTONIC_COARSE);
}

int64_t
clock_mono_us(void)
{
	const int64_t fake = atomic_load(&fake_mono_ms);
	struct timespec now;

	if (fake >= 0)
		return fake * 1000;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
clock_real_ms(void)
{
	int64_t fake = atomic_load(&fake_real_s);
	return fake >= 0 ? fake * 1000 : read_ms(CLOCK_REALTIME);
}

int64_t
clock_real_s(void)
{
	return clock_real_ms() / 1000;
}

int
clock_left_ms(int64_t deadline_ms)
{
	int64_t now = clock_mono_ms();
	if (deadline_ms <= now)
		return 0;
	int64_t left = deadline_ms - now; /* now >= 0: no overflow */
	return left > INT_MAX ? INT_MAX : (int)left;
}

void
clock_fake_set(int64_t mono_ms, int64_t real_s)
{
	atomic_store(&fake_mono_ms, mono_ms);
	atomic_store(&fake_real_s, real_s);
}

void
clock_real_fix(int64_t real_s)
{
	atomic_store(&fake_real_s, real_s);
}
