# SPDX-License-Identifier: MPL-2.0
"""Extensions of SMTP from a client through the gate into a real Postfix: CHUNKING, DSN, SMTPUTF8."""

import os

import pytest

from harness import config
from harness.client import Client
from peers import postfix_as_upstream

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="Postfix needs root")

LOGIN, PASSWORD = "relay", config.USERS["relay"][0]
# Mail to dave is told of to carol. The double braces are one in main.cf.
SETTINGS = """
smtputf8_enable = yes
virtual_mailbox_maps = inline:{{ carol@example.net=carol/, dave@example.net=dave/,
    zoë@example.net=zoe/ }}
"""


@pytest.fixture
def postfix(tmp_path):
    server = postfix_as_upstream(tmp_path, SETTINGS)
    yield server
    server.stop()


@pytest.fixture
def client(start_gate, postfix):
    """Logged in, where the gate has heard what Postfix offers."""
    gate = start_gate(config.smtp_upstream([f"127.0.0.1:{postfix.port}"]),
                      {"submission.chain": ["identity"]})
    for _ in range(2):
        session = Client(gate.ports["submissions"])
        session.start_tls()
        assert session.reply().code == "220"
        offer = session.expect("EHLO client.test", "250").lines
        assert session.auth_plain(LOGIN, PASSWORD).code == "235"
        session.expect("MAIL FROM:<carol@example.net>", "250")
        session.expect("RSET", "250")
    assert {"CHUNKING", "DSN", "SMTPUTF8", "8BITMIME"} <= set(offer)
    session.gate = gate
    yield session
    session.close()


def chunks(session, *pieces):
    for i, piece in enumerate(pieces, 1):
        last = b" LAST" if i == len(pieces) else b""
        session.send(b"BDAT %d%s\r\n%s" % (len(piece), last, piece))
    return [session.reply().code for _ in pieces]


# Postfix adds what is missing.
TRACE = b"Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <chunks@example.net>\r\n"
HEADER = b"From: carol@example.net\r\nTo: dave@example.net\r\nSubject: Chunks\r\n" + TRACE + b"\r\n"


def test_chunks_arrive_as_they_were(client, postfix):
    body = b".one dot\r\n..\r\n.\r\nMAIL FROM:<eve@example.net>\r\n"
    client.expect("MAIL FROM:<carol@example.net>", "250")
    client.expect("RCPT TO:<dave@example.net>", "250")
    content = HEADER + body
    assert chunks(client, content[:30], content[30:-3], b"", content[-3:]) == ["250"] * 4
    (data,) = postfix.delivered("dave")
    assert data.endswith(content.replace(b"\r\n", b"\n"))
    assert client.gate.wait_for("msg.done").fields["queue_id"] in postfix.log()


def test_a_large_message_in_chunks(client, postfix):
    line = b"." + b"0123456789abcdef" * 4 + b"\r\n"
    content = HEADER + line * 40000
    client.expect("MAIL FROM:<carol@example.net>", "250")
    client.expect("RCPT TO:<dave@example.net>", "250")
    pieces = [content[i:i + 99999] for i in range(0, len(content), 99999)]
    assert set(chunks(client, *pieces)) == {"250"}
    (data,) = postfix.delivered("dave")
    assert data.endswith(content.replace(b"\r\n", b"\n"))


def test_notification_parameters_reach_postfix(client, postfix):
    """Postfix tells carol that dave has it: by the envelope id and recipient that she named."""
    client.expect("MAIL FROM:<carol@example.net> RET=HDRS ENVID=nr+2B1+20of+201", "250")
    client.expect("RCPT TO:<dave@example.net> NOTIFY=SUCCESS ORCPT=rfc822;David+2BX@example.net",
                  "250")
    assert chunks(client, HEADER + b"The body\r\n") == ["250"]
    (told,) = postfix.delivered("carol")
    assert b"Original-Envelope-Id: nr+1 of 1\n" in told
    assert b"Original-Recipient: rfc822;David+X@example.net\n" in told
    assert b"Action: delivered" in told
    assert b"Subject: Chunks" in told and b"The body" not in told  # RET=HDRS


def test_never_is_never(client, postfix):
    """Postfix refuses to deliver later on, and tells nobody."""
    client.expect("MAIL FROM:<carol@example.net>", "250")
    client.expect("RCPT TO:<dave@example.net> NOTIFY=NEVER", "250")
    client.expect("RCPT TO:<zo@example.net> NOTIFY=NEVER", "550")
    assert chunks(client, HEADER + b"quiet\r\n") == ["250"]
    postfix.delivered("dave")
    postfix.wait_log("removed")
    assert not os.path.isdir(os.path.join(postfix.folder, "mail", "carol", "new"))


def test_an_address_beyond_ascii(client, postfix):
    client.expect("MAIL FROM:<carol@example.net> SMTPUTF8 BODY=8BITMIME", "250")
    client.expect("RCPT TO:<zoë@example.net>", "250")
    content = TRACE + \
        "From: carol@example.net\r\nTo: Zoë <zoë@example.net>\r\n\r\nGrüße\r\n".encode()
    assert chunks(client, content) == ["250"]
    (data,) = postfix.delivered("zoe")
    assert data.endswith(content.replace(b"\r\n", b"\n"))
    assert b"with UTF8SMTPSA" in data  # ours; and Postfix's own:
    assert b"with UTF8SMTP " in data
    client.expect("MAIL FROM:<carol@example.net>", "250")
    client.expect("RCPT TO:<zoë@example.net>", "553")
