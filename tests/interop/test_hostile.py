# SPDX-License-Identifier: MPL-2.0
"""Hostile clients on raw sockets: other protocols, talk at the wrong time, half-open handshakes,
clients that never read, that close half of their connection, or reset it, at every stage. Each
test ends with honest mail, and with nothing left over of the others."""

import os
import socket
import ssl
import struct

import pytest

from harness.client import Client, ClientError, Closed, insecure_context, proxy_v2
from hostile import LOGIN, PASSWORD, STAGES, Ward, wait_until

CROWD = 40


@pytest.fixture
def settings():
    """Of the gate's configuration; a test that needs others has them as a parameter."""
    return {}


@pytest.fixture
def ward(start_gate, sink, settings):
    there = Ward(start_gate, sink, settings)
    yield there
    there.check()


def client_hello():
    """The first octets of a real TLS client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = insecure_context().wrap_bio(incoming, outgoing, server_hostname="gate.test")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


RDP = b"\x03\x00\x00\x2a\x25\xe0\x00\x00\x00\x00\x00Cookie: mstshash=administr\r\n" \
    b"\x01\x00\x08\x00\x03\x00\x00\x00"
OTHERS = {
    "HTTP GET": b"GET / HTTP/1.1\r\nHost: gate.test\r\n\r\n",
    "HTTP POST with commands as its body":
        b"POST / HTTP/1.1\r\nHost: gate.test:25\r\nContent-Type: text/plain\r\n\r\n"
        b"EHLO evil.test\r\nMAIL FROM:<mallory@example.org>\r\nRCPT TO:<bob@example.net>\r\n"
        b"DATA\r\nSubject: x\r\n\r\nevil\r\n.\r\nQUIT\r\n",
    "HTTP PUT": b"PUT /x HTTP/1.1\r\nHost: gate.test\r\n\r\nMAIL FROM:<mallory@example.org>\r\n",
    "HTTP CONNECT": b"CONNECT gate.test:25 HTTP/1.1\r\nHost: gate.test:25\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": client_hello(),
    "RDP": RDP,
    "NULs": b"\0" * 600,
    "a line without end": b"x" * 70000,
    "bare LFs": b"EHLO evil.test\nMAIL FROM:<mallory@example.org>\n",
    "a header": b"From: mallory@example.org\n\nevil\n.\n",
}
SSH = b"SSH-2.0-OpenSSH_9.2p1\r\n" + struct.pack("!IB", 1000, 5) + b"\x14" + b"\0" * 994


def heard_until_closed(client):
    """Codes of the replies until the gate has closed."""
    codes = []
    try:
        while True:
            codes.append(client.reply().code)
    except Closed:
        return codes


@pytest.mark.parametrize("name", [*OTHERS, "SSH"])
def test_another_protocol_behind_the_greeting_ends_the_connection(ward, name):
    client = ward.client()
    assert client.reply().code == "220"
    send_all(client, OTHERS.get(name, SSH))
    codes = heard_until_closed(client)
    assert codes and set(codes) <= {"500", "554"}, codes
    assert not ward.hostile_messages()


@pytest.mark.parametrize("settings", [{"listeners[2].proxy_networks": ["127.0.0.1"]}])
@pytest.mark.parametrize("name", [*OTHERS, "SSH", "SMTP"])
def test_talk_before_the_greeting_ends_the_connection(ward, name):
    """In one segment with the PROXY header, so that it is there before the gate can greet."""
    smtp = b"EHLO evil.test\r\nMAIL FROM:<mallory@example.org>\r\nRCPT TO:<bob@example.net>\r\n" \
        b"DATA\r\nevil\r\n.\r\n"
    client = ward.client()
    send_all(client, proxy_v2("198.51.100.7") + {**OTHERS, "SSH": SSH, "SMTP": smtp}[name])
    assert heard_until_closed(client) == ["554"]
    assert not ward.hostile_messages()


@pytest.mark.parametrize("name", [name for name in OTHERS if name != "TLS"] + ["SSH"])
def test_what_is_no_tls_ends_a_connection_with_implicit_tls(ward, name):
    client = ward.client("submissions")
    send_all(client, OTHERS.get(name, SSH))
    said = client.read_to_end()
    # An alert of TLS, or nothing: no word of SMTP in clear.
    assert said == b"" or said[:2] == b"\x15\x03", said
    assert b"220 " not in said


def send_all(client, octets):
    """The gate may close before it has read them all."""
    try:
        client.send(octets)
    except Closed:
        pass


def tls_client(ward):
    client = ward.client("submission")
    assert client.reply().code == "220"
    client.expect("EHLO evil.test", "250")
    client.expect("STARTTLS", "220")
    client.start_tls()
    client.expect("EHLO evil.test", "250")
    return client


def test_commands_in_clear_behind_starttls_are_never_run(ward):
    client = ward.client("submission")
    assert client.reply().code == "220"
    client.expect("EHLO evil.test", "250")
    client.send(b"STARTTLS\r\nEHLO evil.test\r\nMAIL FROM:<mallory@example.org>\r\n")
    assert client.reply().code == "220"
    client.start_tls()
    # Nothing of it was answered: the first reply is to what came by TLS, and no EHLO is known.
    client.line("MAIL FROM:<alice@example.com>")
    assert client.reply().code in ("503", "530")
    client.close()
    ward.gate.wait_for("tls.injection")


def test_what_follows_auth_in_one_segment_is_a_response_or_a_command_of_its_own(ward):
    client = tls_client(ward)
    client.send(b"AUTH LOGIN\r\nMAIL FROM:<alice@example.com>\r\nNOOP\r\n")
    assert client.reply().code == "334"
    assert client.reply().code == "501"  # the response is not base64
    assert client.reply().code == "250"  # NOOP
    client.send(b"AUTH PLAIN AHgAeQ==\r\nMAIL FROM:<alice@example.com>\r\n")
    assert client.reply().code == "535"
    assert client.reply().code == "530"
    client.close()
    assert not ward.hostile_messages()


def test_what_follows_the_dot_in_one_segment_is_answered_behind_the_message(ward):
    client = ward.at("DATA")
    client.send(b"From: mallory@example.org\r\n\r\none\r\n.\r\n"
                b"MAIL FROM:<mallory@example.org>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n")
    assert [client.reply().code for _ in range(4)] == ["250", "250", "250", "354"]
    client.send(b"From: mallory@example.org\r\n\r\ntwo\r\n.\r\nQUIT\r\n")
    assert [client.reply().code for _ in range(2)] == ["250", "221"]
    client.close()
    bodies = [m.data.split(b"\r\n\r\n", 1)[1] for m in ward.hostile_messages()]
    assert bodies == [b"one\r\n", b"two\r\n"]


def test_content_in_one_segment_with_data_is_never_commands(ward):
    client = ward.at("RCPT")
    client.send(b"DATA\r\nMAIL FROM:<mallory@example.org>\r\n.\r\nNOOP\r\n")
    assert client.reply().code == "503"
    client.expect_closed()
    client.close()
    assert not ward.hostile_messages()


def test_half_open_handshakes_end_and_keep_nobody_waiting(ward):
    hello = client_hello()
    crowd = []
    for i in range(CROWD):
        client = ward.client("submissions")
        client.send(hello[:len(hello) * i // CROWD])
        crowd.append(client)
    for _ in range(CROWD):
        client = ward.client("submission")
        assert client.reply().code == "220"
        client.expect("EHLO evil.test", "250")
        client.expect("STARTTLS", "220")
        client.send(hello[:100])
        crowd.append(client)
    ward.send_honest()
    for client in crowd:
        assert b"220" not in client.read_to_end()
        client.close()


@pytest.mark.parametrize("listener", ["inbound", "submissions"])
@pytest.mark.parametrize("settings", [{"limits.commands": 1000000, "limits.errors": 100000}])
def test_replies_that_nobody_reads_are_bounded(ward, listener):
    """They pile up to a bound, then commands wait, then the connection is closed."""
    before = ward.rss_kb()
    crowd = []
    for _ in range(CROWD // 2):
        client = Client.__new__(Client)
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(10)
        sock.connect(("127.0.0.1", ward.gate.ports[listener]))
        client.sock, client.transcript, client.buffer = sock, [], b""
        client.context, client.server_name = insecure_context(), "gate.test"
        client.session = None
        if listener == "submissions":
            client.start_tls()
        assert client.reply().code == "220"  # who talks before it is sent away at once
        client.sock.settimeout(0.2)
        crowd.append(client)
    commands = b"HELP\r\nEHLO evil.test\r\nXYZZY\r\n" * 2000
    for client in crowd:
        for _ in range(20):
            try:
                client.sock.sendall(commands)
            except OSError:  # a time-out: it takes no more
                break
    ward.send_honest()
    # 64 KB of replies and 16 KB of commands a session, TLS's own buffers, and some room.
    if not ward.gate.is_sanitized:
        assert ward.rss_kb() - before < 200 * len(crowd) + 8000
    for _ in crowd:
        ward.gate.wait_for("session.end", {"reason": "timeout"}, limit_s=60)
    ended = ward.gate.matching
    wait_until(lambda: len(ended("session.end", {"reason": "timeout"})) >= len(crowd),
               "some go on", ward.gate)
    for client in crowd:
        client.close()


@pytest.mark.parametrize("stage", STAGES)
def test_a_client_that_closes_its_half(ward, stage):
    client = ward.at(stage)
    client.half_close()
    codes = heard_until_closed(client)
    client.close()
    if stage == "dot":
        assert codes == ["250"]
        assert len(ward.hostile_messages()) == 1
    else:
        assert "250" not in codes
        assert not ward.hostile_messages()
    # Content goes on to the upstream when it is whole.
    assert not ward.sink.cut


@pytest.mark.parametrize("stage", STAGES)
def test_a_client_that_resets_its_connection(ward, stage):
    for _ in range(CROWD // 4):
        ward.at(stage).reset()
    ward.check()
    if stage != "dot":
        assert not ward.hostile_messages()
    assert not ward.sink.cut


@pytest.mark.parametrize("octets", [0, 1, 5, 60, 200, -1])
def test_a_reset_within_the_handshake(ward, octets):
    hello = client_hello()
    for listener in ("submission", "submissions"):
        client = ward.client(listener)
        if listener == "submission":
            client.reply()
            client.expect("EHLO evil.test", "250")
            client.expect("STARTTLS", "220")
        client.send(hello if octets < 0 else hello[:octets])
        client.reset()


@pytest.mark.parametrize("words", ["AUTH PLAIN", "AUTH LOGIN", "AUTH PLAIN AHgAeQ==",
                                   "AUTH LOGIN YWxpY2VAZXhhbXBsZS5jb20="])
def test_a_reset_within_auth(ward, words):
    client = tls_client(ward)
    client.line(words)
    client.reset()


def test_a_reset_while_a_login_is_held_back(ward):
    for _ in range(CROWD // 4):
        client = tls_client(ward)
        client.line("AUTH PLAIN AHgAeQ==")
        client.line("AUTH PLAIN AHgAeg==")
        client.reset()
    ward.send_honest()


def test_tls_that_is_cut_or_goes_on_in_clear(ward):
    """Neither close_notify nor garbage is the end of a message; nothing is read in clear."""
    for tail in (b"", b"\r\n.\r\nQUIT\r\n", os.urandom(500)):
        client = ward.client("submissions")
        client.start_tls()
        assert client.reply().code == "220"
        client.expect("EHLO evil.test", "250")
        assert client.auth_plain(LOGIN, PASSWORD).code == "235"
        client.expect("MAIL FROM:<alice@example.com>", "250")
        client.expect("RCPT TO:<bob@example.net>", "250")
        client.expect("DATA", "354")
        client.send(b"From: alice@example.com\r\n\r\ncut\r\n")
        plain = socket.socket(fileno=os.dup(client.sock.fileno()))
        plain.settimeout(30)
        if tail:
            plain.sendall(tail)
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(65536):
            pass
        plain.close()
        client.close()
    assert not ward.hostile_messages()
    assert not ward.sink.cut


def test_a_client_that_only_drips_is_sent_away(ward):
    """Each octet comes in time; the whole line, handshake or message does not."""
    drips = [ward.at("greeted"), ward.at("half a header"), ward.client("submissions")]
    octets = [b"E", b"x", client_hello()[:1]]
    gone = set()
    for _ in range(200):
        for i, client in enumerate(drips):
            if i in gone:
                continue
            try:
                client.sock.settimeout(0.1)
                client.sock.sendall(octets[i])
                client.reply()
                gone.add(i)
            except Closed:
                gone.add(i)
            except (ClientError, OSError):
                pass
        if len(gone) == len(drips):
            break
    assert len(gone) == len(drips)
    for client in drips:
        client.close()
    assert not ward.hostile_messages()
