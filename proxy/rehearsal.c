/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The steps of a rehearsal, in the order of a session: connect, helo, login, mail, each rcpt,
 * content, message. See rehearsal.h.
 */
#include "proxy/rehearsal.h"

#include "lib/base/clock.h"
#include "lib/base/utf8.h"
#include "lib/domain/domain_watch.h"
#include "lib/mail/author.h"
#include "lib/mail/domain_name.h"
#include "proxy/rehearsal_record.h"
#include "proxy/session/arrival.h"
#include "proxy/session/replies.h"

#include <string.h>

/* As long as a real one, so that our Received field folds as it would. */
static const char session_id[] = "000000000000";
static const char message_id[] = "000000000000.1";
static const char by_session[] = "session";
static const char by_upstream[] = "upstream";

/* All of one run. */
struct run {
	const struct snapshot *snapshot;
	const struct snapshot_service *service;
	const struct config_listener *listener;
	const struct rehearsal_request *request;
	struct rehearsal *out;
	struct rehearsal_observer observer;
	struct facts facts;
	struct chain_session *session; /* owned; may be NULL */
	struct chain_run *chain_run;   /* owned; NULL before MAIL */
	struct recipient *recipients;  /* in the arena: accepted ones */
	struct message *message;       /* owned; NULL: the content is refused */
	struct smtp_reply content_reply;
};

/* ---- who ---- */

static bool
find_listener(struct run *run, struct err *err)
{
	const struct config *config = run->snapshot->config;
	const struct config_listener *listeners = config->listeners.items;
	const char *wanted = run->request->listener;
	const char *role = run->request->role == ROLE_INBOUND ? "inbound" : "submission";

	for (size_t i = 0; i < config->listeners.count && run->listener == NULL; i++) {
		if (listeners[i].role == (int)run->request->role &&
		    (wanted == NULL || strcmp(listeners[i].listen, wanted) == 0))
			run->listener = &listeners[i];
	}
	if (run->listener == NULL && wanted != NULL)
		return err_set(err, ERR_CONFIG,
		    "no listener with the role \"%s\" listens on %s", role, wanted);
	if (run->listener == NULL)
		return err_set(err, ERR_CONFIG, "no listener has the role \"%s\"", role);
	run->service = &run->snapshot->services[run->request->role];
	return true;
}

static bool
can_have_tls(const struct run *run, struct err *err)
{
	if (run->listener->tls != LISTENER_TLS_NONE)
		return true;
	return err_set(err, ERR_CONFIG, "%s has no TLS (tls = \"none\"), so %s",
	    run->listener->listen,
	    run->request->login != NULL ? "nobody can log in there"
					: "a client cannot use it there");
}

static struct tls_facts
tls_facts(const struct run *run)
{
	if (!run->request->tls && run->request->login == NULL &&
	    run->listener->tls != LISTENER_TLS_IMPLICIT)
		return (struct tls_facts){ .on = false };
	return (struct tls_facts){ .on = true,
		.version = "TLSv1.3",
		.cipher = "TLS_AES_256_GCM_SHA384",
		.bits = 256 };
}

static bool
log_in(struct run *run, struct err *err)
{
	const char *login = run->request->login;

	if (login == NULL)
		return true;
	if (run->snapshot->authenticator == NULL)
		return err_set(err, ERR_CONFIG, "auth.backends is empty: nobody can log in");
	if (!auth_identify(run->snapshot->authenticator, view_of(login), &run->out->arena,
		&run->facts.identity))
		return err_set(err, ERR_CONFIG,
		    "no backend knows the login \"%s\", or it is locked", login);
	run->facts.identity.mechanism = "PLAIN";
	return true;
}

static void
begin_facts(struct run *run)
{
	struct facts *f = &run->facts;

	f->session_id = session_id;
	f->hostname = run->snapshot->config->hostname;
	f->listener = run->listener->listen;
	f->role = run->request->role;
	f->client.addr = run->request->client;
	address_fold(&f->client.addr);
	address_host_text(&f->client.addr, f->client.text);
	f->client.port = address_port(&f->client.addr);
	f->helo = f->message_id = f->reverse_path = f->via = f->client_name = "";
	f->is_esmtp = true;
}

/* ---- what came of it ---- */

/* decide - it ends here. */
static void
decide(struct run *run, const char *step, const char *by, const struct smtp_reply *reply)
{
	struct rehearsal *out = run->out;

	out->step = step;
	out->by = by;
	out->reply = *reply;
	out->verdict = smtp_reply_is_ok(reply)		? REHEARSAL_ACCEPTED
		       : smtp_reply_is_temporary(reply) ? REHEARSAL_DEFERRED
							: REHEARSAL_REFUSED;
}

static void
decide_session(struct run *run, const char *step, enum reply_id id, const char *detail)
{
	struct smtp_reply reply;

	reply_make(id, detail, &reply);
	decide(run, step, by_session, &reply);
}

/* last_link - who ended a stage. */
static const char *
last_link(const struct run *run)
{
	const struct rehearsal *out = run->out;

	return out->call_count > 0 ? out->calls[out->call_count - 1].link : by_session;
}

static bool
judge(struct run *run, enum link_stage stage, const struct recipient *recipient,
    struct smtp_reply *reply)
{
	const struct chain_work work = {
		.facts = &run->facts,
		.session = run->session,
		.recipient = recipient,
		.message = stage == STAGE_MESSAGE ? run->message : NULL,
		.observer = &run->observer.observer,
		.is_rehearsal = true,
	};

	return chain_run_stage(run->service->chain, run->chain_run, stage, &work, reply);
}

static bool
judge_step(struct run *run, enum link_stage stage)
{
	struct smtp_reply reply;

	if (judge(run, stage, NULL, &reply))
		return true;
	decide(run, chain_stage_name(stage), last_link(run), &reply);
	return false;
}

/* ---- the watch ---- */

/* meet - have the watch look at a domain that is not ours, as it would have by now. */
static void
meet(struct domain_watch *watch, struct view domain)
{
	char name[DOMAIN_NAME_MAX];
	const struct domain_report *report;

	if (domain.len == 0 || domain.p[0] == '[' || !domain_to_ascii(domain, name))
		return;
	report = domain_watch_take(watch, name);
	domain_watch_give(watch, &report);
}

static void
look_around(struct run *run)
{
	struct domain_watch *watch = run->snapshot->watch;
	const char *from = run->request->from, *at = strrchr(from, '@');
	const char *author;

	if (watch == NULL || run->request->role != ROLE_SUBMISSION)
		return;
	run->out->watch.first = dns_recorder_count(run->observer.dns);
	meet(watch, view_of(at != NULL ? at + 1 : ""));
	author = run->message != NULL ? author_domain(run->message, &run->out->arena) : NULL;
	meet(watch, view_of(author));
	domain_watch_refresh(watch, NULL);
	run->out->watch.count = dns_recorder_count(run->observer.dns) - run->out->watch.first;
}

/* ---- the steps ---- */

static bool
say_helo(struct run *run)
{
	const struct view helo = view_of(run->request->helo);

	if (!(run->service->config->strict_helo ? smtp_helo_is_valid : smtp_helo_is_text)(
		helo)) {
		decide_session(run, "helo", REPLY_HELO_SYNTAX, "EHLO");
		return false;
	}
	run->facts.helo = run->request->helo;
	return judge_step(run, STAGE_HELO);
}

static bool
may_mail(struct run *run)
{
	const bool submission = run->request->role == ROLE_SUBMISSION;
	const struct rule_facts facts = {
		.role = run->request->role,
		.tls_on = run->facts.tls.on,
		.tls_offered = run->listener->tls == LISTENER_TLS_STARTTLS,
		.authenticated = run->facts.identity.login != NULL,
		.auth_offered =
		    submission && run->facts.tls.on && run->snapshot->authenticator != NULL,
		.is_esmtp = true,
	};
	const enum rule_verdict verdict = rules_check(VERB_MAIL, true, STATE_READY, &facts);

	if (verdict == RULE_GO)
		return true;
	decide_session(run, "mail", reply_of_verdict(verdict), "MAIL");
	return false;
}

/* arguments - "FROM:<address>", whether brackets were written or not. */
static struct view
arguments(struct arena *arena, const char *keyword, const char *address, const char *params)
{
	if (address[0] == '<')
		return view_of(arena_printf(arena, "%s:%s%s", keyword, address, params));
	return view_of(arena_printf(arena, "%s:<%s>%s", keyword, address, params));
}

/* is_utf8 - addresses beyond ASCII: a client would have said SMTPUTF8. */
static bool
is_utf8(const struct rehearsal_request *request)
{
	bool is_ascii = utf8_is_ascii(view_of(request->from));

	for (size_t i = 0; i < request->recipient_count; i++)
		is_ascii = is_ascii && utf8_is_ascii(view_of(request->recipients[i]));
	return !is_ascii;
}

static bool
say_mail(struct run *run)
{
	struct facts *f = &run->facts;
	struct arena *arena = &run->out->arena;
	const enum smtp_syntax syntax =
	    smtp_mail_parse(arguments(arena, "FROM", run->request->from,
				is_utf8(run->request) ? " SMTPUTF8" : ""),
		&f->mail);
	char address[SMTP_PATH_MAX];

	if (!may_mail(run))
		return false;
	if (syntax != SMTP_SYNTAX_OK) {
		decide_session(run, "mail", reply_of_syntax(syntax), "MAIL FROM:<address>");
		return false;
	}
	smtp_path_write(&f->mail.path, address);
	f->reverse_path = arena_strdup(arena, view_of(address));
	f->message_id = message_id;
	f->received_at = clock_real_s();
	run->chain_run = chain_run_create(run->service->chain);
	return judge_step(run, STAGE_MAIL);
}

static void
say_rcpt(struct run *run, const char *to)
{
	struct arena *arena = &run->out->arena;
	struct rehearsal_recipient *r = &run->out->recipients[run->out->recipient_count++];
	struct facts *f = &run->facts;
	struct recipient recipient;
	const enum smtp_syntax syntax = smtp_rcpt_parse(
	    arguments(arena, "TO", to, ""), f->mail.smtputf8, &recipient.path, &recipient.dsn);
	char address[SMTP_PATH_MAX];

	r->address = arena_strdup(arena, view_of(to));
	r->by = by_session;
	if (syntax != SMTP_SYNTAX_OK) {
		reply_make(reply_of_syntax(syntax), "RCPT TO:<address>", &r->reply);
		return;
	}
	smtp_path_write(&recipient.path, address);
	recipient.address = r->address = arena_strdup(arena, view_of(address));
	if (f->recipient_count >= (size_t)run->snapshot->config->limits.recipients) {
		reply_make(REPLY_RECIPIENTS, NULL, &r->reply);
	} else if (judge(run, STAGE_RCPT, &recipient, &r->reply)) {
		smtp_reply_set(&r->reply, 250, "2.1.5", "Ok");
		r->by = by_upstream;
		run->recipients[f->recipient_count++] = recipient;
		f->recipients = run->recipients;
	} else {
		r->by = last_link(run);
	}
}

static bool
say_rcpts(struct run *run)
{
	struct rehearsal *out = run->out;
	const size_t count = run->request->recipient_count;

	out->recipients = arena_alloc(&out->arena, count * sizeof(*out->recipients));
	run->recipients = arena_alloc(&out->arena, count * sizeof(*run->recipients));
	for (size_t i = 0; i < count; i++)
		say_rcpt(run, run->request->recipients[i]);
	if (run->facts.recipient_count > 0)
		return true;
	decide(run, "rcpt", out->recipients[0].by, &out->recipients[0].reply);
	return false;
}

static bool
say_content(struct run *run)
{
	if (run->message == NULL) {
		decide(run, "message", by_session, &run->content_reply);
		return false;
	}
	arrival_add_received(run->message, &run->facts, run->service->config);
	return judge_step(run, STAGE_MESSAGE);
}

static void
pass_on(struct run *run)
{
	struct rehearsal *out = run->out;
	const char *discard = chain_run_discard(run->chain_run);
	struct smtp_reply reply;

	if (discard == NULL && run->facts.recipient_count == 0)
		discard = "every recipient was removed";
	if (discard == NULL) {
		smtp_reply_set(&reply, 250, "2.0.0", "Ok");
		decide(run, "message", by_upstream, &reply);
		return;
	}
	decide_session(run, "message", REPLY_DISCARDED, NULL);
	out->verdict = REHEARSAL_DISCARDED;
	out->discard = arena_strdup(&out->arena, view_of(discard));
}

/* ---- the record ---- */

static bool
was_asked(const struct rehearsal *out, const char *link)
{
	for (size_t i = 0; i < out->call_count; i++) {
		if (strcmp(out->calls[i].link, link) == 0)
			return true;
	}
	return false;
}

static void
list_idle(struct run *run)
{
	const struct loaded_config *loaded = run->snapshot->loaded;
	const bool submission = run->request->role == ROLE_SUBMISSION;
	const struct chain_entry *chain =
	    submission ? loaded->submission_chain : loaded->inbound_chain;
	const size_t count = submission ? loaded->submission_count : loaded->inbound_count;
	struct rehearsal *out = run->out;

	out->idle = arena_alloc(&out->arena, (count + 1) * sizeof(*out->idle));
	for (size_t i = 0; i < count; i++) {
		const char *name = chain[i].name != NULL ? chain[i].name : chain[i].link->name;

		if (!was_asked(out, name))
			out->idle[out->idle_count++] = name;
	}
}

/* keep_transaction - what would end with the chain's memory. */
static void
keep_transaction(struct run *run)
{
	struct rehearsal *out = run->out;
	struct arena *arena = &out->arena;
	const struct facts *f = &run->facts;
	const char **paths = arena_alloc(arena, (f->recipient_count + 1) * sizeof(*paths));
	const struct authres *results;
	struct authres *copies;

	results = chain_run_results(run->chain_run, &out->result_count);
	copies = arena_alloc(arena, (out->result_count + 1) * sizeof(*copies));
	for (size_t i = 0; i < out->result_count; i++)
		copies[i] = authres_copy(&results[i], arena);
	out->results = copies;
	out->notes = arena_strdup(arena, chain_run_notes(run->chain_run));
	if (chain_run_route(run->chain_run) != NULL)
		out->upstream = chain_run_route(run->chain_run);
	for (size_t i = 0; i < f->recipient_count; i++)
		paths[i] = arena_strdup(arena, view_of(f->recipients[i].address));
	out->forward_paths = paths;
	out->forward_path_count = f->recipient_count;
	out->reverse_path = arena_strdup(arena, view_of(f->reverse_path));
	if (out->verdict == REHEARSAL_ACCEPTED) {
		out->message = run->message;
		run->message = NULL;
	}
}

static void
keep(struct run *run)
{
	struct rehearsal *out = run->out;

	out->facts = run->facts;
	out->facts.reverse_path = "";
	out->facts.recipients = NULL;
	out->facts.recipient_count = 0;
	out->facts.identity.patterns = NULL;
	out->facts.identity.pattern_count = 0;
	out->notes = out->reverse_path = "";
	if (run->chain_run != NULL)
		keep_transaction(run);
	list_idle(run);
}

/* hold - the dialogue. */
static bool
hold(struct run *run, struct err *err)
{
	if (run->listener->tls == LISTENER_TLS_IMPLICIT)
		run->facts.tls = tls_facts(run);
	run->session = chain_session_create(run->service->chain);
	if (!judge_step(run, STAGE_CONNECT))
		return true;
	run->facts.tls = tls_facts(run);
	if (!say_helo(run))
		return true;
	if (!log_in(run, err))
		return false;
	if (say_mail(run) && say_rcpts(run) && say_content(run))
		pass_on(run);
	return true;
}

bool
rehearsal_run(const struct snapshot *s, const struct rehearsal_request *request,
    struct dns_recorder *dns, struct rehearsal *out, struct err *err)
{
	struct run run = { .snapshot = s, .request = request, .out = out };
	bool ok;

	*out = (struct rehearsal){ .step = "", .by = by_session };
	arena_init(&out->arena);
	rehearsal_observe(&run.observer, out, dns);
	if (!find_listener(&run, err) ||
	    ((request->tls || request->login != NULL) && !can_have_tls(&run, err)))
		return false;
	out->upstream = run.service->config->upstream;
	begin_facts(&run);
	run.message = rehearsal_receive(s->config, request->content, out, &run.content_reply);
	look_around(&run);
	ok = hold(&run, err);
	if (ok)
		keep(&run);
	chain_run_destroy(&run.chain_run);
	chain_session_destroy(&run.session);
	message_destroy(&run.message);
	return ok;
}
