/* SPDX-License-Identifier: MPL-2.0 */
/*
 * OpenSSL and libevent would report want of memory in a hundred places, and each of them would
 * have to be met: with ours they report none. libopendkim is given ours in
 * lib/domain/dkim_hash.c; what the other libraries make of it is their failure of one message.
 */
#include "proxy/session/memory.h"

#include "lib/base/mem.h"

#include <event2/event.h>
#include <openssl/crypto.h>

/* For OpenSSL no octets are no memory. */
static void *
crypto_alloc(size_t size, const char *file UNUSED, int line UNUSED)
{
	return size > 0 ? mem_alloc(size) : NULL;
}

static void
crypto_free(void *p, const char *file UNUSED, int line UNUSED)
{
	mem_free(p);
}

static void *
crypto_realloc(void *p, size_t size, const char *file UNUSED, int line UNUSED)
{
	if (size > 0)
		return mem_realloc(p, size);
	mem_free(p);
	return NULL;
}

void
memory_share(void)
{
	if (CRYPTO_set_mem_functions(crypto_alloc, crypto_realloc, crypto_free) != 1)
		BUG("OpenSSL has memory already");
	event_set_mem_functions(mem_alloc, mem_realloc, mem_free);
}
