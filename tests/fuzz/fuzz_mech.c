/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Fuzz the AUTH exchange: the first octet chooses mechanism and initial response, the lines
 * behind it are what the client sends. And base64 itself: what decodes encodes to the same
 * text.
 */
#include "proxy/auth/mech.h"

#include "lib/base/base64.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool is_so)
{
	if (!is_so)
		abort();
}

static void
check_base64(struct view line)
{
	static char value[16384], again[16384];
	size_t value_len, again_len;

	if (line.len > sizeof(again) || !base64_decode(line, value, sizeof(value), &value_len))
		return;
	require(base64_encode(view_make(value, value_len), again, sizeof(again), &again_len));
	require(view_eq(view_make(again, again_len), line));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view rest, line;
	struct mech_run run;
	const char *challenge;
	bool has_response;
	enum mech_status status = MECH_CHALLENGE;
	int steps = 0;

	if (size == 0)
		return 0;
	mech_run_init(&run, (data[0] & 1) != 0 ? &mech_login : &mech_plain);
	has_response = (data[0] & 2) != 0;
	rest = view_make((const char *)data + 1, size - 1);
	if (!has_response) {
		status = mech_run_step(&run, false, VIEW(""), &challenge);
		require(status == MECH_CHALLENGE);
	}
	while (status == MECH_CHALLENGE && view_split(&rest, '\n', &line)) {
		check_base64(line);
		status = mech_run_step(&run, true, line, &challenge);
		require(++steps <= 2);
	}
	if (status == MECH_CREDENTIALS) {
		require(run.login.len > 0 && run.login.len <= LOGIN_MAX);
		require(run.password.len > 0 && strlen(run.password.p) == run.password.len);
		for (size_t i = 0; i < run.login.len; i++)
			require((unsigned char)run.login.p[i] >= ' ');
	}
	mech_run_finish(&run);
	return 0;
}
