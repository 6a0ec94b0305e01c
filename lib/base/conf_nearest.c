/* SPDX-License-Identifier: MPL-2.0 */
/*
 * "Did you mean": the name that a word is a slip of. Slips are letters left out, put in,
 * changed, or exchanged with a neighbour, at most a third of the word; or the word is a
 * beginning of exactly one name. Case is ignored, and - is as good as _.
 */
#include "lib/base/conf.h"

enum { WORD_MAX = 48 };

static char
fold(char c)
{
	return c == '-' ? '_' : ascii_lower(c);
}

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;
	return least < c ? least : c;
}

/* Number of slips between a and b (optimal string alignment); both within WORD_MAX octets. */
static size_t
count_slips(struct view a, struct view b)
{
	size_t rows[3][WORD_MAX + 1]; /* of a's prefixes i - 2, i - 1, i, by turns */
	for (size_t j = 0; j <= b.len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t *now = rows[i % 3], *before = rows[(i - 1) % 3];
		const size_t *swap = rows[(i + 1) % 3];
		now[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			char ca = fold(a.p[i - 1]), cb = fold(b.p[j - 1]);
			now[j] =
			    least(before[j] + 1, now[j - 1] + 1, before[j - 1] + (ca != cb));
			if (i > 1 && j > 1 && ca == fold(b.p[j - 2]) &&
			    cb == fold(a.p[i - 2]) && swap[j - 2] + 1 < now[j])
				now[j] = swap[j - 2] + 1;
		}
	}
	return rows[a.len % 3][b.len];
}

static const char *
only_name_beginning_with(struct view word, const char *const *names, size_t count)
{
	const char *found = NULL;
	if (word.len < 3)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (!view_starts_nocase(view_of(names[i]), word))
			continue;
		if (found != NULL)
			return NULL;
		found = names[i];
	}
	return found;
}

const char *
conf_nearest(const char *word, const char *const *names, size_t count)
{
	struct view w = view_of(word);
	const char *found = NULL;
	size_t fewest = w.len < 3 ? 2 : w.len / 3 + 1; /* fewer slips than this are wanted */
	if (w.len < 2 || w.len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		struct view name = view_of(names[i]);
		if (name.len > WORD_MAX)
			continue;
		size_t slips = count_slips(w, name);
		if (slips < fewest) {
			fewest = slips;
			found = names[i];
		}
	}
	return found != NULL ? found : only_name_beginning_with(w, names, count);
}
