# SPDX-License-Identifier: MPL-2.0
"""One round of load on a candidate, several of them as one, and the table of all."""

import collections
import json
import time

from processes import BenchError, cpu_seconds, run

CONNECTIONS = 20
OCTETS = 4096
ROUND_LIMIT_S = 55

Result = collections.namedtuple("Result", "messages seconds delivered_seconds cpu p50 p99")


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
    answer = json.loads(run([f"{build}/tests/load/smtp_load", str(candidate.port), *candidate.client,
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


def print_table(title, results):
    print(f"\n{CONNECTIONS} connections, messages of {OCTETS} octets, {title}")
    width = max(20, *(len(name) for _, name in results))
    print(f"{'':{width}} {'messages a':>11} {'accepted':>9} {'delivered':>9} {'p50':>7} {'p99':>7} "
          f"{'CPU s per':>9} {'messages per':>12}")
    print(f"{'':{width}} {'connection':>11} {'/s':>9} {'/s':>9} {'ms':>7} {'ms':>7} "
          f"{'1000':>9} {'CPU second':>12}")
    for (a_connection, name), r in results.items():
        print(f"{name:{width}} {a_connection:11} {r.messages / r.seconds:9.0f} "
              f"{r.messages / r.delivered_seconds:9.0f} {r.p50:7.1f} {r.p99:7.1f} "
              f"{cpu_of_1000(r):9.2f} {r.messages / r.cpu:12.0f}", flush=True)


def check_wanted(candidate):
    """A candidate that did not do its work is not measured."""
    messages, well = candidate.sink.counts()
    if messages != well:
        raise BenchError(f"{candidate.name}: {messages - well} of {messages} messages arrived "
                         f"without {' '.join(candidate.wanted)}")
