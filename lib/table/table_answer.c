/* SPDX-License-Identifier: MPL-2.0 */
/* The values of one key while they are gathered: see table_private.h. */
#include "lib/table/table_private.h"

bool
table_value_is_clean(struct view value)
{
	for (size_t i = 0; i < value.len; i++) {
		const unsigned char c = (unsigned char)value.p[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

bool
table_answer_spoil(struct table_answer *answer, struct err *err, const char *text)
{
	answer->is_bad = true;
	return err_set(err, ERR_LIMIT, "the entry is no good: %s", text);
}

void
table_answer_reset(struct table_answer *answer)
{
	*answer = (struct table_answer){ .arena = answer->arena };
}

static void
grow(struct table_answer *answer)
{
	const size_t room = answer->room == 0 ? 4 : 2 * answer->room;
	struct view *values = arena_alloc(answer->arena, room * sizeof(*values));

	if (answer->count > 0)
		memcpy(values, answer->values, answer->count * sizeof(*values));
	answer->values = values;
	answer->room = room;
}

bool
table_answer_add(struct table_answer *answer, struct view value, struct err *err)
{
	if (value.len > TABLE_VALUE_MAX)
		return table_answer_spoil(answer, err, "a value of over 4096 octets");
	if (answer->count == TABLE_VALUES_MAX || answer->octets + value.len > TABLE_ANSWER_MAX)
		return table_answer_spoil(
		    answer, err, "over 1000 values, or over 65536 octets");
	if (!table_value_is_clean(value))
		return table_answer_spoil(answer, err, "a value with control characters");
	if (answer->count == answer->room)
		grow(answer);
	answer->values[answer->count++] =
	    view_make(arena_strdup(answer->arena, value), value.len);
	answer->octets += value.len;
	return true;
}
