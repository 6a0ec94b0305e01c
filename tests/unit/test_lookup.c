/* SPDX-License-Identifier: MPL-2.0 */
/* lib/net/lookup against a resolver of the test's own: this file's getaddrinfo. */
#include "lib/net/lookup.h"

#include "lib/base/clock.h"
#include "lib/base/view.h"
#include "lib/net/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_int asked, running;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* "slow..." names wait for it */

int
getaddrinfo(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	struct addrinfo *list;

	(void)service, (void)hints;
	asked++;
	if (strncmp(host, "slow", 4) == 0) {
		running++;
		pthread_mutex_lock(&gate);
		pthread_mutex_unlock(&gate);
		running--;
	}
	if (strcmp(host, "nowhere") == 0)
		return EAI_AGAIN;
	list = calloc(1, sizeof(*list));
	list->ai_family = AF_INET;
	list->ai_addrlen = sizeof(struct sockaddr_in);
	list->ai_addr = calloc(1, sizeof(struct sockaddr_storage));
	if (!address_from_host(
		"192.0.2.9", 0, (struct sockaddr_storage *)(void *)list->ai_addr))
		abort();
	*out = list;
	return 0;
}

void
freeaddrinfo(struct addrinfo *list)
{
	free(list->ai_addr);
	free(list);
}

static int
set_up(void **state)
{
	(void)state;
	lookup_forget();
	asked = 0;
	return 0;
}

static void
test_numeric(void **state)
{
	struct lookup_answer answer;
	char text[ADDRESS_TEXT_MAX];

	(void)state;
	assert_true(lookup_host("::1", 25, clock_mono_ms() + 1000, &answer, NULL));
	assert_int_equal(answer.count, 1);
	address_text(&answer.addresses[0], text);
	assert_string_equal(text, "[::1]:25");
	assert_int_equal(asked, 0);
}

static void
test_kept(void **state)
{
	struct lookup_answer answer;
	char text[ADDRESS_TEXT_MAX];

	(void)state;
	clock_fake_set(1000000, 1000);
	assert_true(lookup_host("mta", 25, clock_mono_ms() + 5000, &answer, NULL));
	assert_true(lookup_host("mta", 26, clock_mono_ms() + 5000, &answer, NULL));
	address_text(&answer.addresses[0], text);
	assert_string_equal(text, "192.0.2.9:26");
	assert_int_equal(asked, 1);
	clock_fake_set(1000000 + LOOKUP_KEEP_MS, 1030);
	assert_true(lookup_host("mta", 25, clock_mono_ms() + 5000, &answer, NULL));
	assert_int_equal(asked, 2);
	clock_fake_set(-1, -1);
}

static void
test_failures_are_not_kept(void **state)
{
	struct lookup_answer answer;
	struct err err = { .kind = ERR_NONE };

	(void)state;
	assert_false(lookup_host("nowhere", 25, clock_mono_ms() + 5000, &answer, &err));
	assert_int_equal(err.kind, ERR_TEMP);
	assert_false(lookup_host("nowhere", 25, clock_mono_ms() + 5000, &answer, &err));
	assert_int_equal(asked, 2);
	assert_false(lookup_host("", 25, clock_mono_ms() + 5000, &answer, &err));
	assert_int_equal(asked, 2);
}

static void
test_hanging_resolver(void **state)
{
	struct lookup_answer answer;
	struct err err = { .kind = ERR_NONE };
	char host[32];

	(void)state;
	pthread_mutex_lock(&gate);
	assert_false(lookup_host("slow", 25, clock_mono_ms() + 20, &answer, &err));
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_false(lookup_host("slow", 25, clock_mono_ms() + 20, &answer, &err));
	for (int i = 0; asked == 0 && i < 1000; i++)
		poll(NULL, 0, 5);
	assert_int_equal(asked, 1); /* the second one joined the first one's job */
	for (int i = 0; i < LOOKUP_JOBS_MAX - 1; i++) {
		snprintf(host, sizeof(host), "slow%d", i);
		assert_false(lookup_host(host, 25, clock_mono_ms() + 1, &answer, &err));
		assert_int_equal(err.kind, ERR_TIMEOUT);
	}
	assert_false(lookup_host("mta", 25, clock_mono_ms() + 1000, &answer, &err));
	assert_int_equal(err.kind, ERR_TEMP);
	pthread_mutex_unlock(&gate);
	/* The answer of an abandoned look-up is of use to the next one. */
	assert_true(lookup_host("slow", 25, clock_mono_ms() + 10000, &answer, &err));
	for (int i = 0; running > 0 && i < 1000; i++)
		poll(NULL, 0, 5);
	assert_int_equal(running, 0);
	for (int i = 0;
	     i < 1000 && !lookup_host("mta", 25, clock_mono_ms() + 1000, &answer, &err); i++)
		poll(NULL, 0, 5);
	assert_int_equal(answer.count, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_numeric, set_up),
		cmocka_unit_test_setup(test_kept, set_up),
		cmocka_unit_test_setup(test_failures_are_not_kept, set_up),
		cmocka_unit_test_setup(test_hanging_resolver, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
