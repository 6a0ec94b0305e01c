/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For unit tests of the configuration: a file that works, of which a case replaces one part or
 * another. Include behind cmocka.h.
 */
#ifndef GATEPOST_TESTS_CONFIG_FIXTURE_H
#define GATEPOST_TESTS_CONFIG_FIXTURE_H

#include "proxy/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The parts of a file, one to a line or more; NULL stands for the working one below. */
struct parts {
	const char *tls, *listeners, *auth, *domains, *upstreams, *submission, *rest;
};

static const struct parts good = {
	.tls = "tls: { certificate = \"cert.pem\"; key = \"key.pem\"; };",
	.listeners = "listeners: ( { listen = \"127.0.0.1:587\"; role = \"submission\"; } );",
	.auth = "auth: { backends = ( { type = \"passwd\"; file = \"users\"; } ); };",
	.domains = "domains: ( { name = \"example.com\"; dkim = "
		   "( { selector = \"s1\"; key = \"s1.pem\"; } ); } );",
	.upstreams = "upstreams: ( { name = \"mta\"; servers = [ \"127.0.0.1:25\" ]; } );",
	.submission =
	    "submission: { upstream = \"mta\"; chain = [ \"identity\", \"dkim_sign\" ]; };",
	.rest = "",
};

static inline struct loaded_config *
load_parts(const struct parts *p, struct conf_errors *errors)
{
	char path[] = "/tmp/gatepost-test-XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");
	struct loaded_config *c;

	assert_non_null(file);
	fprintf(file, "hostname = \"mail.example.com\";\n%s\n%s\n%s\n%s\n%s\n%s\n%s\n",
	    p->tls != NULL ? p->tls : good.tls,
	    p->listeners != NULL ? p->listeners : good.listeners,
	    p->auth != NULL ? p->auth : good.auth,
	    p->domains != NULL ? p->domains : good.domains,
	    p->upstreams != NULL ? p->upstreams : good.upstreams,
	    p->submission != NULL ? p->submission : good.submission,
	    p->rest != NULL ? p->rest : good.rest);
	assert_int_equal(fclose(file), 0);
	c = config_load(path, errors);
	unlink(path);
	return c;
}

#endif
