# SPDX-License-Identifier: MPL-2.0
"""The settings of dkim_sign, through the real binary: all four canonicalizations with x=, and the
fields that RFC 8058 wants signed, judged by three verifiers."""

import pytest

from awkward_messages import MESSAGES
from dkim_tools import VERIFIERS, signatures_of
from harness import config
from harness.client import Client, dot_stuff, insecure_context

CANONS = ["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"]


def submit(gate, keys, message):
    client = Client(gate.ports["submissions"], context=insecure_context(ca=keys.ca))
    client.start_tls()
    assert client.reply().code == "220"
    client.expect("EHLO client.test", "250")
    assert client.auth_plain("relay", "all of them").code == "235"
    client.expect("MAIL FROM:<list@example.com>", "250")
    client.expect("RCPT TO:<bob@example.net>", "250")
    client.expect("DATA", "354")
    client.send(dot_stuff(message))
    assert client.reply().code == "250"
    client.expect("QUIT", "221")
    client.close()


@pytest.mark.parametrize("canon", CANONS)
def test_a_list_message_under_each_canonicalization(start_gate, gate_keys, sink, canon):
    header, body = canon.split("/")
    gate = start_gate(config.smtp_upstream([sink.address]), {
        "dkim_sign": {"header_canonicalization": header, "body_canonicalization": body,
                      "valid_for": "7d"},
    })
    submit(gate, gate_keys, MESSAGES["of a mailing list"])
    data = sink.accepted()[0].data
    assert data.endswith(MESSAGES["of a mailing list"])
    for tags in signatures_of(data):
        assert tags["c"] == canon and "l" not in tags
        assert int(tags["x"]) - int(tags["t"]) == 7 * 86400
        names = tags["h"].lower().split(":")
        assert {"from", "to", "subject", "list-unsubscribe", "list-unsubscribe-post"} <= set(names)
        assert names.count("from") == 2 and names.count("subject") == 2
    for tool, verify in VERIFIERS.items():
        ours = [v for v in verify(data, gate_keys.dkim_records()) if v.domain == "example.com"]
        assert [v.selector for v in ours] == ["rsa", "ed"]
        for verdict in ours:
            unknown = tool == "Mail::DKIM" and verdict.algorithm == "ed25519-sha256"
            assert verdict.result == ("unsupported" if unknown else "pass"), (tool, verdict)
