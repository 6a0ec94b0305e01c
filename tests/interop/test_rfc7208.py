# SPDX-License-Identifier: MPL-2.0
"""The test suite of RFC 7208 (openspf.org, release 2014.04; data/rfc7208-tests.yml, its licence
beside it), through the gate's inbound listener: the client's address by the PROXY protocol, DNS by
a test server. A fail is read off the refusal, with the owner's explanation; every other result off
the Received-SPF field of the message that was delivered.

Three cases have a MAIL FROM that no SMTP server takes. Their domain is judged as a HELO name with
a null reverse-path, which stands for postmaster at that name: the same question to SPF.
"""

import os
import re

import pytest
import yaml

from harness import config
from harness.client import Client, proxy_v1, proxy_v2
from harness.dns import DnsServer
from harness.gate import Gate
from harness.upstream import ScriptedUpstream

BUILD = os.environ.get("GATEPOST_BUILD", "build")
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "rfc7208-tests.yml")
TYPES = ("TXT", "A", "AAAA", "MX", "PTR")
NOT_SMTP = {"toolonglabel", "emptylabel", "nolocalpart"}
CASES_IN_SUITE = 203

SETTINGS = {
    "inbound.chain": ["spf", "auth_results"],
    "inbound.strict_helo": False,
    "listeners[2].proxy_networks": ["127.0.0.1"],
    "spf.reject": ["fail"],
    "spf.helo": False,
    "spf.received_spf": True,
}

MESSAGE = b"From: a@example.com\r\nTo: b@example.net\r\nSubject: x\r\n\r\nHi\r\n.\r\n"


def load_suite():
    with open(DATA, encoding="utf-8") as file:
        return {scenario["description"]: scenario for scenario in yaml.safe_load_all(file)}


SUITE = load_suite()
CASES = [pytest.param(name, case, id=f"{name.replace(' ', '-')}-{case}")
         for name, scenario in SUITE.items() for case in scenario["tests"]]


# ---- the zone ----

def octets(text):
    return text.encode("latin-1")


def txt_value(value):
    return [octets(part) for part in value] if isinstance(value, list) else octets(value)


def value_of(kind, value):
    if kind == "TXT":
        return txt_value(value)
    if kind == "MX":
        return f"{value[0]} {(value[1] or '.').rstrip('.')}."
    return f"{value.rstrip('.')}." if kind in ("PTR", "CNAME") else value


def add_name(server, name, records):
    """SPF stands for TXT where a name has no TXT of its own; NONE says that there is none."""
    pairs = [next(iter(record.items())) for record in records if record != "TIMEOUT"]
    has_txt = any(kind == "TXT" for kind, _ in pairs)
    present = set()
    for kind, value in pairs:
        if kind == "SPF" and has_txt or value in ("NONE", []):
            continue
        kind = "TXT" if kind == "SPF" else kind
        server.add(name, kind, value_of(kind, value))
        present.add(kind)
    for kind in set(TYPES) - present if "TIMEOUT" in records else ():
        server.behave(name, kind, "servfail")  # what a resolver says when nobody answers it


def make_zone(scenario):
    server = DnsServer()
    for name, records in scenario["zonedata"].items():
        add_name(server, str(name).replace(" ", "\\032"), records)
    return server


# ---- the gate, one for each scenario ----

class Rig:
    def __init__(self, scenario, keys):
        self.dns = make_zone(scenario)
        self.sink = ScriptedUpstream(keys)
        self.gate = Gate(BUILD, keys, config.smtp_upstream([self.sink.address]))
        for path, value in {**SETTINGS, **self.dns.settings}.items():
            self.gate.set(path, value)
        self.gate.start()

    def stop(self):
        try:
            self.gate.stop()
        finally:
            self.gate.kill()
            self.gate.remove()
            self.sink.stop()
            self.dns.stop()
        assert not self.sink.problems


@pytest.fixture(scope="module")
def rigs(gate_keys):
    """One at a time: the cases come in the order of their scenarios."""
    running = {}

    def rig_of(name):
        if name not in running:
            while running:
                running.popitem()[1].stop()
            running[name] = Rig(SUITE[name], gate_keys)
        return running[name]

    yield rig_of
    for rig in running.values():
        rig.stop()


# ---- one case ----

def reverse_path(address):
    local, at, domain = address.rpartition("@")
    return f'"{local}"{at}{domain}' if " " in local else address


def open_session(rig, header, helo):
    client = Client(rig.gate.ports["inbound"])
    client.send(header)
    assert client.reply().code == "220"
    client.expect(f"EHLO {helo}", "250")
    return client


def mail_from(rig, header, name, case):
    """The session, and the reply to MAIL."""
    client = open_session(rig, header, case["helo"])
    reply = client.command(f"MAIL FROM:<{reverse_path(case['mailfrom'])}>")
    if reply.code not in ("501", "553"):
        assert name not in NOT_SMTP
        return client, reply
    assert name in NOT_SMTP, f"refused: {reply}"
    client.close()
    client = open_session(rig, header, case["mailfrom"].rpartition("@")[2])
    return client, client.command("MAIL FROM:<>")


def result_of_refusal(reply):
    text = "\n".join(reply.lines)
    assert reply.code == "550" and "5.7.23" in text, text
    assert " says fail " in text, text
    found = re.search(r"5\.7\.23 \S+ explains: (.*)", text)
    return "fail", found.group(1) if found else "DEFAULT"


def result_of_delivery(rig, client):
    client.expect("RCPT TO:<b@example.net>", "250")
    client.expect("DATA", "354")
    client.send(MESSAGE)
    assert client.reply().code == "250"
    content = rig.sink.accepted()[-1].data.decode("ascii")
    received = re.findall(r"^Received-SPF: (\w+) [^\0]*?\r\n\tidentity=mailfrom\r\n", content, re.M)
    results = re.findall(r"\bspf=(\w+)", content)
    assert len(received) == 1 and results == received, content
    return received[0], "DEFAULT"


def judge(rig, header, name, case):
    client, reply = mail_from(rig, header, name, case)
    try:
        if reply.code == "250":
            return result_of_delivery(rig, client)
        return result_of_refusal(reply)
    finally:
        client.close()


@pytest.mark.parametrize("scenario, name", CASES)
def test_case(rigs, scenario, name):
    rig, case = rigs(scenario), SUITE[scenario]["tests"][name]
    allowed = case["result"] if isinstance(case["result"], list) else [case["result"]]
    for header in (proxy_v1(case["host"]), proxy_v2(case["host"])):
        result, explanation = judge(rig, header, name, case)
        assert result in allowed
        if "explanation" in case:
            assert explanation == case["explanation"]


def test_the_whole_suite_is_here():
    assert len(CASES) == CASES_IN_SUITE


# ---- a zone against us ----

# As in tests/unit/test_spf_limits.c: the first record, ten terms of eleven queries, the names of
# the client, the explanation.
QUERIES_MAX = 1 + 10 * 11 + 11 + 1


@pytest.mark.parametrize("record", ["mx", "a", "include", "ptr", "redirect"])
def test_a_zone_built_to_amplify_costs_what_the_budget_allows(
        start_gate, dns_server, sink, record):
    """Every name leads to twelve others, and those to twelve more."""
    names = [f"n{i}.evil.example" for i in range(144)]
    for index, name in enumerate(names):
        below = [names[(index * 12 + i + 1) % len(names)] for i in range(12)]
        terms = {"mx": [f"mx:{n}" for n in below], "a": [f"a:{n}" for n in below],
                 "include": [f"include:{n}" for n in below],
                 "ptr": [f"ptr:{n}" for n in below],
                 "redirect": [f"mx:{below[0]}", f"redirect={below[1]}"]}[record]
        dns_server.add(name, "TXT", ("v=spf1 " + " ".join(terms)).encode())
        dns_server.add(name, "A", "198.51.100.1")
        for i in range(10):
            exchange = f"x{i}.{name}"
            dns_server.add(name, "MX", f"{i} {exchange}.")
            dns_server.add(exchange, "A", "198.51.100.1")
    for name in names[:20]:
        dns_server.add("9.2.0.192.in-addr.arpa", "PTR", f"{name}.")
    gate = start_gate(config.smtp_upstream([sink.address]),
                      {**SETTINGS, **dns_server.settings})
    client = Client(gate.ports["inbound"])
    client.send(proxy_v1("192.0.2.9"))
    assert client.reply().code == "220"
    client.expect("EHLO h.example", "250")
    client.expect("MAIL FROM:<joe@n0.evil.example>", "250")
    asked = dns_server.count()
    client.expect("QUIT", "221")
    client.close()
    assert 3 <= asked <= QUERIES_MAX, asked  # an include of itself ends early
