/* SPDX-License-Identifier: MPL-2.0 */
/*
 * struct err: what the *operator* learns of a failure (the peer's type is struct smtp_reply in
 * lib/smtp/reply.h). Functions that can fail return bool (or NULL) and fill one of these.
 */
#ifndef GATEPOST_BASE_ERR_H
#define GATEPOST_BASE_ERR_H

#include "lib/base/attr.h"

#include <stdbool.h>

enum err_kind {
	ERR_NONE,
	ERR_CONFIG,   /* the operator's input is wrong; trying again does not help */
	ERR_IO,	      /* a system call failed: errnum says how */
	ERR_TIMEOUT,  /* a deadline passed */
	ERR_CLOSED,   /* the peer closed the connection */
	ERR_PROTOCOL, /* the peer broke the protocol */
	ERR_LIMIT,    /* a cap was reached */
	ERR_TLS,      /* handshake, certificate, or record error */
	ERR_REFUSED,  /* the peer said no, in proper form */
	ERR_TEMP,     /* no answer now; later may help */
};

struct err {
	enum err_kind kind;
	int errnum;	/* errno, or 0 */
	char text[240]; /* one line, no final dot; may hold peer text (the logger escapes) */
};

/* err_set - fill *e (NULL is fine); always false, for "return err_set(...)". */
bool err_set(struct err *e, enum err_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* err_set_errno - like err_set with kind ERR_IO, and ": strerror" behind the text. */
bool err_set_errno(struct err *e, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* err_prefix - put "text: " in front of what *e says; always false. */
bool err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* err_is_shortage - our own machine lacks descriptors or memory: it says nothing of the peer.
 */
bool err_is_shortage(const struct err *e);

const char *err_kind_name(enum err_kind kind); /* "timeout", "closed", ...: for log fields */

#endif
