/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The arguments of XCLIENT. Invariants: no value has a control character, a NUL or more octets
 * than it may; only what was given is known; what was read can be written, and reads the same.
 */
#include "lib/smtp/xclient.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static void
check_value(const struct smtp_xclient *x, enum xclient_attribute attribute)
{
	const bool is_known = (x->known & XCLIENT_BIT(attribute)) != 0;
	const char *value = x->values[attribute];
	char word[3 * XCLIENT_VALUE_MAX + 16];
	struct smtp_xclient again;
	const char *wrong;
	size_t len;

	check(is_known == (value[0] != '\0'), "what is known has a value");
	check(!is_known || (x->given & XCLIENT_BIT(attribute)) != 0, "what is known was given");
	check(strlen(value) <= XCLIENT_VALUE_MAX, "a value has its largest size");
	for (const char *p = value; *p != '\0'; p++)
		check(
		    (unsigned char)*p >= ' ' && *p != 0x7f, "a value has no control character");
	if ((x->given & XCLIENT_BIT(attribute)) == 0)
		return;
	len = smtp_xclient_write(attribute, value, word, sizeof(word));
	check(len > 1, "what was read can be written");
	check(smtp_xclient_parse(view_make(word + 1, len - 1), &again, &wrong), "and read");
	check(strcmp(again.values[attribute], value) == 0, "and is the same");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct view args = view_make((const char *)data, size);
	struct smtp_xclient x;
	const char *wrong = NULL;
	const bool ok = smtp_xclient_parse(args, &x, &wrong);

	(void)smtp_xclient_offered(args);
	check(wrong != NULL, "what is wrong has a name");
	if (!ok)
		return 0;
	check(x.given != 0, "something was given");
	for (enum xclient_attribute i = 0; i < XCLIENT_COUNT; i++)
		check_value(&x, i);
	if ((x.known & XCLIENT_BIT(XCLIENT_ADDR)) != 0)
		(void)smtp_xclient_address(x.values[XCLIENT_ADDR]);
	return 0;
}
