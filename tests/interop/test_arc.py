# SPDX-License-Identifier: MPL-2.0
"""ARC chains by dkimpy and Mail::DKIM, whole and damaged, through the real binary; and what
dkimpy's and Mail::DKIM's own verifiers say of the same messages.

The damages follow the categories that ARC's steps have (RFC 8617 5.2): form of the sets, cv=,
newest message signature, seals, keys. Where one of the others sees it differently, DIFFERENT
says how, so that such a difference cannot come or go unnoticed.
"""

import base64
import re
import smtplib
import subprocess
from pathlib import Path

import dkim
import pytest

from harness import config

HERE = Path(__file__).resolve().parent
TOOL = HERE / "arc_mail_dkim.pl"
TIMEOUT_S = 60
AUTHOR = "author.example"
BASE = (f"From: Alice <alice@{AUTHOR}>\r\nTo: bob@example.net\r\nSubject: On  chains\r\n"
        "Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@author.example>\r\n"
        "\r\nHello  there. \r\n\r\nSecond paragraph.\r\n").encode()


@pytest.fixture(scope="session")
def arc_key(tmp_path_factory):
    """The file of a private key, and its record."""
    path = tmp_path_factory.mktemp("arc") / "key.pem"
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", str(path), "2048"], check=True,
                   capture_output=True)
    der = subprocess.run(["openssl", "rsa", "-in", str(path), "-pubout", "-outform", "DER"],
                         check=True, capture_output=True).stdout
    return path, "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode()


def with_results(message, srv, chain):
    field = f"Authentication-Results: {srv}; arc={chain}; dmarc=pass header.from={AUTHOR}\r\n"
    return field.encode() + message


def seal_dkimpy(message, key, domain, chain):
    srv = f"mx.{domain}"
    fields = dkim.arc_sign(with_results(message, srv, chain), b"s", domain.encode(),
                           key.read_bytes(), srv.encode(),
                           include_headers=[b"from", b"to", b"subject", b"date"])
    return b"".join(fields) + message


def seal_mail_dkim(message, key, domain, chain):
    srv = f"mx.{domain}"
    done = subprocess.run(["/usr/bin/perl", str(TOOL), "seal", str(key), domain, "s", chain, srv],
                          input=with_results(message, srv, chain), capture_output=True,
                          timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.replace(b"\r\n" + with_results(b"", srv, chain), b"\r\n", 1)


SEALERS = {"dkimpy": seal_dkimpy, "Mail::DKIM": seal_mail_dkim}


def verify_dkimpy(message, records):
    def look_up(name, timeout=5):  # pylint: disable=unused-argument
        record = records.get(name.decode("ascii").rstrip(".").lower())
        return record.encode("ascii") if record is not None else None

    cv, _, reason = dkim.arc_verify(message, dnsfunc=look_up)
    if reason == "Message is not ARC signed":
        return "none"
    return cv.decode() if cv is not None else "fail"


def verify_mail_dkim(messages, records, folder):
    """A result for each message."""
    path = folder / "records"
    path.write_text("".join(f"{name}\t{text}\n" for name, text in records.items()))
    stream = b"".join(b"%d\n" % len(message) + message for message in messages)
    done = subprocess.run(["/usr/bin/perl", str(TOOL), "verify", str(path)], input=stream,
                          capture_output=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr.decode()
    results = [line.split("\t")[0] for line in done.stdout.decode().splitlines()]
    return ["fail" if result == "invalid" else result for result in results]


def swap(old, new, count=1):
    """A damage: the topmost OLD becomes NEW."""
    def damage(message):
        assert old in message, old
        return message.replace(old, new, count)
    return damage


def fields_of(message):
    header, _, body = message.partition(b"\r\n\r\n")
    return re.findall(rb"[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*", header + b"\r\n"), b"\r\n" + body


def each_field(change):
    """A damage: CHANGE is given each field, and gives what takes its place."""
    def damage(message):
        fields, rest = fields_of(message)
        after = b"".join(map(change, fields)) + rest
        assert after != message
        return after
    return damage


def is_arc(field, name, instance):
    return re.match(rb"(?i)arc-" + name.encode() + rb"[ \t]*:(.|\r\n)*?\bi=%d\b" % instance, field)


def without(name, instance):
    return each_field(lambda field: b"" if is_arc(field, name, instance) else field)


def twice(name, instance):
    return each_field(lambda field: 2 * field if is_arc(field, name, instance) else field)


def within(name, instance, old, new):
    return each_field(lambda field: field.replace(old, new, 1) if is_arc(field, name, instance)
                      else field)


def flip_signature(name, instance):
    """Another character in the last tag, b=."""
    def change(field):
        if not is_arc(field, name, instance):
            return field
        at = re.search(rb"\bb=\s*", field).end() + 20
        while field[at:at + 1].isspace():
            at += 1
        return field[:at] + (b"A" if field[at:at + 1] != b"A" else b"B") + field[at + 1:]
    return each_field(change)


def reversed_fields(message):
    fields, rest = fields_of(message)
    arc = [field for field in fields if field.lower().startswith(b"arc-")]
    others = [field for field in fields if not field.lower().startswith(b"arc-")]
    return b"".join(others + arc[::-1]) + rest


# Name -> damage of a chain of two, what the gate says of it.
DAMAGES = {
    "a word of the body": (swap(b"Second", b"Third"), "fail"),
    "a line behind the body": (lambda message: message + b"Buy this.\r\n", "fail"),
    "an empty body": (lambda message: message.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", "fail"),
    "blanks in the body": (swap(b"Hello  there. ", b"Hello\tthere."), "pass"),
    "empty lines behind the body": (lambda message: message + b"\r\n\r\n", "pass"),
    "the subject": (swap(b"On  chains", b"[list] On chains"), "fail"),
    "the author": (swap(b"From: Alice", b"From: Malice"), "fail"),
    "the author is gone": (swap(b"From: Alice", b"X-From: Alice"), "fail"),
    "blanks in the subject": (swap(b"On  chains", b"On\r\n chains "), "pass"),
    "the case of a name": (swap(b"Subject:", b"SUBJECT:"), "pass"),
    "a field that nobody signs": (swap(b"From:", b"Received: from x by y\r\nFrom:"), "pass"),
    "seal 1 is gone": (without("seal", 1), "fail"),
    "seal 2 is gone": (without("seal", 2), "fail"),
    "signature 1 is gone": (without("message-signature", 1), "fail"),
    "signature 2 is gone": (without("message-signature", 2), "fail"),
    "results 1 are gone": (without("authentication-results", 1), "fail"),
    "results 2 are gone": (without("authentication-results", 2), "fail"),
    "set 1 is gone": (lambda message: without("seal", 1)(without("message-signature", 1)(
        without("authentication-results", 1)(message))), "fail"),
    "set 2 is gone": (lambda message: without("seal", 2)(without("message-signature", 2)(
        without("authentication-results", 2)(message))), "pass"),
    "seal 2 twice": (twice("seal", 2), "fail"),
    "signature 1 twice": (twice("message-signature", 1), "fail"),
    "results 2 twice": (twice("authentication-results", 2), "fail"),
    "seal 2 says none": (within("seal", 2, b"cv=pass", b"cv=none"), "fail"),
    "seal 2 says fail": (within("seal", 2, b"cv=pass", b"cv=fail"), "fail"),
    "seal 1 says pass": (within("seal", 1, b"cv=none", b"cv=pass"), "fail"),
    "seal 1 says nothing": (within("seal", 1, b"cv=none", b"zz=none"), "fail"),
    "seal 1 has another signature": (flip_signature("seal", 1), "fail"),
    "seal 2 has another signature": (flip_signature("seal", 2), "fail"),
    "signature 1 has another one": (flip_signature("message-signature", 1), "fail"),
    "signature 2 has another one": (flip_signature("message-signature", 2), "fail"),
    "seal 2 is of another domain": (within("seal", 2, b"d=two", b"d=one"), "fail"),
    "results 1 say something else":
        (within("authentication-results", 1, b"dmarc=pass", b"dmarc=fail"), "fail"),
    "results 2 say something else":
        (within("authentication-results", 2, b"dmarc=pass", b"dmarc=fail"), "fail"),
    "instance 2 is 3": (lambda message: message.replace(b"i=2;", b"i=3;"), "fail"),
    "instance of seal 2 is 0": (within("seal", 2, b"i=2", b"i=0"), "fail"),
    "seal 2 by another algorithm": (within("seal", 2, b"a=rsa-sha256", b"a=rsa-sha1"), "fail"),
    "seal 2 has h=": (within("seal", 2, b"cv=pass", b"cv=pass; h=from"), "fail"),
    "a fold in seal 1": (within("seal", 1, b"cv=none;", b"cv=none;\r\n\t "), "pass"),
    "the fields the other way round": (reversed_fields, "pass"),
}

# (name, verifier) -> what it says instead. dkimpy goes by the order of the fields in the message,
# RFC 8617 5.1.1 by their instances.
DIFFERENT = {("the fields the other way round", "dkimpy"): "fail"}


def chain_of(key, seal, domains, changes=None):
    """A message with a set of each domain; changes: {instance: damage before it is sealed}."""
    message = BASE
    for instance, domain in enumerate(domains, 1):
        if changes and instance in changes:
            message = changes[instance](message)
        message = seal(message, key, domain, "none" if instance == 1 else "pass")
    return message


class Through:
    """The gate with its DNS: what it says of a message."""

    def __init__(self, start_gate, sink, dns_server):
        self.sink = sink
        self.dns = dns_server
        settings = {"inbound.chain": ["arc", "auth_results"], "auth_results.authserv_id": "here.test"}
        self.gate = start_gate(config.smtp_upstream([sink.address]),
                               {**settings, **dns_server.settings})

    def publish(self, records):
        for name, text in records.items():
            self.dns.set(name, "TXT", text.encode())

    def verdict(self, message):
        with smtplib.SMTP("localhost", self.gate.ports["inbound"], timeout=TIMEOUT_S) as session:
            session.sendmail("list@example.org", ["bob@example.net"], message)
        arrived = self.sink.messages[-1].data
        assert arrived.endswith(message)
        field = re.match(rb"Authentication-Results: here\.test;\s+((?:[^\r\n]|\r\n[ \t])*)\r\n",
                         arrived)
        assert field, arrived[:400]
        return b" ".join(field[1].split()).decode()

    def result(self, message):
        return re.match(r"arc=([a-z]+)", self.verdict(message))[1]


@pytest.fixture
def through(start_gate, sink, dns_server):
    return Through(start_gate, sink, dns_server)


def records_of(record, *domains):
    return {f"s._domainkey.{domain}": record for domain in domains}


NAMES = ["one.example", "two.example", "three.example", "four.example", "five.example"]


def test_whole_chains(through, arc_key, tmp_path):
    """One to five sets of each sealer, and of both in turn: everybody says pass."""
    key, record = arc_key
    records = records_of(record, *NAMES)
    through.publish(records)
    chains = {(name, count): chain_of(key, seal, NAMES[:count])
              for name, seal in SEALERS.items() for count in range(1, 6)}
    mixed = BASE
    for instance, domain in enumerate(NAMES, 1):
        seal = list(SEALERS.values())[instance % 2]
        mixed = seal(mixed, key, domain, "none" if instance == 1 else "pass")
        chains["mixed", instance] = mixed
    for name, message in chains.items():
        assert through.verdict(message).startswith(
            f"arc=pass (i={name[1]}, sealed by {NAMES[name[1] - 1]})"), name
        assert verify_dkimpy(message, records) == "pass", name
    assert verify_mail_dkim([*chains.values(), BASE], records, tmp_path) == \
        ["pass"] * len(chains) + ["none"]
    assert through.result(BASE) == verify_dkimpy(BASE, records) == "none"


@pytest.mark.parametrize("sealer", SEALERS)
def test_damaged_chains(through, arc_key, tmp_path, sealer):
    key, record = arc_key
    records = records_of(record, *NAMES)
    through.publish(records)
    whole = chain_of(key, SEALERS[sealer], NAMES[:2])
    messages = {name: damage(whole) for name, (damage, _) in DAMAGES.items()}
    perl = dict(zip(messages, verify_mail_dkim(messages.values(), records, tmp_path)))
    wrong = []
    for name, message in messages.items():
        said = {"gate": through.result(message), "dkimpy": verify_dkimpy(message, records),
                "Mail::DKIM": perl[name]}
        for who, result in said.items():
            if result != DIFFERENT.get((name, who), DAMAGES[name][1]):
                wrong.append((name, who, result))
    assert not wrong


@pytest.mark.parametrize("sealer", SEALERS)
def test_changes_between_seals(through, arc_key, tmp_path, sealer):
    """What a sealer changes before it seals breaks older message signatures, not the chain."""
    key, record = arc_key
    records = records_of(record, *NAMES)
    through.publish(records)
    footer = {3: lambda message: message + b"-- \r\nthe list\r\n"}
    for changes, oldest in (({}, 0), (footer, 3), ({2: swap(b"On  ", b"[x] On ")}, 2)):
        message = chain_of(key, SEALERS[sealer], NAMES[:4], changes)
        assert f"header.oldest-pass={oldest}" in through.verdict(message)
        assert verify_dkimpy(message, records) == "pass"
        assert verify_mail_dkim([message], records, tmp_path) == ["pass"]


@pytest.mark.parametrize("sealer", SEALERS)
def test_keys(through, arc_key, tmp_path, sealer):
    key, record = arc_key
    bare = record.replace("v=DKIM1; ", "")
    published = {"gone.example": None, "revoked.example": "v=DKIM1; p=", "sha1.example":
                 "v=DKIM1; h=sha1; " + bare, "other.example": "v=DKIM1; p=" + "A" * 216,
                 "bare.example": bare}
    records = records_of(record, *NAMES)
    records.update({f"s._domainkey.{name}": text for name, text in published.items() if text})
    through.publish(records)
    for name in published:
        for domains in ([name, "two.example"], ["one.example", name]):
            message = chain_of(key, SEALERS[sealer], domains)
            expected = "pass" if name == "bare.example" else "fail"
            assert through.result(message) == expected, domains
            if name != "sha1.example":  # dkimpy does not read h= of keys
                assert verify_dkimpy(message, records) == expected, domains
            assert verify_mail_dkim([message], records, tmp_path) == [expected], domains


def test_dns_down(through, arc_key):
    key, record = arc_key
    through.publish(records_of(record, *NAMES))
    through.dns.behave("s._domainkey.down.example", "TXT", "servfail")
    for domains in (["down.example"], ["one.example", "down.example"],
                    ["down.example", "two.example"]):
        assert through.result(chain_of(key, seal_dkimpy, domains)) == "temperror", domains


def test_too_many_sets(through, arc_key):
    """Twenty sets pass, the default; twenty-one do not, and cost no look-up."""
    key, record = arc_key
    names = [f"n{number}.example" for number in range(1, 22)]
    through.publish(records_of(record, *names))
    message = chain_of(key, seal_dkimpy, names[:20])
    assert through.result(message) == "pass"
    more = seal_dkimpy(message, key, names[20], "pass")
    assert "21 sets are more than 20" in through.verdict(more)
    assert through.dns.count(f"s._domainkey.{names[20]}") == 0
