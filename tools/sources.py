# SPDX-License-Identifier: MPL-2.0
"""For the checks of this folder: the project's files, and C text without comments and strings."""

import os
import re
import subprocess

TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def files(*suffixes):
    """Files of the project that end so: under version control, or new and not ignored."""
    done = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                          stdout=subprocess.PIPE, check=True)
    names = done.stdout.decode("utf-8").split("\n")
    return sorted(name for name in set(names) if name.endswith(suffixes) and os.path.exists(name))


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def bare(text):
    """C text with comments and the insides of literals blanked; lines and columns stay."""
    def blank(found):
        word = found.group(0)
        if word[0] in "\"'":
            return word[0] + " " * (len(word) - 2) + word[0]
        return re.sub(r"[^\n]", " ", word)
    return TOKEN.sub(blank, text)
