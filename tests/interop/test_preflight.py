# SPDX-License-Identifier: MPL-2.0
"""The pre-flight through the real binary: SPF x published key x alignment, as docs/FILTERS.md has
it. One gate has a domain for each of the 48 combinations; what DNS says of them is a test
server's. Replies, the header field, what the log notes and the metric are looked at."""

import base64
import collections
import itertools
import os
import re
import shutil
import subprocess
import urllib.request

import pytest

from harness import config as cfg
from harness.client import Client
from harness.gate import owner_of_tests
from harness.net import free_ports

EGRESS = "192.0.2.1"
SPF = {"pass": f"v=spf1 ip4:{EGRESS} -all", "fail": "v=spf1 -all", "softfail": "v=spf1 ~all",
       "permerror": "v=spf1 bogus:x -all", "temperror": None, "none": None}
KEY = ("match", "mismatch", "absent", "down")
ALIGNED = ("yes", "no")

# A finding, its enhanced code without the class, and what the reply must tell the sender.
PROBLEMS = {
    "spf-fail": ("7.23", "{d} does not authorise 192.0.2.1, from which this mail would leave: "
                         "add ip4:192.0.2.1 to the SPF record of {d}"),
    "spf-softfail": ("7.23", "{d} does not authorise 192.0.2.1 (softfail)"),
    "spf-none": ("7.23", "{d} has no SPF record: publish the TXT record "
                         '"v=spf1 ip4:192.0.2.1 ~all" at {d}'),
    "spf-permerror": ("7.24", "SPF of {d} is in error ("),
    "dkim-mismatch": ("7.20", "DNS does not show the key that has signed for {d}"),
    "dkim-absent": ("7.20", 'publish it at s._domainkey.{d}: s._domainkey.{d}. IN TXT ( "v=DKIM1; '),
    "alignment-fail": ("7.26", "this mail would fail DMARC"),
}


class Domain:
    """d.example: MAIL FROM and signature are its own, From is of below.d.example, whose DMARC
    record says whether that is aligned."""

    def __init__(self, spf, key, aligned):
        self.spf, self.key, self.aligned = spf, key, aligned
        self.name = f"{spf}-{key}-{aligned}.example"

    @property
    def findings(self):
        found = [] if self.spf == "pass" else [f"spf-{self.spf}"]
        if self.key != "match":
            found.append("dkim-dns" if self.key == "down" else f"dkim-{self.key}")
        if self.aligned == "no":
            found.append("alignment-fail")
        elif self.spf != "pass" and self.key != "match":
            unsure = self.spf == "temperror" or self.key == "down"
            found.append("alignment-dns" if unsure else "alignment-fail")
        return found

    @property
    def problems(self):
        return [name for name in self.findings if name in PROBLEMS]

    def publish(self, server, right, wrong):
        if SPF[self.spf]:
            server.add(self.name, "TXT", SPF[self.spf])
        elif self.spf == "temperror":
            server.behave(self.name, "TXT", "servfail")
        selector = f"s._domainkey.{self.name}"
        if self.key == "down":
            server.behave(selector, "TXT", "servfail")
        elif self.key != "absent":
            server.add(selector, "TXT", right if self.key == "match" else wrong)
        strict = "" if self.aligned == "yes" else "; adkim=s; aspf=s"
        server.add(f"_dmarc.below.{self.name}", "TXT", "v=DMARC1; p=reject" + strict)
        server.add(f"_dmarc.{self.name}", "TXT", "v=DMARC1; p=reject")

    def message(self):
        return f"From: a@below.{self.name}\r\nSubject: x\r\n\r\nhi\r\n".encode()


DOMAINS = [Domain(*cell) for cell in itertools.product(SPF, KEY, ALIGNED)]


def openssl(*args):
    return subprocess.run(["openssl", *args], check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    """A key file, its record, and the record of another key."""
    folder = tmp_path_factory.mktemp("preflight")
    for path in (folder, folder.parent, folder.parent.parent):
        os.chmod(path, 0o755)
    records = []
    for name in ("right", "wrong"):
        path = str(folder / name)
        openssl("genpkey", "-algorithm", "ed25519", "-out", path)
        os.chmod(path, 0o600)
        public = openssl("pkey", "-in", path, "-pubout", "-outform", "DER")[-32:]
        records.append("v=DKIM1; k=ed25519; p=" + base64.b64encode(public).decode())
    if owner_of_tests():
        shutil.chown(str(folder / "right"), *owner_of_tests())
    return str(folder / "right"), *records


def settings(dns_server, path, **preflight):
    return dict(dns_server.settings, **{
        "domains": [{"name": d.name, "dkim": [{"selector": "s", "key": path}]} for d in DOMAINS]
                   # From is of domains that are configured too, so that they are known at once.
                   + [{"name": f"below.{d.name}"} for d in DOMAINS],
        "submission.chain": ["identity", "dkim_sign", "preflight"],
        "dkim_sign": {"parent_domains": True},
        "preflight": preflight,
        "upstreams[0].egress": [EGRESS],
        "watch": {"enabled": True, "start_wait": "1m"},
        "limits.errors": 1000,
        "metrics": {"listen": f"127.0.0.1:{free_ports(1)[0]}"},
    })


class Talk:
    """Hands messages in as a login that may send as anybody."""

    def __init__(self, gate):
        self.client = Client(gate.ports["submissions"])
        self.client.start_tls()
        self.client.reply()
        self.client.expect("EHLO client.test", "250")
        assert self.client.auth_plain("relay", cfg.USERS["relay"][0]).code == "235"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.command("QUIT")
        self.client.sock.close()

    def send(self, domain):
        self.client.expect(f"MAIL FROM:<a@{domain.name}>", "250")
        self.client.expect("RCPT TO:<bob@example.net>", "250")
        self.client.expect("DATA", "354")
        self.client.send(domain.message() + b".\r\n")
        return self.client.reply()


def text_of(reply):
    """The reply's words in one line: it was wrapped, each line with the enhanced code."""
    return re.sub(r"\s+", " ", " ".join(line.split(" ", 1)[1] for line in reply.lines))


def send_all(gate):
    with Talk(gate) as talk:
        return {domain: talk.send(domain) for domain in DOMAINS}


def metric(gate):
    """{(finding, action): messages} as a monitoring system reads it."""
    address = gate.config["metrics"]["listen"]
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        text = answer.read().decode("ascii")
    rows = re.findall(r'(?m)^gatepost_preflight_total\{finding="(.*)",action="(.*)"\} (\d+)$', text)
    return {(finding, action): int(count) for finding, action, count in rows}


def expected_metric(action_of):
    return dict(collections.Counter((name, action_of(domain)) for domain in DOMAINS
                                    for name in domain.findings or ["none"]))


def assert_noted(gate, domain):
    done = gate.wait_for("msg.done", {"from": f"a@{domain.name}"})
    noted = re.findall(r"preflight=(\S+)", done.fields.get("links", ""))
    assert noted == (["+".join(domain.findings)] if domain.findings else []), domain.name


def assert_refused(reply, domain, code):
    status, words = PROBLEMS[domain.problems[0]]
    assert (reply.code, reply.enhanced) == (code, f"{code[0]}.{status}"), domain.name
    text = text_of(reply)
    assert words.format(d=domain.name) in text
    others = [name for name in domain.findings if name != domain.problems[0]]
    assert text.endswith(f" (also: {', '.join(others)})") == bool(others), text


@pytest.mark.parametrize("action, code", [("reject", "550"), ("defer", "451")])
def test_refusals(start_gate, sink, dns_server, key, action, code):
    path, right, wrong = key
    for domain in DOMAINS:
        domain.publish(dns_server, right, wrong)
    gate = start_gate(cfg.smtp_upstream([sink.address]),
                      settings(dns_server, path, action=action))
    asked = len(dns_server.queries)
    for domain, reply in send_all(gate).items():
        if domain.problems:
            assert_refused(reply, domain, code)
        else:  # DNS failures alone block nothing
            assert reply.code == "250", f"{domain.name}: {reply}"
    assert metric(gate) == expected_metric(lambda d: action if d.problems else "pass")
    assert len(dns_server.queries) == asked  # DNS is never on the path of mail
    for domain in DOMAINS:
        assert_noted(gate, domain)
    assert len(sink.accepted()) == sum(not domain.problems for domain in DOMAINS)


def test_dns_failures_defer_where_asked_to(start_gate, sink, dns_server, key):
    path, right, wrong = key
    for domain in DOMAINS:
        domain.publish(dns_server, right, wrong)
    gate = start_gate(cfg.smtp_upstream([sink.address]), settings(
        dns_server, path, action="reject", on_dns_failure="defer"))
    for domain, reply in send_all(gate).items():
        if domain.problems:
            assert_refused(reply, domain, "550")
        elif domain.findings:
            assert (reply.code, reply.enhanced) == ("451", "4.4.3"), f"{domain.name}: {reply}"
        else:
            assert reply.code == "250", f"{domain.name}: {reply}"
    assert metric(gate) == expected_metric(
        lambda d: "reject" if d.problems else "defer" if d.findings else "pass")


@pytest.mark.parametrize("action", ["observe", "warn"])
def test_mail_goes(start_gate, sink, dns_server, key, action):
    path, right, wrong = key
    for domain in DOMAINS:
        domain.publish(dns_server, right, wrong)
    gate = start_gate(cfg.smtp_upstream([sink.address]),
                      settings(dns_server, path, action=action))
    assert {reply.code for reply in send_all(gate).values()} == {"250"}
    assert metric(gate) == expected_metric(lambda d: action if d.findings else "pass")
    by_sender = {m.sender: m.data for m in sink.accepted()}
    for domain in DOMAINS:
        data = by_sender[f"FROM:<a@{domain.name}>"]
        field = re.search(rb"(?m)^X-Preflight: ([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)", data)
        if action == "observe" or not domain.findings:
            assert field is None, domain.name
        else:
            names, _, sentences = field.group(1).decode("ascii").partition(";")
            assert names.split(", ") == domain.findings
            assert re.findall(r"\r\n\t([a-z-]+): ", sentences) == domain.findings
        assert_noted(gate, domain)
        for name in domain.findings:
            assert any(e.fields["finding"] == name and e.fields["action"] == action and
                       e.fields["domain"] == f"below.{domain.name}"
                       for e in gate.events("preflight.finding")), f"{domain.name}: {name}"
