/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Fuzz the file of DNS answers: what parses is printed, and the print parses to the same; every
 * name in it can be asked for.
 */
#include "lib/net/dns_file_private.h"

#include <stdlib.h>

#define PRINT_MAX (64 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool is_so)
{
	if (!is_so)
		abort();
}

static struct dns_file *
parse(struct view text)
{
	struct conf_errors errors;
	struct dns_file *f;

	conf_errors_init(&errors);
	f = dns_file_parse("zone", text, &errors);
	require((f == NULL) == (errors.count > 0));
	conf_errors_finish(&errors);
	return f;
}

static void
check_line(const struct dns_file *f, const struct dns_file_line *line)
{
	const struct dns_source *source = dns_file_source(f);
	const enum dns_type type =
	    line->type == DNS_FILE_ANY ? DNS_TXT : (enum dns_type)line->type;
	struct dns_server_answer *each;
	struct dns_answer answer;
	struct arena arena;

	arena_init(&arena);
	dns_query(source, line->name, type, 0, &arena, &answer);
	require((answer.status == DNS_FOUND) == (answer.count > 0));
	require((answer.status == DNS_TEMPFAIL) == (answer.why[0] != '\0'));
	require(answer.count <= DNS_RECORDS_MAX);
	if (line->server[0] == '\0' && line->status == DNS_FOUND)
		require(answer.status == DNS_FOUND);
	require(source->query_each(source->context, line->name, type, 0, &arena, &each) <=
		DNS_SERVERS_MAX);
	arena_finish(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_file *f = parse(view_make((const char *)data, size)), *again;
	struct buf first, second;

	if (f == NULL)
		return 0;
	buf_init(&first, PRINT_MAX);
	buf_init(&second, PRINT_MAX);
	for (size_t i = 0; i < f->count; i++)
		check_line(f, &f->lines[i]);
	require(dns_file_print_all(f, &first));
	again = parse(buf_view(&first));
	require(again != NULL && again->count == f->count);
	require(dns_file_print_all(again, &second));
	require(view_eq(buf_view(&first), buf_view(&second)));
	buf_finish(&first);
	buf_finish(&second);
	dns_file_destroy(&again);
	dns_file_destroy(&f);
	return 0;
}
