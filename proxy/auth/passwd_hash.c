/* SPDX-License-Identifier: MPL-2.0 */
/* See passwd_hash.h. */
#include "proxy/auth/passwd_hash.h"

#include "lib/base/mem.h"

#include <crypt.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

/*
 * How many '$' a hash has at least, and how much stands behind the last one: for bcrypt salt
 * and digest, else the digest.
 */
static const struct {
	struct view prefix;
	size_t dollars, tail;
} forms[] = {
	{ { "$y$", 3 }, 4, 43 },
	{ { "$gy$", 4 }, 4, 43 },
	{ { "$7$", 3 }, 3, 43 },
	{ { "$2b$", 4 }, 3, 53 },
	{ { "$2a$", 4 }, 3, 53 },
	{ { "$2y$", 4 }, 3, 53 },
	{ { "$6$", 3 }, 3, 86 },
	{ { "$5$", 3 }, 3, 43 },
};

#define SCRYPT_COST_LEN 11 /* N in one character, r and p in five each */

/*
 * Costs of new hashes. 0 is libxcrypt's own, which is far too little for bcrypt (2^5) and
 * little for SHA-512 (5000 rounds). All three take roughly 50 ms on a core of today.
 */
static const struct {
	const char *method, *prefix;
	unsigned long cost;
	size_t password_max;
} makes[] = {
	{ "yescrypt", "$y$", 0, PASSWD_PASSWORD_MAX },
	{ "bcrypt", "$2b$", 10, PASSWD_BCRYPT_MAX },
	{ "sha512", "$6$", 100000, PASSWD_PASSWORD_MAX },
};

static void (*_Atomic the_observer)(const char *setting);

void
passwd_hash_observe(void (*observer)(const char *setting))
{
	atomic_store(&the_observer, observer);
}

bool
passwd_hash_is_locked(struct view hash)
{
	return hash.len > 0 && (hash.p[0] == '!' || hash.p[0] == '*');
}

/* is_digest - len octets of crypt(3)'s own base64. */
static bool
is_digest(struct view text, size_t len)
{
	for (size_t i = 0; i < text.len; i++) {
		const char c = text.p[i];

		if (!ascii_is_alnum(c) && c != '.' && c != '/')
			return false;
	}
	return text.len == len;
}

static size_t
count_dollars(struct view text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.p[i] == '$';
	return count;
}

/* tail_of - what stands behind the last '$'. */
static struct view
tail_of(struct view hash)
{
	size_t at = hash.len;

	while (at > 0 && hash.p[at - 1] != '$')
		at--;
	return view_from(hash, at);
}

bool
passwd_hash_is_sound(struct view hash, struct err *err)
{
	char text[PASSWD_HASH_MAX + 1];
	size_t i = 0;

	if (!view_copy(hash, text, sizeof(text)))
		return err_set(err, ERR_CONFIG, "a hash of %zu octets is too long", hash.len);
	while (i < ARRAY_LEN(forms) && !view_starts(hash, forms[i].prefix))
		i++;
	if (i == ARRAY_LEN(forms))
		return err_set(err, ERR_CONFIG,
		    "not a hash of yescrypt, scrypt, bcrypt, SHA-512 or SHA-256 "
		    "(gatepost passwd makes one)");
	if (crypt_checksalt(text) == CRYPT_SALT_INVALID ||
	    count_dollars(hash) < forms[i].dollars || !is_digest(tail_of(hash), forms[i].tail))
		return err_set(err, ERR_CONFIG, "the hash is damaged or not whole");
	return true;
}

struct view
passwd_hash_cost(struct view hash)
{
	size_t fields = 3, at = 0;

	if (view_starts(hash, VIEW("$7$")))
		return view_make(
		    hash.p, hash.len < 3 + SCRYPT_COST_LEN ? hash.len : 3 + SCRYPT_COST_LEN);
	if ((view_starts(hash, VIEW("$6$")) || view_starts(hash, VIEW("$5$"))) &&
	    !view_starts(view_from(hash, 3), VIEW("rounds=")))
		fields = 2;
	while (at < hash.len && fields > 0) {
		if (hash.p[at++] == '$')
			fields--;
	}
	return view_make(hash.p, at);
}

/* compute - crypt(3) of the password; false: it could not be computed, errno says why. */
static bool
compute(const struct secret *password, const char *setting, char out[CRYPT_OUTPUT_SIZE])
{
	struct crypt_data *data = mem_calloc(1, sizeof(*data)); /* 32 KB: not on the stack */
	void (*observer)(const char *) = atomic_load(&the_observer);
	const char *made;
	int errnum;

	if (observer != NULL)
		observer(setting);
	errno = 0;
	made = crypt_rn(password->p, setting, data, (int)sizeof(*data));
	errnum = errno;
	if (made != NULL)
		snprintf(out, CRYPT_OUTPUT_SIZE, "%s", made);
	secret_wipe(data, sizeof(*data));
	mem_free(data);
	errno = errnum;
	return made != NULL;
}

/* is_same - in constant time for hashes of one length, and that is no secret. */
static bool
is_same(const char *a, const char *b)
{
	const size_t len = strlen(a);
	unsigned char difference = 0;

	if (len != strlen(b))
		return false;
	for (size_t i = 0; i < len; i++)
		difference |= (unsigned char)(a[i] ^ b[i]);
	return difference == 0;
}

enum passwd_match
passwd_hash_match(const struct secret *password, const char *hash)
{
	char made[CRYPT_OUTPUT_SIZE];
	bool same;

	if (!secret_is_set(password))
		return PASSWD_DIFFERENT;
	if (!compute(password, hash, made))
		return errno == ERANGE ? PASSWD_DIFFERENT : PASSWD_FAILED;
	same = is_same(made, hash);
	secret_wipe(made, sizeof(made));
	return same ? PASSWD_SAME : PASSWD_DIFFERENT;
}

bool
passwd_hash_make(const char *method, const struct secret *password,
    char out[PASSWD_HASH_MAX + 1], struct err *err)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE], made[CRYPT_OUTPUT_SIZE];
	size_t i = 0;

	while (i < ARRAY_LEN(makes) && strcmp(makes[i].method, method) != 0)
		i++;
	if (i == ARRAY_LEN(makes))
		return err_set(
		    err, ERR_CONFIG, "\"%s\" is not one of yescrypt, bcrypt, sha512", method);
	if (password->len > makes[i].password_max)
		return err_set(err, ERR_CONFIG,
		    "the password is over the %zu octets that %s can take",
		    makes[i].password_max, method);
	/* No random octets given: libxcrypt takes them from the kernel. */
	if (crypt_gensalt_rn(
		makes[i].prefix, makes[i].cost, NULL, 0, setting, (int)sizeof(setting)) == NULL)
		return err_set_errno(err, errno, "no salt for %s", method);
	if (!compute(password, setting, made))
		return err_set_errno(err, errno, "the hash could not be computed");
	if (!view_copy(view_of(made), out, PASSWD_HASH_MAX + 1) ||
	    !passwd_hash_is_sound(view_of(out), err))
		BUG("crypt(3) made a hash that we do not know");
	return true;
}
