/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A command line as verb and argument text, and the arguments of MAIL and RCPT parsed to the
 * grammar (RFC 5321 4.1.2; RFC 1870 SIZE; RFC 6152 BODY; RFC 4954 5 AUTH; RFC 3461 4 DSN; RFC
 * 6531 SMTPUTF8; RFC 8689 REQUIRETLS). Pure: views into the line. Anything not matched exactly
 * is an error, never a guess.
 */
#ifndef GATEPOST_SMTP_COMMAND_H
#define GATEPOST_SMTP_COMMAND_H

#include "lib/base/buf.h"

enum smtp_verb {
	VERB_HELO,
	VERB_EHLO,
	VERB_STARTTLS,
	VERB_AUTH,
	VERB_MAIL,
	VERB_RCPT,
	VERB_DATA,
	VERB_BDAT,
	VERB_RSET,
	VERB_NOOP,
	VERB_VRFY,
	VERB_HELP,
	VERB_QUIT,
	VERB_XCLIENT, /* see xclient.h */
	VERB_UNKNOWN, /* also for the count of known verbs */
};

struct smtp_command {
	enum smtp_verb verb;
	struct view word; /* the verb as it was written */
	struct view args; /* behind one SP, without trailing blanks; empty when none */
};

/* smtp_command_parse - never fails: what is not known is VERB_UNKNOWN. */
struct smtp_command smtp_command_parse(struct view line);

/* smtp_verb_name - "MAIL"...; "?" for VERB_UNKNOWN. */
const char *smtp_verb_name(enum smtp_verb verb);

/* smtp_line_is_foreign - an HTTP verb or TLS record: the peer talks another protocol. */
bool smtp_line_is_foreign(struct view line);

/* An address in SMTP: local part as it was written (quoted if it was), domain as it was
 * written. */
struct smtp_path {
	bool is_null;	   /* <>: the null reverse-path */
	struct view local; /* dot-string or quoted-string, checked */
	struct view
	    domain; /* domain or address literal with [], checked; empty for <postmaster> */
};

enum smtp_body { SMTP_BODY_UNSET, SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };
enum smtp_ret { SMTP_RET_UNSET, SMTP_RET_FULL, SMTP_RET_HDRS }; /* RFC 3461 4.3 */

/* RFC 3461 4.1, as bits; none of them: not given. NEVER stands alone. */
enum {
	SMTP_NOTIFY_NEVER = 1,
	SMTP_NOTIFY_SUCCESS = 2,
	SMTP_NOTIFY_FAILURE = 4,
	SMTP_NOTIFY_DELAY = 8,
};

/* What RCPT says of delivery status notifications. */
struct smtp_dsn {
	unsigned notify;   /* SMTP_NOTIFY_* */
	struct view orcpt; /* "type;xtext", checked (4.2); empty: not given */
};

struct smtp_mail {
	struct smtp_path path;
	bool has_size;
	uint64_t size; /* octets, RFC 1870 */
	enum smtp_body body;
	bool has_auth;	  /* AUTH= was given (RFC 4954 5) */
	struct view auth; /* its value, xtext, checked */
	enum smtp_ret ret;
	struct view envid; /* xtext, checked (RFC 3461 4.4); empty: not given */
	bool smtputf8;	   /* RFC 6531 3.4 */
	bool requiretls;   /* RFC 8689 2 */
};

enum smtp_syntax {
	SMTP_SYNTAX_OK,
	SMTP_SYNTAX_KEYWORD, /* not "FROM:" / "TO:" */
	SMTP_SYNTAX_PATH,    /* not a path in angle brackets */
	SMTP_SYNTAX_LONG,    /* local part over 64, domain over 255, path over 256 octets */
	SMTP_SYNTAX_UTF8,    /* octets over 0x7f without SMTPUTF8, or that are no UTF-8 */
	SMTP_SYNTAX_NULL,    /* <> where a forward-path is needed */
	SMTP_SYNTAX_PARAM,   /* a parameter that is malformed or given twice */
	SMTP_SYNTAX_PARAM_UNKNOWN, /* 555 */
};

/*
 * smtp_mail_parse / smtp_rcpt_parse - args as in struct smtp_command. Blanks between "FROM:"
 * and
 * "<" are accepted (common clients do that); a source route is accepted and dropped (RFC 5321
 * C). A literal is [IPv4] or [IPv6:...], the only registered tag; underscores in a domain are
 * let through. Addresses beyond ASCII need SMTPUTF8, of MAIL itself or of the MAIL before
 * (smtputf8), and are UTF-8 (RFC 3629); domain_to_ascii() says whether their domain is one.
 * Values outside what was announced are errors: nothing is silently ignored.
 */
MUST_CHECK enum smtp_syntax smtp_mail_parse(struct view args, struct smtp_mail *out);
MUST_CHECK enum smtp_syntax smtp_rcpt_parse(
    struct view args, bool smtputf8, struct smtp_path *out, struct smtp_dsn *dsn_out);

/* smtp_bdat_parse - "SIZE" or "SIZE LAST" (RFC 3030 2): false for anything else, or a size over
 * 2^63 - 1. */
MUST_CHECK bool smtp_bdat_parse(struct view args, uint64_t *size_out, bool *is_last_out);

/* smtp_mail_has_dsn - RET or ENVID was given. */
bool smtp_mail_has_dsn(const struct smtp_mail *mail);

/* smtp_dsn_is_set - NOTIFY or ORCPT was given. */
bool smtp_dsn_is_set(const struct smtp_dsn *dsn);

/*
 * Parameters as they are said to others, written anew from what they mean: "RET=HDRS",
 * "NOTIFY=SUCCESS,DELAY"... False: room, which SMTP_PARAM_MAX is enough for; "" for one that
 * was not given.
 */
#define SMTP_PARAM_MAX 512
MUST_CHECK bool smtp_ret_write(enum smtp_ret ret, struct buf *out);
MUST_CHECK bool smtp_envid_write(struct view envid, struct buf *out);
MUST_CHECK bool smtp_auth_write(const struct smtp_mail *mail, struct buf *out);
MUST_CHECK bool smtp_notify_write(unsigned notify, struct buf *out);
MUST_CHECK bool smtp_orcpt_write(struct view orcpt, struct buf *out);

/* smtp_path_parse - the path alone, "<...>", also "<>" and "<postmaster>"; _utf8: also beyond
 * ASCII (RFC 6531 3.3). */
MUST_CHECK enum smtp_syntax smtp_path_parse(struct view text, struct smtp_path *out);
MUST_CHECK enum smtp_syntax smtp_path_parse_utf8(struct view text, struct smtp_path *out);
bool smtp_path_is_ascii(const struct smtp_path *path);

/*
 * smtp_helo_is_valid - the argument of HELO or EHLO: a domain or an address literal
 * (RFC 5321 4.1.1.1); underscores are let through, since much of the world sends them.
 */
#define SMTP_HELO_MAX 255 /* octets of a valid one at most */
bool smtp_helo_is_valid(struct view args);

/* smtp_helo_is_text - printable ASCII and blanks, for servers that take any name. */
bool smtp_helo_is_text(struct view args);

/* smtp_path_write - "local@domain" without brackets, "" for <>; room from SMTP_PATH_MAX. */
#define SMTP_PATH_MAX 322
void smtp_path_write(const struct smtp_path *path, char out[SMTP_PATH_MAX]);

#endif
