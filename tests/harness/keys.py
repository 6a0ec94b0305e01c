# SPDX-License-Identifier: MPL-2.0
"""Certificates and DKIM keys for a run of tests, made by openssl into one folder, once."""

import base64
import os
import shutil
import subprocess

EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

RSA = ["-newkey", "rsa:2048", "-nodes"]


def _openssl(*args, text=None):
    done = subprocess.run(["openssl", *args], input=text, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {args[0]}: {done.stderr.decode('utf-8', 'replace')}")
    return done.stdout


class Keys:
    """ca.pem signs gate.pem (gate.test, localhost, 127.0.0.1), gate-rsa.pem (the same names),
    org.pem (mail.example.org and *.example.org), upstream.pem (mta.test), and for clients
    alice.pem (the mail address alice@example.com) and app.pem (the name app.example.com, no
    address). other.pem is signed by nobody that is trusted, for the same name as upstream.pem;
    for a client it is alice, too. Each has its key beside it, NAME.key."""

    def __init__(self, folder, owner=None):
        self.folder = folder
        self.ca = self._path("ca.pem")
        self.gate_certificate, self.gate_key = self._path("gate.pem"), self._path("gate.key")
        self.upstream_certificate = self._path("upstream.pem")
        self.upstream_key = self._path("upstream.key")
        self.other_certificate, self.other_key = self._path("other.pem"), self._path("other.key")
        self.dkim_rsa, self.dkim_ed25519 = self._path("rsa.pem"), self._path("ed.pem")
        if not os.path.exists(self._path("done")):
            self._make()
            with open(self._path("done"), "w", encoding="ascii"):
                pass
        if owner is not None:
            for name in os.listdir(folder):
                shutil.chown(self._path(name), *owner)

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _make(self):
        os.makedirs(self.folder, exist_ok=True)
        _openssl("req", "-x509", *EC, "-days", "30", "-subj", "/CN=Test authority",
                 "-addext", "basicConstraints=critical,CA:TRUE",
                 "-keyout", self._path("ca.key"), "-out", self.ca)
        gate_names = "DNS:gate.test,DNS:localhost,IP:127.0.0.1,IP:::1"
        self._leaf("gate", gate_names)
        self._leaf("gate-rsa", gate_names, RSA)
        self._leaf("org", "DNS:mail.example.org,DNS:*.example.org")
        self._leaf("upstream", "DNS:mta.test,DNS:localhost,IP:127.0.0.1")
        self._leaf("alice", "email:alice@example.com")
        self._leaf("app", "DNS:app.example.com")
        _openssl("req", "-x509", *EC, "-days", "30", "-subj", "/CN=mta.test",
                 "-addext", "subjectAltName=DNS:mta.test,IP:127.0.0.1,email:alice@example.com",
                 "-keyout", self.other_key, "-out", self.other_certificate)
        _openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048",
                 "-out", self.dkim_rsa)
        _openssl("genpkey", "-algorithm", "ed25519", "-out", self.dkim_ed25519)
        for name in os.listdir(self.folder):
            if name.endswith(".key") or name in ("rsa.pem", "ed.pem"):
                os.chmod(self._path(name), 0o600)

    def pair(self, name):
        """Certificate and key."""
        return self._path(name + ".pem"), self._path(name + ".key")

    def _leaf(self, name, names, kind=EC):
        request, extensions = self._path(name + ".csr"), self._path(name + ".ext")
        with open(extensions, "w", encoding="ascii") as out:
            out.write(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
        _openssl("req", "-new", *kind, "-subj", f"/CN={name}.test",
                 "-keyout", self._path(name + ".key"), "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._path("ca.key"),
                 "-set_serial", str(int.from_bytes(os.urandom(8), "big")), "-days", "30",
                 "-extfile", extensions, "-out", self._path(name + ".pem"))

    def dkim_records(self):
        """TXT records by name, as a resolver would answer: {name: text}."""
        rsa = _openssl("pkey", "-in", self.dkim_rsa, "-pubout", "-outform", "DER")
        ed25519 = _openssl("pkey", "-in", self.dkim_ed25519, "-pubout", "-outform", "DER")[-32:]
        return {
            "rsa._domainkey.example.com": "v=DKIM1; k=rsa; p=" + base64.b64encode(rsa).decode(),
            "ed._domainkey.example.com":
                "v=DKIM1; k=ed25519; p=" + base64.b64encode(ed25519).decode(),
        }
