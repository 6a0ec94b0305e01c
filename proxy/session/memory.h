/* SPDX-License-Identifier: MPL-2.0 */
/* Memory of libraries comes from lib/base/mem.h, and ends the process where there is none. */
#ifndef GATEPOST_PROXY_SESSION_MEMORY_H
#define GATEPOST_PROXY_SESSION_MEMORY_H

/* memory_share - before the first call into OpenSSL and libevent. */
void memory_share(void);

#endif
