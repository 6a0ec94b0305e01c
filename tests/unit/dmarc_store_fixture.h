/* SPDX-License-Identifier: MPL-2.0 */
/* For unit tests of the store of DMARC results: rows, and what a reader finds. Include behind
 * cmocka.h. */
#ifndef GATEPOST_TESTS_DMARC_STORE_FIXTURE_H
#define GATEPOST_TESTS_DMARC_STORE_FIXTURE_H

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/domain/dmarc_store.h"
#include "lib/domain/dmarc_store_read.h"

#include <dirent.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY 20781 /* 2026-11-24 */
#define AT  (DAY * INT64_C(86400) + 3600)

struct place {
	char folder[64], file[96];
};

/* What a message was judged to be, to begin with. */
struct sample {
	struct dmarc_outcome outcome;
	struct authres results[20];
	struct dmarc_store_row row;
};

static inline struct authres
dkim(enum authres_result result, const char *domain, const char *selector, const char *reason)
{
	return (struct authres){ .method = AUTHRES_DKIM,
		.result = result,
		.domain = domain,
		.is_for_dmarc = true,
		.reason = reason,
		.properties = { { "header", "d", domain }, { "header", "s", selector } },
		.property_count = 2 };
}

static inline void
sample_init(struct sample *s)
{
	static const struct dmarc_record record = { .p = DMARC_P_REJECT,
		.has_p = true,
		.sp = DMARC_P_QUARANTINE,
		.has_sp = true,
		.adkim_strict = true,
		.rua = { "mailto:d@example.com" },
		.rua_count = 1 };

	*s = (struct sample){ 0 };
	s->outcome.result = AUTHRES_PASS;
	s->outcome.from_domain = "mail.example.com";
	s->outcome.spf_aligned = true;
	s->outcome.found = (struct dmarc_policy_found){ .status = DMARC_FOUND,
		.record = record,
		.policy_domain = "example.com",
		.organizational_domain = "example.com" };
	s->results[0] = (struct authres){ .method = AUTHRES_SPF,
		.result = AUTHRES_PASS,
		.domain = "bounces.example.com",
		.is_for_dmarc = true };
	s->results[1] = dkim(AUTHRES_FAIL, "example.org", "s1", "the body was changed");
	s->row = (struct dmarc_store_row){ .at = AT,
		.client = "192.0.2.1",
		.outcome = &s->outcome,
		.disposition = "pass",
		.envelope_from = "bounces.example.com",
		.envelope_to = "here.example.net",
		.results = s->results,
		.result_count = 2 };
}

static inline struct dmarc_store *
open_store(const struct place *p)
{
	struct err err = { 0 };
	struct dmarc_store *s = dmarc_store_open(p->file, &err);

	assert_non_null(s);
	return s;
}

static inline struct dmarc_reader *
open_reader(const struct place *p)
{
	struct err err = { 0 };
	struct dmarc_reader *r = dmarc_reader_open(p->file, &err);

	if (r == NULL)
		fail_msg("reader: %s", err.text);
	return r;
}

/* wait_until - a condition on the counts, for ten seconds at most. */
enum awaited { ALL_WRITTEN, FAILING, WORKING };

static inline void
wait_until(struct dmarc_store *s, enum awaited what)
{
	for (int i = 0; i < 1000; i++) {
		struct dmarc_store_counts c;

		dmarc_store_count(s, &c);
		if ((what == ALL_WRITTEN && c.queued == 0) ||
		    (what == FAILING && c.is_failing) || (what == WORKING && !c.is_failing))
			return;
		usleep(10000);
	}
	fail_msg("the store never came so far");
}

/* Gathers what a reader hands out. */
struct gathered {
	size_t domains, rows;
	int64_t messages;
	char text[8192];
};

static inline bool
gather_row(void *context, const struct dmarc_group *row)
{
	struct gathered *g = context;
	size_t len = strlen(g->text);

	g->rows++;
	g->messages += row->count;
	len += (size_t)snprintf(g->text + len, sizeof(g->text) - len,
	    "%lld %s %s %s %s/%s [%s: %s] %s>%s;", (long long)row->count, row->source_ip,
	    row->header_from, row->disposition, row->dkim_aligned, row->spf_aligned,
	    row->override_type, row->override_comment, row->envelope_from, row->envelope_to);
	for (size_t i = 0; i < row->spf_count + row->dkim_count; i++) {
		const struct dmarc_check *c =
		    i < row->spf_count ? &row->spf : &row->dkim[i - row->spf_count];

		if (len >= sizeof(g->text))
			break;
		len += (size_t)snprintf(g->text + len, sizeof(g->text) - len, " %s/%s=%s(%s)",
		    c->domain, c->selector, c->result, c->why);
	}
	return true;
}

static inline struct gathered
rows_of(const struct place *p, int64_t day, const char *domain)
{
	struct dmarc_reader *r = open_reader(p);
	struct gathered g = { 0 };
	struct err err = { 0 };

	assert_true(dmarc_reader_each_row(r, day, domain, gather_row, &g, &err));
	dmarc_reader_close(&r);
	return g;
}

#define CASE(name, test)                                \
	{                                               \
		(name), (test), set_up, tear_down, NULL \
	}

static inline int
set_up(void **state)
{
	struct place *p = mem_calloc(1, sizeof(*p));

	snprintf(p->folder, sizeof(p->folder), "/tmp/gatepost-dmarc-XXXXXX");
	if (mkdtemp(p->folder) == NULL)
		return -1;
	snprintf(p->file, sizeof(p->file), "%s/dmarc.sqlite", p->folder);
	*state = p;
	return 0;
}

static inline int
tear_down(void **state)
{
	struct place *p = *state;
	DIR *folder;

	(void)chmod(p->folder, 0700);
	folder = opendir(p->folder);
	for (struct dirent *e; folder != NULL && (e = readdir(folder)) != NULL;)
		(void)unlinkat(dirfd(folder), e->d_name, 0);
	closedir(folder);
	rmdir(p->folder);
	mem_free(p);
	return 0;
}

#endif
