/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The groups of the configuration that are about connections: those that clients make to us,
 * and those that we make to servers. Part of config.h.
 */
#ifndef GATEPOST_PROXY_CONFIG_PEERS_H
#define GATEPOST_PROXY_CONFIG_PEERS_H

#include "lib/base/conf.h"

enum listener_tls { LISTENER_TLS_NONE, LISTENER_TLS_STARTTLS, LISTENER_TLS_IMPLICIT };
enum client_certificates {
	CLIENT_CERTIFICATES_NONE,
	CLIENT_CERTIFICATES_OPTIONAL,
	CLIENT_CERTIFICATES_REQUIRED,
};
enum upstream_type { UPSTREAM_SMTP, UPSTREAM_LMTP, UPSTREAM_MAILDIR };
enum upstream_tls {
	UPSTREAM_TLS_NONE,
	UPSTREAM_TLS_OPPORTUNISTIC,
	UPSTREAM_TLS_REQUIRED,
	UPSTREAM_TLS_DANE,
};

/* upstream_tls_is_verified - the server is who it should be, or there is no mail. */
static inline bool
upstream_tls_is_verified(enum upstream_tls tls)
{
	return tls == UPSTREAM_TLS_REQUIRED || tls == UPSTREAM_TLS_DANE;
}

struct config_certificate {
	struct conf_where where;
	const char *certificate, *key; /* PEM files */
};

struct config_tls {
	const char *certificate, *key; /* PEM files */
	struct conf_list certificates; /* struct config_certificate: further ones, by SNI */
	int min_version;	       /* TLS1_2_VERSION, TLS1_3_VERSION */
};

struct config_listener {
	struct conf_where where;
	const char *listen;	 /* "[::]:587" */
	int role;		 /* enum gate_role */
	int tls;		 /* enum listener_tls */
	bool insecure;		 /* allows tls = none away from loopback */
	int client_certificates; /* enum client_certificates */
	const char *client_ca_file;
	struct conf_strings proxy_networks;   /* of balancers, which send a PROXY header */
	struct conf_strings xclient_networks; /* of proxies, which may say XCLIENT */
	bool xclient_login;		      /* and who the client has proven to be */
};

struct config_upstream {
	struct conf_where where;
	const char *name;
	int type;		     /* enum upstream_type */
	struct conf_strings servers; /* smtp: host:port, in order of preference */
	int tls;		     /* enum upstream_tls */
	const char *tls_name;	     /* name in the certificate; default: each server's host */
	const char *ca_file;
	const char *certificate,
	    *key;		      /* PEM files: the gate's own, shown to servers that ask */
	const char *login, *password; /* smtp AUTH; password is CONF_SECRET */
	const char *password_file;    /* first line; instead of password */
	const char *helo;	      /* default: hostname */
	bool xclient;		      /* who our client is, is told to servers that offer it */
	const char *maildir;	      /* maildir: the folder */
	int64_t connect_timeout_ms;   /* for each server */
	int64_t command_timeout_ms;   /* for each reply but the final one */
	int64_t final_timeout_ms;     /* for the reply to the final dot */
	int64_t idle_ms;	      /* a warm connection is closed after */
	int64_t max_idle;	      /* warm connections kept */
	int64_t max_connections;      /* in all; 0: no limit */
	struct conf_strings egress;   /* smtp: addresses from which its mail leaves */
};

/* config_is_unix_server - "unix:PATH" instead of "host:port". */
bool config_is_unix_server(const char *server);

#endif
