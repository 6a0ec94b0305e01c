/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Writing XML: elements with text, indented. Text may be any octets: what is not UTF-8, or is a
 * character that XML 1.0 (section 2.2) does not allow, becomes U+FFFD; markup is escaped.
 */
#ifndef GATEPOST_DOMAIN_DMARC_XML_H
#define GATEPOST_DOMAIN_DMARC_XML_H

#include "lib/base/buf.h"

struct xml {
	struct buf *out; /* borrowed */
	unsigned depth;	 /* of open elements */
	bool fits;	 /* false from the first octet that passed the cap of out */
};

/* Names are ours. */
void xml_open(struct xml *x, const char *name);
void xml_close(struct xml *x, const char *name);

/* xml_element - with text, of which max octets are looked at. */
void xml_element(struct xml *x, const char *name, struct view text, size_t max);

#endif
