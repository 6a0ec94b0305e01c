# SPDX-License-Identifier: MPL-2.0
"""What an operator relies on, through the real binary: credentials proven at another server, the
log as JSON and by syslog, the service manager's notifications, IPv6, TLS resumption."""

import json
import os
import smtplib
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from harness import config as cfg  # noqa: E402
from harness.gate import Gate, owner_of_tests  # noqa: E402
from harness.keys import Keys  # noqa: E402
from harness.net import free_ports  # noqa: E402
from harness.upstream import ScriptedUpstream  # noqa: E402

BUILD = str(ROOT / os.environ.get("GATEPOST_BUILD", "build"))
LOGIN, PASSWORD = "alice@example.com", "correct horse"
MESSAGE = b"From: alice@example.com\r\nTo: bob@example.net\r\nSubject: x\r\n\r\nHi\r\n"
LIMIT_S = 30


@pytest.fixture(scope="module")
def certificates():
    import shutil
    import tempfile

    folder = tempfile.mkdtemp(prefix="gatepost-keys-")
    os.chmod(folder, 0o755)
    yield Keys(folder, owner_of_tests())
    shutil.rmtree(folder)


@pytest.fixture
def mta():
    upstream = ScriptedUpstream()
    yield upstream
    upstream.stop()


class Running:
    """A gate that is stopped, and must have stopped well, at the end of a with statement."""

    def __init__(self, certificates, mta, wait=True):
        self.gate = Gate(BUILD, certificates, cfg.smtp_upstream([mta.address]))
        self.wait = wait

    def __enter__(self):
        self.gate.start(wait=self.wait)
        return self.gate

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.gate.stop()
        finally:
            self.gate.kill()
            self.gate.remove()


def connect(gate, certificates, host="127.0.0.1", port=None):
    client = smtplib.SMTP_SSL(host, port or gate.ports["submissions"], timeout=LIMIT_S,
                              context=ssl.create_default_context(cafile=certificates.ca))
    client.ehlo("client.test")
    return client


def use_upstream_backend(running, certificates, address, **more):
    running.gate.config["auth"]["backends"] = [dict({
        "type": "upstream", "server": address, "tls": "starttls", "tls_name": "mta.test",
        "ca_file": certificates.ca, "timeout": "2s"}, **more)]


def code_of(client, login, password):
    try:
        return client.login(login, password)[0]
    except smtplib.SMTPAuthenticationError as error:
        return error.smtp_code


@pytest.fixture
def authority(certificates):
    """The existing server that knows the passwords."""
    server = ScriptedUpstream(certificates, login=(LOGIN, PASSWORD), starttls=True)
    yield server
    server.stop()


def test_credentials_are_proven_at_the_existing_server(certificates, mta, authority):
    running = Running(certificates, mta)
    use_upstream_backend(running, certificates, authority.address)
    with running as gate:
        with connect(gate, certificates) as client:
            assert code_of(client, LOGIN, PASSWORD) == 235
            client.sendmail(LOGIN, ["bob@example.net"], MESSAGE)
            # Without a patterns file the login itself is all it may send as.
            with pytest.raises(smtplib.SMTPSenderRefused) as refused:
                client.sendmail("bob@example.com", ["bob@example.net"], MESSAGE)
            assert refused.value.smtp_code == 550
        proven = authority.connections
        with connect(gate, certificates) as client:  # remembered: nobody is asked again
            assert code_of(client, LOGIN, PASSWORD) == 235
        assert authority.connections == proven
        with connect(gate, certificates) as client:
            assert code_of(client, LOGIN, "a wrong one") == 535
        assert not [line for line in gate.lines if PASSWORD in line or "a wrong one" in line]
    assert len(mta.accepted()) == 1


def test_a_blocked_login_is_not_tried_at_the_existing_server(certificates, mta, authority):
    running = Running(certificates, mta)
    use_upstream_backend(running, certificates, authority.address)
    running.gate.set("auth.penalties", {"delay": "0s", "max_delay": "0s", "login_guesses": 2})
    with running as gate:
        # smtplib tries each by PLAIN and by LOGIN; the second one is blocked in between.
        for password, code in (("wrong", 535), ("wronger", 454)):
            with connect(gate, certificates) as client:
                assert code_of(client, LOGIN, password) == code
        gate.wait_for("auth.block", {"login": LOGIN, "scope": "login"})
        asked = authority.connections
        with connect(gate, certificates) as client:
            assert code_of(client, LOGIN, PASSWORD) == 454
        assert authority.connections == asked
        gate.wait_for("auth.blocked", {"login": LOGIN})


def test_a_patterns_file_says_what_a_proven_login_may_send_as(certificates, mta, authority):
    running = Running(certificates, mta)
    path = running.gate.write_file("patterns", f"{LOGIN}:sales@example.com,*@alice.example.com\n")
    use_upstream_backend(running, certificates, authority.address, patterns=path)
    with running as gate, connect(gate, certificates) as client:
        assert code_of(client, LOGIN, PASSWORD) == 235
        assert client.mail("sales@example.com")[0] == 250
        client.rset()
        assert client.mail("any@alice.example.com")[0] == 250
        client.rset()
        assert client.mail("eve@example.com")[0] == 550


def test_a_server_that_is_down_is_no_wrong_password(certificates, mta):
    running = Running(certificates, mta)
    use_upstream_backend(running, certificates, f"127.0.0.1:{free_ports(1)[0]}")
    with running as gate, connect(gate, certificates) as client:
        assert code_of(client, LOGIN, PASSWORD) == 454


def test_a_server_that_hangs_is_no_wrong_password(certificates, mta, authority):
    authority.on("AUTH", "hang")
    running = Running(certificates, mta)
    use_upstream_backend(running, certificates, authority.address)
    with running as gate, connect(gate, certificates) as client:
        assert code_of(client, LOGIN, PASSWORD) == 454


def test_a_wrong_certificate_gets_no_password(certificates, mta):
    server = ScriptedUpstream(certificates, login=(LOGIN, PASSWORD), starttls=True,
                              certificate=(certificates.other_certificate, certificates.other_key))
    running = Running(certificates, mta)
    use_upstream_backend(running, certificates, server.address)
    try:
        with running as gate, connect(gate, certificates) as client:
            assert code_of(client, LOGIN, PASSWORD) == 454
        assert not [line for _, line in server.commands if "AUTH" in str(line)]
    finally:
        server.stop()


def test_the_next_backend_is_asked(certificates, mta, authority):
    """Users of the file and of the server side by side."""
    running = Running(certificates, mta)
    file_backend = running.gate.config["auth"]["backends"][0]
    use_upstream_backend(running, certificates, authority.address)
    running.gate.config["auth"]["backends"].insert(0, file_backend)
    running.gate.users = {"carol@example.com": ("tea for two", "")}
    with running as gate:
        for login, password, code in ((LOGIN, PASSWORD, 235), ("carol@example.com", "tea for two", 235),
                                      ("carol@example.com", "coffee", 535)):
            with connect(gate, certificates) as client:
                assert code_of(client, login, password) == code


def test_the_log_as_json(certificates, mta):
    running = Running(certificates, mta, wait=False)
    running.gate.config["log"]["format"] = "json"
    with running as gate:
        deadline = time.monotonic() + LIMIT_S
        while not any('"gate.ready"' in line for line in gate.lines) and time.monotonic() < deadline:
            time.sleep(0.05)
        with connect(gate, certificates) as client:
            assert code_of(client, LOGIN, PASSWORD) == 235
            client.sendmail(LOGIN, ["bob@example.net"], MESSAGE)
    events = [json.loads(line) for line in gate.lines]
    done = [event for event in events if event["event"] == "msg.done"]
    assert len(done) == 1
    assert done[0]["result"] == "delivered" and done[0]["login"] == LOGIN
    assert done[0]["from"] == LOGIN and done[0]["rcpts"] == 1 and done[0]["level"] == "info"


def test_the_service_manager_is_told(certificates, mta):
    running = Running(certificates, mta)
    path = os.path.join(running.gate.folder, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        os.chmod(path, 0o666)
        manager.settimeout(LIMIT_S)
        running.gate.environment["NOTIFY_SOCKET"] = path
        with running:
            assert manager.recv(100) == b"READY=1"
        assert manager.recv(100) == b"STOPPING=1"


def test_listening_on_ipv6(certificates, mta):
    running = Running(certificates, mta)
    port = free_ports(1)[0]
    running.gate.config["listeners"].append(
        {"listen": f"[::1]:{port}", "role": "submission", "tls": "implicit"})
    with running as gate:
        with connect(gate, certificates, "::1", port) as client:
            assert code_of(client, LOGIN, PASSWORD) == 235
            client.sendmail(LOGIN, ["bob@example.net"], MESSAGE)
        assert gate.wait_for("msg.done").fields["client"] == "::1"
    assert b"([IPv6:::1]) by gate.test" in mta.accepted()[0].data.replace(b"\r\n\t", b" ")


# A /dev of its own for the gate, with our socket as its log: syslog(3) knows one place only.
OWN_DEV = """#!/bin/sh
set -e
mkdir -p '{folder}/dev'
mount -t tmpfs none '{folder}/dev'
for name in null zero random urandom log; do : >"{folder}/dev/$name"; done
for name in null zero random urandom; do mount --bind "/dev/$name" "{folder}/dev/$name"; done
mount --bind '{folder}/log' '{folder}/dev/log'
mount --rbind '{folder}/dev' /dev
exec '{binary}' "$@"
"""


def may_unshare():
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not may_unshare(), reason="needs root, for a mount namespace")
def test_the_log_by_syslog(certificates, mta):
    running = Running(certificates, mta, wait=False)
    gate = running.gate
    gate.config["log"]["target"] = "syslog"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(os.path.join(gate.folder, "log"))
        os.chmod(os.path.join(gate.folder, "log"), 0o666)
        syslog.settimeout(LIMIT_S)
        inner = gate.write_file("own-dev", OWN_DEV.format(folder=gate.folder, binary=gate.binary), 0o755)
        gate.binary = gate.write_file("gate", f"#!/bin/sh\nexec unshare --mount '{inner}' \"$@\"\n", 0o755)
        with running:
            lines = [syslog.recv(9000).decode()]
            while "event=gate.ready" not in lines[-1]:
                lines.append(syslog.recv(9000).decode())
            with connect(gate, certificates) as client:
                assert code_of(client, LOGIN, PASSWORD) == 235
                client.sendmail(LOGIN, ["bob@example.net"], MESSAGE)
            while "event=msg.done" not in lines[-1]:
                lines.append(syslog.recv(9000).decode())
    # Facility mail (2), severity informational (6); time and process are the daemon's affair.
    assert lines[-1].startswith(f"<{2 * 8 + 6}>") and " gatepost[" in lines[-1]
    assert f"login={LOGIN}" in lines[-1] and "result=delivered" in lines[-1]
    assert not [line for line in gate.lines if "event=msg.done" in line]


def resumes(port, certificates, session):
    """Whether a TLS session is taken up again, and the session to offer the next time."""
    context = ssl.create_default_context(cafile=certificates.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # its tickets come within the handshake
    with socket.create_connection(("127.0.0.1", port), LIMIT_S) as plain:
        if session is not None:
            context = session[0]
        with context.wrap_socket(plain, server_hostname="localhost",
                                 session=session[1] if session else None) as tls:
            assert tls.recv(100).startswith(b"220 ")
            return tls.session_reused, (context, tls.session)


def test_tls_sessions_resume_over_a_reload_but_not_at_another_listener(certificates, mta):
    running = Running(certificates, mta)
    other = free_ports(1)[0]
    running.gate.config["listeners"].append(
        {"listen": f"127.0.0.1:{other}", "role": "submission", "tls": "implicit"})
    with running as gate:
        port = gate.ports["submissions"]
        reused, session = resumes(port, certificates, None)
        assert not reused
        assert resumes(port, certificates, session)[0]
        gate.signal(signal.SIGHUP)
        gate.wait_for("gate.reloaded")
        assert resumes(port, certificates, session)[0]
        assert not resumes(other, certificates, session)[0]
