/* SPDX-License-Identifier: MPL-2.0 */
/* lib/base/keyed_hash against the vectors of its authors (vectors.h of the reference code). */
#include "lib/base/keyed_hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	size_t len; /* of the input 00 01 02 ... */
	uint64_t want;
} vectors[] = {
	{ 0, 0x726fdb47dd0e0e31 },
	{ 1, 0x74f839c593dc67fd },
	{ 2, 0x0d6c8009d9a94f5a },
	{ 7, 0xab0200f58b01d137 },
	{ 8, 0x93f5f5799a932462 },
	{ 15, 0xa129ca6149be45e5 },
};

static void
each_vector_of_the_authors_holds(void **state)
{
	unsigned char key[KEYED_HASH_KEY];
	char input[16];

	(void)state;
	for (size_t i = 0; i < sizeof(input); i++) {
		key[i] = (unsigned char)i;
		input[i] = (char)i;
	}
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		assert_true(
		    keyed_hash(key, view_make(input, vectors[i].len)) == vectors[i].want);
}

static void
another_key_gives_another_hash(void **state)
{
	const unsigned char one[KEYED_HASH_KEY] = { 1 }, two[KEYED_HASH_KEY] = { 2 };

	(void)state;
	assert_false(keyed_hash(one, VIEW("a")) == keyed_hash(two, VIEW("a")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_vector_of_the_authors_holds),
		cmocka_unit_test(another_key_gives_another_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
