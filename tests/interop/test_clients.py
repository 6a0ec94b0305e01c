# SPDX-License-Identifier: MPL-2.0
"""Clients that people use, through the gate: the message arrives, signed; wrong passwords and
foreign senders are refused, and the client says so."""

import os
import smtplib
import ssl
import subprocess

import pytest

from dkim_tools import verify_dkimpy
from harness.config import USERS, smtp_upstream
from peers import postfix_as_client

LOGIN = "alice@example.com"
PASSWORD = USERS[LOGIN][0]
LIMIT_S = 60
MESSAGE = (b"From: Alice <alice@example.com>\r\nTo: carol@example.net\r\nSubject: from a client\r\n"
           b"Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <c1@example.com>\r\n\r\n"
           b"Hello.\r\n.one dot\r\n..two dots\r\n")


def run(command, data=None, env=None):
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=LIMIT_S, check=False, env=env)


def assert_arrived(sink, keys, text):
    assert sink.wait(lambda: len(sink.accepted()) == 1)
    message = sink.accepted()[0]
    assert message.sender.startswith("FROM:<alice@example.com>")
    assert [r.split(">")[0] for r in message.recipients] == ["TO:<carol@example.net"]
    assert text in message.data
    verdicts = verify_dkimpy(message.data, keys.dkim_records())
    assert [v.result for v in verdicts] == ["pass", "pass"], verdicts


SWAKS_WAYS = {
    "STARTTLS, PLAIN": ("submission", ["--tls", "--auth", "PLAIN"]),
    "STARTTLS, LOGIN": ("submission", ["--tls", "--auth", "LOGIN"]),
    "implicit TLS, PLAIN": ("submissions", ["--tlsc", "--auth", "PLAIN"]),
    "pipelining": ("submission", ["--tls", "--auth", "PLAIN", "--pipeline"]),
}


def swaks(gate, way, password=PASSWORD, sender=LOGIN):
    listener, options = SWAKS_WAYS[way]
    return run(["swaks", "--server", f"127.0.0.1:{gate.ports[listener]}", *options,
                "--auth-user", LOGIN, "--auth-password", password, "--tls-verify",
                "--tls-ca-path", gate.keys.ca, "--from", sender, "--to", "carol@example.net",
                "--body", "Hello from swaks."])


@pytest.mark.parametrize("way", SWAKS_WAYS)
def test_swaks_submits(gate, sink, gate_keys, way):
    done = swaks(gate, way)
    assert done.returncode == 0, done.stdout.decode()
    assert_arrived(sink, gate_keys, b"Hello from swaks.")


def test_swaks_is_refused_with_a_wrong_password(gate, sink):
    done = swaks(gate, "STARTTLS, PLAIN", password="wrong")
    assert done.returncode == 28, done.stdout.decode()  # swaks: authentication error
    assert b"535 5.7.8" in done.stdout
    assert not sink.messages


def test_swaks_is_refused_as_somebody_else(gate, sink):
    done = swaks(gate, "STARTTLS, PLAIN", sender="bob@example.com")
    assert done.returncode == 23, done.stdout.decode()  # swaks: error at MAIL
    assert b"550 5.7.1" in done.stdout and b"bob@example.com" in done.stdout
    assert not sink.messages


def test_swaks_as_a_proxy(start_gate, sink):
    """XCLIENT, as swaks says it: the gate sees its client."""
    gate = start_gate(smtp_upstream([sink.address]),
                      {"listeners[2].xclient_networks": ["127.0.0.1"]})
    done = run(["swaks", "--server", f"127.0.0.1:{gate.ports['inbound']}", "--from",
                "dave@example.org", "--to", "carol@example.net", "--xclient-addr", "192.0.2.7",
                "--xclient-name", "mail.example.org", "--xclient-helo", "helo.example.org",
                "--xclient-proto", "ESMTP", "--xclient-port", "4711"])
    assert done.returncode == 0, done.stdout.decode()
    fields = gate.wait_for("msg.done").fields
    assert (fields["client"], fields["helo"]) == ("192.0.2.7", "helo.example.org")
    assert b"Received: from helo.example.org ([192.0.2.7]" in sink.accepted()[0].data


CURL_WAYS = {
    "STARTTLS": ("smtp://127.0.0.1:{submission}", ["--ssl-reqd"]),
    "implicit TLS": ("smtps://127.0.0.1:{submissions}", []),
}


def curl(gate, way, tmp_path, password=PASSWORD):
    url, options = CURL_WAYS[way]
    path = tmp_path / "message"
    path.write_bytes(MESSAGE)
    return run(["curl", "-sS", url.format(**gate.ports), *options, "--cacert", gate.keys.ca,
                "--user", f"{LOGIN}:{password}", "--mail-from", LOGIN,
                "--mail-rcpt", "carol@example.net", "--upload-file", str(path)])


@pytest.mark.parametrize("way", CURL_WAYS)
def test_curl_submits(gate, sink, gate_keys, tmp_path, way):
    done = curl(gate, way, tmp_path)
    assert done.returncode == 0, done.stdout.decode()
    assert_arrived(sink, gate_keys, MESSAGE)


def test_curl_is_refused_with_a_wrong_password(gate, sink, tmp_path):
    done = curl(gate, "STARTTLS", tmp_path, password="wrong")
    assert done.returncode == 67, done.stdout.decode()  # curl: login denied
    assert not sink.messages


MSMTP_WAYS = {
    "STARTTLS, PLAIN": ("submission", ["--tls-starttls=on", "--auth=plain"]),
    "implicit TLS, LOGIN": ("submissions", ["--tls-starttls=off", "--auth=login"]),
}


@pytest.mark.parametrize("way", MSMTP_WAYS)
def test_msmtp_submits(gate, sink, gate_keys, way):
    listener, options = MSMTP_WAYS[way]
    done = run(["msmtp", "--file=/dev/null", "--host=127.0.0.1", f"--port={gate.ports[listener]}",
                "--tls=on", *options, f"--tls-trust-file={gate.keys.ca}", f"--user={LOGIN}",
                f"--passwordeval=echo {PASSWORD}", f"--from={LOGIN}", "carol@example.net"],
               data=MESSAGE.replace(b"\r\n", b"\n"),
               env=dict(os.environ, HOME="/nonexistent"))
    assert done.returncode == 0, done.stdout.decode()
    assert_arrived(sink, gate_keys, b"..two dots\r\n")


@pytest.mark.parametrize("way", sorted(MSMTP_WAYS))
def test_msmtp_submits_with_a_certificate(start_gate, sink, gate_keys, tmp_path, way):
    """EXTERNAL: no password at all."""
    listener, options = MSMTP_WAYS[way]
    index = {"submission": 0, "submissions": 1}[listener]
    gate = start_gate(smtp_upstream([sink.address]), {
        f"listeners[{index}].client_certificates": "required",
        f"listeners[{index}].client_ca_file": gate_keys.ca})
    certificate, key = gate_keys.pair("alice")
    own_key = tmp_path / "key.pem"
    with open(key, "rb") as file:
        own_key.write_bytes(file.read())
    own_key.chmod(0o600)
    done = run(["msmtp", "--file=/dev/null", "--host=127.0.0.1", f"--port={gate.ports[listener]}",
                "--tls=on", *options, f"--tls-trust-file={gate_keys.ca}", "--auth=external",
                f"--user={LOGIN}", f"--tls-cert-file={certificate}", f"--tls-key-file={own_key}",
                f"--from={LOGIN}", "carol@example.net"],
               data=MESSAGE.replace(b"\r\n", b"\n"),
               env=dict(os.environ, HOME="/nonexistent"))
    assert done.returncode == 0, done.stdout.decode()
    assert_arrived(sink, gate_keys, b"..two dots\r\n")
    assert gate.wait_for("msg.done").fields["mech"] == "EXTERNAL"


def smtplib_session(gate, way):
    context = ssl.create_default_context(cafile=gate.keys.ca)
    if way == "implicit TLS":
        return smtplib.SMTP_SSL("localhost", gate.ports["submissions"], timeout=LIMIT_S,
                                context=context)
    session = smtplib.SMTP("localhost", gate.ports["submission"], timeout=LIMIT_S)
    session.starttls(context=context)
    return session


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("way", ["STARTTLS", "implicit TLS"])
def test_smtplib_submits(gate, sink, gate_keys, way, mechanism):
    with smtplib_session(gate, way) as session:
        session.ehlo()
        session.user, session.password = LOGIN, PASSWORD
        method = {"PLAIN": session.auth_plain, "LOGIN": session.auth_login}[mechanism]
        session.auth(mechanism, method)
        session.sendmail(LOGIN, ["carol@example.net"], MESSAGE)
    assert_arrived(sink, gate_keys, MESSAGE)


def test_smtplib_hears_each_refusal(gate, sink):
    with smtplib_session(gate, "STARTTLS") as session:
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            session.login(LOGIN, "wrong")
        assert refused.value.smtp_code == 535
    with smtplib_session(gate, "STARTTLS") as session:
        session.login(LOGIN, PASSWORD)
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            session.sendmail("bob@example.com", ["carol@example.net"], MESSAGE)
        assert refused.value.smtp_code == 550
        with pytest.raises(smtplib.SMTPDataError) as refused:
            session.sendmail(LOGIN, ["carol@example.net"], MESSAGE.replace(b"alice@", b"bob@"))
        assert refused.value.smtp_code == 550
    assert not sink.messages


@pytest.mark.skipif(os.geteuid() != 0, reason="Postfix needs root")
def test_postfix_relays_through_the_gate(gate, sink, gate_keys, tmp_path):
    postfix = postfix_as_client(tmp_path, gate, gate_keys.ca, LOGIN, PASSWORD)
    try:
        with smtplib.SMTP("127.0.0.1", postfix.port, timeout=LIMIT_S) as session:
            session.sendmail(LOGIN, ["carol@example.net"], MESSAGE)
        postfix.wait_log("status=sent")
        assert_arrived(sink, gate_keys, b"..two dots\r\n")
        assert "250 2.0.0" in postfix.log()
    finally:
        postfix.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="Postfix needs root")
def test_postfix_bounces_what_the_gate_refuses(gate, sink, gate_keys, tmp_path):
    postfix = postfix_as_client(tmp_path, gate, gate_keys.ca, LOGIN, PASSWORD)
    try:
        with smtplib.SMTP("127.0.0.1", postfix.port, timeout=LIMIT_S) as session:
            session.sendmail("bob@example.com", ["carol@example.net"], MESSAGE)
        postfix.wait_log("status=bounced")
        assert "550 5.7.1" in postfix.log()
        assert not sink.accepted()
    finally:
        postfix.stop()
