/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Does a foreign Authentication-Results field claim to be ours? Programs behind us read such
 * fields in many ways: by the grammar, by a pattern, after taking comments, quotes or blanks
 * out, after decoding. So this does not parse: it looks for our name, as a word, in the part of
 * the field that can hold the authserv-id, under all of these readings at once:
 *
 *   quotes and backslashes  separate words | are not there
 *   blanks, folds, controls separate words | are not there
 *   comments                hold words     | are not there
 *
 * with %HH decoded, final and doubled dots ignored, U-labels as A-labels, a label "xn--abc-" as
 * "abc", and digits behind the name (a version that lost its blank) ignored.
 *
 * The part that can hold the authserv-id ends at the first semicolon, when nobody can be of two
 * minds about that: no quotes or backslashes, only comments without a comment in them.
 * Otherwise it is the whole field.
 *
 * Ours in doubt: a field whose authserv-id nobody can read (missing, malformed), encoded words
 * (RFC 2047, which some decode in any field), non-ASCII words that are no domain name (others
 * may map them to one), endless words.
 */
#include "lib/mail/authres_field.h"

#include "lib/mail/domain_name.h"

#define WORD_MAX 1024 /* octets; a name is far shorter */

struct reading {
	bool quotes_vanish, blanks_vanish, comments_vanish;
	const char *id;
	char word[WORD_MAX];
	size_t len;
	bool overlong;
};

static bool
is_blank(char c)
{
	return (unsigned char)c <= ' ' || c == 127;
}

static bool
is_word_char(char c)
{
	return ascii_is_alnum(c) || (unsigned char)c > 127 || c == '-' || c == '_' || c == '.';
}

/* %HH, also of "%" itself ("%256d"): decoded in place until nothing is left to decode. */
static size_t
decode_percent(char *text, size_t len)
{
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		text[out++] = text[i];
		/* What was just completed may complete another one: hence while. */
		while (out >= 3 && text[out - 3] == '%' &&
		       ascii_hex_value(text[out - 2]) >= 0 &&
		       ascii_hex_value(text[out - 1]) >= 0) {
			int value = ascii_hex_value(text[out - 2]) * 16 +
				    ascii_hex_value(text[out - 1]);

			text[out - 3] = (char)value;
			out -= 2;
		}
	}
	return out;
}

/* "xn--mx-" says "mx" to whoever decodes it without looking back. */
static struct view
label_plain(struct view label)
{
	bool is_odd = view_starts_nocase(label, VIEW("xn--")) && label.len > 5 &&
		      label.p[label.len - 1] == '-';

	return is_odd ? view_make(label.p + 4, label.len - 5) : label;
}

/* The word without empty labels and odd ones. Room as large as the word is enough. */
static struct view
word_tidy(struct view word, char *out)
{
	struct view rest = word, label;
	size_t len = 0;

	while (view_split(&rest, '.', &label)) {
		label = label_plain(label);
		if (label.len == 0)
			continue;
		if (len > 0)
			out[len++] = '.';
		memmove(out + len, label.p, label.len);
		len += label.len;
	}
	return view_make(out, len);
}

static bool
is_ascii(struct view v)
{
	for (size_t i = 0; i < v.len; i++) {
		if ((unsigned char)v.p[i] > 127)
			return false;
	}
	return true;
}

static bool
word_is_id(struct reading *r)
{
	char domain[DOMAIN_NAME_MAX], tidy[WORD_MAX];
	const struct view word = word_tidy(view_make(r->word, r->len), tidy);
	const struct view id = view_of(r->id);

	if (r->overlong)
		return true; /* nobody has such a name; who knows what is made of it */
	if (word.len == 0)
		return false;
	if (!is_ascii(word))
		return !domain_to_ascii(word, domain) || strcmp(domain, r->id) == 0;
	if (!view_starts_nocase(word, id))
		return false;
	for (size_t i = id.len; i < word.len; i++) {
		if (!ascii_is_digit(word.p[i]))
			return false;
	}
	return true;
}

/* The word that was read until here. */
static bool
word_end(struct reading *r)
{
	bool is_id = word_is_id(r);

	r->len = 0;
	r->overlong = false;
	return is_id;
}

/* Behind the comment at text[at], or at when it has no end. */
static size_t
comment_end(struct view text, size_t at)
{
	size_t depth = 0;

	for (size_t i = at; i < text.len; i++) {
		if (text.p[i] == '\\')
			i++;
		else if (text.p[i] == '(')
			depth++;
		else if (text.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return at;
}

static bool
vanishes(const struct reading *r, char c)
{
	return (r->quotes_vanish && (c == '"' || c == '\\')) ||
	       (r->blanks_vanish && is_blank(c));
}

static bool
reading_has_id(struct reading *r, struct view text)
{
	size_t no_end_from = text.len; /* comments from there on have no end: look once */

	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (r->comments_vanish && c == '(' && i < no_end_from) {
			size_t end = comment_end(text, i);

			if (end > i) {
				i = end - 1;
				continue;
			}
			no_end_from = i;
		}
		if (vanishes(r, c))
			continue;
		if (!is_word_char(c)) {
			if (word_end(r))
				return true;
		} else if (r->len < WORD_MAX) {
			r->word[r->len++] = c;
		} else {
			r->overlong = true;
		}
	}
	return word_end(r);
}

static bool
any_reading_has_id(struct view text, const char *id)
{
	for (unsigned i = 0; i < 8; i++) {
		struct reading r = {
			.quotes_vanish = (i & 1) != 0,
			.blanks_vanish = (i & 2) != 0,
			.comments_vanish = (i & 4) != 0,
			.id = id,
		};

		if (reading_has_id(&r, text))
			return true;
	}
	return false;
}

/* Up to the first semicolon, or all of it: see above. */
static struct view
head_of(struct view value)
{
	struct view head = view_make(value.p, view_find(value, ';'));
	bool in_comment = false;

	for (size_t i = 0; i < head.len; i++) {
		char c = head.p[i];

		if (c == '"' || c == '\\' || (c == '(' && in_comment) ||
		    (c == ')' && !in_comment))
			return value;
		if (c == '(' || c == ')')
			in_comment = c == '(';
	}
	return in_comment ? value : head;
}

static bool
has_encoded_word(struct view head)
{
	for (size_t i = 0; i + 1 < head.len; i++) {
		if (head.p[i] == '=' && head.p[i + 1] == '?')
			return true;
	}
	return false;
}

bool
authres_field_is_claim(struct view value, const char *id)
{
	struct authres_reading reading;
	struct arena arena;
	bool is_claim;

	arena_init(&arena);
	const struct view head = head_of(value);
	char *text = arena_strdup(&arena, head);
	size_t len = decode_percent(text, head.len);

	is_claim = has_encoded_word(head) || !authres_field_read(head, &arena, &reading) ||
		   any_reading_has_id(view_make(text, len), id);
	arena_finish(&arena);
	return is_claim;
}
