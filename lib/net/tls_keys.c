/* SPDX-License-Identifier: MPL-2.0 */
/* Private keys of certificates: see tls_keys.h. */
#include "lib/net/tls_keys.h"

#include "lib/base/mem.h"
#include "lib/net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct kept_key {
	struct kept_key *next;
	char *file;	/* owned */
	EVP_PKEY *pkey; /* a reference */
};

static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept_key *kept; /* guarded by kept_lock; never freed: the process needs them */

/* find - the caller holds kept_lock. */
static struct kept_key *
find(const char *file)
{
	struct kept_key *key = kept;

	while (key != NULL && strcmp(key->file, file) != 0)
		key = key->next;
	return key;
}

static void
keep(const char *file, EVP_PKEY *pkey)
{
	struct kept_key *key;

	pthread_mutex_lock(&kept_lock);
	key = find(file);
	if (key == NULL) {
		key = mem_calloc(1, sizeof(*key));
		key->file = mem_strdup(file);
		key->next = kept;
		kept = key;
	}
	EVP_PKEY_free(key->pkey);
	key->pkey = EVP_PKEY_up_ref(pkey) == 1 ? pkey : NULL;
	pthread_mutex_unlock(&kept_lock);
}

static EVP_PKEY *
kept_key(const char *file)
{
	EVP_PKEY *pkey = NULL;

	pthread_mutex_lock(&kept_lock);
	const struct kept_key *key = find(file);
	if (key != NULL && key->pkey != NULL && EVP_PKEY_up_ref(key->pkey) == 1)
		pkey = key->pkey;
	pthread_mutex_unlock(&kept_lock);
	return pkey;
}

/* no_passphrase - instead of OpenSSL's question on the terminal. */
static int
no_passphrase(char *buf, int size, int writing, void *context)
{
	(void)buf, (void)size, (void)writing, (void)context;
	return -1;
}

/* open_key - the file, after a look at who may read it; NULL: *errnum_out, or 0. */
static BIO *
open_key(const char *file, int *errnum_out, struct err *err)
{
	struct stat st;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	*errnum_out = 0;
	if (fd < 0 || fstat(fd, &st) != 0) {
		*errnum_out = errno;
		err_set(err, ERR_CONFIG, "%s: %s", file, strerror(errno));
	} else if ((st.st_mode & S_IRWXO) != 0) {
		err_set(err, ERR_CONFIG,
		    "%s: a key that everybody may read (mode %03o, want 640 or less)", file,
		    (unsigned)(st.st_mode & 0777));
	} else {
		BIO *bio = BIO_new_fd(fd, BIO_CLOSE);

		if (bio != NULL)
			return bio;
		err_set(err, ERR_CONFIG, "%s: cannot be read", file);
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

EVP_PKEY *
tls_key_read(const char *file, bool *is_kept_out, struct err *err)
{
	char reason[120];
	EVP_PKEY *key;
	int errnum;
	BIO *bio = open_key(file, &errnum, err);

	*is_kept_out = false;
	if (bio == NULL) {
		key = errnum == EACCES ? kept_key(file) : NULL;
		*is_kept_out = key != NULL;
		return key;
	}
	ERR_clear_error();
	key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	if (key == NULL) {
		tls_error_text(reason, sizeof(reason));
		err_set(err, ERR_CONFIG,
		    "%s: not a PEM file with a private key without passphrase: %s", file,
		    reason);
	} else if (geteuid() == 0) {
		keep(file, key);
	}
	return key;
}
