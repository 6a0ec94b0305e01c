/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Time. Deadlines are points of the monotonic clock in milliseconds (int64_t deadline_ms), so
 * that they can be handed down through calls. Tests set the clock by clock_fake_set.
 */
#ifndef GATEPOST_BASE_CLOCK_H
#define GATEPOST_BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NEVER INT64_MAX

int64_t clock_mono_ms(void); /* monotonic */
/* clock_mono_coarse_ms - monotonic, up to a tick (10 ms) behind, for a fifth of the price: for
 * limits that are long against that. */
int64_t clock_mono_coarse_ms(void);
int64_t clock_mono_us(void); /* the same in microseconds: for measuring, not for deadlines */
int64_t clock_real_s(void);  /* seconds since 1970, UTC */
int64_t clock_real_ms(void); /* the same in milliseconds, for log lines */

/* clock_left_ms - until the deadline, at least 0, at most INT_MAX: fit for poll(2). */
int clock_left_ms(int64_t deadline_ms);

/* clock_real_fix - the real time stands still at this second (a rehearsal); -1 ends it. */
void clock_real_fix(int64_t real_s);

/* clock_fake_set - both clocks stand still at these values (tests only); -1, -1 ends it. */
void clock_fake_set(int64_t mono_ms, int64_t real_s);

#endif
