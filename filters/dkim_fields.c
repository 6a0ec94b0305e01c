/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The default lists of signed header fields, with their reasons.
 *
 * A name that h= has once more than the message has fields of it is "oversigned": nobody can
 * put another one on top (which many programs would show instead) without breaking the
 * signature. RFC 6376 5.4, 8.15. The price: a forwarder that adds the field breaks it too. So
 * a field is oversigned when a second one would mislead a reader and no honest relay adds it.
 */
#include "filters/dkim_fields.h"

#include "lib/base/view.h"

const char *const dkim_fields_oversign[] = {
	/* What a reader sees, at most one each (RFC 5322 3.6). From is required. */
	"From",
	"To",
	"Cc",
	"Subject",
	"Date",
	"Reply-To",
	/* What threads are made of. */
	"Message-ID",
	"In-Reply-To",
	"References",
	/* How the body is read: another type or encoding shows other text from the same octets.
	 */
	"MIME-Version",
	"Content-Type",
	"Content-Transfer-Encoding",
};
const size_t dkim_fields_oversign_count = ARRAY_LEN(dkim_fields_oversign);

const char *const dkim_fields_sign[] = {
	/* Mailing lists put their own Sender on posts that they change in no other way. */
	"Sender",
	/* RFC 8058 4: one-click unsubscription counts only when both are signed. Lists add
	 * their own to a post, so another one is allowed. */
	"List-Unsubscribe",
	"List-Unsubscribe-Post",
	/* RFC 6376 5.4.1: of a list; and of a message that was sent once more, where later
	 * re-senders put a new block on top. */
	"List-Id",
	"List-Help",
	"List-Subscribe",
	"List-Post",
	"List-Owner",
	"List-Archive",
	"Resent-Date",
	"Resent-From",
	"Resent-Sender",
	"Resent-To",
	"Resent-Cc",
	"Resent-Message-ID",
	/* MIME fields beside the three above. */
	"Content-Disposition",
	"Content-ID",
	"Content-Description",
	"Content-Language",
	/* Reports of complaints go to whoever stands there: they must be signed (RFC 9477 3.1;
	 * Feedback-ID is Google's). */
	"CFBL-Address",
	"CFBL-Feedback-ID",
	"Feedback-ID",
	/* "Do not answer by machine" (RFC 3834). */
	"Auto-Submitted",
};
const size_t dkim_fields_sign_count = ARRAY_LEN(dkim_fields_sign);

static bool
is_one_of(const char *name, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (view_eq_nocase(view_of(name), view_of(list[i])))
			return true;
	}
	return false;
}

/* RFC 6409 8.2, 8.3; Postfix does it for every client on its own machine. */
bool
dkim_field_is_added_later(const char *name)
{
	static const char *const list[] = { "Date", "Message-ID" };

	return is_one_of(name, list, ARRAY_LEN(list));
}

const char *
dkim_field_is_never_signed(const char *name)
{
	static const char *const trace[] = { "Received", "Return-Path", "DKIM-Signature",
		"Authentication-Results", "ARC-Seal", "ARC-Message-Signature",
		"ARC-Authentication-Results", "Received-SPF", "Delivered-To" };
	static const char *const hidden[] = { "Bcc", "Resent-Bcc" };

	if (is_one_of(name, trace, ARRAY_LEN(trace)))
		return "servers on the way add, change or remove it";
	if (is_one_of(name, hidden, ARRAY_LEN(hidden)))
		return "it is removed before the recipients see it";
	return NULL;
}
