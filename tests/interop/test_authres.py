# SPDX-License-Identifier: MPL-2.0
"""Our Authentication-Results field, read by others: Mail::AuthenticationResults and authres.

Whatever the results hold, each reader must see as many results as there are, with their methods
and results, and the properties with their values as we encode them; and a program that merely
searches for "=pass" or cuts at semicolons must see no more than that either.
"""

import json
import os
import random
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote_to_bytes

import authres
import pytest

from conftest import BUILD

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


def test_mail_authentication_results(written):
    stream = "".join(f"{len(field)}\n{field}" for _, field in written)
    done = subprocess.run(["/usr/bin/perl", str(HERE / "parse_authres.pl")], input=stream.encode(),
                          capture_output=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr.decode()
    lines = done.stdout.decode().splitlines()
    assert len(lines) == len(written)
    for (case, field), line in zip(written, lines):
        header = json.loads(line)
        assert header["authserv_id"]["value"] == "mx.example.org"
        seen = []
        for entry in header["children"]:
            if entry["type"] != "entry":
                continue
            properties = {child["key"]: unquote_to_bytes(child["value"] or "")
                          for child in entry["children"]
                          if child["type"] == "subentry" and child["key"] != "reason"}
            seen.append((entry["key"], entry["value"], properties))
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
