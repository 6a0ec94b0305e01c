/* SPDX-License-Identifier: MPL-2.0 */
/* Values with units: see conf_value.h. */
#include "lib/base/conf_value.h"

#include <inttypes.h>
#include <stdio.h>

struct unit {
	const char *name;
	int64_t factor;
};

/* Largest first. */
static const struct unit size_units[] = {
	{ "G", INT64_C(1) << 30 },
	{ "M", INT64_C(1) << 20 },
	{ "K", INT64_C(1) << 10 },
	{ "", 1 },
};

static const struct unit duration_units[] = {
	{ "d", INT64_C(24) * 60 * 60 * 1000 },
	{ "h", INT64_C(60) * 60 * 1000 },
	{ "m", INT64_C(60) * 1000 },
	{ "s", 1000 },
	{ "ms", 1 },
};

static bool
parse(struct view text, const struct unit *units, size_t count, int64_t *out)
{
	size_t digits = 0;
	uint64_t number;
	while (digits < text.len && ascii_is_digit(text.p[digits]))
		digits++;
	if (!view_to_u64(view_make(text.p, digits), &number))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!view_eq(view_from(text, digits), view_of(units[i].name)))
			continue;
		if (number > (uint64_t)(INT64_MAX / units[i].factor))
			return false;
		*out = (int64_t)number * units[i].factor;
		return true;
	}
	return false;
}

bool
conf_parse_size(struct view text, int64_t *octets_out)
{
	return parse(text, size_units, ARRAY_LEN(size_units), octets_out);
}

bool
conf_parse_duration(struct view text, int64_t *ms_out)
{
	if (view_eq(text, VIEW("0"))) {
		*ms_out = 0;
		return true;
	}
	return parse(text, duration_units, ARRAY_LEN(duration_units), ms_out);
}

static void
print(int64_t value, const struct unit *units, char out[CONF_NUMBER_ROOM])
{
	const struct unit *unit = units;
	while (unit->factor > 1 && value % unit->factor != 0)
		unit++;
	snprintf(out, CONF_NUMBER_ROOM, "%" PRId64 "%s", value / unit->factor, unit->name);
}

const char *
conf_print_number(enum conf_type type, int64_t value, char out[CONF_NUMBER_ROOM])
{
	if (type == CONF_SIZE && value != 0)
		print(value, size_units, out);
	else if (type == CONF_DURATION && value != 0)
		print(value, duration_units, out);
	else
		snprintf(out, CONF_NUMBER_ROOM, "%" PRId64 "%s", value,
		    type == CONF_DURATION ? "s" : "");
	return out;
}
