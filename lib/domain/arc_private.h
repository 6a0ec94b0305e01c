/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Between the files of ARC: arc_sets.c sorts the fields of a message into sets, arc_tags.c
 * reads a signature or a seal, arc_check.c verifies one, arc.c goes through the chain.
 */
#ifndef GATEPOST_DOMAIN_ARC_PRIVATE_H
#define GATEPOST_DOMAIN_ARC_PRIVATE_H

#include "lib/domain/arc.h"
#include "lib/domain/dkim_key.h"
#include "lib/domain/tag_list.h"

#define ARC_HASH_SIZE 32
#define ARC_NAMES_MAX 512	  /* in h=; more are no honest signature */
#define ARC_FIELD_MAX (64 * 1024) /* octets of one ARC field */

enum arc_kind { ARC_RESULTS, ARC_SIGNATURE, ARC_SEAL };

enum arc_cv { ARC_CV_UNKNOWN, ARC_CV_NONE, ARC_CV_PASS, ARC_CV_FAIL };

/* The three fields of one instance. */
struct arc_fields {
	const struct header_field *field[3]; /* by kind; NULL: missing */
	struct view results;		     /* of ARC_RESULTS, behind "i=N;" */
	enum arc_cv cv;			     /* of ARC_SEAL */
};

struct arc_sets {
	struct arc_fields fields[ARC_SETS_MAX + 1]; /* by instance, from 1 */
	unsigned count;				    /* the highest instance; 0: no ARC field */
};

/*
 * arc_sets_collect - steps 1 to 3 of RFC 8617 5.2. False: the chain is broken, and why_out (160
 * octets) says how.
 */
MUST_CHECK bool arc_sets_collect(
    const struct message *m, unsigned max_sets, struct arc_sets *out, char why_out[160]);

/* What is signed, by whom, how: of an ARC-Message-Signature or an ARC-Seal. */
struct arc_tags {
	enum dkim_algorithm algorithm;
	const char *domain, *selector; /* d=, s= */
	struct view signature;	       /* b= decoded */
	struct view b;		       /* b= as it stands in the field */
	/* only of a signature */
	bool header_relaxed, body_relaxed;
	struct view names; /* h= as it stands in the field */
	bool has_length;
	uint64_t length;
	unsigned char body_hash[ARC_HASH_SIZE];
};

/*
 * arc_tags_read - false: *why_out, a sentence. Texts live in the arena, views in the field.
 * now: for x=.
 */
MUST_CHECK bool arc_tags_read(const struct header_field *field, enum arc_kind kind, int64_t now,
    struct arena *arena, struct arc_tags *out, const char **why_out);

/* The body's hashes, found out when first asked for. */
struct arc_body {
	bool known[2]; /* simple, relaxed */
	uint64_t length[2];
	unsigned char hash[2][ARC_HASH_SIZE];
};

/* One verification of a message. */
struct arc_run {
	const struct arc_request *request;
	struct arena *arena;
	struct arc_sets sets;
	struct arc_body body;
};

/* PASS, FAIL or TEMPERROR (with *why_out), of one instance. *tags_out is set for PASS. */
MUST_CHECK enum authres_result arc_check_signature(
    struct arc_run *run, unsigned instance, struct arc_tags *tags_out, const char **why_out);
MUST_CHECK enum authres_result arc_check_seal(
    struct arc_run *run, unsigned instance, struct arc_tags *tags_out, const char **why_out);

#endif
