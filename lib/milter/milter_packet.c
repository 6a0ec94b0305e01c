/* SPDX-License-Identifier: MPL-2.0 */
/* See milter_packet.h. */
#include "lib/milter/milter_packet.h"

#define LENGTH_OCTETS 4

/* ---- commands ---- */

static bool
put_u32(struct buf *out, uint32_t n)
{
	const unsigned char octets[] = { (unsigned char)(n >> 24), (unsigned char)(n >> 16),
		(unsigned char)(n >> 8), (unsigned char)n };

	return buf_add(out, octets, sizeof(octets));
}

/* begin - a packet's head, its length left open; end_packet - fills it in, or takes all back.
 */
static bool
begin(struct buf *out, char command)
{
	return put_u32(out, 0) && buf_add_char(out, command);
}

static bool
end_packet(struct buf *out, size_t start, bool ok)
{
	const size_t len = out->len - start - LENGTH_OCTETS;

	if (!ok || len > MILTER_DATA_MAX + 1) {
		out->len = start;
		return false;
	}
	for (size_t i = 0; i < LENGTH_OCTETS; i++)
		out->p[start + i] = (char)(unsigned char)(len >> (24 - 8 * i));
	return true;
}

static bool
put_string(struct buf *out, struct view text)
{
	return (text.len == 0 || memchr(text.p, '\0', text.len) == NULL) &&
	       buf_add_view(out, text) && buf_add_char(out, '\0');
}

bool
milter_put(struct buf *out, char command, struct view data)
{
	const size_t start = out->len;
	const bool ok = begin(out, command) && buf_add_view(out, data);

	return end_packet(out, start, ok);
}

bool
milter_put_strings(struct buf *out, char command, const struct view *strings, size_t count)
{
	const size_t start = out->len;
	bool ok = begin(out, command);

	for (size_t i = 0; ok && i < count; i++)
		ok = put_string(out, strings[i]);
	return end_packet(out, start, ok);
}

bool
milter_put_options(struct buf *out, const struct milter_options *options)
{
	const size_t start = out->len;
	const bool ok = begin(out, MILTER_OPTNEG) && put_u32(out, options->version) &&
			put_u32(out, options->actions) && put_u32(out, options->steps);

	return end_packet(out, start, ok);
}

bool
milter_put_macros(
    struct buf *out, char command, const struct milter_macro *macros, size_t count)
{
	const size_t start = out->len;
	bool ok = begin(out, MILTER_MACRO) && buf_add_char(out, command);

	for (size_t i = 0; ok && i < count; i++)
		ok = put_string(out, macros[i].name) && put_string(out, macros[i].value);
	return end_packet(out, start, ok);
}

bool
milter_put_connect(
    struct buf *out, struct view name, char family, uint16_t port, struct view address)
{
	const size_t start = out->len;
	bool ok =
	    begin(out, MILTER_CONNECT) && put_string(out, name) && buf_add_char(out, family);

	if (family != 'U')
		ok = ok && buf_add_char(out, (char)(unsigned char)(port >> 8)) &&
		     buf_add_char(out, (char)(unsigned char)port) && put_string(out, address);
	return end_packet(out, start, ok);
}

/* ---- replies ---- */

static uint32_t
read_u32(const char *p)
{
	uint32_t n = 0;

	for (size_t i = 0; i < LENGTH_OCTETS; i++)
		n = n << 8 | (unsigned char)p[i];
	return n;
}

enum milter_status
milter_packet_read(
    struct view in, size_t max, char *code_out, struct view *data_out, size_t *used_out)
{
	size_t len;

	*used_out = 0;
	if (in.len < LENGTH_OCTETS)
		return MILTER_MORE;
	len = read_u32(in.p);
	if (len == 0 || len - 1 > max)
		return MILTER_BAD_LENGTH;
	if (in.len - LENGTH_OCTETS < len)
		return MILTER_MORE;
	*code_out = in.p[LENGTH_OCTETS];
	*data_out = view_make(in.p + LENGTH_OCTETS + 1, len - 1);
	*used_out = LENGTH_OCTETS + len;
	return MILTER_PACKET;
}

static bool
take_u32(struct view *rest, uint32_t *out)
{
	if (rest->len < LENGTH_OCTETS)
		return false;
	*out = read_u32(rest->p);
	*rest = view_from(*rest, LENGTH_OCTETS);
	return true;
}

/* take_string - up to its NUL. */
static bool
take_string(struct view *rest, struct view *out)
{
	const size_t len = view_find(*rest, '\0');

	if (len == rest->len)
		return false;
	*out = view_make(rest->p, len);
	*rest = view_from(*rest, len + 1);
	return true;
}

/* take_text - all of it; a NUL may end it, none may be inside. */
static bool
take_text(struct view *rest, struct view *out)
{
	const size_t len = view_find(*rest, '\0');

	if (len < rest->len && len != rest->len - 1)
		return false;
	*out = view_make(rest->p, len);
	*rest = view_from(*rest, rest->len);
	return true;
}

/* What the data of a reply is made of. */
enum shape {
	SHAPE_NONE,	    /* no reply at all */
	SHAPE_EMPTY,	    /* no data */
	SHAPE_FIELD,	    /* name, value */
	SHAPE_INDEX_FIELD,  /* number, name, value */
	SHAPE_ADDRESS,	    /* one string */
	SHAPE_ADDRESS_ARGS, /* one string, perhaps another one */
	SHAPE_OCTETS,	    /* anything */
	SHAPE_TEXT,	    /* one text */
};

static const struct answer_row {
	char code;
	enum shape shape;
	uint32_t action; /* what must have been negotiated */
	const char *name;
} answers[] = {
	{ MILTER_CONTINUE, SHAPE_EMPTY, 0, "CONTINUE" },
	{ MILTER_PROGRESS, SHAPE_EMPTY, 0, "PROGRESS" },
	{ MILTER_ACCEPT, SHAPE_EMPTY, 0, "ACCEPT" },
	{ MILTER_REJECT, SHAPE_EMPTY, 0, "REJECT" },
	{ MILTER_TEMPFAIL, SHAPE_EMPTY, 0, "TEMPFAIL" },
	{ MILTER_DISCARD, SHAPE_EMPTY, 0, "DISCARD" },
	{ MILTER_SKIP, SHAPE_EMPTY, 0, "SKIP" },
	{ MILTER_SHUTDOWN, SHAPE_EMPTY, 0, "SHUTDOWN" },
	{ MILTER_CONN_FAIL, SHAPE_EMPTY, 0, "CONN_FAIL" },
	{ MILTER_REPLYCODE, SHAPE_TEXT, 0, "REPLYCODE" },
	{ MILTER_ADDHEADER, SHAPE_FIELD, MILTER_MAY_ADDHDRS, "ADDHEADER" },
	{ MILTER_INSHEADER, SHAPE_INDEX_FIELD, MILTER_MAY_ADDHDRS, "INSHEADER" },
	{ MILTER_CHGHEADER, SHAPE_INDEX_FIELD, MILTER_MAY_CHGHDRS, "CHGHEADER" },
	{ MILTER_REPLBODY, SHAPE_OCTETS, MILTER_MAY_CHGBODY, "REPLBODY" },
	{ MILTER_ADDRCPT, SHAPE_ADDRESS, MILTER_MAY_ADDRCPT, "ADDRCPT" },
	{ MILTER_ADDRCPT_PAR, SHAPE_ADDRESS_ARGS, MILTER_MAY_ADDRCPT_PAR, "ADDRCPT_PAR" },
	{ MILTER_DELRCPT, SHAPE_ADDRESS, MILTER_MAY_DELRCPT, "DELRCPT" },
	{ MILTER_CHGFROM, SHAPE_ADDRESS_ARGS, MILTER_MAY_CHGFROM, "CHGFROM" },
	{ MILTER_QUARANTINE, SHAPE_TEXT, MILTER_MAY_QUARANTINE, "QUARANTINE" },
	{ 0, SHAPE_NONE, 0, "?" },
};

static const struct answer_row *
answer_find(char code)
{
	const struct answer_row *row = answers;

	while (row->shape != SHAPE_NONE && row->code != code)
		row++;
	return row;
}

static bool
take_shape(enum shape shape, struct view *rest, struct milter_reply *out)
{
	switch (shape) {
	case SHAPE_EMPTY:
		return true;
	case SHAPE_FIELD:
		return take_string(rest, &out->name) && take_string(rest, &out->value);
	case SHAPE_INDEX_FIELD:
		return take_u32(rest, &out->index) && take_string(rest, &out->name) &&
		       take_string(rest, &out->value);
	case SHAPE_ADDRESS:
		return take_string(rest, &out->name);
	case SHAPE_ADDRESS_ARGS:
		return take_string(rest, &out->name) &&
		       (rest->len == 0 || take_string(rest, &out->value));
	case SHAPE_OCTETS:
		out->value = *rest;
		*rest = view_from(*rest, rest->len);
		return true;
	case SHAPE_TEXT:
		return take_text(rest, &out->value);
	case SHAPE_NONE:
		break;
	}
	return false;
}

bool
milter_reply_parse(char code, struct view data, struct milter_reply *out, struct err *err)
{
	const struct answer_row *row = answer_find(code);

	*out = (struct milter_reply){ .code = code, .name = VIEW(""), .value = VIEW("") };
	if (row->shape == SHAPE_NONE)
		return err_set(err, ERR_PROTOCOL, "an unknown reply, code 0x%02x",
		    (unsigned)(unsigned char)code);
	if (!take_shape(row->shape, &data, out))
		return err_set(err, ERR_PROTOCOL, "a malformed %s", row->name);
	if (data.len > 0)
		return err_set(err, ERR_PROTOCOL, "%s with %zu octets that belong to nothing",
		    row->name, data.len);
	return true;
}

bool
milter_options_parse(struct view data, struct milter_options *out, struct err *err)
{
	*out = (struct milter_options){ .version = 0 };
	if (!take_u32(&data, &out->version) || !take_u32(&data, &out->actions) ||
	    !take_u32(&data, &out->steps))
		return err_set(err, ERR_PROTOCOL, "a malformed OPTNEG");
	while (data.len > 0) {
		uint32_t stage;
		struct view names;

		if (!take_u32(&data, &stage) || !take_string(&data, &names))
			return err_set(err, ERR_PROTOCOL, "a malformed list of macros");
		if (stage >= MILTER_STAGES)
			continue;
		out->has_macros[stage] = true;
		out->macros[stage] = names;
	}
	return true;
}

/* unescape - "%%" becomes "%"; a single one, which means nothing, is left out. */
static void
unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; from++) {
		if (*from == '%' && *++from == '\0')
			break;
		*to++ = *from;
	}
	*to = '\0';
}

bool
milter_reply_text_parse(struct view text, struct smtp_reply *out, struct err *err)
{
	struct smtp_reply_reader reader;
	enum smtp_reply_status status;
	size_t used;

	while (text.len > 0 && (text.p[text.len - 1] == '\n' || text.p[text.len - 1] == '\r'))
		text.len--;
	smtp_reply_reader_init(&reader);
	status = smtp_reply_read(&reader, text, &used);
	if (status == SMTP_REPLY_MORE)
		status = smtp_reply_read(&reader, VIEW("\r\n"), &used);
	else if (status == SMTP_REPLY_DONE)
		status = SMTP_REPLY_MALFORMED; /* something stands behind its last line */
	if (status != SMTP_REPLY_DONE || reader.reply.code < 400)
		return err_set(err, ERR_PROTOCOL, "a REPLYCODE that is no reply: %.*s",
		    text.len < 80 ? (int)text.len : 80, text.p);
	*out = reader.reply;
	unescape(out->text);
	return true;
}

static bool
is_separator(char c)
{
	return c == ' ' || c == ',' || c == '\t' || c == '\n' || c == '\r';
}

bool
milter_next_name(struct view *list, struct view *name_out)
{
	size_t len = 0;

	while (list->len > 0 && is_separator(list->p[0]))
		*list = view_from(*list, 1);
	while (len < list->len && !is_separator(list->p[len]))
		len++;
	*name_out = view_make(list->p, len);
	*list = view_from(*list, len);
	return len > 0;
}

uint32_t
milter_action_of(char code)
{
	return answer_find(code)->action;
}

const char *
milter_answer_name(char code)
{
	return answer_find(code)->name;
}

const char *
milter_command_name(char command)
{
	switch ((enum milter_command)command) {
	case MILTER_ABORT:
		return "ABORT";
	case MILTER_BODY:
		return "BODY";
	case MILTER_CONNECT:
		return "CONNECT";
	case MILTER_MACRO:
		return "MACRO";
	case MILTER_EOM:
		return "EOM";
	case MILTER_HELO:
		return "HELO";
	case MILTER_QUIT_NC:
		return "QUIT_NC";
	case MILTER_HEADER:
		return "HEADER";
	case MILTER_MAIL:
		return "MAIL";
	case MILTER_EOH:
		return "EOH";
	case MILTER_OPTNEG:
		return "OPTNEG";
	case MILTER_QUIT:
		return "QUIT";
	case MILTER_RCPT:
		return "RCPT";
	case MILTER_DATA:
		return "DATA";
	}
	return "?";
}
