/* SPDX-License-Identifier: MPL-2.0 */
/* The author's domain; see author.h. */
#include "lib/mail/author.h"

#include "lib/mail/addrlist.h"

const char *
author_domain(const struct message *m, struct arena *arena)
{
	const size_t index = message_find(m, "From", 0);
	struct mailbox *list = NULL;
	size_t count = 0, offset = 0;

	if (index == SIZE_MAX || addrlist_parse(message_field(m, index)->body, arena, &list,
				     &count, &offset) != ADDRLIST_OK)
		return NULL;
	return list[0].domain[0] != '[' ? list[0].domain : NULL;
}
