/* SPDX-License-Identifier: MPL-2.0 */
/* See users_table.h. The texts live in the table's arena. */
#include "proxy/auth/users_table.h"

#include "lib/base/mem.h"
#include "lib/base/name_index.h"
#include "lib/mail/sender_pattern.h"
#include "proxy/auth/passwd_hash.h"

#include <stdatomic.h>

/* For a table without any hash: yescrypt with the cost that gatepost passwd takes. */
static const char default_dummy[] =
    "$y$j9T$0123456789abcdefghijk/$0123456789abcdefghijklmnopqrstuvwxyzABCDEF.";

struct users_table {
	atomic_uint references;
	struct arena arena;
	struct user *users; /* owned, count of them */
	size_t count, room;
	struct name_index index; /* by login */
	const char *dummy;
};

/* What one parse needs at hand. */
struct users_parse {
	struct users_table *table;
	enum users_form form;
	struct conf_where where;
	struct conf_errors *errors;
	size_t error_count;
};

static void
parse_error(struct users_parse *p, const char *field, const char *text)
{
	if (p->error_count++ < USERS_ERRORS_MAX)
		conf_error(p->errors, p->where, field, "%s", text);
}

bool
users_login_is_valid(struct view login)
{
	if (login.len == 0 || login.len > USERS_LOGIN_MAX || login.p[0] == '#' ||
	    view_trim(login).len != login.len)
		return false;
	for (size_t i = 0; i < login.len; i++) {
		const unsigned char c = (unsigned char)login.p[i];

		if (c < ' ' || c == 0x7f || c == ':')
			return false;
	}
	return true;
}

bool
users_login_is_address(struct view login)
{
	return view_find(login, '@') < login.len && view_find(login, '*') == login.len &&
	       sender_pattern_is_valid(login);
}

struct users_line
users_line_parse(struct view line)
{
	struct users_line out = { .is_entry = false };
	size_t colon;

	line = view_trim(line);
	if (line.len == 0 || line.p[0] == '#')
		return out;
	colon = view_find(line, ':');
	out.is_entry = true;
	out.login = view_trim(view_make(line.p, colon));
	out.has_rest = colon < line.len;
	out.rest = view_from(line, colon + 1);
	return out;
}

static struct view
login_of(const void *users, size_t number)
{
	return view_of(((const struct user *)users)[number].login);
}

/* add_user - false: the login is there already. */
static bool
add_user(struct users_table *t, const struct user *u)
{
	if (t->count == t->room) {
		t->room = t->room == 0 ? 16 : 2 * t->room;
		t->users = mem_realloc(t->users, t->room * sizeof(*t->users));
	}
	t->users[t->count] = *u;
	if (!name_index_add(&t->index, t->users))
		return false;
	t->count++;
	return true;
}

static bool
is_separator(char c)
{
	return c == ',' || c == ' ' || c == '\t';
}

/* next_pattern - cut one off; blanks and commas inside quotes belong to it. */
static bool
next_pattern(struct view *rest, struct view *out)
{
	bool is_quoted = false;
	size_t at = 0;

	while (rest->len > 0 && is_separator(rest->p[0]))
		*rest = view_from(*rest, 1);
	while (at < rest->len && (is_quoted || !is_separator(rest->p[at]))) {
		if (rest->p[at] == '"')
			is_quoted = !is_quoted;
		else if (rest->p[at] == '\\' && is_quoted && at + 1 < rest->len)
			at++;
		at++;
	}
	*out = view_make(rest->p, at);
	*rest = view_from(*rest, at);
	return at > 0;
}

static size_t
count_patterns(struct view text)
{
	struct view pattern;
	size_t count = 0;

	while (next_pattern(&text, &pattern))
		count++;
	return count;
}

static bool
parse_patterns(struct users_parse *p, struct view text, struct user *u)
{
	struct view pattern = view_of(u->login);
	const size_t count = count_patterns(text);
	const char **patterns;

	if (count > USERS_PATTERNS_MAX) {
		parse_error(p, "patterns", "there are more than 1000");
		return false;
	}
	if (count == 0 && !users_login_is_address(pattern)) {
		parse_error(p, "patterns",
		    "must be given, since the login is not an address that could stand for "
		    "itself");
		return false;
	}
	patterns = arena_alloc(&p->table->arena, (count + 1) * sizeof(*patterns));
	while (count == 0 || next_pattern(&text, &pattern)) {
		if (!sender_pattern_is_valid(pattern)) {
			parse_error(p, "patterns",
			    arena_printf(&p->errors->arena,
				"\"%.*s\" is not an address pattern", VIEW_ARG(pattern)));
			return false;
		}
		patterns[u->pattern_count++] = arena_strdup(&p->table->arena, pattern);
		if (count == 0)
			break;
	}
	u->patterns = patterns;
	return true;
}

/* parse_hash - and cut it off *rest. The hash itself never stands in an error. */
static bool
parse_hash(struct users_parse *p, struct view *rest, struct user *u)
{
	const size_t colon = view_find(*rest, ':');
	const struct view hash = view_trim(view_make(rest->p, colon));
	struct err err = { .kind = ERR_NONE };

	if (colon == rest->len) {
		parse_error(p, "line", "needs three fields: login:hash:patterns");
		return false;
	}
	*rest = view_from(*rest, colon + 1);
	if (!passwd_hash_is_locked(hash) && !passwd_hash_is_sound(hash, &err)) {
		parse_error(p, "hash", err.text);
		return false;
	}
	u->hash = arena_strdup(&p->table->arena, hash);
	return true;
}

static void
parse_entry(struct users_parse *p, const struct users_line *line)
{
	struct view rest = line->rest;
	struct user u = { .hash = "" };

	if (!users_login_is_valid(line->login)) {
		parse_error(p, "login", "is empty, too long, or has a control character");
		return;
	}
	if (!line->has_rest) {
		parse_error(p, "line",
		    p->form == USERS_WITH_HASH ? "needs three fields: login:hash:patterns"
					       : "needs two fields: login:patterns");
		return;
	}
	u.login = arena_strdup(&p->table->arena, line->login);
	if (p->form == USERS_WITH_HASH && !parse_hash(p, &rest, &u))
		return;
	if (!parse_patterns(p, rest, &u))
		return;
	if (!add_user(p->table, &u))
		parse_error(p, "login",
		    arena_printf(&p->errors->arena, "\"%s\" is there twice", u.login));
}

static void
parse_line(struct users_parse *p, struct view text)
{
	struct users_line line;

	if (text.len > USERS_LINE_MAX) {
		parse_error(p, "line", "is over 16384 octets long");
		return;
	}
	if (view_find(text, '\0') < text.len) {
		parse_error(p, "line", "has a NUL octet");
		return;
	}
	line = users_line_parse(text);
	if (line.is_entry)
		parse_entry(p, &line);
}

/*
 * choose_dummy - the commonest cost, by a vote over the few that there are. More than
 * ARRAY_LEN(costs) of them: the rest does not vote.
 */
static void
choose_dummy(struct users_table *t)
{
	struct {
		struct view head;
		size_t votes;
		const char *hash;
	} costs[16];
	size_t count = 0, most = 0;

	t->dummy = default_dummy;
	for (size_t i = 0; i < t->count; i++) {
		const struct view hash = view_of(t->users[i].hash);
		const struct view head = passwd_hash_cost(hash);
		size_t at = 0;

		if (hash.len == 0 || passwd_hash_is_locked(hash))
			continue;
		while (at < count && !view_eq(costs[at].head, head))
			at++;
		if (at == ARRAY_LEN(costs))
			continue;
		if (at == count) {
			costs[count].head = head;
			costs[count].votes = 0;
			costs[count++].hash = t->users[i].hash;
		}
		if (++costs[at].votes > most) {
			most = costs[at].votes;
			t->dummy = costs[at].hash;
		}
	}
}

struct users_table *
users_table_parse(
    const char *file, struct view text, enum users_form form, struct conf_errors *errors)
{
	struct users_parse p = { .form = form, .where = { .file = file }, .errors = errors };
	struct view line;

	p.table = mem_calloc(1, sizeof(*p.table));
	atomic_init(&p.table->references, 1);
	arena_init(&p.table->arena);
	name_index_init(&p.table->index, login_of);
	if (text.len > USERS_FILE_MAX) {
		parse_error(&p, "file", "is over 64 MiB");
		text.len = 0;
	}
	while (view_split(&text, '\n', &line)) {
		p.where.line++;
		parse_line(&p, line);
	}
	if (p.error_count > 0)
		users_table_unref(&p.table);
	else
		choose_dummy(p.table);
	return p.table;
}

struct users_table *
users_table_ref(struct users_table *t)
{
	atomic_fetch_add(&t->references, 1);
	return t;
}

void
users_table_unref(struct users_table **t)
{
	if (*t != NULL && atomic_fetch_sub(&(*t)->references, 1) == 1) {
		arena_finish(&(*t)->arena);
		mem_free((*t)->users);
		name_index_finish(&(*t)->index);
		mem_free(*t);
	}
	*t = NULL;
}

const struct user *
users_table_find(const struct users_table *t, struct view login)
{
	const size_t number = name_index_find(&t->index, t->users, login);

	return number != SIZE_MAX ? &t->users[number] : NULL;
}

size_t
users_table_count(const struct users_table *t)
{
	return t->count;
}

const struct user *
users_table_get(const struct users_table *t, size_t i)
{
	if (i >= t->count)
		BUG("user %zu of %zu", i, t->count);
	return &t->users[i];
}

const char *
users_table_dummy(const struct users_table *t)
{
	return t->dummy;
}

void
users_identify(const struct user *u, struct arena *arena, struct identity *identity)
{
	const char **patterns = arena_alloc(arena, u->pattern_count * sizeof(*patterns));

	for (size_t i = 0; i < u->pattern_count; i++)
		patterns[i] = arena_strdup(arena, view_of(u->patterns[i]));
	identity->login = arena_strdup(arena, view_of(u->login));
	identity->patterns = patterns;
	identity->pattern_count = u->pattern_count;
}
