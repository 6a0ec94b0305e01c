# SPDX-License-Identifier: MPL-2.0
"""DMARC from end to end: client addresses by the PROXY protocol, signatures by dkimpy, SPF, DKIM
and DMARC records by a DNS server, through spf, dkim_verify, dmarc and auth_results.

The rules themselves are proved by the tables of tests/unit/test_dmarc_*.c; here it is the way
from a message on the wire to the reply, and to what arrives.
"""

import base64
import re
import smtplib
import subprocess
from typing import NamedTuple

import dkim
import pytest

from harness import config

TIMEOUT_S = 60
GOOD, BAD = "192.0.2.1", "198.51.100.7"  # addresses that SPF records allow, or not
MESSAGE = (b"To: bob@example.net\r\nSubject: Policies\r\n"
           b"Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@author.example>\r\n"
           b"\r\nHello.\r\n")

ZONE = """
example.com TXT "v=spf1 ip4:192.0.2.1 -all"
mail.example.com TXT "v=spf1 ip4:192.0.2.1 -all"
other.example TXT "v=spf1 ip4:192.0.2.1 ip4:198.51.100.7 -all"
strict.example TXT "v=spf1 ip4:192.0.2.1 -all"
mail.strict.example TXT "v=spf1 ip4:192.0.2.1 -all"
mx.helo.example TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.example.com TXT "v=DMARC1; p=reject"
_dmarc.strict.example TXT "v=DMARC1; p=quarantine; aspf=s; adkim=s"
_dmarc.helo.example TXT "v=DMARC1; p=reject"
_dmarc.soft.example TXT "v=DMARC1; p=reject; t=y"
_dmarc.bank.example TXT "v=DMARC1; p=none; np=reject; psd=y"
_dmarc.a.bank.example TXT "v=DMARC1; p=reject"
"""


class Case(NamedTuple):
    name: str
    client: str
    sender: str  # MAIL FROM
    author: str  # From
    signers: tuple  # d= of each signature
    reply: str
    result: str  # of DMARC, as auth_results writes it
    is_marked: bool = False
    is_damaged: bool = False  # the body, on its way


CASES = [
    Case("all is in order", GOOD, "a@example.com", "a@example.com", ("example.com",), "250", "pass"),
    Case("SPF alone", GOOD, "a@mail.example.com", "a@example.com", (), "250", "pass"),
    Case("DKIM alone, forwarded", BAD, "a@other.example", "a@example.com", ("example.com",), "250",
         "pass"),
    Case("DKIM of a parent", BAD, "a@other.example", "a@news.example.com", ("example.com",), "250",
         "pass"),
    Case("DKIM of a sibling", BAD, "a@other.example", "a@news.example.com", ("mail.example.com",),
         "250", "pass"),
    Case("a good signature among others", BAD, "a@other.example", "a@example.com",
         ("other.example", "example.com"), "250", "pass"),
    Case("SPF and DKIM of somebody else", BAD, "a@other.example", "a@example.com",
         ("other.example",), "550", "fail"),
    Case("the list changed the body", BAD, "a@other.example", "a@example.com", ("example.com",),
         "550", "fail", is_damaged=True),
    Case("nothing at all", BAD, "a@example.com", "a@example.com", (), "550", "fail"),
    Case("strict: the domain itself", GOOD, "a@strict.example", "a@strict.example", (), "250",
         "pass"),
    Case("strict: a child's SPF", GOOD, "a@mail.strict.example", "a@strict.example", (), "250",
         "fail", is_marked=True),
    Case("strict: a child's DKIM", BAD, "a@other.example", "a@strict.example",
         ("mail.strict.example",), "250", "fail", is_marked=True),
    Case("a bounce: SPF of the HELO name", GOOD, "", "mailer-daemon@mx.helo.example", (), "250",
         "pass"),
    Case("testing", BAD, "a@other.example", "a@soft.example", (), "250", "fail", is_marked=True),
    Case("no record", BAD, "a@other.example", "a@other.example", (), "250", "none"),
    Case("below a public suffix: its own", BAD, "a@other.example", "a@a.bank.example",
         ("mail.a.bank.example",), "250", "pass"),
    Case("below a public suffix: the neighbour's", BAD, "a@other.example", "a@a.bank.example",
         ("b.bank.example",), "550", "fail"),
    Case("below a public suffix: nobody's", BAD, "a@other.example", "a@gone.bank.example", (),
         "550", "fail"),
]


class Proxied(smtplib.SMTP):
    """A client whose address a balancer names."""

    def __init__(self, address, **options):
        self.address = address
        super().__init__(**options)

    def _get_socket(self, host, port, timeout):
        sock = super()._get_socket(host, port, timeout)
        sock.sendall(f"PROXY TCP4 {self.address} 192.0.2.250 40000 25\r\n".encode())
        return sock


@pytest.fixture(scope="module")
def signing_key(tmp_path_factory):
    """The file of a private key, and its record."""
    path = tmp_path_factory.mktemp("dmarc") / "key.pem"
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", str(path), "2048"], check=True,
                   capture_output=True)
    der = subprocess.run(["openssl", "rsa", "-in", str(path), "-pubout", "-outform", "DER"],
                         check=True, capture_output=True).stdout
    return path.read_bytes(), "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode()


@pytest.fixture
def inbound(start_gate, sink, dns_server):
    """deliver(client, sender, message): the reply's code and text."""
    dns_server.load(ZONE)
    gate = start_gate(config.smtp_upstream([sink.address]), {
        "inbound.chain": ["spf", "dkim_verify", "dmarc", "auth_results"],
        "auth_results.authserv_id": "here.test",
        "listeners[2].proxy_networks": ["127.0.0.1"],
        **dns_server.settings})

    def deliver(client, sender, message):
        with Proxied(client, host="127.0.0.1", port=gate.ports["inbound"],
                     local_hostname="mx.helo.example", timeout=TIMEOUT_S) as session:
            session.ehlo()
            assert session.mail(sender)[0] == 250
            assert session.rcpt("bob@example.net")[0] == 250
            return session.data(message)

    return deliver


def made(case, key):
    message = f"From: {case.author}\r\n".encode() + MESSAGE
    for signer in case.signers:
        message = dkim.sign(message, b"s", signer.encode(), key) + message
    return message + (b"-- \r\nthe list\r\n" if case.is_damaged else b"")


def test_mail_that_comes_in(inbound, sink, dns_server, signing_key):
    key, record = signing_key
    for signer in {signer for case in CASES for signer in case.signers}:
        dns_server.set(f"s._domainkey.{signer}", "TXT", record.encode())
    wrong = []
    for case in CASES:
        before = len(sink.messages)
        code, text = inbound(case.client, case.sender, made(case, key))
        said = (str(code), None, False)
        if code == 250:
            arrived = sink.messages[-1].data
            field = re.match(rb"Authentication-Results: here\.test;(?:[^\r\n]|\r\n[ \t])*", arrived)
            said = (str(code), re.search(rb"\bdmarc=([a-z]+)", field[0])[1].decode(),
                    re.search(rb"(?m)^X-Quarantine: dmarc=fail ", arrived) is not None)
        else:
            assert len(sink.messages) == before
            assert b"DMARC" in text and b"SPF: " in text and b"DKIM: " in text
        expected = (case.reply, case.result if case.reply == "250" else None, case.is_marked)
        if said != expected:
            wrong.append((case.name, said, expected, text))
    assert not wrong


def test_dns_down(inbound, dns_server, signing_key):
    """Each of the three questions unanswered: later, where it could have been a pass."""
    key, record = signing_key
    signed = made(CASES[2], key)
    dns_server.set("s._domainkey.example.com", "TXT", record.encode())
    for name, client, sender, message in (
            ("_dmarc.example.com", BAD, "a@other.example", signed),
            ("s._domainkey.example.com", BAD, "a@other.example", signed),
            ("example.com", GOOD, "a@example.com", made(CASES[1], key))):
        dns_server.behave(name, "TXT", "servfail")
        code, text = inbound(client, sender, message)
        assert (code, b"4.7.1 DMARC of example.com cannot be checked" in text) == (451, True), name
        dns_server.behave(name, "TXT", "well")
