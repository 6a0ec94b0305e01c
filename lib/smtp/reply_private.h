/* SPDX-License-Identifier: MPL-2.0 */
/* Between reply.c and reply_reader.c only. */
#ifndef GATEPOST_SMTP_REPLY_PRIVATE_H
#define GATEPOST_SMTP_REPLY_PRIVATE_H

#include "lib/smtp/reply.h"

#define SMTP_CODE_MIN 200
#define SMTP_CODE_MAX 599

/*
 * smtp_enhanced_length - octets of the enhanced code at the head of text (RFC 3463 2), followed
 * by a blank or the end; 0 when there is none, or when its class is not that of code.
 */
size_t smtp_enhanced_length(struct view text, int code);

#endif
