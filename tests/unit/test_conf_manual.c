/* SPDX-License-Identifier: MPL-2.0 */
/* The manual that is made from the tables: every key, in every cap. */
#include "lib/base/buf.h"
#include "lib/base/conf.h"
#include "tests/unit/conf_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
the_manual_has_every_key(void **state)
{
	(void)state;
	static const char *const wanted[] = {
		"# sample.conf\n\nA sample.\n",
		"\n| `hostname` | string | required | The name. |\n",
		"\n| `state_dir` | path | `\"/var/lib/sample\"` | The folder. |\n",
		"\n| `motto` | string |  | A few words. |\n",
		"\n| `password` | secret string |  | A password. |\n",
		"\n| `names` | list of strings | `one, two` | Names. |\n",
		"\n| `listeners` | list of groups |  | Listeners. |\n",
		"\n| `limits` | group |  | Limits. |\n",
		"\n## listeners\n\nA list of groups. Where clients connect.\n",
		"\n| `tls` | one of `\"none\"`, `\"starttls\"`, `\"implicit\"` | "
		"`\"starttls\"` | How "
		"TLS begins. |\n",
		"\n| `timeout` | duration, 100ms to 5m | `\"30s\"` | How long; a\\|b. |\n",
		"\n## listeners.keys\n\nA list of groups. Keys of a listener.\n",
		"\n| `message` | size, 64K to 8G | `\"25M\"` | The largest message. |\n",
		"\n| `recipients` | number, 1 to 1000 | `100` | The most recipients. |\n",
		"\n| `any` | number |  | Any number from 0 on. |\n",
		"\n| `strict` | `true` or `false` | `true` | Whether. |\n",
		"\n## spf\n\nA group that a part of the program brings along.\n",
		"\n| `count` | number, 1 to 9 | `7` | How many. |\n",
	};
	const struct conf_table *extras[] = { &sample_extra_table };
	struct buf out;
	buf_init(&out, 1 << 16);
	assert_true(conf_print_manual(&sample_table, extras, 1, &out));
	size_t whole = out.len;
	assert_true(buf_add_char(&out, '\0'));
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		if (strstr(out.p, wanted[i]) == NULL)
			print_error("not in the manual: %s", wanted[i]);
		assert_non_null(strstr(out.p, wanted[i]));
	}
	buf_finish(&out);
	for (size_t cap = 0; cap < whole; cap += 13) {
		buf_init(&out, cap);
		assert_false(conf_print_manual(&sample_table, extras, 1, &out));
		buf_finish(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_manual_has_every_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
