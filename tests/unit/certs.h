/* SPDX-License-Identifier: MPL-2.0 */
/* Throw-away certificates for unit tests: a CA and leaves that it signed, as PEM files in a
 * folder. */
#ifndef GATEPOST_TESTS_UNIT_CERTS_H
#define GATEPOST_TESTS_UNIT_CERTS_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct certs {
	char dir[64]; /* made by certs_create, removed by certs_destroy */
	EVP_PKEY *ca_key;
	X509 *ca;
	char made[24][64];
	size_t made_count;
};

struct cert_files {
	char certificate[160], key[160];
};

#define CERTS_CHECK(x)                                                     \
	do {                                                               \
		if (!(x)) {                                                \
			fprintf(stderr, "certs.h:%d: %s\n", __LINE__, #x); \
			abort();                                           \
		}                                                          \
	} while (0)

static inline void
certs_path(struct certs *c, const char *name, char out[160])
{
	snprintf(out, 160, "%s/%s", c->dir, name);
	CERTS_CHECK(c->made_count < 24);
	snprintf(c->made[c->made_count++], 64, "%s", name);
}

static inline X509 *
certs_make(EVP_PKEY *key, const char *cn, long days, X509 *issuer, EVP_PKEY *issuer_key)
{
	static long serial = 1;
	X509 *x = X509_new();
	X509V3_CTX v3;
	X509_EXTENSION *ext;
	char alt[128];

	CERTS_CHECK(x != NULL && X509_set_version(x, 2) == 1);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(x), -86400L * 400);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400L * days);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(
	    X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(issuer != NULL ? issuer : x));
	X509V3_set_ctx(&v3, issuer != NULL ? issuer : x, x, NULL, NULL, 0);
	snprintf(alt, sizeof(alt), "DNS:%s", cn);
	ext = issuer == NULL
		  ? X509V3_EXT_conf_nid(NULL, &v3, NID_basic_constraints, "critical,CA:TRUE")
		  : X509V3_EXT_conf_nid(NULL, &v3, NID_subject_alt_name, alt);
	CERTS_CHECK(ext != NULL && X509_add_ext(x, ext, -1) == 1);
	X509_EXTENSION_free(ext);
	CERTS_CHECK(X509_sign(x, issuer_key, EVP_sha256()) > 0);
	return x;
}

static inline void
certs_create(struct certs *c, char ca_file[160])
{
	FILE *f;

	memset(c, 0, sizeof(*c));
	snprintf(c->dir, sizeof(c->dir), "/tmp/gatepost-certs-XXXXXX");
	CERTS_CHECK(mkdtemp(c->dir) != NULL);
	c->ca_key = EVP_EC_gen("P-256");
	c->ca = certs_make(c->ca_key, "Test CA", 100, NULL, c->ca_key);
	certs_path(c, "ca.pem", ca_file);
	f = fopen(ca_file, "w");
	CERTS_CHECK(f != NULL && PEM_write_X509(f, c->ca) == 1);
	fclose(f);
}

/* certs_issue - a leaf for host cn, good for days from now (negative: expired). */
static inline void
certs_issue(
    struct certs *c, const char *file, const char *cn, long days, struct cert_files *out)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = certs_make(key, cn, days, c->ca, c->ca_key);
	char name[48];
	FILE *f;

	snprintf(name, sizeof(name), "%s.pem", file);
	certs_path(c, name, out->certificate);
	snprintf(name, sizeof(name), "%s.key", file);
	certs_path(c, name, out->key);
	f = fopen(out->certificate, "w");
	CERTS_CHECK(f != NULL && PEM_write_X509(f, x) == 1);
	fclose(f);
	f = fopen(out->key, "w");
	CERTS_CHECK(f != NULL && fchmod(fileno(f), 0600) == 0 &&
		    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1);
	fclose(f);
	X509_free(x);
	EVP_PKEY_free(key);
}

static inline void
certs_destroy(struct certs *c)
{
	char path[160];

	for (size_t i = 0; i < c->made_count; i++) {
		snprintf(path, sizeof(path), "%s/%s", c->dir, c->made[i]);
		unlink(path);
	}
	rmdir(c->dir);
	X509_free(c->ca);
	EVP_PKEY_free(c->ca_key);
}

#endif
