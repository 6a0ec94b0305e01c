#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Documents that the code can prove wrong.

  - docs/CONFIG.md and the table of docs/FILTERS.md are what the binary prints of its tables, and
    each link has a section in the latter;
  - proxy.conf.example and docs/CONFIG.md name every key, and the example is accepted as it stands
    but for the files that an installation makes; gatepost-test-policy(8) names those of a case;
  - a page or file of this repository that a document links to exists;
  - every event name that the code logs, and every metric that it counts, stands in
    docs/OPERATIONS.md;
  - each row of the table of defences in docs/SECURITY.md names source files and tests that exist;
  - every sub-command has a manual page, or is named in gatepost(8).

usage: check_docs.py BINARY
"""

import glob
import os
import re
import subprocess
import sys

import link_table
import sources

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
EVENT = re.compile(r'log_event\(\s*[^,]+,\s*"([a-z_]+\.[a-z_]+)"')
METRIC = re.compile(r'METRIC_(?:COUNTER|GAUGE)\(\s*\w+,\s*"(\w+)"')
KEY = re.compile(r'(?<!log_field\)\{ )\.key = "(\w+)"|NAMED\("(\w+)"')


def output(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def check_manual(binary):
    code, manual = output(binary, "check-config", "--print-manual")
    if code != 0 or not manual:
        yield "gatepost check-config --print-manual does not work"
    elif not os.path.exists("docs/CONFIG.md"):
        yield "docs/CONFIG.md is missing: make docs"
    elif sources.read("docs/CONFIG.md") != manual:
        yield "docs/CONFIG.md is not what the tables say: make docs"


def check_filters(binary):
    return link_table.problems(sources.read(link_table.PAGE), link_table.table_of(binary))


CASE = "proxy/commands/policy_case.c"  # keys of another file than the configuration
SAMPLES = ("filters/skeleton.c", "dist/examples/")  # of plugins that nobody has


def keys_in(paths):
    return {a or b for path in paths for a, b in KEY.findall(sources.read(path))}


def check_keys():
    configuration = keys_in(path for path in sources.files(".c")
                            if not path.startswith(("tests/", *SAMPLES)) and path != CASE)
    case = keys_in([CASE])
    if not configuration or not case:
        yield "no key was found in the tables (tools/check_docs.py must be wrong)"
    for page, keys in (("proxy.conf.example", configuration), ("docs/CONFIG.md", configuration),
                       ("docs/man/gatepost-test-policy.8", case)):
        text = sources.read(page) if os.path.exists(page) else ""
        missing = [key for key in sorted(keys) if not re.search(rf"\b{key}\b", text)]
        if missing:
            yield f"{page} does not name: {' '.join(missing)}"


def check_links():
    for page in sources.files(".md"):
        text = sources.read(page)
        for target in LINK.findall(text):
            if re.match(r"[a-z]+:", target):
                continue
            if not os.path.exists(os.path.join(os.path.dirname(page), target)):
                yield f"{page}: {target} does not exist"


def check_events():
    page = "docs/OPERATIONS.md"
    text = sources.read(page) if os.path.exists(page) else ""
    for path in sources.files(".c"):
        if path.startswith("tests/"):
            continue
        for event in EVENT.findall(sources.read(path)):
            if event not in text:
                yield f"{page} does not name the event {event} ({path})"
        for metric in METRIC.findall(sources.read(path)):
            if not re.search(rf"\b{metric}\b", text):
                yield f"{page} does not name the metric {metric} ({path})"


SECURITY = "docs/SECURITY.md"
TESTS_OF = {"unit": "tests/unit/test_{}.c", "fuzz": "tests/fuzz/fuzz_{}.c",
            "interop": "tests/interop/test_{}.py", "dialog": "tests/dialog/{}-*.dlg",
            "fault": "tests/fault/{}.py"}


def named_tests(text):
    """(kind, name) of each test in "dialogs 435 to 444; unit a, b (what); interop c"."""
    text = re.sub(r"\([^()]*\)", "", re.sub(r"`[^`]*`", "", text))
    kind = None
    for item in re.split(r"[;,]", text):
        words = item.split() if "[" not in item else []  # a link: see check_links
        if words and words[0].rstrip("s") in TESTS_OF:
            kind = words.pop(0).rstrip("s")
        if kind == "dialog" and len(words) == 3 and words[1] == "to":
            yield kind, words[0]
            yield kind, words[2]
        elif words:
            yield kind, " ".join(words)


def missing_sources(cell):
    """A name without a folder is in that of the one before."""
    folder = ""
    for path in re.findall(r"`([^`]+)`", cell):
        if glob.glob(path):
            folder = os.path.dirname(path.rstrip("/"))
        elif not glob.glob(os.path.join(folder, path)):
            yield path


def check_security():
    table = sources.read(SECURITY).split("| class |")[-1].split("\n\n")[0]
    rows = [re.split(r"(?<!\\) \| ", row.strip("| ")) for row in table.split("\n")[2:]]
    if not rows:
        yield f"{SECURITY} has no table of defences (tools/check_docs.py must be wrong)"
    for row in rows:
        if len(row) != 4:
            yield f"{SECURITY}: {row[0]}: has {len(row)} columns"
            continue
        for path in missing_sources(row[2]):
            yield f"{SECURITY}: {row[0]}: {path} does not exist"
        tests = list(named_tests(row[3]))
        if not tests:
            yield f"{SECURITY}: {row[0]}: nothing shows it"
        for kind, name in tests:
            if kind is None or not glob.glob(TESTS_OF[kind].format(name)):
                yield f"{SECURITY}: {row[0]}: there is no {kind or 'test'} {name}"


def check_commands(binary):
    _, usage = output(binary, "--help")
    names = re.findall(r"^  ([a-z-]+) {2,}", usage, re.M)
    if not names:
        yield "gatepost --help names no command"
    main_page = "docs/man/gatepost.8"
    text = sources.read(main_page).replace("\\-", "-") if os.path.exists(main_page) else ""
    for name in names:
        if not re.search(rf"\b{name}\b", text):
            yield f"{main_page} does not name the command {name}"
        code, help_text = output(binary, name, "--help")
        if code != 0 or "usage" not in help_text:
            yield f"gatepost {name} --help does not work"


def main():
    binary = sys.argv[1]
    if not os.access(binary, os.X_OK):
        print(f"there is no {binary}")
        return 1
    found = [*check_manual(binary), *check_filters(binary), *check_keys(), *check_links(), *check_events(),
             *check_security(),
             *check_commands(binary)]
    for text in sorted(set(found)):
        print(text)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
