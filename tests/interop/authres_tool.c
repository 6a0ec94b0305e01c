/* SPDX-License-Identifier: MPL-2.0 */
/*
 * authres_tool: writes Authentication-Results fields, for tests with other people's readers.
 *
 * A line on standard input is one result: METHOD RESULT REASON COMMENT [NAME VALUE]... between
 * blanks; METHOD and RESULT are numbers, NAME is "smtp.mailfrom", the others are hexadecimal
 * with an "x" before it, or "-" for none. An empty line ends the field, which is written with
 * its length on a line before it.
 */
#include "lib/mail/authres_field.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE_ROOM 65536

static const char *
next_word(char **rest)
{
	char *word = strsep(rest, " \n");

	if (word == NULL)
		BUG("a word is missing");
	return word;
}

static const char *
next_text(char **rest, struct arena *arena)
{
	const char *hex = next_word(rest);
	const size_t len = strlen(hex) / 2;
	char *text = arena_alloc(arena, len + 1);
	unsigned octet;

	if (hex[0] == '-')
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if (sscanf(hex + 1 + 2 * i, "%2x", &octet) != 1)
			BUG("not hexadecimal: %s", hex);
		text[i] = (char)octet;
	}
	return text;
}

static struct authres
read_result(char *line, struct arena *arena)
{
	struct authres r = { 0 };

	r.method = (enum authres_method)atoi(next_word(&line));
	r.result = (enum authres_result)atoi(next_word(&line));
	r.reason = next_text(&line, arena);
	r.comment = next_text(&line, arena);
	while (line != NULL && *line != '\0') {
		char *name = arena_strdup(arena, view_of(next_word(&line)));
		const char *type = strsep(&name, ".");

		r.properties[r.property_count++] =
		    (struct authres_property){ type, name, next_text(&line, arena) };
	}
	return r;
}

static void
write_field(const struct authres *results, size_t count)
{
	const struct authres_field field = {
		.authserv_id = "mx.example.org", .results = results, .count = count
	};
	struct buf out;

	buf_init(&out, AUTHRES_FIELD_MAX);
	if (!authres_field_write(&field, &out))
		BUG("the field has no room");
	printf("%zu\n", out.len);
	fwrite(out.p, 1, out.len, stdout);
	buf_finish(&out);
}

int
main(void)
{
	static char line[LINE_ROOM];
	struct authres results[AUTHRES_MAX];
	struct arena arena;
	size_t count = 0;

	arena_init(&arena);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (line[0] != '\n') {
			results[count++] = read_result(line, &arena);
			continue;
		}
		write_field(results, count);
		count = 0;
	}
	arena_finish(&arena);
	return 0;
}
