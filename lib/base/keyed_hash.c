/* SPDX-License-Identifier: MPL-2.0 */
/* SipHash-2-4; see keyed_hash.h. Pure. */
#include "lib/base/keyed_hash.h"

struct state {
	uint64_t v[4];
};

static uint64_t
rotate(uint64_t x, unsigned bits)
{
	return (x << bits) | (x >> (64 - bits));
}

static uint64_t
read_le(const unsigned char *p, size_t len)
{
	uint64_t word = 0;

	for (size_t i = 0; i < len; i++)
		word |= (uint64_t)p[i] << (8 * i);
	return word;
}

static void
mix(struct state *s, unsigned rounds)
{
	uint64_t *v = s->v;

	for (unsigned i = 0; i < rounds; i++) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static void
take(struct state *s, uint64_t word)
{
	s->v[3] ^= word;
	mix(s, 2);
	s->v[0] ^= word;
}

uint64_t
keyed_hash(const unsigned char key[KEYED_HASH_KEY], struct view octets)
{
	const unsigned char *p = (const unsigned char *)octets.p;
	const size_t whole = octets.len / 8 * 8;
	const uint64_t k0 = read_le(key, 8), k1 = read_le(key + 8, 8);
	struct state s = { { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
	    k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573 } };

	for (size_t i = 0; i < whole; i += 8)
		take(&s, read_le(p + i, 8));
	take(&s, (uint64_t)octets.len << 56 |
		     (octets.len > whole ? read_le(p + whole, octets.len - whole) : 0));
	s.v[2] ^= 0xff;
	mix(&s, 4);
	return s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
}
