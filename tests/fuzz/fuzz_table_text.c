/* SPDX-License-Identifier: MPL-2.0 */
/*
 * File tables: whatever the text is, there is a table or an error, never both; every entry is
 * found under its key in any case, within the limits and without control characters; and the
 * table written anew, every word in quotes, is the same table.
 */
#include "lib/base/buf.h"
#include "lib/table/table_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool is_so)
{
	if (!is_so)
		abort();
}

static struct table_text *
parse(struct view text)
{
	struct conf_errors errors;
	struct table_text *t;

	conf_errors_init(&errors);
	t = table_text_parse("table", text, &errors);
	require((t == NULL) == (errors.count > 0));
	require(errors.count <= TABLE_ERRORS_KEPT);
	conf_errors_finish(&errors);
	return t;
}

static void
check_entry(const struct table_text *t, const struct table_entry *entry)
{
	char key[TABLE_KEY_MAX];

	require(entry->key.len > 0 && entry->key.len <= TABLE_KEY_MAX);
	require(table_value_is_clean(entry->key) && entry->count <= TABLE_VALUES_MAX);
	for (size_t i = 0; i < entry->key.len; i++)
		key[i] = ascii_lower(entry->key.p[i]);
	require(table_text_find(t, view_make(key, entry->key.len)) == entry);
	for (size_t i = 0; i < entry->count; i++) {
		require(entry->values[i].len <= TABLE_VALUE_MAX);
		require(table_value_is_clean(entry->values[i]));
	}
}

static void
write_word(struct buf *out, struct view word)
{
	require(buf_add_char(out, '"'));
	for (size_t i = 0; i < word.len; i++) {
		if (word.p[i] == '"' || word.p[i] == '\\')
			require(buf_add_char(out, '\\'));
		require(buf_add_char(out, word.p[i]));
	}
	require(buf_add_str(out, "\" "));
}

static bool
write_entry(struct buf *out, const struct table_entry *entry)
{
	const size_t before = out->len;

	write_word(out, entry->key);
	for (size_t i = 0; i < entry->count; i++)
		write_word(out, entry->values[i]);
	require(buf_add_char(out, '\n'));
	return out->len - before <= TABLE_LINE_MAX; /* the quotes may make it too long */
}

static void
check_same(const struct table_text *a, const struct table_text *b)
{
	require(table_text_count(a) == table_text_count(b));
	for (size_t i = 0; i < table_text_count(a); i++) {
		const struct table_entry *x = table_text_get(a, i), *y = table_text_get(b, i);

		require(view_eq(x->key, y->key) && x->count == y->count);
		for (size_t j = 0; j < x->count; j++)
			require(view_eq(x->values[j], y->values[j]));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct table_text *t = parse(view_make((const char *)data, size)), *again;
	bool fits = true;
	struct buf out;

	if (t == NULL)
		return 0;
	buf_init(&out, 16 * size + 64);
	for (size_t i = 0; i < table_text_count(t); i++) {
		check_entry(t, table_text_get(t, i));
		fits &= write_entry(&out, table_text_get(t, i));
	}
	if (fits) {
		again = parse(buf_view(&out));
		require(again != NULL);
		check_same(t, again);
		table_text_destroy(&again);
	}
	buf_finish(&out);
	table_text_destroy(&t);
	return 0;
}
