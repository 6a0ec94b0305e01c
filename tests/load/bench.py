#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""`make bench`: Gatepost beside Postfix and its milters, in alternating rounds of one run, and
tables. What the figures mean is in docs/BENCH.md.

The exit status says whether everything ran; aims that were missed are printed, no more."""

import argparse
import collections
import os
import resource
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from bench_crowd import measure_crowd
from bench_inbound import measure_inbound
from candidates import LOGIN, PASSWORD, Gatepost, Postfix
from processes import BenchError, memory_kb, peak_rss_kb, read_line, rss_kb, run
from rounds import check_wanted, cpu_of_1000, load, merge, print_table

AIMS = {1: 4.0, 100: 7.0}  # times Postfix + OpenDKIM, in messages per server CPU second
AIM_IDLE_KB = 32
AIM_CHAIN_US = 5
# What one link does to a small message: its settings, and the aim in microseconds, if any.
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "small.lua")
LINKS = {"hop_limit": ("", None), "fix_headers": ("", None),
         "lua": (f'script = "{SCRIPT}";', 50)}
IDLE_LIMIT_S = 150  # to open all idle sessions


def make_keys(folder):
    keys = {name: os.path.join(folder, name + ".pem") for name in ("certificate", "key", "dkim")}
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=gate.example.com", "-keyout", keys["key"], "-out", keys["certificate"]])
    run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048",
         "-out", keys["dkim"]])
    for name in ("key", "dkim"):
        os.chmod(keys[name], 0o600)
    return keys


class Memory:
    """The peaks of memory over all rounds."""

    def __init__(self):
        self.peaks = collections.defaultdict(int)

    def look(self, candidate):
        self.peaks[candidate.name] = max(self.peaks[candidate.name], memory_kb(candidate.roots))

    def show(self, candidates):
        for candidate in candidates:
            peak = self.peaks[candidate.name]
            if isinstance(candidate, Gatepost):
                peak = max(peak, peak_rss_kb(candidate.roots[0]))
            print(f"peak memory, {candidate.name}: {peak / 1024:.1f} MB")


def measure_load(build, folder, keys, options):
    kinds = [Gatepost] if options.without_postfix else [Postfix, Gatepost]
    candidates, memory = [], Memory()
    rounds = collections.defaultdict(list)
    try:
        for kind in kinds:
            candidates.append(kind(build, os.path.join(folder, kind.__name__.lower()), keys))
        for candidate in candidates:
            load(build, candidate, 10, 200)  # warm
        for _ in range(options.rounds):
            for a_connection in AIMS:
                for candidate in candidates:
                    messages = options.messages * (1 if isinstance(candidate, Postfix) else 3)
                    result = load(build, candidate, a_connection, messages)
                    rounds[a_connection, candidate.name].append(result)
                    memory.look(candidate)
        for candidate in candidates:
            check_wanted(candidate)
        results = {key: merge(rounds[key]) for key in sorted(rounds)}
        print_table("rsa2048, TLS 1.3", results)
        memory.show(candidates)
        return results
    finally:
        for candidate in candidates:
            candidate.stop()


def measure_idle(build, folder, keys, sessions):
    """KB of the gate's memory for one idle session, over TLS and logged in."""
    gate = Gatepost(build, os.path.join(folder, "idle"), keys)
    try:
        load(build, gate, 10, 200)
        pid = gate.roots[0]
        before = rss_kb(pid)
        client = subprocess.Popen([f"{build}/tests/load/smtp_load", str(gate.port), LOGIN, PASSWORD,
                                   "--idle", str(sessions)], bufsize=0,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            line = read_line(client, IDLE_LIMIT_S)
            if line != f"idle {sessions}":
                raise BenchError(f"of {sessions} idle sessions: {line}")
            time.sleep(0.5)
            each = (rss_kb(pid) - before) / sessions
        finally:
            client.kill()
            client.communicate(timeout=10)
    finally:
        gate.stop()
    print(f"memory of one of {sessions} idle TLS sessions: {each:.1f} KB "
          f"({before / 1024:.1f} MB before them)", flush=True)
    return each


def measure_signing(build, keys):
    """Both by turns, and the best of each: the machine does other things too."""
    raw = ours = 0
    for _ in range(3):
        out = run(["openssl", "speed", "-seconds", "1", "rsa2048"], 30)
        row = re.search(r"^rsa 2048 bits\s+\S+\s+\S+\s+([\d.]+)", out, re.M)
        raw = max(raw, float(row.group(1)))
        ours = max(ours, float(run([f"{build}/tests/load/bench_sign", keys["dkim"], "1"], 30)))
    print(f"signatures: {ours:.0f}/s on one core, {100 * ours / raw:.0f} % of "
          f"`openssl speed rsa2048` ({raw:.0f}/s)", flush=True)


def measure_chain(build):
    """What 20 links that let everything pass add to a message, in microseconds of CPU."""
    def added(name, *arguments):
        out = run([f"{build}/tests/load/bench_chain", "20000", *arguments], 60)
        us = {name: float(value) for name, value in (line.split() for line in out.splitlines())}
        return us[name] - us["empty"]

    chain = added("pass")
    print(f"chain: {chain:.2f} us of CPU a message for 20 links that let it pass at all five stages")
    links = {name: added(name, name, settings) for name, (settings, _) in LINKS.items()}
    for name, us in links.items():
        print(f"link {name}: {us:.2f} us of CPU a message")
    print("\naims:")
    print_aim(f"{chain:.2f} us for a chain of 20 links (aim: under {AIM_CHAIN_US})",
              chain < AIM_CHAIN_US)
    for name, (_, aim) in LINKS.items():
        if aim is not None:
            print_aim(f"{links[name]:.2f} us for {name} (aim: under {aim})", links[name] < aim)


def print_aim(text, is_met):
    print(f"  {'met   ' if is_met else 'MISSED'} {text}")


def print_aims(results, idle_kb):
    print("\naims:")
    for a_connection, aim in AIMS.items():
        ours = results.get((a_connection, Gatepost.name))
        theirs = results.get((a_connection, Postfix.name))
        if ours and theirs:
            times = cpu_of_1000(theirs) / cpu_of_1000(ours)
            print_aim(f"{times:.1f} times Postfix + OpenDKIM in messages per server CPU second, "
                      f"{a_connection} a connection (aim: {aim:g})", times >= aim)
    if idle_kb is not None:
        print_aim(f"{idle_kb:.1f} KB per idle TLS session (aim: under {AIM_IDLE_KB})",
                  idle_kb < AIM_IDLE_KB)


def measure_submission(build, folder, options):
    keys = make_keys(folder)
    measure_signing(build, keys)
    idle_kb = None
    if options.idle > 0:
        idle_kb = measure_idle(build, folder, keys, options.idle)
    print_aims(measure_load(build, folder, keys, options), idle_kb)


def parse_arguments():
    parser = argparse.ArgumentParser(description="Gatepost beside Postfix + OpenDKIM.")
    parser.add_argument("part", nargs="?", choices=("submission", "inbound", "crowd", "chain"),
                        help="that one alone; all of them without it")
    parser.add_argument("--build", default="build", help="folder of the binaries")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--messages", type=int, default=1000,
                        help="of a round for Postfix; three times as many for Gatepost")
    parser.add_argument("--idle", type=int, default=10000, help="idle sessions; 0: leave it out")
    parser.add_argument("--slow", type=int, default=2000,
                        help="connections that send an octet a second, in the part crowd")
    parser.add_argument("--without-postfix", action="store_true")
    parser.add_argument("--keep", action="store_true", help="leave the folder with the logs")
    return parser.parse_args()


def main():
    options = parse_arguments()
    build = os.path.abspath(options.build)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if options.part in (None, "chain"):
        try:
            measure_chain(build)
        except BenchError as failed:
            sys.exit(f"bench: {failed}")
    if options.part == "chain":
        return
    if os.geteuid() != 0 and not options.without_postfix and options.part != "crowd":
        sys.exit("bench: Postfix needs root; --without-postfix does not")
    if os.geteuid() != 0:
        if options.part == "inbound":
            sys.exit("bench: the DNS server of the part inbound needs root (port 53)")
        skipped = ("inbound",)
    else:
        skipped = ()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    folder = tempfile.mkdtemp(prefix="gatepost-bench-")
    os.chmod(folder, 0o755)
    try:
        if options.part in (None, "submission"):
            measure_submission(build, folder, options)
        if options.part in (None, "inbound") and "inbound" not in skipped:
            measure_inbound(build, os.path.join(folder, "inbound"), options)
        if options.part in (None, "crowd"):
            measure_crowd(build, folder, make_keys(folder), options)
    except BenchError as failed:
        options.keep = True
        sys.exit(f"bench: {failed} (logs: {folder})")
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
