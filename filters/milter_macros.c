/* SPDX-License-Identifier: MPL-2.0 */
/* Sendmail's macros, as far as this gate knows their values. */
#include "filters/milter_private.h"

#include "lib/net/address.h"

/* A value; NULL: it has none. Texts may live in the call's arena. */
typedef const char *(*macro_value)(const struct milter_talk *t, const struct facts *f);

static const char *
value_j(const struct milter_talk *t, const struct facts *f)
{
	(void)t;
	return f->hostname;
}

static const char *
value_v(const struct milter_talk *t, const struct facts *f)
{
	(void)t, (void)f;
	return "Gatepost";
}

static bool
has_name(const struct facts *f)
{
	return f->client_name != NULL && f->client_name[0] != '\0';
}

/* The client's name is not looked up; a proxy may have told it. */
static const char *
value_client_name(const struct milter_talk *t, const struct facts *f)
{
	(void)t;
	return has_name(f) ? f->client_name : "unknown";
}

static const char *
value_underscore(const struct milter_talk *t, const struct facts *f)
{
	return arena_printf(
	    link_arena(t->call), "%s [%s]", value_client_name(t, f), f->client.text);
}

static const char *
value_i(const struct milter_talk *t, const struct facts *f)
{
	(void)t;
	return f->message_id != NULL && f->message_id[0] != '\0' ? f->message_id : NULL;
}

static const char *
value_client_addr(const struct milter_talk *t, const struct facts *f)
{
	return f->client.addr.ss_family == AF_INET6
		   ? arena_printf(link_arena(t->call), "IPv6:%s", f->client.text)
		   : f->client.text;
}

/* What came of the search for a name. */
static const char *
value_client_resolve(const struct milter_talk *t, const struct facts *f)
{
	(void)t;
	return has_name(f) ? "OK" : "FAIL";
}

static const char *
value_client_port(const struct milter_talk *t, const struct facts *f)
{
	return arena_printf(link_arena(t->call), "%u", (unsigned)f->client.port);
}

static const char *
value_daemon_addr(const struct milter_talk *t, const struct facts *f)
{
	char host[ADDRESS_TEXT_MAX];
	uint16_t port;
	struct err ignored;

	if (!address_split(f->listener, 0, host, sizeof(host), &port, &ignored))
		return NULL;
	return arena_strdup(
	    link_arena(t->call), view_of(strcmp(host, "*") == 0 ? "0.0.0.0" : host));
}

static const char *
value_daemon_port(const struct milter_talk *t, const struct facts *f)
{
	char host[ADDRESS_TEXT_MAX];
	uint16_t port;
	struct err ignored;

	if (!address_split(f->listener, 0, host, sizeof(host), &port, &ignored))
		return NULL;
	return arena_printf(link_arena(t->call), "%u", (unsigned)port);
}

static const char *
value_tls_version(const struct milter_talk *t, const struct facts *f)
{
	(void)t;
	return f->tls.on ? f->tls.version : NULL;
}

static const char *
value_cipher(const struct milter_talk *t, const struct facts *f)
{
	(void)t;
	return f->tls.on ? f->tls.cipher : NULL;
}

static const char *
value_cipher_bits(const struct milter_talk *t, const struct facts *f)
{
	return f->tls.on ? arena_printf(link_arena(t->call), "%d", f->tls.bits) : NULL;
}

static const char *
value_auth_type(const struct milter_talk *t, const struct facts *f)
{
	(void)t;
	return f->identity.login != NULL ? f->identity.mechanism : NULL;
}

static const char *
value_auth_authen(const struct milter_talk *t, const struct facts *f)
{
	(void)t;
	return f->identity.login;
}

static bool
has_sender(const struct facts *f)
{
	return f->message_id != NULL && f->message_id[0] != '\0';
}

static const char *
value_mail_addr(const struct milter_talk *t, const struct facts *f)
{
	(void)t;
	return has_sender(f) ? f->reverse_path : NULL;
}

static const char *
value_mail_host(const struct milter_talk *t, const struct facts *f)
{
	return has_sender(f) ? arena_strdup(link_arena(t->call), f->mail.path.domain) : NULL;
}

static const char *
value_mail_mailer(const struct milter_talk *t, const struct facts *f)
{
	(void)t;
	return has_sender(f) ? "smtp" : NULL;
}

static const char *
value_rcpt_addr(const struct milter_talk *t, const struct facts *f)
{
	(void)f;
	return t->recipient != NULL ? t->recipient->address : NULL;
}

static const char *
value_rcpt_host(const struct milter_talk *t, const struct facts *f)
{
	(void)f;
	return t->recipient != NULL
		   ? arena_strdup(link_arena(t->call), t->recipient->path.domain)
		   : NULL;
}

static const char *
value_rcpt_mailer(const struct milter_talk *t, const struct facts *f)
{
	(void)f;
	return t->recipient != NULL ? "smtp" : NULL;
}

static const struct macro_row {
	const char *name;
	macro_value value;
} known[] = {
	{ "i", value_i },
	{ "j", value_j },
	{ "v", value_v },
	{ "_", value_underscore },
	{ "auth_authen", value_auth_authen },
	{ "auth_type", value_auth_type },
	{ "cipher", value_cipher },
	{ "cipher_bits", value_cipher_bits },
	{ "client_addr", value_client_addr },
	{ "client_name", value_client_name },
	{ "client_port", value_client_port },
	{ "client_ptr", value_client_name },
	{ "client_resolve", value_client_resolve },
	{ "daemon_addr", value_daemon_addr },
	{ "daemon_name", value_j },
	{ "daemon_port", value_daemon_port },
	{ "mail_addr", value_mail_addr },
	{ "mail_host", value_mail_host },
	{ "mail_mailer", value_mail_mailer },
	{ "rcpt_addr", value_rcpt_addr },
	{ "rcpt_host", value_rcpt_host },
	{ "rcpt_mailer", value_rcpt_mailer },
	{ "tls_version", value_tls_version },
};

struct view
milter_macro_name(struct view name)
{
	if (name.len > 2 && name.p[0] == '{' && name.p[name.len - 1] == '}')
		return view_make(name.p + 1, name.len - 2);
	return name;
}

bool
milter_macro(void *context, struct view name, struct view *value_out)
{
	const struct milter_talk *t = context;

	name = milter_macro_name(name);
	for (size_t i = 0; i < t->state->value_count; i++) {
		*value_out = t->state->values[i].value;
		if (view_eq(t->state->values[i].name, name))
			return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		const char *value;

		if (!view_eq(view_of(known[i].name), name))
			continue;
		value = known[i].value(t, link_facts(t->call));
		*value_out = view_of(value);
		return value != NULL;
	}
	return false;
}
