/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DKIM private keys. A key is read, checked and tried once; what a signature needs is prepared
 * then, because reading a PEM costs more than signing with it. A key never changes after that,
 * so any number of threads may sign with it: each call works on a context of its own.
 */
#include "lib/domain/dkim_key.h"

#include "lib/base/mem.h"
#include "lib/base/secret.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE_MAX 65536 /* octets; an 8192-bit key has 6400 */

enum {
	RSA_BITS_MIN = 1024,  /* RFC 8301 3.2: signers must not use less */
	RSA_BITS_GOOD = 2048, /* and should use no less than this */
	RSA_BITS_WIDE = 4096, /* more than this a verifier need not be able to check */
	RSA_BITS_MAX = 8192,
};

struct dkim_key {
	enum dkim_algorithm algorithm;
	EVP_PKEY *pkey;			  /* owned */
	EVP_PKEY_CTX *prepared;		  /* owned; RSA only: ready to sign, used by copying */
	const struct dkim_signer *signer; /* borrowed; NULL: pkey has the private half */
	unsigned char id[DKIM_KEY_ID_SIZE]; /* with a signer only */
};

const char *
dkim_algorithm_name(enum dkim_algorithm a)
{
	return a == DKIM_RSA_SHA256 ? "rsa-sha256" : "ed25519-sha256";
}

/* Put OpenSSL's own reason behind text; leaves its error queue empty. */
static bool
key_set_crypto_error(struct err *err, enum err_kind kind, const char *text)
{
	const char *reason = ERR_reason_error_string(ERR_get_error());

	ERR_clear_error();
	return err_set(err, kind, "%s%s%s", text, reason != NULL ? ": " : "",
	    reason != NULL ? reason : "");
}

/* Key files under a passphrase are refused: nobody is there to be asked, least of all at a
 * reload. */
static int
key_refuse_passphrase(char *buffer, int size, int writing, void *context)
{
	(void)buffer, (void)size, (void)writing, (void)context;
	return -1;
}

/* Who may own a key file, and whether it may have other names (links). */
struct key_owners {
	uid_t owner, other_owner, third_owner;
	bool has_one_name;
};

static bool
key_check_file(int fd, struct key_owners owners, off_t *size_out, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_set_errno(err, errno, "fstat");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CONFIG, "is not a regular file");
	if (owners.has_one_name && st.st_nlink != 1)
		return err_set(err, ERR_CONFIG, "has other names (hard links)");
	if (st.st_uid != owners.owner && st.st_uid != owners.other_owner &&
	    st.st_uid != owners.third_owner)
		return err_set(err, ERR_CONFIG,
		    "belongs to user id %u: the owner must be %sthe user that serves",
		    (unsigned)st.st_uid, owners.other_owner == 0 ? "root or " : "");
	if ((st.st_mode & (S_IWGRP | S_IRWXO)) != 0)
		return err_set(err, ERR_CONFIG,
		    "has mode %04o: a private key is for its owner and at most readable by its "
		    "group (chmod 0600, or 0640)",
		    (unsigned)(st.st_mode & 07777));
	if (st.st_size > KEY_FILE_MAX)
		return err_set(err, ERR_CONFIG, "is too large for a key");
	*size_out = st.st_size;
	return true;
}

static bool
key_parse_pem(int fd, size_t size, EVP_PKEY **pkey_out, struct err *err)
{
	char *text = mem_alloc(size + 1);
	size_t len = 0;
	ssize_t n = 0;

	while (len < size && (n = read(fd, text + len, size - len)) > 0)
		len += (size_t)n;
	if (n < 0) {
		mem_free(text);
		return err_set_errno(err, errno, "read");
	}
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	*pkey_out = PEM_read_bio_PrivateKey(bio, NULL, key_refuse_passphrase, NULL);
	BIO_free(bio);
	secret_wipe(text, size);
	mem_free(text);
	if (*pkey_out != NULL)
		return true;
	return key_set_crypto_error(err, ERR_CONFIG, "holds no private key in PEM form");
}

/* Where a key file is: name in the open folder at. */
struct key_place {
	int at;
	const char *name;
};

static bool
key_load_file(
    struct key_place place, struct key_owners owners, EVP_PKEY **pkey_out, struct err *err)
{
	const int follow = owners.has_one_name ? O_NOFOLLOW : 0;
	int fd =
	    openat(place.at, place.name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | follow);
	off_t size = 0;
	bool ok;

	if (fd < 0)
		return err_set_errno(err, errno, "open");
	ok = key_check_file(fd, owners, &size, err) &&
	     key_parse_pem(fd, (size_t)size, pkey_out, err);
	close(fd);
	return ok;
}

static bool
key_prepare_rsa(struct dkim_key *k, char warning_out[160], struct err *err)
{
	int bits = EVP_PKEY_get_bits(k->pkey);

	if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
		return err_set(err, ERR_CONFIG,
		    "has %d bits: an RSA key needs %d to %d (RFC 8301)", bits, RSA_BITS_MIN,
		    RSA_BITS_MAX);
	if (bits < RSA_BITS_GOOD)
		snprintf(warning_out, 160,
		    "the RSA key has %d bits, %d are recommended: some receivers do not trust "
		    "it",
		    bits, RSA_BITS_GOOD);
	if (bits > RSA_BITS_WIDE)
		snprintf(warning_out, 160,
		    "the RSA key has %d bits: receivers need not check more than %d (RFC 8301)",
		    bits, RSA_BITS_WIDE);
	k->algorithm = DKIM_RSA_SHA256;
	k->prepared = EVP_PKEY_CTX_new(k->pkey, NULL);
	if (k->prepared == NULL || EVP_PKEY_sign_init(k->prepared) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_padding(k->prepared, RSA_PKCS1_PADDING) <= 0 ||
	    EVP_PKEY_CTX_set_signature_md(k->prepared, EVP_sha256()) <= 0)
		return key_set_crypto_error(err, ERR_CONFIG, "cannot be used for signing");
	return true;
}

/* A key of a known kind, that makes a signature. */
static bool
key_prepare(struct dkim_key *k, char warning_out[160], struct err *err)
{
	const unsigned char hash[32] = { 0 };
	unsigned char signature[1024];
	size_t len;

	switch (EVP_PKEY_get_base_id(k->pkey)) {
	case EVP_PKEY_RSA:
		if (!key_prepare_rsa(k, warning_out, err))
			return false;
		break;
	case EVP_PKEY_ED25519:
		k->algorithm = DKIM_ED25519_SHA256;
		break;
	default:
		return err_set(err, ERR_CONFIG, "is neither an RSA nor an Ed25519 key");
	}
	if (dkim_key_sign_hash(k, hash, signature, &len, err))
		return true;
	if (err != NULL)
		err->kind = ERR_CONFIG;
	return false;
}

/* path is its name for people. */
static struct dkim_key *
key_read(struct key_place place, const char *path, struct key_owners owners,
    char warning_out[160], struct err *err)
{
	struct dkim_key *k = mem_calloc(1, sizeof(*k));

	warning_out[0] = '\0';
	if (key_load_file(place, owners, &k->pkey, err) && key_prepare(k, warning_out, err))
		return k;
	if (err != NULL)
		err->kind = ERR_CONFIG;
	err_prefix(err, "key %s", path);
	warning_out[0] = '\0';
	dkim_key_destroy(&k);
	return NULL;
}

struct dkim_key *
dkim_key_read_for(const char *path, uid_t owner, char warning_out[160], struct err *err)
{
	return key_read((struct key_place){ AT_FDCWD, path }, path,
	    (struct key_owners){ owner, 0, 0, false }, warning_out, err);
}

struct dkim_key *
dkim_key_read_kept(
    const char *path, uid_t user, uid_t keeper, char warning_out[160], struct err *err)
{
	return key_read((struct key_place){ AT_FDCWD, path }, path,
	    (struct key_owners){ user, 0, keeper, false }, warning_out, err);
}

struct dkim_key *
dkim_key_read_made(const char *path, uid_t owner, char warning_out[160], struct err *err)
{
	return key_read((struct key_place){ AT_FDCWD, path }, path,
	    (struct key_owners){ owner, owner, owner, true }, warning_out, err);
}

struct dkim_key *
dkim_key_read_made_at(int folder, const char *name, const char *path, uid_t owner,
    char warning_out[160], struct err *err)
{
	return key_read((struct key_place){ folder, name }, path,
	    (struct key_owners){ owner, owner, owner, true }, warning_out, err);
}

struct dkim_key *
dkim_key_read(const char *path, char warning_out[160], struct err *err)
{
	return dkim_key_read_for(path, geteuid(), warning_out, err);
}

void
dkim_key_destroy(struct dkim_key **k)
{
	if (*k == NULL)
		return;
	EVP_PKEY_CTX_free((*k)->prepared);
	EVP_PKEY_free((*k)->pkey);
	mem_free(*k);
	*k = NULL;
}

enum dkim_algorithm
dkim_key_algorithm(const struct dkim_key *k)
{
	return k->algorithm;
}

static bool
key_sign_rsa(const struct dkim_key *k, const unsigned char hash[32], unsigned char out[1024],
    size_t *len_out)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_dup(k->prepared);

	*len_out = 1024;
	bool ok = ctx != NULL && EVP_PKEY_sign(ctx, out, len_out, hash, 32) > 0;
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

/* RFC 8463 3: what Ed25519 signs is the SHA-256 hash, as a message of 32 octets. */
static bool
key_sign_ed25519(const struct dkim_key *k, const unsigned char hash[32],
    unsigned char out[1024], size_t *len_out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	*len_out = 1024;
	bool ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) > 0 &&
		  EVP_DigestSign(ctx, out, len_out, hash, 32) > 0;
	EVP_MD_CTX_free(ctx);
	return ok;
}

static bool
key_sign_elsewhere(const struct dkim_key *k, const unsigned char hash[32],
    unsigned char out[1024], size_t *len_out, struct err *err)
{
	if (!k->signer->sign(k->signer->context, k->id, hash, out, len_out, err))
		return false;
	return *len_out == (size_t)EVP_PKEY_get_size(k->pkey) ||
	       err_set(err, ERR_PROTOCOL, "a signature of %zu octets came for a key of %d",
		   *len_out, EVP_PKEY_get_size(k->pkey));
}

bool
dkim_key_sign_hash(const struct dkim_key *k, const unsigned char hash[32],
    unsigned char out[1024], size_t *len_out, struct err *err)
{
	if (k->signer != NULL)
		return key_sign_elsewhere(k, hash, out, len_out, err);
	bool ok = k->algorithm == DKIM_RSA_SHA256 ? key_sign_rsa(k, hash, out, len_out)
						  : key_sign_ed25519(k, hash, out, len_out);

	return ok ||
	       key_set_crypto_error(err, ERR_IO, "no signature could be made with the key");
}

/* ---- the public half ---- */

bool
dkim_key_public(const struct dkim_key *k, struct buf *out)
{
	unsigned char *der = NULL;
	const int len = i2d_PUBKEY(k->pkey, &der);
	const bool ok = len > 0 && buf_add(out, der, (size_t)len);

	OPENSSL_free(der);
	return ok;
}

bool
dkim_key_id(const struct dkim_key *k, unsigned char id_out[DKIM_KEY_ID_SIZE])
{
	unsigned char *der = NULL;
	const int len = i2d_PUBKEY(k->pkey, &der);
	const bool ok =
	    len > 0 && EVP_Digest(der, (size_t)len, id_out, NULL, EVP_sha256(), NULL) > 0;

	OPENSSL_free(der);
	return ok;
}

struct dkim_key *
dkim_key_of_public(struct view spki, const struct dkim_signer *signer, struct err *err)
{
	const unsigned char *p = (const unsigned char *)spki.p;
	struct dkim_key *k = mem_calloc(1, sizeof(*k));
	int kind;

	k->signer = signer;
	k->pkey = spki.len <= KEY_FILE_MAX ? d2i_PUBKEY(NULL, &p, (long)spki.len) : NULL;
	ERR_clear_error();
	kind = k->pkey != NULL ? EVP_PKEY_get_base_id(k->pkey) : EVP_PKEY_NONE;
	k->algorithm = kind == EVP_PKEY_RSA ? DKIM_RSA_SHA256 : DKIM_ED25519_SHA256;
	if ((kind == EVP_PKEY_RSA || kind == EVP_PKEY_ED25519) &&
	    EVP_PKEY_get_size(k->pkey) <= RSA_BITS_MAX / 8 && dkim_key_id(k, k->id))
		return k;
	err_set(err, ERR_PROTOCOL, "is no public key of RSA or Ed25519");
	dkim_key_destroy(&k);
	return NULL;
}

/* Write pkey into a file that is new; on failure there is no file. */
static bool
key_write_file(EVP_PKEY *pkey, const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set_errno(err, errno, "%s", path);
	BIO *bio = BIO_new_fd(fd, BIO_NOCLOSE);
	bool ok = bio != NULL &&
		  PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) > 0;

	BIO_free(bio);
	if (!ok)
		key_set_crypto_error(err, ERR_IO, path);
	if (ok && fsync(fd) != 0)
		ok = err_set_errno(err, errno, "%s: fsync", path);
	if (close(fd) != 0 && ok)
		ok = err_set_errno(err, errno, "%s: close", path);
	if (!ok)
		unlink(path);
	return ok;
}

bool
dkim_key_generate(enum dkim_algorithm a, unsigned rsa_bits, const char *path, struct err *err)
{
	EVP_PKEY *pkey;
	bool ok;

	if (a == DKIM_RSA_SHA256 && (rsa_bits < RSA_BITS_MIN || rsa_bits > RSA_BITS_MAX))
		return err_set(err, ERR_CONFIG, "an RSA key needs %d to %d bits (RFC 8301)",
		    RSA_BITS_MIN, RSA_BITS_MAX);
	if (access(path, F_OK) == 0) /* before the long calculation; O_EXCL is what protects */
		return err_set_errno(err, EEXIST, "%s", path);
	pkey = a == DKIM_RSA_SHA256 ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)rsa_bits)
				    : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (pkey == NULL)
		return key_set_crypto_error(err, ERR_IO, "no key could be made");
	ok = key_write_file(pkey, path, err);
	EVP_PKEY_free(pkey);
	return ok;
}

static bool
add_base64(struct buf *out, const unsigned char *p, size_t len)
{
	char *text = buf_reserve(out, (len + 2) / 3 * 4 + 1); /* EVP_EncodeBlock adds a NUL */

	if (text == NULL)
		return false;
	buf_commit(out, (size_t)EVP_EncodeBlock((unsigned char *)text, p, (int)len));
	return true;
}

/* RFC 6376 3.6.1 as all the world reads it: SubjectPublicKeyInfo (erratum 3017); RFC 8463 4:
 * bare. */
bool
dkim_key_record(const struct dkim_key *k, struct buf *out)
{
	unsigned char raw[32], *der = NULL;
	size_t before = out->len, raw_len = sizeof(raw);
	bool ok;

	if (k->algorithm == DKIM_ED25519_SHA256) {
		ok = EVP_PKEY_get_raw_public_key(k->pkey, raw, &raw_len) > 0 &&
		     buf_add_str(out, "v=DKIM1; k=ed25519; p=") &&
		     add_base64(out, raw, raw_len);
	} else {
		int len = i2d_PUBKEY(k->pkey, &der);
		ok = len > 0 && buf_add_str(out, "v=DKIM1; k=rsa; p=") &&
		     add_base64(out, der, (size_t)len);
		OPENSSL_free(der);
	}
	if (!ok)
		out->len = before;
	return ok;
}
