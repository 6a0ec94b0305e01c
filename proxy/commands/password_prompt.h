/* SPDX-License-Identifier: MPL-2.0 */
/* A password from a person or from a pipe. For commands: not for threads. */
#ifndef GATEPOST_PROXY_COMMANDS_PASSWORD_PROMPT_H
#define GATEPOST_PROXY_COMMANDS_PASSWORD_PROMPT_H

#include "lib/base/err.h"
#include "lib/base/secret.h"

#define PASSWORD_LINE_MAX 1024 /* octets without the line end */

/*
 * password_read_line - one line of fd, without its LF (a CR before it is kept: it could be
 * meant); the end of input ends a line too. Not an octet behind the line is read.
 * Errors: ERR_IO; ERR_CONFIG an empty line, or a NUL; ERR_LIMIT too long.
 */
MUST_CHECK bool password_read_line(int fd, struct secret *out, struct err *err);

/*
 * password_prompt - prompt on the terminal, and a line from there without echo. A signal that
 * would end or stop the process restores the terminal first.
 */
MUST_CHECK bool password_prompt(const char *prompt, struct secret *out, struct err *err);

#endif
