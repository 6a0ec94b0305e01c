/* SPDX-License-Identifier: MPL-2.0 */
/* The value of one row, from what libconfig read or from the row's default: see conf_row.h. */
#include "lib/base/conf_row.h"

#include "lib/base/conf_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum { SHOWN_MAX = 80, CHOICES_MAX = 64 };

#define SIZE_HINT "a number of octets, such as 4096, \"256K\", \"25M\" or \"1G\""
#define DURATION_HINT \
	"a number with its unit, such as \"250ms\", \"30s\", \"5m\", \"2h\" or \"7d\""

#define SLOT_ERROR(slot, ...) \
	conf_error((slot)->errors, (slot)->where, (slot)->path, __VA_ARGS__)

/* ---- what is wrong ---- */

/* What was written, for "must be ..., not ...". A secret row shows no value. */
static const char *
describe(const struct conf_slot *slot, const config_setting_t *setting)
{
	bool secret = slot->row->type == CONF_SECRET;
	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_GROUP:
		return "a group { ... }";
	case CONFIG_TYPE_LIST:
		return "a list ( ... )";
	case CONFIG_TYPE_ARRAY:
		return "an array [ ... ]";
	case CONFIG_TYPE_STRING:
		return secret ? "a string"
			      : arena_printf(slot->arena, "the string \"%.*s\"", SHOWN_MAX,
				    config_setting_get_string(setting));
	case CONFIG_TYPE_BOOL:
		return config_setting_get_bool(setting) ? "true" : "false";
	case CONFIG_TYPE_FLOAT:
		return secret ? "a number"
			      : arena_printf(slot->arena, "the number %g",
				    config_setting_get_float(setting));
	default:
		return secret ? "a number"
			      : arena_printf(slot->arena, "the number %lld",
				    config_setting_get_int64(setting));
	}
}

void
conf_row_mismatch(
    const struct conf_slot *slot, const config_setting_t *setting, const char *wanted)
{
	SLOT_ERROR(slot, "must be %s, not %s", wanted, describe(slot, setting));
}

const char *
conf_did_you_mean(struct arena *arena, const char *word, const char *const *names, size_t count)
{
	const char *near = conf_nearest(word, names, count);
	return near != NULL ? arena_printf(arena, " (did you mean \"%s\"?)", near) : "";
}

static bool
is_whole_number(const config_setting_t *setting)
{
	int type = config_setting_type(setting);
	return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
}

static const char *
string_or_null(const config_setting_t *setting)
{
	return config_setting_type(setting) == CONFIG_TYPE_STRING
		   ? config_setting_get_string(setting)
		   : NULL;
}

/* ---- numbers ---- */

static bool
in_range(const struct conf_row *row, int64_t value)
{
	if (row->min == 0 && row->max == 0)
		return value >= 0;
	return value >= row->min && value <= row->max;
}

static void
set_number(const struct conf_slot *slot, int64_t value)
{
	const struct conf_row *row = slot->row;
	char shown[CONF_NUMBER_ROOM], min[CONF_NUMBER_ROOM], max[CONF_NUMBER_ROOM];
	if (in_range(row, value)) {
		*(int64_t *)slot->member = value;
		return;
	}
	conf_print_number(row->type, value, shown);
	if (row->min == 0 && row->max == 0)
		SLOT_ERROR(slot, "%s is less than 0", shown);
	else
		SLOT_ERROR(slot, "%s is not within %s to %s", shown,
		    conf_print_number(row->type, row->min, min),
		    conf_print_number(row->type, row->max, max));
}

static void
read_int(const struct conf_slot *slot, const config_setting_t *setting)
{
	const char *text = string_or_null(setting);
	uint64_t number;
	if (is_whole_number(setting))
		set_number(slot, config_setting_get_int64(setting));
	else if (text != NULL && view_to_u64(view_of(text), &number))
		conf_row_mismatch(slot, setting, "a whole number, without quotes");
	else
		conf_row_mismatch(slot, setting, "a whole number");
}

static void
read_size(const struct conf_slot *slot, const config_setting_t *setting)
{
	const char *text = string_or_null(setting);
	int64_t octets;
	if (is_whole_number(setting))
		set_number(slot, config_setting_get_int64(setting));
	else if (text != NULL && conf_parse_size(view_of(text), &octets))
		set_number(slot, octets);
	else
		conf_row_mismatch(slot, setting, SIZE_HINT);
}

static void
read_duration(const struct conf_slot *slot, const config_setting_t *setting)
{
	const char *text = string_or_null(setting);
	int64_t ms;
	if (is_whole_number(setting) && config_setting_get_int64(setting) == 0)
		set_number(slot, 0); /* needs no unit */
	else if (text != NULL && conf_parse_duration(view_of(text), &ms))
		set_number(slot, ms);
	else
		conf_row_mismatch(slot, setting, DURATION_HINT);
}

static void
read_bool(const struct conf_slot *slot, const config_setting_t *setting)
{
	if (config_setting_type(setting) == CONFIG_TYPE_BOOL)
		*(bool *)slot->member = config_setting_get_bool(setting) != 0;
	else
		conf_row_mismatch(slot, setting, "true or false, without quotes");
}

/* ---- strings ---- */

/* The string of a setting, copied; NULL: an error was added. */
static const char *
take_string(const struct conf_slot *slot, const config_setting_t *setting, const char *wanted)
{
	const char *text = string_or_null(setting);
	if (text == NULL) {
		conf_row_mismatch(slot, setting, wanted);
		return NULL;
	}
	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p >= 0x20 && *p != 0x7f)
			continue;
		SLOT_ERROR(
		    slot, "holds a control character (0x%02x)", (unsigned)(unsigned char)*p);
		return NULL;
	}
	return arena_strdup(slot->arena, view_of(text));
}

static void
read_string(const struct conf_slot *slot, const config_setting_t *setting)
{
	bool number = is_whole_number(setting);
	const char *text =
	    take_string(slot, setting, number ? "a string, in quotes" : "a string");
	if (text != NULL)
		*(const char **)slot->member = text;
}

const char *
conf_absolute_path(struct arena *arena, const char *file, const char *path)
{
	if (path[0] == '/')
		return path;
	const char *slash = strrchr(file, '/');
	struct view folder = view_make(file, slash != NULL ? (size_t)(slash - file) + 1 : 0);
	while (view_starts(folder, VIEW("./")))
		folder = view_from(folder, 2);
	while (path[0] == '.' && path[1] == '/')
		path += 2;
	if (folder.len > 0 && folder.p[0] == '/')
		return arena_printf(arena, "%.*s%s", VIEW_ARG(folder), path);
	char *current = getcwd(NULL, 0);
	if (current == NULL)
		return NULL;
	const char *absolute =
	    arena_printf(arena, "%s/%.*s%s", current, VIEW_ARG(folder), path);
	free(current);
	return absolute;
}

static void
read_path(const struct conf_slot *slot, const config_setting_t *setting)
{
	const char *text = take_string(slot, setting, "a path, in quotes");
	if (text == NULL)
		return;
	if (text[0] == '\0') {
		SLOT_ERROR(slot, "is an empty path");
		return;
	}
	const char *absolute = conf_absolute_path(slot->arena, slot->where.file, text);
	if (absolute == NULL)
		SLOT_ERROR(slot, "is a relative path, and the current folder is gone");
	else
		*(const char **)slot->member = absolute;
}

static const struct conf_choice *
find_choice(const struct conf_choice *choices, const char *name)
{
	for (; choices->name != NULL; choices++)
		if (strcmp(choices->name, name) == 0)
			return choices;
	return NULL;
}

/* "none, starttls, implicit" */
static const char *
list_choices(struct arena *arena, const struct conf_choice *choices)
{
	const char *text = choices->name != NULL ? choices->name : "";
	for (size_t i = 1; text[0] != '\0' && choices[i].name != NULL; i++)
		text = arena_printf(arena, "%s, %s", text, choices[i].name);
	return text;
}

static void
read_enum(const struct conf_slot *slot, const config_setting_t *setting)
{
	const struct conf_choice *choices = slot->row->choices;
	const char *names[CHOICES_MAX];
	size_t count = 0;
	const char *known = list_choices(slot->arena, choices);
	const char *text = take_string(
	    slot, setting, arena_printf(slot->arena, "one of %s, in quotes", known));
	if (text == NULL)
		return;
	const struct conf_choice *choice = find_choice(choices, text);
	if (choice != NULL) {
		*(int *)slot->member = choice->value;
		return;
	}
	for (; count < CHOICES_MAX && choices[count].name != NULL; count++)
		names[count] = choices[count].name;
	SLOT_ERROR(slot, "\"%.*s\" is not one of %s%s", SHOWN_MAX, text, known,
	    conf_did_you_mean(slot->arena, text, names, count));
}

static void
read_strings(const struct conf_slot *slot, const config_setting_t *setting)
{
	struct conf_strings *strings = slot->member;
	int type = config_setting_type(setting);
	bool several = type == CONFIG_TYPE_ARRAY || type == CONFIG_TYPE_LIST;
	if (!several && type != CONFIG_TYPE_STRING) {
		conf_row_mismatch(slot, setting, "strings: [ \"one\", \"two\" ]");
		return;
	}
	size_t count = several ? (size_t)config_setting_length(setting) : 1;
	const char **items = arena_alloc(slot->arena, (count + 1) * sizeof(*items));
	bool ok = true;
	for (size_t i = 0; i < count; i++) {
		struct conf_slot item = *slot;
		if (several)
			item.path = arena_printf(slot->arena, "%s[%zu]", slot->path, i);
		items[i] = take_string(&item,
		    several ? config_setting_get_elem(setting, (unsigned)i) : setting,
		    "a string");
		ok = ok && items[i] != NULL;
	}
	if (ok)
		*strings = (struct conf_strings){ items, count };
}

void
conf_row_read(const struct conf_slot *slot, const config_setting_t *setting)
{
	static void (*const readers[])(const struct conf_slot *, const config_setting_t *) = {
		[CONF_BOOL] = read_bool,
		[CONF_INT] = read_int,
		[CONF_SIZE] = read_size,
		[CONF_DURATION] = read_duration,
		[CONF_STRING] = read_string,
		[CONF_PATH] = read_path,
		[CONF_ENUM] = read_enum,
		[CONF_STRINGS] = read_strings,
		[CONF_SECRET] = read_string,
	};
	if ((size_t)slot->row->type >= ARRAY_LEN(readers) || readers[slot->row->type] == NULL)
		BUG("row %s has no type of a value", slot->row->key);
	readers[slot->row->type](slot, setting);
}

/* ---- defaults ---- */

static bool
default_number(const struct conf_slot *slot, struct view text)
{
	int64_t *member = slot->member;
	bool ok;
	if (slot->row->type == CONF_DURATION) {
		ok = conf_parse_duration(text, member);
	} else if (slot->row->type == CONF_SIZE) {
		ok = conf_parse_size(text, member);
	} else {
		char *end = NULL;
		errno = 0;
		*member = strtoll(text.p, &end, 10);
		ok = errno == 0 && end != text.p && *end == '\0';
	}
	return ok && in_range(slot->row, *member);
}

/* Words with commas between: "smtp, lmtp". */
static bool
default_strings(const struct conf_slot *slot, struct view text)
{
	struct view rest = text, piece;
	size_t count = 0, room = 1;
	for (size_t i = 0; i < text.len; i++)
		room += text.p[i] == ',';
	const char **items = arena_alloc(slot->arena, room * sizeof(*items));
	while (text.len > 0 && view_split(&rest, ',', &piece))
		items[count++] = arena_strdup(slot->arena, view_trim(piece));
	*(struct conf_strings *)slot->member = (struct conf_strings){ items, count };
	return true;
}

static bool
default_text(const struct conf_slot *slot, const char *text)
{
	const char *value = text;
	if (slot->row->type == CONF_PATH)
		value = conf_absolute_path(slot->arena, slot->where.file, text);
	*(const char **)slot->member =
	    value != NULL ? arena_strdup(slot->arena, view_of(value)) : NULL;
	return true;
}

static bool
default_enum(const struct conf_slot *slot, const char *text)
{
	const struct conf_choice *choice = find_choice(slot->row->choices, text);
	if (choice != NULL)
		*(int *)slot->member = choice->value;
	return choice != NULL;
}

static bool
default_bool(const struct conf_slot *slot, const char *text)
{
	*(bool *)slot->member = strcmp(text, "true") == 0;
	return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
}

static bool
set_default(const struct conf_slot *slot, const char *text)
{
	switch (slot->row->type) {
	case CONF_BOOL:
		return default_bool(slot, text);
	case CONF_INT:
	case CONF_SIZE:
	case CONF_DURATION:
		return default_number(slot, view_of(text));
	case CONF_STRING:
	case CONF_PATH:
	case CONF_SECRET:
		return default_text(slot, text);
	case CONF_ENUM:
		return default_enum(slot, text);
	case CONF_STRINGS:
		return default_strings(slot, view_of(text));
	case CONF_GROUP:
	case CONF_LIST:
		break;
	}
	return false;
}

bool
conf_row_try_default(const struct conf_slot *slot)
{
	return slot->row->fallback == NULL || set_default(slot, slot->row->fallback);
}

void
conf_row_set_default(const struct conf_slot *slot)
{
	if (!conf_row_try_default(slot))
		BUG("the default of %s is wrong: %s", slot->row->key, slot->row->fallback);
}
