/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Links from shared objects. A plugin runs in the gate with all that the gate may do: only its
 * owner's word is checked here, and that it was built for this interface.
 */
#ifndef GATEPOST_PROXY_PLUGINS_H
#define GATEPOST_PROXY_PLUGINS_H

#include "lib/chain/link.h"

#define PLUGIN_SYMBOL "gatepost_link" /* const struct link */

/*
 * plugin_load - the link in the shared object at an absolute path. NULL: *err says why: it is
 * no regular file of root or of this user, others may write to it, it cannot be loaded, has no
 * link, was built for another interface, or its tables are wrong. It is never unloaded: a path
 * that was loaded before gives the same link, whatever the file is by now.
 */
MUST_CHECK const struct link *plugin_load(const char *path, struct err *err);

#endif
