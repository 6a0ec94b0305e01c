/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Private keys of certificates, from files. A gate that was started as root reads them as root,
 * and again at each reload as the user that it has become. So that this user need not be able
 * to read them, those that root has read are remembered, by their paths, to the end of the
 * process. Any thread.
 */
#ifndef GATEPOST_NET_TLS_KEYS_H
#define GATEPOST_NET_TLS_KEYS_H

#include "lib/base/err.h"

#include <openssl/evp.h>

/*
 * tls_key_read - the key in a PEM file, without passphrase, that nobody but its owner and group
 * may read. When this user may not open it, and root has read it before, it is the one of then,
 * and *is_kept_out is true. NULL: err begins with the path. The caller frees it.
 */
MUST_CHECK EVP_PKEY *tls_key_read(const char *file, bool *is_kept_out, struct err *err);

#endif
