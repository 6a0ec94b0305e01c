#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Run cmocka programs, a line each; the output of one is shown only when it fails.

Totals go to BUILD/results/unit.txt as "passed failed", for whoever sums up a whole run.
"""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import time

TIME_LIMIT_S = 300
PASSED = re.compile(r"\[  PASSED  \] (\d+) test\(s\)")
FAILED = re.compile(r"\[  FAILED  \] (\d+) test\(s\)")


def run_one(path):
    began = time.monotonic()
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="STDOUT")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    try:
        done = subprocess.run([path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, timeout=TIME_LIMIT_S, env=env, check=False)
        output, code = done.stdout.decode("utf-8", "replace"), done.returncode
    except subprocess.TimeoutExpired as over:
        output = (over.stdout or b"").decode("utf-8", "replace")
        output += f"\nnot done after {TIME_LIMIT_S} s\n"
        code = -1
    passed = sum(int(n) for n in PASSED.findall(output))
    failed = sum(int(n) for n in FAILED.findall(output))
    if code != 0 and failed == 0:
        failed = 1  # it crashed, or a sanitizer spoke
    if code == 0 and passed == 0:
        failed = 1
        output += "\nno test ran\n"
    return path, passed, failed, output, time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("programs", nargs="*")
    args = parser.parse_args()
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for path, good, bad, output, seconds in pool.map(run_one, args.programs):
            passed += good
            failed += bad
            if bad:
                sys.stdout.write(output)
            word = "FAIL" if bad else "ok"
            name = os.path.basename(path)
            print(f"  {word:<8} {name}: {good} passed, {bad} failed, {seconds:.1f} s", flush=True)
    os.makedirs(os.path.join(args.build, "results"), exist_ok=True)
    with open(os.path.join(args.build, "results", "unit.txt"), "w", encoding="ascii") as out:
        out.write(f"{passed} {failed}\n")
    print(f"unit: {passed} passed, {failed} failed")
    return 1 if failed or not args.programs else 0


if __name__ == "__main__":
    sys.exit(main())
