/* SPDX-License-Identifier: MPL-2.0 */
/* The mechanisms that there are, and what they have in common. RFC 4954, RFC 4422. */
#include "proxy/auth/mech.h"

#include "lib/base/base64.h"

static const struct mech *const mechs[] = { &mech_plain, &mech_login, &mech_external };

const char mech_names[] = "PLAIN LOGIN";
const char mech_names_with_external[] = "PLAIN LOGIN EXTERNAL";

const struct mech *
mech_find(struct view name)
{
	for (size_t i = 0; i < ARRAY_LEN(mechs); i++) {
		if (view_eq_nocase(name, view_of(mechs[i]->name)))
			return mechs[i];
	}
	return NULL;
}

void
mech_run_init(struct mech_run *run, const struct mech *mech)
{
	run->mech = mech;
	run->step = 0;
	secret_init(&run->login);
	secret_init(&run->password);
}

void
mech_run_finish(struct mech_run *run)
{
	secret_finish(&run->login);
	secret_finish(&run->password);
	run->mech = NULL;
	run->step = 0;
}

enum mech_status
mech_run_step(
    struct mech_run *run, bool has_response, struct view response, const char **challenge_out)
{
	*challenge_out = "";
	/* Behind a challenge there is always a response, an empty line being the empty one. */
	if (run->step > 0 && !has_response)
		return MECH_BAD_CONTENT;
	/* RFC 4954 4: only an *initial* response that is empty is written as "=". */
	if (run->step == 0 && has_response && view_eq(response, VIEW("=")))
		response = VIEW("");
	return run->mech->step(run, has_response, response, challenge_out);
}

enum mech_status
mech_decode(struct view response, struct mech_response *out)
{
	if (BASE64_DECODED_MAX(response.len) > sizeof(out->text))
		return MECH_BAD_CONTENT;
	if (!base64_decode(response, out->text, sizeof(out->text), &out->len))
		return MECH_BAD_ENCODING;
	return MECH_CREDENTIALS;
}

bool
mech_take_login(struct mech_run *run, struct view login)
{
	if (login.len == 0 || login.len > LOGIN_MAX)
		return false;
	for (size_t i = 0; i < login.len; i++) {
		const unsigned char c = (unsigned char)login.p[i];

		if (c < ' ' || c == 0x7f)
			return false;
	}
	return secret_set(&run->login, login);
}

bool
mech_take_password(struct mech_run *run, struct view password)
{
	return password.len > 0 && secret_set(&run->password, password);
}
