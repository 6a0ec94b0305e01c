# SPDX-License-Identifier: MPL-2.0
"""Signatures made by lib/domain hold in dkimpy, Mail::DKIM and OpenDKIM: every message of
awkward_messages, in all four canonicalizations, with RSA and Ed25519 keys at once."""

import base64
import os
import subprocess
from pathlib import Path

import pytest

from awkward_messages import MESSAGES, UNREADABLE
from dkim_tools import VERIFIERS

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / os.environ.get("GATEPOST_BUILD", "build") / "tests" / "interop" / "sign_tool"
CANONS = ["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"]
ED25519_PREFIX = 12  # octets of SubjectPublicKeyInfo before the key


def public_der(path):
    return subprocess.run(
        ["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"],
        check=True,
        capture_output=True,
    ).stdout


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """The tool's arguments, and the records of both keys."""
    folder = tmp_path_factory.mktemp("keys")
    rsa, ed25519 = folder / "rsa.pem", folder / "ed25519.pem"
    old = os.umask(0o077)
    rsa_options = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    subprocess.run(["openssl", "genpkey", *rsa_options, "-out", rsa], check=True, capture_output=True)
    subprocess.run(["openssl", "genpkey", "-algorithm", "ED25519", "-out", ed25519], check=True)
    os.umask(old)
    ed25519_octets = public_der(ed25519)[ED25519_PREFIX:]
    records = {
        "r1._domainkey.example.com": "v=DKIM1; k=rsa; p="
        + base64.b64encode(public_der(rsa)).decode(),
        "e1._domainkey.example.com": "v=DKIM1; k=ed25519; p="
        + base64.b64encode(ed25519_octets).decode(),
    }
    return ["example.com", f"r1={rsa}", f"e1={ed25519}"], records


def sign(message, canon, arguments):
    done = subprocess.run(
        [str(TOOL), "-c", canon, "-x", "86400", *arguments],
        input=message,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_the_corpus_is_what_it_says():
    assert len(MESSAGES) >= 40
    for name, message in MESSAGES.items():
        assert message.endswith(b"\r\n"), name
        rest = message.replace(b"\r\n", b"")
        assert not set(b"\r\n\0") & set(rest), name


@pytest.mark.parametrize("canon", CANONS)
@pytest.mark.parametrize("name", MESSAGES)
def test_signatures_hold(keys, name, canon):
    arguments, records = keys
    signed = sign(MESSAGES[name], canon, arguments)
    assert signed.endswith(MESSAGES[name])
    for tool, verify in VERIFIERS.items():
        if (tool, name) in UNREADABLE:
            continue
        ours = [v for v in verify(signed, records) if v.domain == "example.com"]
        assert [v.selector for v in ours] == ["r1", "e1"], tool
        for verdict in ours:
            allowed = {"pass"}
            if tool == "Mail::DKIM" and verdict.algorithm == "ed25519-sha256":
                allowed = {"unsupported"}
            assert verdict.result in allowed, (tool, verdict)


@pytest.mark.parametrize("tool", VERIFIERS)
def test_the_verifiers_can_say_no(keys, tool):
    """Each of them refuses a changed body, a changed field, and an added one."""
    arguments, records = keys
    signed = sign(MESSAGES["plain"], "relaxed/relaxed", arguments)
    changed = [
        signed.replace(b"Hello.", b"Hallo."),
        signed.replace(b"Subject: a test", b"Subject: a best"),
        signed.replace(b"\r\nSubject:", b"\r\nSubject: more\r\nSubject:"),
        signed.replace(b"\r\nFrom:", b"\r\nReply-To: x@evil.example\r\nFrom:"),
    ]
    for number, message in enumerate(changed):
        assert message != signed
        results = {v.result for v in VERIFIERS[tool](message, records)}
        assert "pass" not in results and results - {"unsupported"}, (number, results)
