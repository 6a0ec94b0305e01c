/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The configuration as text: proxy.conf.example loads and names every key (run from the root of
 * the source), and what is dumped reads back as what it was.
 */
#include "proxy/config.h"

#include "lib/base/conf_dump.h"
#include "proxy/links.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/config_fixture.h"

#define EXAMPLE "proxy.conf.example"

static char *
example_text(void)
{
	static char text[64 * 1024];
	FILE *file = fopen(EXAMPLE, "r");
	size_t len;

	if (file == NULL)
		fail_msg(EXAMPLE " is not here: run from the root of the source");
	len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[len] = '\0';
	return text;
}

static void
test_the_example_loads_without_a_warning(void **state)
{
	struct conf_errors errors;
	struct loaded_config *c;

	(void)state;
	conf_errors_init(&errors);
	c = config_load(EXAMPLE, &errors);
	if (c == NULL)
		fail_msg("%s", errors.lines[0]);
	config_warn(c, &errors);
	if (errors.count > 0)
		fail_msg("%s", errors.lines[0]);
	config_unload(&c);
	conf_errors_finish(&errors);
}

/*
 * names_key - does a line set the key, behind a # or not? With a default that is where the
 * value must be the default, unless some line sets the key in earnest (is_set_out).
 */
static bool
names_key(const char *text, const char *key, const char *fallback, bool *is_default_out)
{
	struct view rest = view_of(text), line;
	const struct view k = view_of(key);
	bool found = false;

	*is_default_out = fallback == NULL;
	while (view_split(&rest, '\n', &line)) {
		for (size_t i = 0; i + k.len < line.len; i++) {
			struct view value = view_trim(view_from(line, i + k.len));
			const bool starts = i == 0 || strchr(" {#", line.p[i - 1]) != NULL;

			if (!starts || !view_starts(view_from(line, i), k) || value.len == 0 ||
			    (value.p[0] != '=' && value.p[0] != ':'))
				continue;
			found = true;
			value = view_trim(view_from(value, 1));
			if (value.len > 0 && value.p[0] == '"')
				value = view_from(value, 1);
			if (line.p[0] != '#' ||
			    (fallback != NULL && view_starts(value, view_of(fallback)) &&
				!ascii_is_alnum(value.len > strlen(fallback)
						    ? value.p[strlen(fallback)]
						    : ' ')))
				*is_default_out = true;
		}
	}
	return found;
}

static void
check_example_table(const char *text, const struct conf_table *table)
{
	for (const struct conf_row *row = table->rows; row->key != NULL; row++) {
		bool is_default;

		if (!names_key(text, row->key, row->fallback, &is_default))
			fail_msg(EXAMPLE " does not name %s.%s", table->name, row->key);
		if (!is_default)
			fail_msg(EXAMPLE " shows another default than \"%s\" for %s.%s",
			    row->fallback, table->name, row->key);
		if (row->table != NULL)
			check_example_table(text, row->table);
	}
}

static void
test_the_example_names_every_key_with_its_default(void **state)
{
	const char *text = example_text();
	struct arena arena;

	(void)state;
	arena_init(&arena);
	check_example_table(text, &config_table);
	for (size_t i = 0; i < builtin_link_count; i++)
		check_example_table(text, link_group_table(builtin_links[i], &arena));
	arena_finish(&arena);
}

/* dump - the configuration as conf_dump writes it; NUL-terminated, the caller's. */
static struct buf
dump(const struct loaded_config *c)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	assert_true(conf_dump(&config_table, &c->config, &out));
	for (size_t i = 0; i < builtin_link_count; i++)
		assert_true(conf_dump_extra(&c->groups[i], &out));
	assert_true(buf_add(&out, "", 1));
	return out;
}

static void
test_a_dump_reads_back_as_what_it_was(void **state)
{
	const struct parts parts = {
		.rest = "limits: { greeting = \"1500ms\"; message = \"3G\"; memory = 5000; };\n"
			"log: { format = \"json\"; };\n"
			"access: { deny = [ \"192.0.2.1\", \"2001:db8::/32\" ]; };\n"
			"hop_limit: ( { name = \"a\"; max = 3; }, { max = 4; } );\n"
			"state_dir = \"/tmp/a \\\"b\\\" c\";",
	};
	struct conf_errors errors;
	struct loaded_config *first, *second;
	struct buf before, after;
	char path[] = "/tmp/gatepost-test-XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");

	(void)state;
	conf_errors_init(&errors);
	first = load_parts(&parts, &errors);
	if (first == NULL)
		fail_msg("%s", errors.lines[0]);
	before = dump(first);
	assert_non_null(strstr(before.p, "greeting = \"1500ms\";"));
	assert_non_null(strstr(before.p, "message = \"3G\";"));
	assert_non_null(strstr(before.p, "deny = [ \"192.0.2.1\", \"2001:db8::/32\" ];"));
	assert_non_null(file);
	assert_true(fputs(before.p, file) >= 0);
	assert_int_equal(fclose(file), 0);
	second = config_load(path, &errors);
	unlink(path);
	if (second == NULL)
		fail_msg("%s\n%s", errors.lines[0], before.p);
	after = dump(second);
	assert_string_equal(after.p, before.p);
	buf_finish(&before);
	buf_finish(&after);
	config_unload(&first);
	config_unload(&second);
	conf_errors_finish(&errors);
}

static void
test_a_dump_never_shows_a_secret(void **state)
{
	const struct parts parts = {
		.upstreams =
		    "upstreams: ( { name = \"mta\"; servers = \"127.0.0.1:25\"; login = "
		    "\"g\"; password = \"hunter2\"; } );",
	};
	struct conf_errors errors;
	struct loaded_config *c;
	struct buf out;

	(void)state;
	conf_errors_init(&errors);
	c = load_parts(&parts, &errors);
	assert_non_null(c);
	out = dump(c);
	assert_null(strstr(out.p, "hunter2"));
	assert_non_null(strstr(out.p, "# password is set"));
	buf_finish(&out);
	config_unload(&c);
	conf_errors_finish(&errors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_dump_reads_back_as_what_it_was),
		cmocka_unit_test(test_a_dump_never_shows_a_secret),
		cmocka_unit_test(test_the_example_loads_without_a_warning),
		cmocka_unit_test(test_the_example_names_every_key_with_its_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
