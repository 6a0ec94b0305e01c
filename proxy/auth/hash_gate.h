/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A password hash is made to be expensive. This semaphore, one for the process, lets as many be
 * computed at a time as there are cores to run on; all others wait. So a flood of logins costs
 * at most waiting time, and no memory for hundreds of yescrypt runs (16 MB each).
 */
#ifndef GATEPOST_PROXY_AUTH_HASH_GATE_H
#define GATEPOST_PROXY_AUTH_HASH_GATE_H

#include "lib/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

/* hash_gate_enter - wait for a place; false: none was free until the deadline. */
MUST_CHECK bool hash_gate_enter(int64_t deadline_ms);
void hash_gate_leave(void);

/* hash_gate_set_width - other than one a core (tests); 0: one a core. Nobody may be inside. */
void hash_gate_set_width(unsigned width);

#endif
