/* SPDX-License-Identifier: MPL-2.0 */
/*
 * PLAIN: one response, authorization identity NUL login NUL password (RFC 4616). Nobody may act
 * for somebody else, so the authorization identity is empty or the login once more.
 */
#include "proxy/auth/mech.h"

/* take_parts - the decoded response into the run. */
static bool
take_parts(struct mech_run *run, struct view text)
{
	struct view authzid, login;

	/* view_split forgives a missing separator at the end, PLAIN does not: cut by hand. */
	authzid = view_make(text.p, view_find(text, '\0'));
	if (authzid.len == text.len)
		return false;
	text = view_from(text, authzid.len + 1);
	login = view_make(text.p, view_find(text, '\0'));
	if (login.len == text.len)
		return false;
	if (authzid.len > 0 && !view_eq(authzid, login))
		return false;
	return mech_take_login(run, login) &&
	       mech_take_password(run, view_from(text, login.len + 1));
}

static enum mech_status
step(struct mech_run *run, bool has_response, struct view response, const char **challenge_out)
{
	struct mech_response decoded;
	enum mech_status status;

	if (!has_response) {
		run->step++;
		*challenge_out = "";
		return MECH_CHALLENGE;
	}
	status = mech_decode(response, &decoded);
	if (status == MECH_CREDENTIALS &&
	    !take_parts(run, view_make(decoded.text, decoded.len)))
		status = MECH_BAD_CONTENT;
	secret_wipe(&decoded, sizeof(decoded));
	return status;
}

const struct mech mech_plain = { .name = "PLAIN", .step = step };
