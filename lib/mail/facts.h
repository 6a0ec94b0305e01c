/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Facts: what is known about a session and its transaction, as values. Links, the upstream side
 * and the log read them; only the session writes them. No sockets, no credentials.
 */
#ifndef GATEPOST_MAIL_FACTS_H
#define GATEPOST_MAIL_FACTS_H

#include "lib/smtp/command.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum gate_role { ROLE_SUBMISSION, ROLE_INBOUND };

struct peer_address {
	struct sockaddr_storage addr; /* IPv4-mapped IPv6 is folded to IPv4 */
	char text[INET6_ADDRSTRLEN];  /* address without port */
	uint16_t port;
};

struct tls_facts {
	bool on;
	const char *version; /* "TLSv1.3" (static) */
	const char *cipher;  /* "TLS_AES_256_GCM_SHA384" (static) */
	int bits;	     /* of the cipher's key */
};

struct identity {
	const char *login;     /* NULL: nobody has authenticated */
	const char *mechanism; /* "PLAIN" (static) */
	const char *backend;   /* "passwd" (static or of the configuration) */
	/* What the login may send as: addresses, *@domain, "<>" for the null reverse-path. */
	const char *const *patterns;
	size_t pattern_count;
};

struct recipient {
	struct smtp_path path; /* views into the transaction's arena */
	const char *address;   /* path as text */
	struct smtp_dsn dsn;   /* views as above */
};

struct facts {
	/* of the session */
	const char *session_id; /* "a3f09c2e5b71" */
	const char *hostname;	/* ours */
	const char *listener;	/* "[::]:587" */
	enum gate_role role;
	struct peer_address client;
	const char *via; /* who named the client (PROXY protocol, XCLIENT); "": nobody */
	const char *client_name; /* host name, as XCLIENT tells it; "" or NULL: not known */
	const char *helo;	 /* as given, "" before it */
	bool is_esmtp;		 /* EHLO, not HELO */
	struct tls_facts tls;
	struct identity identity;
	/* of the transaction */
	const char
	    *message_id; /* the transaction's own id: "a3f09c2e5b71.1"; "" outside of one */
	struct smtp_mail mail;
	const char *reverse_path; /* as text, "" for <> */
	const struct recipient *recipients;
	size_t recipient_count;
	int64_t received_at; /* seconds since 1970: MAIL */
};

#endif
