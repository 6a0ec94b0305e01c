/* SPDX-License-Identifier: MPL-2.0 */
/* Private to proxy/confine*.c: one function a layer. */
#ifndef GATEPOST_PROXY_CONFINE_PRIVATE_H
#define GATEPOST_PROXY_CONFINE_PRIVATE_H

#include "proxy/confine.h"
#include "proxy/confine_paths.h"

/* A sanitizer's run-time has threads, files and system calls of its own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CONFINE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CONFINE_SANITIZED 1
#endif
#endif
#ifndef CONFINE_SANITIZED
#define CONFINE_SANITIZED 0
#endif

/* Each: false with *err is a failure; what the kernel lacks is put down in the report. */
MUST_CHECK bool confine_capabilities(struct confine_report *report, struct err *err);
MUST_CHECK bool confine_landlock(
    struct confine_paths *paths, struct confine_report *report, struct err *err);
MUST_CHECK bool confine_seccomp(
    enum confine_profile profile, struct confine_report *report, struct err *err);

/* confine_note - the state of a layer, and why. */
void confine_note(struct confine_report *report, enum confine_layer layer,
    enum confine_state state, const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
