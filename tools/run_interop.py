#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Run the interop tests by pytest, some files at a time, and end in a line as the other runners do.

usage: run_interop.py --build build [--jobs N] [FILE or FILE::TEST]...
Totals go to BUILD/results/interop.txt as "passed failed". What is skipped is said, with reasons.
"""

import argparse
import concurrent.futures
import glob
import os
import subprocess
import sys
import xml.etree.ElementTree


def totals_of(path):
    """(passed, failed) of a JUnit file; (0, 1) when pytest wrote none."""
    if not os.path.exists(path):
        return 0, 1
    suite = xml.etree.ElementTree.parse(path).getroot().find("testsuite")
    count, skipped = int(suite.get("tests")), int(suite.get("skipped"))
    failed = int(suite.get("failures")) + int(suite.get("errors"))
    return count - skipped - failed, failed


def run_one(test, build, results):
    report = os.path.join(results, os.path.basename(test).replace("::", "-") + ".xml")
    if os.path.exists(report):
        os.unlink(report)
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "--tb=short", "-p", "no:cacheprovider",
               "-W", "ignore::DeprecationWarning", f"--junitxml={report}", test]
    done = subprocess.run(command, env=dict(os.environ, GATEPOST_BUILD=build), check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    passed, failed = totals_of(report)
    if done.returncode != 0 and failed == 0:
        failed = 1
    return test, passed, failed, done.stdout.decode("utf-8", "replace")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("tests", nargs="*")
    args = parser.parse_args()
    results = os.path.join(args.build, "results")
    os.makedirs(results, exist_ok=True)
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        jobs = [pool.submit(run_one, test, args.build, results)
                for test in args.tests or sorted(glob.glob("tests/interop/test_*.py"))]
        for job in concurrent.futures.as_completed(jobs):
            test, good, bad, output = job.result()
            passed += good
            failed += bad
            shown = output.splitlines() if bad else \
                [line for line in output.splitlines() if line.startswith("SKIPPED")]
            print("\n".join([*shown, f"  {'FAIL' if bad else 'ok':<8} {test}: {good} passed, "
                                     f"{bad} failed"]), flush=True)
    with open(os.path.join(results, "interop.txt"), "w", encoding="ascii") as out:
        out.write(f"{passed} {failed}\n")
    print(f"interop: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
