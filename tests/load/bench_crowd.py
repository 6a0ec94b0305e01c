# SPDX-License-Identifier: MPL-2.0
"""The part of `make bench` with hostile company: rates and latency of honest mail alone, and beside
idle connections and such that send an octet a second, by turns."""

import os
import sys
import time

from candidates import Gatepost
from processes import BenchError, rss_kb
from rounds import check_wanted, load, merge, print_table

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
# pylint: disable=wrong-import-position
from harness.crowd import Crowd  # noqa: E402

A_CONNECTION = (1, 100)
SETTLE_S = 2  # from the last connection until it is measured


def one_turn(build, gate, options, rounds, name):
    for a_connection in A_CONNECTION:
        rounds.setdefault((a_connection, name), []).append(
            load(build, gate, a_connection, options.messages))


def measure_crowd(build, folder, keys, options):
    gate = Gatepost(build, os.path.join(folder, "crowd"), keys)
    company = f"beside {options.idle} idle, {options.slow} slow"
    rounds, each = {}, 0
    try:
        load(build, gate, 10, 200)  # warm
        for _ in range(options.rounds):
            one_turn(build, gate, options, rounds, "alone")
            before = rss_kb(gate.roots[0])
            with Crowd(gate.port, options.idle, options.slow) as crowd:
                time.sleep(SETTLE_S)
                grown = rss_kb(gate.roots[0]) - before  # later rounds have their memory already
                each = max(each, grown / max(1, options.idle + options.slow))
                one_turn(build, gate, options, rounds, company)
                if crowd.lost > 0:
                    raise BenchError(f"{crowd.lost} octets of slow connections were not taken")
        check_wanted(gate)
    finally:
        gate.stop()
    print_table("TLS 1.3, with and without company",
                {key: merge(rounds[key]) for key in sorted(rounds)})
    print(f"memory of one of them, in clear: {each:.1f} KB", flush=True)
