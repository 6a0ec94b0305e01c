# SPDX-License-Identifier: MPL-2.0
"""Our Authentication-Results field, read by others: Mail::AuthenticationResults and authres.

Whatever the results hold, each reader must see as many results as there are, with their methods
and results, and the properties with their values as we encode them; and a program that merely
searches for "=pass" or cuts at semicolons must see no more than that either.
"""

import base64
import json
import os
import random
import re
import smtplib
import subprocess
from pathlib import Path
from urllib.parse import unquote_to_bytes

import authres
import dkim
import pytest

from conftest import BUILD
from harness import config

HERE = Path(__file__).resolve().parent
TOOL = Path(os.path.abspath(os.path.join(BUILD, "tests/interop/authres_tool")))
METHODS = ["spf", "dkim", "dmarc", "arc"]
RESULTS = ["none", "pass", "fail", "softfail", "neutral", "policy", "temperror", "permerror"]
NAMES = {"spf": ["smtp.mailfrom", "smtp.helo"], "dkim": ["header.d", "header.i", "header.s",
         "header.b"], "dmarc": ["header.from"], "arc": ["header.oldest-pass"]}
TIMEOUT_S = 60

PLAIN = ["example.com", "a@example.com", "@example.com", "192.0.2.1", "2001:db8::1", "abc/+d=",
         "SRS0=x=y=example.org=joe@example.com", "", "0", "s1.2026", "a b", "M%C3", "x" * 300]
HOSTILE = ["a; dmarc=pass", "\"a; dmarc=pass (\"@example.com", "a\r\nX-Other: y", "a\\", "\"", "\\\"",
           "(", ")", "a(b)c", "dmarc=pass@example.com", "spf=PASS", "b\u00fccher@example.com", "a\x7f\x01b",
           " ", "\t", "none", ";", "=", "==pass", "\u202e", "x; auth=pass smtp.auth=root",
           "x" * 500, "%41", "a,b", "<a@b>", "[192.0.2.1]", "a@b@c", "'a'", "?", "=?utf-8?q?a?="]


def fields_of(cases):
    """Each case: [(method, result, reason, comment, [(name, value)])]. The tool's fields."""
    def text(value):
        return "-" if value is None else "x" + value.encode("utf-8", "surrogateescape").hex()

    lines = []
    for case in cases:
        for method, result, reason, comment, properties in case:
            words = [str(METHODS.index(method)), str(RESULTS.index(result)), text(reason),
                     text(comment)]
            for name, value in properties:
                words += [name, text(value)]
            lines.append(" ".join(words))
        lines.append("")
    done = subprocess.run([str(TOOL)], input="\n".join(lines + [""]).encode(), capture_output=True,
                          timeout=TIMEOUT_S, check=True)
    rest, fields = done.stdout, []
    while rest:
        length, _, rest = rest.partition(b"\n")
        fields.append(rest[:int(length)].decode("ascii"))
        rest = rest[int(length):]
    assert len(fields) == len(cases)
    return fields


def all_cases():
    values = PLAIN + HOSTILE
    cases = [[]]
    for value in values:
        cases.append([("spf", "fail", None, None, [("smtp.mailfrom", value)]),
                      ("dmarc", "fail", None, None, [("header.from", "example.com")])])
        cases.append([("dkim", "fail", value, value, [("header.d", "example.com")]),
                      ("dmarc", "none", value, None, [])])
    choose = random.Random(8601)
    for _ in range(200):
        case = []
        for _ in range(choose.randint(1, 6)):
            method = choose.choice(METHODS)
            names = choose.sample(NAMES[method], choose.randint(0, len(NAMES[method])))
            case.append((method, choose.choice(RESULTS), choose.choice([None, *values]),
                         choose.choice([None, *values]),
                         [(name, choose.choice(values)) for name in names]))
        cases.append(case)
    return cases


@pytest.fixture(scope="module")
def written():
    cases = all_cases()
    return list(zip(cases, fields_of(cases)))


def expected(case):
    """Methods, results, and properties with the values that we encode."""
    return [(method, result,
             {name: value.encode("utf-8") for name, value in properties
              if value and len(encoded(value)) <= 400})
            for method, result, _, _, properties in case]


def encoded(value):
    octets = value.encode("utf-8")
    return "".join(chr(c) if 32 < c < 127 and chr(c) not in "\"\\();%" else f"%{c:02X}"
                   for c in octets).replace("=pass", "%3Dpass")


def test_fields_are_plain(written):
    for case, field in written:
        assert re.fullmatch(r"(?:[ -~]|\r\n\t)*", field)
        passes = sum(result == "pass" for _, result, _, _, _ in case)
        assert len(re.findall(r"(?i)=pass", field)) == passes, field
        assert field.count(";") == max(1, len(case)), field
        assert field.count("(") == field.count(")")
        assert "\\" not in field
        assert all(len(line) <= 998 for line in field.split("\r\n"))


def parse_perl(fields):
    """(authserv-id, [(method, result, properties)]) of each, by Mail::AuthenticationResults."""
    stream = "".join(f"{len(field)}\n{field}" for field in fields)
    done = subprocess.run(["/usr/bin/perl", str(HERE / "parse_authres.pl")], input=stream.encode(),
                          capture_output=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr.decode()
    parsed = []
    for header in map(json.loads, done.stdout.decode().splitlines()):
        results = []
        for entry in header["children"]:
            if entry["type"] != "entry":
                continue
            properties = {child["key"]: unquote_to_bytes(child["value"] or "")
                          for child in entry["children"]
                          if child["type"] == "subentry" and child["key"] != "reason"}
            results.append((entry["key"], entry["value"], properties))
        parsed.append((header["authserv_id"]["value"], results))
    assert len(parsed) == len(fields)
    return parsed


def test_mail_authentication_results(written):
    parsed = parse_perl([field for _, field in written])
    for (case, field), (authserv_id, seen) in zip(written, parsed):
        assert authserv_id == "mx.example.org"
        assert seen == expected(case), field


def stands_bare(value):
    """Without quotes: a token, or an address of a dot-atom and a domain."""
    word = r"[A-Za-z0-9!#$%&'*+\-^_`{|}~/=?]+"
    return re.fullmatch(r"[A-Za-z0-9!#$%&'*+\-.^_`{|}~]+", value) or \
        re.fullmatch(rf"(?:{word}(?:\.{word})*)?@[A-Za-z0-9.-]+", value)


def test_authres(written):
    """authres 1.2 does not see a value in quotes that another property follows; what it does see
    must be right."""
    for case, field in written:
        header = authres.AuthenticationResultsHeader.parse("Authentication-Results: " + field)
        assert header.authserv_id == "mx.example.org"
        results = [result for result in header.results if result.method]
        assert len(results) == len(case)
        for result, (method, outcome, properties) in zip(results, expected(case)):
            assert (result.method, result.result) == (method, outcome)
            seen = {f"{prop.type}.{prop.name}": unquote_to_bytes(prop.value)
                    for prop in result.properties}
            assert seen.items() <= properties.items(), field
            bare = {name for name, value in properties.items() if stands_bare(encoded(value.decode()))}
            assert bare <= set(seen), field


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    """The file of a private key, and its record."""
    path = tmp_path_factory.mktemp("authres") / "key.pem"
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", str(path), "2048"], check=True,
                   capture_output=True)
    der = subprocess.run(["openssl", "rsa", "-in", str(path), "-pubout", "-outform", "DER"],
                         check=True, capture_output=True).stdout
    return path.read_bytes(), b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)


def signed_and_sealed(key):
    message = (b"From: alice@author.example\r\nTo: bob@example.net\r\nSubject: all of it\r\n\r\n"
               b"Hello.\r\n")
    message = dkim.sign(message, b"s", b"author.example", key,
                        canonicalize=(b"relaxed", b"relaxed")) + message
    results = b"Authentication-Results: mx.list.example; arc=none; dkim=pass header.d=author.example\r\n"
    sets = dkim.arc_sign(results + message, b"s", b"list.example", key, b"mx.list.example",
                         include_headers=[b"from", b"to", b"subject"])
    return b"".join(sets) + message


def test_through_the_gate(start_gate, sink, dns_server, key):
    """All links that find something out, two forged fields, and an envelope that tries to say
    more: one field, with each result."""
    envelope = '"x; dmarc=pass (y) \\\\"@author.example'
    for domain in ("author.example", "list.example"):
        dns_server.add(f"s._domainkey.{domain}", "TXT", key[1])
    dns_server.add("_dmarc.author.example", "TXT", b"v=DMARC1; p=reject")
    dns_server.add("author.example", "TXT", b"v=spf1 ip4:127.0.0.1 -all")
    gate = start_gate(config.smtp_upstream([sink.address]), {
        "inbound.chain": ["spf", "dkim_verify", "arc", "dmarc", "auth_results"],
        "auth_results.authserv_id": "mx.example.net", **dns_server.settings})
    forged = (b"Authentication-Results: mx.example.net; dkim=pass header.d=bank.example\r\n"
              b"authentication-results : (x)\r\n \"MX.example.net\" 1; dmarc=pass\r\n")
    with smtplib.SMTP("localhost", gate.ports["inbound"], timeout=TIMEOUT_S) as session:
        session.ehlo("client.example")
        for command in (f"MAIL FROM:<{envelope}>", "RCPT TO:<bob@example.net>"):
            assert session.docmd(command)[0] == 250
        assert session.data(forged + signed_and_sealed(key[0]))[0] == 250
    arrived = sink.messages[-1].data
    fields = re.findall(rb"(?im)^authentication-results[ \t]*:[ \t]*((?:[^\r]|\r\n[ \t])*)\r\n",
                        arrived.partition(b"\r\n\r\n")[0] + b"\r\n")
    assert len(fields) == 1 and arrived.startswith(b"Authentication-Results: mx.example.net;")
    field = fields[0].decode("ascii")
    (authserv_id, results), = parse_perl([field])
    assert authserv_id == "mx.example.net"
    every = [("spf", "none"), ("spf", "pass"), ("dkim", "pass"), ("arc", "pass"), ("dmarc", "pass")]
    assert [(method, result) for method, result, _ in results] == every
    properties = {method: found for method, _, found in results}  # of SPF: the latter
    assert properties["spf"]["smtp.mailfrom"].decode() == envelope
    assert properties["dkim"]["header.d"] == b"author.example"
    assert properties["arc"]["header.oldest-pass"] == b"0"
    assert properties["dmarc"]["header.from"] == b"author.example"
    header = authres.AuthenticationResultsHeader.parse("Authentication-Results: " + field)
    assert [(result.method, result.result) for result in header.results] == every
