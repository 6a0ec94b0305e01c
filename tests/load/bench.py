#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""`make bench`: Gatepost beside Postfix + OpenDKIM, in alternating rounds of one run, and one
table. What the figures mean is in docs/BENCH.md.

The exit status says whether everything ran; aims that were missed are printed, no more."""

import argparse
import collections
import json
import os
import resource
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from candidates import LOGIN, PASSWORD, Gatepost, Postfix
from processes import BenchError, cpu_seconds, memory_kb, peak_rss_kb, read_line, rss_kb, run

CONNECTIONS = 20
OCTETS = 4096
AIMS = {1: 4.0, 100: 7.0}  # times Postfix + OpenDKIM, in messages per server CPU second
AIM_IDLE_KB = 32
ROUND_LIMIT_S = 55
IDLE_LIMIT_S = 150  # to open all idle sessions

Result = collections.namedtuple("Result", "messages seconds delivered_seconds cpu p50 p99")


def make_keys(folder):
    keys = {name: os.path.join(folder, name + ".pem") for name in ("certificate", "key", "dkim")}
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=gate.example.com", "-keyout", keys["key"], "-out", keys["certificate"]])
    run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048",
         "-out", keys["dkim"]])
    for name in ("key", "dkim"):
        os.chmod(keys[name], 0o600)
    return keys


def wait_until_delivered(candidate, expected):
    """A server with a queue answers before it delivers: the work is done when the sink has all."""
    end = time.monotonic() + ROUND_LIMIT_S
    while candidate.sink.counts()[0] < expected:
        if time.monotonic() > end:
            raise BenchError(f"{candidate.name}: {expected - candidate.sink.counts()[0]} messages "
                             f"did not reach the sink within {ROUND_LIMIT_S} s")
        time.sleep(0.02)


def load(build, candidate, a_connection, messages):
    """One round."""
    before = candidate.sink.counts()[0]
    cpu = cpu_seconds(candidate.roots)
    started = time.monotonic()
    answer = json.loads(run([f"{build}/tests/load/smtp_load", str(candidate.port), LOGIN, PASSWORD,
                             str(CONNECTIONS), str(a_connection), str(messages), str(OCTETS)],
                            ROUND_LIMIT_S))
    if answer["errors"] != 0 or answer["messages"] != messages:
        raise BenchError(f"{candidate.name}: {answer['errors']} errors, "
                         f"{answer['messages']} of {messages} messages accepted")
    wait_until_delivered(candidate, before + messages)
    delivered = time.monotonic() - started
    cpu = cpu_seconds(candidate.roots) - cpu
    return Result(messages, answer["seconds"], delivered, cpu, answer["p50_ms"], answer["p99_ms"])


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def merge(results):
    """Rounds of one kind as one: sums, and the medians of their percentiles."""
    return Result(sum(r.messages for r in results), sum(r.seconds for r in results),
                  sum(r.delivered_seconds for r in results), sum(r.cpu for r in results),
                  median([r.p50 for r in results]), median([r.p99 for r in results]))


def cpu_of_1000(result):
    return 1000 * result.cpu / result.messages


def print_table(results):
    print(f"\n{CONNECTIONS} connections, messages of {OCTETS} octets, rsa2048, TLS 1.3")
    print(f"{'':20} {'messages a':>11} {'accepted':>9} {'delivered':>9} {'p50':>7} {'p99':>7} "
          f"{'CPU s per':>9} {'messages per':>12}")
    print(f"{'':20} {'connection':>11} {'/s':>9} {'/s':>9} {'ms':>7} {'ms':>7} "
          f"{'1000':>9} {'CPU second':>12}")
    for (a_connection, name), r in results.items():
        print(f"{name:20} {a_connection:11} {r.messages / r.seconds:9.0f} "
              f"{r.messages / r.delivered_seconds:9.0f} {r.p50:7.1f} {r.p99:7.1f} "
              f"{cpu_of_1000(r):9.2f} {r.messages / r.cpu:12.0f}", flush=True)


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


def check_signed(candidate):
    messages, signed = candidate.sink.counts()
    if messages != signed:
        raise BenchError(f"{candidate.name}: {messages - signed} of {messages} messages arrived "
                         "without a signature")


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
            check_signed(candidate)
        results = {key: merge(rounds[key]) for key in sorted(rounds)}
        print_table(results)
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


def parse_arguments():
    parser = argparse.ArgumentParser(description="Gatepost beside Postfix + OpenDKIM.")
    parser.add_argument("--build", default="build", help="folder of the binaries")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--messages", type=int, default=1000,
                        help="of a round for Postfix; three times as many for Gatepost")
    parser.add_argument("--idle", type=int, default=10000, help="idle sessions; 0: leave it out")
    parser.add_argument("--without-postfix", action="store_true")
    parser.add_argument("--keep", action="store_true", help="leave the folder with the logs")
    return parser.parse_args()


def main():
    options = parse_arguments()
    build = os.path.abspath(options.build)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if os.geteuid() != 0 and not options.without_postfix:
        sys.exit("bench: Postfix needs root; --without-postfix does not")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    folder = tempfile.mkdtemp(prefix="gatepost-bench-")
    os.chmod(folder, 0o755)
    idle_kb = None
    try:
        keys = make_keys(folder)
        measure_signing(build, keys)
        if options.idle > 0:
            idle_kb = measure_idle(build, folder, keys, options.idle)
        results = measure_load(build, folder, keys, options)
        print_aims(results, idle_kb)
    except BenchError as failed:
        options.keep = True
        sys.exit(f"bench: {failed} (logs: {folder})")
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
