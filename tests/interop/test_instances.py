# SPDX-License-Identifier: MPL-2.0
"""A link that stands several times in a chain, each time with settings of its own."""

import re

import pytest

from harness import config
from harness.client import Client
from harness.milter import ScriptedMilter, packet, reply, strings

TEXT = b"From: alice@example.com\r\nSubject: two\r\n\r\nbody\r\n"


@pytest.fixture(name="milters")
def fixture_milters():
    three = [ScriptedMilter() for _ in range(3)]
    yield three
    for one in three:
        one.stop()


@pytest.fixture(name="start")
def fixture_start(start_gate, sink, milters):
    def start(**settings):
        groups = [{"name": name, "socket": milter.address, **settings}
                  for name, milter in zip("abc", milters)]
        return start_gate(config.smtp_upstream([sink.address]), {
            "inbound.chain": ["milter:a", "hop_limit", "milter:b", "milter:c"], "milter": groups})
    return start


def send(gate):
    client = Client(gate.ports["inbound"])
    try:
        client.reply()
        for line in ("EHLO client.test", "MAIL FROM:<alice@example.com>",
                     "RCPT TO:<b@example.net>", "DATA"):
            assert client.command(line).code[0] in "23"
        client.send(TEXT + b".\r\n")
        return client.reply()
    finally:
        client.close()


def test_each_sees_what_those_before_it_did(start, milters, sink):
    a, b, c = milters
    gate = start()
    a.rules["E"] = [packet("h", strings("X-A", " 1")), packet("b", b"new\r\n"), packet("c")]
    b.rules["E"] = [packet("m", b"\0\0\0\1" + strings("X-A", " 2")), packet("c")]
    c.rules["E"] = [packet("+", strings("<c@example.net>")), packet("c")]
    assert send(gate).code == "250"
    assert b.data("L")[-1] == strings("X-A", " 1") and b.data("B") == [b"new\r\n"]
    assert c.data("L")[-1] == strings("X-A", " 2")
    got = sink.accepted()[0]
    assert got.data.endswith(b"Subject: two\r\nX-A: 2\r\n\r\nnew\r\n")
    assert len(got.recipients) == 2
    links = gate.wait_for("msg.done").fields["links"]
    assert re.findall(r"milter:(\w)=changed:(\d)", links) == [("a", "2"), ("b", "1"), ("c", "1")]
    assert [line.fields["link"] for line in gate.events("link.edit")] == [
        "milter:a", "milter:b"]
    assert [line.fields["link"] for line in gate.events("link.envelope")] == ["milter:c"]


def test_accept_of_one_is_not_accept_of_all(start, milters, sink):
    gate = start()
    milters[0].rules["M"] = packet("a")
    milters[2].rules["E"] = reply("550 5.7.1 not this one")
    answer = send(gate)
    assert (answer.code, str(answer)) == ("550", "550 5.7.1 not this one")
    assert milters[0].commands() == "CHM" and milters[1].commands().endswith("E")
    assert gate.wait_for("link.refuse").fields["link"] == "milter:c" and not sink.accepted()


def test_one_that_is_lost_in_the_middle(start, milters, sink):
    gate = start(on_error="pass")
    milters[0].rules["E"] = [packet("h", strings("X-A", " 1")), packet("c")]
    milters[1].rules["E"] = [packet("h", strings("X-B", " 1")), "close"]
    milters[2].rules["E"] = [packet("h", strings("X-C", " 1")), packet("c")]
    assert send(gate).code == "250"
    data = sink.accepted()[0].data
    assert data.endswith(b"Subject: two\r\nX-A: 1\r\nX-C: 1\r\n\r\nbody\r\n")
    assert gate.wait_for("link.fail").fields["link"] == "milter:b"


def test_the_settings_in_force_show_all_of_them(start, milters):
    gate = start()
    code, out, _ = gate.command("check-config", "--dump")
    assert code == 0
    for name, milter in zip("abc", milters):
        assert re.search(f'(?s)socket = "{milter.address}";.{{0,1500}}?name = "{name}";', out)
