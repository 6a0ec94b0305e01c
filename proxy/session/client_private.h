/* SPDX-License-Identifier: MPL-2.0 */
/* Who the client is, beside its password: what its certificate and a proxy in front say. Part
 * of session_private.h. */
#ifndef GATEPOST_PROXY_SESSION_CLIENT_PRIVATE_H
#define GATEPOST_PROXY_SESSION_CLIENT_PRIVATE_H

#include "lib/mail/facts.h"
#include "lib/net/tls_client_names.h"
#include "lib/smtp/xclient.h"
#include "proxy/auth/auth.h"
#include "proxy/session/session.h"

/* What a proxy in xclient_networks has said of its client (cmd_xclient.c). */
struct proxied_by {
	struct peer_address peer;	  /* the proxy */
	char name[XCLIENT_VALUE_MAX + 1]; /* "": not known */
	char helo[XCLIENT_VALUE_MAX + 1]; /* stands for what EHLO says; "": not told */
	struct arena arena;		  /* of the identity */
};

/*
 * client_certificate.c. _note - behind a handshake; false: the client must go. _mechanisms -
 * what AUTH offers. _check - of EXTERNAL: is the client, by its certificate, authorization
 * (empty: whoever it is)?
 */
MUST_CHECK bool client_certificate_note(struct session *s);
const char *client_certificate_mechanisms(const struct session *s);
MUST_CHECK enum auth_verdict client_certificate_check(
    struct session *s, struct view authorization, struct identity *identity, struct err *why);

/* cmd_xclient.c: when the client is known for the first time; when the session ends. */
void xclient_begin(struct session *s);
void xclient_end(struct session *s);
/* xclient_forget - STARTTLS: what a proxy, or somebody on the wire, has said in clear. */
void xclient_forget(struct session *s);

#endif
