# SPDX-License-Identifier: MPL-2.0
"""A disk that loses a message's temporary file while the message is under way: its client hears
a temporary error, the upstream gets no final dot, and nobody else is hurt. The file is cut
behind the gate's back, which makes the kernel send the gate the same signal (SIGBUS)."""

import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from harness import config as cfg  # noqa: E402
from harness.client import Client, insecure_context  # noqa: E402
from harness.gate import Gate, owner_of_tests  # noqa: E402
from harness.keys import Keys  # noqa: E402
from harness.upstream import ScriptedUpstream  # noqa: E402

BUILD = str(ROOT / os.environ.get("GATEPOST_BUILD", "build"))
LOGIN, PASSWORD = "alice@example.com", "correct horse"
HEAD = b"From: alice@example.com\r\nTo: bob@example.net\r\nSubject: x\r\n\r\n"
BODY = b"0123456789abcde\r\n" * 40000
LIMIT_S = 30


@pytest.fixture(scope="module")
def certificates():
    folder = tempfile.mkdtemp(prefix="gatepost-keys-")
    os.chmod(folder, 0o755)
    yield Keys(folder, owner_of_tests())
    shutil.rmtree(folder)


def family(pid):
    """The process and those that it has started: one of them has the clients."""
    yield pid
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as children:
            for child in children.read().split():
                yield from family(int(child))


def temporary_files(pid):
    """Open descriptors of the gate's files without a name."""
    for member in family(pid):
        folder = f"/proc/{member}/fd"
        for name in os.listdir(folder):
            try:
                target = os.readlink(f"{folder}/{name}")
            except OSError:
                continue
            if "/state/tmp/" in target and target.endswith("(deleted)"):
                yield os.open(f"{folder}/{name}", os.O_RDWR)


class Session:
    def __init__(self, gate):
        self.client = Client(gate.ports["submissions"], context=insecure_context(),
                             limit_s=LIMIT_S)
        self.client.start_tls()
        self.client.reply()
        self.client.expect("EHLO client.test", "250")
        self.client.auth_plain(LOGIN, PASSWORD)

    def begin(self):
        self.client.expect("MAIL FROM:<alice@example.com>", "250")
        self.client.expect("RCPT TO:<bob@example.net>", "250")
        self.client.expect("DATA", "354")

    def send_all(self, content):
        self.begin()
        self.client.send(content + b".\r\n")
        return self.client.reply()


class Waiting(ScriptedUpstream):
    """Says when it has heard DATA, and answers once it may."""

    def __init__(self):
        self.heard, self.may = threading.Event(), threading.Event()
        super().__init__()

    def rule(self, stage):
        if stage == "DATA":
            self.heard.set()
            self.may.wait(LIMIT_S)
        return super().rule(stage)


def prepare(certificates, upstream):
    gate = Gate(BUILD, certificates, upstream)
    gate.set("limits.memory", "4K")
    gate.start()
    return gate


def lose(gate, session):
    """The message's content but for its end, and the temporary file that it is in."""
    session.begin()
    session.client.send(HEAD + BODY)
    for _ in range(200):
        files = list(temporary_files(gate.serving_pid))
        if files:
            return files[0]
        threading.Event().wait(0.05)
    raise AssertionError("the gate has no temporary file")


def finish(gate):
    try:
        gate.stop()
    finally:
        gate.kill()
        gate.remove()


def test_lost_before_it_is_sent(certificates):
    mta = Waiting()
    gate = prepare(certificates, cfg.smtp_upstream([mta.address]))
    try:
        session, other = Session(gate), Session(gate)
        file = lose(gate, session)
        session.client.send(b".\r\n")
        assert mta.heard.wait(LIMIT_S)  # the chain has seen it whole
        os.ftruncate(file, 8192)
        mta.may.set()
        reply = session.client.reply()
        assert (reply.code, reply.enhanced) == ("451", "4.3.0"), str(reply)
        assert other.send_all(HEAD + b"other\r\n").code == "250"
        assert session.send_all(HEAD + BODY).code == "250"  # the same client, once more
        assert mta.wait(lambda: len(mta.accepted()) == 2)
        gate.wait_for("upstream.fail", {"error": "*could not be read back*"})
    finally:
        mta.may.set()
        mta.stop()
        finish(gate)
