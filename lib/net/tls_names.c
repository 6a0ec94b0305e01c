/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Several certificates behind one address (SNI, RFC 6066 3): a server context has sites, each a
 * context of its own with the names of its certificate. The list hangs on the first context and
 * ends with it; it is complete before the first handshake, and only read from then on.
 */
#include "lib/base/mem.h"
#include "lib/base/view.h"
#include "lib/net/tls_private.h"

#include <openssl/x509v3.h>
#include <pthread.h>

#define KIND_RSA   1U
#define KIND_EC	   2U
#define KIND_OTHER 4U

/* The certificates for one set of names: one for each kind of key. */
struct site {
	SSL_CTX *ctx; /* owned, but for the first site's, which owns the list */
	char **names; /* owned; as in the certificate: "mail.example.com", "*.example.com" */
	size_t name_count;
	unsigned kinds; /* of keys that it has, as bits */
};

struct sites {
	struct site *list; /* owned; the first one is the default */
	size_t count;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int sites_index = -1;

static void
forget_names(struct site *site)
{
	for (size_t i = 0; i < site->name_count; i++)
		mem_free(site->names[i]);
	mem_free(site->names);
}

static void
sites_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	struct sites *sites = ptr;

	(void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
	for (size_t i = 0; sites != NULL && i < sites->count; i++) {
		forget_names(&sites->list[i]);
		if (i > 0)
			SSL_CTX_free(sites->list[i].ctx);
	}
	if (sites != NULL)
		mem_free(sites->list);
	mem_free(sites);
}

static void
init_once(void)
{
	sites_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, sites_free);
	if (sites_index < 0)
		BUG("no index for TLS contexts");
}

/* take_name - into the site; what is no text, or holds a NUL, names nobody. */
static void
take_name(struct site *site, const ASN1_STRING *text)
{
	const char *p = (const char *)ASN1_STRING_get0_data(text);
	const struct view name = view_make(p, (size_t)ASN1_STRING_length(text));

	if (name.len == 0 || memchr(name.p, '\0', name.len) != NULL)
		return;
	site->names = mem_realloc(site->names, (site->name_count + 1) * sizeof(*site->names));
	site->names[site->name_count++] = mem_strndup(name.p, name.len);
}

static void
take_names(struct site *site, const X509 *certificate)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; all != NULL && i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *one = sk_GENERAL_NAME_value(all, i);

		if (one->type == GEN_DNS)
			take_name(site, one->d.dNSName);
	}
	GENERAL_NAMES_free(all);
}

static unsigned
kind_of(const X509 *certificate)
{
	switch (EVP_PKEY_get_base_id(X509_get0_pubkey(certificate))) {
	case EVP_PKEY_RSA:
		return KIND_RSA;
	case EVP_PKEY_EC:
		return KIND_EC;
	default:
		return KIND_OTHER;
	}
}

static struct site
site_of(SSL_CTX *ctx)
{
	const X509 *certificate = SSL_CTX_get0_certificate(ctx);
	struct site site = { .ctx = ctx, .kinds = kind_of(certificate) };

	take_names(&site, certificate);
	return site;
}

static bool
has_name(const struct site *site, struct view name)
{
	for (size_t i = 0; i < site->name_count; i++) {
		if (view_eq_nocase(view_of(site->names[i]), name))
			return true;
	}
	return false;
}

static bool
has_same_names(const struct site *a, const struct site *b)
{
	for (size_t i = 0; i < a->name_count; i++) {
		if (!has_name(b, view_of(a->names[i])))
			return false;
	}
	return a->name_count == b->name_count;
}

/* find - whose certificate fits the name; one that says it in full before one with a wildcard,
 * which stands for one label. NULL: none. */
static const struct site *
find(const struct sites *sites, struct view name)
{
	const size_t dot = view_find(name, '.');
	char wild[256];

	for (size_t i = 0; i < sites->count; i++) {
		if (has_name(&sites->list[i], name))
			return &sites->list[i];
	}
	if (dot == 0 || dot == name.len || name.len - dot + 1 >= sizeof(wild))
		return NULL;
	wild[0] = '*';
	memcpy(wild + 1, name.p + dot, name.len - dot);
	for (size_t i = 0; i < sites->count; i++) {
		if (has_name(&sites->list[i], view_make(wild, name.len - dot + 1)))
			return &sites->list[i];
	}
	return NULL;
}

/* on_name - the client has told, or not told, whom it wants to reach. */
static int
on_name(SSL *ssl, int *alert, void *context)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct site *site = name != NULL ? find(context, view_of(name)) : NULL;

	(void)alert;
	if (site == NULL)
		return SSL_TLSEXT_ERR_NOACK; /* the default: the client judges it */
	if (SSL_set_SSL_CTX(ssl, site->ctx) == NULL)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

/* sites_of - the list of a context; made with it as the first site if there is none. */
static struct sites *
sites_of(SSL_CTX *ctx)
{
	struct sites *sites;

	pthread_once(&once, init_once);
	sites = SSL_CTX_get_ex_data(ctx, sites_index);
	if (sites != NULL)
		return sites;
	sites = mem_calloc(1, sizeof(*sites));
	sites->list = mem_calloc(1, sizeof(*sites->list));
	sites->list[sites->count++] = site_of(ctx);
	if (SSL_CTX_set_ex_data(ctx, sites_index, sites) != 1 ||
	    SSL_CTX_set_tlsext_servername_callback(ctx, on_name) != 1 ||
	    SSL_CTX_set_tlsext_servername_arg(ctx, sites) != 1)
		BUG("a TLS context takes no list of names");
	return sites;
}

/* join - a second certificate for the names of an earlier one, with a key of another kind;
 * false: there is no such earlier one, or it failed. */
static bool
join(const struct sites *sites, const struct site *site, const struct tls_server_config *config,
    struct err *err)
{
	for (size_t i = 0; i < sites->count; i++) {
		struct site *other = &sites->list[i];

		if ((other->kinds & site->kinds) != 0 || !has_same_names(other, site))
			continue;
		other->kinds |= site->kinds;
		return tls_use_certificate(other->ctx, config->certificate, config->key, err);
	}
	return false;
}

bool
tls_server_add(SSL_CTX *ctx, const struct tls_server_config *config, struct err *err)
{
	struct sites *sites = sites_of(ctx);
	SSL_CTX *own = tls_server_create(config, err);
	struct site site;
	bool is_joined;

	if (own == NULL)
		return false;
	site = site_of(own);
	if (site.name_count == 0) {
		SSL_CTX_free(own);
		return err_set(err, ERR_CONFIG,
		    "%s: the certificate has no host name (subjectAltName), so no client would "
		    "ever get it",
		    config->certificate);
	}
	is_joined = join(sites, &site, config, err);
	if (is_joined || err->kind != ERR_NONE) {
		forget_names(&site);
		SSL_CTX_free(own);
		return is_joined;
	}
	sites->list = mem_realloc(sites->list, (sites->count + 1) * sizeof(*sites->list));
	sites->list[sites->count++] = site;
	return true;
}
