/* SPDX-License-Identifier: MPL-2.0 */
/* Waiting on a condition variable until a deadline of lib/base/clock.h. */
#ifndef GATEPOST_BASE_COND_H
#define GATEPOST_BASE_COND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * cond_wait - with the lock held, until somebody signals or deadline_ms; whatever clock the
 * variable was made for. False: the deadline has passed. Ask the condition again either way.
 */
bool cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_ms);

#endif
