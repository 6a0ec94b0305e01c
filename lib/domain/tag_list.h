/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Tag lists, "v=1; a=rsa-sha256; ...": the form of DKIM signatures and keys, of ARC fields and
 * of DMARC records (RFC 6376 3.2). Pure. Names are compared with case. What the tags mean, and
 * whether unknown ones matter, is the caller's business.
 *
 * Octets over 127 are taken in values (RFC 8616 4 allows UTF-8 there); other controls than
 * folding white space are not.
 */
#ifndef GATEPOST_DOMAIN_TAG_LIST_H
#define GATEPOST_DOMAIN_TAG_LIST_H

#include "lib/base/arena.h"

#define TAG_LIST_MAX 64 /* tags: the standards know 13 of one list */

enum tag_list_status {
	TAG_LIST_OK,
	TAG_LIST_SYNTAX,    /* not the grammar; also an empty list, and an empty tag in it */
	TAG_LIST_DUPLICATE, /* well-formed, but a name stands twice (RFC 6376: all is invalid)
			     */
	TAG_LIST_LONG,	    /* more than TAG_LIST_MAX */
};

struct tag {
	struct view name;
	struct view value; /* without the blanks around it; folds inside are as they came */
};

struct tag_list {
	struct tag tags[TAG_LIST_MAX]; /* in their order; views into the text */
	size_t count;
};

/*
 * tag_list_parse - one final ";" is allowed. *out is complete for OK and DUPLICATE; otherwise
 * it holds the tags before the fault.
 */
MUST_CHECK enum tag_list_status tag_list_parse(struct view text, struct tag_list *out);
const char *tag_list_why(enum tag_list_status status); /* "a tag stands twice"; not for OK */

/* tag_list_find - the first tag of that name, or NULL. */
const struct tag *tag_list_find(const struct tag_list *list, const char *name);
/* tag_list_value - its value; the empty view without one. */
struct view tag_list_value(const struct tag_list *list, const char *name);

/*
 * tag_next_member - the next member of a value such as "sha1 : sha256", without blanks around
 * it. Usage: while (tag_next_member(&rest, &member)) ...   An empty value has one, empty
 * member.
 */
bool tag_next_member(struct view *rest, struct view *member_out);
bool tag_has_member(struct view value, const char *member); /* with case */

/* tag_without_blanks - the value without any folding white space, NUL-terminated. */
MUST_CHECK struct view tag_without_blanks(struct view value, struct arena *arena);

#endif
