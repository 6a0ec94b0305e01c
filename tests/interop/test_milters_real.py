# SPDX-License-Identifier: MPL-2.0
"""Real milters do through the gate what they do behind Postfix: the same messages go through both,
and what the client hears, what comes out, and what a milter on libmilter hears are compared. What
differs stands in milter_differences.py, with its reason."""

import concurrent.futures
import os
import re
from typing import NamedTuple

import dkim
import pytest

import python_milter
from conftest import BUILD
from dkim_tools import verify_opendkim
from harness import config
from harness.client import Client, Closed, dot_stuff, proxy_v1
from harness.dns import DnsServer
from harness.gate import Gate
from harness.upstream import ScriptedUpstream
from milter_differences import DIFFERENT, Outcome, differences
from milter_messages import deeds, deeds_at_connect, messages
from real_milters import (DMARC, LINES, SIGNED_FOR, SPF, Authority, GateSide, Heard, Milters,
                          PostfixSide)

LOGIN, PASSWORD = "alice@example.com", config.USERS["alice@example.com"][0]
LEAST = {"auth": 60, "rspamd": 60, "spamass": 60, "sign": 60, "python": 60, "session": 30,
         "all": 20, "submission": 10}
SUBMITTED = ["change: insert", "change: body", "change: recipients", "change: sender",
             "change: all"]
FOR_ALL = ["plus and case", "policy reject", "from IPv6", "GTUBE: mark it", "a bargain"]
IN_A_SESSION = ("change: all", "change: body", "accept at ", "reject at ", "discard at ",
                "reply4 at ")
TOGETHER = [["spamass"], ["auth", "rspamd", "sign", "python", "session", "all", "submission"]]


# ---- sending ----

class Session:
    """A connection; replies is filled as far as it gets."""

    def __init__(self, port, line, case):
        self.line, self.case = line, case
        self.client = Client(port)
        self.replies = []

    def note(self, what, answer):
        is_good = answer.code[0] in "23"
        self.replies.append((what, answer.code, answer.enhanced,
                             "" if is_good else "|".join(answer.lines)))
        return is_good

    def command(self, what, text):
        return self.note(what, self.client.command(text))

    def begin(self):
        if self.line != "submission":
            self.client.send(proxy_v1(self.case.client))
        self.note("connect", self.client.reply())
        self.command("helo", f"EHLO {self.case.helo}")
        if self.line == "submission":
            self.client.expect("STARTTLS", "220")
            self.client.start_tls()
            self.client.expect(f"EHLO {self.case.helo}", "250")
            assert self.client.auth_plain(LOGIN, PASSWORD).code == "235"

    def transaction(self, case, tag):
        sender, recipients = case.envelope(tag)
        if not self.command("mail", f"MAIL FROM:<{sender}>{case.parameters}"):
            return
        taken = [self.command("rcpt", f"RCPT TO:<{one}>") for one in recipients]
        if any(taken) and self.command("data", "DATA"):
            self.client.send(dot_stuff(case.content))
            self.note("content", self.client.reply())
        elif self.line == "session":
            self.client.expect("RSET", "250")


def converse(side, line, cases):
    """Yields the replies to each case, on a connection for each, but one for all in the line
    "session"."""
    session = None
    for number, case in enumerate(cases):
        session = session or Session(side.ports[line], line, case)
        session.replies = []
        try:
            if number == 0 or line != "session":
                session.begin()
            session.transaction(case, f"{line}{number}")
            if line != "session" or number == len(cases) - 1:
                session.client.expect("QUIT", "221")
        except Closed:
            session.replies.append(("closed", "", "", ""))
        yield session.replies
        if line != "session":
            session.client.close()
            session = None


def send_all(side, lines, plan, milters):
    """{line: [(replies, what the python milter heard) of each case]}"""
    results = {}
    for line in lines:
        python = [Heard(milters.python_log[f"{name}:{side.name}"]) for name in LINES[line]
                  if f"{name}:{side.name}" in milters.python_log]
        for heard in python:
            heard.news()  # of an earlier line
        results[line] = [(replies, [event for one in python for event in one.news()])
                         for replies in converse(side, line, plan[line])]
    return results


def delivered_to(sink, tag):
    found = []
    for message in sink.accepted():
        addresses = [re.search("<(.*)>", text)[1] for text in (message.sender, *message.recipients)]
        if any(re.search(rf"\.{tag}\b", address) for address in addresses):
            found.append((addresses[0], addresses[1:], message.data))
    return found


def outcomes(side, results, records):
    """{line: [Outcome of each case]}, normal."""
    side.settle()
    side.release()
    return {line: [normal(line, records, replies, delivered_to(side.sink, f"{line}{number}"), heard)
                   for number, (replies, heard) in enumerate(both)]
            for line, both in results.items()}


# ---- what must not be compared ----

REST = rb"(?:[^\r]|\r\n[ \t])*"  # of a field
OWN_RECEIVED = re.compile(rb"(?m)^Received: from " + REST + rb"?\bby gate\.test "
                          rb"\((?:Postfix|Gatepost)\)" + REST + rb"\r\n")
OWN_SIGNATURE = re.compile(rb"(?m)^(DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple;"
                           rb" d=example\.com; s=rsa;\r\n\tt=)\d+(;" + REST + rb"?\r\n\tb=)" + REST)
# Values that are the MTA's own affair: that there is one is compared.
VALUES = {
    "v": "its name and version",
    "i": "its names of messages",
    "{mail_host}": "Postfix: the next hop; the gate: the address' domain",
    "{rcpt_host}": "Postfix: the next hop; the gate: the address' domain",
    "{daemon_addr}": "behind a balancer Postfix names the balancer's address, the gate its own",
    "{daemon_port}": "the same; and they have different ports here",
}


def holds(data, records):
    """The upper signature: dkimpy's word, or OpenDKIM's where that cannot read the message."""
    def look_up(name, timeout=5):
        del timeout
        return records.get(name.decode().rstrip("."), "").encode()

    try:
        return dkim.verify(data, dnsfunc=look_up)
    except dkim.DKIMException:
        return verify_opendkim(data, records)[0].result == "pass"


def normal_symbols(text):
    """rspamd tells what it had in its cache, and its symbols in an order of chance."""
    text = re.sub(r"(R_SPF_\w+\(-?[0-9.]+\)\[[^]\r\n]*):c\]", r"\1]", text)
    return ";\r\n".join(sorted(re.split(r";?\r?\n", text)))


def normal_content(data, records):
    """The MTA's own Received field keeps its place and loses its text; a signature made here has
    instead of its time and value whether it holds."""
    if OWN_SIGNATURE.search(data):
        value = rb"\1T\2HOLDS" if holds(data, records) else rb"\1T\2BROKEN"
        data = OWN_SIGNATURE.sub(value, data)
    data, count = OWN_RECEIVED.subn(b"Received: its own\r\n", data)
    assert count == 1, data
    return re.sub(rb"(?m)^X-Spamd-Result: default: " + REST,
                  lambda found: normal_symbols(found[0].decode("latin-1")).encode("latin-1"), data)


def normal_event(line, event):
    macros = {name: "..." if name in VALUES else value for name, value in event["macros"].items()}
    arguments = list(event["arguments"])
    if arguments[:1] == ["X-Spamd-Result"]:
        arguments[1] = normal_symbols(arguments[1])
    if event["event"] == "abort":
        macros.pop("i", None)  # it comes late, and may be of the message before
    if line == "submission":  # a port of the kernel's choice
        macros["{client_port}"] = "..."
        if event["event"] == "connect":
            arguments[-1] = "..."
    return event["event"], arguments, macros


def normal(line, records, replies, delivered, heard):
    """Recipients are sorted, as Postfix does. An abort at the end comes when it comes."""
    return Outcome(
        tuple(replies),
        tuple((sender, tuple(sorted(recipients)), normal_content(data, records))
              for sender, recipients, data in delivered),
        tuple(normal_event(line, event) for event in heard
              if event["event"] != "abort" or line == "session"))


# ---- all of it, once ----

class Run(NamedTuple):
    plan: dict  # line: cases
    postfix: dict  # line: outcomes
    gate: dict

def plan_of(keys):
    common = messages(keys)
    changes = deeds(python_milter.VERDICTS, python_milter.CHANGES)
    return {
        "auth": common, "rspamd": common,
        "spamass": [case for number, case in enumerate(common) if number % 5 != 2],  # it is slow
        "sign": [case._replace(client=SIGNED_FOR) for case in common],
        "python": [*changes, *deeds_at_connect(python_milter.CONNECT)],
        "session": [case for case in changes if case.name.startswith(IN_A_SESSION)],
        "all": [case for number, case in enumerate(common)
                if not number % 4 or case.name in FOR_ALL],
        "submission": [*common[:8], *[case for case in changes if case.name in SUBMITTED]],
    }


@pytest.fixture(scope="module")
def run(gate_keys, tmp_path_factory):
    """Everything is sent through both sides; then all is stopped."""
    folder = tmp_path_factory.mktemp("milters")
    os.chmod(folder, 0o755)
    records = gate_keys.dkim_records()
    texts = {**records, **SPF, **DMARC}
    sinks = [ScriptedUpstream(gate_keys) for _ in range(2)]
    stops = [sink.stop for sink in sinks]
    gates = []

    def start(upstream, settings):
        gates.append(Gate(BUILD, gate_keys, upstream))
        for path, value in settings.items():
            gates[-1].set(path, value)
        return gates[-1].start()

    try:
        dns = DnsServer({name: {"TXT": text} for name, text in texts.items()})
        authority = Authority(LOGIN, PASSWORD)
        stops += [dns.stop, authority.stop]
        milters = Milters(folder / "of", records, gate_keys, dns)
        stops.append(milters.stop)
        os.mkdir(folder / "postfix")
        postfix = PostfixSide(folder / "postfix", milters, sinks[0], gate_keys, authority)
        stops.append(postfix.stop)
        gate = GateSide(start, milters, sinks[1])
        milters.wait()
        plan = plan_of(gate_keys)
        yield Run(plan, *send_through((postfix, gate), plan, milters, records))
        for one in gates:
            one.stop()
    finally:
        for one in gates:
            one.kill()
            one.remove()
        for stop in reversed(stops):
            stop()


def send_through(sides, plan, milters, records):
    with concurrent.futures.ThreadPoolExecutor(len(sides) * len(TOGETHER)) as pool:
        jobs = {side: [pool.submit(send_all, side, lines, plan, milters) for lines in TOGETHER]
                for side in sides}
        results = {side: {line: outcome for job in jobs[side]
                          for line, outcome in job.result().items()} for side in sides}
    return [outcomes(side, results[side], records) for side in sides]


def contents(outcomes_):
    return [data for outcome in outcomes_ for _, _, data in outcome.delivered]


@pytest.mark.parametrize("line", LINES)
def test_the_same_happens_on_both_sides(run, line):
    assert len(run.postfix[line]) == len(run.gate[line]) == len(run.plan[line]) >= LEAST[line]
    wrong = []
    for case, postfix, gate in zip(run.plan[line], run.postfix[line], run.gate[line]):
        _, left = differences(case, postfix, gate)
        wrong += [f"{case.name}: {text}" for text in left]
    assert not wrong, "\n" + "\n".join(wrong)


def test_every_difference_is_still_there(run):
    used = {name for line in LINES
            for three in zip(run.plan[line], run.postfix[line], run.gate[line])
            for name in differences(*three)[0]}
    assert used == set(DIFFERENT)


DEEDS = {
    "auth": [rb"dkim=pass", rb"dkim=fail", rb"dkim=permerror", rb"dkim=none",
             rb"dmarc=pass .*header\.from=example\.com", rb"dmarc=fail"],
    "rspamd": [rb"(?m)^X-Spamd-Result: default: False", rb"(?m)^X-Spam: Yes", rb"R_DKIM_ALLOW",
               rb"R_DKIM_REJECT", rb"R_SPF_ALLOW", rb"(?m)^Subject: \*\*\*SPAM\*\*\* A word\r$",
               rb"DMARC_POLICY_ALLOW", rb"DMARC_POLICY_SOFTFAIL"],
    "spamass": [rb"(?m)^Subject: \[SPAM 6\.2\] A word\r$", rb"X-Spam-Flag: YES",
                rb"X-Spam-Status: No, score=0\.2 .*(?s:.*)last=192\.0\.2\.1"],
    "sign": [rb"(?m)^DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple;"],
    "python": [rb"(?m)^X-Inserted: at the top\r\nX-Second: .*\r\nReceived: its own\r\nX-Third:",
               rb"\r\n\r\na new body"],
    "session": [rb"\r\n\r\na new body", rb"\r\n\r\nbody\r\n"],
    "all": [rb"X-Spamd-Result", rb"X-Spam-Status", rb"Authentication-Results", rb"dmarc="],
    "submission": [rb"(?m)^DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple;",
                   rb"\r\n\r\na new body", rb"auth=pass smtp\.auth=alice@example\.com"],
}
REFUSED = {"auth": "rejected by DMARC policy for reject.example", "rspamd": "Gtube pattern",
           "spamass": "5.7.1 Blocked by SpamAssassin", "python": "5.7.9 because of a reason"}


# A field that the milter puts into each message that it lets through, and into how many at least.
MARKS = {"auth": (b"Authentication-Results: gate.test; dmarc=", 60),
         "rspamd": (b"X-Spamd-Result: ", 60), "spamass": (b"X-Spam-Status: ", 55),
         "sign": (b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple;", 60)}


@pytest.mark.parametrize("line", LINES)
def test_the_milters_did_what_they_are_for(run, line):
    """Two sides that did nothing would be the same too."""
    for side in (run.postfix, run.gate):
        texts = contents(side[line])
        for deed in DEEDS[line]:
            assert any(re.search(deed, text) for text in texts), deed
        mark, least = MARKS.get(line, (b"Subject:", 1))
        assert sum(mark in text for text in texts) >= least
        if line in REFUSED:
            assert any(REFUSED[line] in outcome.replies[-1][3] for outcome in side[line])


def test_what_opendkim_signs_holds(run):
    for side in (run.postfix, run.gate):
        for line in ("sign", "submission"):
            signed = [text for text in contents(side[line]) if b"s=rsa;\r\n\tt=T;" in text]
            assert len(signed) >= LEAST[line]
            assert not [text for text in signed if b"\tb=HOLDS" not in text]


def test_a_difference_is_seen(run):
    """Each thing that is compared, when it is changed at one side."""
    def changed(outcome):
        code = ("content", "250", "2.0.1", "")
        (sender, recipients, data), = outcome.delivered
        yield outcome._replace(replies=(*outcome.replies[:-1], code))
        yield outcome._replace(delivered=())
        yield outcome._replace(delivered=((sender + "x", recipients, data),))
        yield outcome._replace(delivered=((sender, recipients[1:], data),))
        yield outcome._replace(delivered=((sender, recipients, data.replace(b": A", b":  A")),))
        yield outcome._replace(delivered=((sender, recipients, data + b"\r\n"),))
        yield outcome._replace(heard=outcome.heard[:-1])
        for at, (event, arguments, macros) in enumerate(outcome.heard):
            for name in macros:
                less = {key: value for key, value in macros.items() if key != name}
                yield outcome._replace(heard=(*outcome.heard[:at], (event, arguments, less),
                                              *outcome.heard[at + 1:]))

    case, postfix, gate = run.plan["all"][0], run.postfix["all"][0], run.gate["all"][0]
    assert not differences(case, postfix, gate)[1]
    count = 0
    for other in changed(postfix):
        count += 1
        assert differences(case, other, gate)[1], other
    assert count > 100
