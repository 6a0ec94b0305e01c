/* SPDX-License-Identifier: MPL-2.0 */
/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef GATEPOST_BASE_UTF8_H
#define GATEPOST_BASE_UTF8_H

#include "lib/base/view.h"

/* utf8_decode - the code point at the head of v and its length; 0: not UTF-8. v is not empty.
 */
size_t utf8_decode(struct view v, uint32_t *code_out);

/* utf8_is_ascii - no octet over 0x7f. */
bool utf8_is_ascii(struct view v);

/*
 * utf8_is_text - UTF-8 in which, beyond ASCII, nothing stands that is no character of a text:
 * C1 controls, the separators of lines and paragraphs. What ASCII may stand is the caller's
 * affair.
 */
bool utf8_is_text(struct view v);

#endif
