# SPDX-License-Identifier: MPL-2.0
"""Servers that people run, behind the gate: Postfix and aiosmtpd."""

import os
import smtplib
import ssl

import pytest

from harness import config
from harness.maildir import Maildir
from peers import Aiosmtpd, postfix_as_upstream
from test_clients import LOGIN, MESSAGE, PASSWORD

LIMIT_S = 60


def session_with(gate):
    session = smtplib.SMTP_SSL("localhost", gate.ports["submissions"], timeout=LIMIT_S,
                               context=ssl.create_default_context(cafile=gate.keys.ca))
    session.login(LOGIN, PASSWORD)
    return session


def is_below_added_fields(data, content):
    """data is content with whole header fields on top."""
    if not data.endswith(content):
        return False
    added = data[:len(data) - len(content)]
    return all(line[:1] in b" \t" or b":" in line for line in added.splitlines())


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="Postfix needs root")


@pytest.fixture
def postfix(tmp_path, gate_keys):
    server = postfix_as_upstream(tmp_path, f"""
smtpd_tls_security_level = may
smtpd_tls_cert_file = {gate_keys.upstream_certificate}
smtpd_tls_key_file = {gate_keys.upstream_key}
""")
    yield server
    server.stop()


def postfix_group(postfix, gate_keys, tls):
    return {"type": "smtp", "servers": [f"127.0.0.1:{postfix.port}"], "tls": tls,
            "tls_name": "mta.test", "ca_file": gate_keys.ca}


@needs_root
@pytest.mark.parametrize("tls", ["none", "opportunistic", "required"])
def test_postfix_takes_mail_of_the_gate(start_gate, postfix, gate_keys, tls):
    gate = start_gate(postfix_group(postfix, gate_keys, tls))
    with session_with(gate) as session:
        refused = session.sendmail(LOGIN, ["carol@example.net", "ghost@example.net"], MESSAGE)
    assert list(refused) == ["ghost@example.net"]
    assert refused["ghost@example.net"][0] == 550
    (data,) = postfix.delivered("carol")
    assert data.endswith(MESSAGE.replace(b"\r\n", b"\n"))
    done = gate.wait_for("msg.done")
    assert done.fields["queue_id"] and done.fields["queue_id"] in postfix.log()
    assert ("server_tls" in done.fields) == (tls != "none")


@needs_root
def test_postfix_restarts_between_messages(start_gate, postfix, gate_keys):
    """The warm connection is gone; the next message gets a new one, and nobody notices."""
    gate = start_gate(postfix_group(postfix, gate_keys, "none"))
    with session_with(gate) as session:
        session.sendmail(LOGIN, ["carol@example.net"], MESSAGE)
        for line in postfix.log().splitlines():
            if "smtpd[" in line:
                pid = int(line.split("smtpd[")[1].split("]")[0])
        os.kill(pid, 15)
        session.sendmail(LOGIN, ["carol@example.net"], MESSAGE)
    assert len(postfix.delivered("carol", 2)) == 2


@pytest.fixture
def aiosmtpd():
    server = Aiosmtpd()
    yield server
    server.stop()


def test_aiosmtpd_takes_mail_of_the_gate(start_gate, aiosmtpd):
    gate = start_gate(config.smtp_upstream([aiosmtpd.address]))
    with session_with(gate) as session:
        refused = session.sendmail(LOGIN, ["carol@example.net", "nobody@example.net"], MESSAGE)
    assert refused["nobody@example.net"] == (550, b"5.1.1 no such user, says aiosmtpd")
    ((sender, recipients, content),) = aiosmtpd.messages
    assert (sender, recipients) == (LOGIN, ["carol@example.net"])
    assert is_below_added_fields(content, MESSAGE)


def test_maildir_takes_mail_of_the_gate(start_gate, tmp_path):
    os.chmod(tmp_path, 0o755)
    gate = start_gate({"type": "smtp", "servers": ["127.0.0.1:9"]}, {
        "upstreams[0]": {"name": "mta", "type": "maildir", "maildir": "Maildir"}})
    with session_with(gate) as session:
        session.sendmail(LOGIN, ["carol@example.net"], MESSAGE)
    (data,) = Maildir(os.path.join(gate.folder, "Maildir")).wait_for(1)
    assert data.replace(b"\r\n", b"\n").endswith(MESSAGE.replace(b"\r\n", b"\n"))


@pytest.fixture
def strict_postfix(tmp_path, gate_keys):
    """Postfix that takes mail only from who shows a certificate of the authority."""
    server = postfix_as_upstream(tmp_path, f"""
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {gate_keys.upstream_certificate}
smtpd_tls_key_file = {gate_keys.upstream_key}
smtpd_tls_CAfile = {gate_keys.ca}
smtpd_tls_req_ccert = yes
smtpd_tls_loglevel = 1
""")
    yield server
    server.stop()


@needs_root
def test_postfix_demands_a_client_certificate(start_gate, strict_postfix, gate_keys):
    group = postfix_group(strict_postfix, gate_keys, "required")
    certificate, key = gate_keys.pair("app")
    gate = start_gate(dict(group, certificate=certificate, key=key))
    with session_with(gate) as session:
        session.sendmail(LOGIN, ["carol@example.net"], MESSAGE)
    (data,) = strict_postfix.delivered("carol")
    assert data.endswith(MESSAGE.replace(b"\r\n", b"\n"))
    strict_postfix.wait_log("Trusted TLS connection established")

    bare = start_gate(group)
    with session_with(bare) as session:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            session.sendmail(LOGIN, ["carol@example.net"], MESSAGE)
    assert refused.value.smtp_code == 451
    assert "behind the TLS handshake" in bare.wait_for("upstream.fail").fields["error"]


@needs_root
def test_postfix_is_told_who_the_client_is(start_gate, tmp_path):
    """XCLIENT: Postfix sees each client, and its login."""
    server = postfix_as_upstream(tmp_path, """
smtpd_authorized_xclient_hosts = 127.0.0.1
""")
    try:
        gate = start_gate({"type": "smtp", "servers": [f"127.0.0.1:{server.port}"],
                           "tls": "none", "xclient": True},
                          {"listeners[2].xclient_networks": ["127.0.0.1"]})
        with smtplib.SMTP("127.0.0.1", gate.ports["inbound"], timeout=LIMIT_S) as session:
            for number in (7, 8):
                session.ehlo("proxy.test")
                code, _ = session.docmd("XCLIENT", f"ADDR=192.0.2.{number} "
                                        f"NAME=mail{number}.example.org HELO=helo{number}.test")
                assert code == 220
                session.ehlo("proxy.test")
                session.sendmail("dave@example.org", ["carol@example.net"], MESSAGE)
        with session_with(gate) as session:
            session.sendmail(LOGIN, ["carol@example.net"], MESSAGE)
        mails = server.delivered("carol", 3)
        for number in (7, 8):
            wanted = f"from helo{number}.test (mail{number}.example.org [192.0.2.{number}])"
            assert sum(wanted.encode() in data for data in mails) == 1
        server.wait_log("client=mail8.example.org[192.0.2.8]")
        server.wait_log(f"sasl_username={LOGIN}")
        # Postfix takes XCLIENT once a connection: none goes from one client to the next.
        assert gate.wait_for("msg.done", {"client": "192.0.2.8"}).fields["connects"] == "1"
    finally:
        server.stop()
