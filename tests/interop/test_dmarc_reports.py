# SPDX-License-Identifier: MPL-2.0
"""DMARC aggregate reports through the real binary: mail comes in, `gatepost dmarc-report` mails
what was recorded, and what arrives is unpacked and compared."""

import email
import email.policy
import fcntl
import gzip
import json
import os
import pwd
import re
import signal
import socket
import sqlite3
import subprocess
import time

import dkim
import pytest

import report_xml
from harness import config
from harness.gate import owner_of_tests

DAY_S = 86400
FROM = "dmarc-reports@example.com"
ZONE = """
    example.org.                 A    192.0.2.80
    example.org.                 TXT  "v=spf1 ip4:198.51.100.7 -all"
    lists.example.               A    192.0.2.83
    _dmarc.example.org.          TXT  "v=DMARC1; p=none; adkim=s; rua=mailto:agg@example.org!10m"
    analysed.org.                A    192.0.2.81
    _dmarc.analysed.org.         TXT  "v=DMARC1; p=none; rua=mailto:all@analyst.net,mailto:x@victim.net"
    analysed.org._report._dmarc.analyst.net. TXT "v=DMARC1;"
    _dmarc.analyst.net.          TXT  "v=DMARC1; p=none; psd=n"
    _dmarc.victim.net.           TXT  "v=DMARC1; p=none; psd=n"
    silent.org.                  A    192.0.2.82
    _dmarc.silent.org.           TXT  "v=DMARC1; p=none"
"""


class Site:
    """A gate that records, its DNS and its upstream."""

    def __init__(self, gate, dns, sink):
        self.gate, self.dns, self.sink = gate, dns, sink
        self.file = f"{gate.folder}/state/dmarc.sqlite"

    def receive(self, client, sender, header_from, sign=None):
        """One message from that address, by the PROXY protocol; the reply to its end."""
        message = (f"From: {header_from}\r\nTo: bob@example.com\r\nSubject: x\r\n\r\nHi\r\n"
                   ).encode()
        if sign is not None:
            message = sign(message) + message

        def hear():
            line = b""
            while not re.search(rb"(?m)^\d{3} .*\r\n\Z", line):
                data = sock.recv(4096)
                assert data, line
                line += data
            return line.decode()

        with socket.create_connection(("127.0.0.1", self.gate.ports["inbound"]), 10) as sock:
            sock.sendall(f"PROXY TCP{6 if ':' in client else 4} {client} "
                         f"{'::1' if ':' in client else '192.0.2.25'} 40000 25\r\n".encode())
            hear()
            for line in ("EHLO client.test", f"MAIL FROM:<{sender}>", "RCPT TO:<bob@example.com>",
                         "DATA"):
                sock.sendall(line.encode() + b"\r\n")
                answer = hear()
                assert answer[0] in "23", answer
            sock.sendall(message + b".\r\n")
            return hear()

    def recorded(self):
        """Messages in the store; the store may not be there yet."""
        try:
            with sqlite3.connect(f"file:{self.file}?mode=ro", uri=True) as store:
                return store.execute("SELECT total(count) FROM seen").fetchone()[0]
        except sqlite3.OperationalError:
            return 0

    def a_day_passes(self, messages):
        """Once so many messages are recorded, they are of yesterday."""
        deadline = time.monotonic() + 15
        while self.recorded() < messages:
            assert time.monotonic() < deadline, self.gate.tail()
            time.sleep(0.1)
        yesterday = int(time.time()) // DAY_S - 1
        with sqlite3.connect(self.file) as store:
            store.execute("UPDATE seen SET day = ?", (yesterday,))
        return yesterday * DAY_S

    def report(self, *options):
        """The command's exit status, and what it said."""
        done = subprocess.run([self.gate.binary, "dmarc-report", "-c", self.gate.config_file,
                               *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=60, check=False, **self.gate._identity())
        errors = done.stderr.decode()
        assert "Sanitizer" not in errors and "runtime error" not in errors, errors
        return done.returncode, done.stdout.decode() + errors

    def reports(self):
        """What the upstream took of our reports."""
        return [message for message in self.sink.accepted() if FROM in message.sender]


@pytest.fixture
def site(start_gate, sink, dns_server):
    dns_server.load(ZONE)
    settings = dict(dns_server.settings)
    settings.update({
        "inbound.chain": ["spf", "dkim_verify", "dmarc"],
        "listeners[2].tls": "none",
        "listeners[2].proxy_networks": ["127.0.0.0/8"],
        "dmarc_reports": {"store": True, "from": FROM, "org_name": "Example & Söhne",
                          "contact": "https://www.example.com/"},
    })
    return Site(start_gate(config.smtp_upstream([sink.address]), settings), dns_server, sink)


def unpack(message):
    """(parsed mail, file name, XML) of a report as the upstream got it."""
    mail = email.message_from_bytes(message.data, policy=email.policy.default)
    part, = [part for part in mail.walk() if part.get_content_type() == "application/gzip"]
    return mail, part.get_filename(), gzip.decompress(part.get_payload(decode=True))


def assert_signed(gate, message, count=2):
    """By RSA and Ed25519; or by Ed25519 alone."""
    records = gate.keys.dkim_records()
    assert message.data.count(b"DKIM-Signature:") == count

    def find(name, timeout=5):
        del timeout
        return records[name.decode().rstrip(".")].encode()

    for index in range(count):
        assert dkim.DKIM(message.data).verify(index, dnsfunc=find)


def test_a_report_arrives_and_says_what_was_seen(site):
    for _ in range(3):
        assert site.receive("198.51.100.7", "bounce@lists.example", "a@example.org")[0] == "2"
    assert site.receive("2001:db8::7", "", "b@mail.example.org")[0] == "2"
    assert site.receive("198.51.100.8", "c@silent.org", "c@silent.org")[0] == "2"
    begin = site.a_day_passes(4)  # silent.org asks for no reports: nothing is kept

    code, said = site.report()
    assert code == 0, said
    message, = site.reports()
    assert message.sender.startswith(f"FROM:<{FROM}>")
    assert message.recipients == ["TO:<agg@example.org>"]
    mail, name, document = unpack(message)

    report_id = report_xml.text_of(document, "report_metadata", "report_id")
    subject = re.sub(r"\s+", " ", mail["Subject"])
    assert subject == f"Report Domain: example.org Submitter: gate.test Report-ID: <{report_id}>"
    assert mail["Message-ID"] == f"<{report_id}>"
    assert mail["Auto-Submitted"] == "auto-generated" and mail["To"] == "agg@example.org"
    assert re.fullmatch(rf"gate\.test!example\.org!{begin}!{begin + DAY_S - 1}![0-9a-f]{{8}}"
                        r"\.xml\.gz", name)
    assert max(map(len, message.data.split(b"\r\n"))) <= 998
    assert_signed(site.gate, message)

    assert report_xml.problems(document) == []
    assert report_xml.text_of(document, "report_metadata", "org_name") == "Example & Söhne"
    assert report_xml.text_of(document, "report_metadata", "date_range", "begin") == str(begin)
    assert [report_xml.text_of(document, "policy_published", key)
            for key in ("domain", "p", "sp", "np", "adkim", "aspf", "testing")] == \
        ["example.org", "none", "none", "none", "s", "r", "n"]
    assert report_xml.records(document) == [
        {"row": {"source_ip": "198.51.100.7", "count": "3",
                 "policy_evaluated": {"disposition": "none", "dkim": "fail", "spf": "fail"}},
         "identifiers": {"header_from": "example.org", "envelope_from": "lists.example",
                         "envelope_to": "example.com"},
         "auth_results": {"spf": {"domain": "lists.example", "scope": "mfrom",
                                  "result": "none"}}},
        {"row": {"source_ip": "2001:db8::7", "count": "1",
                 "policy_evaluated": {"disposition": "none", "dkim": "fail", "spf": "fail"}},
         "identifiers": {"header_from": "mail.example.org", "envelope_from": "",
                         "envelope_to": "example.com"},
         "auth_results": {"spf": {"domain": "client.test", "scope": "mfrom",
                                  "result": "none"}}}]


def test_signatures_are_reported_and_the_report_is_signed_with_keys_in_dns(site):
    def sign(message):
        with open(site.gate.keys.dkim_rsa, "rb") as key:
            return dkim.sign(message, b"s1", b"example.org", key.read())

    def spoil(message):
        return sign(message.replace(b"Hi", b"Ho"))

    records = site.gate.keys.dkim_records()
    site.dns.set("s1._domainkey.example.org", "TXT", records["rsa._domainkey.example.com"])
    site.dns.set("ed._domainkey.example.com", "TXT", records["ed._domainkey.example.com"])
    for how in (sign, spoil):
        assert site.receive("198.51.100.9", "a@example.org", "a@example.org", how)[0] == "2"
    site.a_day_passes(2)
    site.gate.set("watch.enabled", True)
    site.gate.write_config()
    assert site.report()[0] == 0
    message, = site.reports()
    assert_signed(site.gate, message, 1)  # DNS does not show the RSA key
    document = unpack(message)[2]
    assert report_xml.problems(document) == []
    good, bad = sorted(report_xml.records(document), key=lambda record: record["row"][
        "policy_evaluated"]["dkim"], reverse=True)
    assert good["row"]["policy_evaluated"] == {"disposition": "pass", "dkim": "pass",
                                               "spf": "fail"}
    assert good["auth_results"]["dkim"] == [
        {"domain": "example.org", "selector": "s1", "result": "pass"}]
    assert bad["row"]["policy_evaluated"] == {"disposition": "none", "dkim": "fail",
                                              "spf": "fail"}
    signature, = bad["auth_results"]["dkim"]
    assert signature.pop("human_result")
    assert signature == {"domain": "example.org", "selector": "s1", "result": "fail"}


def test_keys_that_rotation_made_sign_reports(site):
    assert site.receive("198.51.100.9", "a@example.org", "a@example.org")[0] == "2"
    site.a_day_passes(1)
    site.gate.set("watch.enabled", True)
    site.gate.set("domains[0].dkim", None)  # no key is configured: all are made
    site.gate.write_config()
    made, = json.loads(subprocess.run(
        [site.gate.binary, "rotate", "-c", site.gate.config_file, "--json", "--selector", "made",
         "example.com"], check=True, capture_output=True).stdout)
    site.dns.set(made["name"], "TXT", made["record"].encode())
    states = f"{site.gate.folder}/state/dkim/example.com/states"
    with open(states, "r+", encoding="ascii") as file:
        text = file.read()
        file.seek(0)
        file.write(text.replace("pending", "active"))
        file.truncate()
    code, said = site.report()
    assert code == 0, said
    message, = site.reports()
    assert message.data.count(b"DKIM-Signature:") == 1
    assert dkim.DKIM(message.data).verify(
        0, dnsfunc=lambda name, timeout=5: made["record"].encode())


def test_spf_is_reported(site):
    for client in ("198.51.100.7", "198.51.100.8"):
        site.receive(client, "a@example.org", "a@example.org")
    site.a_day_passes(2)
    assert site.report()[0] == 0
    document = unpack(site.reports()[0])[2]
    assert report_xml.problems(document) == []
    good, bad = report_xml.records(document)
    assert good["row"]["source_ip"] == "198.51.100.7"
    assert good["row"]["policy_evaluated"] == {"disposition": "pass", "dkim": "fail",
                                               "spf": "pass"}
    assert good["auth_results"] == {
        "spf": {"domain": "example.org", "scope": "mfrom", "result": "pass"}}
    assert bad["row"]["policy_evaluated"]["spf"] == "fail"
    assert bad["auth_results"]["spf"]["result"] == "fail"


def test_a_second_run_sends_nothing_unless_asked_to(site):
    site.receive("198.51.100.7", "a@example.org", "a@example.org")
    site.a_day_passes(1)
    assert site.report("--dry-run")[0] == 0
    assert site.reports() == []
    assert site.report()[0] == 0
    assert site.report() == (0, "")
    first, = site.reports()
    code, said = site.report("--resend")
    assert code == 0 and "agg@example.org: mailed" in said
    _, again = site.reports()
    # The same in name and content, so that its receiver knows it.
    assert unpack(first)[1:] == unpack(again)[1:]
    assert unpack(first)[0]["Message-ID"] == unpack(again)[0]["Message-ID"]


def test_others_get_reports_only_if_they_say_so(site):
    site.receive("198.51.100.7", "a@analysed.org", "a@analysed.org")
    site.a_day_passes(1)
    code, said = site.report()
    assert code == 0, said
    assert [message.recipients for message in site.reports()] == [["TO:<all@analyst.net>"]]
    assert "x@victim.net: not confirmed: there is no analysed.org._report._dmarc.victim.net" in said
    assert site.dns.count("analysed.org._report._dmarc.victim.net", "TXT") > 0


def test_what_fails_is_left_for_the_next_run(site):
    site.receive("198.51.100.7", "a@example.org", "a@example.org")
    site.receive("198.51.100.7", "a@analysed.org", "a@analysed.org")
    site.a_day_passes(2)
    site.sink.on("RCPT", "reply", "451 4.7.1 not now", nth=site.sink.counts["RCPT"] + 1)
    code, said = site.report()
    assert code == 1
    assert "all@analyst.net: not mailed: 451 4.7.1 not now" in said
    assert [message.recipients for message in site.reports()] == [["TO:<agg@example.org>"]]
    assert site.report()[0] == 0
    assert [message.recipients for message in site.reports()] == \
        [["TO:<agg@example.org>"], ["TO:<all@analyst.net>"]]


def test_an_upstream_that_is_down(site):
    site.receive("198.51.100.7", "a@example.org", "a@example.org")
    site.a_day_passes(1)
    site.sink.on("CONNECT", "close")
    assert site.report()[0] == 1
    assert site.reports() == []
    site.sink.rules.clear()
    assert site.report()[0] == 0
    assert len(site.reports()) == 1


def test_no_answer_from_dns_is_later(site):
    site.receive("198.51.100.7", "a@example.org", "a@example.org")
    site.a_day_passes(1)
    site.dns.behave("_dmarc.example.org", "TXT", "servfail")
    code, said = site.report()
    assert code == 1 and "example.org: later: " in said
    assert site.reports() == []
    site.dns.behave("_dmarc.example.org", "TXT", "well")
    assert site.report()[0] == 0
    assert len(site.reports()) == 1


def test_the_record_that_counts_is_todays(site):
    site.receive("198.51.100.7", "a@example.org", "a@example.org")
    site.a_day_passes(1)
    site.dns.set("_dmarc.example.org", "TXT", "v=DMARC1; p=none")
    code, said = site.report()
    assert code == 0 and "asks for no reports" in said
    assert site.reports() == []


def test_printing_looks_nothing_up_and_mails_nothing(site):
    site.receive("198.51.100.7", "a@example.org", "a@example.org")
    begin = site.a_day_passes(1)
    day = time.strftime("%Y-%m-%d", time.gmtime(begin))
    asked = len(site.dns.queries)
    code, document = site.report("--print", "--day", day, "--domain", "example.org")
    assert code == 0
    assert report_xml.problems(document.encode()) == []
    assert len(report_xml.records(document.encode())) == 1
    assert site.report("--print", "--day", day, "--domain", "example.net") == (0, "")
    assert len(site.dns.queries) == asked and site.reports() == []
    code, said = site.report("--day", time.strftime("%Y-%m-%d", time.gmtime()))
    assert code == 1 and "that day is not over" in said


def test_a_gate_that_has_recorded_nothing(site):
    code, said = site.report()
    assert code == 0 and "nothing was recorded yet" in said
    assert site.recorded() == 0


def test_the_store_is_the_gates_and_survives_a_reload(site):
    site.receive("198.51.100.7", "a@example.org", "a@example.org")
    site.gate.signal(signal.SIGHUP)
    site.gate.wait_for("gate.reloaded")
    site.receive("198.51.100.7", "a@example.org", "a@example.org")
    site.a_day_passes(2)
    stat = os.stat(site.file)
    assert stat.st_mode & 0o777 == 0o640
    if owner_of_tests():
        assert pwd.getpwuid(stat.st_uid).pw_name == owner_of_tests()[0]
    assert site.report()[0] == 0
    assert report_xml.records(unpack(site.reports()[0])[2])[0]["row"]["count"] == "2"


def test_mail_goes_on_when_the_store_cannot_be_written(site):
    with open(site.file, "wb") as file:
        file.write(b"this is no database" * 1000)
    assert site.receive("198.51.100.7", "a@example.org", "a@example.org")[0] == "2"
    failed = site.gate.wait_for("dmarc.store_failed")
    assert failed.fields["file"] == site.file
    assert site.receive("198.51.100.7", "a@example.org", "a@example.org")[0] == "2"
    code, said = site.report()
    assert code == 1 and "not a database" in said


def test_a_report_over_the_limit_leaves_out_the_least(site):
    site.receive("198.51.100.7", "a@example.org", "a@example.org")
    site.a_day_passes(1)
    with sqlite3.connect(site.file) as store:  # 9000 more sources, with texts that do not pack
        store.execute("UPDATE seen SET count = 1000")
        store.execute("""
            INSERT INTO seen SELECT day, policy_domain, header_from, hex(randomblob(8)), disposition,
                dkim_aligned, spf_aligned, override_type, override_comment, hex(randomblob(16)),
                envelope_to, spf, dkim, policy, 1 + n % 9, last_at
            FROM seen, (WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t
                                                LIMIT 9000) SELECT n FROM t)""")
    site.gate.set("dmarc_reports.max_size", "128K")
    site.gate.write_config()
    code, said = site.report()
    assert code == 0 and "some left out" in said, said
    message, = site.reports()
    assert 64 << 10 < len(message.data) <= 128 << 10
    document = unpack(message)[2]
    assert report_xml.problems(document) == []
    counts = [int(record["row"]["count"]) for record in report_xml.records(document)]
    assert counts[0] == 1000 and counts == sorted(counts, reverse=True) and len(counts) < 9001
    assert report_xml.text_of(document, "report_metadata", "error").startswith(
        f"{9001 - len(counts)} more records were left out")


def test_two_at_a_time_do_not_work(site):
    site.receive("198.51.100.7", "a@example.org", "a@example.org")
    site.a_day_passes(1)
    assert site.report("--dry-run")[0] == 0  # makes the lock's file
    with open(f"{site.gate.folder}/state/dmarc-report.lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, said = site.report()
    assert code == 1 and "another one is at work" in said
    assert site.reports() == []
    assert site.report()[0] == 0
    assert len(site.reports()) == 1
