/* SPDX-License-Identifier: MPL-2.0 */
/* DNS records and JSON strings for standard output; see record_text.h. */
#include "proxy/commands/record_text.h"

#include "lib/domain/dkim_key.h"

#include <stdio.h>

void
record_print_strings(const char *glue, struct view record)
{
	struct view string;

	for (size_t i = 0; dkim_record_string(&record, &string); i++)
		printf("%s\"%.*s\"", i > 0 ? glue : "", VIEW_ARG(string));
}

static void
json_print_string(struct view value)
{
	putchar('"');
	for (size_t i = 0; i < value.len; i++) {
		const unsigned char c = (unsigned char)value.p[i];

		if (c < 0x20 || c > 0x7e)
			printf("\\u%04x", c <= 0x7f ? c : 0xfffdU);
		else
			printf("%s%c", c == '"' || c == '\\' ? "\\" : "", c);
	}
	putchar('"');
}

void
json_print_member(const char *key, struct view value)
{
	printf("\"%s\": ", key);
	json_print_string(value);
}
