#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Let the Nth call of each kind fail in the gate, for many N of a reference run or for every one.

usage: run.py --build build [-v] [KIND[:N]]...
FAULT=all in the environment takes every N, FAULT=3 each third one; without it there are a few of
each kind. The last line sums up.
"""

import argparse
import os
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)  # crypt
# pylint: disable=wrong-import-position
from faults import FaultError, KINDS, Rig  # noqa: E402
from harness import gate, keys  # noqa: E402
from harness.client import ClientError  # noqa: E402

FOR_EVER = 1000000
SAMPLES = {"memory": 16}  # of a kind, without FAULT
SAMPLES_DEFAULT = 8
# What libconfig does without memory is its own affair; a line of the log that is lost is lost.
START_KINDS = tuple(kind for kind in KINDS if kind not in ("memory", "write"))


def reference(rig):
    """{kind: calls} that the two messages make, and those that starting makes."""
    rig.start()
    start = rig.control.counts()
    rig.send()
    rig.learn_signatures()
    rig.forget()
    before = rig.control.counts()
    rig.honest()
    after = rig.control.counts()
    rig.gate.stop()
    return {kind: after[kind] - before[kind] for kind in KINDS}, start


def chosen(kind, count):
    """Which N; each kind that the run uses has at least its first call."""
    wish = os.environ.get("FAULT", "")
    if wish == "all":
        step = 1
    elif wish:
        step = int(wish)
    else:
        step = max(1, -(-count // SAMPLES.get(kind, SAMPLES_DEFAULT)))
    return range(1, count + 1, step)


def one_round(rig, kind, nth):
    """The fault, two messages under it, and what must be true behind it."""
    if not rig.gate.is_running():
        rig.start_at_rest()
    rig.control.arm(kind, nth)
    submitted, arrived, trouble = rig.send()
    rig.control.disarm()
    rig.check_claims(submitted, arrived)
    if kind == "sync" and rig.control.failed() > 0 and arrived.code == "250":
        raise FaultError("the client heard 250 to what may never get to the disk")
    if rig.has_ended(trouble if kind == "memory" else ""):
        if kind != "memory":
            raise FaultError(f"the gate ended, though memory was there\n{rig.gate.tail()}")
        rig.forget("tmp")
        rig.start_at_rest()
        return
    rig.forget()
    rig.honest()
    rig.check_leaks()


def start_round(rig, kind, nth):
    """A fault while it starts: it says why and exits, or it serves."""
    rig.gate.kill()
    if not rig.start(kind, nth):
        code = rig.gate.wait_exit()
        if code <= 0 or not rig.gate.lines:
            raise FaultError(f"it ended with {code} and these words: {rig.gate.lines}")
        return
    rig.honest()
    rig.gate.stop()


def disk_full(rig):
    """While no write to a file succeeds, 452 4.3.1 is heard; then all is as before."""
    if not rig.gate.is_running():
        rig.start_at_rest()
    rig.control.arm("disk", 1, calls=FOR_EVER)
    submitted, arrived, trouble = rig.send()
    rig.control.disarm()
    rig.check_claims(submitted, arrived)
    if trouble or [sent.reply for sent in (submitted, arrived)] != ["452 4.3.1"] * 2:
        raise FaultError(f"heard {submitted.reply}, {arrived.reply} {trouble}")
    rig.forget()
    rig.honest()
    rig.check_leaks()


class Count:
    def __init__(self, verbose):
        self.verbose, self.passed, self.failed = verbose, 0, 0

    def run(self, rig, name, what, *arguments):
        try:
            what(rig, *arguments)
        except (FaultError, ClientError, gate.GateError, OSError) as error:
            self.failed += 1
            print(f"  FAIL     {name}: {error}\n    " + rig.gate.tail(20).replace("\n", "\n    "),
                  flush=True)
            rig.control.disarm()
            rig.gate.kill()  # the next one has a new gate
            rig.forget("tmp")
        else:
            self.passed += 1
            if self.verbose:
                print(f"  ok       {name}", flush=True)


def wanted(words, calls):
    """[(kind, N)...]: by words like "memory" or "memory:17", or by FAULT."""
    for word in words:
        kind, _, nth = word.partition(":")
        for number in [int(nth)] if nth else chosen(kind, calls[kind]):
            yield kind, number


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("kinds", nargs="*")
    args = parser.parse_args()
    count = Count(args.verbose)
    with tempfile.TemporaryDirectory(prefix="gatepost-fault-") as folder:
        os.chmod(folder, 0o755)
        rig = Rig(args.build, keys.Keys(os.path.join(folder, "keys"), gate.owner_of_tests()), folder)
        try:
            calls, start = reference(rig)
            print("  calls    " + " ".join(f"{kind} {calls[kind]}" for kind in KINDS), flush=True)
            for kind, nth in wanted(args.kinds or KINDS, calls):
                count.run(rig, f"{kind}:{nth}", one_round, kind, nth)
            if not args.kinds:
                count.run(rig, "disk full", disk_full)
                for kind, nth in wanted(START_KINDS, start):
                    count.run(rig, f"start {kind}:{nth}", start_round, kind, nth)
            if rig.gate.is_running():
                rig.gate.stop()
        finally:
            rig.stop()
    print(f"fault: {count.passed} passed, {count.failed} failed")
    return 1 if count.failed or not count.passed else 0


if __name__ == "__main__":
    sys.exit(main())
