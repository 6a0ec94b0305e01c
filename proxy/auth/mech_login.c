/* SPDX-License-Identifier: MPL-2.0 */
/*
 * LOGIN: asks for the login, then for the password (draft-murchison-sasl-login-00; obsolete,
 * but some clients know nothing else). An initial response is the login. The prompts are the
 * ones that everybody sends: clients compare them.
 */
#include "proxy/auth/mech.h"

enum { LOGIN_BEGIN, LOGIN_WAITS_FOR_LOGIN, LOGIN_WAITS_FOR_PASSWORD, LOGIN_DONE };

static const char prompt_login[] = "VXNlcm5hbWU6";    /* "Username:" */
static const char prompt_password[] = "UGFzc3dvcmQ6"; /* "Password:" */

/* take - the part that this response is; the status says what comes next. */
static enum mech_status
take(struct mech_run *run, struct view text, const char **challenge_out)
{
	switch (run->step) {
	case LOGIN_BEGIN:
	case LOGIN_WAITS_FOR_LOGIN:
		if (!mech_take_login(run, text))
			break;
		run->step = LOGIN_WAITS_FOR_PASSWORD;
		*challenge_out = prompt_password;
		return MECH_CHALLENGE;
	case LOGIN_WAITS_FOR_PASSWORD:
		if (!mech_take_password(run, text))
			break;
		run->step = LOGIN_DONE;
		return MECH_CREDENTIALS;
	default:
		break;
	}
	return MECH_BAD_CONTENT;
}

static enum mech_status
step(struct mech_run *run, bool has_response, struct view response, const char **challenge_out)
{
	struct mech_response decoded;
	enum mech_status status;

	if (!has_response) {
		run->step = LOGIN_WAITS_FOR_LOGIN;
		*challenge_out = prompt_login;
		return MECH_CHALLENGE;
	}
	status = mech_decode(response, &decoded);
	if (status == MECH_CREDENTIALS)
		status = take(run, view_make(decoded.text, decoded.len), challenge_out);
	secret_wipe(&decoded, sizeof(decoded));
	return status;
}

const struct mech mech_login = { .name = "LOGIN", .step = step };
