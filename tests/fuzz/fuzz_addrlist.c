/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Address lists. Invariants: a parsed address, written again, parses to that same single
 * mailbox; each domain is its own A-label form; the list twice over has each mailbox twice; and
 * in a list without quotes, comments, literals and routes each mailbox has one at sign, counted
 * by hand.
 */
#include "lib/mail/addrlist.h"
#include "lib/mail/domain_name.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static void
check_same(const struct mailbox *a, const struct mailbox *b)
{
	check(strcmp(a->local, b->local) == 0, "the local part is the same");
	check(strcmp(a->domain, b->domain) == 0, "the domain is the same");
	check(strcmp(a->address, b->address) == 0, "the address is the same");
}

static void
check_mailbox(const struct mailbox *m, struct arena *arena)
{
	struct mailbox *again = NULL;
	char domain[DOMAIN_NAME_MAX];
	size_t count = 0, offset = 0;

	check(strpbrk(m->local, "\r\n") == NULL, "no line end in a local part");
	check(
	    addrlist_parse(view_of(m->address), arena, &again, &count, &offset) == ADDRLIST_OK,
	    "the address parses again");
	check(count == 1, "to one mailbox");
	check_same(m, again);
	check(m->is_unusual || !again->is_unusual, "writing makes nothing unusual");
	if (m->domain[0] == '[')
		return;
	check(domain_to_ascii(view_of(m->domain), domain), "the domain is one");
	check(strcmp(domain, m->domain) == 0, "in its one form");
}

static void
check_count_of_at_signs(struct view in, size_t count)
{
	size_t at_signs = 0;

	for (size_t i = 0; i < in.len; i++) {
		if (strchr("\"([:", in.p[i]) != NULL)
			return;
		at_signs += in.p[i] == '@';
	}
	check(at_signs == count, "one at sign a mailbox");
}

static void
check_twice(struct view in, const struct mailbox *list, size_t count, struct arena *arena)
{
	struct mailbox *twice = NULL;
	size_t twice_count = 0, offset = 0;
	char *text = arena_alloc(arena, 2 * in.len + 1);

	memcpy(text, in.p, in.len);
	text[in.len] = ',';
	memcpy(text + in.len + 1, in.p, in.len);
	enum addrlist_status status = addrlist_parse(
	    view_make(text, 2 * in.len + 1), arena, &twice, &twice_count, &offset);
	if (2 * count > ADDRLIST_MAX) {
		check(status == ADDRLIST_TOO_MANY, "twice as many are too many");
		return;
	}
	check(status == ADDRLIST_OK, "the list twice over parses");
	check(twice_count == 2 * count, "to each mailbox twice");
	for (size_t i = 0; i < twice_count; i++)
		check_same(&twice[i], &list[i % count]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view in = view_make((const char *)data, size);
	struct mailbox *list = NULL;
	size_t count = 0, offset = 0;
	struct arena arena;

	arena_init(&arena);
	enum addrlist_status status = addrlist_parse(in, &arena, &list, &count, &offset);
	check(
	    (status == ADDRLIST_OK) == (count > 0), "a good list has mailboxes, no other one");
	check(offset <= size, "the trouble is within the input");
	for (size_t i = 0; i < count; i++)
		check_mailbox(&list[i], &arena);
	if (status == ADDRLIST_OK) {
		check_count_of_at_signs(in, count);
		check_twice(in, list, count, &arena);
	}
	arena_finish(&arena);
	return 0;
}
