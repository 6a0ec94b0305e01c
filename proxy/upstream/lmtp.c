/* SPDX-License-Identifier: MPL-2.0 */
/* See lmtp.h. What is remembered is one table for the process, of bounded size; any thread. */
#include "proxy/upstream/lmtp.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>

#define BUCKETS	    2048
#define WAYS	    8 /* of a bucket; the oldest makes room */
#define NAMED_MAX   5 /* recipients without it that a reply names */
#define SAID_OCTETS 160

struct bucket {
	unsigned char keys[WAYS][LMTP_KEY_LEN];
	unsigned used, next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct bucket *buckets; /* owned; NULL until something is remembered */

/* ---- the memory ---- */

static void
add(EVP_MD_CTX *md, struct view text)
{
	if (EVP_DigestUpdate(md, &text.len, sizeof(text.len)) != 1 ||
	    EVP_DigestUpdate(md, text.p, text.len) != 1)
		BUG("SHA-256 fails");
}

static EVP_MD_CTX *
begin(void)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		BUG("SHA-256 fails");
	return md;
}

static void
end(EVP_MD_CTX *md, unsigned char out[LMTP_KEY_LEN])
{
	if (EVP_DigestFinal_ex(md, out, NULL) != 1)
		BUG("SHA-256 fails");
	EVP_MD_CTX_free(md);
}

bool
lmtp_digest(const struct message *message, unsigned char out[LMTP_KEY_LEN])
{
	static const char *const fields[] = { "Message-ID", "Date", "From", "To", "Cc",
		"Subject", "Content-Type", "Content-Transfer-Encoding" };
	EVP_MD_CTX *md = begin();

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		size_t at = message_find(message, fields[i], 0);

		for (; at != SIZE_MAX; at = message_find(message, fields[i], at + 1))
			add(md, message_field(message, at)->raw);
		add(md, VIEW(""));
	}
	add(md, message_body(message));
	end(md, out);
	return message_count_of(message, "Message-ID") > 0 &&
	       message_count_of(message, "Date") > 0;
}

static void
key_of(const struct lmtp_delivery *d, const char *recipient, unsigned char out[LMTP_KEY_LEN])
{
	EVP_MD_CTX *md = begin();

	add(md, view_of(d->upstream));
	add(md, view_of(d->sender));
	add(md, view_of(recipient));
	add(md, view_make((const char *)d->message, sizeof(d->message)));
	end(md, out);
}

static struct bucket *
bucket_of(const unsigned char key[LMTP_KEY_LEN])
{
	return &buckets[(key[0] | (size_t)key[1] << 8) % BUCKETS];
}

static bool
has_locked(const unsigned char key[LMTP_KEY_LEN])
{
	const struct bucket *b;

	if (buckets == NULL)
		return false;
	b = bucket_of(key);
	for (size_t i = 0; i < b->used; i++) {
		if (memcmp(b->keys[i], key, LMTP_KEY_LEN) == 0)
			return true;
	}
	return false;
}

bool
lmtp_has(const struct lmtp_delivery *d, const char *recipient)
{
	unsigned char key[LMTP_KEY_LEN];
	bool has;

	if (!d->is_named)
		return false;
	key_of(d, recipient, key);
	pthread_mutex_lock(&lock);
	has = has_locked(key);
	pthread_mutex_unlock(&lock);
	return has;
}

static void
remember(const struct lmtp_delivery *d, const char *recipient)
{
	unsigned char key[LMTP_KEY_LEN];
	struct bucket *b;

	key_of(d, recipient, key);
	pthread_mutex_lock(&lock);
	if (buckets == NULL)
		buckets = mem_calloc(BUCKETS, sizeof(*buckets));
	if (!has_locked(key)) {
		b = bucket_of(key);
		memcpy(b->keys[b->next], key, LMTP_KEY_LEN);
		b->next = (b->next + 1) % WAYS;
		b->used += b->used < WAYS ? 1 : 0;
	}
	pthread_mutex_unlock(&lock);
}

void
lmtp_forget_all(void)
{
	pthread_mutex_lock(&lock);
	mem_free(buckets);
	buckets = NULL;
	pthread_mutex_unlock(&lock);
}

/* ---- the replies ---- */

struct fold {
	const struct lmtp_delivery *d;
	bool *has; /* owned; by recipient */
	size_t accepted, later, never;
	struct smtp_reply first_good, worst_later, worst_never;
	char names[NAMED_MAX * (SAID_OCTETS + 340)]; /* a line each */
	size_t named;
};

static void
name(struct fold *f, const char *recipient, const struct smtp_reply *reply)
{
	const size_t at = strlen(f->names);
	char said[SAID_OCTETS];

	if (f->named++ >= NAMED_MAX)
		return;
	smtp_reply_log_text(reply, said, sizeof(said));
	(void)snprintf(f->names + at, sizeof(f->names) - at, "\n<%s> %s", recipient, said);
}

/* take - the reply of one recipient; false: it is none to a final dot. */
static bool
take(struct fold *f, size_t i, const struct smtp_reply *reply)
{
	const char *recipient = f->d->recipients[i];
	char said[SAID_OCTETS];

	smtp_reply_log_text(reply, said, sizeof(said));
	log_event(LEVEL_INFO, "upstream.rcpt", LOG_STR("id", f->d->id),
	    LOG_STR("upstream", f->d->upstream), LOG_STR("rcpt", recipient),
	    LOG_STR("reply", said));
	if (reply->code / 100 == 2) {
		f->has[i] = true;
		if (f->accepted++ == 0)
			f->first_good = *reply;
	} else if (reply->code / 100 == 4) {
		if (f->later++ == 0)
			f->worst_later = *reply;
		name(f, recipient, reply);
	} else if (reply->code / 100 == 5) {
		if (f->never++ == 0)
			f->worst_never = *reply;
		name(f, recipient, reply);
	} else {
		return false;
	}
	return true;
}

static void
remember_all(const struct fold *f)
{
	for (size_t i = 0; i < f->d->count && f->d->is_named; i++) {
		if (f->has[i])
			remember(f->d, f->d->recipients[i]);
	}
}

/* conclude - all replies are here. */
static void
conclude(const struct fold *f, struct smtp_reply *reply_out)
{
	if (f->accepted == f->d->count) {
		*reply_out = f->first_good;
		reply_out->code = 250;
		return;
	}
	if (f->accepted == 0) {
		*reply_out = f->later > 0 ? f->worst_later : f->worst_never;
		if (reply_out->code == 421) /* ends a connection to the server, not ours */
			reply_out->code = 451;
		return;
	}
	remember_all(f);
	if (f->never > 0)
		smtp_reply_set(reply_out, 554, "5.3.0",
		    "Delivered to %zu of %zu recipients; do not send it to them again. Not "
		    "to:%s",
		    f->accepted, f->d->count, f->names);
	else
		smtp_reply_set(reply_out, 451, "4.3.0",
		    "Delivered to %zu of %zu recipients, try again later for the others:%s",
		    f->accepted, f->d->count, f->names);
}

bool
lmtp_final(struct conn *c, const struct lmtp_delivery *d, int64_t by,
    struct smtp_reply *reply_out, struct err *err)
{
	struct fold f = { .d = d, .has = mem_calloc(d->count + 1, sizeof(*f.has)) };
	bool is_whole = true;

	conn_expect(c, (unsigned)d->count - 1);
	for (size_t i = 0; i < d->count && is_whole; i++) {
		is_whole = conn_get_reply(c, by, reply_out, err);
		if (is_whole && !take(&f, i, reply_out))
			is_whole = err_set(err, ERR_PROTOCOL, "a reply of %d for one recipient",
			    reply_out->code);
	}
	if (is_whole)
		conclude(&f, reply_out);
	else
		remember_all(&f);
	mem_free(f.has);
	return is_whole;
}
