/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Lua patterns. Input: pattern, LF, subject. Invariant: what our matcher says, Lua's own says
 * too, but for what ours gives up because it costs too much.
 */
#include "tests/unit/lua_reference.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reference r;
	struct view rest = view_make((const char *)data, size), pattern;

	if (size == 0 || !view_split(&rest, '\n', &pattern))
		return 0;
	if (r.L == NULL)
		reference_open(&r);
	if (!reference_agrees(&r, view_make(rest.p != NULL ? rest.p : "", rest.len), pattern)) {
		fprintf(stderr, "broken: %s\n", r.difference);
		abort();
	}
	return 0;
}
