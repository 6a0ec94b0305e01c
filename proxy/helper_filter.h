/* SPDX-License-Identifier: MPL-2.0 */
/* What a keeper or a judge may still do once it is set up: read, answer, calculate, end. */
#ifndef GATEPOST_PROXY_HELPER_FILTER_H
#define GATEPOST_PROXY_HELPER_FILTER_H

#include "lib/base/err.h"

/*
 * helper_give_up - while there is one thread: capabilities, core dumps, and every file
 * (confine.h). helper_confine comes behind it.
 */
MUST_CHECK bool helper_give_up(struct err *err);

/*
 * helper_confine - for all threads of the process, for good: no file, no socket, no process, no
 * descriptor can be opened (rlimits too), and every other system call but a short list ends the
 * process. Not under a sanitizer, which needs more.
 */
MUST_CHECK bool helper_confine(struct err *err);

#endif
