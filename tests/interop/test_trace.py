# SPDX-License-Identifier: MPL-2.0
"""gatepost trace, the command: what it finds, by which id, what it says of what is broken, and that
many sessions at once lose no record."""

import concurrent.futures
import json
import os
import smtplib
import time

import pytest

from harness import config

LIMIT_S = 10
MESSAGE = b"From: alice@example.com\r\nTo: bob@example.net\r\nSubject: x\r\n\r\nHi\r\n"


def records(gate, count):
    """So many, once they are there."""
    deadline = time.monotonic() + LIMIT_S
    while len(gate.trace()) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    found = gate.trace()
    assert len(found) == count
    return found


def send(gate, count):
    with smtplib.SMTP("127.0.0.1", gate.ports["inbound"], local_hostname="client.test") as client:
        for number in range(count):
            client.sendmail("alice@example.com", [f"bob{number}@example.net"], MESSAGE)


@pytest.fixture
def gate(start_gate, sink):
    return start_gate(config.smtp_upstream([sink.address]), {"trace.enabled": True,
                                                             "inbound.chain": ["access"]})


def shown(gate, *arguments):
    code, out, err = gate.command("trace", *arguments)
    assert code in (0, 1)
    return code, out, err


def test_by_transaction_by_session_and_the_newest(gate):
    send(gate, 3)
    send(gate, 1)
    found = records(gate, 4)
    session = found[0]["session"]
    code, out, _ = shown(gate, "--json", found[1]["id"])
    assert code == 0 and json.loads(out) == found[1]
    code, out, _ = shown(gate, "--json", session)
    assert code == 0
    assert [json.loads(line)["id"] for line in out.splitlines()] == \
        [f"{session}.{n}" for n in (3, 2, 1)]
    code, out, _ = shown(gate, "--last", "2", "--json")
    assert [json.loads(line)["id"] for line in out.splitlines()] == \
        [found[3]["id"], found[2]["id"]]
    code, out, _ = shown(gate, session)
    assert code == 0 and out.count("\n\n") == 2
    assert [line.split()[0] for line in out.splitlines() if line.startswith(session)] == \
        [f"{session}.{n}" for n in (3, 2, 1)]
    assert out.isascii() and out.isprintable() is False and "\x1b" not in out


def test_what_is_not_there(gate):
    code, out, err = shown(gate, "abc.1")
    assert code == 1 and out == "" and "no trace" in err
    send(gate, 1)
    records(gate, 1)
    code, out, err = shown(gate, "abcdef.1")
    assert code == 1 and out == "" and "no record of abcdef.1" in err
    # The beginning of an id is none.
    code, out, _ = shown(gate, gate.trace()[0]["session"][:6])
    assert code == 1 and out == ""


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["../x"], ["--last", "0"], ["--last", "x"],
                                       ["--last", "1", "a.1"], ["--what"]])
def test_wrong_usage(gate, arguments):
    code, out, err = gate.command("trace", *arguments)
    assert code == 2 and out == "" and "usage:" in err


def test_broken_files_are_read_as_far_as_they_go(gate):
    send(gate, 2)
    found = records(gate, 2)
    path = gate.trace_files()[0]
    with open(path, "rb") as file:
        whole = file.read()
    head = b'{"format":1,"id":"' + found[0]["session"].encode() + b'.9"'
    with open(path, "ab") as file:
        file.write(head + b',"x":}\n\xff\x00\n' + head + b',"cut')
    code, out, err = shown(gate, "--json", found[0]["session"])
    assert code == 0 and [json.loads(line) for line in out.splitlines()] == found[::-1]
    assert "1 record cut off" in err and "1 lines that are no record" in err
    # A crash left it so: what is written next stands on a line of its own.
    gate.stop()
    gate.start()
    send(gate, 1)
    deadline = time.monotonic() + LIMIT_S
    while os.path.getsize(path) < len(whole) * 1.3 and time.monotonic() < deadline:
        time.sleep(0.02)
    code, out, err = shown(gate, "--last", "3", "--json")
    assert code == 0 and [json.loads(line) for line in out.splitlines()][1:] == found[::-1]
    assert "3 lines that are no record" in err


def test_many_sessions_at_once(gate):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: send(gate, 25), range(8)))
    found = records(gate, 200)
    assert len({record["id"] for record in found}) == 200
    for record in found:
        number = int(record["id"].split(".")[1])
        assert record["recipients"][0]["address"] == f"bob{number - 1}@example.net"
        assert [e["reply"]["code"] for e in record["upstream"]["exchanges"] if "reply" in e] == \
            [250, 250, 354, 250]
