/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Least privilege: what a process can no longer do once it serves. Five layers, each of which
 * can be switched off by its name (confine.off) to find out whether it is in somebody's way:
 *
 *	capabilities	none, none to be had by any program, and root is a user like others
 *	core_dumps	none, and nobody of the same user looks into the memory
 *	no_new_privs	no program run from here gains rights by set-user-id or its file
 *	landlock	files only below the folders that confine_paths.h gathers
 *	seccomp		the system calls that the profile needs
 *
 * A kernel that lacks a layer is no error: the report says so. Everything here is for the
 *start, when there is one thread; what that thread may do, those that it starts may.
 */
#ifndef GATEPOST_PROXY_CONFINE_H
#define GATEPOST_PROXY_CONFINE_H

#include "lib/base/err.h"

struct confine_paths;

enum confine_layer {
	CONFINE_CAPABILITIES,
	CONFINE_CORE_DUMPS,
	CONFINE_NO_NEW_PRIVS,
	CONFINE_LANDLOCK,
	CONFINE_SECCOMP,
	CONFINE_LAYERS, /* how many there are */
};

/* What a process is for, and so which system calls it has. */
enum confine_profile {
	CONFINE_GATE,	/* the network, files, threads */
	CONFINE_ENGINE, /* descriptors that it has already, memory, threads: no network, no
			   files */
};

enum confine_state { CONFINE_OFF, CONFINE_ON, CONFINE_ABSENT };

struct confine_report {
	struct {
		enum confine_state state;
		char why[96]; /* it is absent, or is not whole; "" */
	} layers[CONFINE_LAYERS];
};

const char *confine_layer_name(enum confine_layer layer);

/* confine_bit - the layer's place in a set of those that are off. */
unsigned confine_bit(enum confine_layer layer);

/*
 * confine_as_root - the part of the capabilities that only root can give up: those that other
 * programs could get. Before the change of user; does nothing for anybody else. Errors: the
 * kernel refuses what root may do.
 */
MUST_CHECK bool confine_as_root(unsigned off, struct err *err);

/*
 * confine_process - put the layers on that are not off, in their order. After the change of
 * user. paths: what may be opened, NULL for nothing; which rules the kernel took is noted
 * there. Errors: there are several threads; the kernel has a layer and refuses it. A process
 * with such an error must not serve.
 */
MUST_CHECK bool confine_process(enum confine_profile profile, unsigned off,
    struct confine_paths *paths, struct confine_report *report, struct err *err);

/* confine_log - the event gate.confined: each layer, and why one does not hold. */
void confine_log(const struct confine_report *report);

/* Single layers, for commands that do their work in one go. */
MUST_CHECK bool confine_no_new_privs(struct err *err);
MUST_CHECK bool confine_core_dumps(struct err *err);

#endif
