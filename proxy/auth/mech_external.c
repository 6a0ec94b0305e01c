/* SPDX-License-Identifier: MPL-2.0 */
/*
 * EXTERNAL: one response, the authorization identity, which may be empty (RFC 4422 appendix A).
 * Who the client is was proven below, by its certificate; so there is no password, and what is
 * said here only chooses among the names that the certificate holds. The session compares.
 */
#include "proxy/auth/mech.h"

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
	if (status == MECH_CREDENTIALS && decoded.len > 0 &&
	    !mech_take_login(run, view_make(decoded.text, decoded.len)))
		status = MECH_BAD_CONTENT;
	secret_wipe(&decoded, sizeof(decoded));
	return status;
}

const struct mech mech_external = {
	.name = "EXTERNAL", .is_by_certificate = true, .step = step
};
