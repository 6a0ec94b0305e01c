#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Everything that a machine can check, one line a step; the output of a step only when it fails.

usage: lint.py [--jobs N] [STEP]...   (no step: all of them)
"""

import argparse
import concurrent.futures
import hashlib
import os
import subprocess
import sys
import time

import sources

BUILD = "build/lint"
# In CI what gcc builds here is what make test needs next, with the same flags.
BUILD_OF = {"gcc": "build" if os.environ.get("CI") == "true" else f"{BUILD}-gcc",
            "clang": f"{BUILD}-clang"}
PACKAGES = "openssl libconfig libevent libevent_pthreads libidn2 opendkim libcrypt " \
    "libunbound libmicrohttpd sqlite3 zlib ldap lber hiredis lua5.4 libseccomp"
SHIPPED = ("lib/", "policy/", "filters/", "proxy/")


def run(command, **options):
    """(ok, output)"""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, check=False, **options)
    return done.returncode == 0, done.stdout.decode("utf-8", "replace")


def compile_flags():
    ok, text = run(["pkg-config", "--cflags", *PACKAGES.split()])
    if not ok:
        raise SystemExit(f"lint: {text}")
    return ["-std=c17", "-I.", "-D_GNU_SOURCE", *text.replace("-I", "-isystem").split()]


def shipped(*suffixes):
    return [name for name in sources.files(*suffixes) if name.startswith(SHIPPED)]


def each(work, items, jobs):
    """work(item) -> (ok, output) for every item; (all ok, outputs of those that were not)"""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(work, items))
    return all(ok for ok, _ in results), "".join(text for ok, text in results if not ok)


# ---- steps ----

def step_format(_jobs):
    return run(["clang-format", "--dry-run", "-Werror", *sources.files(".c", ".h")])


def build_with(compiler, jobs, *settings):
    return run(["make", "--no-print-directory", "-k", f"-j{jobs}", f"CC={compiler}", "WERROR=1",
                f"BUILD={BUILD_OF[compiler]}", *settings, "all", "units", "loads", "fuzz-objects"])


def step_gcc(jobs):
    return build_with("gcc", jobs)


def step_clang(jobs):
    # Its warnings are the same without optimization, which takes half of the time.
    return build_with("clang", jobs, "MODE_FLAGS=-O0")


def step_headers(jobs):
    flags = compile_flags()

    def one(path):
        return run(["gcc", *flags, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-include", path,
                    "-x", "c", "/dev/null"])
    return each(one, shipped(".h"), jobs)


def step_directions(_jobs):
    return run([sys.executable, "tools/check_directions.py"])


def step_limits(_jobs):
    return run([sys.executable, "tools/check_limits.py"])


def step_banned(_jobs):
    return run([sys.executable, "tools/check_banned.py"])


def step_cppcheck(jobs):
    os.makedirs(f"{BUILD}-cppcheck", exist_ok=True)
    return run(["cppcheck", "--quiet", f"-j{jobs}", f"--cppcheck-build-dir={BUILD}-cppcheck",
                "--std=c11", "--language=c", "--enable=warning,performance,portability",
                "--inline-suppr", "--error-exitcode=1", "--suppressions-list=tools/cppcheck.txt",
                "-D_GNU_SOURCE", "-D__GNUC__", "-I.", *shipped(".c")])


# How far the analyzer follows one function. clang's own value of 225000 takes three times as long,
# and finds nothing more here: TIDY_NODES=225000 make lint STEPS=tidy looks now and then.
TIDY_NODES = os.environ.get("TIDY_NODES", "75000")


def tidy_one(path, flags):
    """A file that is the same as when it was last clean is not looked at again."""
    ok, text = run(["clang", *flags, "-E", "-P", path])
    if not ok:
        return False, text
    mark = hashlib.sha256((TIDY_NODES + sources.read(".clang-tidy") + text).encode("utf-8")).hexdigest()
    stamp = f"{BUILD}-tidy/{path}.{mark}"
    if os.path.exists(stamp):
        return True, ""
    ok, text = run(["clang-tidy", "--quiet", path, "--", *flags, "-Xclang", "-analyzer-config",
                    "-Xclang", f"max-nodes={TIDY_NODES}"])
    if ok:
        os.makedirs(os.path.dirname(stamp), exist_ok=True)
        with open(stamp, "w", encoding="ascii"):
            pass
    return ok, text


def step_tidy(jobs):
    flags = compile_flags()
    return each(lambda path: tidy_one(path, flags), shipped(".c"), jobs)


def step_shell(_jobs):
    scripts = [*sources.files(".sh")]
    scripts += [name for name in sources.files("") if name.startswith(".ci/") and
                sources.read(name).startswith("#!/bin/sh")]
    return run(["shellcheck", *scripts])


def step_python(_jobs):
    return run([sys.executable, "-m", "pyflakes", *sources.files(".py")])


def step_man(_jobs):
    pages = [name for name in sources.files(".1", ".5", ".8") if name.startswith("docs/man/")]
    if not pages:
        return False, "there is no page in docs/man/\n"
    return run(["mandoc", "-T", "lint", "-W", "warning", *pages])


def step_docs(_jobs):
    return run([sys.executable, "tools/check_docs.py", BUILD_OF["gcc"] + "/gatepost"])


STEPS = {
    "format": step_format, "directions": step_directions, "limits": step_limits,
    "banned": step_banned, "shell": step_shell, "python": step_python, "man": step_man,
    "gcc": step_gcc, "clang": step_clang, "headers": step_headers, "docs": step_docs,
    "cppcheck": step_cppcheck, "tidy": step_tidy,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("steps", nargs="*", metavar="STEP", help=" ".join(STEPS))
    args = parser.parse_args()
    unknown = [name for name in args.steps if name not in STEPS]
    if unknown:
        parser.error(f"there is no step {unknown[0]} ({' '.join(STEPS)})")
    passed = failed = 0
    for name in args.steps or STEPS:
        began = time.monotonic()
        ok, output = STEPS[name](args.jobs)
        if not ok:
            sys.stdout.write(output if len(output) < 20000 else output[:20000] + "...\n")
        passed += ok
        failed += not ok
        print(f"  {'ok' if ok else 'FAIL':<8} lint {name} {time.monotonic() - began:.1f} s", flush=True)
    os.makedirs("build/results", exist_ok=True)
    with open("build/results/lint.txt", "w", encoding="ascii") as out:
        out.write(f"{passed} {failed}\n")
    print(f"lint: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
