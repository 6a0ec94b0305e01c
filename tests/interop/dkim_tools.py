# SPDX-License-Identifier: MPL-2.0
"""What other people's DKIM verifiers say of a message: dkimpy, Mail::DKIM, OpenDKIM.

Each verify_* function takes the message as octets and the key records as {name: TXT content},
and returns one Verdict for each DKIM-Signature field, from top to bottom. None of them asks the
DNS. What a tool cannot do (Ed25519 in Debian 12's Mail::DKIM) is the result "unsupported".
"""

import atexit
import re
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import dkim

HERE = Path(__file__).resolve().parent
TIMEOUT = 60


class Verdict(NamedTuple):
    selector: str
    domain: str
    algorithm: str
    result: str  # "pass", "fail", "error", "unsupported"
    reason: str


def signatures_of(message):
    """The tags of each DKIM-Signature field, from top to bottom, as {tag: value}."""
    header = re.split(rb"\r\n\r\n", message, maxsplit=1)[0] + b"\r\n"
    fields = re.findall(rb"(?ims)^dkim-signature[ \t]*:(.*?\r\n)(?![ \t])", header)
    return [parse_tags(field.decode("ascii", "replace")) for field in fields]


def parse_tags(value):
    tags = {}
    for piece in value.split(";"):
        name, equals, text = piece.partition("=")
        if equals:
            tags[name.strip()] = re.sub(r"\s+", "", text)
    return tags


def verdict_of(tags, result, reason=""):
    return Verdict(tags.get("s", ""), tags.get("d", ""), tags.get("a", ""), result, reason)


def verify_dkimpy(message, records):
    def look_up(name, timeout=5):  # pylint: disable=unused-argument
        text = name.decode("ascii") if isinstance(name, bytes) else name
        record = records.get(text.rstrip(".").lower())
        return record.encode("ascii") if record is not None else None

    verdicts = []
    for index, tags in enumerate(signatures_of(message)):
        try:
            passed = dkim.DKIM(message, minkey=1024).verify(idx=index, dnsfunc=look_up)
            verdicts.append(verdict_of(tags, "pass" if passed else "fail"))
        except dkim.DKIMException as error:
            verdicts.append(verdict_of(tags, "error", f"{type(error).__name__}: {error}"))
    return verdicts


def verify_mail_dkim(message, records):
    lines = "".join(f"{name}\t{text}\n" for name, text in records.items())
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(lines)
        file.flush()
        done = subprocess.run(
            ["/usr/bin/perl", str(HERE / "verify_mail_dkim.pl"), file.name],
            input=message,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(f"verify_mail_dkim.pl: {done.stderr.decode('utf-8', 'replace')}")
    verdicts = []
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        selector, domain, algorithm, result, detail = line.split("\t")
        if "unsupported algorithm" in detail:
            result = "unsupported"
        verdicts.append(Verdict(selector, domain, algorithm, result, detail))
    return verdicts


class Milter:
    """The MTA's side of the milter protocol, as far as one message needs it. OpenDKIM's own
    test mode (-t) is no substitute: it cuts blanks at the end of header fields."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(path)
        # version 6; all actions; header values keep their leading blanks (SMFIP_HDR_LEADSPC)
        self.send(b"O", struct.pack("!III", 6, 0x1FF, 0x100000))
        self.receive()

    def send(self, command, data=b""):
        self.socket.sendall(struct.pack("!I", len(data) + 1) + command + data)

    def receive(self):
        (length,) = struct.unpack("!I", self.read(4))
        data = self.read(length)
        return data[:1], data[1:]

    def read(self, length):
        data = b""
        while len(data) < length:
            piece = self.socket.recv(length - len(data))
            if not piece:
                raise RuntimeError("opendkim closed the connection")
            data += piece
        return data

    def say(self, command, data=b""):
        self.send(command, data)
        answer, _ = self.receive()
        if answer != b"c":
            raise RuntimeError(f"opendkim answers {answer!r} to {command!r}")

    def check(self, message):
        """The header fields that the filter puts in, as [(name, value)]."""
        header, separator, body = message.partition(b"\r\n\r\n")
        self.say(b"C", b"client.example\0" + b"4" + struct.pack("!H", 25) + b"192.0.2.1\0")
        self.say(b"H", b"client.example\0")
        self.say(b"M", b"<a@example.com>\0")
        self.say(b"R", b"<b@example.net>\0")
        for field in re.split(rb"\r\n(?![ \t])", header if separator else header[:-2]):
            name, _, value = field.partition(b":")
            # Blanks before the colon belong to the name, line ends are LF, as MTAs have it.
            self.say(b"L", name + b"\0" + value.replace(b"\r\n", b"\n") + b"\0")
        self.say(b"N")
        for at in range(0, len(body), 65535):
            self.say(b"B", body[at : at + 65535])
        self.send(b"E")
        inserted = []
        answer, data = self.receive()
        while answer not in (b"a", b"c", b"r", b"t", b"y", b"d"):
            if answer in (b"h", b"i"):
                name, value = data[4 if answer == b"i" else 0 :].split(b"\0")[:2]
                inserted.append((name.decode(), value.decode()))
            answer, data = self.receive()
        self.send(b"Q")
        self.socket.close()
        return inserted


VERIFYING = "Mode v\nAlwaysAddARHeader yes\nAuthservID local\nMinimumKeyBits 1024\n"


class OpenDKIM:
    """An opendkim filter on a socket of its own, that knows these records and no DNS."""

    def __init__(self, records, settings=VERIFYING, internal="203.0.113.1"):
        self.folder = tempfile.TemporaryDirectory()
        folder = Path(self.folder.name)
        self.socket = str(folder / "socket")
        lines = [f"{name} {text}\n" for name, text in records.items()]
        (folder / "keys").write_text("".join(lines))
        (folder / "internal").write_text(internal + "\n")  # the client is 192.0.2.1
        (folder / "conf").write_text(
            f"Syslog no\nSocket local:{self.socket}\nBackground no\nAutoRestart no\n"
            f"MaximumHeaders 0\nInternalHosts {folder}/internal\n"
            f"TestPublicKeys {folder}/keys\n" + settings
        )
        self.process = subprocess.Popen(
            ["/usr/sbin/opendkim", "-f", "-x", str(folder / "conf")],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + TIMEOUT
        while not self.is_listening():
            if self.process.poll() is not None:
                raise RuntimeError(f"opendkim: {self.process.stderr.read().decode()}")
            if time.monotonic() > deadline:
                self.stop()
                raise RuntimeError("opendkim does not listen")
            time.sleep(0.01)

    def is_listening(self):
        """The socket's file is there a moment before connections are."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(self.socket)
            except (FileNotFoundError, ConnectionRefusedError):
                return False
            return True

    def stop(self):
        self.process.terminate()
        self.process.wait(TIMEOUT)
        self.process.stderr.close()
        self.folder.cleanup()


_opendkims = {}  # records -> OpenDKIM: started once, stopped at exit


@atexit.register
def stop_opendkims():
    while _opendkims:
        _opendkims.popitem()[1].stop()


def verify_opendkim(message, records):
    """A real OpenDKIM filter, asked as an MTA asks it; its verdicts are those of the
    Authentication-Results field that it inserts."""
    key = frozenset(records.items())
    if key not in _opendkims:
        _opendkims[key] = OpenDKIM(records)
    inserted = Milter(_opendkims[key].socket).check(message)
    text = " ".join(value for name, value in inserted if name == "Authentication-Results")
    found = {}
    for result in re.findall(r"(?s)\bdkim=([^;]*)", text):
        selector = re.search(r"header\.s=(\S+)", result)
        domain = re.search(r"header\.d=(\S+)", result)
        if selector and domain:
            found[selector[1], domain[1]] = (result.split()[0], " ".join(result.split()))
    return [
        verdict_of(tags, *found.get((tags.get("s"), tags.get("d")), ("error", text)))
        for tags in signatures_of(message)
    ]


VERIFIERS = {
    "dkimpy": verify_dkimpy,
    "Mail::DKIM": verify_mail_dkim,
    "OpenDKIM": verify_opendkim,
}
