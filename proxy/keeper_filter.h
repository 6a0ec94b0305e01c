/* SPDX-License-Identifier: MPL-2.0 */
/* What a keeper may still do once it has its keys: read, answer, calculate, end. */
#ifndef GATEPOST_PROXY_KEEPER_FILTER_H
#define GATEPOST_PROXY_KEEPER_FILTER_H

#include "lib/base/err.h"

/*
 * keeper_give_up - while there is one thread: capabilities, core dumps, and every file
 * (confine.h). keeper_confine comes behind it.
 */
MUST_CHECK bool keeper_give_up(struct err *err);

/*
 * keeper_confine - for all threads of the process, for good: no file, no socket, no process, no
 * descriptor can be opened (rlimits too), and every other system call but a short list ends the
 * process. Not under a sanitizer, which needs more.
 */
MUST_CHECK bool keeper_confine(struct err *err);

#endif
