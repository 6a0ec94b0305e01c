# SPDX-License-Identifier: MPL-2.0
"""The part of `make bench` with mail from other servers: SPF, DKIM, ARC and DMARC of signed
messages, with Gatepost and with Postfix and its milters."""

import base64
import collections
import os

import dkim

from candidates_inbound import (BareGate, BarePostfix, Dns, InboundGate, PostfixMilters,
                                PostfixPolicyd)
from processes import run
from rounds import OCTETS, check_wanted, cpu_of_1000, load, merge, print_table

DOMAINS = 10
MESSAGES = 50
SESSIONS = (1, 100)  # messages a connection
TURNS = {BareGate: 3, InboundGate: 3}  # times the messages of a round of the others
LINE = "Sphinx of black quartz, judge my vow; the five boxing wizards jump.\r\n"
RECORDS = (
    'load.example. 3600 IN TXT "v=spf1 ip4:127.0.0.0/8 -all"',
    'spf.provider.example. 3600 IN TXT "v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.0/24 '
    'ip4:127.0.0.0/8 -all"',
)
DOMAIN_RECORDS = (
    '{domain}. 3600 IN MX 10 mail.{domain}.',
    'mail.{domain}. 3600 IN A 203.0.113.1',
    '{domain}. 3600 IN TXT "v=spf1 mx include:spf.provider.example -all"',
    '_dmarc.{domain}. 3600 IN TXT "v=DMARC1; p=reject; rua=mailto:dmarc@{domain}"',
)


def make_certificate(folder):
    paths = {name: os.path.join(folder, name + ".pem") for name in ("certificate", "key")}
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=gate.example.com", "-keyout", paths["key"], "-out", paths["certificate"]])
    os.chmod(paths["key"], 0o600)
    return paths


def make_domain(folder, domain):
    """Its DKIM key as PEM, and its records."""
    path = os.path.join(folder, domain + ".pem")
    # The traditional form: older dkimpy reads no other.
    run(["openssl", "genrsa", "-traditional", "-out", path, "2048"])
    der = path + ".pub"
    run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER", "-out", der])
    with open(der, "rb") as file:
        public = base64.b64encode(file.read()).decode("ascii")
    strings = " ".join(f'"{public[i:i + 200]}"' for i in range(0, len(public), 200))
    with open(path, "rb") as file:
        key = file.read()
    return key, [record.format(domain=domain) for record in DOMAIN_RECORDS] + \
        [f'bench._domainkey.{domain}. 3600 IN TXT "v=DKIM1; k=rsa; p=" {strings}']


def make_message(number, domain, key):
    """The sender's line and the message, ready for DATA."""
    text = (f"From: Alice <alice@{domain}>\r\nTo: you@example.net\r\nSubject: load {number}\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n"
            f"Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <load.{number}@{domain}>\r\n"
            f"\r\nMessage {number}\r\n")
    text += LINE * ((OCTETS - len(text)) // len(LINE))
    message = text.encode("ascii")
    signature = dkim.sign(message, b"bench", domain.encode("ascii"), key,
                          canonicalize=(b"relaxed", b"relaxed"))
    return f"alice@{domain}\n".encode("ascii") + \
        (signature + message).replace(b"\r\n.", b"\r\n..") + b".\r\n"


def make_corpus(folder):
    """MESSAGES files for smtp_load; all the records of their senders."""
    corpus = os.path.join(folder, "corpus")
    os.makedirs(corpus)
    os.chmod(folder, 0o755)
    records, domains = list(RECORDS), []
    for number in range(DOMAINS):
        domain = f"sender{number}.example"
        key, more = make_domain(folder, domain)
        domains.append((domain, key))
        records += more
    for number in range(MESSAGES):
        with open(os.path.join(corpus, f"{number:03}"), "wb") as out:
            out.write(make_message(number, *domains[number % DOMAINS]))
    return corpus, records


def print_costs(results):
    print()
    for a_connection in SESSIONS:
        cost = {kind: cpu_of_1000(results[a_connection, kind.name]) * 1000
                for kind in (BareGate, InboundGate, BarePostfix, PostfixMilters, PostfixPolicyd)
                if (a_connection, kind.name) in results}
        print(f"{a_connection} a connection: the chain itself costs "
              f"{cost[InboundGate] - cost[BareGate]:.0f} CPU microseconds a message")
        for kind in (PostfixMilters, PostfixPolicyd):
            if kind in cost:
                print(f"  {kind.name}: its checks {cost[kind] - cost[BarePostfix]:.0f}; "
                      f"in all, Gatepost does {cost[kind] / cost[InboundGate]:.1f} times as many "
                      "in a CPU second")


def measure_inbound(build, folder, options):
    kinds = [BareGate, InboundGate]
    if not options.without_postfix:
        kinds += [BarePostfix, PostfixMilters, PostfixPolicyd]
    corpus, records = make_corpus(folder)
    setting = {"corpus": corpus, "resolv_conf": f"{folder}/dns/resolv.conf",
               **make_certificate(folder)}
    candidates, rounds = [], collections.defaultdict(list)
    server = Dns(f"{folder}/dns", records)
    try:
        for kind in kinds:
            candidates.append(kind(build, os.path.join(folder, kind.__name__.lower()), setting))
        for candidate in candidates:
            load(build, candidate, 10, 200)  # warm: caches of DNS, processes that stay
            check_wanted(candidate)
        for _ in range(options.rounds):
            for a_connection in SESSIONS:
                for candidate in candidates:
                    messages = options.messages * TURNS.get(type(candidate), 1)
                    rounds[a_connection, candidate.name].append(
                        load(build, candidate, a_connection, messages))
        for candidate in candidates:
            check_wanted(candidate)
    finally:
        for candidate in candidates:
            candidate.stop()
        server.stop()
    results = {(a_connection, candidate.name): merge(rounds[a_connection, candidate.name])
               for a_connection in SESSIONS for candidate in candidates}
    print_table("signed with rsa2048, no TLS", results)
    print_costs(results)
