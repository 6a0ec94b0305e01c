/* SPDX-License-Identifier: MPL-2.0 */
/*
 * SPF: libspf2 as the judge of records that hold nothing hostile. The library's hooks are
 * filled with our own: get_spf finds, checks and rewrites a record, lookup answers for a term.
 *
 * A rewritten record has the terms that can still matter to this client, in their order:
 *
 *	all			stays
 *	ip4, ip6		stays if it matches (with /0: becomes all), else is left out
 *	a, mx, ptr, exists	exists:tT.rR, of term T of record R: lookup finds out
 *	include, redirect	of tT.rR: get_spf finds the record; redirect comes last
 *
 * and ends where a term surely matches, or where the budget of DNS look-ups is surely over. So
 * the library decides what the order, the qualifiers, the includes and the redirects make of
 * it; addresses, budgets, macros, time are ours. Where the library is known to be wrong it does
 * not come to that: a/0, ip4:x/0, its own counter of look-ups (begun anew at each include), PTR
 * trouble, more than 511 octets of compiled terms, client addresses of this machine.
 */
#include "lib/base/mem.h"
#include "lib/domain/judge.h"
#include "lib/domain/spf_private.h"

#include "lib/mail/domain_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <errno.h>
#include <pthread.h>

#include <netinet/in.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <spf2/spf.h>

#define LIBRARY_RECORD_MAX 2048
#define FIRST_NAME	   "first.record" /* of the record that the evaluation begins with */

/* In place of a client address of this machine, which the library would let pass unseen. */
#define STAND_IN_V4 "192.0.2.1"
#define STAND_IN_V6 "2001:db8::1"

/* ---- the library's voice ---- */

NORETURN static void
on_library_error(const char *file UNUSED, int line UNUSED, const char *text)
{
	if (errno == ENOMEM)
		mem_run_out();
	BUG("libspf2: %s", text);
}

static void
on_library_talk(const char *file UNUSED, int line UNUSED, const char *text UNUSED)
{
}

static void
silence_library(void)
{
	SPF_error_handler = on_library_error;
	SPF_warning_handler = on_library_talk;
	SPF_info_handler = on_library_talk;
	SPF_debug_handler = on_library_talk;
}

/* ---- records ---- */

/* The one SPF record among the TXT records of domain; an empty view: the evaluation has ended.
 */
static struct view
find_record(struct spf_run *run, const char *domain)
{
	struct view found = view_make("", 0);
	struct dns_answer answer;
	size_t count = 0;

	spf_ask(run, domain, DNS_TXT, &answer);
	if (answer.status == DNS_TEMPFAIL)
		spf_stop_dns(run, domain, DNS_TXT, &answer);
	for (size_t i = 0; i < answer.count; i++) {
		if (spf_record_is_one(answer.records[i].data)) {
			found = answer.records[i].data;
			count++;
		}
	}
	if (count == 0 && run->frame_count == 0)
		spf_stop(run, AUTHRES_NONE, "%s", "");
	else if (count == 0)
		spf_stop(run, AUTHRES_PERMERROR,
		    "%s has no SPF record, though another one refers to it", domain);
	else if (count > 1)
		spf_stop(run, AUTHRES_PERMERROR, "%s has %zu SPF records", domain, count);
	return found;
}

/* A new frame with the record of domain. NULL: the evaluation has ended. */
static struct spf_frame *
load_record(struct spf_run *run, const char *domain, bool is_top)
{
	struct spf_frame *frame = &run->frames[run->frame_count];
	struct view text = find_record(run, domain);
	char why[SPF_WHY_MAX];

	if (run->is_stopped)
		return NULL;
	*frame = (struct spf_frame){ .domain = domain, .is_top = is_top };
	if (!spf_record_parse(text, run->arena, &frame->record, why)) {
		spf_stop(run, AUTHRES_PERMERROR, "in the record of %s: %s", domain, why);
		return NULL;
	}
	if (is_top)
		run->top = run->frame_count;
	run->frame_count++;
	return frame;
}

/* ---- the record that the library gets ---- */

struct rewriter {
	struct spf_run *run;
	size_t frame; /* index */
	struct buf text;
	bool is_full;
	unsigned mechanisms; /* written, redirect among them */
	unsigned dns_terms;  /* that the budget surely lets through */
};

static void rewrite_add(struct rewriter *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
rewrite_add(struct rewriter *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	r->is_full = r->is_full || !buf_vprintf(&r->text, fmt, ap);
	va_end(ap);
	r->mechanisms++;
}

/* False: nothing behind this term can matter. */
static bool
rewrite_network(struct rewriter *r, const struct spf_term *term)
{
	const char *name = term->kind == SPF_IP4 ? "ip4" : "ip6";
	char address[INET6_ADDRSTRLEN];

	if (!network_has(&term->network, &r->run->client))
		return true;
	if (term->network.prefix == 0 || address_is_loopback(&r->run->client)) {
		rewrite_add(r, " %call", term->qualifier);
		return false;
	}
	if (inet_ntop(term->network.family, term->network.octets, address, sizeof(address)) ==
	    NULL)
		BUG("an address without a text");
	rewrite_add(r, " %c%s:%s/%u", term->qualifier, name, address, term->network.prefix);
	return false;
}

static bool
rewrite_dns_term(struct rewriter *r, const struct spf_term *term, size_t index)
{
	const bool is_include = term->kind == SPF_INCLUDE;

	rewrite_add(r, " %c%s:t%zu.r%zu", term->qualifier, is_include ? "include" : "exists",
	    index, r->frame);
	/* Never matches: asked for when the include did not match, see matched_term. */
	if (is_include && r->run->frames[r->frame].is_top)
		rewrite_add(r, " ?exists:e%zu.r%zu", index, r->frame);
	return r->run->out->terms + r->dns_terms++ < SPF_TERMS_MAX;
}

static void
rewrite(struct rewriter *r)
{
	const struct spf_record *record = &r->run->frames[r->frame].record;
	bool go_on = true;

	r->is_full = !buf_add_str(&r->text, "v=spf1");
	for (size_t i = 0; i < record->count && go_on; i++) {
		const struct spf_term *term = &record->terms[i];

		switch (term->kind) {
		case SPF_ALL:
			rewrite_add(r, " %call", term->qualifier);
			go_on = false;
			break;
		case SPF_IP4:
		case SPF_IP6:
			go_on = rewrite_network(r, term);
			break;
		default:
			go_on = rewrite_dns_term(r, term, i);
		}
	}
	if (go_on && record->redirect.len > 0)
		rewrite_add(r, " redirect=t%zu.r%zu", record->count, r->frame);
	if (r->is_full || !buf_add_char(&r->text, '\0'))
		BUG("a rewritten record does not fit");
}

/* ---- the library's hooks ---- */

/* "t3.r1": term 3 of record 1. False: it is none of ours. */
static bool
parse_name(const struct spf_run *run, const char *name, char *kind, size_t *term, size_t *frame)
{
	struct view rest = view_of(name), first;
	uint64_t t, f;

	if (!view_split(&rest, '.', &first) || first.len < 2 || rest.len < 2 ||
	    rest.p[0] != 'r' || !view_to_u64(view_from(first, 1), &t) ||
	    !view_to_u64(view_from(rest, 1), &f) || f >= run->frame_count ||
	    t > run->frames[f].record.count)
		return false;
	*kind = first.p[0];
	*term = t;
	*frame = f;
	return true;
}

static SPF_dns_rr_t *
on_lookup(SPF_dns_server_t *dns, const char *name, ns_type type, int should_cache UNUSED)
{
	struct spf_run *run = dns->hook;
	size_t term, frame;
	bool matches = false;
	SPF_dns_rr_t *rr;
	char kind;

	if (type == ns_t_a && parse_name(run, name, &kind, &term, &frame)) {
		struct spf_frame *f = &run->frames[frame];

		if (kind == 't' && term < f->record.count)
			matches = spf_term_matches(run, f, &f->record.terms[term]);
		f->reached = kind == 't' ? term : term + 1;
		f->is_matched = matches;
	}
	rr = SPF_dns_rr_new_init(dns, name, type, 0,
	    run->is_stopped ? TRY_AGAIN
	    : matches	    ? NETDB_SUCCESS
			    : HOST_NOT_FOUND);
	if (rr == NULL)
		mem_run_out();
	if (matches && SPF_dns_rr_buf_realloc(rr, 0, sizeof(rr->rr[0]->a)) == SPF_E_SUCCESS) {
		rr->rr[0]->a.s_addr = htonl(INADDR_LOOPBACK);
		rr->num_rr = 1;
	}
	return rr;
}

/* The frame that the library wants by that name; NULL: the evaluation has ended. */
static struct spf_frame *
enter_frame(struct spf_run *run, const char *name)
{
	const char *target;
	size_t term, frame;
	struct view spec;
	char kind;
	bool is_redirect;

	if (strcmp(name, FIRST_NAME) == 0)
		return load_record(run, run->out->domain, true);
	if (!parse_name(run, name, &kind, &term, &frame)) {
		spf_stop(run, AUTHRES_PERMERROR, "libspf2 asked for \"%s\"", name);
		return NULL;
	}
	struct spf_frame *from = &run->frames[frame];
	is_redirect = term == from->record.count;
	spec = is_redirect ? from->record.redirect : from->record.terms[term].domain;
	from->reached = term;
	from->is_matched = !is_redirect; /* until the name behind it is asked for */
	if (!spf_count_term(run))
		return NULL;
	target = spf_target(run, from, spec);
	return target != NULL ? load_record(run, target, is_redirect && from->is_top) : NULL;
}

static SPF_errcode_t
on_get_spf(SPF_server_t *server, SPF_request_t *request, SPF_response_t *response,
    SPF_record_t **record_out)
{
	struct spf_run *run = server->resolver->hook;
	struct spf_frame *frame = enter_frame(run, request->cur_dom);
	SPF_errcode_t code;

	*record_out = NULL;
	if (frame == NULL)
		return run->verdict == AUTHRES_TEMPERROR ? SPF_E_DNS_ERROR : SPF_E_NOT_SPF;
	struct rewriter r = { .run = run, .frame = (size_t)(frame - run->frames) };

	buf_init(&r.text, LIBRARY_RECORD_MAX);
	rewrite(&r);
	code = SPF_record_compile(server, response, record_out, r.text.p);
	/* What does not fit it leaves out, and says nothing. */
	if (code == SPF_E_SUCCESS && (*record_out)->num_mech != r.mechanisms)
		code = SPF_E_BIG_MECH;
	if (code != SPF_E_SUCCESS)
		spf_stop(run, AUTHRES_TEMPERROR, "libspf2 did not take \"%s\": %s", r.text.p,
		    SPF_strerror(code));
	buf_finish(&r.text);
	return code;
}

/* ---- asking the library ---- */

static void
set_client(SPF_request_t *request, const struct sockaddr_storage *client)
{
	const bool is_stand_in = address_is_loopback(client);
	SPF_errcode_t code;

	if (client->ss_family == AF_INET)
		code = is_stand_in ? SPF_request_set_ipv4_str(request, STAND_IN_V4)
				   : SPF_request_set_ipv4(request,
					 ((const struct sockaddr_in *)client)->sin_addr);
	else
		code = is_stand_in ? SPF_request_set_ipv6_str(request, STAND_IN_V6)
				   : SPF_request_set_ipv6(request,
					 ((const struct sockaddr_in6 *)client)->sin6_addr);
	if (code != SPF_E_SUCCESS)
		BUG("libspf2 refuses an address");
}

static enum authres_result
map_result(struct spf_run *run, SPF_result_t result)
{
	switch (result) {
	case SPF_RESULT_NEUTRAL:
		return AUTHRES_NEUTRAL;
	case SPF_RESULT_PASS:
		return AUTHRES_PASS;
	case SPF_RESULT_FAIL:
		return AUTHRES_FAIL;
	case SPF_RESULT_SOFTFAIL:
		return AUTHRES_SOFTFAIL;
	default: /* errors come from our hooks, which have then ended the evaluation */
		spf_stop(run, AUTHRES_TEMPERROR, "libspf2 says \"%s\"", SPF_strresult(result));
		return AUTHRES_TEMPERROR;
	}
}

static enum authres_result
ask_library(struct spf_run *run)
{
	errno = 0; /* for on_library_error */
	SPF_dns_server_t dns = {
		.lookup = on_lookup,
		.get_spf = on_get_spf,
		.name = "gatepost",
		.hook = run,
	};
	SPF_server_t *server = SPF_server_new_dns(&dns, 0);
	SPF_request_t *request = server != NULL ? SPF_request_new(server) : NULL;
	SPF_response_t *response = NULL;
	enum authres_result result;

	if (request == NULL ||
	    SPF_request_set_env_from(request, "postmaster@" FIRST_NAME) != SPF_E_SUCCESS)
		mem_run_out();
	SPF_server_set_max_dns_mech(server, 100); /* ours is what counts */
	set_client(request, &run->client);
	(void)SPF_request_query_mailfrom(request, &response);
	if (response == NULL)
		mem_run_out();
	result =
	    run->is_stopped ? run->verdict : map_result(run, SPF_response_result(response));
	SPF_response_free(response);
	SPF_request_free(request);
	SPF_server_free(server);
	return result;
}

/* ---- what the caller learns ---- */

/*
 * The term that decided: none before the last one that was asked about. That one, if it matched
 * (an include matched if the name behind it was not asked for); else the first behind it that
 * asks nobody and matches. NULL: none did.
 */
static const struct spf_term *
matched_term(const struct spf_run *run, const struct spf_frame *frame)
{
	const struct spf_record *record = &frame->record;

	for (size_t i = frame->reached; i < record->count; i++) {
		const struct spf_term *term = &record->terms[i];

		if (i == frame->reached && frame->is_matched)
			return term;
		if (term->kind == SPF_ALL)
			return term;
		if ((term->kind == SPF_IP4 || term->kind == SPF_IP6) &&
		    network_has(&term->network, &run->client))
			return term;
	}
	return NULL;
}

static void
note_mechanism(struct spf_run *run)
{
	const struct spf_term *term = matched_term(run, &run->frames[run->top]);

	(void)view_copy(term != NULL ? term->text : VIEW("default"), run->out->mechanism,
	    sizeof(run->out->mechanism));
}

/* Which domain, and is it one that can have a record (RFC 7208 4.3)? */
static bool
choose_domain(const struct spf_request *request, struct spf_run *run, char out[DOMAIN_NAME_MAX])
{
	const struct view helo = view_of(request->helo);
	const bool is_helo = request->identity == SPF_HELO || request->domain.len == 0;

	run->values.local =
	    is_helo || request->local.len == 0 ? VIEW("postmaster") : request->local;
	return domain_to_ascii(is_helo ? helo : request->domain, out) &&
	       strchr(out, '.') != NULL;
}

void
spf_evaluate(const struct spf_request *request, struct arena *arena, struct spf_outcome *out)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct spf_run run = {
		.request = request, .arena = arena, .out = out, .client = *request->client
	};
	char domain[DOMAIN_NAME_MAX];

	if (judge_spf(request, arena, out))
		return;
	(void)pthread_once(&once, silence_library);
	*out = (struct spf_outcome){ .result = AUTHRES_NONE, .domain = "" };
	address_fold(&run.client);
	if (!choose_domain(request, &run, domain))
		return;
	out->domain = arena_strdup(arena, view_of(domain));
	run.values.sender_domain = view_of(out->domain);
	run.values.domain = run.values.sender_domain;
	run.values.helo = view_of(request->helo);
	run.values.receiver = request->receiver;
	run.values.client = &run.client;
	run.values.now = request->now;
	run.values.validated_name = spf_validated_name;
	run.values.context = &run;
	out->result = ask_library(&run);
	if (run.is_stopped)
		return;
	note_mechanism(&run);
	if (out->result == AUTHRES_FAIL)
		spf_explain(&run, &run.frames[run.top]);
}
