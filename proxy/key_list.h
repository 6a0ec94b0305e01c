/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a keeper has to know: whose it is, and the files that hold keys. The parent takes it
 * from the configuration (in a child, so that no file can end or swell the parent) and hands it
 * to each keeper as text: records of a letter and a value, each with a NUL behind it.
 *
 *	U USER, G GROUP	that serves; K KEEPER_USER; S STATE_DIR; P PATH of a key, one a record
 */
#ifndef GATEPOST_PROXY_KEY_LIST_H
#define GATEPOST_PROXY_KEY_LIST_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"

#define KEY_LIST_MAX (4 << 20) /* octets */

/* key_list_scan - append what a configuration file says. Nothing when it cannot be read. */
void key_list_scan(const char *file, struct buf *out);

/*
 * key_list_merge - list becomes fresh, and keeps the paths that were only in list: sessions may
 * still sign with what a reload has taken away. An empty fresh changes nothing.
 */
void key_list_merge(struct buf *list, struct view fresh);

/* key_list_next - the next record; false: that was the last whole one. */
bool key_list_next(struct view *rest, char *letter_out, const char **value_out);

/* key_list_value - of the first record of that letter; NULL: there is none. */
const char *key_list_value(struct view list, char letter);

#endif
