/* SPDX-License-Identifier: MPL-2.0 */
/* See tls_client_names.h. */
#include "lib/net/tls_client_names.h"

#include <openssl/x509v3.h>

#define NAME_MAX_OCTETS 320 /* of a login */

struct names {
	struct arena *arena;
	const char **out;
	size_t count;
};

static bool
is_fit(struct view name)
{
	for (size_t i = 0; i < name.len; i++) {
		const unsigned char c = (unsigned char)name.p[i];

		if (c < ' ' || c == 0x7f || c == '*')
			return false;
	}
	return name.len > 0 && name.len <= NAME_MAX_OCTETS;
}

static void
take(struct names *names, const ASN1_STRING *text)
{
	const char *p = (const char *)ASN1_STRING_get0_data(text);
	const struct view name = view_make(p, (size_t)ASN1_STRING_length(text));

	if (names->count < TLS_CLIENT_NAMES_MAX && is_fit(name))
		names->out[names->count++] = arena_strdup(names->arena, name);
}

static bool
take_kind(struct names *names, const GENERAL_NAMES *all, int kind)
{
	bool is_there = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *one = sk_GENERAL_NAME_value(all, i);

		if (one->type != kind)
			continue;
		is_there = true;
		take(names, kind == GEN_EMAIL ? one->d.rfc822Name : one->d.dNSName);
	}
	return is_there;
}

/* take_common_name - when there is exactly one: of two, nobody can say which is meant. */
static void
take_common_name(struct names *names, const X509 *certificate)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	unsigned char *utf8 = NULL;
	int len;

	if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return;
	len = ASN1_STRING_to_UTF8(
	    &utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	if (len > 0) {
		const struct view name = view_make((const char *)utf8, (size_t)len);

		if (is_fit(name))
			names->out[names->count++] = arena_strdup(names->arena, name);
	}
	OPENSSL_free(utf8);
}

size_t
tls_client_names(
    const X509 *certificate, struct arena *arena, const char *out[TLS_CLIENT_NAMES_MAX])
{
	GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	struct names names = { .arena = arena, .out = out };
	bool is_there = false;

	if (all != NULL) {
		is_there |= take_kind(&names, all, GEN_EMAIL);
		is_there |= take_kind(&names, all, GEN_DNS);
		GENERAL_NAMES_free(all);
	}
	if (!is_there)
		take_common_name(&names, certificate);
	return names.count;
}
