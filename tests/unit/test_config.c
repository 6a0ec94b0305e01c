/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The configuration as a whole: what is accepted, each thing that is refused with its line, and
 * what is warned about.
 */
#include "proxy/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/config_fixture.h"

struct error_case {
	const char *name;
	struct parts parts;
	const char *error; /* behind the file's name */
};

/* Lines: 1 hostname, 2 tls, 3 listeners, 4 auth, 5 domains, 6 upstreams, 7 submission, 8 rest.
 */
static const struct error_case error_cases[] = {
	{ "a listener needs a numeric address",
	    { .listeners =
		    "listeners: ( { listen = \"localhost:587\"; role = \"submission\"; } );" },
	    ":3: listeners[0].listen: \"localhost:587\" is not a numeric address" },
	{ "a DNS server needs a numeric address",
	    { .rest = "dns: { servers = [ \"localhost:53\" ]; };" },
	    ":8: dns.servers[0]: \"localhost:53\" is not a numeric address with a port" },
	{ "a DNS server needs a port",
	    { .rest = "dns: { servers = [ \"[::1]:53\", \"192.0.2.1\" ]; };" },
	    ":8: dns.servers[1]: \"192.0.2.1\" needs a port" },
	{ "recursion and servers exclude each other",
	    { .rest = "dns: { servers = [ \"192.0.2.1:53\" ]; recursive = true; };" },
	    ":8: dns.recursive: means to ask no resolver, but servers names one" },
	{ "two listeners on one address",
	    { .listeners = "listeners: ( { listen = \"[::1]:587\"; role = \"submission\"; },\n"
			   "{ listen = \"[::1]:587\"; role = \"inbound\"; } );\n"
			   "inbound: { upstream = \"mta\"; };" },
	    ":4: listeners[1].listen: [::1]:587 is taken by listeners[0] already" },
	{ "no TLS away from loopback",
	    { .listeners =
		    "listeners: ( { listen = \"192.0.2.1:587\"; role = \"submission\"; tls = "
		    "\"none\"; } );" },
	    ":3: listeners[0].tls: \"none\" is for loopback" },
	{ "a word that is none of the choices, with the nearest one",
	    { .listeners =
		    "listeners: ( { listen = \"127.0.0.1:587\"; role = \"submission\"; tls = "
		    "\"startls\"; } );" },
	    ":3: listeners[0].tls: \"startls\" is not one of none, starttls, implicit (did you "
	    "mean "
	    "\"starttls\"?)" },
	{ "a balancer's network that is none",
	    { .listeners = "listeners: ( { listen = \"[::1]:587\"; role = \"submission\";\n"
			   "proxy_networks = [ \"10.0.0.0/8\", \"balancer.test\" ]; } );" },
	    ":3: listeners[0].proxy_networks[1]: \"balancer.test\" is not a network" },
	{ "no listeners", { .listeners = "listeners: ( );" }, ": listeners: is empty" },
	{ "TLS without a certificate", { .tls = "tls: { key = \"key.pem\"; };" },
	    ": tls.certificate: is missing" },
	{ "TLS without a key", { .tls = "tls: { certificate = \"cert.pem\"; };" },
	    ": tls.key: is missing" },
	{ "submission without anybody who knows the users", { .auth = "" },
	    ": auth.backends: is missing" },
	{ "a passwd backend without a file",
	    { .auth = "auth: { backends = ( { type = \"passwd\"; } ); };" },
	    ":4: auth.backends[0].file: is missing" },
	{ "a passwd backend with a server",
	    { .auth = "auth: { backends = ( { type = \"passwd\"; file = \"u\"; server = "
		      "\"a:25\"; } ); "
		      "};" },
	    ":4: auth.backends[0].server: does not belong to type = \"passwd\"" },
	{ "an upstream backend without a server",
	    { .auth = "auth: { backends = ( { type = \"upstream\"; } ); };" },
	    ":4: auth.backends[0].server: is missing" },
	{ "an upstream backend with a users file",
	    { .auth = "auth: { backends = ( { type = \"upstream\"; server = \"a:587\"; file = "
		      "\"u\"; } "
		      "); };" },
	    ":4: auth.backends[0].file: does not belong to type = \"upstream\"" },
	{ "an upstream backend without a port",
	    { .auth =
		    "auth: { backends = ( { type = \"upstream\"; server = \"mail\"; } ); };" },
	    ":4: auth.backends[0].server: \"mail\" needs a port" },
	{ "a domain that is none", { .domains = "domains: ( { name = \"exa mple.com\"; } );" },
	    ":5: domains[0].name: \"exa mple.com\" is not a domain name" },
	{ "a domain that is there twice, in other case",
	    { .domains =
		    "domains: ( { name = \"example.com\"; },\n{ name = \"Example.COM\"; } );" },
	    ":6: domains[1].name: \"Example.COM\" is domains[0] already" },
	{ "a selector that is there twice",
	    { .domains =
		    "domains: ( { name = \"example.com\"; dkim = (\n{ selector = \"a\"; key = "
		    "\"1\"; },\n{ selector = \"A\"; key = \"2\"; } ); } );" },
	    ":7: domains[0].dkim[1].selector: \"A\" is there twice" },
	{ "a selector that cannot stand in DNS",
	    { .domains =
		    "domains: ( { name = \"example.com\"; dkim = ( { selector = \"a b\"; key = "
		    "\"1\"; } ); } );" },
	    ":5: domains[0].dkim[0].selector: \"a b\" is not a name in DNS" },
	{ "an upstream without servers", { .upstreams = "upstreams: ( { name = \"mta\"; } );" },
	    ":6: upstreams[0].servers: is missing" },
	{ "a server that is none",
	    { .upstreams =
		    "upstreams: ( { name = \"mta\"; servers = \"mail example:25\"; } );" },
	    ":6: upstreams[0].servers[0]: \"mail example:25\" is not a host with a port" },
	{ "an upstream that is the gate itself",
	    { .upstreams = "upstreams: ( { name = \"mta\"; servers = \"127.0.0.1:587\"; } );" },
	    ":6: upstreams[0].servers[0]: 127.0.0.1:587 is one of the gate's own listeners" },
	{ "an upstream that is the gate itself, by the name of every machine",
	    { .upstreams = "upstreams: ( { name = \"mta\"; servers = \"LocalHost:587\"; } );" },
	    ":6: upstreams[0].servers[0]: LocalHost:587 is one of the gate's own listeners" },
	{ "an upstream that is the gate itself, by the port that is left out",
	    { .listeners =
		    "listeners: ( { listen = \"127.0.0.1:25\"; role = \"submission\"; } );",
		.upstreams = "upstreams: ( { name = \"mta\"; servers = \"127.0.0.1\"; } );" },
	    ":6: upstreams[0].servers[0]: 127.0.0.1 is one of the gate's own listeners" },
	{ "a backend that asks the gate itself",
	    { .auth =
		    "auth: { backends = ( { type = \"upstream\"; server = \"127.0.0.1:587\"; } "
		    "); };" },
	    ":4: auth.backends[0].server: 127.0.0.1:587 is one of the gate's own listeners" },
	{ "an upstream that is the gate itself, listening everywhere",
	    { .listeners = "listeners: ( { listen = \"[::]:587\"; role = \"submission\"; } );",
		.upstreams =
		    "upstreams: ( { name = \"mta\"; servers = \"127.0.0.1:587\"; } );" },
	    ":6: upstreams[0].servers[0]: 127.0.0.1:587 is one of the gate's own listeners" },
	{ "an egress address that is a name",
	    { .upstreams = "upstreams: ( { name = \"mta\"; servers = \"127.0.0.1:25\"; "
			   "egress = [ \"192.0.2.1\", \"mail.example.com\" ]; } );" },
	    ":6: upstreams[0].egress[1]: \"mail.example.com\" is not a numeric address" },
	{ "an egress address that nobody sees",
	    { .upstreams = "upstreams: ( { name = \"mta\"; servers = \"127.0.0.1:25\"; "
			   "egress = \"::1\"; } );" },
	    ":6: upstreams[0].egress[0]: ::1 is a loopback address" },
	{ "a Maildir from which mail leaves",
	    { .upstreams = "upstreams: ( { name = \"mta\"; type = \"maildir\"; "
			   "maildir = \"/m\"; egress = \"192.0.2.1\"; } );" },
	    ":6: upstreams[0].egress: does not belong to type = \"maildir\"" },
	{ "a login that would go out in clear",
	    { .upstreams = "upstreams: ( { name = \"mta\"; servers = \"mail.example.com:587\"; "
			   "login = "
			   "\"g\"; password_file = \"p\"; } );" },
	    ":6: upstreams[0].servers[0]: the login for mail.example.com:587 would go out "
	    "unprotected" },
	{ "a login without a password",
	    { .upstreams = "upstreams: ( { name = \"mta\"; servers = \"127.0.0.1:25\"; login = "
			   "\"g\"; } "
			   ");" },
	    ":6: upstreams[0]: has a login, but no password_file" },
	{ "a password without a login",
	    { .upstreams =
		    "upstreams: ( { name = \"mta\"; servers = \"127.0.0.1:25\"; password = "
		    "\"p\"; } );" },
	    ":6: upstreams[0]: has a password, but no login" },
	{ "two passwords",
	    { .upstreams =
		    "upstreams: ( { name = \"mta\"; servers = \"127.0.0.1:25\"; login = \"g\"; "
		    "password = \"p\"; password_file = \"f\"; } );" },
	    ":6: upstreams[0]: has both password and password_file" },
	{ "a Maildir without a folder",
	    { .upstreams = "upstreams: ( { name = \"mta\"; type = \"maildir\"; } );" },
	    ":6: upstreams[0].maildir: is missing" },
	{ "a Maildir with servers",
	    { .upstreams = "upstreams: ( { name = \"mta\"; type = \"maildir\"; maildir = "
			   "\"m\"; servers "
			   "= \"127.0.0.1:25\"; } );" },
	    ":6: upstreams[0].servers: does not belong to type = \"maildir\"" },
	{ "a server with a Maildir",
	    { .upstreams = "upstreams: ( { name = \"mta\"; servers = \"127.0.0.1:25\"; maildir "
			   "= \"m\"; "
			   "} );" },
	    ":6: upstreams[0].maildir: does not belong to type = \"smtp\"" },
	{ "XCLIENT's login from nowhere",
	    { .listeners = "listeners: ( { listen = \"127.0.0.1:587\"; role = "
			   "\"submission\"; xclient_login = true; } );" },
	    ":3: listeners[0].xclient_login: needs xclient_networks" },
	{ "XCLIENT's login on an inbound listener",
	    { .listeners = "listeners: ( { listen = \"127.0.0.1:587\"; role = \"submission\"; "
			   "},\n{ listen = \"127.0.0.1:26\"; role = \"inbound\"; "
			   "xclient_networks = \"127.0.0.1\"; xclient_login = true; } );\n"
			   "inbound: { upstream = \"mta\"; };" },
	    ":4: listeners[1].xclient_login: is for submission" },
	{ "a unix socket by SMTP",
	    { .upstreams = "upstreams: ( { name = \"mta\"; servers = \"unix:/run/x\"; } );" },
	    ":6: upstreams[0].servers[0]: a unix socket is for type = \"lmtp\"" },
	{ "a unix socket that is relative to nothing",
	    { .upstreams = "upstreams: ( { name = \"mta\"; type = \"lmtp\"; servers = "
			   "\"unix:run/x\"; } );" },
	    ":6: upstreams[0].servers[0]: the path must begin with /" },
	{ "TLS over a unix socket",
	    { .upstreams = "upstreams: ( { name = \"mta\"; type = \"lmtp\"; tls = "
			   "\"required\"; servers = \"unix:/run/x\"; } );" },
	    ":6: upstreams[0].servers[0]: there is no TLS over a unix socket" },
	{ "our own login, and XCLIENT",
	    { .upstreams = "upstreams: ( { name = \"mta\"; servers = \"127.0.0.1:25\"; "
			   "login = \"g\"; password = \"x\"; xclient = true; } );" },
	    ":6: upstreams[0]: has login and xclient" },
	{ "a certificate for servers without a key",
	    { .upstreams = "upstreams: ( { name = \"mta\"; servers = \"127.0.0.1:25\"; "
			   "certificate = \"/c\"; } );" },
	    ":6: upstreams[0].key: is missing" },
	{ "a key for servers without a certificate",
	    { .upstreams = "upstreams: ( { name = \"mta\"; servers = \"127.0.0.1:25\"; "
			   "key = \"/k\"; } );" },
	    ":6: upstreams[0].certificate: is missing" },
	{ "a certificate for servers that are spoken to in clear",
	    { .upstreams = "upstreams: ( { name = \"mta\"; servers = \"127.0.0.1:25\"; "
			   "tls = \"none\"; certificate = \"/c\"; key = \"/k\"; } );" },
	    ":6: upstreams[0]: has a certificate, but tls = \"none\"" },
	{ "two upstreams of one name",
	    { .upstreams =
		    "upstreams: ( { name = \"mta\"; servers = \"127.0.0.1:25\"; },\n{ name = "
		    "\"mta\"; servers = \"127.0.0.1:26\"; } );" },
	    ":7: upstreams[1]: the name \"mta\" is taken by upstreams[0] already" },
	{ "a role without a service", { .submission = "" }, ": submission: is missing" },
	{ "a service without an upstream",
	    { .submission = "submission: { chain = [ \"identity\" ]; };" },
	    ":7: submission.upstream: is missing" },
	{ "a service with an upstream that does not exist, with the nearest one",
	    { .submission = "submission: { upstream = \"mat\"; chain = [ \"identity\" ]; };" },
	    ":7: submission.upstream: there is no upstream \"mat\" (did you mean \"mta\"?)" },
	{ "a submission service without a chain",
	    { .submission = "submission: { upstream = \"mta\"; };" },
	    ":7: submission.chain: is missing" },
	{ "a link that does not exist, with the nearest one",
	    { .submission = "submission: { upstream = \"mta\"; chain = [ \"access\", "
			    "\"identiy\" ]; };" },
	    ":7: submission.chain[1]: there is no link \"identiy\" (did you mean "
	    "\"identity\"?)" },
	{ "a link that is there twice",
	    { .submission =
		    "submission: { upstream = \"mta\"; chain = [ \"identity\", \"identity\" ]; "
		    "};" },
	    ":7: submission.chain[1]: \"identity\" is in this chain already" },
	{ "identity where nobody logs in",
	    { .rest = "inbound: { upstream = \"mta\"; chain = [ \"identity\" ]; };" },
	    ":8: inbound.chain[0]: \"identity\" is about logins" },
	{ "a group of a link that has none with a name",
	    { .submission = "submission: { upstream = \"mta\"; chain = [ \"identity\", "
			    "\"access:a\" ]; };" },
	    ":7: submission.chain[1]: no group of \"access\" has name = \"a\": write access: ( "
	    "{ name = \"a\"; ... } )" },
	{ "a group of a link that is not among its groups",
	    { .submission = "submission: { upstream = \"mta\"; chain = [ \"identity\", "
			    "\"access:c\" ]; };",
		.rest = "access: ( { name = \"a\"; }, { name = \"b\"; } );" },
	    ":7: submission.chain[1]: no group of \"access\" has name = \"c\"; there is "
	    "\"access:a\", \"access:b\"" },
	{ "a link of several groups without a name",
	    { .submission = "submission: { upstream = \"mta\"; chain = [ \"identity\", "
			    "\"access\" ]; };",
		.rest = "access: ( { name = \"a\"; }, { name = \"b\"; } );" },
	    ":7: submission.chain[1]: every group of \"access\" has a name: which one is it? "
	    "\"access:a\", \"access:b\"" },
	{ "a group that is there twice",
	    { .submission = "submission: { upstream = \"mta\"; chain = [ \"identity\", "
			    "\"access:a\", \"access:b\", \"access:a\" ]; };",
		.rest = "access: ( { name = \"a\"; }, { name = \"b\"; } );" },
	    ":7: submission.chain[3]: \"access:a\" is in this chain already" },
	{ "an empty name of a group",
	    { .submission = "submission: { upstream = \"mta\"; chain = [ \"identity\", "
			    "\"access:\" ]; };",
		.rest = "access: ( { name = \"a\"; }, { name = \"b\"; } );" },
	    ":7: submission.chain[1]: no group of \"access\" has name = \"\"; there is" },
	{ "two groups of one name",
	    { .rest = "access: ( { name = \"a\"; },\n { name = \"a\"; } );" },
	    ":9: access[1].name: \"a\" is the name of access[0] already" },
	{ "two groups without a name", { .rest = "access: ( { },\n { } );" },
	    ":9: access[1].name: is missing, as it is in access[0]" },
	{ "a name that is none", { .rest = "access: ( { name = \"a b\"; } );" },
	    ":8: access[0].name: must be 1 to 32 letters" },
	{ "a list of no groups", { .rest = "access: ( );" },
	    ":8: access: is a list without a group" },
	{ "an error in the second group",
	    { .rest = "access: ( { name = \"a\"; },\n { alow = 1; } );" },
	    ":9: access[1].alow: " },
	{ "a group of a link that does not exist", { .rest = "identiy: { reply_to = true; };" },
	    ":8: identiy: " },
	{ "a setting that a link does not have", { .rest = "identity: { replyto = true; };" },
	    ":8: identity.replyto: " },
	{ "metrics on an address that is none", { .rest = "metrics: { listen = \"9125\"; };" },
	    ":8: metrics.listen: \"9125\" needs a port" },
	{ "metrics for everybody", { .rest = "metrics: { listen = \"*:9125\"; };" },
	    ":8: metrics.listen: *:9125 is not a loopback address" },
	{ "metrics where clients connect",
	    { .rest = "metrics: { listen = \"127.0.0.1:587\"; };" },
	    ":8: metrics.listen: 127.0.0.1:587 is taken by listeners[0] already" },
	{ "fewer commands than recipients", { .rest = "limits: { commands = 1000; };" },
	    ": limits.commands: must be over limits.recipients (1000)" },
	{ "the longest delay is shorter than the first",
	    { .auth = "auth: { backends = ( { type = \"passwd\"; file = \"users\"; } ); "
		      "penalties: { delay = \"9s\"; max_delay = \"8s\"; }; };" },
	    ": auth.penalties.max_delay: is shorter than delay" },
	{ "guesses at one login that block the whole address",
	    { .auth = "auth: { backends = ( { type = \"passwd\"; file = \"users\"; } ); "
		      "penalties: { login_guesses = 51; }; };" },
	    ": auth.penalties.address_guesses: must not be under login_guesses (51)" },
	{ "reports from something that is no address",
	    { .rest = "dmarc_reports: { from = \"reports\"; };" },
	    ":8: dmarc_reports.from: \"reports\" is not a plain mail address" },
	{ "reports from an address within a literal",
	    { .rest = "dmarc_reports: { from = \"reports@[192.0.2.1]\"; };" },
	    ":8: dmarc_reports.from: " },
	{ "reports by an upstream that does not exist",
	    { .rest = "dmarc_reports: { upstream = \"mat\"; };" },
	    ":8: dmarc_reports.upstream: there is no upstream \"mat\"" },
	{ "records kept for less than the retries last",
	    { .rest = "dmarc_reports: { keep = \"3d\"; };" }, ":8: dmarc_reports.keep: " },
};

static void
test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(error_cases); i++) {
		struct conf_errors errors;
		struct loaded_config *c;

		conf_errors_init(&errors);
		c = load_parts(&error_cases[i].parts, &errors);
		if (c != NULL || errors.count != 1) {
			for (size_t j = 0; j < errors.count; j++)
				print_error("%s\n", errors.lines[j]);
			fail_msg("%s: %zu errors", error_cases[i].name, errors.count);
		}
		if (strstr(errors.lines[0], error_cases[i].error) == NULL)
			fail_msg("%s: %s", error_cases[i].name, errors.lines[0]);
		conf_errors_finish(&errors);
	}
}

static void
test_all_errors_come_at_once(void **state)
{
	const struct parts parts = {
		.listeners =
		    "listeners: ( { listen = \"127.0.0.1:587\"; role = \"submision\"; },\n"
		    "{ listen = \"192.0.2.1\"; role = \"submission\"; } );",
		.upstreams =
		    "upstreams: ( { name = \"mta\"; servers = \"127.0.0.1:25\"; idle = \"1\"; "
		    "} );",
		.submission =
		    "submission: { upstream = \"mta\"; chain = [ \"identiy\", \"acess\" ]; };",
		.rest = "hop_limit: { max = 0; };",
	};
	struct conf_errors errors;

	(void)state;
	conf_errors_init(&errors);
	assert_null(load_parts(&parts, &errors));
	assert_int_equal(errors.count, 6);
	conf_errors_finish(&errors);
}

static void
test_a_good_file_is_as_written(void **state)
{
	const struct parts parts = {
		.submission =
		    "submission: { upstream = \"mta\"; chain = [ \"hop_limit\", \"identity\", "
		    "\"dkim_sign\" ]; received_client = false; };",
		.rest = "identity: { mode = \"shadow\"; timeout = \"2s\"; };\n"
			"dkim_sign: { on_error = \"pass\"; };\n"
			"limits: { message = \"25M\"; recipients = 200; };",
	};
	struct conf_errors errors;
	struct loaded_config *c;
	const struct chain_entry *chain;
	const struct config_listener *listener;

	(void)state;
	conf_errors_init(&errors);
	c = load_parts(&parts, &errors);
	if (c == NULL)
		fail_msg("%s", errors.lines[0]);
	listener = c->config.listeners.items;
	assert_int_equal(listener->role, ROLE_SUBMISSION);
	assert_int_equal(listener->tls, LISTENER_TLS_STARTTLS);
	assert_int_equal(c->config.limits.message_octets, 25 << 20);
	assert_int_equal(c->config.limits.memory_octets, 256 << 10);
	assert_int_equal(c->config.limits.recipients, 200);
	assert_int_equal(c->config.limits.command_ms, 300000);
	assert_false(c->config.submission.received_client);
	assert_true(c->config.inbound.received_client);
	assert_int_equal(c->inbound_count, 0);
	assert_int_equal(c->submission_count, 3);
	chain = c->submission_chain;
	assert_string_equal(chain[0].link->name, "hop_limit");
	assert_int_equal(chain[0].mode, MODE_ENFORCE);
	assert_int_equal(chain[0].timeout_ms, 30000);
	assert_string_equal(chain[1].link->name, "identity");
	assert_int_equal(chain[1].mode, MODE_SHADOW);
	assert_int_equal(chain[1].timeout_ms, 2000);
	assert_int_equal(chain[1].where.line, 8);
	assert_int_equal(chain[2].on_error, ON_ERROR_PASS);
	config_unload(&c);
	assert_null(c);
	conf_errors_finish(&errors);
}

struct warning_case {
	const char *name;
	struct parts parts;
	const char *warning; /* NULL: none */
};

static const struct warning_case warning_cases[] = {
	{ "nothing is warned about without a reason", { 0 }, NULL },
	{ "a pre-flight before the signature, with egress",
	    { .upstreams = "upstreams: ( { name = \"mta\"; servers = \"127.0.0.1:25\"; "
			   "egress = \"192.0.2.1\"; } );",
		.submission = "submission: { upstream = \"mta\"; chain = "
			      "[ \"identity\", \"preflight\", \"dkim_sign\" ]; };" },
	    "\"preflight\" stands before \"dkim_sign\"" },
	{ "a pre-flight behind the signature, without egress",
	    { .submission = "submission: { upstream = \"mta\"; chain = "
			    "[ \"identity\", \"dkim_sign\", \"preflight\" ]; };" },
	    "cannot judge SPF" },
	{ "hop_limit behind dkim_sign changes nothing",
	    { .submission =
		    "submission: { upstream = \"mta\"; chain = [ \"identity\", \"dkim_sign\", "
		    "\"hop_limit\" ]; };" },
	    NULL },
	{ "nobody can log in without TLS",
	    { .listeners =
		    "listeners: ( { listen = \"127.0.0.1:587\"; role = \"submission\"; tls = "
		    "\"none\"; } );" },
	    ":3: listeners[0]: nobody can log in here" },
	{ "a network of balancers that holds everybody",
	    { .listeners = "listeners: ( { listen = \"[::1]:587\"; role = \"submission\"; "
			   "proxy_networks = [ \"10.0.0.0/8\", \"::/0\" ]; } );" },
	    ":3: listeners[0]: proxy_networks has \"::/0\"" },
	{ "a submission chain without identity",
	    { .submission = "submission: { upstream = \"mta\"; chain = [ \"dkim_sign\" ]; };" },
	    ":7: submission.chain: has no \"identity\"" },
	{ "identity as a shadow", { .rest = "identity: { mode = \"shadow\"; };" },
	    ":8: identity.mode: is \"shadow\"" },
	{ "keys that sign nothing",
	    { .submission = "submission: { upstream = \"mta\"; chain = [ \"identity\" ]; };" },
	    ":7: submission.chain: has no \"dkim_sign\"" },
	{ "nothing to sign with", { .domains = "" },
	    ":7: submission.chain: has \"dkim_sign\", but no domain has a DKIM key" },
	{ "a change behind the signature",
	    { .submission =
		    "submission: { upstream = \"mta\"; chain = [ \"identity\", \"dkim_sign\", "
		    "\"fix_headers\" ]; };" },
	    ":7: submission.chain: \"fix_headers\" stands behind \"dkim_sign\"" },
	{ "a result that comes too late for the field",
	    { .submission = "submission: { upstream = \"mta\"; chain = [ \"identity\", "
			    "\"auth_results\", "
			    "\"arc\", \"dkim_sign\" ]; };" },
	    ":7: submission.chain: \"arc\" stands behind \"auth_results\"" },
	{ "seals that come too late for DMARC",
	    { .submission =
		    "submission: { upstream = \"mta\"; chain = [ \"identity\", \"spf\", "
		    "\"dkim_verify\", \"dmarc\", \"arc\" ]; };",
		.domains = "" },
	    ":7: submission.chain: \"arc\" stands behind \"dmarc\"" },
	{ "auth_results as a shadow",
	    { .submission = "submission: { upstream = \"mta\"; chain = [ \"identity\", "
			    "\"auth_results\", "
			    "\"dkim_sign\" ]; };",
		.rest = "auth_results: { mode = \"shadow\"; };" },
	    ":8: auth_results.mode: is \"shadow\"" },
	{ "dmarc without anything to judge by",
	    { .submission = "submission: { upstream = \"mta\"; chain = [ \"identity\", "
			    "\"dmarc\", \"dkim_sign\" ]; };" },
	    ":7: submission.chain: \"dmarc\" has no \"spf\" and no \"dkim_verify\" before it" },
	{ "dmarc behind a shadow",
	    { .submission = "submission: { upstream = \"mta\"; chain = [ \"identity\", "
			    "\"spf\", \"dkim_verify\", \"dmarc\", \"dkim_sign\" ]; };",
		.rest = "spf: { mode = \"shadow\"; };" },
	    ":7: submission.chain: \"dmarc\" has no \"spf\" before it that counts" },
	{ "a record of what nobody finds out",
	    { .rest = "dmarc_reports: { store = true; from = \"r@example.com\"; };" },
	    ":8: dmarc_reports.store: is on, but inbound.chain has no \"dmarc\"" },
};

static void
test_warnings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(warning_cases); i++) {
		const struct warning_case *w = &warning_cases[i];
		struct conf_errors errors, warnings;
		struct loaded_config *c;

		conf_errors_init(&errors);
		conf_errors_init(&warnings);
		c = load_parts(&w->parts, &errors);
		if (c == NULL)
			fail_msg("%s: %s", w->name, errors.lines[0]);
		config_warn(c, &warnings);
		if (warnings.count != (w->warning != NULL ? 1 : 0))
			fail_msg("%s: %zu warnings", w->name, warnings.count);
		if (w->warning != NULL && strstr(warnings.lines[0], w->warning) == NULL)
			fail_msg("%s: %s", w->name, warnings.lines[0]);
		config_unload(&c);
		conf_errors_finish(&warnings);
		conf_errors_finish(&errors);
	}
}

static void
test_a_role_that_no_listener_has_needs_no_service(void **state)
{
	const struct parts parts = {
		.listeners =
		    "listeners: ( { listen = \"127.0.0.1:25\"; role = \"inbound\"; } );",
		.auth = "",
		.upstreams =
		    "upstreams: ( { name = \"mta\"; servers = [ \"127.0.0.1:10025\" ]; } );",
		.submission = "inbound: { upstream = \"mta\"; chain = [ ]; };",
	};
	struct conf_errors errors;
	struct loaded_config *c;

	(void)state;
	conf_errors_init(&errors);
	c = load_parts(&parts, &errors);
	if (c == NULL)
		fail_msg("%s", errors.lines[0]);
	assert_null(c->config.submission.upstream);
	config_unload(&c);
	conf_errors_finish(&errors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_all_errors_come_at_once),
		cmocka_unit_test(test_a_good_file_is_as_written),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_a_role_that_no_listener_has_needs_no_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
