/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The gate's side of the process model: what it asks of the parent that started it (proxy/
 * supervisor.h), over one SOCK_SEQPACKET socket. Without a parent (--single-process, and every
 * other command) all is done in the one process, and helpers_are_apart() is false.
 */
#ifndef GATEPOST_PROXY_HELPERS_H
#define GATEPOST_PROXY_HELPERS_H

#include "lib/base/log.h"
#include "lib/domain/dkim_keeper_client.h"
#include "lib/domain/judge.h"

#define HELPERS_FD 3 /* where the parent puts the gate's end of the socket */

/* ---- packets from the gate: one octet, and what belongs to it ---- */
enum helper_packet {
	HELPER_START_KEEPER = 'K', /* answered by an octet: OK with descriptors, or FAILED */
	HELPER_START_JUDGE = 'J',  /* likewise */
	HELPER_END = 'X',	   /* pid_t: of a helper that does not answer */
	HELPER_NOTIFY = 'N',	   /* text for the service manager */
	HELPER_LOG = 'L',	   /* level, format, target: one octet each */
	HELPER_OK = 'k',	   /* from the parent: pid_t, and the descriptors */
	HELPER_FAILED = 'f',	   /* from the parent */
};

/* helpers_init - there is a parent behind HELPERS_FD. Once, before threads. */
MUST_CHECK bool helpers_init(struct err *err);
bool helpers_are_apart(void);

/* helpers_notify - sd_notify(3), by way of the parent, whom the service manager knows. */
void helpers_notify(const char *state);

/* helpers_log_configure - log_configure(), here and in the parent. */
void helpers_log_configure(const struct log_config *config);

/* helpers_live_with_parent - end when it ends. After the change of user. False: it has ended.
 */
MUST_CHECK bool helpers_live_with_parent(void);

/* helpers_keeper, helpers_judge - a way to keepers, to judges that the parent starts. */
struct keeper_client *helpers_keeper(void);
struct judge_client *helpers_judge(void);

#endif
