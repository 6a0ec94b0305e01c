#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Includes may only point downwards through the house. The list below is the whole law.

A stratum is a folder; what it may include is itself and what stands behind it here. The library
headers that are kept behind one stratum are listed too.
"""

import re
import sys

import sources

LIB = ["lib/base", "lib/smtp", "lib/mail", "lib/net", "lib/domain", "lib/chain", "lib/table",
       "lib/milter"]
ALLOWED = {
    "lib/base": [],
    "lib/smtp": ["lib/base"],
    "lib/mail": ["lib/base", "lib/smtp"],
    "lib/net": ["lib/base"],
    "lib/table": ["lib/base", "lib/net"],
    "lib/milter": ["lib/base", "lib/smtp", "lib/mail", "lib/net"],
    "lib/domain": ["lib/base", "lib/smtp", "lib/mail", "lib/net"],
    "lib/chain": ["lib/base", "lib/smtp", "lib/mail"],
    "dist/examples/plugins": ["lib/chain", "lib/base", "lib/smtp", "lib/mail", "lib/table"],
    "policy": LIB,
    "filters": LIB,
    # The backend "upstream" logs in there: there is one SMTP client dialogue in the house.
    "proxy/auth": LIB + ["proxy", "proxy/upstream"],
    "proxy/upstream": LIB + ["proxy"],
    "proxy/session": LIB + ["proxy", "proxy/auth", "proxy/upstream", "proxy/ops"],
    "proxy/ops": LIB + ["proxy"],
    "proxy/commands": LIB + ["proxy", "proxy/auth", "proxy/upstream", "proxy/session",
                             "proxy/ops"],
    "proxy": LIB + ["policy", "filters", "proxy/auth", "proxy/upstream", "proxy/session",
                    "proxy/ops", "proxy/commands"],
}
# At the top of proxy/ everybody is known; below it only these headers of the top are.
TOP_HEADERS = {
    "proxy/auth": {"proxy/config.h"},
    "proxy/upstream": {"proxy/config.h"},
}
# A wrapped library: its header is seen by these folders alone.
KEPT = {
    "dkim.h": ["lib/domain"],
    "libconfig.h": ["lib/base"],
    "idn2.h": ["lib/mail"],
    "crypt.h": ["proxy/auth"],
    "event2/": ["proxy/session"],
    "microhttpd.h": ["proxy/ops"],
    "spf2/": ["lib/domain"],
    "unbound.h": ["lib/net"],
    "seccomp.h": ["proxy"],
    "sqlite3.h": ["lib/domain", "lib/table"],
    "ldap.h": ["lib/table"],
    "openldap.h": ["lib/table"],
    "lber.h": ["lib/table"],
    "hiredis/": ["lib/table"],
    "dlfcn.h": ["proxy"],
    "lua.h": ["filters"],
    "lauxlib.h": ["filters"],
    "lualib.h": ["filters"],
    "zlib.h": ["proxy/commands", "lib/domain"],
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def stratum_of(path):
    return path.rsplit("/", 1)[0]


def check_local(path, stratum, name):
    if "/" not in name:
        return f'"{name}" is not a path from the root'
    target = stratum_of(name)
    if target.split("/")[0] == "tests":
        return f"{name} belongs to the tests"
    if target != stratum and target not in ALLOWED[stratum]:
        return f"{stratum} may not know {target} ({name})"
    if target == "proxy" and stratum in TOP_HEADERS and name not in TOP_HEADERS[stratum]:
        return f"{stratum} may not know {name}"
    if name.endswith("_private.h") and target != stratum:
        return f"{name} is private to {target}"
    return None


def check_system(stratum, name):
    for kept, folders in KEPT.items():
        if (name == kept or kept.endswith("/") and name.startswith(kept)) and \
                stratum not in folders:
            return f"<{name}> is for {', '.join(folders)} alone"
    return None


def main():
    problems = 0
    for path in sources.files(".c", ".h"):
        stratum = stratum_of(path)
        if stratum.split("/")[0] == "tests":
            continue
        if stratum not in ALLOWED:
            print(f"{path}: there is no stratum {stratum} (tools/check_directions.py)")
            problems += 1
            continue
        text = sources.read(path)
        for found in INCLUDE.finditer(text):
            kind, name = found.groups()
            text_of = check_local(path, stratum, name) if kind == '"' else \
                check_system(stratum, name)
            if text_of:
                print(f"{path}:{text.count(chr(10), 0, found.start()) + 1}: {text_of}")
                problems += 1
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
