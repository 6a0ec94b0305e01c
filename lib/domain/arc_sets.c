/* SPDX-License-Identifier: MPL-2.0 */
/* The sets of a message, by instance, and whether they make a chain: RFC 8617 4.2, 5.2. */
#include "lib/domain/arc_private.h"

#include <stdio.h>

static const char *const kind_names[] = {
	[ARC_RESULTS] = "ARC-Authentication-Results",
	[ARC_SIGNATURE] = "ARC-Message-Signature",
	[ARC_SEAL] = "ARC-Seal",
};

static bool broken(char why[160], const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Always false. */
static bool
broken(char why[160], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, 160, fmt, ap);
	va_end(ap);
	return false;
}

static bool
kind_of(const struct header_field *field, enum arc_kind *out)
{
	for (size_t i = 0; i < ARRAY_LEN(kind_names); i++) {
		if (view_eq_nocase(field->name, view_of(kind_names[i]))) {
			*out = (enum arc_kind)i;
			return true;
		}
	}
	return false;
}

/* RFC 8617 4.2.1: one or two digits; 0: that is none. */
static unsigned
instance_of(struct view v)
{
	uint64_t number = 0;

	if (v.len > 2 || !view_to_u64(v, &number))
		return 0;
	return (unsigned)number;
}

/* Offset behind blanks and comments. */
static size_t
skip_blanks(struct view v, size_t at)
{
	size_t depth = 0;

	for (; at < v.len; at++) {
		char c = v.p[at];

		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '\\' && depth > 0)
			at++;
		else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n')
			break;
	}
	return at < v.len ? at : v.len;
}

/* "i=N;" at the head of an ARC-Authentication-Results; *rest_out is what stands behind it. */
static unsigned
results_instance(struct view value, struct view *rest_out)
{
	size_t at = skip_blanks(value, 0), start;

	if (at == value.len || value.p[at] != 'i')
		return 0;
	at = skip_blanks(value, at + 1);
	if (at == value.len || value.p[at] != '=')
		return 0;
	start = at = skip_blanks(value, at + 1);
	while (at < value.len && ascii_is_digit(value.p[at]))
		at++;
	unsigned instance = instance_of(view_make(value.p + start, at - start));
	at = skip_blanks(value, at);
	if (at == value.len || value.p[at] != ';')
		return 0;
	*rest_out = view_from(value, at + 1);
	return instance;
}

static enum arc_cv
cv_of(struct view value)
{
	static const char *const names[] = {
		[ARC_CV_NONE] = "none", [ARC_CV_PASS] = "pass", [ARC_CV_FAIL] = "fail"
	};

	for (size_t i = ARC_CV_NONE; i < ARRAY_LEN(names); i++) {
		if (view_eq(value, view_of(names[i])))
			return (enum arc_cv)i;
	}
	return ARC_CV_UNKNOWN;
}

/* The instance of a field; what stands in it beside that, in *fields. 0: nobody can say. */
static unsigned
read_field(const struct header_field *field, enum arc_kind kind, struct arc_fields *fields)
{
	struct tag_list tags;

	*fields = (struct arc_fields){ .cv = ARC_CV_UNKNOWN };
	if (kind == ARC_RESULTS)
		return results_instance(field->body, &fields->results);
	if (tag_list_parse(field->body, &tags) != TAG_LIST_OK)
		return 0;
	fields->cv = cv_of(tag_list_value(&tags, "cv"));
	return instance_of(tag_list_value(&tags, "i"));
}

static bool
add_field(
    struct arc_sets *sets, const struct header_field *field, enum arc_kind kind, char why[160])
{
	struct arc_fields one;

	if (field->raw.len > ARC_FIELD_MAX)
		return broken(why, "an %s is too long", kind_names[kind]);
	const unsigned instance = read_field(field, kind, &one);
	if (instance == 0)
		return broken(why, "an %s is malformed", kind_names[kind]);
	if (instance > ARC_SETS_MAX)
		return broken(why, "instance %u is over %d", instance, ARC_SETS_MAX);

	struct arc_fields *fields = &sets->fields[instance];
	if (fields->field[kind] != NULL)
		return broken(why, "two %s of instance %u", kind_names[kind], instance);
	fields->field[kind] = field;
	if (kind == ARC_RESULTS)
		fields->results = one.results;
	if (kind == ARC_SEAL)
		fields->cv = one.cv;
	if (instance > sets->count)
		sets->count = instance;
	return true;
}

static bool
check_set(const struct arc_sets *sets, unsigned instance, char why[160])
{
	const struct arc_fields *fields = &sets->fields[instance];
	const enum arc_cv wanted = instance == 1 ? ARC_CV_NONE : ARC_CV_PASS;

	for (size_t kind = 0; kind < ARRAY_LEN(kind_names); kind++) {
		if (fields->field[kind] == NULL)
			return broken(
			    why, "there is no %s of instance %u", kind_names[kind], instance);
	}
	if (fields->cv == ARC_CV_FAIL)
		return broken(why, "instance %u says that the chain was broken", instance);
	if (fields->cv != wanted)
		return broken(why, "the ARC-Seal of instance %u has not cv=%s", instance,
		    instance == 1 ? "none" : "pass");
	return true;
}

bool
arc_sets_collect(
    const struct message *m, unsigned max_sets, struct arc_sets *out, char why_out[160])
{
	memset(out, 0, sizeof(*out));
	why_out[0] = '\0';
	for (size_t i = 0; i < message_field_count(m); i++) {
		const struct header_field *field = message_field(m, i);
		enum arc_kind kind;

		if (kind_of(field, &kind) && !add_field(out, field, kind, why_out))
			return false;
	}
	if (out->count > max_sets)
		return broken(why_out, "%u sets are more than %u", out->count, max_sets);
	for (unsigned i = out->count; i > 0; i--) {
		if (!check_set(out, i, why_out))
			return false;
	}
	return true;
}
