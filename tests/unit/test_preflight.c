/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The link preflight: the whole matrix of SPF, key and alignment under every action, and what
 * lies beside it. What it finds must be what docs/FILTERS.md says.
 */
#include "filters/filters.h"

#include "lib/base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/link_fixture.h"
#include "tests/unit/log_capture.h"
#include "tests/unit/watch_fixture.h"

enum spf_is { SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_PERMERROR, SPF_TEMPERROR, SPF_NONE };
enum key_is { KEY_IS_MATCH, KEY_IS_MISMATCH, KEY_IS_ABSENT, KEY_IS_DOWN };

static const char *const spf_records[] = {
	[SPF_PASS] = "v=spf1 ip4:192.0.2.1 -all",
	[SPF_FAIL] = "v=spf1 -all",
	[SPF_SOFTFAIL] = "v=spf1 ~all",
	[SPF_PERMERROR] = "v=spf1 bogus",
	[SPF_TEMPERROR] = DNS_ROW_TEMPFAIL,
	[SPF_NONE] = NULL,
};

/*
 * MAIL FROM and the signature are of example.com, From is of sub.example.com. Whether that is
 * aligned is up to the DMARC record of the latter: relaxed or strict.
 */
static const struct matrix_case {
	enum spf_is spf;
	enum key_is key;
	bool aligned;
	const char *findings; /* as in msg.done; "": none */
	const char *status;   /* of the refusal, without its class; "": it passes */
} matrix[] = {
	{ SPF_PASS, KEY_IS_MATCH, true, "", "" },
	{ SPF_PASS, KEY_IS_MISMATCH, true, "dkim-mismatch", "7.20" },
	{ SPF_PASS, KEY_IS_ABSENT, true, "dkim-absent", "7.20" },
	{ SPF_PASS, KEY_IS_DOWN, true, "dkim-dns", "" },
	{ SPF_FAIL, KEY_IS_MATCH, true, "spf-fail", "7.23" },
	{ SPF_FAIL, KEY_IS_MISMATCH, true, "spf-fail+dkim-mismatch+alignment-fail", "7.23" },
	{ SPF_FAIL, KEY_IS_ABSENT, true, "spf-fail+dkim-absent+alignment-fail", "7.23" },
	{ SPF_FAIL, KEY_IS_DOWN, true, "spf-fail+dkim-dns+alignment-dns", "7.23" },
	{ SPF_SOFTFAIL, KEY_IS_MATCH, true, "spf-softfail", "7.23" },
	{ SPF_SOFTFAIL, KEY_IS_MISMATCH, true, "spf-softfail+dkim-mismatch+alignment-fail",
	    "7.23" },
	{ SPF_SOFTFAIL, KEY_IS_ABSENT, true, "spf-softfail+dkim-absent+alignment-fail",
	    "7.23" },
	{ SPF_SOFTFAIL, KEY_IS_DOWN, true, "spf-softfail+dkim-dns+alignment-dns", "7.23" },
	{ SPF_PERMERROR, KEY_IS_MATCH, true, "spf-permerror", "7.24" },
	{ SPF_PERMERROR, KEY_IS_MISMATCH, true, "spf-permerror+dkim-mismatch+alignment-fail",
	    "7.24" },
	{ SPF_PERMERROR, KEY_IS_ABSENT, true, "spf-permerror+dkim-absent+alignment-fail",
	    "7.24" },
	{ SPF_PERMERROR, KEY_IS_DOWN, true, "spf-permerror+dkim-dns+alignment-dns", "7.24" },
	{ SPF_TEMPERROR, KEY_IS_MATCH, true, "spf-temperror", "" },
	{ SPF_TEMPERROR, KEY_IS_MISMATCH, true, "spf-temperror+dkim-mismatch+alignment-dns",
	    "7.20" },
	{ SPF_TEMPERROR, KEY_IS_ABSENT, true, "spf-temperror+dkim-absent+alignment-dns",
	    "7.20" },
	{ SPF_TEMPERROR, KEY_IS_DOWN, true, "spf-temperror+dkim-dns+alignment-dns", "" },
	{ SPF_NONE, KEY_IS_MATCH, true, "spf-none", "7.23" },
	{ SPF_NONE, KEY_IS_MISMATCH, true, "spf-none+dkim-mismatch+alignment-fail", "7.23" },
	{ SPF_NONE, KEY_IS_ABSENT, true, "spf-none+dkim-absent+alignment-fail", "7.23" },
	{ SPF_NONE, KEY_IS_DOWN, true, "spf-none+dkim-dns+alignment-dns", "7.23" },
	{ SPF_PASS, KEY_IS_MATCH, false, "alignment-fail", "7.26" },
	{ SPF_PASS, KEY_IS_MISMATCH, false, "dkim-mismatch+alignment-fail", "7.20" },
	{ SPF_PASS, KEY_IS_ABSENT, false, "dkim-absent+alignment-fail", "7.20" },
	{ SPF_PASS, KEY_IS_DOWN, false, "dkim-dns+alignment-fail", "7.26" },
	{ SPF_FAIL, KEY_IS_MATCH, false, "spf-fail+alignment-fail", "7.23" },
	{ SPF_FAIL, KEY_IS_MISMATCH, false, "spf-fail+dkim-mismatch+alignment-fail", "7.23" },
	{ SPF_FAIL, KEY_IS_ABSENT, false, "spf-fail+dkim-absent+alignment-fail", "7.23" },
	{ SPF_FAIL, KEY_IS_DOWN, false, "spf-fail+dkim-dns+alignment-fail", "7.23" },
	{ SPF_SOFTFAIL, KEY_IS_MATCH, false, "spf-softfail+alignment-fail", "7.23" },
	{ SPF_SOFTFAIL, KEY_IS_MISMATCH, false, "spf-softfail+dkim-mismatch+alignment-fail",
	    "7.23" },
	{ SPF_SOFTFAIL, KEY_IS_ABSENT, false, "spf-softfail+dkim-absent+alignment-fail",
	    "7.23" },
	{ SPF_SOFTFAIL, KEY_IS_DOWN, false, "spf-softfail+dkim-dns+alignment-fail", "7.23" },
	{ SPF_PERMERROR, KEY_IS_MATCH, false, "spf-permerror+alignment-fail", "7.24" },
	{ SPF_PERMERROR, KEY_IS_MISMATCH, false, "spf-permerror+dkim-mismatch+alignment-fail",
	    "7.24" },
	{ SPF_PERMERROR, KEY_IS_ABSENT, false, "spf-permerror+dkim-absent+alignment-fail",
	    "7.24" },
	{ SPF_PERMERROR, KEY_IS_DOWN, false, "spf-permerror+dkim-dns+alignment-fail", "7.24" },
	{ SPF_TEMPERROR, KEY_IS_MATCH, false, "spf-temperror+alignment-fail", "7.26" },
	{ SPF_TEMPERROR, KEY_IS_MISMATCH, false, "spf-temperror+dkim-mismatch+alignment-fail",
	    "7.20" },
	{ SPF_TEMPERROR, KEY_IS_ABSENT, false, "spf-temperror+dkim-absent+alignment-fail",
	    "7.20" },
	{ SPF_TEMPERROR, KEY_IS_DOWN, false, "spf-temperror+dkim-dns+alignment-fail", "7.26" },
	{ SPF_NONE, KEY_IS_MATCH, false, "spf-none+alignment-fail", "7.23" },
	{ SPF_NONE, KEY_IS_MISMATCH, false, "spf-none+dkim-mismatch+alignment-fail", "7.23" },
	{ SPF_NONE, KEY_IS_ABSENT, false, "spf-none+dkim-absent+alignment-fail", "7.23" },
	{ SPF_NONE, KEY_IS_DOWN, false, "spf-none+dkim-dns+alignment-fail", "7.23" },
};

#define SIGNATURE(d, s)                                             \
	"DKIM-Signature: v=1; a=ed25519-sha256; d=" d ";\r\n\ts=" s \
	"; h=From; bh=eA==; b=eA==\r\n"
#define MESSAGE SIGNATURE("example.com", "e") "From: a@sub.example.com\r\n\r\nhi\r\n"

struct rig {
	struct watch_fixture w;
	struct link_fixture f;
};

static void
set_domain(struct dns_table *dns, const struct watch_fixture *w, const struct matrix_case *c)
{
	const char *const keys[] = {
		[KEY_IS_MATCH] = w->record_e,
		[KEY_IS_MISMATCH] = w->record_r,
		[KEY_IS_ABSENT] = NULL,
		[KEY_IS_DOWN] = DNS_ROW_TEMPFAIL,
	};

	dns_table_set(dns, "example.com", DNS_TXT, spf_records[c->spf]);
	dns_table_set(dns, "e._domainkey.example.com", DNS_TXT, keys[c->key]);
	dns_table_set(dns, "_dmarc.sub.example.com", DNS_TXT,
	    c->aligned ? "v=DMARC1; p=reject" : "v=DMARC1; p=reject; adkim=s; aspf=s");
	dns_table_set(dns, "_dmarc.example.com", DNS_TXT, "v=DMARC1; p=none");
}

static void
rig_open(struct rig *r, const char *settings, const struct matrix_case *c)
{
	watch_fixture_open(&r->w);
	r->w.config.egress_count = 1;
	watch_fixture_restart(&r->w);
	set_domain(r->w.dns, &r->w, c);
	assert_null(domain_watch_take(r->w.watch, "sub.example.com"));
	domain_watch_refresh(r->w.watch, NULL);
	const struct link_env env = {
		.hostname = "gate.example.net", .keyring = r->w.ring, .watch = r->w.watch
	};
	link_fixture_open_env(&r->f, &link_preflight, settings, &env);
	assert_non_null(r->f.chain);
	r->f.facts.reverse_path = "a@example.com";
	r->f.facts.mail.path.local = VIEW("a");
	r->f.facts.mail.path.domain = VIEW("example.com");
}

static void
rig_close(struct rig *r)
{
	link_fixture_close(&r->f);
	watch_fixture_close(&r->w);
}

static long
counted(const char *finding, const char *action)
{
	struct buf out;
	char line[160];
	long value = 0;

	buf_init(&out, 1 << 20);
	assert_true(metrics_print(&out) && buf_add_char(&out, '\0'));
	snprintf(line, sizeof(line), "gatepost_preflight_total{finding=\"%s\",action=\"%s\"} ",
	    finding, action);
	const char *at = strstr(out.p, line);
	if (at != NULL)
		value = strtol(at + strlen(line), NULL, 10);
	buf_finish(&out);
	return value;
}

static const char *const finding_names[] = { "spf-fail", "spf-softfail", "spf-permerror",
	"spf-temperror", "spf-none", "dkim-mismatch", "dkim-absent", "dkim-dns",
	"alignment-fail", "alignment-dns" };

static bool
has_name(const char *findings, const char *name)
{
	const char *at = strstr(findings, name);

	return at != NULL && (at[strlen(name)] == '+' || at[strlen(name)] == '\0');
}

/* The header field of the action warn: the names, and a sentence for each. */
static void
assert_header(const struct message *m, const struct matrix_case *c)
{
	const size_t at = message_find(m, "X-Preflight", 0);

	if (c->findings[0] == '\0') {
		assert_int_equal(at, SIZE_MAX);
		return;
	}
	assert_int_equal(at, 0);
	char value[4096];
	assert_true(view_copy(message_field(m, at)->body, value, sizeof(value)));
	for (size_t i = 0; i < ARRAY_LEN(finding_names); i++) {
		char sentence[64];

		snprintf(sentence, sizeof(sentence), ";\r\n\t%s: ", finding_names[i]);
		if ((strstr(value, sentence) != NULL) !=
		    has_name(c->findings, finding_names[i]))
			fail_msg("%s: %s", c->findings, value);
	}
}

struct run {
	const char *settings;
	const char *action; /* for metrics, of a message with findings that decides */
	int code;	    /* of a problem */
	int dns_code;	    /* of nothing but DNS findings */
	char class;
};

static const struct run runs[] = {
	{ "", "observe", 0, 0, 0 },
	{ "action = \"warn\";", "warn", 0, 0, 0 },
	{ "action = \"defer\";", "defer", 451, 0, '4' },
	{ "action = \"reject\";", "reject", 550, 0, '5' },
	{ "action = \"reject\"; on_dns_failure = \"defer\";", "reject", 550, 451, '5' },
	{ "action = \"observe\"; on_dns_failure = \"defer\";", "observe", 0, 0, 0 },
};

/* What must come of that row of the matrix in that run. */
static int
expected_code(const struct matrix_case *c, const struct run *run)
{
	if (c->status[0] != '\0')
		return run->code;
	return c->findings[0] != '\0' ? run->dns_code : 0;
}

static const char *
expected_action(const struct matrix_case *c, const struct run *run)
{
	if (c->findings[0] == '\0')
		return "pass";
	if (run->code == 0 || c->status[0] != '\0')
		return run->action;
	return run->dns_code != 0 ? "defer" : "pass";
}

static void
assert_refusal(const struct matrix_case *c, const struct run *run, const struct smtp_reply *r)
{
	char status[12];

	if (c->status[0] != '\0')
		snprintf(status, sizeof(status), "%c.%s", run->class, c->status);
	else
		snprintf(status, sizeof(status), "4.4.3");
	assert_string_equal(r->enhanced, status);
	for (size_t i = 0; i < ARRAY_LEN(finding_names); i++) {
		/* the first one is said in words, the others by name */
		if (has_name(c->findings, finding_names[i]) &&
		    strstr(c->findings, finding_names[i]) != c->findings &&
		    c->status[0] != '\0' && strstr(r->text, "(also: ") == NULL)
			fail_msg("%s: %s", c->findings, r->text);
	}
}

static void
check_cell(const struct matrix_case *c, const struct run *run)
{
	const char *action = expected_action(c, run);
	const char *one = c->findings[0] != '\0' ? NULL : "none";
	struct rig r;
	char note[160];

	for (size_t i = 0; one == NULL; i++) {
		if (has_name(c->findings, finding_names[i]))
			one = finding_names[i];
	}
	const long before = counted(one, action);
	rig_open(&r, run->settings, c);
	const size_t asked = r.w.dns->query_count;
	const int code = link_fixture_message(&r.f, MESSAGE);
	if (code != expected_code(c, run))
		fail_msg("%s, %s: %d %s", c->findings, run->settings, code, r.f.reply.text);
	snprintf(note, sizeof(note), "%s%s", c->findings[0] != '\0' ? "preflight=" : "",
	    c->findings);
	const struct view notes = chain_run_notes(r.f.run);
	if (!view_eq(notes, view_of(note)))
		fail_msg("%s: noted %.*s", c->findings, VIEW_ARG(notes));
	if (code != 0)
		assert_refusal(c, run, &r.f.reply);
	else if (strcmp(run->action, "warn") == 0)
		assert_header(r.f.message, c);
	else
		assert_message_is(r.f.message, MESSAGE);
	assert_int_equal(counted(one, action), before + 1);
	assert_int_equal(r.w.dns->query_count, asked); /* DNS is never on the path of mail */
	rig_close(&r);
}

static void
test_the_matrix(void **state)
{
	(void)state;
	assert_int_equal(ARRAY_LEN(matrix), 6 * 4 * 2);
	for (size_t i = 0; i < ARRAY_LEN(matrix); i++) {
		for (size_t j = 0; j < ARRAY_LEN(runs); j++)
			check_cell(&matrix[i], &runs[j]);
	}
}

/* ---- the words ---- */

static const struct matrix_case all_well = { SPF_PASS, KEY_IS_MATCH, true, "", "" };

struct word_case {
	const char *name;
	struct matrix_case domain;
	const char *settings, *from_path, *message;
	int code;
	const char *text[3]; /* in the reply, or for code 0 in the notes */
};

#define REJECT	"action = \"reject\"; "
#define FROM(a) "From: " a "\r\n\r\nhi\r\n"

static const struct word_case words[] = {
	{ "SPF: what to add", { SPF_FAIL, KEY_IS_MATCH, true, "", "" }, REJECT, NULL, MESSAGE,
	    550,
	    { "example.com does not authorise 192.0.2.1, from which this mail would leave: "
	      "add ip4:192.0.2.1 to the SPF record of example.com" } },
	{ "SPF: a record to publish", { SPF_NONE, KEY_IS_MATCH, true, "", "" }, REJECT, NULL,
	    MESSAGE, 550,
	    { "publish the TXT record \"v=spf1 ip4:192.0.2.1 ~all\" at example.com" } },
	{ "SPF: what is wrong", { SPF_PERMERROR, KEY_IS_MATCH, true, "", "" }, REJECT, NULL,
	    MESSAGE, 550,
	    { "SPF of example.com is in error (in the record of example.com: \"bogus\": " } },
	{ "SPF: softfail says so", { SPF_SOFTFAIL, KEY_IS_MATCH, true, "", "" }, REJECT, NULL,
	    MESSAGE, 550, { "does not authorise 192.0.2.1 (softfail)" } },
	{ "a key: the whole record", { SPF_PASS, KEY_IS_ABSENT, true, "", "" }, REJECT, NULL,
	    MESSAGE, 550,
	    { "publish it at e._domainkey.example.com", "IN TXT", "k=ed25519; p=11qYAYKx" } },
	{ "a key: what is published instead", { SPF_PASS, KEY_IS_MISMATCH, true, "", "" },
	    REJECT, NULL, MESSAGE, 550, { "of another type" } },
	{ "what else was found", { SPF_FAIL, KEY_IS_ABSENT, true, "", "" }, REJECT, NULL,
	    MESSAGE, 550, { "(also: dkim-absent, alignment-fail)" } },
	{ "not aligned", { SPF_PASS, KEY_IS_MATCH, false, "", "" }, REJECT, NULL, MESSAGE, 550,
	    { "this mail would fail DMARC: neither SPF of example.com nor a signature passes "
	      "for "
	      "sub.example.com" } },
	{ "unsigned", { SPF_PASS, KEY_IS_MATCH, true, "", "" }, REJECT, NULL,
	    FROM("a@example.com"), 550,
	    { "no key of this server signs mail from example.com" } },
	{ "a foreign signature is none of ours", { SPF_PASS, KEY_IS_MATCH, true, "", "" },
	    REJECT, NULL, SIGNATURE("other.example", "e") FROM("a@example.com"), 550,
	    { "no key of this server" } },
	{ "a selector that is none of ours", { SPF_PASS, KEY_IS_MATCH, true, "", "" }, REJECT,
	    NULL, SIGNATURE("example.com", "x") FROM("a@example.com"), 550,
	    { "no key of this server" } },
	{ "one confirmed signature is enough", { SPF_PASS, KEY_IS_MATCH, true, "", "" }, REJECT,
	    NULL, SIGNATURE("example.com", "r") MESSAGE, 0, { "" } },
	{ "a malformed signature counts for nothing", { SPF_PASS, KEY_IS_MATCH, true, "", "" },
	    REJECT, NULL, "DKIM-Signature: d=example.com; d\r\n" MESSAGE, 0, { "" } },
	{ "no DMARC record", { SPF_PASS, KEY_IS_MATCH, true, "", "" }, REJECT, NULL,
	    SIGNATURE("example.com", "e") FROM("a@one.example"), 550,
	    { "publish the TXT record \"v=DMARC1; p=none\" at _dmarc.one.example" } },
	{ "only what is required counts", { SPF_FAIL, KEY_IS_ABSENT, false, "", "" },
	    REJECT "require = [ \"dmarc\" ];", NULL, MESSAGE, 0, { "" } },
	{ "one requirement alone", { SPF_FAIL, KEY_IS_MATCH, true, "", "" },
	    REJECT "require = \"spf\";", NULL, MESSAGE, 550, { "192.0.2.1" } },
	{ "the null reverse-path: our own name", { SPF_PASS, KEY_IS_MATCH, true, "", "" },
	    REJECT, "<>", MESSAGE, 0, { "preflight=spf-unknown" } },
	{ "an address literal in MAIL FROM", { SPF_PASS, KEY_IS_MATCH, true, "", "" }, REJECT,
	    "[192.0.2.9]", MESSAGE, 550, { "MAIL FROM names no domain" } },
	{ "no From", { SPF_PASS, KEY_IS_MATCH, true, "", "" }, REJECT, NULL,
	    "To: b@example.com\r\n\r\nhi\r\n", 550, { "(also: dmarc-none, alignment-fail)" } },
	{ "a domain that nobody has looked at", { SPF_PASS, KEY_IS_MATCH, true, "", "" },
	    REJECT, NULL, SIGNATURE("example.com", "e") FROM("a@new.example"), 0,
	    { "preflight=dmarc-unknown+alignment-unknown" } },
	{ "and is to be looked at first", { SPF_PASS, KEY_IS_MATCH, true, "", "" },
	    REJECT "unknown = \"defer\";", NULL,
	    SIGNATURE("example.com", "e") FROM("a@new.example"), 451,
	    { "new.example has not been looked up yet", "(also: alignment-unknown)" } },
	{ "an unknown MAIL FROM", { SPF_PASS, KEY_IS_MATCH, true, "", "" },
	    REJECT "unknown = \"defer\";", "new.example", MESSAGE, 451,
	    { "new.example has not been looked up yet" } },
};

static void
check_words(const struct word_case *c)
{
	struct rig r;
	char text[1400];

	rig_open(&r, c->settings, &c->domain);
	if (c->from_path != NULL && strcmp(c->from_path, "<>") == 0)
		r.f.facts.mail.path = (struct smtp_path){ .is_null = true };
	else if (c->from_path != NULL)
		r.f.facts.mail.path.domain = view_of(c->from_path);
	const int code = link_fixture_message(&r.f, c->message);
	const struct view notes = chain_run_notes(r.f.run);
	if (code != 0)
		snprintf(text, sizeof(text), "%s", r.f.reply.text);
	else
		snprintf(text, sizeof(text), "%.*s", VIEW_ARG(notes));
	if (code != c->code || (code == 0 && strcmp(text, c->text[0]) != 0))
		fail_msg("%s: %d %s", c->name, code, text);
	for (size_t i = 0; i < ARRAY_LEN(c->text) && c->text[i] != NULL; i++) {
		if (strstr(text, c->text[i]) == NULL)
			fail_msg("%s: %s", c->name, text);
	}
	rig_close(&r);
}

static void
test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		check_words(&words[i]);
}

/* ---- what lies beside ---- */

static void
test_old_fields_of_the_name_are_taken_off(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, "action = \"warn\"; header = \"X-Check\";", &all_well);
	assert_int_equal(link_fixture_message(&r.f, "x-check: forged\r\n" MESSAGE), 0);
	assert_message_is(r.f.message, MESSAGE);
	rig_close(&r);
}

static void
test_a_finding_is_logged_once(void **state)
{
	const struct matrix_case bad = { SPF_FAIL, KEY_IS_MATCH, true, "", "" };
	struct rig r;
	const char *log;

	(void)state;
	rig_open(&r, "", &bad);
	log_capture_begin(LEVEL_INFO);
	for (int i = 0; i < 3; i++)
		assert_int_equal(link_fixture_message(&r.f, MESSAGE), 0);
	log = log_capture_end();
	assert_int_equal(log_capture_count(log, "event=preflight.finding"), 1);
	assert_non_null(strstr(log, "domain=sub.example.com finding=spf-fail action=observe"));

	set_domain(r.w.dns, &r.w, &all_well);
	domain_watch_refresh(r.w.watch, "example.com");
	log_capture_begin(LEVEL_INFO);
	for (int i = 0; i < 3; i++)
		assert_int_equal(link_fixture_message(&r.f, MESSAGE), 0);
	log = log_capture_end();
	assert_int_equal(log_capture_count(log, "event=preflight.clear"), 1);
	assert_int_equal(log_capture_count(log, "event=preflight.finding"), 0);
	rig_close(&r);
}

static void
test_without_egress_spf_is_no_finding(void **state)
{
	const struct matrix_case bad = { SPF_FAIL, KEY_IS_MATCH, true, "", "" };
	struct rig r;

	(void)state;
	watch_fixture_open(&r.w);
	r.w.config.egress_count = 0;
	watch_fixture_restart(&r.w);
	set_domain(r.w.dns, &r.w, &bad);
	assert_null(domain_watch_take(r.w.watch, "sub.example.com"));
	domain_watch_refresh(r.w.watch, NULL);
	const struct link_env env = {
		.hostname = "gate.example.net", .keyring = r.w.ring, .watch = r.w.watch
	};
	link_fixture_open_env(&r.f, &link_preflight, REJECT, &env);
	r.f.facts.mail.path.domain = VIEW("example.com");
	assert_int_equal(link_fixture_message(&r.f, MESSAGE), 0);
	rig_close(&r);
}

static void
test_bad_settings(void **state)
{
	static const struct {
		const char *settings, *error;
	} bad[] = {
		{ "require = [ \"spf\", \"dane\" ];", "not \"dane\"" },
		{ "header = \"X Y\";", "not a field name" },
		{ "header = \"\";", "not a field name" },
		{ "action = \"drop\";", "observe, warn, defer, reject" },
	};
	struct watch_fixture w;

	(void)state;
	watch_fixture_open(&w);
	const struct link_env env = {
		.hostname = "gate.example.net", .keyring = w.ring, .watch = w.watch
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		link_fixture_refuses_env(&link_preflight, bad[i].settings, bad[i].error, &env);
	link_fixture_refuses(&link_preflight, "", "watch.enabled");
	watch_fixture_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_matrix),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_old_fields_of_the_name_are_taken_off),
		cmocka_unit_test(test_a_finding_is_logged_once),
		cmocka_unit_test(test_without_egress_spf_is_no_finding),
		cmocka_unit_test(test_bad_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
