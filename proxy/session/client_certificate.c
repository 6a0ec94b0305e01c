/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a client's certificate says of it: nothing, unless OpenSSL has verified it against the
 * listener's own authorities. Its names are candidates for the login of EXTERNAL, no login by
 * themselves: a backend must know it. RFC 4422 appendix A, RFC 4954 4.
 */
#include "proxy/session/session_private.h"

#include "lib/base/log.h"

#include <openssl/err.h>

/* A ticket brings a certificate back that was verified some hours ago: is it in force still? */
static long
verdict_of(const struct session *s, const X509 *certificate)
{
	const long verdict = SSL_get_verify_result(s->ssl);

	if (verdict == X509_V_OK && SSL_session_reused(s->ssl) &&
	    X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
		return X509_V_ERR_CERT_HAS_EXPIRED;
	return verdict;
}

bool
client_certificate_note(struct session *s)
{
	const bool is_required =
	    s->listener->config->client_certificates == CLIENT_CERTIFICATES_REQUIRED;
	const X509 *certificate = SSL_get0_peer_certificate(s->ssl);
	char subject[256] = "";
	long verdict;

	s->name_count = 0;
	if (certificate == NULL)
		return !is_required;
	verdict = verdict_of(s, certificate);
	(void)X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof(subject));
	log_event(LEVEL_INFO, "tls.client", LOG_STR("id", s->facts.session_id),
	    LOG_STR("client", s->facts.client.text), LOG_STR("subject", subject),
	    LOG_STR("result",
		verdict == X509_V_OK ? "verified" : X509_verify_cert_error_string(verdict)));
	if (verdict != X509_V_OK)
		return !is_required;
	s->name_count = tls_client_names(certificate, &s->arena, s->names);
	ERR_clear_error();
	return true;
}

const char *
client_certificate_mechanisms(const struct session *s)
{
	return s->name_count > 0 ? mech_names_with_external : mech_names;
}

/* wanted - is it one that the client asks for? Without a word it asks for any. */
static bool
is_wanted(const char *name, struct view authorization)
{
	return authorization.len == 0 || view_eq_nocase(view_of(name), authorization);
}

enum auth_verdict
client_certificate_check(
    struct session *s, struct view authorization, struct identity *identity, struct err *why)
{
	bool is_named = false;

	for (size_t i = 0; i < s->name_count; i++) {
		if (!is_wanted(s->names[i], authorization))
			continue;
		is_named = true;
		if (auth_vouch(
			s->snapshot->authenticator, view_of(s->names[i]), &s->arena, identity))
			return AUTH_ACCEPTED;
	}
	*identity = (struct identity){ .login = NULL };
	err_set(why, ERR_REFUSED, "%s",
	    is_named ? "no backend knows a name of the certificate as a login that is open"
		     : "the certificate does not have that name");
	return AUTH_REFUSED;
}
