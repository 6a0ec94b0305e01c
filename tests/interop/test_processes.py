# SPDX-License-Identifier: MPL-2.0
"""The processes of the gate: what each is, what each cannot do, and what it costs when one dies."""

import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import pytest

from harness import config
from harness.client import Client, Closed, dot_stuff, insecure_context
from harness.gate import Gate

LIMIT_S = 30
KILLS = 10
TEXT = b"From: alice@example.com\r\nSubject: %s\r\n\r\nbody\r\n"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
PROBES = ["socket", "unix_socket", "open", "create", "fork", "exec", "kill", "run_memory", "trace",
          "dumpable"]
DONE, REFUSED = 50, 51


def submit(gate, keys, subject, limit_s=LIMIT_S):
    """The reply to the content; None: the connection ended before."""
    client = None
    try:
        client = Client(gate.ports["submissions"], context=insecure_context(ca=keys.ca))
        client.start_tls()
        client.reply()
        for line in ("EHLO client.test", None, "MAIL FROM:<alice@example.com>",
                     "RCPT TO:<bob@example.net>", "DATA"):
            reply = client.command(line) if line else \
                client.auth_plain("alice@example.com", "correct horse")
            if reply.code[0] not in "23":
                return reply
        client.send(dot_stuff(TEXT % subject.encode()))
        return client.reply()
    except (OSError, Closed):
        return None
    finally:
        if client:
            client.close()


ZONE = {"example.com": {"TXT": b"v=spf1 ip4:127.0.0.1 -all"}}
JUDGED = {"inbound.chain": ["spf", "dkim_verify", "auth_results"]}


def receive(gate, subject):
    """Like submit, from another server; with a signature of nobody's."""
    client = None
    try:
        client = Client(gate.ports["inbound"])
        client.reply()
        for line in ("EHLO client.test", "MAIL FROM:<carol@example.com>",
                     "RCPT TO:<bob@example.net>", "DATA"):
            reply = client.command(line)
            if reply.code[0] not in "23":
                return reply
        client.send(dot_stuff(b"DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=x; h=from;\r\n"
                              b" bh=MYQLzD1Trn3leM+gS+2DQJQ9gl+7Jst7/wRow8VqwvQ=; b=AAAA\r\n" +
                              TEXT % subject.encode()))
        return client.reply()
    except (OSError, Closed):
        return None
    finally:
        if client:
            client.close()


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def memory_of(pid):
    """All that a process has in memory, a piece for each mapping that can be read."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        ranges = [line.split()[:2] for line in file]
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for addresses, rights in ranges:
            begin, end = (int(word, 16) for word in addresses.split("-"))
            if rights[0] != "r":
                continue
            try:
                memory.seek(begin)
                yield memory.read(end - begin)
            except (OSError, OverflowError):
                continue  # not memory at all: vvar


def secrets_of(keys):
    """{name: octets} that only who has the private keys has, as OpenSSL lays numbers out in memory,
    and as files do."""
    text = subprocess.run(["openssl", "pkey", "-in", keys.dkim_rsa, "-text", "-noout"],
                          stdout=subprocess.PIPE, check=True).stdout.decode()
    found = {}
    for name in ("privateExponent", "prime1", "prime2"):
        number = bytes.fromhex(re.search(name + r":([\s0-9a-f:]+?)\n\w", text)[1]
                               .replace(":", "").replace(" ", "").replace("\n", "")).lstrip(b"\0")
        found[name + " in memory"], found[name + " in files"] = number[::-1], number
    for name in ("rsa", "ed25519"):
        with open(getattr(keys, "dkim_" + name), "rb") as file:
            found[name + " as PEM"] = file.read().splitlines()[1]
    found["Ed25519 seed"] = subprocess.run(
        ["openssl", "pkey", "-in", keys.dkim_ed25519, "-outform", "DER"],
        stdout=subprocess.PIPE, check=True).stdout[-32:]
    return found


def found_in(pid, secrets):
    # A part of each is enough: of a number that lies across two pages, say.
    pieces = list(memory_of(pid))
    return {name for name, octets in secrets.items()
            if any(octets[:32] in piece or octets[-32:] in piece for piece in pieces)}


@pytest.fixture(name="own_user")
def fixture_own_user():
    """Settings under which the keeper has a user of its own; {}: we cannot give it one."""
    return {"keeper_user": "games"} if os.geteuid() == 0 else {}


@as_root
def test_the_private_keys_are_in_the_keeper_and_never_in_the_gate(start_gate, gate_keys, sink):
    gate = start_gate(config.smtp_upstream([sink.address]), {"watch": {"enabled": True}})
    for number in range(3):
        assert submit(gate, gate_keys, f"m{number}").code == "250"
    gate.signal(signal.SIGHUP)
    gate.wait_for("gate.reloaded")
    assert submit(gate, gate_keys, "last").code == "250"
    secrets = secrets_of(gate_keys)
    holds = set()
    for pid in gate.processes("keeper"):
        holds |= found_in(pid, secrets)
    assert {"prime1 in memory", "prime2 in memory", "Ed25519 seed"} <= holds
    serving, = gate.processes("gate")
    assert not found_in(serving, secrets)
    assert not found_in(gate.process.pid, secrets)
    with open(gate_keys.gate_certificate, "rb") as file:  # the search finds what is there
        assert found_in(serving, {"certificate": file.read()[100:140]}) or \
            found_in(serving, {"hostname": b"gate.test"})


@pytest.mark.parametrize("name", ["keeper", "judge"])
def test_what_the_processes_are(start_gate, gate_keys, sink, dns_server, own_user, name):
    dns_server.load_dict(ZONE)
    gate = start_gate(config.smtp_upstream([sink.address]),
                      {**own_user, **JUDGED, **dns_server.settings})
    assert submit(gate, gate_keys, "one").code == "250"
    assert receive(gate, "two").code == "250"
    keeper, = gate.processes(name)
    serving, = gate.processes("gate")
    for pid in (keeper, serving):
        status = status_of(pid)
        assert status["NoNewPrivs"] == "1", pid
        for field in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(status[field], 16) == 0, (pid, field)
    assert status_of(keeper)["Seccomp"] == "2"
    assert all(os.path.exists(f"/proc/{keeper}/task/{task}") and
               status_of(f"{keeper}/task/{task}")["Seccomp"] == "2"
               for task in os.listdir(f"/proc/{keeper}/task"))
    users = {pid: set(status_of(pid)["Uid"].split()) for pid in (keeper, serving)}
    if os.geteuid() == 0:
        assert len(users[keeper]) == len(users[serving]) == 1
        assert name == "judge" or users[keeper] != users[serving]
        assert "0" not in users[keeper] | users[serving]
        # Its connections, standard error, and nothing else.
        kinds = [os.readlink(f"/proc/{keeper}/fd/{fd}") for fd in os.listdir(f"/proc/{keeper}/fd")]
        assert sorted(kind.split(":")[0] for kind in kinds)[:1] == ["pipe"]
        assert all(kind.startswith("socket:") for kind in kinds if not kind.startswith("pipe:"))
        limits = open(f"/proc/{keeper}/limits", encoding="ascii").read()
        for limit in ("Max open files", "Max processes", "Max core file size", "Max file size"):
            assert re.search(limit + r"\s+0\s+0\s", limits), limit


@pytest.fixture(name="probe", scope="module")
def fixture_probe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("probe")
    for path in (folder, folder.parent, folder.parent.parent):
        os.chmod(path, 0o755)
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "process_probe.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", folder / "probe.so", source], check=True)
    return str(folder / "probe.so")


def ended_by_probe(gate, pid, number):
    already = len(gate.lines)
    os.kill(pid, signal.SIGRTMIN + number)
    return gate.wait_for("process.ended", {"pid": str(pid)}, LIMIT_S, already).fields


@pytest.mark.parametrize("name", PROBES)
def test_the_probe_does_what_it_says_where_nothing_is_confined(probe, name):
    process = subprocess.Popen(["sleep", "30"], env={**os.environ, "LD_PRELOAD": probe})
    while "sleep\0" not in open(f"/proc/{process.pid}/cmdline", encoding="ascii").read() or \
            int(status_of(process.pid)["SigCgt"], 16) == 0:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGRTMIN + PROBES.index(name))
    assert process.wait(LIMIT_S) == DONE


@pytest.mark.parametrize("who", ["keeper", "judge"])
def test_a_helper_can_do_nothing_but_its_work(gate_keys, sink, dns_server, probe, who):
    dns_server.load_dict(ZONE)
    gate = Gate(os.environ.get("GATEPOST_BUILD", "build"), gate_keys,
                config.smtp_upstream([sink.address]))
    if gate.is_sanitized:
        pytest.skip("a sanitizer needs more than the keeper may")
    for path, value in {**JUDGED, **dns_server.settings}.items():
        gate.set(path, value)
    gate.environment["LD_PRELOAD"] = probe
    with gate:
        before = []
        assert receive(gate, "the first").code == "250"
        for number, name in enumerate(PROBES):
            pid = gate.wait_for_process(who, before, LIMIT_S)
            assert submit(gate, gate_keys, name).code == "250"
            assert receive(gate, name).code == "250"
            ended = ended_by_probe(gate, pid, number)
            assert (ended["how"], int(ended["number"])) == ("signal", signal.SIGSYS), name
            before.append(pid)
        assert submit(gate, gate_keys, "after all").code == "250"


class Killer(threading.Thread):
    """Kills processes of those names at random, until it is told to stop."""

    def __init__(self, gate, names, seed):
        super().__init__()
        self.gate, self.names, self.random = gate, names, random.Random(seed)
        self.is_over = threading.Event()
        self.killed = 0

    def run(self):
        while not self.is_over.wait(self.random.uniform(0.05, 0.6)):
            pids = self.gate.processes(self.random.choice(self.names))
            if pids:
                try:
                    os.kill(self.random.choice(pids), signal.SIGKILL)
                    self.killed += 1
                except ProcessLookupError:
                    pass


@pytest.mark.parametrize("names", [["keeper"], ["keeper", "judge", "gate"]])
def test_processes_that_are_killed_at_random_under_load(
        start_gate, gate_keys, sink, dns_server, names):
    dns_server.load_dict(ZONE)
    gate = start_gate(config.smtp_upstream([sink.address]), {**JUDGED, **dns_server.settings})
    replies, lock = {}, threading.Lock()

    def send(worker):
        number = 0
        while killer.killed < KILLS and time.monotonic() < end:
            number += 1
            subject = f"m-{worker}-{number}"
            reply = submit(gate, gate_keys, subject)
            with lock:
                replies[subject] = reply and reply.code
            if reply is None:
                time.sleep(0.05)

    end = time.monotonic() + 4 * LIMIT_S
    killer = Killer(gate, names, 850)
    workers = [threading.Thread(target=send, args=(n,)) for n in range(4)]
    killer.start()
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    killer.is_over.set()
    killer.join()
    assert killer.killed >= KILLS, gate.tail()

    by_filter = {"how": "signal", "number": str(int(signal.SIGSYS))}
    assert not gate.matching("process.ended", by_filter)  # it has all that it needs
    accepted = [subject for subject, code in replies.items() if code == "250"]
    assert accepted
    if names == ["keeper"]:  # nothing else is hurt: at worst a message is deferred
        assert set(replies.values()) <= {"250", "451"}
    arrived = {}
    for message in sink.accepted():
        subject = re.search(rb"^Subject: (.*)\r$", message.data, re.M)[1].decode()
        arrived[subject] = arrived.get(subject, 0) + 1
        for algorithm in (b"rsa-sha256", b"ed25519-sha256"):
            assert algorithm in message.data.partition(b"\r\n\r\n")[0], subject
    assert all(arrived.get(subject) == 1 for subject in accepted)

    deadline = time.monotonic() + LIMIT_S
    while (reply := submit(gate, gate_keys, "at last")) is None or reply.code != "250":
        assert time.monotonic() < deadline, gate.tail()
        time.sleep(0.1)


def test_judges_that_are_killed_at_random_under_load(start_gate, sink, dns_server):
    dns_server.load_dict(ZONE)
    gate = start_gate(config.smtp_upstream([sink.address]), {**JUDGED, **dns_server.settings})
    replies, killer, end = {}, Killer(gate, ["judge"], 855), time.monotonic() + 4 * LIMIT_S

    def send(worker):
        number = 0
        while killer.killed < KILLS and time.monotonic() < end:
            number += 1
            reply = receive(gate, f"m-{worker}-{number}")
            replies[f"m-{worker}-{number}"] = reply and reply.code

    workers = [threading.Thread(target=send, args=(n,)) for n in range(4)]
    for thread in [killer, *workers]:
        thread.start()
    for thread in workers:
        thread.join()
    killer.is_over.set()
    killer.join()
    assert killer.killed >= KILLS, gate.tail()
    by_filter = {"how": "signal", "number": str(int(signal.SIGSYS))}
    assert not gate.matching("process.ended", by_filter)
    assert set(replies.values()) == {"250"}  # a judge that died is no reason to refuse
    results = {}
    for message in sink.accepted():
        field = re.match(rb"Authentication-Results: .*?\r\n(?=\S)", message.data, re.S)[0]
        for result in re.findall(rb"\b(?:spf|dkim)=\w+", field):
            results[result] = results.get(result, 0) + 1
    # The body hash of each is wrong; SPF of each sender is right, and HELO has no record.
    assert set(results) <= {b"spf=pass", b"spf=none", b"dkim=fail", b"spf=temperror",
                            b"dkim=temperror"}
    assert results[b"spf=pass"] > len(replies) / 2 and results[b"dkim=fail"] > len(replies) / 2


def test_a_gate_that_cannot_start_ends_the_parent(start_gate, gate_keys, sink):
    gate = Gate(os.environ.get("GATEPOST_BUILD", "build"), gate_keys,
                config.smtp_upstream([sink.address]))
    gate.set("domains[0].dkim[0].key", gate.folder + "/none.pem")
    gate.start(wait=False)
    assert gate.wait_exit() == 1
    assert "none.pem: open: No such file" in gate.tail()
    gate.remove()


def test_when_the_parent_is_killed_the_others_end(start_gate, gate_keys, sink):
    gate = Gate(os.environ.get("GATEPOST_BUILD", "build"), gate_keys,
                config.smtp_upstream([sink.address])).start()
    pids = gate.processes("gate") + gate.processes("keeper")
    assert len(pids) == 2
    os.kill(gate.process.pid, signal.SIGKILL)
    deadline = time.monotonic() + LIMIT_S
    while any(os.path.exists(f"/proc/{pid}") and status_of(pid)["State"][0] != "Z"
              for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    gate.wait_exit()
    gate.remove()


def test_all_in_a_single_process(start_gate, gate_keys, sink):
    gate = Gate(os.environ.get("GATEPOST_BUILD", "build"), gate_keys,
                config.smtp_upstream([sink.address]))
    gate.options = ["--single-process"]
    with gate:
        assert submit(gate, gate_keys, "one").code == "250"
        assert b"DKIM-Signature" in sink.accepted()[0].data
        assert not gate.processes("gate") and not gate.processes("keeper")
        assert gate.wait_for("gate.ready").fields["pid"] == str(gate.process.pid)


@pytest.fixture(name="roots_folder")
def fixture_roots_folder():
    with tempfile.TemporaryDirectory() as folder:
        yield folder


@as_root
def test_keys_that_only_root_can_read(start_gate, gate_keys, sink, roots_folder, own_user):
    for name in ("rsa", "ed25519"):
        shutil.copy(getattr(gate_keys, "dkim_" + name), f"{roots_folder}/{name}")
        os.chmod(f"{roots_folder}/{name}", 0o600)
    gate = start_gate(config.smtp_upstream([sink.address]), {
        **own_user,
        "domains": [{"name": "example.com", "dkim": [
            {"selector": name, "key": f"{roots_folder}/{name}"} for name in ("rsa", "ed25519")]}]})
    for _ in range(2):
        assert submit(gate, gate_keys, "signed").code == "250"
        gate.signal(signal.SIGHUP)  # the gate is nobody by now; whoever reads keys is not
        gate.wait_for("gate.reloaded", since=len(gate.lines) - 1)
    for message in sink.accepted():
        assert message.data.count(b"DKIM-Signature:") == 2


@as_root
def test_the_capabilities_of_the_unit_are_enough(start_gate, gate_keys, sink, own_user):
    with open("dist/gatepost.service", encoding="ascii") as file:
        wanted = re.search(r"^CapabilityBoundingSet=(.*)$", file.read(), re.M)[1].split()
    names = ",".join("+" + name.replace("CAP_", "").lower() for name in wanted)
    gate = Gate(os.environ.get("GATEPOST_BUILD", "build"), gate_keys,
                config.smtp_upstream([sink.address]))
    gate.before = ["setpriv", "--no-new-privs", f"--bounding-set=-all,{names}",
                   f"--inh-caps=-all,{names}"]
    for name, value in own_user.items():
        gate.set(name, value)
    with gate:
        assert submit(gate, gate_keys, "one").code == "250"
        for name in ("keeper", "gate"):  # each can be started again, by the parent alone
            pid, = gate.processes(name)
            os.kill(pid, signal.SIGKILL)
            gate.wait_for_process(name, [pid], LIMIT_S)
        gate.wait_for_process("keeper", [], LIMIT_S)
        parent = status_of(gate.process.pid)
        assert int(parent["CapBnd"], 16).bit_count() == len(wanted)
        gate.wait_for("gate.ready", {"pid": str(gate.processes("gate")[0])})
        assert submit(gate, gate_keys, "two").code == "250"
    for message in sink.accepted():
        assert message.data.count(b"DKIM-Signature:") == 2
