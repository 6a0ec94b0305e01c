/* SPDX-License-Identifier: MPL-2.0 */
/* Between command.c and path.c only. */
#ifndef GATEPOST_SMTP_PATH_PRIVATE_H
#define GATEPOST_SMTP_PATH_PRIVATE_H

#include "lib/smtp/command.h"

/* smtp_path_scan - parse the path at the head of *in and move *in behind its ">". */
MUST_CHECK enum smtp_syntax smtp_path_scan(struct view *in, struct smtp_path *out);

#endif
