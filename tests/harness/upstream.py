# SPDX-License-Identifier: MPL-2.0
"""A mail server that does at each stage what a test wants, and records what it was given.

Stages, in the order of a session:
  CONNECT  a connection was accepted, nothing is said yet
  EHLO HELO STARTTLS AUTH MAIL RCPT DATA RSET NOOP QUIT  instead of the usual reply
  TLS      the handshake is about to begin
  BDAT     before the chunk is read; with a reply it is thrown away
  CONTENT  354 was said and the first octets of content have come
  DOT      the message is whole; of LMTP once for each recipient
  XCLIENT  of a server that offers it

Actions:
  reply TEXT      send TEXT (a line; "|" parts the lines of a multi-line reply)
  raw BYTES       send octets as they are, escapes allowed
  slow SECONDS    wait, then do the usual
  hang            say nothing, read nothing, until the test ends
  close, reset    end the connection, by FIN or RST, without a reply
  then-close      do the usual, then close
  then-reply TEXT do the usual, then say TEXT unasked, and close
  drip SECONDS    the usual, but wait before each octet of the reply
  endless         a reply of lines without end
  endless-line    a reply line without end
"""

import base64
import os
import re
import shutil
import socket
import ssl
import struct
import tempfile
import threading
import time

from .net import DeadPort

LIMIT_S = 30
STAGES = ("CONNECT", "EHLO", "HELO", "STARTTLS", "TLS", "AUTH", "MAIL", "RCPT", "DATA", "BDAT",
          "CONTENT", "DOT", "RSET", "NOOP", "QUIT", "LHLO", "XCLIENT")
ACTIONS = ("reply", "raw", "slow", "hang", "close", "reset", "then-close",
           "then-reply", "drip", "endless", "endless-line")
# Which offer a parameter of MAIL or RCPT belongs to.
PARAMETERS = {"SIZE": "SIZE", "BODY": "8BITMIME", "AUTH": "AUTH", "RET": "DSN", "ENVID": "DSN",
              "NOTIFY": "DSN", "ORCPT": "DSN", "SMTPUTF8": "SMTPUTF8",
              "REQUIRETLS": "REQUIRETLS"}
PATH = re.compile(r'(?:FROM|TO):<(?:"(?:[^"\\]|\\.)*"|[^">])*>')
EHLO = ["mta.test", "PIPELINING", "SIZE 104857600", "8BITMIME", "ENHANCEDSTATUSCODES"]


class Received:
    """One transaction that was ended by a dot. accepted: 250 was said to it."""

    def __init__(self, sender, recipients, data, connection):
        self.sender, self.recipients, self.data = sender, recipients, data
        self.connection = connection
        self.accepted = False
        self.accepted_for = []  # of LMTP: who has it


class Over(Exception):
    """The connection is finished with."""


class ScriptedUpstream:
    """rules: {(stage, nth or 0): [(action, argument)...]}; nth counts over the server's life."""

    def __init__(self, keys=None, ehlo=None, login=None, starttls=False, certificate=None,
                 client_ca=None, lmtp=False, unix=False):
        self.keys, self.starttls, self.login = keys, starttls, login
        self.certificate = certificate
        self.client_ca = client_ca  # clients must show a certificate of its
        self.ehlo = list(EHLO if ehlo is None else ehlo)
        if starttls and "STARTTLS" not in self.ehlo:
            self.ehlo.append("STARTTLS")
        if login:
            self.ehlo.append("AUTH PLAIN LOGIN")
        self.rules = {}
        self.counts = {}
        self.messages = []
        self.connections = 0
        self.tls_connections = 0
        self.commands = []  # (connection, line)
        self.cut = []  # content of messages that were begun and not ended by a dot
        self.problems = []  # what a careful server would not have understood
        self.changed = threading.Condition()
        self._stopping = threading.Event()
        self._socks = []
        self.lmtp = lmtp
        self._folder = tempfile.mkdtemp(prefix="gatepost-lmtp-") if unix else None
        if unix:
            os.chmod(self._folder, 0o755)
            self._sock = socket.socket(socket.AF_UNIX)
            self._sock.bind(self._folder + "/socket")
            os.chmod(self._folder + "/socket", 0o666)
            self._sock.listen(64)
        else:
            self._sock = socket.create_server(("127.0.0.1", 0), backlog=64)
        # A small window: a large message is still on its way when its beginning is here.
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.port = None if unix else self._sock.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self):
        return f"unix:{self._folder}/socket" if self._folder else f"127.0.0.1:{self.port}"

    def mailbox(self, address):
        """Messages that were accepted for that recipient."""
        return [message for message in self.messages
                if any(address in recipient for recipient in message.accepted_for)]

    def on(self, stage, action, argument="", nth=0):
        if stage not in STAGES or action not in ACTIONS:
            raise ValueError(f"no such stage or action: {stage} {action}")
        self.rules[(stage, nth)] = (action, argument)

    def stop(self):
        self._stopping.set()
        self._sock.close()
        self.hang_up()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def hang_up(self):
        """Close every connection, as a restart does; new ones are welcome."""
        with self.changed:
            for sock in self._socks:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def wait(self, condition, limit_s=10):
        """Until condition() holds; its value then, or at the end of the limit."""
        with self.changed:
            return self.changed.wait_for(condition, limit_s)

    def accepted(self):
        return [message for message in self.messages if message.accepted]

    def note(self, what):
        with self.changed:
            what()
            self.changed.notify_all()

    def _accept(self):
        while not self._stopping.is_set():
            try:
                sock, _ = self._sock.accept()
            except OSError:
                return
            with self.changed:
                self._socks.append(sock)
                self.connections += 1
                number = self.connections
                self.changed.notify_all()
            threading.Thread(target=_Session(self, sock, number).run, daemon=True).start()

    def rule(self, stage):
        with self.changed:
            self.counts[stage] = self.counts.get(stage, 0) + 1
            return self.rules.get((stage, self.counts[stage])) or self.rules.get((stage, 0))

    def hang(self):
        self._stopping.wait(LIMIT_S)


class _Session:
    def __init__(self, server, sock, number):
        self.server, self.sock, self.number = server, sock, number
        self.sock.settimeout(LIMIT_S)
        self.buffer = b""
        self.is_tls = self.is_in = False
        self.pause_s = 0  # before each octet
        self.sender, self.recipients = None, []
        self.chunks = b""

    # ---- octets ----

    def send(self, data):
        try:
            for at in range(len(data) if self.pause_s else 0):
                time.sleep(self.pause_s)
                self.sock.sendall(data[at:at + 1])
            if not self.pause_s:
                self.sock.sendall(data)
        except OSError as error:
            raise Over from error

    def say(self, *lines):
        code = lines[0][:3]
        text = [lines[0][4:], *lines[1:]]
        last = len(text) - 1
        self.send("".join(f"{code}{' ' if i == last else '-'}{line}\r\n"
                          for i, line in enumerate(text)).encode("utf-8"))

    def fill(self):
        try:
            data = self.sock.recv(65536)
        except (OSError, ValueError) as error:
            raise Over from error
        if not data:
            raise Over
        self.buffer += data

    def line(self):
        while b"\r\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        if re.search(rb"[\r\n\0]", line):
            self.problem(f"stray line end or NUL in a command: {line!r}")
        return line.decode("utf-8", "surrogateescape")

    def problem(self, text):
        self.server.note(lambda: self.server.problems.append(f"#{self.number}: {text}"))

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    # ---- the script ----

    def act(self, stage, usual):
        """What the rule for this stage says, or usual()."""
        action, argument = self.server.rule(stage) or ("usual", "")
        if action == "reply":
            self.say(*argument.split("|"))
            return argument[:1] in "23"
        if action == "raw":
            self.send(unescape(argument))
            return False
        if action == "drip":
            self.pause_s = float(argument)
        elif action == "slow":
            time.sleep(float(argument))
        elif action == "hang":
            self.server.hang()
            raise Over
        elif action == "close":
            raise Over
        elif action == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.close()
            raise Over
        elif action.startswith("endless"):
            while True:
                self.send(b"250-more\r\n" * 100 if action == "endless" else b"250 " + b"x" * 4096)
        done = usual()
        self.pause_s = 0
        if action == "then-reply":
            self.say(argument)
        if action in ("then-close", "then-reply"):
            raise Over
        return True if done is None else done

    def run(self):
        try:
            self.act("CONNECT", lambda: self.say("220 mta.test ESMTP"))
            while True:
                self.command(self.line())
        except Over:
            pass
        finally:
            self.close()

    def command(self, line):
        self.server.note(lambda: self.server.commands.append((self.number, line)))
        verb, _, args = line.partition(" ")
        verb = verb.upper()
        handler = getattr(self, "do_" + verb.lower(), None)
        if verb in (("EHLO", "HELO") if self.server.lmtp else ("LHLO",)):
            handler = None
        if verb not in STAGES or handler is None:
            self.problem(f"unknown command {line!r}")
            self.say("500 5.5.2 what?")
            return
        handler(args)

    def do_ehlo(self, _args):
        self.end_transaction()
        offer = [word for word in self.server.ehlo if not (self.is_tls and word == "STARTTLS")]
        self.act("EHLO", lambda: self.say("250 " + offer[0], *offer[1:]))

    def do_lhlo(self, args):
        self.do_ehlo(args)

    def do_xclient(self, _args):
        if self.sender is not None:
            self.problem("XCLIENT within a transaction")
        self.act("XCLIENT", lambda: self.say("220 mta.test ESMTP"))

    def do_helo(self, _args):
        self.end_transaction()
        self.act("HELO", lambda: self.say("250 mta.test"))

    def do_starttls(self, _args):
        if not self.act("STARTTLS", lambda: self.say("220 2.0.0 go on")):
            return
        if self.buffer:
            self.problem("octets in clear behind STARTTLS")
        self.act("TLS", self.handshake)
        self.end_transaction()

    def handshake(self):
        keys = self.server.keys
        certificate, key = self.server.certificate or (keys.upstream_certificate,
                                                       keys.upstream_key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        if self.server.client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.server.client_ca)
        try:
            self.sock = context.wrap_socket(self.sock, server_side=True)
        except (OSError, ValueError) as error:
            raise Over from error
        self.is_tls = True

        def count():
            self.server.tls_connections += 1
        self.server.note(count)

    def do_auth(self, args):
        words = args.split(" ")

        def usual():
            login, password = self.server.login or ("", "")
            if words[0].upper() == "PLAIN":
                given = words[1] if len(words) > 1 else self.challenge("")
                good = decode(given).split(b"\0")[1:] == [login.encode(), password.encode()]
            else:
                name = decode(words[1] if len(words) > 1 else self.challenge("VXNlcm5hbWU6"))
                good = name == login.encode()
                good = decode(self.challenge("UGFzc3dvcmQ6")) == password.encode() and good
            self.is_in = good and bool(login)
            self.say("235 2.7.0 in" if self.is_in else "535 5.7.8 no")
        self.act("AUTH", usual)

    def challenge(self, text):
        self.send(f"334 {text}\r\n".encode("ascii"))
        return self.line()

    def check_parameters(self, args):
        """Only what was offered may come: a careful server would refuse anything else."""
        path = PATH.match(args)
        offers = {word.split(" ")[0] for word in self.server.ehlo[1:]}
        for word in args[path.end():].split() if path else ["no path"]:
            if PARAMETERS.get(word.split("=")[0], "nothing") not in offers:
                self.problem(f"a parameter that was not offered: {args!r}")

    def do_mail(self, args):
        self.check_parameters(args)
        if self.sender is not None:
            self.problem("MAIL within a transaction")
        if self.server.login and not self.is_in:
            self.say("530 5.7.0 log in first")
        elif self.act("MAIL", lambda: self.say("250 2.1.0 sender ok")):
            self.sender, self.recipients = args, []

    def do_rcpt(self, args):
        self.check_parameters(args)
        if self.sender is None:
            self.say("503 5.5.1 MAIL first")
        elif self.act("RCPT", lambda: self.say("250 2.1.5 recipient ok")):
            self.recipients.append(args)

    def do_data(self, _args):
        if not self.recipients:
            self.say("503 5.5.1 RCPT first" if self.sender else "503 5.5.1 MAIL first")
        elif self.act("DATA", lambda: self.say("354 go on")):
            self.content()

    def content(self):
        wire, new = b"", 0
        try:
            while not (wire.startswith(b".\r\n") or b"\r\n.\r\n" in wire[-new - 5:]):
                if not self.buffer:
                    self.fill()
                began, new = not wire, len(self.buffer)
                wire, self.buffer = wire + self.buffer, b""
                if began:
                    self.act("CONTENT", lambda: None)
        except Over:
            self.server.note(lambda: self.server.cut.append(wire))
            raise
        end = 0 if wire.startswith(b".\r\n") else wire.index(b"\r\n.\r\n") + 2
        wire, self.buffer = wire[:end], wire[end + 3:]
        if self.buffer:
            self.problem(f"octets behind the final dot before its reply: {self.buffer[:60]!r}")
        if re.search(rb"\r(?!\n)|(?<!\r)\n|\0", wire):
            self.problem("a bare CR, a bare LF or a NUL in content")
        self.whole(re.sub(rb"(?m)^\.", b"", wire))

    def do_bdat(self, args):
        size, _, last = args.partition(" ")
        if not self.recipients or "CHUNKING" not in self.server.ehlo:
            self.problem("a chunk out of sequence")
        if self.act("BDAT", lambda: True):
            self.chunk(int(size), last.upper() == "LAST")
        else:
            self.skip(int(size))

    def skip(self, size):
        """A chunk that was refused before it came."""
        while size > len(self.buffer):
            size -= len(self.buffer)
            self.buffer = b""
            self.fill()
        self.buffer = self.buffer[size:]

    def chunk(self, size, is_last):
        try:
            while len(self.buffer) < size:
                self.fill()
        except Over:
            self.server.note(lambda: self.server.cut.append(self.chunks + self.buffer))
            raise
        self.chunks += self.buffer[:size]
        self.buffer = self.buffer[size:]
        if not is_last:
            self.say("250 2.0.0 more")
            return
        content, self.chunks = self.chunks, b""
        if self.buffer:
            self.problem(f"octets behind the last chunk: {self.buffer[:60]!r}")
        if re.search(rb"\r(?!\n)|(?<!\r)\n|\0", content) or content[-2:] not in (b"", b"\r\n"):
            self.problem("a bare CR, a bare LF or a NUL in content, or no line at its end")
        self.whole(content)

    def whole(self, data):
        message = Received(self.sender, list(self.recipients), data, self.number)
        self.server.note(lambda: self.server.messages.append(message))
        self.sender, self.recipients = None, []
        if self.server.lmtp:
            self.answer_each(message)
            return

        def usual():
            message.accepted = True
            self.say(f"250 2.0.0 ok: queued as Q{len(self.server.messages)}")

        rule = self.server.rules.get(("DOT", self.server.counts.get("DOT", 0) + 1)) or \
            self.server.rules.get(("DOT", 0))
        if rule and rule[0] == "reply" and rule[1].startswith("2"):
            message.accepted = True
        self.act("DOT", usual)
        self.server.note(lambda: None)

    def answer_each(self, message):
        """RFC 2033 4.2: a reply for each recipient, in their order."""
        for recipient in message.recipients:
            def usual(recipient=recipient):
                message.accepted_for.append(recipient)
                message.accepted = message.accepted_for == message.recipients
                self.say(f"250 2.1.5 {recipient[3:]} saved")
            self.act("DOT", usual)
        self.server.note(lambda: None)

    def do_rset(self, _args):
        self.end_transaction()
        self.act("RSET", lambda: self.say("250 2.0.0 ok"))

    def do_noop(self, _args):
        self.act("NOOP", lambda: self.say("250 2.0.0 ok"))

    def do_quit(self, _args):
        self.act("QUIT", lambda: self.say("221 2.0.0 bye"))
        raise Over

    def end_transaction(self):
        self.sender, self.recipients = None, []
        self.chunks = b""


class DeadUpstream(DeadPort):
    """Nothing listens there; it has the same face as ScriptedUpstream."""

    def __init__(self):
        super().__init__()
        self.messages, self.commands, self.problems, self.cut = [], [], [], []
        self.connections = self.tls_connections = 0

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def accepted(self):
        return []

    def wait(self, condition, limit_s=10):
        del limit_s
        return condition()

    def stop(self):
        self.close()


def decode(text):
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|[rnt0\\s])")
PLAIN_ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\", b"s": b" "}


def unescape(text):
    r"""Text with \r \n \t \0 \s \\ \xNN as octets."""
    def one(found):
        word = found.group(1)
        return bytes([int(word[1:], 16)]) if word[:1] == b"x" else PLAIN_ESCAPES[word]
    return ESCAPE.sub(one, text.encode("utf-8", "surrogateescape"))
