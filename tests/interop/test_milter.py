# SPDX-License-Identifier: MPL-2.0
"""The link milter through the gate: what a milter hears, what its word does, what is left of a
message when it hangs, dies or talks nonsense; and OpenDKIM, verifying and signing."""

import base64
import json
import os
import re
import struct
import subprocess

import dkim
import pytest

from dkim_tools import OpenDKIM
from harness import config
from harness.client import Client, Closed
from harness.milter import COMMANDS, ScriptedMilter, packet, reply, strings

TEXT = b"From: alice@example.com\r\nSubject:  odd   blanks \r\nX-Fold: a\r\n\tb\r\n" \
    b"X-Two: 1\r\nx-two:2\r\nX-8bit: \xe4\xff\r\n\r\nbody\r\n.dot\r\n"
FAST = {"connect_timeout": "500ms", "command_timeout": "200ms", "content_timeout": "200ms"}
NAMES = {"C": "connect", "H": "helo", "M": "mail", "R": "rcpt"}
STUFF = {
    "it closes": ["close"],
    "it hangs": ["hang"],
    "garbage": [b"\xff\xfe\xfdHTTP/1.1 200 OK\r\n\r\n", "hang"],
    "an empty packet": [b"\0\0\0\0", "hang"],
    "an unknown answer": [packet("Z"), "hang"],
    "10 MB": [struct.pack("!I", 10_000_001) + b"b" + b"x" * 10_000, "hang"],
    "half a packet": [b"\0\0\0\x09y554", "close"],
    "a reply without a code": [reply("no code at all"), "hang"],
}


@pytest.fixture(name="milter")
def fixture_milter():
    one = ScriptedMilter()
    yield one
    one.stop()


@pytest.fixture(name="start")
def fixture_start(start_gate, sink, milter):
    def start(**settings):
        return start_gate(config.smtp_upstream([sink.address]), {
            "inbound.chain": ["milter"], "milter": {"socket": milter.address, **settings}})
    return start


class Heard(Exception):
    """The gate refused: command and reply."""


def say(client, command, stage):
    answer = client.command(command)
    if answer.code[0] not in "23":
        raise Heard(stage, str(answer).replace("\n", " "))
    return answer


def send(gate, text=TEXT, recipients=("b@example.net", "c@example.net")):
    """None when the message was taken, or (where it was refused, with what)."""
    client = Client(gate.ports["inbound"])
    try:
        greeting = client.reply()
        if greeting.code != "220":
            return "connect", str(greeting)
        say(client, "EHLO client.test", "helo")
        say(client, "MAIL FROM:<alice@example.com> SIZE=200", "mail")
        for recipient in recipients:
            say(client, f"RCPT TO:<{recipient}>", "rcpt")
        say(client, "DATA", "data")
        client.send(re.sub(rb"(?m)^\.", b"..", text) + b".\r\n")
        answer = client.reply()
        return None if answer.code == "250" else ("message", str(answer))
    except Heard as heard:
        return heard.args
    finally:
        client.sock.close()


def without_received(data):
    assert data.startswith(b"Received: from client.test")
    return re.sub(rb"\AReceived:.*\r\n(?:[ \t].*\r\n)*", b"", data)


def envelope(message):
    """(sender, recipients), without what MAIL and RCPT say besides."""
    addresses = [re.search("<(.*?)>", text)[1] for text in (message.sender, *message.recipients)]
    return addresses[0], addresses[1:]


# ---- what it hears, and changes ----

def test_it_hears_all_of_it_with_macros(start, milter, sink):
    gate = start()
    assert send(gate) is None
    assert milter.commands() == "CHMRRT" + "L" * 6 + "NBE"
    assert milter.data("M") == [strings("<alice@example.com>", "SIZE=200")]
    assert milter.data("L")[1:3] == [b"Subject\0  odd   blanks \0", b"X-Fold\0 a\n\tb\0"]
    assert milter.data("B") == [b"body\r\n.dot\r\n"]
    macros = {data[:1]: data[1:].split(b"\0") for data in milter.data("D")}
    assert macros[b"C"][macros[b"C"].index(b"j") + 1] == b"gate.test"
    assert b"alice@example.com" in macros[b"M"] and b"c@example.net" in macros[b"R"]
    assert without_received(sink.accepted()[0].data) == TEXT


def test_every_change_arrives_and_the_rest_stays(start, milter, sink):
    gate = start()
    milter.rules["E"] = [
        packet("p"),
        packet("h", strings("X-Added", " at the end")),
        # 0 is above the gate's own Received field, as in Sendmail and Postfix.
        packet("i", struct.pack("!I", 1) + strings("X-Inserted", "  two blanks")),
        packet("m", struct.pack("!I", 2) + strings("x-TWO", " changed")),
        packet("m", struct.pack("!I", 1) + strings("X-Fold", "")),
        packet("b", b"new\r\n"), packet("b", b"body\n.\r\n"),
        packet("+", strings("<d@example.net>")), packet("-", strings("<b@example.net>")),
        packet("e", strings("<new@example.org>")), packet("c")]
    assert send(gate) is None
    got = sink.accepted()[0]
    assert envelope(got) == ("new@example.org", ["c@example.net", "d@example.net"])
    assert without_received(got.data) == \
        b"X-Inserted:  two blanks\r\nFrom: alice@example.com\r\nSubject:  odd   blanks \r\n" \
        b"X-Two: 1\r\nx-TWO: changed\r\nX-8bit: \xe4\xff\r\nX-Added: at the end\r\n\r\n" \
        b"new\r\nbody\r\n.\r\n"


def test_a_recipient_that_it_adds_may_be_refused(start, milter, sink):
    gate = start()
    sink.on("RCPT", "reply", "550 5.1.1 nobody of that name", nth=5)
    milter.rules["E"] = [packet("+", strings("<d@example.net>")), packet("c")]
    assert send(gate) == ("message", "550 5.1.1 nobody of that name")
    assert not sink.accepted()


def test_no_recipient_left_and_discard(start, milter, sink):
    gate = start()
    milter.rules["E"] = [packet("-", strings("<b@example.net>")),
                         packet("-", strings("<c@example.net>")), packet("c")]
    assert send(gate) is None
    milter.rules["E"] = packet("d")
    assert send(gate) is None
    assert not sink.messages
    gate.wait_for("msg.discarded", {"reason": "milter: the milter wants it"})
    reasons = [event.fields["reason"] for event in gate.events("msg.discarded")]
    assert reasons == ["every recipient was removed", "milter: the milter wants it"]


@pytest.mark.parametrize("how, outcome", [
    ("header", None), ("redirect", None), ("defer", "451 4.7.1"), ("reject", "550 5.7.1")])
def test_quarantine(start, milter, sink, how, outcome):
    settings = {"quarantine_to": "held@example.net"} if how == "redirect" else {}
    gate = start(quarantine=how, **settings)
    milter.rules["E"] = [packet("q", strings("looks bad")), packet("c")]
    answer = send(gate)
    if outcome:
        assert answer[0] == "message" and answer[1].startswith(outcome) and not sink.messages
        return
    got = sink.accepted()[0]
    assert answer is None
    assert (b"X-Quarantine: milter; looks bad\r\n" in got.data) == (how == "header")
    assert (envelope(got)[1] == ["held@example.net"]) == (how == "redirect")


# ---- its word ----

def test_its_word_at_each_event(start, milter, sink):
    gate = start()
    for command in COMMANDS:
        for answer, code in ((packet("r"), "5"), (packet("t"), "4"),
                             (reply("554 5.7.9 because"), "554 5.7.9 because")):
            milter.rules = {command: answer}
            stage, text = send(gate)
            assert stage == NAMES.get(command, "message"), (command, text)
            assert text.startswith(code), (command, text)
    assert not sink.messages


def test_accept_is_for_its_own_part(start, milter, sink):
    gate = start()
    for command in COMMANDS:
        milter.forget()
        milter.rules = {command: packet("a")}
        assert send(gate) is None
        heard = milter.commands()
        assert heard.endswith(command) and heard == heard[:heard.index(command) + 1]
    assert [without_received(m.data) for m in sink.accepted()] == [TEXT] * len(COMMANDS)


def test_421_ends_the_session(start, milter):
    gate = start()
    milter.rules["M"] = reply("421 4.7.0 go away")
    client = Client(gate.ports["inbound"])
    client.reply()
    client.expect("EHLO client.test", "250")
    client.expect("MAIL FROM:<alice@example.com>", "421")
    with pytest.raises(Closed):
        client.reply()


def test_steps_that_it_does_not_want(start, milter, sink):
    # No HELO, fields or body; no answer to MAIL and RCPT.
    milter.options = (6, 0x1FF, 0x2 | 0x20 | 0x10 | 0x4000 | 0x8000)
    milter.rules = {"M": [], "R": []}
    gate = start()
    assert send(gate) is None
    assert milter.commands() == "CMRRTNE"
    assert len(sink.accepted()) == 1


def test_old_versions(start, milter, sink):
    gate = start()
    for version, actions, steps in ((2, 0xF, 0), (4, 0x3F, 0), (5, 0x3F, 0)):
        milter.forget()
        milter.options = (version, actions, steps)
        milter.rules["E"] = [packet("h", strings("X-Old", "1")), packet("c")]
        assert send(gate) is None
        assert b"X-Old: 1\r\n" in sink.accepted()[-1].data
        assert milter.data("L")[1] == b"Subject\0 odd   blanks \0"  # one blank is not told


# ---- when it goes wrong ----

@pytest.mark.parametrize("on_error", ["defer", "pass"])
@pytest.mark.parametrize("what", STUFF)
def test_it_fails_at_each_event(start, milter, sink, what, on_error):
    gate = start(on_error=on_error, **FAST)
    for command in COMMANDS:
        milter.rules = {command: STUFF[what]}
        answer = send(gate)
        if on_error == "defer":
            assert answer[0] == NAMES.get(command, "message"), (command, answer)
            assert answer[1].startswith("421 4.3.0" if command == "C" else "451 4.3.0")
        else:
            assert answer is None, (command, answer)
    if on_error == "defer":
        assert not sink.messages
    else:
        assert [without_received(m.data) for m in sink.accepted()] == [TEXT] * len(COMMANDS)
        assert all(envelope(m)[1] == ["b@example.net", "c@example.net"] for m in sink.messages)


@pytest.mark.parametrize("end", [["close"], ["hang"], [packet("h", b"no end"), packet("c")],
                                 [packet("h", strings("B:ad", "x")), packet("c")],
                                 [packet("b", b"bare \r CR"), packet("c")],
                                 [packet("+", strings("<no address>")), packet("c")]])
def test_half_of_its_changes_is_none(start, milter, sink, end):
    gate = start(on_error="pass", **FAST)
    milter.rules["E"] = [packet("h", strings("X-Half", "1")), packet("b", b"half\r\n"),
                         packet("-", strings("<b@example.net>")), *end]
    assert send(gate) is None
    got = sink.accepted()[0]
    assert without_received(got.data) == TEXT
    assert envelope(got)[1] == ["b@example.net", "c@example.net"]


def test_what_was_not_negotiated_is_not_done(start, milter, sink):
    milter.options = (6, 0x1, 0)  # it may add fields, no more
    gate = start(on_error="pass")
    milter.rules["E"] = [packet("h", strings("X-Half", "1")), packet("b", b"x\r\n"), packet("c")]
    assert send(gate) is None
    assert without_received(sink.accepted()[0].data) == TEXT


@pytest.mark.parametrize("on_error", ["defer", "pass"])
def test_it_is_not_there_and_comes_back(start, milter, sink, on_error):
    gate = start(on_error=on_error, socket="inet:1@127.0.0.1")
    assert (send(gate) is None) == (on_error == "pass")
    gate.set("milter.socket", milter.address)
    gate.write_config()
    gate.signal(1)
    gate.wait_for("gate.reloaded")
    assert send(gate) is None
    assert milter.commands().endswith("E")
    assert len(sink.accepted()) == (2 if on_error == "pass" else 1)


def test_a_shadow_changes_nothing(start, milter, sink):
    gate = start(mode="shadow")
    milter.rules["E"] = [packet("h", strings("X-Shadow", "1")),
                         packet("-", strings("<b@example.net>")), packet("c")]
    assert send(gate) is None
    milter.rules = {"R": packet("r"), "E": packet("d")}
    assert send(gate) is None
    for got in sink.accepted():
        assert without_received(got.data) == TEXT
        assert envelope(got)[1] == ["b@example.net", "c@example.net"]
    assert len(sink.accepted()) == 2
    assert len(gate.matching("link.shadow", {"link": "milter", "verdict": "refuse"})) == 2


def test_explain_asks_it_too(start, milter, sink):
    gate = start()
    milter.rules["E"] = [packet("h", strings("X-Told", " 1")), packet("c")]
    path = gate.write_file("m.eml", TEXT, 0o644)
    code, out, _ = gate.command("explain", "--json", "--ip", "192.0.2.1", "--helo", "x.test",
                                "--from", "alice@example.com", "--to", "b@example.net", path)
    assert code == 0
    changes = [change for call in json.loads(out)["calls"] for change in call["changes"]]
    assert [c["text"] for c in changes] == ["X-Told: 1"]
    assert milter.commands().endswith("E") and not sink.messages


# ---- OpenDKIM ----

def start_opendkim(request, gate_keys, settings, internal):
    public = subprocess.run(["openssl", "rsa", "-in", gate_keys.dkim_rsa, "-pubout", "-outform",
                             "DER"], capture_output=True, check=True).stdout
    record = "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()
    filter_ = OpenDKIM({"rsa._domainkey.example.com": record}, settings, internal)
    request.addfinalizer(filter_.stop)
    os.chmod(os.path.dirname(filter_.socket), 0o755)  # the gate is nobody
    os.chmod(filter_.socket, 0o777)
    return filter_, {b"rsa._domainkey.example.com.": record.encode()}


MAILS = [b"From: alice@example.com\r\nSubject: one\r\n\r\nbody\r\n",
         b"From:   alice@example.com\r\nSubject:a\r\n\tb\r\nTo: b@example.net\r\n\r\n\r\nx \r\n\r\n",
         b"From: alice@example.com\r\nSubject: \xe4\r\n\r\n.\r\n..\r\n",
         b"From: alice@example.com\r\nSubject: none\r\n\r\n"]


@pytest.mark.parametrize("canon", ["simple/simple", "relaxed/relaxed"])
def test_opendkim_signs(request, start_gate, sink, gate_keys, canon):
    filter_, records = start_opendkim(
        request, gate_keys, f"Mode s\nDomain example.com\nSelector rsa\nRequireSafeKeys no\n"
        f"KeyFile {gate_keys.dkim_rsa}\nCanonicalization {canon}\n", "127.0.0.1")
    gate = start_gate(config.smtp_upstream([sink.address]), {
        "inbound.chain": ["milter"], "milter": {"socket": "unix:" + filter_.socket}})
    for text in MAILS:
        assert send(gate, text) is None
        data = sink.accepted()[-1].data
        assert data.count(b"DKIM-Signature:") == 1
        assert dkim.verify(data, dnsfunc=lambda name, timeout=5: records.get(name))
        assert data.endswith(text)


def test_opendkim_verifies(request, start_gate, sink, gate_keys):
    filter_, _ = start_opendkim(request, gate_keys,
                                "Mode v\nAlwaysAddARHeader yes\nAuthservID local\n", "203.0.113.1")
    gate = start_gate(config.smtp_upstream([sink.address]), {
        "inbound.chain": ["milter"], "milter": {"socket": "unix:" + filter_.socket}})
    with open(gate_keys.dkim_rsa, "rb") as file:
        key = file.read()
    for text in MAILS:
        signed = dkim.sign(text, b"rsa", b"example.com", key, include_headers=[b"from"]) + text
        for message, result in ((signed, b"pass"), (signed + b"more\r\n", b"fail"),
                                (text, b"none")):
            assert send(gate, message) is None
            data = sink.accepted()[-1].data
            assert re.search(rb"(?s)Authentication-Results: local;.{0,40}dkim=" + result, data), \
                data
            assert data.endswith(message)
