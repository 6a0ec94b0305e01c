/* SPDX-License-Identifier: MPL-2.0 */
/* Whose mail it is, by the first address of its first From field: for what we do on our users'
 * behalf (signing, pre-flight). Whom to believe is another question: filters/dmarc_author.h. */
#ifndef GATEPOST_MAIL_AUTHOR_H
#define GATEPOST_MAIL_AUTHOR_H

#include "lib/mail/message.h"

/*
 * author_domain - lower-case A-labels, in the arena; NULL: there is no From that parses, or its
 * domain is an address literal.
 */
const char *author_domain(const struct message *m, struct arena *arena);

#endif
