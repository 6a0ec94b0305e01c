/* SPDX-License-Identifier: MPL-2.0 */
/* Between command.c, path.c and params.c only. */
#ifndef GATEPOST_SMTP_PATH_PRIVATE_H
#define GATEPOST_SMTP_PATH_PRIVATE_H

#include "lib/smtp/command.h"

/* smtp_path_scan - parse the path at the head of *in and move *in behind its ">". */
MUST_CHECK enum smtp_syntax smtp_path_scan(struct view *in, struct smtp_path *out);

/* What follows the path: blanks and parameters to the end. */
MUST_CHECK enum smtp_syntax smtp_mail_params(struct view args, struct smtp_mail *out);
MUST_CHECK enum smtp_syntax smtp_rcpt_params(
    struct view args, bool smtputf8, struct smtp_dsn *out);

#endif
