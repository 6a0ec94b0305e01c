# SPDX-License-Identifier: MPL-2.0
"""Private keys of certificates that the serving user cannot read on disk: they are read as root
at the start, and outlive reloads and renewals of the certificate."""

import os
import shutil
import signal
import ssl
import subprocess

import pytest

from harness import config

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start it as root")


class Private:
    """A folder of root's, with the gate's key and its certificate beside it."""

    def __init__(self, folder, keys):
        self.folder = os.path.join(folder, "private")
        os.mkdir(self.folder, 0o700)
        self.key = shutil.copy(keys.gate_key, self.folder)
        os.chmod(self.key, 0o600)
        self.certificate = shutil.copy(keys.gate_certificate, os.path.join(folder, "public.pem"))
        os.chmod(self.certificate, 0o644)

    def renew(self, *how):
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=renewed",
                        *how, "-out", self.certificate], check=True, stderr=subprocess.DEVNULL)


def served(gate):
    """The certificate, as it comes over the wire."""
    return ssl.get_server_certificate(("127.0.0.1", gate.ports["submissions"]))


def reload(gate, event):
    since = len(gate.lines)
    gate.signal(signal.SIGHUP)
    return gate.wait_for(event, since=since)


@pytest.fixture(name="private")
def fixture_private(tmp_path, gate_keys):
    for path in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        os.chmod(path, 0o755)
    return Private(str(tmp_path), gate_keys)


@pytest.fixture(name="running")
def fixture_running(start_gate, sink, private):
    return start_gate(config.smtp_upstream([sink.address]), {
        "tls": {"certificate": private.certificate, "key": private.key}})


def test_a_reload_goes_on_with_the_key_of_the_start(running):
    before = served(running)
    reload(running, "gate.reloaded")
    assert served(running) == before


def test_a_renewed_certificate_of_the_same_key_is_taken(running, private):
    before = served(running)
    private.renew("-key", private.key)
    reload(running, "gate.reloaded")
    assert served(running) != before


def test_a_new_key_that_cannot_be_read_needs_a_restart(running, private):
    before = served(running)
    private.renew("-newkey", "rsa:2048", "-keyout", private.key)
    os.chmod(private.key, 0o600)
    text = reload(running, "gate.reload_failed").fields["text"]
    assert f"restart: this user may not read {private.key}, and the key" in text
    assert served(running) == before
    running.stop()
    running.start()
    assert served(running) != before


def test_a_key_at_another_path_was_never_read(running, private):
    other = os.path.join(private.folder, "other.key")
    shutil.copy(private.key, other)
    os.chmod(other, 0o600)
    running.set("tls.key", other)
    running.write_config()
    assert "Permission denied" in reload(running, "gate.reload_failed").fields["text"]
