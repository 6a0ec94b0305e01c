/* SPDX-License-Identifier: MPL-2.0 */
/*
 * dns_tool: asks through lib/net/resolver, for tests against a real DNS server.
 *
 *	dns_tool [-s ADDRESS:PORT]... [-r] [-t TIMEOUT_MS] [-p AUTHORITY_PORT]
 *
 * Each line on standard input is a request, each line on standard output its JSON:
 *
 *	query NAME TYPE DEADLINE_MS        as {"status": ..., "records": [{"hex": ...}], ...}
 *	each NAME TYPE DEADLINE_MS         a list of them, with "server"
 *	parallel COUNT NAME TYPE DEADLINE_MS   0.NAME, 1.NAME ... at once: counts of statuses
 *	share                              opens and closes the same resolver a second time
 */
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/resolver.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SERVERS_MAX 8
#define NAME_ROOM   1100

static const struct dns_source *source;

static bool
type_of(const char *word, enum dns_type *out)
{
	static const enum dns_type types[] = { DNS_A, DNS_NS, DNS_CNAME, DNS_SOA, DNS_PTR,
		DNS_MX, DNS_TXT, DNS_AAAA, DNS_TLSA };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strcmp(dns_type_name(types[i]), word) == 0) {
			*out = types[i];
			return true;
		}
	}
	return false;
}

static void
print_answer(const char *server, const struct dns_answer *a, int64_t took_ms)
{
	printf("{\"server\": \"%s\", \"status\": \"%s\", \"ttl\": %u, \"alias\": %s, "
	       "\"why\": \"%s\", \"ms\": %lld, \"records\": [",
	    server, dns_status_name(a->status), a->ttl_s, a->is_alias ? "true" : "false",
	    a->why, (long long)took_ms);
	for (size_t i = 0; i < a->count; i++) {
		const struct dns_record *record = &a->records[i];

		printf("%s{\"preference\": %u, \"hex\": \"", i > 0 ? ", " : "",
		    record->preference);
		for (size_t j = 0; j < record->data.len; j++)
			printf("%02x", (unsigned char)record->data.p[j]);
		printf("\"}");
	}
	printf("]}");
}

static void
do_query(const char *name, enum dns_type type, int64_t limit_ms)
{
	const int64_t began = clock_mono_ms();
	struct dns_answer answer;
	struct arena arena;

	arena_init(&arena);
	dns_query(source, name, type, began + limit_ms, &arena, &answer);
	print_answer("", &answer, clock_mono_ms() - began);
	printf("\n");
	arena_finish(&arena);
}

static void
do_each(const char *name, enum dns_type type, int64_t limit_ms)
{
	const int64_t began = clock_mono_ms();
	struct dns_server_answer *answers;
	struct arena arena;
	size_t count;

	arena_init(&arena);
	count =
	    source->query_each(source->context, name, type, began + limit_ms, &arena, &answers);
	printf("[");
	for (size_t i = 0; i < count; i++) {
		printf("%s", i > 0 ? ", " : "");
		print_answer(answers[i].server, &answers[i].answer, clock_mono_ms() - began);
	}
	printf("]\n");
	arena_finish(&arena);
}

struct one {
	pthread_t thread;
	char name[NAME_ROOM + 16];
	enum dns_type type;
	int64_t deadline_ms;
	enum dns_status status;
};

static void *
run_one(void *context)
{
	struct one *one = context;
	struct dns_answer answer;
	struct arena arena;

	arena_init(&arena);
	dns_query(source, one->name, one->type, one->deadline_ms, &arena, &answer);
	one->status = answer.status;
	arena_finish(&arena);
	return NULL;
}

static void
do_parallel(size_t count, const char *name, enum dns_type type, int64_t limit_ms)
{
	const int64_t began = clock_mono_ms();
	struct one *all = mem_calloc(count, sizeof(*all));
	size_t found[DNS_TEMPFAIL + 1] = { 0 };

	for (size_t i = 0; i < count; i++) {
		snprintf(all[i].name, sizeof(all[i].name), "%zu.%s", i, name);
		all[i].type = type;
		all[i].deadline_ms = began + limit_ms;
		if (pthread_create(&all[i].thread, NULL, run_one, &all[i]) != 0)
			exit(1);
	}
	for (size_t i = 0; i < count; i++) {
		pthread_join(all[i].thread, NULL);
		found[all[i].status]++;
	}
	printf("{\"found\": %zu, \"nodata\": %zu, \"nxdomain\": %zu, \"tempfail\": %zu, "
	       "\"ms\": %lld}\n",
	    found[DNS_FOUND], found[DNS_NODATA], found[DNS_NXDOMAIN], found[DNS_TEMPFAIL],
	    (long long)(clock_mono_ms() - began));
	mem_free(all);
}

static void
do_share(const struct resolver_config *config, const struct resolver *open)
{
	struct err err = { 0 };
	struct resolver *again = resolver_open(config, &err);

	printf("{\"same\": %s}\n", again == open ? "true" : "false");
	resolver_close(&again);
}

/* obey - a request's words; false: it is none. */
static bool
obey(char *line, const struct resolver_config *config, const struct resolver *open)
{
	char *words[5] = { NULL }, *rest = NULL;
	size_t count = 0;
	enum dns_type type;

	for (char *word = strtok_r(line, " \n", &rest); word != NULL && count < 5;
	     word = strtok_r(NULL, " \n", &rest))
		words[count++] = word;
	if (count == 1 && strcmp(words[0], "share") == 0)
		do_share(config, open);
	else if (count == 4 && strcmp(words[0], "query") == 0 && type_of(words[2], &type))
		do_query(words[1], type, strtoll(words[3], NULL, 10));
	else if (count == 4 && strcmp(words[0], "each") == 0 && type_of(words[2], &type))
		do_each(words[1], type, strtoll(words[3], NULL, 10));
	else if (count == 5 && strcmp(words[0], "parallel") == 0 && type_of(words[3], &type))
		do_parallel(
		    strtoul(words[1], NULL, 10), words[2], type, strtoll(words[4], NULL, 10));
	else
		return false;
	fflush(stdout);
	return true;
}

int
main(int argc, char **argv)
{
	const char *servers[SERVERS_MAX];
	struct resolver_config config = {
		.servers = servers,
		.timeout_ms = 5000,
		.cache_octets = 4 * 1024 * 1024,
		.authority_port = 53,
	};
	char line[2 * NAME_ROOM];
	struct err err = { 0 };
	struct resolver *resolver;
	int option, status = 0;

	while ((option = getopt(argc, argv, "s:rt:p:")) != -1) {
		if (option == 's' && config.server_count < SERVERS_MAX)
			servers[config.server_count++] = optarg;
		else if (option == 'r')
			config.recursive = true;
		else if (option == 't')
			config.timeout_ms = strtoll(optarg, NULL, 10);
		else if (option == 'p')
			config.authority_port = (uint16_t)strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	resolver = resolver_open(&config, &err);
	if (resolver == NULL) {
		fprintf(stderr, "dns_tool: %s\n", err.text);
		return 1;
	}
	source = resolver_source(resolver);
	while (status == 0 && fgets(line, sizeof(line), stdin) != NULL) {
		if (!obey(line, &config, resolver))
			status = 2;
	}
	resolver_close(&resolver);
	return status;
}
