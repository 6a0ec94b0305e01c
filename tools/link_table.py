#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The table of links in docs/FILTERS.md, from `gatepost links --markdown`.

usage: link_table.py BINARY    write it anew
"""

import re
import subprocess
import sys

import sources

PAGE = "docs/FILTERS.md"
BEGIN = "<!-- written by make docs: begin -->\n"
END = "<!-- written by make docs: end -->\n"


def problems(page, table):
    """What is wrong with the text of the page, given the table that the binary prints."""
    found = []
    if f"{BEGIN}\n{table}\n{END}" not in page:
        found.append(f"{PAGE} has not the table of links that the tables say: make docs")
    names = re.findall(r"^\| \[`(\w+)`\]", table, re.M)
    if not names:
        found.append("gatepost links --markdown names no link")
    return found + [f"{PAGE} has no section ## {name}" for name in names
                    if f"\n## {name}\n" not in page]


def table_of(binary):
    done = subprocess.run([binary, "links", "--markdown"], stdout=subprocess.PIPE, check=True)
    return done.stdout.decode("utf-8")


def main():
    page, table = sources.read(PAGE), table_of(sys.argv[1])
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{PAGE} has not both lines that the table of links stands between")
    with open(PAGE, "w", encoding="utf-8") as out:
        out.write(f"{before}{BEGIN}\n{table}\n{END}{after}")


if __name__ == "__main__":
    main()
