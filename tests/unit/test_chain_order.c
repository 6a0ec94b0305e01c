/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The order proof: for each ordered pair of the built-in links (all of builtin_links, so a new
 * one is covered by being there) nothing that the first does keeps the second from running but
 * a refusal or a failure that is to be obeyed. Once with links of these names, kinds and
 * settings that do all that a link can; once with the real ones over real messages, with
 * strangers before, between and behind them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/arena.h"
#include "lib/domain/dkim_sign.h"
#include "lib/domain/dkim_verify.h"
#include "tests/unit/chain_deeds.h"
#include "tests/unit/link_fixture.h"
#include "tests/unit/watch_fixture.h"

#include <limits.h>

#define STAGES (STAGE_MESSAGE + 1)

/* What a link needs that has no default: a line for a new one that needs any. */
static const struct {
	const char *link, *settings;
} needed[] = {
	{ "relay_domains", "domains = [ \"example.net\" ];" },
	{ "bulk_rules", "domains = [ \"example.com\" ];" },
	{ "lua", "script = \"ROOT/dist/examples/lua/add_header.lua\";" },
	{ "milter", "socket = \"unix:/nowhere\"; on_error = \"pass\";" },
};

static const char *
settings_of(const struct link *link)
{
	static char text[PATH_MAX + 100];
	const char *settings = "", *root;

	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		if (strcmp(needed[i].link, link->name) == 0)
			settings = needed[i].settings;
	}
	root = strstr(settings, "ROOT");
	if (root == NULL)
		return settings;
	char *here = getcwd(NULL, 0);
	(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(root - settings), settings, here,
	    root + strlen("ROOT"));
	free(here);
	return text;
}

/* The group of a link as it stands in a configuration that says no more than is needed. */
static struct chain_entry
entry_of(const struct link *link, struct link_fixture *f)
{
	struct chain_entry entry;

	if (!link_fixture_entry(f, link, settings_of(link), &entry))
		fail_msg("%s: %s", link->name, f->errors.lines[0]);
	return entry;
}

struct pairs {
	struct link_fixture config;  /* arena and errors of the settings alone */
	struct chain_entry *entries; /* one for each of builtin_links */
};

static void
pairs_open(struct pairs *p)
{
	memset(p, 0, sizeof(*p));
	log_configure(&(struct log_config){ .level = LEVEL_ERROR });
	arena_init(&p->config.arena);
	conf_errors_init(&p->config.errors);
	p->entries = arena_alloc(&p->config.arena, builtin_link_count * sizeof(*p->entries));
	for (size_t i = 0; i < builtin_link_count; i++)
		p->entries[i] = entry_of(builtin_links[i], &p->config);
}

static void
pairs_close(struct pairs *p)
{
	conf_errors_finish(&p->config.errors);
	arena_finish(&p->config.arena);
}

static struct chain *
chain_of(const struct chain_entry *entries, size_t count, const struct link_env *env)
{
	struct conf_errors errors;
	struct chain *chain;

	conf_errors_init(&errors);
	chain = chain_create(entries, count, env, &errors);
	if (chain == NULL)
		fail_msg("%s", errors.lines[0]);
	conf_errors_finish(&errors);
	return chain;
}

/* ---- all that a link can do, under each link's name ---- */

static struct deed deed;
static enum link_kind doer_kind;
static unsigned seconds; /* calls of the second */

static enum link_answer
do_first(struct link_call *call)
{
	return deed_do(&deed, call, doer_kind);
}

static enum link_answer
do_second(struct link_call *call)
{
	(void)call;
	seconds++;
	return LINK_NEXT;
}

/* with_hooks - the link with that hook at each stage, and nothing of its own code. */
static struct link
with_hooks(const struct link *link, enum link_answer (*hook)(struct link_call *call))
{
	struct link copy = *link;

	copy.setup = NULL;
	copy.teardown = NULL;
	copy.finish = NULL;
	copy.connect = copy.helo = copy.mail = copy.rcpt = copy.message = hook;
	return copy;
}

static void
try_pair(const struct chain_entry *first, const struct chain_entry *second, enum link_mode mode,
    enum link_on_error on_error)
{
	const struct link first_link = with_hooks(first->link, do_first);
	const struct link second_link = with_hooks(second->link, do_second);
	const struct link_env env = { .hostname = "gate.example.net" };
	struct chain_entry entries[] = { *first, *second };
	struct chain *chain;
	struct chain_run *run;
	struct deed_mail mail;

	doer_kind = first->link->kind;
	entries[0].link = &first_link;
	entries[0].mode = mode;
	entries[0].on_error = on_error;
	entries[0].timeout_ms = DEED_LIMIT_MS;
	entries[1].link = &second_link;
	chain = chain_of(entries, ARRAY_LEN(entries), &env);
	run = chain_run_create(chain);
	deed_mail_open(&mail, "From: alice@example.com\r\nSubject: one\r\n\r\nbody\r\n");
	for (int stage = STAGE_CONNECT; stage < STAGES; stage++) {
		const bool goes_on = deed_goes_on(&deed, mode, on_error);
		struct smtp_reply reply;

		seconds = 0;
		assert_int_equal(
		    deed_mail_run(&mail, chain, run, (enum link_stage)stage, NULL, &reply),
		    goes_on);
		if (seconds != (goes_on ? 1 : 0))
			fail_msg("%s before %s: the second ran %u times at %s (answer %d, "
				 "late %d, edits %s, mode %d, on_error %d)",
			    first->link->name, second->link->name, seconds,
			    chain_stage_name((enum link_stage)stage), deed.answer, deed.is_late,
			    deed_edit_names[deed.edit], mode, on_error);
	}
	deed_mail_close(&mail);
	chain_run_destroy(&run);
	chain_destroy(&chain);
}

static void
try_deeds(const struct chain_entry *first, const struct chain_entry *second)
{
	for (unsigned i = 0; i < 3 * 2 * EDIT_COUNT; i++) {
		deed = (struct deed){ .answer = (enum link_answer)(i % 3),
			.is_late = i / 3 % 2 != 0,
			.edit = (enum deed_edit)(i / 6) };
		if (deed.edit != EDIT_NOTHING && first->link->kind == LINK_POLICY)
			continue;
		for (int mode = MODE_ENFORCE; mode <= MODE_SHADOW; mode++) {
			try_pair(first, second, (enum link_mode)mode, ON_ERROR_DEFER);
			if (!first->link->fails_closed)
				try_pair(first, second, (enum link_mode)mode, ON_ERROR_PASS);
		}
	}
}

static void
test_nothing_that_a_link_does_skips_another(void **state)
{
	struct pairs p;

	(void)state;
	pairs_open(&p);
	clock_fake_set(1000, 0);
	for (size_t i = 0; i < builtin_link_count; i++) {
		for (size_t j = 0; j < builtin_link_count; j++) {
			if (i != j)
				try_deeds(&p.entries[i], &p.entries[j]);
		}
	}
	clock_fake_set(-1, -1);
	pairs_close(&p);
}

static void
test_a_link_about_identity_cannot_pass_its_errors(void **state)
{
	const struct link_env env = { .hostname = "gate.example.net" };
	struct conf_errors errors;
	struct pairs p;

	(void)state;
	pairs_open(&p);
	conf_errors_init(&errors);
	for (size_t i = 0; i < builtin_link_count; i++) {
		struct chain_entry entry = p.entries[i];
		const struct link link = with_hooks(entry.link, do_second);
		struct chain *chain;

		entry.link = &link;
		entry.on_error = ON_ERROR_PASS;
		chain = chain_create(&entry, 1, &env, &errors);
		assert_int_equal(chain == NULL, link.fails_closed);
		chain_destroy(&chain);
	}
	assert_true(errors.count > 0);
	conf_errors_finish(&errors);
	pairs_close(&p);
}

/* ---- the real ones ---- */

/* A chain of five: a stranger, a link, a stranger, another link, a stranger. */
#define PLACES	  5
#define STRANGERS 3

static unsigned stranger_calls[STRANGERS];

static enum link_answer
stranger(struct link_call *call)
{
	stranger_calls[link_name(call)[0] - '0']++;
	return LINK_NEXT;
}

static const struct link strange_link = { .abi = LINK_ABI,
	.name = "stranger",
	.kind = LINK_POLICY,
	.connect = stranger,
	.helo = stranger,
	.mail = stranger,
	.rcpt = stranger,
	.message = stranger };

/* What was seen of one stage by who looks on. */
struct sight {
	const char *links[PLACES];
	size_t count;
	bool has_ended; /* with the last one: it is to be obeyed */
	unsigned refusals, deferrals, edits;
};

static void
see(void *context, const struct chain_record *record)
{
	struct sight *sight = context;

	assert_true(sight->count < PLACES);
	assert_false(sight->has_ended);
	sight->links[sight->count++] = record->link;
	sight->refusals += record->answer == LINK_REFUSE ? 1 : 0;
	sight->deferrals +=
	    record->answer == LINK_FAIL ||
		    (record->reply != NULL && smtp_reply_is_temporary(record->reply))
		? 1
		: 0;
	sight->edits += record->edits != NULL ? 1 : 0;
	sight->has_ended =
	    record->mode != MODE_SHADOW &&
	    (record->answer == LINK_REFUSE ||
		(record->answer == LINK_FAIL && record->on_error == ON_ERROR_DEFER));
}

static bool
has_hook(const struct link *link, enum link_stage stage)
{
	return (stage == STAGE_CONNECT && link->connect != NULL) ||
	       (stage == STAGE_HELO && link->helo != NULL) ||
	       (stage == STAGE_MAIL && link->mail != NULL) ||
	       (stage == STAGE_RCPT && link->rcpt != NULL) ||
	       (stage == STAGE_MESSAGE && link->message != NULL);
}

/* Who ran is who has a hook, in order, up to the one that ended it. */
static void
check_sight(const struct chain_entry *entries, enum link_stage stage, const struct sight *sight,
    bool went_on)
{
	size_t seen = 0, strangers = 0;

	for (size_t i = 0; i < PLACES && (seen < sight->count || !sight->has_ended); i++) {
		if (!has_hook(entries[i].link, stage))
			continue;
		if (seen == sight->count || strcmp(sight->links[seen], entries[i].name) != 0)
			fail_msg("%s between %s and %s did not run at %s", entries[i].name,
			    entries[1].name, entries[3].name, chain_stage_name(stage));
		if (i % 2 == 0)
			assert_int_equal(stranger_calls[strangers++], 1);
		seen++;
	}
	assert_int_equal(seen, sight->count);
	assert_int_equal(went_on, !sight->has_ended);
	while (strangers < STRANGERS)
		assert_int_equal(stranger_calls[strangers++], 0);
}

/* Who is there, and what DNS says of them. */
struct world {
	struct watch_fixture watch;
	struct link_env env;
	unsigned refusals, deferrals, edits; /* seen in it */
};

static void
world_open(struct world *w, bool has_dns)
{
	memset(w, 0, sizeof(*w));
	watch_fixture_open(&w->watch);
	watch_fixture_publish(&w->watch);
	w->watch.dns->is_off = !has_dns;
	domain_watch_refresh(w->watch.watch, NULL);
	w->env = (struct link_env){ .hostname = "gate.example.net",
		.temp_dir = "/tmp",
		.message_octets = 1 << 20,
		.keyring = w->watch.ring,
		.dns = dns_table_source(w->watch.dns),
		.watch = w->watch.watch };
}

static void
world_close(struct world *w)
{
	watch_fixture_close(&w->watch);
}

static void
try_real(struct world *w, const struct chain_entry *entries, const char *text, bool has_login)
{
	struct chain *chain = chain_of(entries, PLACES, &w->env);
	struct chain_session *session = chain_session_create(chain);
	struct chain_run *run = chain_run_create(chain);
	static const char *const patterns[] = { "alice@example.com" };
	struct deed_mail mail;

	deed_mail_open(&mail, text);
	mail.session = session;
	assert_true(address_from_host("192.0.2.1", 2525, &mail.facts.client.addr));
	(void)snprintf(mail.facts.client.text, sizeof(mail.facts.client.text), "192.0.2.1");
	if (has_login)
		mail.facts.identity = (struct identity){ .login = "alice",
			.mechanism = "PLAIN",
			.backend = "passwd",
			.patterns = patterns,
			.pattern_count = ARRAY_LEN(patterns) };
	for (int stage = STAGE_CONNECT; stage < STAGES; stage++) {
		struct sight sight = { .count = 0 };
		const struct chain_observer observer = { .after = see, .context = &sight };
		struct smtp_reply reply;

		memset(stranger_calls, 0, sizeof(stranger_calls));
		const bool went_on =
		    deed_mail_run(&mail, chain, run, (enum link_stage)stage, &observer, &reply);
		check_sight(entries, (enum link_stage)stage, &sight, went_on);
		w->refusals += sight.refusals;
		w->deferrals += sight.deferrals;
		w->edits += sight.edits;
	}
	deed_mail_close(&mail);
	chain_run_destroy(&run);
	chain_session_destroy(&session);
	chain_destroy(&chain);
}

static const char *const texts[] = {
	/* One as it should be. */
	"From: alice@example.com\r\nTo: bob@example.net\r\nSubject: one\r\n"
	"Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n\r\nbody\r\n",
	/* Of somebody else, with forged results, a signature and a chain that do not hold. */
	"Authentication-Results: gate.example.net; dkim=pass header.d=example.com\r\n"
	"ARC-Seal: i=1; a=rsa-sha256; cv=none; d=example.org; s=s; b=AAAA\r\n"
	"ARC-Message-Signature: i=1; a=rsa-sha256; d=example.org; s=s; h=from; bh=AAAA; "
	"b=AAAA\r\n"
	"ARC-Authentication-Results: i=1; example.org; spf=pass\r\n"
	"DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=r; h=from; bh=AAAA; b=AAAA\r\n"
	"From: mallory@example.org\r\nPrecedence: bulk\r\nList-Id: "
	"<list.example.org>\r\n\r\nbody\r\n",
	/* Without what must be there, and with too much of the rest. */
	"Received: x\r\nReceived: x\r\nReceived: x\r\nFrom: a@example.com\r\n"
	"From: b@example.com, c@example.com\r\nSender: @\r\n\r\n",
};

/* try_ways - the pair in its two modes, and where it may, with errors that pass. */
static void
try_ways(struct world *w, const struct chain_entry *first, const struct chain_entry *second)
{
	struct chain_entry entries[PLACES];

	for (size_t i = 0; i < PLACES; i += 2) {
		static const char *const names[] = { "0", "1", "2" };

		entries[i] = (struct chain_entry){
			.name = names[i / 2], .link = &strange_link, .timeout_ms = 1000
		};
	}
	for (unsigned way = 0; way < 4; way++) {
		entries[1] = *first;
		entries[3] = *second;
		entries[1].name = entries[1].link->name;
		entries[3].name = entries[3].link->name;
		entries[1].mode = way == 1 || way == 3 ? MODE_SHADOW : MODE_ENFORCE;
		entries[3].mode = way == 2 || way == 3 ? MODE_SHADOW : MODE_ENFORCE;
		if (way == 0 && !first->link->fails_closed)
			entries[1].on_error = ON_ERROR_PASS;
		for (size_t i = 0; i < ARRAY_LEN(texts); i++)
			try_real(w, entries, texts[i], way % 2 == 0);
	}
}

static void
try_world(struct world *w)
{
	struct pairs p;

	pairs_open(&p);
	for (size_t i = 0; i < builtin_link_count; i++) {
		for (size_t j = 0; j < builtin_link_count; j++) {
			if (i != j)
				try_ways(w, &p.entries[i], &p.entries[j]);
		}
	}
	pairs_close(&p);
	assert_true(w->refusals > 0 && w->edits > 0);
}

static void
test_real_links_let_each_other_run(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, true);
	try_world(&w);
	world_close(&w);
}

static void
test_real_links_let_each_other_run_without_dns(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, false);
	try_world(&w);
	assert_true(w.deferrals > 0);
	world_close(&w);
}

static int
set_up(void **state)
{
	struct err err = { 0 };

	(void)state;
	return dkim_sign_init(&err) && dkim_verify_init(&err) ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	dkim_verify_finish();
	dkim_sign_finish();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_that_a_link_does_skips_another),
		cmocka_unit_test(test_a_link_about_identity_cannot_pass_its_errors),
		cmocka_unit_test(test_real_links_let_each_other_run),
		cmocka_unit_test(test_real_links_let_each_other_run_without_dns),
	};

	return cmocka_run_group_tests_name("chain_order", tests, set_up, tear_down);
}
