/* SPDX-License-Identifier: MPL-2.0 */
/* The parts of a configuration's reading that need no file: units, near names, error texts. */
#include "lib/base/conf_value.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
nearest_names_are_slips_away(void **state)
{
	(void)state;
	static const char *const names[] = { "certificate", "key", "min_version", "timeout",
		"tls", "tls_name", "listen", "role" };
	static const struct {
		const char *word, *nearest;
	} cases[] = {
		{ "certificat", "certificate" },
		{ "cretificate", "certificate" },
		{ "cert", "certificate" },
		{ "min-version", "min_version" },
		{ "MinVersion", "min_version" },
		{ "tiemout", "timeout" },
		{ "tsl", "tls" },
		{ "rule", "role" },
		{ "listener", "listen" },
		{ "kye", "key" },
		{ "k", NULL },
		{ "", NULL },
		{ "banana", NULL },
		{ "xyz", NULL },
		{ "a_word_that_is_much_longer_than_any_key_could_ever_be", NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *nearest = conf_nearest(cases[i].word, names, ARRAY_LEN(names));
		if (cases[i].nearest == NULL) {
			assert_null(nearest);
			continue;
		}
		assert_non_null(nearest);
		assert_string_equal(nearest, cases[i].nearest);
	}
	assert_null(conf_nearest("key", names, 0));
}

static void
units_are_read_and_printed(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t size, duration; /* -1: refused */
		const char *printed;	/* NULL: as text */
	} cases[] = {
		{ "0", 0, 0, NULL },
		{ "4096", 4096, -1, "4K" },
		{ "4097", 4097, -1, NULL },
		{ "256K", 262144, -1, NULL },
		{ "1024K", 1 << 20, -1, "1M" },
		{ "25M", 26214400, -1, NULL },
		{ "3G", INT64_C(3) << 30, -1, NULL },
		{ "8589934591G", INT64_C(8589934591) << 30, -1, NULL },
		{ "8589934592G", -1, -1, NULL },
		{ "9223372036854775808", -1, -1, NULL },
		{ "250ms", -1, 250, NULL },
		{ "30s", -1, 30000, NULL },
		{ "60s", -1, 60000, "1m" },
		{ "90m", -1, 5400000, NULL },
		{ "2h", -1, 7200000, NULL },
		{ "7d", -1, 604800000, NULL },
		{ "106751991168d", -1, -1, NULL },
		{ "5 m", -1, -1, NULL },
		{ " 5m", -1, -1, NULL },
		{ "5m ", -1, -1, NULL },
		{ "-5m", -1, -1, NULL },
		{ "1.5h", -1, -1, NULL },
		{ "1h30m", -1, -1, NULL },
		{ "k", -1, -1, NULL },
		{ "5k", -1, -1, NULL },
		{ "5S", -1, -1, NULL },
		{ "", -1, -1, NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct view text = view_of(cases[i].text);
		const char *printed =
		    cases[i].printed != NULL ? cases[i].printed : cases[i].text;
		char out[CONF_NUMBER_ROOM];
		int64_t value = -1;
		assert_int_equal(conf_parse_size(text, &value), cases[i].size >= 0);
		assert_true(value == cases[i].size);
		if (cases[i].size >= 0)
			assert_string_equal(conf_print_number(CONF_SIZE, value, out), printed);
		value = -1;
		assert_int_equal(conf_parse_duration(text, &value), cases[i].duration >= 0);
		assert_true(value == cases[i].duration);
		if (cases[i].duration > 0)
			assert_string_equal(
			    conf_print_number(CONF_DURATION, value, out), printed);
	}
}

static void
errors_take_any_text(void **state)
{
	(void)state;
	struct conf_errors errors;
	conf_errors_init(&errors);
	conf_error(&errors, (struct conf_where){ "f", 0 }, "p", "%s", "t");
	conf_error(&errors, (struct conf_where){ "f", 3 }, NULL, "%d%%", 5);
	char *text = calloc(1, 100000);
	memset(text, 'x', 99999);
	conf_error(&errors, (struct conf_where){ "f", 3 }, "p", "%s", text);
	free(text);
	for (int i = 0; i < 100; i++)
		conf_error(&errors, (struct conf_where){ "f", i }, "p", "%s", "t");
	assert_int_equal(errors.count, 103);
	assert_string_equal(errors.lines[0], "f: p: t");
	assert_string_equal(errors.lines[1], "f:3: 5%");
	assert_string_equal(
	    errors.lines[2], "f:3: p: is wrong, and the explanation too long to show");
	assert_string_equal(errors.lines[102], "f:99: p: t");
	conf_errors_finish(&errors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nearest_names_are_slips_away),
		cmocka_unit_test(units_are_read_and_printed),
		cmocka_unit_test(errors_take_any_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
