/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The milter protocol, version 6 down to 2, as pure functions: commands of the MTA's side are
 * appended to a buffer, replies of a milter are read out of octets, with every length checked.
 * No I/O. There is no RFC; the wire format is that of Sendmail's libmilter.
 *
 * A packet is a length (four octets, big-endian, of what follows), a code, and its data.
 */
#ifndef GATEPOST_MILTER_MILTER_PACKET_H
#define GATEPOST_MILTER_MILTER_PACKET_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/smtp/reply.h"

#define MILTER_VERSION_MIN 2
#define MILTER_VERSION_MAX 6
/* Octets of a command's data: libmilter takes no more. */
#define MILTER_DATA_MAX 65535
/* Octets of a reply's data, at most: libmilter sends 64 KiB, other milters a whole body. */
#define MILTER_REPLY_MAX (1024 * 1024 + 1024)

enum milter_command {
	MILTER_ABORT = 'A',
	MILTER_BODY = 'B',
	MILTER_CONNECT = 'C',
	MILTER_MACRO = 'D',
	MILTER_EOM = 'E',
	MILTER_HELO = 'H',
	MILTER_QUIT_NC = 'K', /* end of the session, another one comes on this connection */
	MILTER_HEADER = 'L',
	MILTER_MAIL = 'M',
	MILTER_EOH = 'N',
	MILTER_OPTNEG = 'O',
	MILTER_QUIT = 'Q',
	MILTER_RCPT = 'R',
	MILTER_DATA = 'T',
};

enum milter_answer {
	MILTER_ADDRCPT = '+',
	MILTER_DELRCPT = '-',
	MILTER_ADDRCPT_PAR = '2',
	MILTER_SHUTDOWN = '4',
	MILTER_ACCEPT = 'a',
	MILTER_REPLBODY = 'b',
	MILTER_CONTINUE = 'c',
	MILTER_DISCARD = 'd',
	MILTER_CHGFROM = 'e',
	MILTER_CONN_FAIL = 'f',
	MILTER_ADDHEADER = 'h',
	MILTER_INSHEADER = 'i',
	MILTER_CHGHEADER = 'm',
	MILTER_PROGRESS = 'p',
	MILTER_QUARANTINE = 'q',
	MILTER_REJECT = 'r',
	MILTER_SKIP = 's',
	MILTER_TEMPFAIL = 't',
	MILTER_REPLYCODE = 'y',
};

/* What a milter may do at the end of a message. */
enum milter_action {
	MILTER_MAY_ADDHDRS = 0x001, /* also insert */
	MILTER_MAY_CHGBODY = 0x002,
	MILTER_MAY_ADDRCPT = 0x004,
	MILTER_MAY_DELRCPT = 0x008,
	MILTER_MAY_CHGHDRS = 0x010, /* also delete */
	MILTER_MAY_QUARANTINE = 0x020,
	MILTER_MAY_CHGFROM = 0x040,
	MILTER_MAY_ADDRCPT_PAR = 0x080,
	MILTER_MAY_SETSYMLIST = 0x100,
};

/* NO: it does not want that command. NR: it gets it, and does not answer. */
enum milter_step {
	MILTER_NO_CONNECT = 0x000001,
	MILTER_NO_HELO = 0x000002,
	MILTER_NO_MAIL = 0x000004,
	MILTER_NO_RCPT = 0x000008,
	MILTER_NO_BODY = 0x000010,
	MILTER_NO_HEADER = 0x000020,
	MILTER_NO_EOH = 0x000040,
	MILTER_NR_HEADER = 0x000080,
	MILTER_NO_UNKNOWN = 0x000100,
	MILTER_NO_DATA = 0x000200,
	MILTER_CAN_SKIP = 0x000400,
	MILTER_NR_CONNECT = 0x001000,
	MILTER_NR_HELO = 0x002000,
	MILTER_NR_MAIL = 0x004000,
	MILTER_NR_RCPT = 0x008000,
	MILTER_NR_DATA = 0x010000,
	MILTER_NR_UNKNOWN = 0x020000,
	MILTER_NR_EOH = 0x040000,
	MILTER_NR_BODY = 0x080000,
	MILTER_LEADSPC = 0x100000, /* values of fields with the blank behind the colon */
};

/* Stages of macros, by their numbers on the wire. */
enum milter_stage {
	MILTER_AT_CONNECT,
	MILTER_AT_HELO,
	MILTER_AT_MAIL,
	MILTER_AT_RCPT,
	MILTER_AT_DATA,
	MILTER_AT_EOM,
	MILTER_AT_EOH,
	MILTER_STAGES,
};

struct milter_options {
	uint32_t version;
	uint32_t actions;		   /* enum milter_action */
	uint32_t steps;			   /* enum milter_step */
	bool has_macros[MILTER_STAGES];	   /* the milter has said which it wants ... */
	struct view macros[MILTER_STAGES]; /* ... names, parted by blanks or commas */
};

/* A macro with its value; the name with its braces, if it has any: "i", "{auth_type}". */
struct milter_macro {
	struct view name, value;
};

/* ---- commands: false: the buffer's cap, or a text that has a NUL; nothing was added ---- */

MUST_CHECK bool milter_put(struct buf *out, char command, struct view data);

/* milter_put_strings - each string with a NUL behind it. */
MUST_CHECK bool milter_put_strings(
    struct buf *out, char command, const struct view *strings, size_t count);

/* milter_put_options - version, actions, steps. */
MUST_CHECK bool milter_put_options(struct buf *out, const struct milter_options *options);

/* milter_put_macros - those for a command that follows. None: what it had for it is void. */
MUST_CHECK bool milter_put_macros(
    struct buf *out, char command, const struct milter_macro *macros, size_t count);

/* milter_put_connect - family: '4', '6', or 'U' (unknown: then port and address are left out).
 */
MUST_CHECK bool milter_put_connect(
    struct buf *out, struct view name, char family, uint16_t port, struct view address);

/* ---- replies ---- */

enum milter_status {
	MILTER_MORE, /* the packet is not whole yet */
	MILTER_PACKET,
	MILTER_BAD_LENGTH, /* none, or over max: this connection is of no more use */
};

/*
 * milter_packet_read - the packet at the head of in; *used_out octets. data is a view into in.
 * max: octets of data.
 */
enum milter_status milter_packet_read(
    struct view in, size_t max, char *code_out, struct view *data_out, size_t *used_out);

/* One reply, taken apart; views into the packet's data. */
struct milter_reply {
	char code;
	uint32_t index;	   /* INSHEADER, CHGHEADER */
	struct view name;  /* of a field; or the address */
	struct view value; /* of a field; parameters of an address; body; reason; reply text */
};

/*
 * milter_reply_parse - false: err says what is wrong with it. A code that is none of enum
 * milter_answer is an error too.
 */
MUST_CHECK bool milter_reply_parse(
    char code, struct view data, struct milter_reply *out, struct err *err);

/* milter_options_parse - the data of a milter's OPTNEG. Lists of unknown stages are left out.
 */
MUST_CHECK bool milter_options_parse(
    struct view data, struct milter_options *out, struct err *err);

/*
 * milter_reply_text_parse - the text of a REPLYCODE: "550 5.7.1 text", or several such lines.
 * Codes 400 to 599 only. "%%" is "%", as in smfi_setreply(3).
 */
MUST_CHECK bool milter_reply_text_parse(
    struct view text, struct smtp_reply *out, struct err *err);

/* milter_next_name - cut one off a list of macros, parted by blanks or commas; false: none. */
MUST_CHECK bool milter_next_name(struct view *list, struct view *name_out);

/* milter_action_of - which action a reply is (enum milter_action); 0: it changes nothing. */
uint32_t milter_action_of(char code);

/* milter_command_name - "MAIL", for people; "?" for an unknown one. milter_answer_name. */
const char *milter_command_name(char command);
const char *milter_answer_name(char code);

#endif
