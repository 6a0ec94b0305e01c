# SPDX-License-Identifier: MPL-2.0
"""Real disks that are full, in a mount namespace of the gate's own: 452 4.3.1, nothing left behind,
and mail again when there is room. (tests/fault has the same for each single write.)"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from harness import config as cfg  # noqa: E402
from harness.client import Client, dot_stuff  # noqa: E402
from harness.dialog import generated  # noqa: E402
from harness.gate import Gate, owner_of_tests  # noqa: E402
from harness.keys import Keys  # noqa: E402
from harness.upstream import ScriptedUpstream  # noqa: E402

BUILD = str(ROOT / os.environ.get("GATEPOST_BUILD", "build"))
DISK = 1 << 20
SMALL, MIDDLE, LARGE = 5000, 600000, 3000000  # octets: in memory; on the disk; more than it takes

SMALL_DISK = """#!/bin/sh
set -e
mkdir -p '{mount}'
mount -t tmpfs -o size={size},uid={uid},gid={gid},mode=755 none '{mount}'
exec '{binary}' "$@"
"""


def may_mount():
    return os.geteuid() == 0 and subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"],
        capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not may_mount(), reason="needs root, for a mount namespace")


class OnSmallDisk:
    """A gate for which the folder `part` of its folder is a disk of one megabyte."""

    def __init__(self, keys, upstream, part):
        self.gate = Gate(BUILD, keys, upstream)
        self.part = part
        owner = os.stat(keys.gate_key)
        mount = os.path.join(self.gate.folder, part)
        inner = self.gate.write_file("small-disk", SMALL_DISK.format(
            mount=mount, size=DISK, uid=owner.st_uid, gid=owner.st_gid,
            binary=self.gate.binary), 0o755)
        self.gate.binary = self.gate.write_file(
            "gate", f"#!/bin/sh\nexec unshare --mount '{inner}' \"$@\"\n", 0o755)
        self.gate.set("limits.memory", "64K")

    def path(self, *names):
        """As the gate has it."""
        return os.path.join(f"/proc/{self.gate.process.pid}/root{self.gate.folder}", self.part, *names)

    def used(self):
        disk = os.statvfs(self.path())
        return (disk.f_blocks - disk.f_bfree) * disk.f_bsize

    def __enter__(self):
        self.gate.start()
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.gate.stop()
        finally:
            self.gate.kill()
            self.gate.remove()


class OnSmallDiskMaildir(OnSmallDisk):
    def __init__(self, keys, upstream, part):
        super().__init__(keys, upstream, part)
        self.gate.set("upstreams[0].maildir", os.path.join(self.gate.folder, part, "box"))


class Sender:
    def __init__(self, gate):
        self.client = Client(gate.ports["inbound"])
        self.client.reply()
        self.client.expect("EHLO client.test", "250")

    def send(self, octets):
        self.client.expect("MAIL FROM:<alice@example.com>", "250")
        self.client.expect("RCPT TO:<bob@example.net>", "250")
        self.client.expect("DATA", "354")
        content = generated(octets)
        self.client.send(dot_stuff(content))
        reply = self.client.reply()
        return f"{reply.code} {reply.enhanced}", content


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    for path in (folder, folder.parent, folder.parent.parent):
        os.chmod(path, 0o755)
    return Keys(str(folder / "keys"), owner_of_tests())


@pytest.fixture
def mta():
    upstream = ScriptedUpstream()
    yield upstream
    upstream.stop()


def test_no_room_for_messages_under_way(keys, mta):
    with OnSmallDisk(keys, cfg.smtp_upstream([mta.address]), "state") as running:
        at_rest = running.used()
        sender = Sender(running.gate)
        assert sender.send(LARGE)[0] == "452 4.3.1"
        # The session lives, what fits into memory goes, and the disk is empty again.
        assert sender.send(SMALL)[0].startswith("250")
        reply, content = sender.send(MIDDLE)
        assert reply.startswith("250")
        assert [m.data.endswith(content) for m in mta.accepted()] == [False, True]
        assert mta.cut == [] and mta.problems == []
        sender.client.close()
        running.gate.wait_for("session.end")
        assert running.used() == at_rest
        assert running.gate.wait_for("msg.not_stored").fields["id"]


def test_no_room_in_the_maildir(keys):
    with OnSmallDiskMaildir(keys, cfg.maildir_upstream(""), "mail") as running:
        sender = Sender(running.gate)
        assert sender.send(MIDDLE)[0].startswith("250")
        assert sender.send(MIDDLE)[0] == "452 4.3.1"
        new = os.listdir(running.path("box", "new"))
        assert len(new) == 1 and os.listdir(running.path("box", "tmp")) == []
        reply, _ = sender.send(SMALL)
        assert reply.startswith("250")
        # Somebody makes room.
        os.unlink(running.path("box", "new", new[0]))
        reply, content = sender.send(MIDDLE)
        assert reply.startswith("250")
        largest = max((Path(running.path("box", "new")) / name
                       for name in os.listdir(running.path("box", "new"))),
                      key=lambda path: path.stat().st_size)
        assert largest.read_bytes().endswith(content)
        assert os.listdir(running.path("box", "tmp")) == []
        assert running.gate.wait_for("upstream.fail").fields["reason"] == "io"
