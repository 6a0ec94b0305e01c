# SPDX-License-Identifier: MPL-2.0
"""Scripts as links: the examples of dist/examples/lua, and what becomes of a script that is
changed, wrong or slow while the gate serves. tests/unit/test_lua.c has what a script may do."""

import json
import os
import re
import shutil
import signal
import time

import pytest

from harness import config
from harness.client import Client
from harness.upstream import ScriptedUpstream

EXAMPLES = "dist/examples/lua"
TEXT = b"From: alice@example.com\r\nSubject: %s\r\n\r\nbody\r\n"


@pytest.fixture(name="folder")
def fixture_folder(tmp_path):
    for path in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        os.chmod(path, 0o755)
    return str(tmp_path)


@pytest.fixture(name="example")
def fixture_example(folder):
    return lambda name: shutil.copy(f"{EXAMPLES}/{name}.lua", folder)


@pytest.fixture(name="script")
def fixture_script(folder):
    def write(text, name="own.lua"):
        path = os.path.join(folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path
    return write


def inbound(start_gate, sink, path, **settings):
    return start_gate(config.smtp_upstream([sink.address]), {
        "inbound.chain": ["lua"], "lua": {"script": path, **settings}})


def talk(gate, sender="alice@example.com", recipients=("b@example.net",), subject=b"hello",
         login=None):
    """The replies to MAIL, to each RCPT and to the content, as far as it comes."""
    client = Client(gate.ports["submission" if login else "inbound"])
    try:
        client.reply()
        client.command("EHLO client.test")
        if login:
            client.expect("STARTTLS", "220")
            client.start_tls()
            client.command("EHLO client.test")
            assert client.auth_plain(login, config.USERS[login][0]).code == "235"
        replies = [client.command(f"MAIL FROM:<{sender}>")]
        if replies[0].code != "250":
            return [str(one) for one in replies]
        replies += [client.command(f"RCPT TO:<{one}>") for one in recipients]
        if any(one.code == "250" for one in replies[1:]):
            assert client.command("DATA").code == "354"
            client.send(TEXT % subject + b".\r\n")
            replies.append(client.reply())
        return [str(one) for one in replies]
    finally:
        client.close()


def codes(replies):
    return [one[:3] for one in replies]


def senders(upstream):
    return [re.match(r"FROM:<(.*?)>", one.sender).group(1) for one in upstream.accepted()]


def test_block_a_subject(start_gate, sink, example):
    gate = inbound(start_gate, sink, example("block_subject"),
                   params=["word1=you have WON", "word2=[giveaway]"])
    assert codes(talk(gate, subject=b"hello")) == ["250", "250", "250"]
    refused = "550 5.7.1 the subject of this message is not taken here"
    assert talk(gate, subject=b"today You Have\r\n Won")[-1] == refused
    assert talk(gate, subject=b"the [Giveaway]")[-1] == refused
    assert len(sink.accepted()) == 1
    assert gate.wait_for("msg.done", {"result": "refused"}).fields["links"] == \
        "blocked=127.0.0.1"


def test_add_a_header(start_gate, sink, example):
    gate = start_gate(config.smtp_upstream([sink.address]), {
        "submission.chain": ["lua:mark"],
        "lua": [{"name": "mark", "script": example("add_header"), "params": ["field=X-Who"]}]})
    assert codes(talk(gate, login="alice@example.com")) == ["250", "250", "250"]
    assert sink.accepted()[0].data.startswith(b"X-Who: alice@example.com\r\nReceived: ")


def test_route_by_sender(start_gate, sink, example, folder, gate_keys):
    routes = os.path.join(folder, "routes")
    with open(routes, "w", encoding="ascii") as file:
        file.write("news@example.com bulk\n@example.org bulk\nbad@example.com nowhere\n")
    bulk = ScriptedUpstream(gate_keys)
    try:
        gate = start_gate(config.smtp_upstream([sink.address]), {
            "upstreams[1]": {**config.smtp_upstream([bulk.address]), "name": "bulk"},
            "trace": {"enabled": True},
            "inbound.chain": ["lua", "hop_limit"],
            "lua": {"script": example("route_by_sender"), "params": [f"table=file:{routes}"]}})
        for sender in ("a@example.com", "News@example.com", "x@EXAMPLE.org", ""):
            assert codes(talk(gate, sender)) == ["250", "250", "250"]
        assert codes(talk(gate, "bad@example.com")) == ["451"]
        assert senders(sink) == ["a@example.com", ""]
        assert senders(bulk) == ["News@example.com", "x@EXAMPLE.org"]
        done = gate.events("msg.done")
        assert [(line.fields["upstream"], line.fields.get("links", "")) for line in done] == [
            ("mta", ""), ("bulk", "route=bulk"), ("bulk", "route=bulk"), ("mta", "")]
        assert re.search(r'route_by_sender.lua:\d+: there is no upstream "nowhere"$',
                         gate.wait_for("link.fail").fields["reason"])
        code, out, _ = gate.command("trace", "--json", done[1].fields["id"])
        record = json.loads(out)
        assert code == 0 and record["upstream"]["name"] == "bulk"
        assert [one["command"].split(":")[0] for one in record["upstream"]["exchanges"]][-3:] == [
            "RCPT TO", "DATA", "."]
        message = os.path.join(folder, "m.eml")
        with open(message, "wb") as file:
            file.write(TEXT % b"x")
        code, out, _ = gate.command("explain", "--json", "--ip", "192.0.2.1", "--helo", "h.test",
                                    "--from", "news@example.com", "--to", "b@example.net", message)
        assert code == 0 and json.loads(out)["outcome"]["upstream"] == "bulk"
    finally:
        bulk.stop()
    assert not bulk.problems


def test_rules_for_customers(start_gate, sink, example, folder):
    rules = os.path.join(folder, "customers")

    def write(text):
        with open(rules + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(rules + ".new", rules)

    def replies(*recipients):
        return codes(talk(gate, login="alice@example.com", recipients=recipients))

    write("alice@example.com max=2 only=example.net only=example.org\n")
    gate = start_gate(config.smtp_upstream([sink.address]), {
        "submission.chain": ["lua"],
        "lua": {"script": example("customer_rules"), "params": [f"table=file:{rules}"]}})
    assert replies("a@example.net", "b@EXAMPLE.org", "c@example.net") == \
        ["250", "250", "250", "452", "250"]
    assert replies("a@example.com") == ["250", "550"]
    write("alice@example.com hours=0-0\n")  # takes no reload
    deadline = time.monotonic() + 20
    while replies("a@example.com") != ["450"]:
        assert time.monotonic() < deadline
    write("bob@example.com max=1\n")
    while replies("a@example.com", "b@example.com") != ["250"] * 4:
        assert time.monotonic() < deadline


def test_a_reload_reads_it_again(start_gate, sink, script):
    path = script("function mail() gate.refuse(550, '5.7.1', 'old') end")
    gate = inbound(start_gate, sink, path)
    assert talk(gate) == ["550 5.7.1 old"]
    script("function mail() gate.refuse(550, '5.7.1', 'new') end")
    assert talk(gate) == ["550 5.7.1 old"]
    gate.signal(signal.SIGHUP)
    gate.wait_for("gate.reloaded")
    assert talk(gate) == ["550 5.7.1 new"]
    script("function mail() gate.refuse(550, '5.7.1', 'newest' end")
    gate.signal(signal.SIGHUP)
    gate.wait_for("gate.reload_failed")
    assert talk(gate) == ["550 5.7.1 new"]
    code, _, err = gate.command("check-config")
    assert code == 1
    assert re.search(r"proxy.conf:\d+: lua.script: .*own.lua:1: '\)' expected near 'end'", err)


@pytest.mark.parametrize("on_error, expected", [("defer", ["451"]), ("pass", ["250"] * 3)])
def test_an_error_has_its_place_in_the_log(start_gate, sink, script, on_error, expected):
    gate = inbound(start_gate, sink, script("function mail(facts)\n  return facts.x.y\nend"),
                   on_error=on_error)
    assert codes(talk(gate)) == expected
    line = gate.wait_for("link.fail")
    assert line.fields["link"] == "lua" and line.fields["on_error"] == on_error
    assert line.fields["reason"].endswith('own.lua:2: there is no fact "x"')


def test_a_script_that_runs_on_costs_its_own_message_only(start_gate, sink, script):
    gate = inbound(start_gate, sink, script(
        "function mail(facts) while facts.sender == 'loop@example.com' do end end"))
    assert codes(talk(gate, "loop@example.com")) == ["451"]
    assert "more than its limit of instructions" in gate.wait_for("link.fail").fields["reason"]
    assert codes(talk(gate)) == ["250"] * 3


def test_a_costly_pattern_is_no_way_to_stop_the_gate(start_gate, sink, script):
    gate = inbound(start_gate, sink, script(
        "function message(f, m) m:get('Subject'):find('.-.-.-.-.-x') end"))
    assert codes(talk(gate, subject=b"a" * 900))[-1] == "451"
    assert codes(talk(gate, subject=b"ax"))[-1] == "250"


def test_its_words_in_the_log(start_gate, sink, script):
    gate = inbound(start_gate, sink, script(
        "function connect(f) gate.log('from ' .. f.client) end\n"
        "function message(f, m) for i = 1, 30 do gate.log(m:get('Subject')) end end"))
    assert codes(talk(gate, subject=b'a" \x1b[2J')) == ["250"] * 3
    lines = gate.events("lua.log")
    assert len(lines) == 1 + 20
    assert lines[0].fields["text"] == "from 127.0.0.1" and lines[0].fields["link"] == "lua"
    assert lines[1].fields["id"] == lines[0].fields["id"] + ".1"
    assert "\x1b" not in lines[1].fields["text"]


def test_a_shadow_changes_nothing(start_gate, sink, script):
    gate = inbound(start_gate, sink, script(
        "function mail() gate.route('mta') end\n"
        "function rcpt() gate.refuse(550, '5.7.1', 'no') end\n"
        "function message(f, m) m:add('X-A', '1') end"), mode="shadow")
    assert codes(talk(gate)) == ["250"] * 3
    assert b"X-A" not in sink.accepted()[0].data
    for verdict in ("refuse", "next"):
        gate.wait_for("link.shadow", {"verdict": verdict})
