/* SPDX-License-Identifier: MPL-2.0 */
/* Reading and writing DNS messages; see dns_wire.h. */
#include "lib/net/dns_wire.h"

#include <stdio.h>

#define HEADER_OCTETS 12
#define CLASS_IN      1
#define TYPE_OPT      41
#define LABEL_MAX     63
#define POINTER_BITS  0xc0
#define FLAG_QR	      0x8000
#define FLAG_AA	      0x0400
#define FLAG_TC	      0x0200
#define FLAG_RD	      0x0100
#define RCODE_BITS    0x000f
#define OPCODE_BITS   0x7800
#define ANSWERS_MAX   1024 /* records of a reply that are looked at */
#define CNAMES_MAX    16

/* A message while it is read: at moves on, up to octets.len. */
struct reader {
	struct view octets;
	size_t at;
};

struct name {
	unsigned char wire[DNS_NAME_WIRE_MAX]; /* uncompressed, lower case */
	size_t len;
};

/* A resource record; its RDATA is octets[at, at + len) of the message. */
struct rr {
	struct name owner;
	uint16_t type, class;
	uint32_t ttl_s;
	size_t at, len;
};

static unsigned
octet_at(const struct reader *r, size_t at)
{
	return (unsigned char)r->octets.p[at];
}

static bool
read_u16(struct reader *r, uint16_t *out)
{
	if (r->octets.len - r->at < 2)
		return false;
	*out = (uint16_t)(octet_at(r, r->at) << 8 | octet_at(r, r->at + 1));
	r->at += 2;
	return true;
}

static bool
read_u32(struct reader *r, uint32_t *out)
{
	uint16_t high = 0, low = 0;

	if (!read_u16(r, &high) || !read_u16(r, &low))
		return false;
	*out = (uint32_t)high << 16 | low;
	return true;
}

/* ---- names ---- */

static void
put_octet(unsigned char octet, char *out, size_t *len)
{
	const char c = ascii_lower((char)octet);

	if (ascii_is_alnum(c) || c == '-' || c == '_')
		out[(*len)++] = c;
	else
		*len += (size_t)snprintf(out + *len, 5, "\\%03u", octet);
}

size_t
dns_name_to_text(const unsigned char *wire, char out[DNS_NAME_TEXT_MAX])
{
	size_t len = 0;

	for (; wire[0] != 0; wire += 1 + wire[0]) {
		if (len > 0)
			out[len++] = '.';
		for (size_t i = 1; i <= wire[0]; i++)
			put_octet(wire[i], out, &len);
	}
	if (len == 0)
		out[len++] = '.';
	out[len] = '\0';
	return len;
}

/* take_octet - one octet of a label off *text, escaped or not; false: a broken escape. */
static bool
take_octet(struct view *text, unsigned char *out)
{
	unsigned value = 0;

	*out = (unsigned char)text->p[0];
	*text = view_from(*text, 1);
	if (*out != '\\')
		return true;
	if (text->len == 0)
		return false;
	if (!ascii_is_digit(text->p[0])) {
		*out = (unsigned char)text->p[0];
		*text = view_from(*text, 1);
		return true;
	}
	if (text->len < 3)
		return false;
	for (size_t i = 0; i < 3; i++) {
		if (!ascii_is_digit(text->p[i]))
			return false;
		value = value * 10 + (unsigned)(text->p[i] - '0');
	}
	*text = view_from(*text, 3);
	*out = (unsigned char)value;
	return value <= 255;
}

size_t
dns_name_to_wire(struct view text, unsigned char out[DNS_NAME_WIRE_MAX])
{
	size_t len = 0;

	if (text.len == 0 || text.len >= DNS_NAME_TEXT_MAX)
		return 0;
	if (view_eq(text, VIEW(".")))
		text.len = 0;
	while (text.len > 0) {
		const size_t label = len++;

		if (label >= DNS_NAME_WIRE_MAX)
			return 0;
		while (text.len > 0 && text.p[0] != '.') {
			if (len >= DNS_NAME_WIRE_MAX || !take_octet(&text, &out[len++]))
				return 0;
		}
		if (len - label - 1 == 0 || len - label - 1 > LABEL_MAX)
			return 0;
		out[label] = (unsigned char)(len - label - 1);
		text = view_from(text, 1);
	}
	if (len >= DNS_NAME_WIRE_MAX)
		return 0;
	out[len++] = 0;
	return len;
}

static bool
name_eq(const struct name *a, const struct name *b)
{
	return a->len == b->len && memcmp(a->wire, b->wire, a->len) == 0;
}

static void
name_set(struct name *name, const unsigned char *wire)
{
	name->len = 0;
	for (; wire[name->len] != 0; name->len += 1U + wire[name->len])
		;
	name->len++;
	/* A length octet is at most 63, so no letter. */
	for (size_t i = 0; i < name->len; i++)
		name->wire[i] = (unsigned char)ascii_lower((char)wire[i]);
}

/*
 * read_name - a name that may be compressed (RFC 1035 4.1.4). A pointer must lead to what
 * stands before the part that holds it, so this ends.
 */
static bool
read_name(struct reader *r, struct name *out)
{
	size_t at = r->at, bound = r->at;
	bool has_jumped = false;

	for (out->len = 0;;) {
		if (at >= r->octets.len)
			return false;
		const unsigned octet = octet_at(r, at++);

		if ((octet & POINTER_BITS) == POINTER_BITS) {
			if (at >= r->octets.len)
				return false;
			const size_t to =
			    (octet & ~(unsigned)POINTER_BITS) << 8 | octet_at(r, at);

			if (!has_jumped)
				r->at = at + 1;
			has_jumped = true;
			if (to >= bound)
				return false;
			at = bound = to;
			continue;
		}
		if (octet > LABEL_MAX || octet > r->octets.len - at ||
		    out->len + 1 + octet > DNS_NAME_WIRE_MAX)
			return false;
		out->wire[out->len++] = (unsigned char)octet;
		for (size_t i = 0; i < octet; i++)
			out->wire[out->len++] = (unsigned char)ascii_lower(r->octets.p[at + i]);
		at += octet;
		if (octet == 0)
			break;
	}
	if (!has_jumped)
		r->at = at;
	return true;
}

/* ---- queries ---- */

static size_t
put_u16(unsigned char *out, unsigned value)
{
	out[0] = (unsigned char)(value >> 8);
	out[1] = (unsigned char)value;
	return 2;
}

size_t
dns_wire_query(uint16_t id, const unsigned char *name, enum dns_type type, bool recurse,
    unsigned char out[DNS_QUERY_MAX])
{
	const unsigned header[] = { id, recurse ? FLAG_RD : 0, 1, 0, 0, 1 };
	struct name question;
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_LEN(header); i++)
		len += put_u16(out + len, header[i]);
	name_set(&question, name);
	memcpy(out + len, question.wire, question.len);
	len += question.len;
	len += put_u16(out + len, type);
	len += put_u16(out + len, CLASS_IN);
	out[len++] = 0; /* OPT (RFC 6891 6.1.2): the root, our size, no flags, no options */
	len += put_u16(out + len, TYPE_OPT);
	len += put_u16(out + len, DNS_UDP_MAX);
	len += put_u16(out + len, 0);
	len += put_u16(out + len, 0);
	len += put_u16(out + len, 0);
	return len;
}

/* ---- replies ---- */

const char *
dns_rcode_name(unsigned rcode)
{
	static const char *const names[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
		"NOTIMP", "REFUSED" };

	return rcode < ARRAY_LEN(names) ? names[rcode] : "an error";
}

static bool
read_rr(struct reader *r, struct rr *out)
{
	uint16_t len = 0;

	if (!read_name(r, &out->owner) || !read_u16(r, &out->type) ||
	    !read_u16(r, &out->class) || !read_u32(r, &out->ttl_s) || !read_u16(r, &len) ||
	    r->octets.len - r->at < len)
		return false;
	if (out->ttl_s > INT32_MAX) /* RFC 2181 8 */
		out->ttl_s = 0;
	out->at = r->at;
	out->len = len;
	r->at += len;
	return true;
}

/* read_rdata_name - a name that must end where the RDATA does. */
static bool
read_rdata_name(
    const struct reader *message, const struct rr *rr, size_t skip, struct name *out)
{
	struct reader r = { .octets = message->octets, .at = rr->at + skip };

	r.octets.len = rr->at + rr->len;
	return rr->len > skip && read_name(&r, out) && r.at == rr->at + rr->len;
}

static bool
take_name(const struct reader *message, const struct rr *rr, size_t skip, struct arena *arena,
    struct view *out)
{
	char text[DNS_NAME_TEXT_MAX];
	struct name name;

	if (!read_rdata_name(message, rr, skip, &name))
		return false;
	out->len = dns_name_to_text(name.wire, text);
	out->p = arena_strdup(arena, view_make(text, out->len));
	return true;
}

/* take_txt - the strings joined; what is over DNS_TXT_MAX is left to the caller to see. */
static bool
take_txt(struct view rdata, struct arena *arena, struct view *out)
{
	char *to = arena_alloc(arena, rdata.len + 1);
	size_t len = 0;

	while (rdata.len > 0) {
		const size_t string = (unsigned char)rdata.p[0];

		if (rdata.len - 1 < string)
			return false;
		memcpy(to + len, rdata.p + 1, string);
		len += string;
		rdata = view_from(rdata, 1 + string);
	}
	*out = view_make(to, len);
	return true;
}

/* take_soa - its two names uncompressed, and five numbers (RFC 1035 3.3.13). */
static bool
take_soa(
    const struct reader *message, const struct rr *rr, struct arena *arena, struct view *out)
{
	struct reader r = { .octets = message->octets, .at = rr->at };
	struct name primary, mailbox;
	char *to;

	r.octets.len = rr->at + rr->len;
	if (!read_name(&r, &primary) || !read_name(&r, &mailbox) || r.octets.len - r.at != 20)
		return false;
	to = arena_alloc(arena, primary.len + mailbox.len + 20);
	memcpy(to, primary.wire, primary.len);
	memcpy(to + primary.len, mailbox.wire, mailbox.len);
	memcpy(to + primary.len + mailbox.len, r.octets.p + r.at, 20);
	*out = view_make(to, primary.len + mailbox.len + 20);
	return true;
}

/* take_record - RDATA as dns.h describes it; false: it does not keep to its type. */
static bool
take_record(const struct reader *message, const struct rr *rr, struct arena *arena,
    struct dns_record *out)
{
	const struct view rdata = view_make(message->octets.p + rr->at, rr->len);

	switch (rr->type) {
	case DNS_A:
	case DNS_AAAA:
		out->data = arena_view(arena, rdata);
		return rdata.len == (rr->type == DNS_A ? 4 : 16);
	case DNS_NS:
	case DNS_PTR:
	case DNS_CNAME:
		return take_name(message, rr, 0, arena, &out->data);
	case DNS_MX:
		if (rdata.len < 3)
			return false;
		out->preference =
		    (uint16_t)(octet_at(message, rr->at) << 8 | octet_at(message, rr->at + 1));
		return take_name(message, rr, 2, arena, &out->data);
	case DNS_TXT:
		return take_txt(rdata, arena, &out->data);
	case DNS_SOA:
		return take_soa(message, rr, arena, &out->data);
	default:
		out->data = arena_view(arena, rdata);
		return true;
	}
}

static void
answer_fail(struct dns_answer *answer, const char *why)
{
	*answer = (struct dns_answer){ .status = DNS_TEMPFAIL };
	snprintf(answer->why, sizeof(answer->why), "%s", why);
}

/* The answer section, gone through once for each name of a CNAME chain. */
struct search {
	struct reader answers; /* at the first record */
	size_t count;
	enum dns_type type;
	struct arena *arena;
	struct dns_answer *answer;
	size_t end; /* where the section ends */
};

static bool
search_take(struct search *s, const struct rr *rr)
{
	struct dns_answer *answer = s->answer;
	struct dns_record record = { .preference = 0 };

	if (!take_record(&s->answers, rr, s->arena, &record))
		return false;
	if (answer->count == DNS_RECORDS_MAX)
		return true;
	if (answer->records == NULL)
		answer->records =
		    arena_alloc(s->arena, DNS_RECORDS_MAX * sizeof(*answer->records));
	answer->records[answer->count++] = record;
	if (rr->ttl_s < answer->ttl_s)
		answer->ttl_s = rr->ttl_s;
	return true;
}

/*
 * search_name - records of one name. *next_out: where its CNAME leads, of length 0 without one.
 * False: something is broken.
 */
static bool
search_name(struct search *s, const struct name *name, struct name *next_out)
{
	struct reader r = s->answers;
	struct rr rr;

	next_out->len = 0;
	for (size_t i = 0; i < s->count; i++) {
		if (!read_rr(&r, &rr))
			return false;
		if (rr.class != CLASS_IN || !name_eq(&rr.owner, name))
			continue;
		if (rr.type == s->type && !search_take(s, &rr))
			return false;
		if (rr.type != DNS_CNAME || s->type == DNS_CNAME || next_out->len > 0)
			continue;
		if (!read_rdata_name(&s->answers, &rr, 0, next_out))
			return false;
		if (rr.ttl_s < s->answer->ttl_s)
			s->answer->ttl_s = rr.ttl_s;
	}
	s->end = r.at;
	return true;
}

/* read_denial_ttl - of the SOA in the authority section (RFC 2308 5); 0 without one. */
static bool
read_denial_ttl(struct reader *r, size_t count, uint32_t *ttl_out)
{
	struct rr rr;

	*ttl_out = 0;
	for (size_t i = 0; i < count && i < ANSWERS_MAX; i++) {
		if (!read_rr(r, &rr))
			return false;
		if (rr.type != DNS_SOA || rr.len < 20)
			continue;
		struct reader minimum = { .octets = r->octets, .at = rr.at + rr.len - 4 };

		if (!read_u32(&minimum, ttl_out))
			return false;
		if (rr.ttl_s < *ttl_out)
			*ttl_out = rr.ttl_s;
		return true;
	}
	return true;
}

/* read_answer - r stands at the answer section. */
static bool
read_answer(struct reader *r, const uint16_t counts[4], const struct name *question,
    struct search *s, struct dns_reply *out)
{
	struct name at = *question, next;
	char text[DNS_NAME_TEXT_MAX];
	uint32_t denial_ttl_s = 0;

	s->answers = *r;
	s->count = counts[1] < ANSWERS_MAX ? counts[1] : ANSWERS_MAX;
	s->answer->ttl_s = INT32_MAX;
	for (int hops = 0;; hops++) {
		if (!search_name(s, &at, &next))
			return false;
		if (s->answer->count > 0 || next.len == 0)
			break;
		if (hops == CNAMES_MAX) {
			answer_fail(s->answer, "too many CNAMEs");
			return true;
		}
		s->answer->is_alias = true;
		at = next;
	}
	if (s->answer->count > 0) {
		s->answer->status = DNS_FOUND;
		return true;
	}
	r->at = s->end;
	if (s->count == counts[1] && !read_denial_ttl(r, counts[2], &denial_ttl_s))
		return false;
	if (denial_ttl_s < s->answer->ttl_s)
		s->answer->ttl_s = denial_ttl_s;
	s->answer->status = out->rcode == DNS_RCODE_NXDOMAIN ? DNS_NXDOMAIN : DNS_NODATA;
	if (s->answer->is_alias && out->rcode == DNS_RCODE_NOERROR && denial_ttl_s == 0) {
		(void)dns_name_to_text(at.wire, text);
		out->leads_to = arena_strdup(s->arena, view_of(text));
	}
	return true;
}

/* read_question - the one question; false: it is not ours. */
static bool
read_question(struct reader *r, const struct name *name, enum dns_type type)
{
	struct name asked;
	uint16_t asked_type = 0, class = 0;

	return read_name(r, &asked) && read_u16(r, &asked_type) && read_u16(r, &class) &&
	       name_eq(&asked, name) && asked_type == type && class == CLASS_IN;
}

static void
drop_long_txt(struct dns_answer *answer, enum dns_type type)
{
	for (size_t i = 0; type == DNS_TXT && i < answer->count; i++) {
		if (answer->records[i].data.len > DNS_TXT_MAX) {
			answer_fail(answer, "a TXT record is too long");
			return;
		}
	}
}

bool
dns_wire_read(struct view wire, const unsigned char *name, enum dns_type type,
    struct arena *arena, struct dns_reply *out)
{
	struct reader r = { .octets = wire };
	struct search s = { .type = type, .arena = arena, .answer = &out->answer };
	uint16_t flags = 0, counts[4] = { 0 };
	struct name question;

	*out = (struct dns_reply){ .id = 0 };
	if (wire.len < HEADER_OCTETS || !read_u16(&r, &out->id) || !read_u16(&r, &flags))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		if (!read_u16(&r, &counts[i]))
			return false;
	}
	out->rcode = flags & RCODE_BITS;
	out->is_authoritative = (flags & FLAG_AA) != 0;
	out->is_truncated = (flags & FLAG_TC) != 0;
	name_set(&question, name);
	if ((flags & FLAG_QR) == 0 || (flags & OPCODE_BITS) != 0 || counts[0] != 1 ||
	    !read_question(&r, &question, type))
		return false;
	if (out->rcode != DNS_RCODE_NOERROR && out->rcode != DNS_RCODE_NXDOMAIN) {
		answer_fail(&out->answer, dns_rcode_name(out->rcode));
		return true;
	}
	if (out->is_truncated) {
		answer_fail(&out->answer, "truncated");
		return true;
	}
	if (!read_answer(&r, counts, &question, &s, out))
		return false;
	drop_long_txt(&out->answer, type);
	return true;
}
