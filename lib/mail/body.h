/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The content store: octets appended in order, in memory up to a threshold, then in an unlinked
 * temporary file. Has a cap (the message size limit). One writer, then any number of reads.
 */
#ifndef GATEPOST_MAIL_BODY_H
#define GATEPOST_MAIL_BODY_H

#include "lib/base/err.h"
#include "lib/base/view.h"

struct body_store;

struct body_limits {
	const char *temp_dir; /* folder for the file; borrowed */
	size_t memory_octets; /* threshold, 256 KiB by default */
	uint64_t max_octets;  /* cap: reaching it is ERR_LIMIT */
};

struct body_store *body_create(const struct body_limits *limits);
void body_destroy(struct body_store **b);

/* body_append - errors: ERR_LIMIT over the cap, ERR_IO the file could not be written. */
MUST_CHECK bool body_append(struct body_store *b, struct view data, struct err *err);

uint64_t body_size(const struct body_store *b);
bool body_is_in_file(const struct body_store *b);

/*
 * body_seal - no more appends; the content becomes readable as one view (a file is mapped).
 * The view lives as long as the store. Errors: ERR_IO.
 */
MUST_CHECK bool body_seal(struct body_store *b, struct err *err);
struct view body_view(const struct body_store *b);

/*
 * body_is_intact - false: part of the file could not be read back, and what was seen of it were
 * zeros (body_guard.h). To be asked behind the last look at the view.
 */
bool body_is_intact(const struct body_store *b);

#endif
