/* SPDX-License-Identifier: MPL-2.0 */
/* Judges: the same results as without them; and judges that end, hang, lie, ask without end. */
#include "lib/domain/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/domain/judge_wire.h"
#include "lib/net/address.h"
#include "tests/unit/dkim_verify_fixture.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define STEP_MS 400

enum manners { GOOD, ENDS, HANGS, LIES, CONTRADICTS, ASKS_FOR_EVER };

static enum manners manners[4];	     /* of the judges, in order of their start */
static atomic_size_t started, ended; /* counted by threads of the client too */
static pid_t pids[8];
static struct judge_client *client;

static void
ask_for_ever(int fd)
{
	const struct judge_query query = { "example.com", DNS_TXT, CLOCK_NEVER };
	struct buf text, frame;
	char kind;

	buf_init(&text, 4096);
	buf_init(&frame, JUDGE_FRAME_MAX + 1);
	while (judge_receive(fd, CLOCK_NEVER, &kind, &frame, NULL)) {
		buf_clear(&text);
		if (!judge_write_query(&text, &query) ||
		    !judge_send(fd, JUDGE_QUERY, buf_view(&text), CLOCK_NEVER, NULL))
			break;
	}
	_exit(0);
}

/* pass for the result, and a verdict that says otherwise: or an SPF result that is none. */
static void
contradict(int fd)
{
	const struct spf_outcome outcome = { .result = AUTHRES_POLICY, .domain = "x" };
	struct buf text;

	buf_init(&text, 4096);
	if (judge_write_outcome(&text, &outcome))
		(void)!judge_send(fd, JUDGE_RESULT, buf_view(&text), CLOCK_NEVER, NULL);
	buf_finish(&text);
}

static void
be_judge(int fd, enum manners how)
{
	char octet;

	judge_use(NULL);
	if (how == GOOD)
		judge_serve(fd);
	if (how == ASKS_FOR_EVER)
		ask_for_ever(fd);
	(void)!recv(fd, &octet, 1, MSG_PEEK);
	if (how == LIES)
		(void)!judge_send(fd, JUDGE_RESULT, VIEW("no result"), CLOCK_NEVER, NULL);
	if (how == CONTRADICTS)
		contradict(fd);
	while (how == HANGS || how == LIES || how == CONTRADICTS)
		(void)pause();
	_exit(0);
}

static bool
open_judge(void *context, struct helper_links *out, struct err *err)
{
	const enum manners how = started < ARRAY_LEN(manners) ? manners[started] : GOOD;
	int pair[2];

	(void)context;
	(void)err;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	const pid_t pid = fork();
	if (pid == 0) {
		(void)close(pair[0]);
		be_judge(pair[1], how);
	}
	assert_true(pid > 0 && started < ARRAY_LEN(pids));
	(void)close(pair[1]);
	pids[started++] = pid;
	*out = (struct helper_links){ .fds = { pair[0] }, .count = 1, .pid = pid };
	return true;
}

static void
end_judge(void *context, pid_t pid)
{
	(void)context;
	ended++;
	assert_int_equal(kill(pid, SIGKILL), 0);
}

static int
begin(void **state)
{
	const struct helper_kind starter = { .open = open_judge, .end = end_judge };
	struct err err = { 0 };

	memset(manners, 0, sizeof(manners));
	started = ended = 0;
	client = judge_client_create(&starter, STEP_MS);
	assert_true(judge_client_start(client, &err));
	return set_up(state);
}

static int
finish(void **state)
{
	int status;

	judge_use(NULL);
	judge_client_destroy(&client);
	for (size_t i = 0; i < started; i++)
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
	return tear_down(state);
}

/* ---- SPF ---- */

static void
evaluate(const char *domain, struct arena *arena, struct spf_outcome *out)
{
	struct sockaddr_storage address;

	assert_true(address_from_host("192.0.2.1", 25, &address));
	const struct spf_request request = { .client = &address,
		.identity = SPF_MAIL_FROM,
		.helo = "mail.example.com",
		.local = VIEW("a"),
		.domain = view_of(domain),
		.receiver = "gate.example.org",
		.now = NOW,
		.deadline_ms = clock_mono_ms() + 20000,
		.dns = dns_table_source(dns) };

	spf_evaluate(&request, arena, out);
}

static void
fill_spf(void)
{
	dns_table_clear(dns);
	dns_table_add(dns, "pass.example.com", DNS_TXT, "v=spf1 a:host.example.com -all");
	dns_table_add(dns, "host.example.com", DNS_A, "192.0.2.1");
	dns_table_add(dns, "fail.example.com", DNS_TXT,
	    "v=spf1 include:pass2.example.com mx -all exp=why.example.com");
	dns_table_add(dns, "pass2.example.com", DNS_TXT, "v=spf1 ip4:198.51.100.1 -all");
	dns_table_add(dns, "fail.example.com", DNS_MX, "10 mx.example.com");
	dns_table_add(dns, "mx.example.com", DNS_A, "198.51.100.2");
	dns_table_add(dns, "why.example.com", DNS_TXT, "%{i} is not one of ours");
	dns_table_add(dns, "broken.example.com", DNS_TXT, "v=spf1 foo:bar -all");
	dns_table_add(dns, "down.example.com", DNS_ANY_TYPE, DNS_ROW_TEMPFAIL);
}

static void
assert_same_outcome(const struct spf_outcome *a, const struct spf_outcome *b)
{
	assert_int_equal(a->result, b->result);
	assert_string_equal(a->domain, b->domain);
	assert_string_equal(a->mechanism, b->mechanism);
	assert_string_equal(a->problem, b->problem);
	assert_string_equal(a->explanation, b->explanation);
	assert_int_equal(a->terms, b->terms);
	assert_int_equal(a->voids, b->voids);
	assert_int_equal(a->queries, b->queries);
}

static void
test_spf(void **state)
{
	static const struct {
		const char *domain;
		enum authres_result result;
	} cases[] = {
		{ "pass.example.com", AUTHRES_PASS },
		{ "fail.example.com", AUTHRES_FAIL },
		{ "broken.example.com", AUTHRES_PERMERROR },
		{ "down.example.com", AUTHRES_TEMPERROR },
		{ "none.example.com", AUTHRES_NONE },
		{ "no domain", AUTHRES_NONE },
	};
	struct arena arena;

	(void)state;
	fill_spf();
	arena_init(&arena);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct spf_outcome here, there;

		judge_use(NULL);
		evaluate(cases[i].domain, &arena, &here);
		judge_use(client);
		evaluate(cases[i].domain, &arena, &there);
		assert_int_equal(here.result, cases[i].result);
		assert_same_outcome(&here, &there);
	}
	assert_int_equal(started, 1);
	arena_finish(&arena);
}

/* ---- DKIM ---- */

/* RFC 8463 A.3, its Ed25519 signature; and one that nobody made. */
static const char signed_text[] =
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
    " subject : date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
    " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
    "DKIM-Signature: v=1; a=rsa-sha256; d=; b=nonsense\r\n"
    "From: Joe SixPack <joe@football.example.com>\r\n"
    "To: Suzie Q <suzie@shopping.example.net>\r\n"
    "Subject: Is dinner ready?\r\n"
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
    "\r\n"
    "Hi.\r\n"
    "\r\n"
    "We lost the game.  Are you hungry yet?\r\n"
    "\r\n"
    "Joe.\r\n";

static void
give_time(struct dkim_verify_request *request)
{
	request->deadline_ms = clock_mono_ms() + 20000;
}

static void
test_dkim(void **state)
{
	struct outcome here, there;

	(void)state;
	fill_dns();
	dns_table_add(dns, "brisbane._domainkey.football.example.com", DNS_TXT, ED_RECORD);
	verify_with(&here, view_of(signed_text), give_time);
	judge_use(client);
	verify_with(&there, view_of(signed_text), give_time);
	assert_int_equal(here.v.count, 2);
	assert_int_equal(there.v.count, 2);
	assert_int_equal(there.v.signatures[0].result, AUTHRES_PASS);
	for (size_t i = 0; i < 2; i++) {
		const struct dkim_signature *a = &here.v.signatures[i];
		const struct dkim_signature *b = &there.v.signatures[i];

		assert_int_equal(a->result, b->result);
		assert_int_equal(a->verdict, b->verdict);
		assert_string_equal(
		    a->reason != NULL ? a->reason : "-", b->reason != NULL ? b->reason : "-");
		assert_string_equal(a->domain, b->domain);
		assert_string_equal(a->selector, b->selector);
		assert_string_equal(a->identity != NULL ? a->identity : "-",
		    b->identity != NULL ? b->identity : "-");
		assert_string_equal(a->algorithm, b->algorithm);
		assert_string_equal(a->b, b->b);
		assert_int_equal(a->key_bits, b->key_bits);
	}
	outcome_finish(&here);
	outcome_finish(&there);
}

static void
test_dkim_ends(void **state)
{
	struct outcome o;

	(void)state;
	manners[0] = manners[1] = ENDS;
	fill_dns();
	judge_use(client);
	verify_with(&o, view_of(signed_text), give_time);
	assert_int_equal(o.v.count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(o.v.signatures[i].result, AUTHRES_TEMPERROR);
		assert_string_equal(o.v.signatures[i].domain, "");
	}
	outcome_finish(&o);
}

/* ---- bad judges ---- */

static void
test_bad_judges(void **state)
{
	static const struct {
		enum manners first, second;
		enum authres_result result;
		size_t started, ended; /* started: at least */
	} cases[] = {
		{ ENDS, GOOD, AUTHRES_PASS, 2, 0 }, /* perhaps over somebody else's question */
		{ ENDS, ENDS, AUTHRES_TEMPERROR, 2, 0 },
		{ HANGS, GOOD, AUTHRES_TEMPERROR, 1, 1 },
		{ LIES, GOOD, AUTHRES_TEMPERROR, 1, 1 },
		{ CONTRADICTS, GOOD, AUTHRES_TEMPERROR, 1, 1 },
		{ ASKS_FOR_EVER, GOOD, AUTHRES_TEMPERROR, 1, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct spf_outcome outcome;
		struct arena arena;

		if (i > 0) {
			(void)finish(state);
			(void)begin(state);
		}
		manners[0] = cases[i].first;
		manners[1] = cases[i].second;
		fill_spf();
		arena_init(&arena);
		judge_use(client);
		evaluate("pass.example.com", &arena, &outcome);
		assert_int_equal(outcome.result, cases[i].result);
		assert_true(started >= cases[i].started);
		assert_int_equal(ended, cases[i].ended);
		evaluate("pass.example.com", &arena, &outcome); /* there is another one */
		assert_int_equal(outcome.result, AUTHRES_PASS);
		arena_finish(&arena);
	}
}

/* ---- the wire ---- */

static void
test_cut_frames(void **state)
{
	struct sockaddr_storage address = { 0 };
	const struct spf_request spf = { .client = &address,
		.helo = "h",
		.local = VIEW("l"),
		.domain = VIEW("d"),
		.receiver = "r" };
	const struct spf_outcome outcome = { .domain = "d", .problem = "p" };
	struct dns_record record = { .data = VIEW("\xc0\0\2\1") };
	const struct dns_answer answer = { .records = &record, .count = 1 };
	const struct judge_query query = { "n", DNS_A, 5 };
	struct dkim_verification v = { .count = 1 };
	struct arena arena;
	struct buf text[5];

	(void)state;
	arena_init(&arena);
	for (size_t i = 0; i < ARRAY_LEN(text); i++)
		buf_init(&text[i], 65536);
	v.signatures[0] = (struct dkim_signature){ .result = AUTHRES_FAIL,
		.verdict = DKIM_BAD_BODY,
		.reason = "r",
		.domain = "d",
		.selector = "s",
		.algorithm = "a",
		.b = "b" };
	assert_true(
	    judge_write_spf(&text[0], &spf) && judge_write_outcome(&text[1], &outcome) &&
	    judge_write_answer(&text[2], &answer) && judge_write_query(&text[3], &query) &&
	    judge_write_verification(&text[4], &v));
	for (size_t i = 0; i < ARRAY_LEN(text); i++) {
		for (size_t len = 0; len <= text[i].len; len++) {
			const struct view cut = view_make(text[i].p, len);
			struct spf_request a;
			struct spf_outcome b;
			struct dns_answer c;
			struct judge_query d;
			struct dkim_verification e;
			const bool got[] = { judge_read_spf(cut, &arena, &address, &a),
				judge_read_outcome(cut, &arena, &b),
				judge_read_answer(cut, &arena, &c),
				judge_read_query(cut, &arena, &d),
				judge_read_verification(cut, &arena, &e) };

			assert_int_equal(got[i], len == text[i].len);
		}
		buf_finish(&text[i]);
	}
	arena_finish(&arena);
}

int
main(void)
{
#define CASE(name, f)                        \
	{                                    \
		name, f, begin, finish, NULL \
	}
	const struct CMUnitTest tests[] = {
		CASE("SPF: a judge says what is said without one", test_spf),
		CASE("DKIM: a judge says what is said without one", test_dkim),
		CASE("DKIM: without a judge each signature is a temperror", test_dkim_ends),
		CASE("judges that end, hang, lie or ask without end cost a temperror at most",
		    test_bad_judges),
		{ "a frame that is cut anywhere is refused", test_cut_frames, NULL, NULL,
		    NULL },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
