/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Which folders a serving process opens files in: what Landlock is told at start, and what a
 * reload must stay within. Folders, not files: a file that is replaced is another one, for
 * Landlock too. Gathered from the configuration by walking its tables, so that a new key of
 * type CONF_PATH needs no line here, unless the gate writes there.
 */
#ifndef GATEPOST_PROXY_CONFINE_PATHS_H
#define GATEPOST_PROXY_CONFINE_PATHS_H

#include "proxy/config.h"

#include <sys/types.h>

enum confine_access {
	CONFINE_READ,
	CONFINE_WRITE,	/* read, write, make, rename and remove files and folders below */
	CONFINE_DEVICE, /* read and write this file */
};

struct confine_path {
	enum confine_access access;
	const char *path;	 /* without symbolic links */
	const char *wanted;	 /* as it was written, for errors */
	const char *key;	 /* that names it: "certificate"; NULL: it is the system's */
	struct conf_where where; /* of the group with that key */
	bool is_held;		 /* Landlock has a rule for it, and for what it is: */
	dev_t device;
	ino_t inode;
};

struct confine_paths {
	struct arena arena;
	struct confine_path *items; /* owned */
	size_t count, room;
};

void confine_paths_init(struct confine_paths *paths);
void confine_paths_finish(struct confine_paths *paths);

/* confine_paths_system - what libraries read: /etc, time zones, certificates, modules. */
void confine_paths_system(struct confine_paths *paths);

/*
 * confine_paths_gather - what the configuration names: its files, what keys of type CONF_PATH
 * say, tables in files, plugins. A folder to write in that is not there yet is made if it can
 * be (a Maildir). What is not there otherwise is left out: who opens it will hear that.
 */
void confine_paths_gather(struct confine_paths *paths, const struct loaded_config *config);

/*
 * confine_paths_add - a file, and with it its folder; with CONFINE_WRITE the folder itself. key
 * is kept, not copied.
 */
void confine_paths_add(struct confine_paths *paths, enum confine_access access,
    const char *wanted, const char *key, struct conf_where where);

/*
 * confine_paths_cover - is each of wanted below one that is held? Otherwise false, and an error
 * for each that is not. True when nothing is held: there is no Landlock.
 */
MUST_CHECK bool confine_paths_cover(const struct confine_paths *held,
    const struct confine_paths *wanted, struct conf_errors *errors);

/*
 * confine_paths_explain - when one of the errors is that something may not be opened: add that
 * Landlock may be why (file: of the configuration). An include, a plugin or a script's table is
 * opened before anybody knows its name.
 */
void confine_paths_explain(
    const struct confine_paths *held, const char *file, struct conf_errors *errors);

#endif
