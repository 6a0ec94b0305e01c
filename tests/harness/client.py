# SPDX-License-Identifier: MPL-2.0
"""An SMTP client that says exactly what it is told, and remembers what it heard."""

import base64
import re
import socket
import ssl
import struct

LIMIT_S = 15  # guards against hanging; measures nothing
REPLY_LINE = re.compile(rb"^([2-5]\d\d)([ -])(.*)$", re.S)
ENHANCED = re.compile(r"^([245]\.\d{1,3}\.\d{1,3})(?: |$)")


class ClientError(Exception):
    pass


class Closed(ClientError):
    pass


class Reply:
    """code "250", enhanced "2.0.0" or "", lines: texts without codes."""

    def __init__(self, code, lines):
        self.code, self.lines = code, lines
        found = ENHANCED.match(lines[0])
        self.enhanced = found.group(1) if found else ""

    def __str__(self):
        return "\n".join(f"{self.code} {line}" for line in self.lines)


class Client:
    def __init__(self, port, host="127.0.0.1", context=None, limit_s=LIMIT_S,
                 server_name="gate.test"):
        self.server_name = server_name  # that TLS asks for; "": none
        self.session = None  # of TLS, to be offered again
        self.sock = socket.create_connection((host, port), timeout=limit_s)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.context = context or insecure_context()
        self.buffer = b""
        self.transcript = []

    # ---- octets ----

    def send(self, data):
        self.transcript.append(("C", data))
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Closed(f"sending failed: {error}") from error

    def line(self, text):
        self.send(text.encode("utf-8", "surrogateescape") + b"\r\n")

    def _fill(self):
        try:
            data = self.sock.recv(65536)
        except socket.timeout:
            raise ClientError("nothing was heard in time") from None
        except (ConnectionResetError, ssl.SSLError) as error:
            raise Closed(f"the connection broke: {error}") from error
        if not data:
            raise Closed("the peer closed the connection")
        self.buffer += data

    def _read_line(self):
        while b"\n" not in self.buffer:
            self._fill()
        line, self.buffer = self.buffer.split(b"\n", 1)
        if not line.endswith(b"\r"):
            raise ClientError(f"a reply line that does not end in CRLF: {line!r}")
        return line[:-1]

    def reply(self):
        """The next whole reply; every line of it must be well-formed (RFC 5321 4.2)."""
        lines, code = [], None
        while True:
            raw = self._read_line()
            self.transcript.append(("S", raw))
            if raw.startswith(b"334 "):  # its text is base64, not words
                return Reply("334", [raw[4:].decode("ascii")])
            found = REPLY_LINE.match(raw)
            if not found or len(raw) > 510 or re.search(rb"[^\x20-\x7e\t]", raw):
                raise ClientError(f"not a reply line: {raw!r}")
            if code not in (None, found.group(1)):
                raise ClientError(f"codes differ within a reply: {raw!r}")
            code = found.group(1)
            lines.append(found.group(3).decode("ascii"))
            if found.group(2) == b" ":
                return Reply(code.decode("ascii"), lines)

    def command(self, text):
        self.line(text)
        return self.reply()

    def expect(self, text, code):
        reply = self.command(text)
        if not reply.code.startswith(code):
            raise ClientError(f"{text}: wanted {code}, heard {reply}")
        return reply

    # ---- steps ----

    def start_tls(self):
        """The handshake alone. What the server said in clear behind 220 must be nothing."""
        if self.buffer:
            raise ClientError(f"octets in clear before the handshake: {self.buffer!r}")
        try:
            self.sock = self.context.wrap_socket(self.sock, server_hostname=self.server_name or None,
                                                 session=self.session)
        except (ssl.SSLError, ConnectionError, OSError) as error:
            raise Closed(f"TLS handshake failed: {error}") from error

    def auth_plain(self, login, password):
        secret = base64.b64encode(f"\0{login}\0{password}".encode()).decode()
        return self.command(f"AUTH PLAIN {secret}")

    def read_to_end(self):
        """All octets until the peer closes, for what is not SMTP."""
        try:
            while True:
                self._fill()
        except Closed:
            return self.buffer

    def expect_closed(self):
        """The peer closes; whatever it still says first is an error."""
        try:
            while True:
                self._fill()
                raise ClientError(f"octets where the end was expected: {self.buffer!r}")
        except Closed:
            pass

    def half_close(self):
        if isinstance(self.sock, ssl.SSLSocket):
            raise ClientError("half-close is for connections in clear")
        self.sock.shutdown(socket.SHUT_WR)

    def end_tls(self):
        """close_notify, and the peer's; what is said from now on is in clear."""
        try:
            self.sock = self.sock.unwrap()
        except (ssl.SSLError, ConnectionError, OSError) as error:
            raise Closed(f"the end of TLS failed: {error}") from error

    def reset(self):
        """Close by RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        """Close the socket, without close_notify and without QUIT."""
        try:
            self.sock.close()
        except OSError:
            pass


def insecure_context(minimum=None, maximum=None, ca=None):
    """A client context: verifying when ca is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca:
        context.load_verify_locations(ca)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if minimum:
        context.minimum_version = minimum
    if maximum:
        context.maximum_version = maximum
    return context


PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n"


def proxy_v1(source, port=40000):
    """The PROXY protocol's line: this is whose connection it is."""
    family, ours = ("TCP6", "2001:db8::1") if ":" in source else ("TCP4", "203.0.113.1")
    return f"PROXY {family} {source} {ours} {port} 25\r\n".encode("ascii")


def proxy_v2(source, port=40000, tlvs=b""):
    """The same in binary; tlvs: octets behind the addresses. source None: LOCAL."""
    if source is None:
        return PROXY_V2 + b"\x20\x00" + struct.pack("!H", len(tlvs)) + tlvs
    v6 = ":" in source
    family = socket.AF_INET6 if v6 else socket.AF_INET
    block = socket.inet_pton(family, source) + \
        socket.inet_pton(family, "2001:db8::1" if v6 else "203.0.113.1") + \
        struct.pack("!HH", port, 25) + tlvs
    return PROXY_V2 + (b"\x21\x21" if v6 else b"\x21\x11") + \
        struct.pack("!H", len(block)) + block


def dot_stuff(content):
    """Content as it goes over the wire, with the final dot."""
    if content and not content.endswith(b"\r\n"):
        content += b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", content) + b".\r\n"


def dot_unstuff(wire):
    """The content of wire octets without the final dot line."""
    return re.sub(rb"(?m)^\.", b"", wire)
