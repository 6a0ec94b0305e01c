/* SPDX-License-Identifier: MPL-2.0 */
/* A result as the texts that stand in the file: between dmarc_store.c and dmarc_store_row.c. */
#ifndef GATEPOST_DOMAIN_DMARC_STORE_ROW_H
#define GATEPOST_DOMAIN_DMARC_STORE_ROW_H

#include "lib/domain/dmarc_store.h"
#include "lib/domain/dmarc_store_private.h"

#define DMARC_SIGNATURES_MAX \
	16 /* DKIM results of one row; section 3.1.3 of RFC 9990 allows 100 */

/*
 * dmarc_row_create - NULL: nobody asks for a report of it. Texts of peers are cut, and what is
 * a control in them becomes "?". The caller frees it with mem_free.
 */
struct dmarc_row *dmarc_row_create(const struct dmarc_store_row *row);

#endif
