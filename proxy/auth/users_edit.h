/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One login of a users file changed, everything else left as it stands, comments and order
 * included. The text part is pure; the file part replaces the file as a whole (temporary file,
 * fsync, rename), so that nobody ever sees half of it.
 */
#ifndef GATEPOST_PROXY_AUTH_USERS_EDIT_H
#define GATEPOST_PROXY_AUTH_USERS_EDIT_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

/* What shall be so afterwards. */
struct users_change {
	struct view login;
	bool is_delete;
	const char *hash;     /* unused with is_delete */
	const char *patterns; /* NULL: as they are; a new login: empty */
};

/*
 * users_edit_text - text with the change made, in out; *was_there_out says whether the login
 * had a line before. False: out's cap.
 */
MUST_CHECK bool users_edit_text(
    struct view text, const struct users_change *change, struct buf *out, bool *was_there_out);

/*
 * users_edit_file - the same with a file, which is locked against others who do this, keeps its
 * owner and mode, and is made (0600; by root: 0640 and the group of its folder) when it is not
 * there. Deleting a login that is not there is an error. The result is parsed before it takes
 * the file's place. *was_open_out: everybody may read the file. Errors: ERR_IO, ERR_CONFIG,
 * ERR_LIMIT.
 */
MUST_CHECK bool users_edit_file(const char *path, const struct users_change *change,
    bool *was_there_out, bool *was_open_out, struct err *err);

#endif
