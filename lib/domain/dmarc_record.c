/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DMARC policy records (draft-ietf-dmarc-dmarcbis-41 4.7, 4.8, 4.10.1). The tag list looks like
 * DKIM's, but errors are read otherwise: only the version can spoil the whole record, any other
 * malformed part is dropped in favour of the default. A tag that is there twice is malformed
 * (RFC 6376 3.2), whichever of the two was meant.
 *
 * Tag names and keywords are read without case, as the ABNF has them; the version's value alone
 * is case-sensitive. pct, rf and ri (RFC 7489) are unknown tags now.
 */
#include "lib/domain/dmarc.h"

enum dmarc_tag {
	TAG_ADKIM,
	TAG_ASPF,
	TAG_FO,
	TAG_NP,
	TAG_P,
	TAG_PSD,
	TAG_RUA,
	TAG_RUF,
	TAG_SP,
	TAG_T,
	TAG_COUNT,
};

static const char *const tag_names[TAG_COUNT] = {
	[TAG_ADKIM] = "adkim",
	[TAG_ASPF] = "aspf",
	[TAG_FO] = "fo",
	[TAG_NP] = "np",
	[TAG_P] = "p",
	[TAG_PSD] = "psd",
	[TAG_RUA] = "rua",
	[TAG_RUF] = "ruf",
	[TAG_SP] = "sp",
	[TAG_T] = "t",
};

enum tag_state { TAG_ABSENT, TAG_GIVEN, TAG_BROKEN };

struct tags {
	enum tag_state state[TAG_COUNT];
	struct view value[TAG_COUNT];
};

struct keyword {
	const char *text; /* NULL ends the list */
	int value;
};

static const struct keyword policy_words[] = {
	{ "none", DMARC_P_NONE },
	{ "quarantine", DMARC_P_QUARANTINE },
	{ "reject", DMARC_P_REJECT },
	{ NULL, 0 },
};

static const struct keyword psd_words[] = {
	{ "y", DMARC_PSD_YES },
	{ "n", DMARC_PSD_NO },
	{ "u", DMARC_PSD_UNKNOWN },
	{ NULL, 0 },
};

static const struct keyword alignment_words[] = { { "r", false }, { "s", true }, { NULL, 0 } };
static const struct keyword testing_words[] = { { "y", true }, { "n", false }, { NULL, 0 } };

static bool
is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

static struct view
trim_wsp(struct view v)
{
	while (v.len > 0 && is_wsp(v.p[0]))
		v = view_from(v, 1);
	while (v.len > 0 && is_wsp(v.p[v.len - 1]))
		v.len--;
	return v;
}

/* value_is_valid - 1*dmarc-value, and tabs, which lists may have around their commas. */
static bool
value_is_valid(struct view value)
{
	for (size_t i = 0; i < value.len; i++) {
		if ((value.p[i] < ' ' || value.p[i] > '~') && value.p[i] != '\t')
			return false;
	}
	return value.len > 0;
}

/* version_take - dmarc-version with the separator behind it. */
static bool
version_take(struct view *rest)
{
	struct view first, version;

	if (!view_split(rest, ';', &first) || first.len == 0 || ascii_lower(first.p[0]) != 'v')
		return false;
	version = trim_wsp(view_from(first, 1));
	return version.len > 0 && version.p[0] == '=' &&
	       view_eq(trim_wsp(view_from(version, 1)), VIEW("DMARC1"));
}

/* tags_add - one piece between semicolons; what is no tag, or an unknown one, is ignored. */
static void
tags_add(struct tags *tags, struct view piece)
{
	const size_t equals = view_find(piece, '=');
	const struct view name = trim_wsp(view_make(piece.p, equals));
	const struct view value = trim_wsp(view_from(piece, equals + 1));

	if (equals == piece.len)
		return;
	for (size_t i = 0; i < TAG_COUNT; i++) {
		if (!view_eq_nocase(name, view_of(tag_names[i])))
			continue;
		tags->value[i] = value;
		tags->state[i] = tags->state[i] == TAG_ABSENT && value_is_valid(value)
				     ? TAG_GIVEN
				     : TAG_BROKEN;
	}
}

/* tag_keyword - false: not given, or not one of the words; what stands at out is kept then. */
static bool
tag_keyword(struct tags *tags, enum dmarc_tag tag, const struct keyword *words, int *out)
{
	if (tags->state[tag] != TAG_GIVEN)
		return false;
	for (; words->text != NULL; words++) {
		if (view_eq_nocase(tags->value[tag], view_of(words->text))) {
			*out = words->value;
			return true;
		}
	}
	tags->state[tag] = TAG_BROKEN;
	return false;
}

static bool
is_uri_char(char c)
{
	return ascii_is_alnum(c) || (c != '\0' && c != '!' && c != ',' &&
					strchr("-._~:/?#[]@$&'()*+;=%", c) != NULL);
}

/* uri_is_valid - a scheme, a colon, and something behind it in the characters of RFC 3986. */
static bool
uri_is_valid(struct view uri)
{
	const size_t colon = view_find(uri, ':');

	if (colon == 0 || colon + 1 >= uri.len || !ascii_is_alnum(uri.p[0]) ||
	    ascii_is_digit(uri.p[0]))
		return false;
	for (size_t i = 0; i < uri.len; i++) {
		if (!is_uri_char(uri.p[i]))
			return false;
		if (i < colon && !ascii_is_alnum(uri.p[i]) && strchr("+-.", uri.p[i]) == NULL)
			return false;
		if (uri.p[i] == '%' && (i + 2 >= uri.len || ascii_hex_value(uri.p[i + 1]) < 0 ||
					   ascii_hex_value(uri.p[i + 2]) < 0))
			return false;
	}
	return true;
}

/* uri_size_is_valid - 1*DIGIT [ "k" / "m" / "g" / "t" ]: obsolete, and ignored. */
static bool
uri_size_is_valid(struct view size)
{
	if (size.len > 1 && strchr("kmgt", ascii_lower(size.p[size.len - 1])) != NULL)
		size.len--;
	for (size_t i = 0; i < size.len; i++) {
		if (!ascii_is_digit(size.p[i]))
			return false;
	}
	return size.len > 0;
}

/* uris_read - the valid ones of a dmarc-urilist; those that are not are left out singly. */
static size_t
uris_read(struct view list, struct arena *arena, const char *uris_out[DMARC_URIS_MAX])
{
	struct view piece;
	size_t count = 0;

	while (count < DMARC_URIS_MAX && view_split(&list, ',', &piece)) {
		const struct view whole = trim_wsp(piece);
		const size_t mark = view_find(whole, '!');
		const struct view uri = view_make(whole.p, mark);

		if (!uri_is_valid(uri) ||
		    (mark < whole.len && !uri_size_is_valid(view_from(whole, mark + 1))))
			continue;
		uris_out[count++] = arena_strdup(arena, uri);
	}
	return count;
}

/* fo_read - bits, or the default: each value at most once, "0" and "1" not together. */
static unsigned
fo_read(struct view value)
{
	static const char letters[] = "01ds"; /* in the order of the bits */
	struct view piece;
	unsigned bits = 0;

	while (view_split(&value, ':', &piece)) {
		const struct view word = trim_wsp(piece);
		const char *at = word.len == 1 ? strchr(letters, ascii_lower(word.p[0])) : NULL;
		const unsigned bit =
		    at != NULL && *at != '\0' ? 1u << (unsigned)(at - letters) : 0;

		if (bit == 0 || (bits & bit) != 0)
			return DMARC_FO_ALL;
		bits |= bit;
	}
	if ((bits & DMARC_FO_ALL) != 0 && (bits & DMARC_FO_ANY) != 0)
		return DMARC_FO_ALL;
	return bits != 0 ? bits : DMARC_FO_ALL;
}

static void
read_reporting(struct tags *tags, struct arena *arena, struct dmarc_record *out)
{
	const char *ruf[DMARC_URIS_MAX];

	if (tags->state[TAG_RUA] == TAG_GIVEN)
		out->rua_count = uris_read(tags->value[TAG_RUA], arena, out->rua);
	out->has_ruf = tags->state[TAG_RUF] == TAG_GIVEN &&
		       uris_read(tags->value[TAG_RUF], arena, ruf) > 0;
	if (out->has_ruf)
		out->fo = tags->state[TAG_FO] == TAG_GIVEN ? fo_read(tags->value[TAG_FO])
							   : DMARC_FO_ALL;
}

static void
read_modes(struct tags *tags, struct dmarc_record *out)
{
	int adkim = false, aspf = false, testing = false, psd = DMARC_PSD_UNKNOWN;

	if (tag_keyword(tags, TAG_ADKIM, alignment_words, &adkim))
		out->adkim_strict = adkim;
	if (tag_keyword(tags, TAG_ASPF, alignment_words, &aspf))
		out->aspf_strict = aspf;
	if (tag_keyword(tags, TAG_T, testing_words, &testing))
		out->is_testing = testing;
	if (tag_keyword(tags, TAG_PSD, psd_words, &psd))
		out->psd = (enum dmarc_psd)psd;
}

/*
 * read_policies - 4.10.1: no valid p, or an sp or np that is not valid: the record counts as
 * p=none if it has a reporting address, and gives no policy otherwise. A p that is absent, not
 * malformed, leaves sp and np as they are (4.7).
 */
static enum dmarc_parse
read_policies(struct tags *tags, struct dmarc_record *out, const char **why_out)
{
	int p = DMARC_P_NONE, sp, np;
	bool is_broken;

	out->has_p = tag_keyword(tags, TAG_P, policy_words, &p);
	sp = p;
	out->has_sp = tag_keyword(tags, TAG_SP, policy_words, &sp);
	np = sp;
	out->has_np = tag_keyword(tags, TAG_NP, policy_words, &np);
	is_broken = tags->state[TAG_P] == TAG_BROKEN || tags->state[TAG_SP] == TAG_BROKEN ||
		    tags->state[TAG_NP] == TAG_BROKEN;
	if (is_broken)
		out->has_p = out->has_sp = out->has_np = false;
	else {
		out->p = (enum dmarc_policy)p;
		out->sp = (enum dmarc_policy)sp;
		out->np = (enum dmarc_policy)np;
	}
	if (out->has_p)
		return DMARC_RECORD;
	if (out->rua_count > 0) {
		*why_out = is_broken ? "p, sp or np is malformed: read as p=none"
				     : "has no p: read as p=none";
		return DMARC_RECORD;
	}
	*why_out = is_broken ? "p, sp or np is malformed, and there is no valid rua"
			     : "has neither p nor a valid rua";
	return DMARC_MALFORMED;
}

enum dmarc_parse
dmarc_record_parse(
    struct view txt, struct arena *arena, struct dmarc_record *out, const char **why_out)
{
	struct tags tags = { 0 };
	struct view rest = txt, piece;

	*out = (struct dmarc_record){ 0 };
	*why_out = NULL;
	if (!version_take(&rest))
		return DMARC_NOT_A_RECORD;
	while (view_split(&rest, ';', &piece))
		tags_add(&tags, piece);
	out->text = arena_view(arena, txt);
	read_reporting(&tags, arena, out);
	read_modes(&tags, out);
	return read_policies(&tags, out, why_out);
}

const char *
dmarc_policy_name(enum dmarc_policy policy)
{
	return policy_words[policy].text;
}
