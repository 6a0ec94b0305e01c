#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Length of files and functions, number of parameters, depth of nesting; SPDX lines.

The layout makes it easy: a definition's name stands at the start of a line, its braces too.
"""

import re
import sys

import sources

FILE_LINES = {".c": 600, ".h": 200}
TESTS_LINES = {".c": 620, ".h": 400}  # a table of cases is not made better by two files
FUNCTION_LINES = 60
TESTS_FACTOR = 2  # tests are tables and straight stories
PARAMETERS = 6
NESTING = 3  # blocks within the function's own

# Path or path:function -> why it may pass a limit.
LONGER = {
    "lib/base/conf_load.c:conf_load": "what a load needs and gives, each once at start",
    "lib/chain/chain.c:chain_run_stage": "the one call for every stage",
    "proxy/ops/metrics_http.c:on_request": "libmicrohttpd's callback",
}

DEFINITION = re.compile(r"^([a-z_]\w*)\(((?:[^()]|\([^()]*\))*)\)\n\{\n(.*?)^\}", re.M | re.S)


def parameters(text):
    depth = commas = 0
    for letter in text:
        depth += letter == "("
        depth -= letter == ")"
        commas += letter == "," and depth == 0
    return 0 if text.strip() in ("", "void") else commas + 1


def factor(path):
    return TESTS_FACTOR if path.startswith("tests/") else 1


def check_function(path, line, name, args, body):
    if f"{path}:{name}" in LONGER:
        return []
    lines = body.count("\n")
    limit = FUNCTION_LINES * factor(path)
    found = []
    if lines > limit:
        found.append(f"{name} has {lines} lines, over {limit}")
    if parameters(args) > PARAMETERS:
        found.append(f"{name} has {parameters(args)} parameters, over {PARAMETERS}")
    depth = deepest = 0
    for letter in body:
        depth += letter == "{"
        depth -= letter == "}"
        deepest = max(deepest, depth)
    if deepest > NESTING:
        found.append(f"{name} is nested {deepest} deep, over {NESTING}")
    return [f"{path}:{line}: {text}" for text in found]


def check(path):
    text = sources.read(path)
    found = []
    if "SPDX-License-Identifier: MPL-2.0" not in text.split("\n", 1)[0]:
        found.append(f"{path}:1: the first line is not the SPDX line")
    limit = (TESTS_LINES if path.startswith("tests/") else FILE_LINES)[path[-2:]]
    if text.count("\n") > limit and path not in LONGER:
        found.append(f"{path}: {text.count(chr(10))} lines, over {limit}")
    bare = sources.bare(text)
    for definition in DEFINITION.finditer(bare):
        name, args, body = definition.groups()
        line = bare.count("\n", 0, definition.start()) + 1
        found += check_function(path, line, name, args, body)
    return found


def main():
    found = [text for path in sources.files(".c", ".h") for text in check(path)]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
