# SPDX-License-Identifier: MPL-2.0
"""Key rotation through the real gate: three authoritative servers that get the new record late
and lose it, a gate that is restarted in the middle, and a verifier that asks any of the servers.
Whole months of it are simulated in tests/unit/test_dkim_rotation_keeper.c."""

import json
import os
import pwd
import random
import re
import shutil
import subprocess
import time

import pytest

from harness import config
from harness.client import Client, dot_stuff, insecure_context
from harness.dns import DnsServer
from dkim_tools import signatures_of, verify_dkimpy

DOMAIN = "example.com"
SOA = "ns1.example.com. hostmaster.example.com. 1 3600 600 86400 2"
LIMIT_S = 30
KEEPER = "games"


class Dns:
    """A resolver, and the three servers of the domain."""

    def __init__(self, records):
        self.resolver = DnsServer()
        self.servers = [DnsServer(address="127.0.0.2")]
        port = self.servers[0].port
        for host in ("127.0.0.3", "127.0.0.4"):
            self.servers.append(DnsServer(address=host, port=port))
        for server in [self.resolver] + self.servers:
            server.add(DOMAIN, "SOA", SOA, ttl=2)
            server.add(DOMAIN, "NS", "ns1.example.com.", "ns2.example.com.", "ns3.example.com.")
            for number, host in enumerate(("127.0.0.2", "127.0.0.3", "127.0.0.4"), 1):
                server.add(f"ns{number}.example.com", "A", host)
            for name, text in records.items():
                server.add(name, "TXT", text.encode(), ttl=2)
        self.records = dict(records)

    def settings(self):
        return {"dns.servers": [self.resolver.address],
                "dns.authority_port": self.servers[0].port}

    def publish(self, name, text, servers):
        for server in [self.resolver] + [self.servers[i] for i in servers]:
            server.set(name, "TXT", text.encode(), ttl=2)

    def lose(self, name, server):
        self.servers[server].remove(name, "TXT")

    def seen_by_a_verifier(self):
        """What the DNS shows to somebody who asks one of the servers."""
        server = random.choice(self.servers)
        owners = {str(owner).rstrip(".") for owner in list(server.data)}
        return {name: text for name, text in self.records.items() if name in owners}

    def stop(self):
        for server in [self.resolver] + self.servers:
            server.stop()


@pytest.fixture
def world(gate_keys, sink, start_gate):
    dns = Dns(gate_keys.dkim_records())
    settings = dns.settings()
    settings.update({"watch": {"refresh": "1s", "retry": "1s"},
                     "rotation": {"settle": "2s", "queue_life": "4s"},
                     "limits.session": "2s"})  # which counts too: it may sign as it began
    if os.geteuid() == 0:
        settings["keeper_user"] = KEEPER  # another than the user that serves
    gate = start_gate(config.smtp_upstream([sink.address]), settings)
    yield gate, dns, sink
    dns.stop()


def run(gate, *args, code=0):
    done = subprocess.run([gate.binary, args[0], "-c", gate.config_file, *args[1:]],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout


def send(gate, sink):
    """Submit a message; what arrived of it."""
    before = len(sink.accepted())
    client = Client(gate.ports["submissions"], context=insecure_context(ca=gate.keys.ca))
    client.start_tls()
    assert client.reply().code == "220"
    client.expect("EHLO client.test", "250")
    assert client.auth_plain("relay", "all of them").code == "235"
    client.expect(f"MAIL FROM:<list@{DOMAIN}>", "250")
    client.expect("RCPT TO:<bob@example.net>", "250")
    client.expect("DATA", "354")
    client.send(dot_stuff(f"From: list@{DOMAIN}\r\nSubject: {before}\r\n\r\nHello\r\n".encode()))
    assert client.reply().code == "250"
    client.expect("QUIT", "221")
    client.close()
    return sink.accepted()[before].data


def selectors_of(message):
    return sorted(tags["s"] for tags in signatures_of(message))


def selectors_of_a_message(gate, dns, sink):
    """Every signature on a message must verify by what any server shows."""
    message = send(gate, sink)
    for _ in range(3):
        verdicts = verify_dkimpy(message, dns.seen_by_a_verifier())
        assert verdicts and all(v.result == "pass" for v in verdicts), verdicts
    return selectors_of(message)


def wait_until(what, check):
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.3)
    raise AssertionError(what)


def test_a_new_key_signs_when_every_server_shows_it_and_the_old_one_retires(world):
    gate, dns, sink = world
    assert selectors_of_a_message(gate, dns, sink) == ["ed", "rsa"]

    made = json.loads(run(gate, "rotate", "--json", "--algorithm", "ed25519",
                          "--selector", "next", DOMAIN))
    assert [(key["selector"], key["state"]) for key in made] == [("next", "pending")]
    name, text = made[0]["name"], made[0]["record"]
    assert json.loads(run(gate, "rotate", "--json", "--algorithm", "ed25519", DOMAIN)) == made

    # late at one server
    dns.publish(name, text, [0, 1])
    dns.records[name] = text
    time.sleep(5)
    assert selectors_of_a_message(gate, dns, sink) == ["ed", "rsa"]
    report = run(gate, "check-domain", DOMAIN, code=1)  # it has no MX and so on
    assert re.search(r"next: ed25519-sha256, pending: .*127\.0\.0\.4.* does not show it", report)

    # a restart changes nothing
    gate.stop()
    gate.start()
    assert selectors_of_a_message(gate, dns, sink) == ["ed", "rsa"]

    # lost at the next server when the late one has it
    dns.lose(name, 0)
    dns.publish(name, text, [1, 2])
    time.sleep(4)
    assert selectors_of_a_message(gate, dns, sink) == ["ed", "rsa"]

    dns.publish(name, text, [0, 1, 2])
    gate.wait_for("dkim.rotation", {"selector": "next", "to": "active"}, limit_s=LIMIT_S)
    wait_until("the new key signs",
               lambda: selectors_of_a_message(gate, dns, sink) == ["next", "rsa"])
    assert "ed: retiring: leave its record in the DNS until" in run(
        gate, "check-domain", DOMAIN, code=1)

    # the record of the new key is lost: the old one signs again
    dns.lose(name, 1)
    wait_until("the old key signs again",
               lambda: selectors_of(send(gate, sink)) == ["ed", "rsa"])
    assert selectors_of_a_message(gate, dns, sink) == ["ed", "rsa"]
    dns.publish(name, text, [0, 1, 2])
    wait_until("the new key signs again",
               lambda: selectors_of_a_message(gate, dns, sink) == ["next", "rsa"])

    gate.wait_for("dkim.rotation", {"selector": "ed", "to": "retired"}, limit_s=LIMIT_S)
    assert "ed: retired: its record may be taken out of the DNS" in run(
        gate, "check-domain", DOMAIN, code=1)
    for server in dns.servers + [dns.resolver]:
        server.remove(f"ed._domainkey.{DOMAIN}", "TXT")
    gate.stop()
    gate.start()
    assert selectors_of_a_message(gate, dns, sink) == ["next", "rsa"]


def test_what_is_pending_can_be_taken_back(world):
    gate, dns, sink = world
    run(gate, "rotate", DOMAIN)
    assert "is taken back" in run(gate, "rotate", "--cancel", DOMAIN)
    run(gate, "rotate", "--cancel", DOMAIN, code=1)
    assert selectors_of_a_message(gate, dns, sink) == ["ed", "rsa"]


def test_a_selector_that_was_taken_back_is_never_used_again(world):
    """Its record may live on in the DNS and in caches, and the gate has seen its key."""
    gate, dns, sink = world
    first = {key["selector"] for key in json.loads(run(gate, "rotate", "--json", DOMAIN))}
    gate.wait_for("domain.key", {"selector": min(first)}, limit_s=LIMIT_S)
    run(gate, "rotate", "--cancel", DOMAIN)
    second = json.loads(run(gate, "rotate", "--json", DOMAIN))
    assert len(first) == len(second) == 2
    assert not first & {key["selector"] for key in second}
    for key in second:
        dns.records[key["name"]] = key["record"]
        dns.publish(key["name"], key["record"], [0, 1, 2])
        gate.wait_for("dkim.rotation", {"selector": key["selector"], "to": "active"},
                      limit_s=LIMIT_S)
    wait_until("the second ones sign",
               lambda: selectors_of_a_message(gate, dns, sink) ==
               sorted(key["selector"] for key in second))


def test_root_makes_nothing_where_the_serving_user_may_lead_it(world, tmp_path):
    gate, _, _ = world
    folder = os.path.join(gate.config["state_dir"], "dkim")
    run(gate, "rotate", DOMAIN)
    owners = {os.stat(gate.config["state_dir"]).st_uid}
    if os.getuid() == 0:
        owners.add(pwd.getpwnam(KEEPER).pw_uid)  # who may have taken the key by now
    for name in os.listdir(os.path.join(folder, DOMAIN)):
        assert os.stat(os.path.join(folder, DOMAIN, name)).st_uid in owners
    if os.getuid() != 0:
        return
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    shutil.rmtree(os.path.join(folder, DOMAIN))
    os.symlink(elsewhere, os.path.join(folder, DOMAIN))
    run(gate, "rotate", DOMAIN, code=1)
    assert os.listdir(elsewhere) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_key_becomes_the_keepers_alone(world):
    """Who has taken the gate over cannot read it; what the operator sees is the same as before."""
    gate, dns, sink = world
    made = json.loads(run(gate, "rotate", "--json", "--algorithm", "ed25519",
                          "--selector", "next", DOMAIN))
    path = os.path.join(gate.config["state_dir"], "dkim", DOMAIN, "next.pem")
    keeper = pwd.getpwnam(KEEPER).pw_uid
    wait_until("the key is the keeper's", lambda: os.stat(path).st_uid == keeper)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert json.loads(run(gate, "rotate", "--json", "--algorithm", "ed25519", DOMAIN)) == made
    dns.records[made[0]["name"]] = made[0]["record"]
    dns.publish(made[0]["name"], made[0]["record"], [0, 1, 2])
    gate.wait_for("dkim.rotation", {"selector": "next", "to": "active"}, limit_s=LIMIT_S)
    gate.stop()
    gate.start()  # another keeper reads its own key
    wait_until("the new key signs",
               lambda: selectors_of_a_message(gate, dns, sink) == ["next", "rsa"])


def test_without_a_watch_there_is_no_rotation(world):
    gate, _, _ = world
    gate.stop()
    gate.set("watch", {"enabled": False})
    gate.write_config()
    run(gate, "rotate", DOMAIN, code=1)
    assert not os.path.exists(os.path.join(gate.config["state_dir"], "dkim"))


def test_silent_servers_hold_up_neither_mail_nor_the_end(world):
    gate, dns, sink = world
    run(gate, "rotate", DOMAIN)
    for server in dns.servers + [dns.resolver]:
        server.behave(None, None, "silent")
    time.sleep(3)  # a look is under way from now on
    begin = time.monotonic()
    assert selectors_of(send(gate, sink)) == ["ed", "rsa"]
    assert time.monotonic() - begin < 3  # a query takes five seconds to fail
    gate.stop()
    assert time.monotonic() - begin < 15


def test_what_cannot_be_rotated_says_why(world):
    gate, _, _ = world
    for args, status in ((["example.net"], 1), ([], 2), (["--algorithm", "dsa", DOMAIN], 2),
                         (["--selector", "x", DOMAIN], 1), (["--cancel", DOMAIN], 1)):
        run(gate, "rotate", *args, code=status)


def test_the_first_key_of_a_domain_needs_no_configuration(world):
    """A domain without a key in the configuration: rotate makes its first one."""
    gate, dns, sink = world
    gate.stop()
    gate.set("domains[0].dkim", None)
    gate.start()
    assert selectors_of(send(gate, sink)) == []
    made = json.loads(run(gate, "rotate", "--json", "--selector", "first", DOMAIN))
    assert [(key["selector"], key["algorithm"]) for key in made] == [("first", "rsa-sha256")]
    dns.records[made[0]["name"]] = made[0]["record"]
    dns.publish(made[0]["name"], made[0]["record"], [0, 1, 2])
    gate.wait_for("dkim.rotation", {"selector": "first", "to": "active"}, limit_s=LIMIT_S)
    wait_until("it signs", lambda: selectors_of(send(gate, sink)) == ["first"])
    assert selectors_of_a_message(gate, dns, sink) == ["first"]
