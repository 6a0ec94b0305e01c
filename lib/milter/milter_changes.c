/* SPDX-License-Identifier: MPL-2.0 */
/* See milter_changes.h. */
#include "lib/milter/milter_changes.h"

#include "lib/base/mem.h"

#define NEW	       SIZE_MAX
#define FIELDS_MAX     (2 * MESSAGE_FIELDS_MAX) /* that are added */
#define RECIPIENTS_MAX 1000			/* that are added */

/* A place in the header: a field of the message, or a new one. */
struct slot {
	size_t origin;	   /* index in the message; NEW */
	bool is_changed;   /* origin has value instead of its own */
	struct view name;  /* as it is now */
	struct view value; /* of a new or changed one, with its blank, with CRLF in folds */
	size_t before;	   /* of a new one: index of the message's field below it */
};

struct milter_changes {
	struct milter_subject subject;
	struct arena arena;
	struct slot *slots; /* owned; NULL: the header is as it was */
	size_t slot_count, slot_room;
	size_t new_count;    /* of fields, also of those that are gone again */
	size_t value_octets; /* of new values, together */
	bool *removed;	     /* owned; recipients by index; NULL: none */
	struct view *added;  /* owned; addresses of recipients */
	size_t added_count, added_room;
	const char *redirected; /* borrowed: the only recipient; NULL: no */
	bool has_sender;
	struct view sender;
	struct body_store *body; /* owned; NULL: it stays */
	char last_octet;	 /* of body */
	bool is_quarantined;
	char reason[MILTER_REASON_MAX];
	size_t count;
};

struct milter_changes *
milter_changes_create(const struct milter_subject *subject)
{
	struct milter_changes *c = mem_calloc(1, sizeof(*c));

	c->subject = *subject;
	arena_init(&c->arena);
	return c;
}

void
milter_changes_destroy(struct milter_changes **c)
{
	if (*c == NULL)
		return;
	mem_free((*c)->slots);
	mem_free((*c)->removed);
	mem_free((*c)->added);
	body_destroy(&(*c)->body);
	arena_finish(&(*c)->arena);
	mem_free(*c);
	*c = NULL;
}

/* ---- the header ---- */

static void
open_slots(struct milter_changes *c)
{
	const struct message *m = c->subject.message;

	if (c->slots != NULL)
		return;
	c->slot_count = message_field_count(m);
	c->slot_room = c->slot_count + 16;
	c->slots = mem_calloc(c->slot_room, sizeof(*c->slots));
	for (size_t i = 0; i < c->slot_count; i++)
		c->slots[i] = (struct slot){ .origin = i, .name = message_field(m, i)->name };
}

static void
insert_slot(struct milter_changes *c, size_t at, struct view name, struct view value)
{
	if (at > c->slot_count)
		at = c->slot_count;
	if (c->slot_count == c->slot_room) {
		c->slot_room *= 2;
		c->slots = mem_realloc(c->slots, c->slot_room * sizeof(*c->slots));
	}
	memmove(c->slots + at + 1, c->slots + at, (c->slot_count - at) * sizeof(*c->slots));
	c->slots[at] = (struct slot){ .origin = NEW, .name = name, .value = value };
	c->slot_count++;
}

static void
remove_slot(struct milter_changes *c, size_t at)
{
	c->slot_count--;
	memmove(c->slots + at, c->slots + at + 1, (c->slot_count - at) * sizeof(*c->slots));
}

/* find_slot - the nth of that name, from 1, of those that the milter may see; SIZE_MAX: none.
 */
static size_t
find_slot(const struct milter_changes *c, struct view name, uint32_t nth)
{
	for (size_t i = 0; i < c->slot_count; i++) {
		if (c->slots[i].origin != NEW && c->slots[i].origin == c->subject.hidden)
			continue;
		if (view_eq_nocase(c->slots[i].name, name) && --nth == 0)
			return i;
	}
	return SIZE_MAX;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* make_value - as it can stand behind a colon. */
static bool
make_value(struct milter_changes *c, struct view text, struct view *out, struct err *err)
{
	char *value, *p;

	while (text.len > 0 && (text.p[text.len - 1] == '\n' || text.p[text.len - 1] == '\r'))
		text.len--;
	c->value_octets += text.len;
	if (c->value_octets > MESSAGE_HEADER_MAX)
		return err_set(err, ERR_LIMIT, "fields of over %d octets", MESSAGE_HEADER_MAX);
	p = value = arena_alloc(&c->arena, 3 * text.len + 1);
	if (!c->subject.has_leading_space)
		*p++ = ' ';
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\r' && text.p[i + 1] != '\n') /* the last one is neither */
			return err_set(err, ERR_PROTOCOL, "a CR within a field");
		if (text.p[i] == '\r')
			continue;
		if (text.p[i] == '\n')
			*p++ = '\r';
		*p++ = text.p[i];
		if (text.p[i] == '\n' && !is_blank(text.p[i + 1]))
			*p++ = '\t';
	}
	*out = view_make(value, (size_t)(p - value));
	return true;
}

/* change_slot - a field keeps its place; its name is written as the milter writes it. */
static void
change_slot(struct milter_changes *c, size_t at, struct view name, struct view value)
{
	struct slot *slot = &c->slots[at];

	if (!view_eq(slot->name, name)) {
		slot->origin = NEW;
		slot->name = arena_view(&c->arena, name);
	}
	slot->is_changed = slot->origin != NEW;
	slot->value = value;
}

static bool
add_field(struct milter_changes *c, const struct milter_reply *r, size_t at, struct err *err)
{
	struct view value;

	c->value_octets += r->name.len;
	if (++c->new_count > FIELDS_MAX)
		return err_set(err, ERR_LIMIT, "over %d new fields", FIELDS_MAX);
	if (!make_value(c, r->value, &value, err))
		return false;
	open_slots(c);
	insert_slot(c, at, arena_view(&c->arena, r->name), value);
	return true;
}

static bool
change_field(struct milter_changes *c, const struct milter_reply *r, struct err *err)
{
	struct view value;
	size_t at;

	open_slots(c);
	at = find_slot(c, r->name, r->index > 0 ? r->index : 1);
	if (r->value.len == 0) {
		if (at != SIZE_MAX)
			remove_slot(c, at);
		return true;
	}
	if (at == SIZE_MAX)
		return add_field(c, r, SIZE_MAX, err);
	if (!make_value(c, r->value, &value, err))
		return false;
	change_slot(c, at, r->name, value);
	return true;
}

/* ---- the envelope ---- */

/* address_of - without blanks around it, and without its angle brackets. */
static struct view
address_of(struct view text)
{
	text = view_trim(text);
	if (text.len >= 2 && text.p[0] == '<' && text.p[text.len - 1] == '>')
		text = view_make(text.p + 1, text.len - 2);
	return text;
}

static bool
is_same_address(struct view a, struct view b)
{
	size_t at_a = a.len, at_b = b.len;

	while (at_a > 0 && a.p[at_a - 1] != '@')
		at_a--;
	while (at_b > 0 && b.p[at_b - 1] != '@')
		at_b--;
	return view_eq(view_make(a.p, at_a), view_make(b.p, at_b)) &&
	       view_eq_nocase(view_from(a, at_a), view_from(b, at_b));
}

static bool
copy_address(struct milter_changes *c, struct view text, struct view *out, struct err *err)
{
	const struct view address = address_of(text);

	if (address.len >= SMTP_PATH_MAX)
		return err_set(err, ERR_LIMIT, "an address of %zu octets", address.len);
	*out = arena_view(&c->arena, address);
	return true;
}

static bool
add_recipient(struct milter_changes *c, struct view text, struct err *err)
{
	if (c->added_count == RECIPIENTS_MAX)
		return err_set(err, ERR_LIMIT, "over %d recipients", RECIPIENTS_MAX);
	if (c->added_count == c->added_room) {
		c->added_room = c->added_room > 0 ? 2 * c->added_room : 4;
		c->added = mem_realloc(c->added, c->added_room * sizeof(*c->added));
	}
	return copy_address(c, text, &c->added[c->added_count++], err);
}

/* remove_recipient - also one that was added before. One that is not there: so be it. */
static void
remove_recipient(struct milter_changes *c, struct view address)
{
	const struct facts *f = c->subject.facts;
	size_t kept = 0;

	for (size_t i = 0; i < c->added_count; i++) {
		if (!is_same_address(c->added[i], address))
			c->added[kept++] = c->added[i];
	}
	c->added_count = kept;
	for (size_t i = 0; i < f->recipient_count; i++) {
		if (!is_same_address(view_of(f->recipients[i].address), address))
			continue;
		if (c->removed == NULL)
			c->removed = mem_calloc(f->recipient_count + 1, sizeof(*c->removed));
		c->removed[i] = true;
	}
}

/* ---- the body ---- */

/* add_body - a piece of it, bare LFs as CRLF. */
static bool
add_body(struct milter_changes *c, struct view octets, struct err *err)
{
	size_t from = 0;

	if (c->body == NULL)
		c->body = body_create(&c->subject.body);
	for (size_t i = view_find(octets, '\n'); i < octets.len;
	     i += 1 + view_find(view_from(octets, i + 1), '\n')) {
		if ((i > 0 ? octets.p[i - 1] : c->last_octet) == '\r')
			continue;
		if (!body_append(c->body, view_make(octets.p + from, i - from), err) ||
		    !body_append(c->body, VIEW("\r"), err))
			return false;
		from = i;
	}
	if (octets.len > 0)
		c->last_octet = octets.p[octets.len - 1];
	return body_append(c->body, view_from(octets, from), err);
}

static bool
commit_body(struct milter_changes *c, struct edits *edits, struct err *err)
{
	if (c->body == NULL)
		return true;
	if (body_size(c->body) > 0 && c->last_octet != '\n' &&
	    !body_append(c->body, VIEW("\r\n"), err))
		return false;
	if (!body_seal(c->body, err))
		return false;
	return edits_set_body(edits, &c->body) ||
	       err_set(err, ERR_PROTOCOL, "a body with a NUL or a bare CR");
}

/* ---- all of it ---- */

static void
quarantine(struct milter_changes *c, struct view reason)
{
	(void)view_copy(reason, c->reason, sizeof(c->reason));
	for (char *p = c->reason; *p != '\0'; p++) {
		if (*p < ' ' || *p > '~')
			*p = '?';
	}
	c->is_quarantined = true;
}

bool
milter_changes_add(struct milter_changes *c, const struct milter_reply *reply, struct err *err)
{
	c->count += reply->code != MILTER_QUARANTINE;
	switch (reply->code) {
	case MILTER_ADDHEADER:
		return add_field(c, reply, SIZE_MAX, err);
	case MILTER_INSHEADER:
		return add_field(c, reply, reply->index, err);
	case MILTER_CHGHEADER:
		return change_field(c, reply, err);
	case MILTER_REPLBODY:
		return add_body(c, reply->value, err);
	case MILTER_ADDRCPT:
	case MILTER_ADDRCPT_PAR:
		return add_recipient(c, reply->name, err);
	case MILTER_DELRCPT:
		remove_recipient(c, address_of(reply->name));
		return true;
	case MILTER_CHGFROM:
		c->has_sender = true;
		return copy_address(c, reply->name, &c->sender, err);
	case MILTER_QUARANTINE:
		quarantine(c, reply->value);
		return true;
	default:
		BUG("reply %s changes nothing", milter_answer_name(reply->code));
	}
}

/* place_slots - where the new ones stand: above which field of the message. */
static void
place_slots(struct milter_changes *c)
{
	size_t before = message_field_count(c->subject.message);

	for (size_t i = c->slot_count; i-- > 0;) {
		if (c->slots[i].origin != NEW)
			before = c->slots[i].origin;
		c->slots[i].before = before;
	}
}

static bool
commit_slot(const struct slot *slot, struct edits *edits, struct arena *arena)
{
	if (slot->origin == NEW)
		return edits_insert(
		    edits, slot->before, arena_strdup(arena, slot->name), slot->value, true);
	return !slot->is_changed || edits_replace_exact(edits, slot->origin, slot->value);
}

static bool
commit_header(struct milter_changes *c, struct edits *edits, struct err *err)
{
	const size_t count = message_field_count(c->subject.message);
	size_t next = 0; /* field of the message that has not been met yet */

	if (c->slots == NULL)
		return true;
	place_slots(c);
	for (size_t i = 0; i <= c->slot_count; i++) {
		const struct slot *slot = i < c->slot_count ? &c->slots[i] : NULL;
		const size_t until = slot == NULL ? count : slot->origin;

		if (slot != NULL && !commit_slot(slot, edits, &c->arena))
			return err_set(err, ERR_PROTOCOL,
			    "what it makes of \"%.*s\" is no field",
			    slot->name.len < 60 ? (int)slot->name.len : 60, slot->name.p);
		if (until == NEW)
			continue;
		for (; next < until; next++) {
			if (!edits_remove(edits, next))
				return err_set(err, ERR_LIMIT, "too many fields");
		}
		next = until + 1;
	}
	return true;
}

static bool
commit_envelope(struct milter_changes *c, struct edits *edits, struct err *err)
{
	if (c->has_sender && !edits_set_sender(edits, c->sender))
		return err_set(err, ERR_PROTOCOL, "CHGFROM: \"%.*s\" is no address",
		    c->sender.len < 100 ? (int)c->sender.len : 100, c->sender.p);
	for (size_t i = 0; c->removed != NULL && i < c->subject.facts->recipient_count; i++) {
		if (c->removed[i] && !edits_remove_recipient(edits, i))
			return err_set(err, ERR_LIMIT, "DELRCPT: too many recipients");
	}
	for (size_t i = 0; i < c->added_count; i++) {
		if (!edits_add_recipient(edits, c->added[i]))
			return err_set(err, ERR_PROTOCOL, "ADDRCPT: \"%.*s\" is no address",
			    c->added[i].len < 100 ? (int)c->added[i].len : 100, c->added[i].p);
	}
	return c->redirected == NULL || edits_add_recipient(edits, view_of(c->redirected)) ||
	       err_set(err, ERR_CONFIG, "\"%s\" is no address", c->redirected);
}

bool
milter_changes_commit(struct milter_changes *c, struct edits *edits, struct err *err)
{
	if (commit_header(c, edits, err) && commit_envelope(c, edits, err) &&
	    commit_body(c, edits, err))
		return true;
	edits_clear(edits);
	return false;
}

size_t
milter_changes_count(const struct milter_changes *c)
{
	return c->count;
}

void
milter_changes_redirect(struct milter_changes *c, const char *address)
{
	const size_t count = c->subject.facts->recipient_count;

	c->added_count = 0;
	if (c->removed == NULL)
		c->removed = mem_calloc(count + 1, sizeof(*c->removed));
	memset(c->removed, true, count * sizeof(*c->removed));
	c->redirected = address;
}

const char *
milter_changes_quarantine(const struct milter_changes *c)
{
	return c->is_quarantined ? c->reason : NULL;
}
