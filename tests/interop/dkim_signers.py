# SPDX-License-Identifier: MPL-2.0
"""Who signs the messages that the gate verifies: dkimpy, Mail::DKIM, OpenDKIM; and craft(), which
makes a signature with any tags at all, from the text of RFC 6376.

Each sign_* function takes the message, Keys, "rsa" or "ed25519", and a canonicalization
("relaxed/simple"); it returns the message with a DKIM-Signature of example.com on top.
"""

import atexit
import base64
import hashlib
import re
import subprocess
from pathlib import Path

import dkim
import nacl.encoding
import nacl.signing

from dkim_tools import Milter, OpenDKIM

HERE = Path(__file__).resolve().parent
TIMEOUT_S = 60
ED25519_PREFIX = 12  # octets of SubjectPublicKeyInfo before the key
RSA_PREFIX = {2048: 24, 1024: 22}  # and before RSAPublicKey
CANONS = ["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"]


def openssl(*arguments, octets=None):
    return subprocess.run(["openssl", *arguments], input=octets, check=True, capture_output=True,
                          timeout=TIMEOUT_S).stdout


class Keys:
    """Private keys in a folder, by name: "rsa" (2048 bits), "rsa1024", "rsa768", "rsa512",
    "other" (2048 bits) and "ed25519"."""

    def __init__(self, folder):
        self.folder = folder
        for name, bits in (("rsa", 2048), ("other", 2048), ("rsa1024", 1024), ("rsa768", 768),
                           ("rsa512", 512)):
            openssl("genrsa", "-traditional", "-out", str(self.path(name)), str(bits))
        openssl("genpkey", "-algorithm", "ED25519", "-out", str(self.path("ed25519")))
        for file in folder.iterdir():
            file.chmod(0o600)

    def path(self, name):
        return self.folder / f"{name}.pem"

    def public(self, name):
        """What stands in p=."""
        der = openssl("pkey", "-in", str(self.path(name)), "-pubout", "-outform", "DER")
        return base64.b64encode(der[ED25519_PREFIX:] if name == "ed25519" else der).decode()

    def public_bare(self, name, bits):
        der = base64.b64decode(self.public(name))
        return base64.b64encode(der[RSA_PREFIX[bits]:]).decode()

    def seed(self):
        der = openssl("pkey", "-in", str(self.path("ed25519")), "-outform", "DER")
        return der[-32:]

    def sign(self, name, octets, algorithm="sha256"):
        """Over the hash of octets."""
        digest = hashlib.new(algorithm, octets).digest()
        if name == "ed25519":
            return nacl.signing.SigningKey(self.seed()).sign(digest).signature
        return openssl("pkeyutl", "-sign", "-inkey", str(self.path(name)), "-pkeyopt",
                       f"digest:{algorithm}", octets=digest)


def sign_dkimpy(message, keys, kind, canon):
    if kind == "ed25519":
        key = base64.b64encode(keys.seed())
    else:
        key = keys.path("rsa").read_bytes()
    header, body = canon.encode().split(b"/")
    field = dkim.sign(message, kind.encode(), b"example.com", key, canonicalize=(header, body),
                      signature_algorithm=kind.encode() + b"-sha256",
                      include_headers=[b"from", b"to", b"subject", b"date", b"message-id"])
    return field + message


def sign_mail_dkim(message, keys, kind, canon):
    assert kind == "rsa"  # Debian 12's cannot do Ed25519
    done = subprocess.run(
        ["/usr/bin/perl", str(HERE / "sign_mail_dkim.pl"), str(keys.path("rsa")), "example.com",
         "rsa", canon], input=message, capture_output=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


_opendkims = {}  # (folder of keys, kind, canon) -> OpenDKIM


@atexit.register
def stop_opendkims():
    while _opendkims:
        _opendkims.popitem()[1].stop()


def sign_opendkim(message, keys, kind, canon):
    """A real OpenDKIM filter, asked as an MTA asks it."""
    key = (keys.folder, kind, canon)
    if key not in _opendkims:
        _opendkims[key] = OpenDKIM({}, (
            f"Mode s\nDomain example.com\nSelector {kind}\nKeyFile {keys.path(kind)}\n"
            f"Canonicalization {canon}\nSignatureAlgorithm {kind}-sha256\n"
            "RequireSafeKeys no\n"), internal="192.0.2.1")
    inserted = dict(Milter(_opendkims[key].socket).check(message))
    value = inserted["DKIM-Signature"].replace("\n", "\r\n").encode()
    blank = b"" if value[:1] in (b" ", b"\t") else b" "
    return b"DKIM-Signature:" + blank + value + b"\r\n" + message


# What can sign what.
SIGNERS = {
    ("dkimpy", "rsa"): sign_dkimpy,
    ("dkimpy", "ed25519"): sign_dkimpy,
    ("Mail::DKIM", "rsa"): sign_mail_dkim,
    ("OpenDKIM", "rsa"): sign_opendkim,
    ("OpenDKIM", "ed25519"): sign_opendkim,
}


def relaxed_field(field):
    name, _, value = field.partition(b":")
    value = re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip(b" ")
    return name.strip(b" \t").lower() + b":" + value


def canonical_body(body, is_relaxed):
    if is_relaxed:
        lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
        body = b"\r\n".join(lines)
    while body.endswith(b"\r\n"):
        body = body[:-2]
    if body or not is_relaxed:
        body += b"\r\n"
    return body


def fields_of(message):
    header, _, body = message.partition(b"\r\n\r\n")
    return re.split(rb"\r\n(?![ \t])", header), body


def signed_fields(fields, names, is_relaxed):
    """RFC 6376 5.4.2: for each name the lowest field that is not used yet."""
    left, text = list(fields), b""
    for name in names:
        for at in range(len(left) - 1, -1, -1):
            if left[at].partition(b":")[0].strip().lower() == name.strip().lower().encode():
                field = left.pop(at)
                text += (relaxed_field(field) if is_relaxed else field) + b"\r\n"
                break
    return text


def craft(message, keys, tags, key="rsa", sha="sha256", name="DKIM-Signature: "):
    """The tags are a text with {bh} in it and "b=" somewhere with nothing behind it; c= and h=
    are read from it, l= too."""
    def tag(letter, default):
        found = re.search(rf"(?:^|;)\s*{letter}\s*=\s*([^;]*)", tags)
        return found[1].strip() if found else default

    header, _, body = tag("c", "simple/simple").partition("/")
    fields, text = fields_of(message)
    canonical = canonical_body(text, body == "relaxed")
    if tag("l", "").isdigit():
        canonical = canonical[:int(tag("l", ""))]
    digest = base64.b64encode(hashlib.new(sha, canonical).digest()).decode()
    field = (name + tags.replace("{bh}", digest)).encode()
    signed = signed_fields(fields, re.sub(r"\s", "", tag("h", "")).split(":"), header == "relaxed")
    signed += relaxed_field(field) if header == "relaxed" else field
    value = base64.b64encode(keys.sign(key, signed, sha))
    folded = b"\r\n ".join(value[at:at + 60] for at in range(0, len(value), 60))
    return re.sub(rb"((?:^|[; \t\n])b[ \t]*=)(?=[ \t\r\n]*(;|$))", lambda m: m[1] + folded, field,
                  count=1) + b"\r\n" + message
