/* SPDX-License-Identifier: MPL-2.0 */
/* Whom a client's certificate names (RFC 5280 4.2.1.6). Pure; the certificate is verified by
 * who calls. */
#ifndef GATEPOST_NET_TLS_CLIENT_NAMES_H
#define GATEPOST_NET_TLS_CLIENT_NAMES_H

#include "lib/base/arena.h"

#include <openssl/x509.h>

#define TLS_CLIENT_NAMES_MAX 16

/*
 * tls_client_names - its mail addresses (rfc822Name), then its host names (dNSName); of a
 * certificate with neither, its one common name. Left out is what cannot be a login: empty,
 * over 320 octets, with control characters, a NUL, or a "*". The first 16. Texts in the arena.
 */
size_t tls_client_names(
    const X509 *certificate, struct arena *arena, const char *out[TLS_CLIENT_NAMES_MAX]);

#endif
