/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Fuzz the users file: what parses can be found, each login under its name, with patterns that
 * are patterns; and an edit changes one login and no other.
 */
#include "lib/base/buf.h"
#include "lib/mail/sender_pattern.h"
#include "proxy/auth/users_edit.h"
#include "proxy/auth/users_table.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool is_so)
{
	if (!is_so)
		abort();
}

static struct users_table *
parse(struct view text, enum users_form form)
{
	struct conf_errors errors;
	struct users_table *t;

	conf_errors_init(&errors);
	t = users_table_parse("users", text, form, &errors);
	require((t == NULL) == (errors.count > 0));
	conf_errors_finish(&errors);
	return t;
}

static void
check_table(const struct users_table *t)
{
	for (size_t i = 0; i < users_table_count(t); i++) {
		const struct user *u = users_table_get(t, i);

		require(users_login_is_valid(view_of(u->login)));
		require(users_table_find(t, view_of(u->login)) == u);
		require(u->pattern_count > 0 && u->pattern_count <= USERS_PATTERNS_MAX);
		for (size_t k = 0; k < u->pattern_count; k++)
			require(sender_pattern_is_valid(view_of(u->patterns[k])));
	}
}

static void
check_same(const struct user *a, const struct user *b)
{
	require(a != NULL && b != NULL && strcmp(a->login, b->login) == 0);
	require(strcmp(a->hash, b->hash) == 0 && a->pattern_count == b->pattern_count);
	for (size_t i = 0; i < a->pattern_count; i++)
		require(strcmp(a->patterns[i], b->patterns[i]) == 0);
}

/* check_others - every login but one is in both tables, and the same. */
static void
check_others(const struct users_table *before, const struct users_table *after, struct view but)
{
	for (size_t i = 0; i < users_table_count(before); i++) {
		const struct user *u = users_table_get(before, i);

		if (!view_eq_nocase(view_of(u->login), but))
			check_same(u, users_table_find(after, view_of(u->login)));
	}
}

static void
check_edit(struct view text, const struct users_table *before, struct users_change change)
{
	struct users_table *after;
	struct buf out;
	bool was_there;

	buf_init(&out, 1 << 20);
	require(users_edit_text(text, &change, &out, &was_there));
	require(was_there == (users_table_find(before, change.login) != NULL));
	after = parse(buf_view(&out), USERS_WITH_HASH);
	require(after != NULL);
	check_others(before, after, change.login);
	check_others(after, before, change.login);
	require((users_table_find(after, change.login) == NULL) == change.is_delete);
	users_table_unref(&after);
	buf_finish(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct view text = view_make((const char *)data, size);
	struct users_change change = { .login = VIEW("new@x.example"), .hash = "*" };
	struct users_table *t = parse(text, USERS_PATTERNS_ONLY);

	if (t != NULL)
		check_table(t);
	users_table_unref(&t);
	t = parse(text, USERS_WITH_HASH);
	if (t != NULL) {
		check_table(t);
		check_edit(text, t, change);
		if (users_table_count(t) > 0)
			change.login = view_of(users_table_get(t, 0)->login);
		check_edit(text, t, change);
		change.is_delete = true;
		check_edit(text, t, change);
	}
	users_table_unref(&t);
	return 0;
}
