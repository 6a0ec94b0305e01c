/* SPDX-License-Identifier: MPL-2.0 */
/* See tls.h. */
#include "lib/net/tls.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/tls_keys.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define CIPHERS_TLS12 "ECDHE+AESGCM:ECDHE+CHACHA20"

/* A ticket is good for TICKET_LIFE_S at most twice: in the period that it was made in, and the
 * next. */
#define TICKET_LIFE_S 43200

#define CA_FILE_MAX \
	(1024 * 1024) /* octets of a file of authorities for clients, a quarter of */
#define CLIENT_CHAIN_MAX 8

#define TICKET_NAME_LEN 16
#define TICKET_KEY_LEN	32

struct ticket_keys {
	unsigned char name[TICKET_NAME_LEN];
	unsigned char aes[TICKET_KEY_LEN];
	unsigned char mac[TICKET_KEY_LEN];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned char process_secret[32];
static int listener_index = -1; /* of the SSL_CTX's 32 octets that stand for its listener */

void
tls_error_text(char *out, size_t room)
{
	const char *data = NULL, *reason;
	int flags = 0;
	unsigned long code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags);

	reason = ERR_reason_error_string(code);
	if (code == 0)
		snprintf(out, room, "unknown error");
	else if (ERR_SYSTEM_ERROR(code))
		snprintf(out, room, "%s", strerror(ERR_GET_REASON(code)));
	else
		snprintf(out, room, "%s%s%s", reason != NULL ? reason : "unknown error",
		    (flags & ERR_TXT_STRING) != 0 && *data != '\0' ? ": " : "",
		    (flags & ERR_TXT_STRING) != 0 ? data : "");
	ERR_clear_error();
}

static void
listener_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	(void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
	mem_free(ptr);
}

static void
init_once(void)
{
	if (RAND_bytes(process_secret, sizeof(process_secret)) != 1)
		BUG("no random octets");
	listener_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, listener_free);
	if (listener_index < 0)
		BUG("no index for TLS contexts");
}

/* derive - 32 octets out of the process's secret: for this listener, period and purpose. */
static bool
derive(const unsigned char listener[32], int64_t period, char purpose, unsigned char out[32])
{
	unsigned char in[32 + 8 + 1];
	unsigned int len = 0;

	memcpy(in, listener, 32);
	for (int i = 0; i < 8; i++)
		in[32 + i] = (unsigned char)((uint64_t)period >> (8 * i));
	in[40] = (unsigned char)purpose;
	return HMAC(EVP_sha256(), process_secret, sizeof(process_secret), in, sizeof(in), out,
		   &len) != NULL &&
	       len == 32;
}

static bool
keys_of(const unsigned char listener[32], int64_t period, struct ticket_keys *out)
{
	unsigned char name[32];

	if (!derive(listener, period, 'n', name) || !derive(listener, period, 'a', out->aes) ||
	    !derive(listener, period, 'm', out->mac))
		return false;
	memcpy(out->name, name, sizeof(out->name));
	return true;
}

static bool
ticket_ready(const struct ticket_keys *keys, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int is_new)
{
	char digest[] = "SHA256";
	unsigned char mac_key[TICKET_KEY_LEN];
	OSSL_PARAM params[3];

	memcpy(mac_key, keys->mac, sizeof(mac_key));
	params[0] =
	    OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac_key, sizeof(mac_key));
	params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	params[2] = OSSL_PARAM_construct_end();
	return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, keys->aes, iv, is_new) == 1 &&
	       EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* on_ticket - OpenSSL asks for the keys of a ticket: -1 error, 0 unknown, 1 good, 2 good,
 * renew. */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int is_new)
{
	const unsigned char *listener =
	    SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), listener_index);
	int64_t period = clock_real_s() / TICKET_LIFE_S;
	struct ticket_keys keys;

	if (!keys_of(listener, period, &keys))
		return -1;
	if (is_new) {
		memcpy(name, keys.name, sizeof(keys.name));
		if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1)
			return -1;
		return ticket_ready(&keys, iv, cipher, mac, 1) ? 1 : -1;
	}
	if (memcmp(name, keys.name, sizeof(keys.name)) == 0)
		return ticket_ready(&keys, iv, cipher, mac, 0) ? 1 : -1;
	if (!keys_of(listener, period - 1, &keys))
		return -1;
	if (memcmp(name, keys.name, sizeof(keys.name)) != 0)
		return 0;
	return ticket_ready(&keys, iv, cipher, mac, 0) ? 2 : -1;
}

/*
 * on_alpn - only called when the client sent ALPN. A client that speaks SMTP and says so is
 * answered; any other thinks that it talks to another kind of server (ALPACA): fatal.
 */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
    unsigned int in_len, void *context)
{
	static const struct view ours[] = { { "smtp", 4 }, { "esmtp", 5 } };

	(void)ssl, (void)context;
	for (unsigned int at = 0; at < in_len && in_len - at > in[at]; at += in[at] + 1U) {
		struct view name = view_make((const char *)in + at + 1, in[at]);

		if (!view_eq(name, ours[0]) && !view_eq(name, ours[1]))
			continue;
		*out = in + at + 1;
		*out_len = in[at];
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* context_create - what both sides have in common. */
static SSL_CTX *
context_create(const SSL_METHOD *method, struct err *err)
{
	int groups[] = { NID_X25519, NID_X9_62_prime256v1, NID_secp384r1 };
	SSL_CTX *ctx;
	char text[160];

	pthread_once(&once, init_once);
	ERR_clear_error();
	ctx = SSL_CTX_new(method);
	if (ctx != NULL && SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_cipher_list(ctx, CIPHERS_TLS12) == 1 &&
	    SSL_CTX_set1_groups(ctx, groups, ARRAY_LEN(groups)) == 1) {
		SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
		SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
		SSL_CTX_set_read_ahead(ctx, 1); /* one read(2) a record instead of two */
		return ctx;
	}
	tls_error_text(text, sizeof(text));
	err_set(err, ERR_TLS, "TLS context: %s", text);
	SSL_CTX_free(ctx);
	return NULL;
}

/*
 * identify - 32 octets that stand for the listener and its check of clients: what a ticket
 * vouches for must not outlive the authorities that were asked.
 */
static bool
identify(const struct tls_server_config *config, unsigned char out[32], struct err *err)
{
	struct buf text;
	bool ok;

	buf_init(&text, 4 * CA_FILE_MAX);
	ok = buf_printf(&text, "%s", config->listener);
	if (config->client_check != TLS_CLIENT_NONE)
		ok = ok && buf_printf(&text, "\n%d\n", (int)config->client_check) &&
		     file_read(config->client_ca_file, &text, err);
	ok = ok && EVP_Digest(text.p, text.len, out, NULL, EVP_sha256(), NULL) == 1;
	buf_finish(&text);
	return ok;
}

static bool
set_tickets(SSL_CTX *ctx, const struct tls_server_config *config, struct err *err)
{
	unsigned char *id = mem_alloc(32);

	if (!identify(config, id, err) || SSL_CTX_set_ex_data(ctx, listener_index, id) != 1) {
		mem_free(id);
		return false;
	}
	SSL_CTX_set_timeout(ctx, TICKET_LIFE_S);
	return SSL_CTX_set_session_id_context(ctx, id, 32) == 1 &&
	       SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
	       SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1;
}

/* file_error - "file: what: OpenSSL's reason". */
static bool
file_error(struct err *err, const char *file, const char *what)
{
	char text[120];

	tls_error_text(text, sizeof(text));
	return err_set(err, ERR_CONFIG, "%s: %s: %s", file, what, text);
}

static bool
load_certificate(SSL_CTX *ctx, const char *file, struct err *err)
{
	if (access(file, R_OK) != 0)
		return err_set(err, ERR_CONFIG, "%s: %s", file, strerror(errno));
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, file) != 1)
		return file_error(err, file, "not a PEM file with a certificate");
	if (X509_cmp_current_time(X509_get0_notAfter(SSL_CTX_get0_certificate(ctx))) < 0)
		log_event(LEVEL_WARNING, "tls.expired", LOG_STR("file", file));
	return true;
}

static bool
load_key(SSL_CTX *ctx, const char *file, const char *certificate, struct err *err)
{
	bool is_kept, ok;
	EVP_PKEY *key = tls_key_read(file, &is_kept, err);

	if (key == NULL)
		return false;
	ok = SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
	if (!ok && is_kept) /* what to do comes first: paths may be cut */
		err_set(err, ERR_CONFIG,
		    "restart: this user may not read %s, and the key that root has read at the "
		    "start does not fit the certificate %s",
		    file, certificate);
	else if (!ok)
		err_set(err, ERR_CONFIG, "%s: the key does not fit the certificate %s", file,
		    certificate);
	ERR_clear_error();
	EVP_PKEY_free(key);
	return ok;
}

bool
tls_use_certificate(SSL_CTX *ctx, const char *certificate, const char *key, struct err *err)
{
	return load_certificate(ctx, certificate, err) && load_key(ctx, key, certificate, err);
}

/* go_on - a certificate that does not verify ends no handshake; the result tells of it. */
static int
go_on(int ok, X509_STORE_CTX *store)
{
	(void)ok, (void)store;
	return 1;
}

static bool
check_clients(SSL_CTX *ctx, const struct tls_server_config *config, struct err *err)
{
	const char *file = config->client_ca_file;
	STACK_OF(X509_NAME) * names;

	if (config->client_check == TLS_CLIENT_NONE)
		return true;
	ERR_clear_error();
	if (SSL_CTX_load_verify_file(ctx, file) != 1)
		return file_error(err, file, "no certificates to trust");
	names = SSL_load_client_CA_file(file); /* they are told to the client, who can choose */
	if (names == NULL)
		return file_error(err, file, "no certificates to trust");
	SSL_CTX_set_client_CA_list(ctx, names);
	SSL_CTX_set_verify_depth(ctx, CLIENT_CHAIN_MAX);
	if (config->client_check == TLS_CLIENT_REQUIRED)
		SSL_CTX_set_verify(
		    ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	else
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, go_on);
	return true;
}

SSL_CTX *
tls_server_create(const struct tls_server_config *config, struct err *err)
{
	SSL_CTX *ctx = context_create(TLS_server_method(), err);
	int min = config->min_version == TLS1_3_VERSION ? TLS1_3_VERSION : TLS1_2_VERSION;

	if (ctx == NULL)
		return NULL;
	if (!tls_use_certificate(ctx, config->certificate, config->key, err)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	if (!check_clients(ctx, config, err)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	if (SSL_CTX_set_min_proto_version(ctx, min) != 1 || !set_tickets(ctx, config, err)) {
		err_set(err, ERR_TLS, "TLS context of %s cannot be made", config->listener);
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	return ctx;
}

SSL_CTX *
tls_client_create(enum tls_verify verify, const char *ca_file, struct err *err)
{
	SSL_CTX *ctx = context_create(TLS_client_method(), err);

	if (ctx == NULL || verify == TLS_VERIFY_NONE)
		return ctx;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (verify == TLS_VERIFY_DANE && SSL_CTX_dane_enable(ctx) == 1)
		return ctx;
	if (ca_file == NULL && SSL_CTX_set_default_verify_paths(ctx) == 1)
		return ctx;
	if (ca_file != NULL && SSL_CTX_load_verify_file(ctx, ca_file) == 1)
		return ctx;
	file_error(err, ca_file != NULL ? ca_file : "the system's certificate store",
	    "no certificates to trust");
	SSL_CTX_free(ctx);
	return NULL;
}
