/* SPDX-License-Identifier: MPL-2.0 */
/* proxy/auth/mech*: exchanges as tables, line by line. */
#include "proxy/auth/mech.h"

#include "lib/base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NONE "(none)" /* AUTH without an initial response */

struct exchange {
	const char *name, *mech;
	const char *lines[3]; /* what the client sends; the first is the initial response */
	const char *challenges[2];
	enum mech_status end;
	const char *login, *password;
};

static const struct exchange exchanges[] = {
	{ "PLAIN with an initial response", "PLAIN", { "AGFsaWNlAHNlc2FtZQ==" }, { NULL },
	    MECH_CREDENTIALS, "alice", "sesame" },
	{ "PLAIN without one gets an empty challenge", "PLAIN",
	    { NONE, "AGFsaWNlAHNlc2FtZQ==" }, { "" }, MECH_CREDENTIALS, "alice", "sesame" },
	{ "PLAIN: the authorization identity is the login", "PLAIN",
	    { "YWxpY2UAYWxpY2UAc2VzYW1l" }, { NULL }, MECH_CREDENTIALS, "alice", "sesame" },
	{ "PLAIN: the authorization identity is somebody else", "PLAIN",
	    { "Ym9iAGFsaWNlAHNlc2FtZQ==" }, { NULL }, MECH_BAD_CONTENT, NULL, NULL },
	{ "PLAIN: no NUL", "PLAIN", { "YWxpY2U=" }, { NULL }, MECH_BAD_CONTENT, NULL, NULL },
	{ "PLAIN: one NUL", "PLAIN", { "AGFsaWNl" }, { NULL }, MECH_BAD_CONTENT, NULL, NULL },
	{ "PLAIN: three NULs", "PLAIN", { "AGFsaWNlAHNlAHM=" }, { NULL }, MECH_BAD_CONTENT,
	    NULL, NULL },
	{ "PLAIN: an empty login", "PLAIN", { "AABzZXNhbWU=" }, { NULL }, MECH_BAD_CONTENT,
	    NULL, NULL },
	{ "PLAIN: an empty password", "PLAIN", { "AGFsaWNlAA==" }, { NULL }, MECH_BAD_CONTENT,
	    NULL, NULL },
	{ "PLAIN: a line end in the login", "PLAIN", { "AGEKYgBj" }, { NULL }, MECH_BAD_CONTENT,
	    NULL, NULL },
	{ "PLAIN: the empty initial response", "PLAIN", { "=" }, { NULL }, MECH_BAD_CONTENT,
	    NULL, NULL },
	{ "PLAIN: = is base64 of nothing behind a challenge", "PLAIN", { NONE, "=" }, { "" },
	    MECH_BAD_ENCODING, NULL, NULL },
	{ "PLAIN: an empty line behind the challenge", "PLAIN", { NONE, "" }, { "" },
	    MECH_BAD_CONTENT, NULL, NULL },
	{ "PLAIN: not base64", "PLAIN", { "?" }, { NULL }, MECH_BAD_ENCODING, NULL, NULL },
	{ "PLAIN: base64 and more", "PLAIN", { "AGFsaWNlAHNlc2FtZQ== x" }, { NULL },
	    MECH_BAD_ENCODING, NULL, NULL },
	{ "LOGIN, both asked for", "LOGIN", { NONE, "YWxpY2U=", "c2VzYW1l" },
	    { "VXNlcm5hbWU6", "UGFzc3dvcmQ6" }, MECH_CREDENTIALS, "alice", "sesame" },
	{ "LOGIN: the initial response is the login", "LOGIN", { "YWxpY2U=", "c2VzYW1l" },
	    { "UGFzc3dvcmQ6" }, MECH_CREDENTIALS, "alice", "sesame" },
	{ "LOGIN: an empty login", "LOGIN", { "=" }, { NULL }, MECH_BAD_CONTENT, NULL, NULL },
	{ "LOGIN: an empty password", "LOGIN", { "YWxpY2U=", "" }, { "UGFzc3dvcmQ6" },
	    MECH_BAD_CONTENT, NULL, NULL },
	{ "LOGIN: a password with a NUL", "LOGIN", { "YWxpY2U=", "YQBi" }, { "UGFzc3dvcmQ6" },
	    MECH_BAD_CONTENT, NULL, NULL },
	{ "EXTERNAL: nobody in particular", "EXTERNAL", { "=" }, { NULL }, MECH_CREDENTIALS,
	    NULL, NULL },
	{ "EXTERNAL: the same behind a challenge", "EXTERNAL", { NONE, "" }, { "" },
	    MECH_CREDENTIALS, NULL, NULL },
	{ "EXTERNAL: an authorization identity", "EXTERNAL", { "YWxpY2U=" }, { NULL },
	    MECH_CREDENTIALS, "alice", NULL },
	{ "EXTERNAL: a NUL in it", "EXTERNAL", { "YQBi" }, { NULL }, MECH_BAD_CONTENT, NULL,
	    NULL },
	{ "EXTERNAL: not base64", "EXTERNAL", { "?" }, { NULL }, MECH_BAD_ENCODING, NULL,
	    NULL },
	{ "LOGIN: the password is not base64", "LOGIN", { "YWxpY2U=", "sesame" },
	    { "UGFzc3dvcmQ6" }, MECH_BAD_ENCODING, NULL, NULL },
};

static void
run_exchange(const struct exchange *e)
{
	enum mech_status status = MECH_CHALLENGE;
	struct mech_run run;
	const char *challenge = NULL;

	print_message("%s\n", e->name);
	assert_non_null(mech_find(view_of(e->mech)));
	mech_run_init(&run, mech_find(view_of(e->mech)));
	for (size_t i = 0; i < 3 && e->lines[i] != NULL; i++) {
		const bool has_response = strcmp(e->lines[i], NONE) != 0;

		assert_int_equal(status, MECH_CHALLENGE);
		status = mech_run_step(&run, has_response,
		    has_response ? view_of(e->lines[i]) : VIEW(""), &challenge);
		if (status == MECH_CHALLENGE)
			assert_string_equal(challenge, e->challenges[i]);
	}
	assert_int_equal(status, e->end);
	if (e->end == MECH_CREDENTIALS) {
		assert_int_equal(secret_is_set(&run.login), e->login != NULL);
		assert_int_equal(secret_is_set(&run.password), e->password != NULL);
		if (e->login != NULL)
			assert_string_equal(run.login.p, e->login);
		if (e->password != NULL)
			assert_string_equal(run.password.p, e->password);
	}
	mech_run_finish(&run);
	assert_false(secret_is_set(&run.login));
	assert_false(secret_is_set(&run.password));
}

static void
test_exchanges(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(exchanges); i++)
		run_exchange(&exchanges[i]);
}

static void
test_names(void **state)
{
	(void)state;
	assert_ptr_equal(mech_find(VIEW("plain")), &mech_plain);
	assert_ptr_equal(mech_find(VIEW("Login")), &mech_login);
	assert_null(mech_find(VIEW("PLAI")));
	assert_null(mech_find(VIEW("PLAINS")));
	assert_null(mech_find(VIEW("CRAM-MD5")));
	assert_null(mech_find(VIEW("")));
	assert_ptr_equal(mech_find(VIEW("external")), &mech_external);
	assert_string_equal(mech_names, "PLAIN LOGIN");
}

/* plain_of - the PLAIN response of a login of a octets and a password of b. */
static enum mech_status
plain_of(size_t a, size_t b)
{
	static char text[8192], encoded[12288];
	const char *challenge;
	struct mech_run run;
	enum mech_status status;
	size_t len;

	memset(text, 'x', sizeof(text));
	text[0] = text[a + 1] = '\0';
	assert_true(base64_encode(view_make(text, a + b + 2), encoded, sizeof(encoded), &len));
	mech_run_init(&run, &mech_plain);
	status = mech_run_step(&run, true, view_make(encoded, len), &challenge);
	mech_run_finish(&run);
	return status;
}

static void
test_limits(void **state)
{
	(void)state;
	assert_int_equal(plain_of(LOGIN_MAX, 4096), MECH_CREDENTIALS);
	assert_int_equal(plain_of(LOGIN_MAX + 1, 1), MECH_BAD_CONTENT);
	assert_int_equal(plain_of(1, 4097), MECH_BAD_CONTENT);
	assert_int_equal(plain_of(100, 8000), MECH_BAD_CONTENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exchanges),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
