/* SPDX-License-Identifier: MPL-2.0 */
/*
 * TLS contexts as we want them (OpenSSL): TLS 1.2 and 1.3, forward secrecy and AEAD only, no
 * renegotiation, no compression, no early data, session tickets bound to one listener, released
 * buffers while idle. RFC 8314, RFC 9325.
 */
#ifndef GATEPOST_NET_TLS_H
#define GATEPOST_NET_TLS_H

#include "lib/base/err.h"

#include <openssl/ssl.h>

enum tls_client_check {
	TLS_CLIENT_NONE,     /* no certificate is asked for */
	TLS_CLIENT_OPTIONAL, /* one that does not verify is as good as none: the caller asks
				SSL_get_verify_result */
	TLS_CLIENT_REQUIRED, /* no handshake without a verified one */
};

struct tls_server_config {
	const char *certificate; /* PEM file: chain, leaf first */
	const char *key;	 /* PEM file */
	int min_version;	 /* TLS1_2_VERSION or TLS1_3_VERSION */
	const char *listener; /* session id context: tickets of one listener fail at another */
	enum tls_client_check client_check;
	const char
	    *client_ca_file; /* whom to believe about clients; never the system's store */
};

/*
 * tls_server_create - reads the files. Errors: ERR_CONFIG with the file's name and the reason
 * (missing, not PEM, key does not fit, expired is only a warning, key readable by others).
 * Ticket keys are derived from one random secret of the process and the listener's name, so
 * that they survive a reload, and change twice a day. ALPN: a client that offers "smtp" (or
 * "esmtp") gets it, one that offers only foreign protocols (ALPACA) is refused, most offer
 * none. A ticket is of no use once the check of clients, or the authorities' file, is another.
 */
MUST_CHECK SSL_CTX *tls_server_create(const struct tls_server_config *config, struct err *err);

/*
 * tls_server_add - one more certificate of that server: config is as for ctx, but for the
 * certificate and its key. Who asks for one of its names (subjectAltName; SNI, RFC 6066 3) gets
 * it, by the full name before a wildcard, of the certificates of one name the one that was
 * first there; who asks for another name, or for none, gets ctx's own. One with the same names
 * as an earlier one and another kind of key (RSA, ECDSA) stands beside it: the client's ciphers
 * decide. Before the first handshake. Errors: as above; ERR_CONFIG a certificate without names.
 * err is not NULL.
 */
MUST_CHECK bool tls_server_add(
    SSL_CTX *ctx, const struct tls_server_config *config, struct err *err);

enum tls_verify { TLS_VERIFY_NONE, TLS_VERIFY_PEER, TLS_VERIFY_DANE };

/* tls_client_create - ca_file NULL: the system's store. TLS_VERIFY_DANE trusts neither, but
 * what stream_start_tls_dane is given. */
MUST_CHECK SSL_CTX *tls_client_create(
    enum tls_verify verify, const char *ca_file, struct err *err);

/*
 * tls_use_certificate - what this side shows: the chain in one PEM file, leaf first, the key in
 * another. Checked as for tls_server_create, with the same errors.
 */
MUST_CHECK bool tls_use_certificate(
    SSL_CTX *ctx, const char *certificate, const char *key, struct err *err);

/* tls_error_text - drain this thread's OpenSSL error queue into one line. */
void tls_error_text(char *out, size_t room);

#endif
