#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""What a plugin may include and call. usage: plugin_api.py headers | exports

headers: those that `make install` puts there: lib/chain/link.h, what links often need besides, and
what these include. exports: the functions that they declare, as a list for the linker
(dist/plugin.exports); `make docs` writes it, lint looks whether it is true.
"""

import re
import sys

import sources

ROOTS = ["lib/chain/link.h", "lib/table/table.h", "lib/base/mem.h", "lib/mail/addrlist.h",
         "lib/mail/domain_name.h"]
INCLUDE = re.compile(r'^#include "([^"]+)"', re.M)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
# A declaration, from a line's beginning to its semicolon, without a body.
FUNCTION = re.compile(r"^(?!static|typedef|(?:struct|enum) \w+ \{|#|\s)[^;{}#]*?\b([a-z]\w+)\([^;{}]*\)"
                      r"[^;{}]*;", re.M)
HEAD = """# SPDX-License-Identifier: MPL-2.0
# Written by `make docs` from the headers that plugins include: what the binary lets them call.
"""


def headers():
    found, todo = [], list(ROOTS)
    while todo:
        name = todo.pop()
        if name not in found:
            found.append(name)
            todo += INCLUDE.findall(sources.read(name))
    return sorted(found)


def functions(text):
    text = COMMENT.sub(" ", text)
    text = re.sub(r"\b(PRINTF_LIKE|FORMAT)\([^)]*\)", "", text)
    return FUNCTION.findall(text)


def exports():
    names = {name for header in headers() for name in functions(sources.read(header))}
    return HEAD + "{\n" + "".join(f"\t{name};\n" for name in sorted(names)) + "};\n"


def main():
    if sys.argv[1:] == ["headers"]:
        print("\n".join(headers()))
    elif sys.argv[1:] == ["exports"]:
        sys.stdout.write(exports())
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
