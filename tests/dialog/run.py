#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Run the dialogs of this folder against BUILD/gatepost, a few at a time.

usage: run.py --build build [--jobs N] [-v] [FILE or part of a name]...
Totals go to BUILD/results/dialog.txt as "passed failed".
"""

import argparse
import concurrent.futures
import glob
import os
import sys
import tempfile
import time
import traceback
import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)  # crypt
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
# pylint: disable=wrong-import-position
from harness import dialog, gate, keys  # noqa: E402


SKIPPED = object()


def run_one(path, build, all_keys):
    began = time.monotonic()
    name = os.path.relpath(path)
    one = None
    try:
        one = dialog.Dialog(name, build, all_keys)
        if one.skip_reason():
            return name, SKIPPED, 0.0
        one.run()
        return name, None, time.monotonic() - began
    except Exception as error:  # whatever it is, it is this dialog's failure  # noqa: BLE001
        known = isinstance(error, (dialog.DialogError, gate.GateError, dialog.ClientError))
        text = str(error) if known else traceback.format_exc()
        if one is not None:
            text += "\n  conversation:\n" + dialog.transcript(one)
            if one.gate is not None:
                text += "\n  log:\n    " + one.gate.tail(30).replace("\n", "\n    ")
        return name, text, time.monotonic() - began


def choose(words):
    every = sorted(glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "*.dlg")))
    if not words:
        return every
    return [path for path in every if any(word in path for word in words)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    if not os.access(os.path.join(args.build, "gatepost"), os.X_OK):
        print(f"tests/dialog/run.py: there is no {args.build}/gatepost: run make first")
        return 1
    paths = choose(args.names)
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="gatepost-keys-") as folder:
        os.chmod(folder, 0o755)
        all_keys = keys.Keys(os.path.join(folder, "keys"), gate.owner_of_tests())
        # They mostly wait, so a few more than there are cores.
        with concurrent.futures.ThreadPoolExecutor(2 * args.jobs) as pool:
            jobs = [pool.submit(run_one, path, args.build, all_keys) for path in paths]
            for job in concurrent.futures.as_completed(jobs):
                name, problem, seconds = job.result()
                if problem is SKIPPED:
                    print(f"  skip     {name}", flush=True)
                elif problem is None:
                    passed += 1
                    if args.verbose:
                        print(f"  ok       {name} {seconds:.1f} s", flush=True)
                else:
                    failed += 1
                    print(f"  FAIL     {name} {seconds:.1f} s\n  {problem}", flush=True)
    os.makedirs(os.path.join(args.build, "results"), exist_ok=True)
    with open(os.path.join(args.build, "results", "dialog.txt"), "w", encoding="ascii") as out:
        out.write(f"{passed} {failed}\n")
    print(f"dialog: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
