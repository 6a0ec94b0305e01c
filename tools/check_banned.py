#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Functions that have no place here, and what to take instead."""

import re
import sys

import sources

BANNED = {
    "strcpy strcat strncpy strncat stpcpy sprintf vsprintf gets": "struct buf, or snprintf",
    "strtok strtok_r strsep": "view_split",
    "atoi atol atoll atof strtol strtoul strtoll strtoull strtod sscanf scanf fscanf":
        "a parser that refuses what it does not know",
    "alloca": "an arena",
    "system popen execlp execvp": "nothing from outside meets a shell",
    "gethostbyname gethostbyaddr inet_addr inet_ntoa": "getaddrinfo, inet_pton, inet_ntop",
    "gmtime localtime ctime asctime strsignal getpwent crypt rand srand random":
        "the thread-safe form, or one of OpenSSL's",
    "tmpnam tempnam mktemp": "an unlinked file in state_dir",
    "setjmp longjmp": "an ordinary return",
    "dkim_sig_getidentity": "our own reading of i= (the library's can crash)",
    "signal": "sigaction, or the loop's signal events",
}
# Path -> names that it may use.
MAY = {
    "lib/base/mem.c": {"malloc", "calloc", "realloc", "free", "strdup", "strndup"},
    # What the C library allocated goes back to it.
    "lib/base/conf_row.c": {"free", "strtoll"},
    "proxy/auth/users_edit.c": {"free"},
    # Of a word whose form was checked before, to its end.
    "lib/base/conf_source.c": {"strtoull"},
    # SIG_IGN, before there is a loop.
    "proxy/commands/run.c": {"signal"},
}
MEMORY = "malloc calloc realloc free strdup strndup asprintf vasprintf"

CALL = re.compile(r"(?<![\w.>])(\w+)\s*\(")


def main():
    instead = {name: text for names, text in BANNED.items() for name in names.split()}
    instead.update({name: "mem_*" for name in MEMORY.split()})
    problems = 0
    for path in sources.files(".c", ".h"):
        if path.startswith("tests/"):
            continue
        bare = sources.bare(sources.read(path))
        for found in CALL.finditer(bare):
            name = found.group(1)
            if name in instead and name not in MAY.get(path, ()):
                line = bare.count("\n", 0, found.start()) + 1
                print(f"{path}:{line}: {name}: take {instead[name]}")
                problems += 1
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
