# SPDX-License-Identifier: MPL-2.0
"""gatepost explain and gatepost test-policy: what they say of both roles and every verdict, that
they say what the gate does, that pinned and recorded DNS give the same again, and that nothing is
served, written or given away."""

import json
import os
import re
import shutil
import smtplib
import subprocess

import pytest

from harness import config
from harness.gate import Gate

BUILD = os.environ.get("GATEPOST_BUILD", "build")
EXAMPLE = os.path.join("dist", "examples", "policy-tests")
ACCEPTED, ERROR, USAGE, REFUSED, DEFERRED = range(5)

MESSAGE = b"From: carol@example.org\r\nTo: bob@example.com\r\nSubject: Hello\r\n" \
    b"Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\nHello.\r\n.\r\n"
OWN = MESSAGE.replace(b"carol@example.org", b"alice@example.com")
ZONE = """
example.org TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.example.org TXT "v=DMARC1; p=reject"
down.example.org TXT SERVFAIL
"""
INBOUND = ("--ip", "192.0.2.1", "--helo", "mx.example.org", "--from", "carol@example.org",
           "--to", "bob@example.com")
SUBMISSION = ("--as", "alice@example.com", "--ip", "192.0.2.10", "--helo", "laptop",
              "--from", "alice@example.com", "--to", "bob@example.net")
TIME = ("--time", "2026-11-24T12:00:00Z")


class Explain:
    """Runs the command with a configuration of its own, over a zone or the live DNS."""

    def __init__(self, keys):
        self.gate = Gate(BUILD, keys, config.smtp_upstream(["127.0.0.1:1"]))
        self.set = self.gate.set
        self.set("inbound.chain", ["hop_limit", "spf", "dkim_verify", "dmarc", "auth_results"])
        self.zone = ZONE

    def path(self, name):
        return os.path.join(self.gate.folder, name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def run(self, *args, message=MESSAGE, text=False):
        """(exit status, the JSON document or the text, stderr)."""
        self.gate.write_users()
        self.gate.write_config()
        self.gate.write_file("m.eml", message)
        if self.zone is not None:
            self.gate.write_file("zone", self.zone)
            args = ("--dns", self.path("zone"), *args)
        done = subprocess.run(
            [self.gate.binary, "explain", "-c", self.gate.config_file,
             *([] if text else ["--json"]), *args, self.path("m.eml")],
            capture_output=True, timeout=60, check=False)
        out = done.stdout.decode("ascii")
        return done.returncode, out if text else json.loads(out) if out else None, \
            done.stderr.decode("utf-8", "replace")


@pytest.fixture(name="explain")
def fixture_explain(gate_keys):
    one = Explain(gate_keys)
    yield one
    one.gate.remove()


def call(document, link, stage="message"):
    return next(c for c in document["calls"] if c["link"] == link and c["stage"] == stage)


def without_times(value):
    """The document without what another run cannot have the same."""
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key != "us"}
    return [without_times(item) for item in value] if isinstance(value, list) else value


# ---- verdicts ----

def test_inbound_is_accepted(explain):
    status, told, errors = explain.run(*INBOUND)
    assert (status, errors) == (ACCEPTED, "")
    outcome = told["outcome"]
    assert (outcome["verdict"], outcome["by"], outcome["upstream"]) == ("accepted", "upstream", "mta")
    assert [(r["method"], r["result"], r["domain"]) for r in outcome["results"]] == \
        [("spf", "none", "mx.example.org"), ("spf", "pass", "example.org"), ("dkim", "none", ""),
         ("dmarc", "pass", "example.org")]
    asked = call(told, "spf", "mail")["dns"]
    assert ("example.org", "TXT", "found", ['"v=spf1 ip4:192.0.2.1 -all"']) in \
        [(q["name"], q["type"], q["status"], q["records"]) for q in asked]
    added = call(told, "auth_results")["changes"]
    assert [c["change"] for c in added] == ["added"]
    assert added[0]["text"].startswith("Authentication-Results: gate.test;")
    assert told["not_asked"] == []


def test_inbound_is_refused_by_a_link(explain):
    status, told, _ = explain.run(*INBOUND, "--ip", "203.0.113.9")
    assert status == REFUSED
    outcome = told["outcome"]
    assert (outcome["verdict"], outcome["by"], outcome["stage"]) == ("refused", "dmarc", "message")
    assert outcome["reply"]["code"] == 550 and outcome["reply"] == call(told, "dmarc")["reply"]
    assert outcome["message"] is None
    assert told["not_asked"] == ["auth_results"]


def test_inbound_is_deferred(explain):
    explain.set("spf.reject", ["temperror"])
    status, told, _ = explain.run(*INBOUND, "--from", "x@down.example.org")
    assert status == DEFERRED
    assert (told["outcome"]["verdict"], told["outcome"]["by"], told["outcome"]["stage"]) == \
        ("deferred", "spf", "mail")
    assert told["outcome"]["reply"]["code"] == 451
    assert [q["why"] for q in call(told, "spf", "mail")["dns"] if q["status"] == "tempfail"] == \
        ["SERVFAIL"]


def test_a_link_that_fails_is_passed_over_or_not(explain):
    explain.set("tables", [{"name": "acl", "type": "sqlite", "file": "/nonexistent/acl.sqlite",
                            "query": "SELECT action FROM acl WHERE net = ?"}])
    explain.set("inbound.chain", ["access", "spf"])
    explain.set("access", {"table": "sqlite:acl", "on_error": "pass"})
    status, told, _ = explain.run(*INBOUND)
    assert status == ACCEPTED
    access = call(told, "access", "connect")
    assert (access["verdict"], access["obeyed"], access["on_error"]) == ("fail", False, "pass")
    assert access["reason"] != ""
    explain.set("access.on_error", "defer")
    status, told, _ = explain.run(*INBOUND)
    assert (status, told["outcome"]["by"], told["outcome"]["stage"]) == (DEFERRED, "access", "connect")
    assert told["outcome"]["reply"]["code"] == 421
    assert told["not_asked"] == ["spf"]


def test_a_shadow_is_told_and_not_obeyed(explain):
    explain.set("dmarc.mode", "shadow")
    status, told, _ = explain.run(*INBOUND, "--ip", "203.0.113.9")
    dmarc = call(told, "dmarc")
    assert status == ACCEPTED
    assert (dmarc["verdict"], dmarc["mode"], dmarc["obeyed"]) == ("refuse", "shadow", False)
    assert dmarc["reply"]["code"] == 550
    assert "dmarc" not in [r["method"] for r in told["outcome"]["results"]]


def test_submission_is_accepted(explain):
    unnamed = OWN.replace(b"Date:", b"Bcc: x@example.net,\r\n\ty@example.net\r\nX-Date:")
    status, told, errors = explain.run(*SUBMISSION, message=unnamed)
    assert (status, errors) == (ACCEPTED, "")
    assert told["request"]["backend"] == "passwd" and told["request"]["tls"]
    changes = [(c["change"], c["text"]) for c in call(told, "fix_headers")["changes"]]
    assert changes[0][0] == "added" and changes[0][1].startswith("Date: ")
    assert changes[1] == ("removed", "Bcc: x@example.net,\r\n\ty@example.net")
    names = [f["name"] for f in told["outcome"]["message"]["fields"]]
    assert names.count("DKIM-Signature") == 2 and "Received" in names and "Bcc" not in names
    status, text, _ = explain.run(*SUBMISSION, message=unnamed, text=True)
    assert "    - Bcc: x@example.net,\n    -         y@example.net\n" in text


def test_submission_is_refused_by_identity(explain):
    status, told, _ = explain.run(*SUBMISSION, message=MESSAGE)
    assert (status, told["outcome"]["by"], told["outcome"]["stage"]) == \
        (REFUSED, "identity", "message")
    status, told, _ = explain.run(*SUBMISSION, "--from", "bob@example.com", message=OWN)
    assert (told["outcome"]["by"], told["outcome"]["stage"]) == ("identity", "mail")


def test_recipients_have_verdicts_of_their_own(explain):
    explain.set("recipient_limit.max", 1)
    status, told, _ = explain.run(*SUBMISSION, "--to", "carol@example.net", "--to", "nobody",
                                  message=OWN)
    assert status == ACCEPTED
    assert [(r["address"], r["accepted"], r["by"], r["reply"]["code"])
            for r in told["recipients"]] == [
                ("bob@example.net", True, "upstream", 250),
                ("carol@example.net", False, "recipient_limit", 452),
                ("nobody", False, "session", 501)]
    assert told["outcome"]["message"]["to"] == ["bob@example.net"]


# ---- what the session says itself ----

@pytest.mark.parametrize("says, args, message, stage, reply", [
    ("nobody has logged in", ("--role", "submission", "--tls"), MESSAGE, "mail",
     "530 5.7.0 Authentication required"),
    ("nor is there TLS", ("--role", "submission"), MESSAGE, "mail",
     "530 5.7.0 Must issue STARTTLS first"),
    ("a bad sender", ("--from", "a b@example.org"), MESSAGE, "mail",
     "501 5.1.3 Address is not valid: write <local-part@domain>"),
    ("a bad recipient", ("--to", "<>"), MESSAGE, None, None),
    ("a name at EHLO that is none", ("--helo", "m\x01x"), MESSAGE, "helo",
     "501 5.5.4 EHLO needs a domain name or an address literal"),
    ("a bare CR", (), MESSAGE.replace(b"Hello.", b"Hel\rlo."), "message",
     "550 5.6.0 Message refused: it holds a CR without LF (RFC 5321 2.3.8), closing"),
    ("a bare LF among CRLF", (), MESSAGE.replace(b"Hello.", b"Hel\nlo."), "message",
     "550 5.6.0 Message refused: a line ends in LF without CR (RFC 5321 2.3.8), closing"),
    ("a NUL", (), MESSAGE.replace(b"Hello.", b"Hel\0lo."), "message",
     "550 5.6.0 Message refused: it holds a NUL octet, closing"),
    ("a header line that is no field", (), b"From: a@example.org\r\nno field\r\n\r\nx\r\n",
     "message", "554 5.6.0 Message header is malformed at line 2"),
    ("a message over the limit", (), MESSAGE + b"x" * 70000 + b"\r\n", "message",
     "552 5.3.4 Message is larger than 65536 octets"),
])
def test_the_sessions_own_replies(explain, says, args, message, stage, reply):
    explain.set("limits.message", "64K")
    explain.set("limits.memory", "32K")
    status, told, errors = explain.run(*INBOUND, *args, message=message)
    if stage is None:  # one of two recipients
        assert (status, told["recipients"][1]["by"]) == (ACCEPTED, "session"), says
        return
    got = told["outcome"]
    assert (status, got["by"], got["stage"]) == (REFUSED, "session", stage), (says, errors)
    assert "{code} {enhanced} {text}".format(**got["reply"]) == reply, says


def test_lines_that_end_in_lf_alone_get_their_cr(explain):
    status, told, _ = explain.run(*INBOUND, "--output", explain.path("out"),
                                  message=MESSAGE.replace(b"\r\n", b"\n"))
    assert (status, len(told["remarks"])) == (ACCEPTED, 1)
    assert explain.read("out").endswith(MESSAGE)
    _, told, _ = explain.run(*INBOUND, message=MESSAGE)
    assert told["remarks"] == []
    _, told, _ = explain.run(*INBOUND, message=MESSAGE[:-2])
    assert told["remarks"] == ["its last line had no end, and got one"]


# ---- what the gate does is what it says ----

def comparable(message):
    """The message without what differs from one minute, and one session, to the next."""
    message = re.sub(rb"\tid \S+", b"\tid X", message)
    message = re.sub(rb";\s+\w{3}, \d+ \w+ \d+ [\d:]+ \+0000", b"; DATE", message)
    return re.sub(rb"(?s)\bt=\d+;|\bb=.*?\r\n(?=\S)", b"", message)


def test_the_gate_forwards_what_was_told(explain, sink, start_gate, dns_server):
    chain = ["hop_limit", "spf", "dkim_verify", "dmarc", "auth_results"]
    gate = start_gate(config.smtp_upstream([sink.address]),
                      {"inbound.chain": chain, **dns_server.settings})
    dns_server.load(ZONE.replace("192.0.2.1", "127.0.0.1").partition("down")[0])
    explain.set("inbound.chain", chain)
    explain.set("dns.servers", [dns_server.address])
    explain.zone = None
    host, port = "127.0.0.1", gate.ports["inbound"]
    with smtplib.SMTP(host, port, local_hostname="mx.example.org") as client:
        client.sendmail("carol@example.org", ["bob@example.com"], MESSAGE)
    args = ("--ip", host, *INBOUND[2:], "--output", explain.path("out"))
    assert explain.run(*args)[0] == ACCEPTED
    assert comparable(explain.read("out")) == comparable(sink.accepted()[0].data)


def test_it_runs_beside_a_gate_and_writes_nothing(explain):
    gate = explain.gate
    explain.set("inbound.chain", ["spf", "dkim_verify", "dmarc", "auth_results"])
    explain.set("dmarc_reports", {"store": True})
    explain.zone = None
    explain.set("dns.servers", ["127.0.0.1:9"])
    with gate:
        gate.write_file("m.eml", MESSAGE)
        gate.write_file("zone", ZONE)

        def files():
            return sorted((folder, names) for folder, _, names in os.walk(gate.folder))

        before = files()
        done = subprocess.run(
            [gate.binary, "explain", "-c", gate.config_file, "--dns", explain.path("zone"),
             *INBOUND, explain.path("m.eml")], capture_output=True, timeout=60, check=False)
        assert done.returncode == ACCEPTED, done.stderr
        assert files() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")
def test_root_is_given_up_before_a_message_is_read(explain):
    """A user that is not there ends it: nothing is rehearsed as root."""
    explain.set("user", "nobody-of-that-name")
    explain.set("domains", [])
    explain.set("submission.chain", ["identity"])
    status, told, errors = explain.run(*INBOUND)
    assert (status, told) == (ERROR, None)
    assert 'there is no account "nobody-of-that-name"' in errors


# ---- DNS ----

def test_what_was_recorded_gives_the_same(explain, dns_server):
    dns_server.load("""
        example.org TXT "v=spf1 include:spf.example.org a mx -all"
        spf.example.org CNAME real.example.org
        real.example.org TXT "v=spf1 ip4:198.51.100.0/24"
        example.org 60 MX 10 mx.example.org
        mx.example.org A 192.0.2.1
        mx.example.org AAAA 2001:db8::1
    """)
    dns_server.add("_dmarc.example.org", "TXT", [b"v=DMARC1; ", b'p="none"\x00\xff'])
    dns_server.behave("mx.example.org", "TXT", "servfail")
    explain.zone = None
    explain.set("dns.servers", [dns_server.address])
    first = explain.run(*INBOUND, *TIME, "--record-dns", explain.path("recorded"))
    assert first[0] == ACCEPTED
    explain.zone = explain.read("recorded")
    asked = dns_server.count()
    again = explain.run(*INBOUND, *TIME, "--strict-dns")
    assert again[0] == ACCEPTED, again
    assert dns_server.count() == asked
    assert without_times(again[1]) == without_times(first[1])
    spf = next(r for r in again[1]["outcome"]["results"] if r["domain"] == "example.org")
    assert spf["result"] == "pass"


def test_the_watch_asks_the_same_dns(explain, gate_keys):
    explain.set("watch.enabled", True)
    records = gate_keys.dkim_records()
    explain.zone = "".join(f'{name} TXT "{text}"\n' for name, text in records.items())
    status, told, _ = explain.run(*SUBMISSION, message=OWN)
    assert status == ACCEPTED
    assert set(records) <= {q["name"] for q in told["watch"]["dns"]}
    assert call(told, "dkim_sign")["notes"] == "dkim=example.com/rsa+ed"
    explain.zone = "rsa._domainkey.example.com TXT TIMEOUT\n"
    status, told, _ = explain.run(*SUBMISSION, message=OWN)
    assert status == ACCEPTED
    assert [(q["status"], q["why"]) for q in told["watch"]["dns"]
            if q["name"] == "rsa._domainkey.example.com"] == [("tempfail", "timed out")]
    assert "dkim_unconfirmed=yes" in call(told, "dkim_sign")["notes"]


def test_a_strict_file_must_have_every_name(explain):
    status, told, errors = explain.run(*INBOUND, "--strict-dns")
    assert status == ERROR and told is not None
    assert re.search(r"\d+ questions are not in ", errors)


def test_a_broken_file_is_told_with_its_lines(explain):
    explain.zone = "example.org TXT ok\nexample.org A 1.2.3\n\nexample.org BOGUS x\n"
    status, told, errors = explain.run(*INBOUND)
    assert (status, told) == (ERROR, None)
    zone = explain.path("zone")
    assert f"{zone}:2: example.org: is no IPv4 address" in errors
    assert f"{zone}:4: example.org: the type is none of" in errors


def test_with_pinned_dns_and_time_it_is_reproducible(explain):
    runs = []
    for name in ("one", "two"):
        status, told, _ = explain.run(*SUBMISSION, *TIME, "--output", explain.path(name),
                                      message=OWN)
        assert status == ACCEPTED
        runs.append((without_times(told), explain.read(name)))
    assert runs[0] == runs[1]
    assert b"Tue, 24 Nov 2026 12:00:00 +0000" in runs[0][1]


# ---- the document ----

def test_the_members_of_the_document(explain):
    """Whoever reads it relies on these: members are only ever added."""
    _, told, _ = explain.run(*INBOUND)
    assert told["format"] == 1
    assert set(told) == {"gatepost", "format", "request", "remarks", "watch", "calls",
                         "not_asked", "recipients", "outcome"}
    assert set(told["request"]) == {"role", "listener", "login", "backend", "client", "helo",
                                    "tls", "from", "to", "octets"}
    for one in told["calls"]:
        assert set(one) == {"link", "stage", "recipient", "verdict", "mode", "on_error", "obeyed",
                            "reply", "reason", "notes", "dns", "results", "changes", "us"}
    assert set(call(told, "spf", "mail")["dns"][0]) == {
        "name", "type", "us", "status", "why", "ttl", "alias", "records"}
    assert set(call(told, "dmarc")["results"][0]) == {
        "method", "result", "domain", "reason", "comment", "properties"}
    assert set(call(told, "auth_results")["changes"][0]) == {"change", "index", "text"}
    assert set(told["recipients"][0]) == {"address", "accepted", "by", "reply"}
    assert set(told["outcome"]) == {"verdict", "stage", "by", "reply", "discard", "upstream",
                                    "notes", "results", "message"}
    assert set(told["outcome"]["message"]) == {"from", "to", "octets", "fields"}


def test_nothing_secret_is_told(explain, gate_keys):
    told = "".join(explain.run(*SUBMISSION, message=OWN, text=as_text)[1] if as_text else
                   json.dumps(explain.run(*SUBMISSION, message=OWN)[1]) for as_text in (0, 1))
    users = explain.read("users").decode()
    for line in users.splitlines():
        assert line.split(":")[1] not in told
    assert "$6$" not in told and "correct horse" not in told
    for path in (gate_keys.dkim_rsa, gate_keys.dkim_ed25519, gate_keys.gate_key):
        with open(path, encoding="ascii") as file:
            for line in file.read().splitlines()[1:-1]:
                assert line not in told


def test_junk_is_made_safe_for_a_terminal(explain):
    junk = OWN.replace(b"Subject: Hello", b"Bcc: \x1b[31m\xff\xc3\xa4\x07\x7f x\r\nSubject: Hello")
    status, text, _ = explain.run(*SUBMISSION, message=junk, text=True)
    assert status == ACCEPTED
    assert re.fullmatch(r"[\n\x20-\x7e]*", text)
    assert r"    - Bcc: \x1b[31m\xff\xc3\xa4\x07\x7f x" in text
    _, told, _ = explain.run(*SUBMISSION, message=junk)
    removed = [c["text"] for c in call(told, "fix_headers")["changes"]]
    assert removed == ["Bcc: \x1b[31m\ufffd\u00e4\x07\x7f x"]


def test_a_message_from_standard_input(explain):
    explain.run(*INBOUND)  # for the files
    done = subprocess.run(
        [explain.gate.binary, "explain", "-c", explain.gate.config_file, "--dns",
         explain.path("zone"), *INBOUND, "-"], input=MESSAGE, capture_output=True, timeout=60,
        check=False)
    assert done.returncode == ACCEPTED
    assert b"outcome: accepted" in done.stdout


# ---- what is wrong ----

@pytest.mark.parametrize("says, args, error", [
    ("an unknown login", ("--as", "mallory@example.com"), "no backend knows the login"),
    ("an unknown listener", ("--listener", "192.0.2.1:25"), "no listener with the role"),
    ("a file that is not there", ("--dns", "/nonexistent/zone"), "/nonexistent/zone: cannot be"),
    ("a file that cannot be written", ("--output", "/nonexistent/out"), "/nonexistent/out: No"),
    ("DNS that cannot be recorded", ("--record-dns", "/nonexistent/z"), "/nonexistent/z: No"),
])
def test_errors(explain, says, args, error):
    status, _, errors = explain.run(*INBOUND, *args)
    assert status == ERROR and error in errors, (says, errors)


def test_a_locked_login_is_none(explain):
    explain.run(*SUBMISSION, message=OWN)
    explain.gate.write_file("users", "alice@example.com:!locked:\n")
    done = subprocess.run([explain.gate.binary, "explain", "-c", explain.gate.config_file,
                           "--dns", explain.path("zone"), *SUBMISSION, explain.path("m.eml")],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == ERROR and "or it is locked" in done.stderr


def test_a_broken_configuration(explain):
    explain.set("inbound.chain", ["spv"])
    status, told, errors = explain.run(*INBOUND)
    assert (status, told) == (ERROR, None)
    assert 'did you mean "spf"?' in errors


@pytest.mark.parametrize("args", [
    ("--ip", "192.0.2"), ("--time", "noon"), ("--role", "both"), ("--bogus",),
    ("--strict-dns",), ("second.eml",), ("--role", "inbound", "--as", "alice@example.com")])
def test_wrong_usage(explain, args):
    explain.zone = None
    status, told, errors = explain.run(*INBOUND, *args)
    assert (status, told) == (USAGE, None)
    assert "usage: gatepost explain" in errors


# ---- test-policy ----

def policy(*args):
    done = subprocess.run([os.path.join(BUILD, "gatepost"), "test-policy", *args],
                          capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout.splitlines(), done.stderr


@pytest.fixture(name="cases")
def fixture_cases(tmp_path):
    """A copy of the example, to be changed: edit(case, old, new), run(*args)."""
    folder = tmp_path / "policy"
    shutil.copytree(EXAMPLE, folder)

    class Cases:
        path = folder

        @staticmethod
        def edit(name, old, new):
            file = folder / "cases" / name
            text = file.read_text()
            assert old in text
            file.write_text(text.replace(old, new))

        @staticmethod
        def run(*args):
            return policy("-c", str(folder / "proxy.conf"), *args, str(folder / "cases"))

    return Cases()


def test_the_example_is_as_expected():
    status, lines, errors = policy("-c", os.path.join(EXAMPLE, "proxy.conf"),
                                   os.path.join(EXAMPLE, "cases"))
    assert (status, errors) == (0, "")
    assert lines[:2] == ["TAP version 13", "1..5"]
    assert [line for line in lines if line.startswith("not ok")] == []
    assert lines[-1] == "# 5 of 5 cases as expected"


def test_what_is_not_as_expected_is_shown(cases):
    cases.edit("other-address/case.conf", "= 550", "= 451")
    cases.edit("other-address/case.conf", '"5.7.1"', '"4.*"')
    cases.edit("other-address/case.conf", "*may not send", "*must not send")
    cases.edit("partner-passes/case.conf", '"dkim=none"', '"dkim=pass *", "spf=pass example.com"')
    cases.edit("partner-passes/case.conf", "*spf=pass*", "*spf=fail*")
    cases.edit("own-address/case.conf", '"Bcc"', '"Bcc", "received", "Subject: Din*", "Subject: L*"')
    cases.edit("own-address/case.conf", '"accept";', '"refuse"; refused_recipients = "bob@example.net";'
               ' envelope_to = "bob@example.net"; envelope_from = "x@example.com";')
    status, lines, _ = cases.run()
    assert status == 1
    text = "\n".join(lines)
    assert lines[-1] == "# 2 of 5 cases as expected"
    for line in ("not ok 3 - other-address", "# code: expected 451, got 550",
                 "# enhanced: expected 4.*, got 5.7.1",
                 "# result: expected dkim=pass *, got spf=none mx.partner.example, "
                 "spf=pass partner.example, dkim=none , dmarc=pass partner.example",
                 "# no field: expected Subject: L*, got Lunch",
                 "# refused recipient: expected bob@example.net, got accepted",
                 "# envelope_to: expected nobody else, got carol@example.net",
                 "# envelope_from: expected x@example.com, got alice@example.com"):
        assert line in lines, (line, text)
    assert re.search(r"# text: expected \*must not send as .*, got alice@example.com may not", text)
    assert re.search(r"# verdict: expected refuse, got accept \(250 ", text)
    assert re.search(r"# field: expected Authentication-Results: .*, got mail.example.com;", text)
    assert "Subject: Din*" not in text
    verbose = cases.run("-v")[1]
    assert any(line.startswith("# |   identity: refuse") for line in verbose)


def test_a_case_that_is_broken_fails_alone(cases):
    cases.edit("other-address/case.conf", "verdict  =", "verdikt  =")
    cases.edit("partner-passes/case.conf", "198.51.100.7", "nowhere")
    (cases.path / "cases" / "dns-is-down.eml").unlink()
    cases.edit("dns", "A   198.51.100.7", "A   198.51.100")
    status, lines, _ = cases.run()
    text = "\n".join(lines)
    assert status == 1
    assert 'case.conf:' in text and 'did you mean "verdict"?' in text
    assert "# ip: this is no address" in lines
    assert "dns-is-down.eml: cannot be opened: No such file" in text
    assert "dns:4: mx.partner.example: is no IPv4 address" in text


def test_a_strict_case_must_list_every_name(cases):
    cases.edit("partner-passes/case.conf", "ip   =", "strict_dns = true; ip   =")
    status, lines, _ = cases.run()
    assert status == 1
    assert any(re.match(r"# dns: \d+ questions are not in .*/dns$", line) for line in lines)


def test_one_case_alone(cases):
    status, lines, _ = policy("-c", str(cases.path / "proxy.conf"),
                              str(cases.path / "cases" / "own-address"))
    assert (status, lines[1]) == (0, "1..1")


def test_no_cases_and_wrong_usage(tmp_path):
    status, lines, errors = policy(str(tmp_path))
    assert (status, lines) == (1, [])
    assert "there are no cases in it" in errors
    assert policy(str(tmp_path / "nowhere"))[0] == 1
    assert policy()[0] == USAGE
    assert policy("--bogus", str(tmp_path))[0] == USAGE
