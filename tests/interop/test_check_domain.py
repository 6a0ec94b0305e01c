# SPDX-License-Identifier: MPL-2.0
"""gatepost check-domain: what it says of a domain that is well, of each thing that can be wrong,
and of DNS that does not answer; its exit status for monitoring."""

import json
import os
import subprocess

import pytest

from harness import config
from harness.gate import Gate

DOMAIN = "example.com"


@pytest.fixture
def checked(gate_keys, dns_server, tmp_path_factory):
    """check(*args): the exit status, and the findings as (area, level, text)."""
    folder = tmp_path_factory.mktemp("checked")
    gate = Gate(os.environ.get("GATEPOST_BUILD", "build"), gate_keys, config.maildir_upstream(str(folder / "mail")))
    gate.config["upstreams"] = [dict({"name": "mta"}, **config.smtp_upstream(["127.0.0.1:1"]))]
    gate.config["upstreams"][0]["egress"] = ["192.0.2.1", "2001:db8::1"]
    gate.set("dns.servers", [dns_server.address])
    gate.set("dns.timeout", "1s")
    gate.set("submission.chain", ["identity", "bulk_rules", "dkim_sign", "preflight"])
    gate.set("bulk_rules", {"domains": [DOMAIN]})
    gate.write_users()
    gate.write_config()
    dns_server.load(f"""
        {DOMAIN}. MX 10 mail.{DOMAIN}.
        {DOMAIN}. TXT "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"
        _dmarc.{DOMAIN}. TXT "v=DMARC1; p=reject; rua=mailto:dmarc@{DOMAIN}"
        mail.{DOMAIN}. A 192.0.2.1
        mail.{DOMAIN}. AAAA 2001:db8::1
        1.2.0.192.in-addr.arpa. PTR mail.{DOMAIN}.
        1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR mail.{DOMAIN}.
    """)
    for name, text in gate_keys.dkim_records().items():
        dns_server.add(name, "TXT", text.encode())

    def check(*args, as_json=True):
        done = subprocess.run(
            [gate.binary, "check-domain", "-c", gate.config_file,
             *(["--json"] if as_json else []), *args],
            capture_output=True, text=True, timeout=60, check=False)
        if not as_json:
            return done.returncode, done.stdout + done.stderr
        domains = json.loads(done.stdout)
        return done.returncode, [(f["area"], f["level"], f["subject"], f["text"])
                                 for domain in domains for f in domain["findings"]]

    yield check
    gate.remove()


def levels(findings):
    return {level for _, level, _, _ in findings}


def test_a_domain_that_is_well(checked):
    status, findings = checked(DOMAIN)
    assert status == 0
    assert levels(findings) == {"ok"}, findings
    assert {area for area, *_ in findings} == {"mx", "spf", "dkim", "dmarc", "alignment", "bulk"}
    assert ("spf", "ok", "192.0.2.1", "pass by ip4:192.0.2.0/24 (0 of 10 look-ups)") in findings
    assert ("bulk", "ok", "2001:db8::1", f"is mail.{DOMAIN}, and back") in findings


def test_the_table_for_people_says_what_to_publish(checked, dns_server):
    dns_server.set(DOMAIN, "TXT", b"v=spf1 ip4:198.51.100.1 -all")
    dns_server.remove(f"rsa._domainkey.{DOMAIN}", "TXT")
    status, text = checked(DOMAIN, as_json=False)
    assert status == 1
    lines = text.splitlines()
    assert lines[0] == DOMAIN
    assert "  spf       problem  192.0.2.1: fail by -all: mail leaves from here" in lines
    assert any(line.strip().startswith("publish: ") and "ip4:192.0.2.1" in line for line in lines)
    assert any(f"rsa._domainkey.{DOMAIN}. IN TXT" in line for line in lines)


@pytest.mark.parametrize("name, kind, value, finding", [
    (DOMAIN, "MX", None, ("mx", "problem")),
    (f"mail.{DOMAIN}", "A", None, ("bulk", "problem")),
    (DOMAIN, "TXT", [b"v=spf1 -all"], ("spf", "problem")),
    (DOMAIN, "TXT", [b"v=spf1 ip4:192.0.2.1 ip6:2001:db8::1"], ("spf", "warning")),
    (DOMAIN, "TXT", [b"v=spf1 include:nowhere." + DOMAIN.encode() + b" -all"],
     ("spf", "problem")),
    (f"rsa._domainkey.{DOMAIN}", "TXT", [b"v=DKIM1; p="], ("dkim", "problem")),
    (f"ed._domainkey.{DOMAIN}", "TXT", None, ("dkim", "problem")),
    (f"_dmarc.{DOMAIN}", "TXT", None, ("dmarc", "problem")),
    (f"_dmarc.{DOMAIN}", "TXT", [b"v=DMARC1; p=none"], ("dmarc", "note")),
    ("1.2.0.192.in-addr.arpa", "PTR", None, ("bulk", "problem")),
])
def test_one_thing_is_wrong(checked, dns_server, name, kind, value, finding):
    dns_server.remove(name, kind)
    if value is not None:
        dns_server.add(name, kind, *value)
    status, findings = checked(DOMAIN)
    assert finding in {(area, level) for area, level, _, _ in findings}, findings
    assert status == (1 if "problem" in levels(findings) else 0)


def test_dns_that_does_not_answer_is_status_3(checked, dns_server):
    dns_server.behave(None, None, "servfail")
    status, findings = checked(DOMAIN)
    assert status == 3
    assert levels(findings) <= {"unknown", "ok"}, findings
    assert ("mx", "unknown") in {(area, level) for area, level, _, _ in findings}
    assert ("dkim", "unknown") in {(area, level) for area, level, _, _ in findings}


def test_strict_turns_a_warning_into_a_problem(checked, dns_server):
    dns_server.set(DOMAIN, "TXT", b"v=spf1 ip4:192.0.2.1 ip6:2001:db8::1")
    assert checked(DOMAIN)[0] == 0
    assert checked("--strict", DOMAIN)[0] == 1


def test_all_domains_of_the_configuration_and_wrong_usage(checked):
    assert checked("--all")[0] == 0
    assert checked("--all", DOMAIN, as_json=False)[0] == 2
    assert checked(as_json=False)[0] == 2
    assert checked("no domain", as_json=False)[0] == 2


def test_a_domain_that_is_not_ours_is_judged_too(checked, dns_server):
    dns_server.load('example.net. TXT "v=spf1 -all"')
    status, findings = checked("example.net")
    assert status == 1
    assert ("dkim", "problem") in {(area, level) for area, level, _, _ in findings}


EVIL = b'\x1b[31m\x07\x9b2J"\\\x00\x7f\xff\n\xc2\x9b'


@pytest.mark.parametrize("name, kind, value", [
    (DOMAIN, "TXT", b"v=spf1 " + EVIL + b" -all"),
    (DOMAIN, "TXT", b"v=spf1 exists:%{i}" + EVIL + b" -all"),
    (DOMAIN, "TXT", b"v=spf1 redirect=" + EVIL),
    (f"rsa._domainkey.{DOMAIN}", "TXT", b"v=DKIM1; k=" + EVIL + b"; p=AA"),
    (f"rsa._domainkey.{DOMAIN}", "TXT", b"v=DKIM1; h=" + EVIL + b"; t=" + EVIL + b"; p=AA"),
    (f"rsa._domainkey.{DOMAIN}", "TXT", b"v=" + EVIL),
    (f"_dmarc.{DOMAIN}", "TXT", b"v=DMARC1; p=" + EVIL),
    (f"_dmarc.{DOMAIN}", "TXT", b"v=DMARC1; p=reject; rua=" + EVIL + b"; adkim=" + EVIL),
    (DOMAIN, "MX", "10 a\\027[31m\\155b.example.com."),
    ("1.2.0.192.in-addr.arpa", "PTR", "a\\027[31m\\155b.example.com."),
])
def test_hostile_answers_reach_neither_terminal_nor_json(checked, dns_server, name, kind, value):
    dns_server.set(name, kind, value)
    _, findings = checked(DOMAIN)
    assert findings
    _, text = checked(DOMAIN, as_json=False)
    assert {c for c in text if not " " <= c <= "~"} == {"\n"}


def test_a_name_that_is_none_prints_no_half_of_an_answer(checked):
    status, text = checked("--json", DOMAIN, "no domain", as_json=False)
    assert status == 2
    assert "[" not in text


def test_a_key_that_cannot_be_read_is_a_finding(checked, gate_keys):
    with open(gate_keys.dkim_rsa, "rb") as key:
        text = key.read()
    with open(gate_keys.dkim_rsa, "wb") as key:  # neither user nor root could use it
        key.write(b"nonsense")
    try:
        status, findings = checked(DOMAIN)
    finally:
        with open(gate_keys.dkim_rsa, "wb") as key:
            key.write(text)
    assert status == 1
    [text] = [text for area, _, subject, text in findings if (area, subject) == ("dkim", "rsa")]
    assert "holds no private key" in text
