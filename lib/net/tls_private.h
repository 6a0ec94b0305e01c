/* SPDX-License-Identifier: MPL-2.0 */
/* What tls.c and tls_names.c share, and nobody else includes. */
#ifndef GATEPOST_NET_TLS_PRIVATE_H
#define GATEPOST_NET_TLS_PRIVATE_H

#include "lib/net/tls.h"

/* tls_file_error - "file: what: OpenSSL's reason", which may be none; always false. */
bool tls_file_error(struct err *err, const char *file, const char *what);

#endif
