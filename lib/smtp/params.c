/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Parameters of MAIL and RCPT (RFC 5321 4.1.2: esmtp-param): read by a table, and written anew
 * for the next server from what they mean, never copied.
 */
#include "lib/smtp/path_private.h"
#include "lib/smtp/xtext.h"

#define SIZE_DIGITS_MAX 20  /* RFC 1870 4 */
#define ENVID_MAX	100 /* octets as written, RFC 3461 4.4 */
#define ORCPT_MAX	500 /* 4.2 */
#define AUTH_MAX	500 /* RFC 4954 5 */

struct param {
	struct view key;
	struct view value; /* empty when there is none: "KEY=" is malformed */
};

/* Octets over 0x7f (RFC 6531 3.3) are for ORCPT only, which checks them. */
static bool
is_value_char(char c)
{
	return (c > ' ' && c <= '~' && c != '=') || (unsigned char)c > 0x7f;
}

/* Cut " KEY[=VALUE]" off *rest; false when there is something else. */
static bool
param_next(struct view *rest, struct param *out)
{
	size_t start = 0, end;

	while (start < rest->len && rest->p[start] == ' ')
		start++;
	for (end = start; end < rest->len; end++) {
		char c = rest->p[end];
		if (!ascii_is_alnum(c) && (c != '-' || end == start))
			break;
	}
	if (start == 0 || end == start)
		return false;
	out->key = view_make(rest->p + start, end - start);
	*rest = view_from(*rest, end);

	bool has_value = rest->len > 0 && rest->p[0] == '=';
	if (has_value)
		*rest = view_from(*rest, 1);
	for (end = 0; has_value && end < rest->len && is_value_char(rest->p[end]);)
		end++;
	out->value = view_make(rest->p, end);
	*rest = view_from(*rest, end);
	return has_value == (end > 0) && (rest->len == 0 || rest->p[0] == ' ');
}

/* ---- MAIL ---- */

static bool
mail_size(struct view value, struct smtp_mail *out)
{
	if (out->has_size || value.len > SIZE_DIGITS_MAX || !view_to_u64(value, &out->size))
		return false;
	out->has_size = true;
	return true;
}

static bool
mail_body(struct view value, struct smtp_mail *out)
{
	if (out->body != SMTP_BODY_UNSET)
		return false;
	if (view_eq_nocase(value, VIEW("7BIT")))
		out->body = SMTP_BODY_7BIT;
	else if (view_eq_nocase(value, VIEW("8BITMIME")))
		out->body = SMTP_BODY_8BITMIME;
	return out->body != SMTP_BODY_UNSET;
}

static bool
mail_auth(struct view value, struct smtp_mail *out)
{
	if (out->has_auth || value.len > AUTH_MAX || !xtext_is_valid(value))
		return false;
	out->has_auth = true;
	out->auth = value;
	return true;
}

static bool
mail_ret(struct view value, struct smtp_mail *out)
{
	if (out->ret != SMTP_RET_UNSET)
		return false;
	if (view_eq_nocase(value, VIEW("FULL")))
		out->ret = SMTP_RET_FULL;
	else if (view_eq_nocase(value, VIEW("HDRS")))
		out->ret = SMTP_RET_HDRS;
	return out->ret != SMTP_RET_UNSET;
}

static bool
mail_smtputf8(struct view value, struct smtp_mail *out)
{
	if (out->smtputf8 || value.len > 0)
		return false;
	out->smtputf8 = true;
	return true;
}

static bool
mail_requiretls(struct view value, struct smtp_mail *out)
{
	if (out->requiretls || value.len > 0)
		return false;
	out->requiretls = true;
	return true;
}

static bool
mail_envid(struct view value, struct smtp_mail *out)
{
	if (out->envid.len > 0 || value.len > ENVID_MAX || !xtext_is_valid(value))
		return false;
	out->envid = value;
	return true;
}

static enum smtp_syntax
mail_param(const struct param *param, struct smtp_mail *out)
{
	static const struct {
		struct view key;
		bool (*take)(struct view value, struct smtp_mail *out);
	} known[] = {
		{ { "SIZE", 4 }, mail_size },
		{ { "BODY", 4 }, mail_body },
		{ { "AUTH", 4 }, mail_auth },
		{ { "RET", 3 }, mail_ret },
		{ { "ENVID", 5 }, mail_envid },
		{ { "SMTPUTF8", 8 }, mail_smtputf8 },
		{ { "REQUIRETLS", 10 }, mail_requiretls },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (view_eq_nocase(param->key, known[i].key))
			return known[i].take(param->value, out) ? SMTP_SYNTAX_OK
								: SMTP_SYNTAX_PARAM;
	}
	return SMTP_SYNTAX_PARAM_UNKNOWN;
}

enum smtp_syntax
smtp_mail_params(struct view args, struct smtp_mail *out)
{
	enum smtp_syntax syntax = SMTP_SYNTAX_OK;
	struct param param;

	while (syntax == SMTP_SYNTAX_OK && args.len > 0)
		syntax =
		    param_next(&args, &param) ? mail_param(&param, out) : SMTP_SYNTAX_PARAM;
	return syntax;
}

/* ---- RCPT ---- */

static const struct {
	struct view word;
	unsigned bit;
} notify_words[] = {
	{ { "NEVER", 5 }, SMTP_NOTIFY_NEVER },
	{ { "SUCCESS", 7 }, SMTP_NOTIFY_SUCCESS },
	{ { "FAILURE", 7 }, SMTP_NOTIFY_FAILURE },
	{ { "DELAY", 5 }, SMTP_NOTIFY_DELAY },
};

static unsigned
notify_bit(struct view word)
{
	for (size_t i = 0; i < ARRAY_LEN(notify_words); i++) {
		if (view_eq_nocase(word, notify_words[i].word))
			return notify_words[i].bit;
	}
	return 0;
}

/* A list in which NEVER is the only word, or none. */
static bool
rcpt_notify(struct view value, struct smtp_dsn *out)
{
	unsigned notify = 0, bit;
	struct view word;

	if (out->notify != 0 || value.len == 0)
		return false;
	while (view_split(&value, ',', &word)) {
		bit = notify_bit(word);
		if (bit == 0 || (notify & SMTP_NOTIFY_NEVER) != 0 ||
		    (notify != 0 && bit == SMTP_NOTIFY_NEVER))
			return false;
		notify |= bit;
	}
	out->notify = notify;
	return true;
}

/* An address type is an atom (RFC 3461 4.2); those that IANA knows have nothing but these. */
static bool
is_address_type(struct view type)
{
	for (size_t i = 0; i < type.len; i++) {
		if (!ascii_is_alnum(type.p[i]) && type.p[i] != '-')
			return false;
	}
	return type.len > 0;
}

static bool
rcpt_orcpt(struct view value, bool smtputf8, struct smtp_dsn *out)
{
	const size_t semicolon = view_find(value, ';');
	const struct view type = view_make(value.p, semicolon);
	/* RFC 6533 3: utf-8-addr-unitext */
	const bool beyond_ascii = smtputf8 && view_eq_nocase(type, VIEW("utf-8"));
	const struct view text = view_from(value, semicolon + 1);

	if (out->orcpt.len > 0 || value.len > ORCPT_MAX || !is_address_type(type) ||
	    !(beyond_ascii ? xtext_is_valid_utf8(text) : xtext_is_valid(text)))
		return false;
	out->orcpt = value;
	return true;
}

static enum smtp_syntax
rcpt_param(const struct param *param, bool smtputf8, struct smtp_dsn *out)
{
	bool is_good;

	if (view_eq_nocase(param->key, VIEW("NOTIFY")))
		is_good = rcpt_notify(param->value, out);
	else if (view_eq_nocase(param->key, VIEW("ORCPT")))
		is_good = rcpt_orcpt(param->value, smtputf8, out);
	else
		return SMTP_SYNTAX_PARAM_UNKNOWN;
	return is_good ? SMTP_SYNTAX_OK : SMTP_SYNTAX_PARAM;
}

enum smtp_syntax
smtp_rcpt_params(struct view args, bool smtputf8, struct smtp_dsn *out)
{
	enum smtp_syntax syntax = SMTP_SYNTAX_OK;
	struct param param;

	while (syntax == SMTP_SYNTAX_OK && args.len > 0)
		syntax = param_next(&args, &param) ? rcpt_param(&param, smtputf8, out)
						   : SMTP_SYNTAX_PARAM;
	return syntax;
}

/* ---- written anew ---- */

bool
smtp_mail_has_dsn(const struct smtp_mail *mail)
{
	return mail->ret != SMTP_RET_UNSET || mail->envid.len > 0;
}

bool
smtp_dsn_is_set(const struct smtp_dsn *dsn)
{
	return dsn->notify != 0 || dsn->orcpt.len > 0;
}

bool
smtp_ret_write(enum smtp_ret ret, struct buf *out)
{
	switch (ret) {
	case SMTP_RET_FULL:
		return buf_add_str(out, "RET=FULL");
	case SMTP_RET_HDRS:
		return buf_add_str(out, "RET=HDRS");
	case SMTP_RET_UNSET:
		break;
	}
	return true;
}

bool
smtp_envid_write(struct view envid, struct buf *out)
{
	return envid.len == 0 || (buf_add_str(out, "ENVID=") && xtext_rewrite(envid, out));
}

bool
smtp_auth_write(const struct smtp_mail *mail, struct buf *out)
{
	return !mail->has_auth || (buf_add_str(out, "AUTH=") && xtext_rewrite(mail->auth, out));
}

bool
smtp_notify_write(unsigned notify, struct buf *out)
{
	bool ok = notify == 0 || buf_add_str(out, "NOTIFY=");
	const char *comma = "";

	for (size_t i = 0; i < ARRAY_LEN(notify_words); i++) {
		if ((notify & notify_words[i].bit) == 0)
			continue;
		ok = ok && buf_add_str(out, comma) && buf_add_view(out, notify_words[i].word);
		comma = ",";
	}
	return ok;
}

bool
smtp_orcpt_write(struct view orcpt, struct buf *out)
{
	if (orcpt.len == 0)
		return true;
	const size_t semicolon = view_find(orcpt, ';');
	return buf_add_str(out, "ORCPT=") && buf_add_view(out, view_make(orcpt.p, semicolon)) &&
	       buf_add_char(out, ';') && xtext_rewrite(view_from(orcpt, semicolon + 1), out);
}
