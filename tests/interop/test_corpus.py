# SPDX-License-Identifier: MPL-2.0
"""Every awkward message, submitted over TLS, arrives byte-identical below the added fields, and
both signatures hold in dkimpy, Mail::DKIM and OpenDKIM."""

import pytest

from awkward_messages import MESSAGES, UNREADABLE
from dkim_tools import VERIFIERS
from harness import config
from harness.client import Client, dot_stuff, insecure_context
from harness.gate import Gate
from harness.upstream import ScriptedUpstream
from conftest import BUILD
from test_upstreams import is_below_added_fields

LOGIN = "alice@example.com"
PASSWORD = "any of ours"
# What the gate does not take at submission, and its reply: signing alone (test_dkim_signatures)
# would do.
REFUSED = {"Latin-1 everywhere": ("554", "5.6.0")}  # a From that is no address list to us
TAKEN = [name for name in MESSAGES if name not in REFUSED]


@pytest.fixture(scope="module")
def path_through(gate_keys):
    """One gate and one session for the whole corpus: the warm upstream connection is part of it."""
    server = ScriptedUpstream(gate_keys)
    users = {LOGIN: (PASSWORD, "*@example.com")}
    with Gate(BUILD, gate_keys, config.smtp_upstream([server.address]), users) as gate:
        client = Client(gate.ports["submissions"], context=insecure_context(ca=gate_keys.ca),
                        limit_s=60)
        client.start_tls()
        assert client.reply().code == "220"
        client.expect("EHLO client.test", "250")
        assert client.auth_plain(LOGIN, PASSWORD).code == "235"
        yield client, server
        client.close()
    server.stop()
    assert not server.problems


def submit(client, name):
    client.expect(f"MAIL FROM:<{LOGIN}> BODY=8BITMIME", "250")
    client.expect("RCPT TO:<bob@example.net>", "250")
    client.expect("DATA", "354")
    client.send(dot_stuff(MESSAGES[name]))
    return client.reply()


@pytest.fixture(scope="module")
def arrived(path_through):
    """name -> the message as the upstream got it; sent when first asked for."""
    client, server = path_through
    there = {}

    def send(name):
        if name not in there:
            before = len(server.messages)
            reply = submit(client, name)
            assert reply.code == "250", str(reply)
            assert len(server.messages) == before + 1
            there[name] = server.messages[-1].data
        return there[name]
    return send


def test_the_corpus_is_large_enough():
    assert len(TAKEN) >= 40


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused(path_through, name):
    client, server = path_through
    before = len(server.messages)
    reply = submit(client, name)
    assert (reply.code, reply.enhanced) == REFUSED[name]
    assert len(server.messages) == before


@pytest.mark.parametrize("name", TAKEN)
def test_arrives_as_it_was_sent(arrived, name):
    assert is_below_added_fields(arrived(name), MESSAGES[name])


@pytest.mark.parametrize("tool", VERIFIERS)
@pytest.mark.parametrize("name", TAKEN)
def test_signatures_hold(arrived, gate_keys, tool, name):
    if (tool, name) in UNREADABLE:
        pytest.skip(UNREADABLE[tool, name])
    data = arrived(name)
    ours = [v for v in VERIFIERS[tool](data, gate_keys.dkim_records())
            if v.domain == "example.com"]
    assert [v.selector for v in ours] == ["rsa", "ed"]
    for verdict in ours:
        allowed = {"pass"}
        if tool == "Mail::DKIM" and verdict.algorithm == "ed25519-sha256":
            allowed = {"unsupported"}
        assert verdict.result in allowed, verdict
