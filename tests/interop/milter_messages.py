# SPDX-License-Identifier: MPL-2.0
"""What is sent through Postfix and through the gate, for the comparison of what milters do."""

import base64
import email.utils
import os
from typing import NamedTuple

import dkim

GTUBE = b"JS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"
HOSTNAME = "gate.test"


class Case(NamedTuple):
    """A transaction; tag stands in its addresses, and in each that a milter makes of them."""
    name: str
    content: bytes
    sender: str = "alice.{tag}@example.com"
    recipients: tuple = ("bob.{tag}@example.net",)
    parameters: str = ""  # of MAIL
    client: str = "192.0.2.1"
    helo: str = "client.example"

    def envelope(self, tag):
        return self.sender.format(tag=tag), [one.format(tag=tag) for one in self.recipients]


def header(*lines, subject=b"A word", author=b"Alice <alice@example.com>"):
    """The usual fields, lines more of them, and the end of the header."""
    usual = [b"From: " + author, b"To: Bob <bob@example.net>", b"Subject: " + subject,
             b"Date: " + email.utils.formatdate().encode("ascii"), b"Message-ID: <1@example.com>"]
    return b"".join(line + b"\r\n" for line in [*usual, *lines]) + b"\r\n"


PLAIN = header() + b"Hello.\r\n"
DUPLICATES = (b"X-Dup: one", b"X-Other: 1", b"x-dup: two", b"X-DUP:three")


def mime(kind, *parts):
    out = header(b"MIME-Version: 1.0", b"Content-Type: " + kind + b'; boundary="=_b"')
    for part in parts:
        out += b"--=_b\r\n" + part + b"\r\n"
    return out + b"--=_b--\r\n"


def of_header(plain):
    """Messages whose header is what matters."""
    return [
        Case("plain", plain),
        Case("no Date, no Message-ID", b"From: alice@example.com\r\nSubject: x\r\n\r\nx\r\n"),
        Case("no From", b"Subject: x\r\nTo: bob@example.net\r\n\r\nx\r\n"),
        Case("a field alone", b"Subject: x\r\n\r\n"),
        Case("folded", header(b"X-Fold: one\r\n two\r\n\tthree\r\n     four") + b"x\r\n"),
        Case("folded Subject", header(subject=b"one\r\n two\r\n\tthree") + b"x\r\n"),
        Case("a fold at once", header(b"X-Fold:\r\n one") + b"x\r\n"),
        Case("odd blanks", header(b"X-A:none", b"X-B:   three", b"X-C:\ttab", b"X-D: end  ",
                                  b"X-E:") + b"x\r\n"),
        Case("8bit field", header(subject=b"gr\xfc\xdfe \xff") + b"x\r\n"),
        Case("UTF-8 field", header(subject="gr\u00fc\u00dfe".encode()) + b"x\r\n"),
        Case("encoded words", header(subject=b"=?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n"
                                     b" =?iso-8859-1?b?Z3L832U=?=") + b"x\r\n"),
        Case("a field of 990 octets", header(b"X-Long: " + b"x" * 982) + b"x\r\n"),
        Case("a field of 20 KB", header(b"X-Long: a" + b"\r\n bcdefgh" * 2000) + b"x\r\n"),
        Case("many fields", header(*[b"X-%d: %d" % (n, n) for n in range(150)]) + b"x\r\n"),
        Case("one name often", header(*DUPLICATES * 5) + b"x\r\n"),
        Case("two Subjects", header(b"Subject: another") + b"x\r\n"),
        Case("two Froms", header(b"From: carol@example.net") + b"x\r\n"),
        Case("two authors", header(author=b"alice@example.com, carol@example.net") + b"x\r\n"),
        Case("odd names", header(b"X_under.score!: 1", b"X-'quote': 2") + b"x\r\n"),
        Case("Received from before", b"".join(
            b"Received: from h%d.example (h%d.example [198.51.100.%d])\r\n\tby h%d.example with"
            b" ESMTP id X%d;\r\n\tTue, 24 Nov 2026 12:00:0%d +0000\r\n" % (n, n, n, n + 1, n, n)
            for n in range(8, 0, -1)) + plain),
        Case("Resent", b"Resent-From: carol@example.net\r\nResent-To: d@example.net\r\n"
             b"Resent-Date: Tue, 24 Nov 2026 12:00:00 +0000\r\n" + plain),
        Case("a list", header(b"List-Id: <a.example.net>",
                              b"List-Unsubscribe: <mailto:x@example.net>",
                              b"Precedence: list", b"Reply-To: a@example.net") + b"x\r\n"),
        Case("blanks before a colon", header(b"X-Blank : 1") + b"x\r\n"),
    ]


def of_body(plain):
    lines = b"".join(b"%05d " % n + b"x" * 66 + b"\r\n" for n in range(4200))
    return [
        Case("an empty body", header()),
        Case("blank lines", header() + b"\r\n\r\n\r\n"),
        Case("blank lines at the end", plain + b"\r\n\r\n"),
        Case("dots", header() + b".\r\n..\r\n.x\r\nx.\r\n...\r\n.\r\n"),
        Case("8bit", header() + bytes(range(128, 256)) + b"\r\n"),
        Case("BODY=8BITMIME", header(b"MIME-Version: 1.0",
                                     b"Content-Type: text/plain; charset=utf-8",
                                     b"Content-Transfer-Encoding: 8bit")
             + "gr\u00fc\u00dfe\r\n".encode(), parameters=" BODY=8BITMIME SIZE=1000"),
        Case("a line of 998", header() + b"y" * 998 + b"\r\n" + b"z" * 997 + b"\r\n"),
        Case("blanks at the ends of lines", header() + b"a \r\n\t\r\nb\t \r\n  \r\n"),
        Case("control characters", header() + b"a\x01\x08\x1b[1mb\x7f\r\n"),
        Case("300 KB", header() + lines),
        Case("exactly one chunk", header() + lines[:65533] + b"\r\n"),
        Case("one chunk and an octet", header() + lines[:65534] + b"\r\n"),
        Case("From at the beginning of a line", header() + b"From here on\r\n>From there\r\n"),
        Case("alternatives", mime(b"multipart/alternative",
                                  b"Content-Type: text/plain\r\n\r\ntext",
                                  b"Content-Type: text/html\r\n\r\n<p>text</p>")),
        Case("an attachment", mime(b"multipart/mixed", b"\r\nsee below",
                                   b"Content-Type: application/pdf; name=a.pdf\r\n"
                                   b"Content-Transfer-Encoding: base64\r\n\r\n"
                                   + base64.encodebytes(bytes(range(256)) * 20)
                                   .replace(b"\n", b"\r\n"))),
        Case("a message within", mime(b"multipart/mixed", b"Content-Type: message/rfc822\r\n\r\n"
                                      + plain)),
        Case("a part without an end", header(b"MIME-Version: 1.0",
             b"Content-Type: multipart/mixed; boundary=b") + b"--b\r\n\r\nno end\r\n"),
        Case("quoted-printable", header(b"MIME-Version: 1.0", b"Content-Type: text/html",
             b"Content-Transfer-Encoding: quoted-printable") + b"<b>gr=C3=BC=\r\n</b>=20\r\n"),
    ]


def of_envelope(plain):
    twenty = tuple("r%d.{tag}@example.net" % n for n in range(20))
    return [
        Case("two recipients", plain, recipients=("b.{tag}@example.net", "c.{tag}@example.net")),
        Case("twenty recipients", plain, recipients=twenty),
        Case("a bounce", header(author=b"mailer-daemon@example.net") + b"x\r\n", sender=""),
        Case("a subdomain sends", plain, sender="a.{tag}@sub.example.com"),
        Case("plus and case", plain, sender="Alice+X.{tag}@Example.COM",
             recipients=("Bob+Y.{tag}@Example.NET",)),
        Case("a quoted sender", plain, sender='"a b.{tag}"@example.com'),
        Case("an address as HELO", plain, helo="[192.0.2.1]"),
        # Postfix takes no IPv6 client where the kernel knows none.
        *([Case("from IPv6", plain, client="2001:db8::25")] if os.path.exists("/proc/net/if_inet6")
          else []),
    ]


def of_results():
    """Authentication-Results and SPF results that came with the message, and DMARC."""
    ours, other = HOSTNAME.encode(), b"other.example"

    def dmarc(domain, *lines):
        return header(*lines, author=b"a@" + domain) + b"x\r\n"

    received_spf = b"Received-SPF: pass (gate.test: domain of %s) client-ip=192.0.2.1; " \
        b"envelope-from=a@%s; helo=client.example"
    return [
        Case("results, forged as ours", header(b"Authentication-Results: " + ours +
             b"; dkim=pass header.d=example.com; spf=pass smtp.mailfrom=example.com") + b"x\r\n"),
        Case("results of others", header(b"Authentication-Results: " + other + b"; dkim=pass"
                                         b" header.d=example.com") + b"x\r\n"),
        Case("results, forged, twice and folded", header(
            b"Authentication-Results: " + ours + b";\r\n\tspf=pass", b"X-A: 1",
            b"authentication-results:" + ours + b" 1; none") + b"x\r\n"),
        Case("policy none", dmarc(b"example.com"), client="198.51.100.7"),
        Case("policy quarantine", dmarc(b"quarantine.example"),
             sender="a.{tag}@quarantine.example"),
        Case("policy reject", dmarc(b"reject.example"), sender="a.{tag}@reject.example"),
        Case("policy reject of a parent", dmarc(b"sub.reject.example")),
        Case("SPF of an earlier filter", dmarc(b"reject.example", received_spf %
             (b"reject.example", b"reject.example")), sender="a.{tag}@reject.example"),
        Case("no policy", dmarc(b"unknown.example"), sender="a.{tag}@unknown.example"),
        Case("strict, and a child", dmarc(b"strict.example"), sender="a.{tag}@sub.strict.example"),
    ]


def of_signatures(plain, keys):
    with open(keys.dkim_rsa, "rb") as file:
        key = file.read()

    def sign(text=plain, **options):
        options = {"selector": b"rsa", "domain": b"example.com", "privkey": key,
                   "include_headers": [b"from", b"to", b"subject"], **options}
        return dkim.sign(text, **options) + text

    simple = (b"simple", b"simple")
    awkward = header(b"X-Fold: a\r\n\tb", subject=b" odd   blanks ") + b" x  \r\n\r\n.\r\n\r\n"
    return [
        Case("signed", sign()),
        Case("signed, simple", sign(canonicalize=simple)),
        Case("signed, simple, awkward", sign(awkward, canonicalize=simple)),
        Case("signed, awkward", sign(awkward)),
        Case("signed, body changed", sign() + b"more\r\n"),
        Case("signed, Subject changed", sign().replace(b"A word", b"Another word")),
        Case("signed twice, once broken", sign(sign(header() + b"x\r\n")) + b"y\r\n"),
        Case("signed with l=", sign(length=True) + b"more\r\n"),
        Case("signed, no such key", sign(selector=b"absent")),
        Case("signed by another domain", sign(domain=b"example.net")),
        Case("signed for a subdomain", sign(identity=b"@sub.example.com")),
        Case("a signature that is none", b"DKIM-Signature: v=1; nonsense\r\n" + plain),
    ]


def of_spam():
    return [
        Case("GTUBE", header() + b"X" + GTUBE),
        Case("GTUBE: mark it", header() + b"Y" + GTUBE),
        Case("GTUBE: write it into Subject", header() + b"Z" + GTUBE),
        Case("GTUBE: nothing", header() + b"A" + GTUBE),
        Case("a bargain", header() + b"the bargain of the century\r\n"),
        Case("a bargain, Subject folded", header(subject=b"one\r\n two") + b"bargain of the century"
             b"\r\n"),
        Case("marks, forged", header(b"X-Spam-Status: No, score=-100", b"X-Spam-Flag: NO",
                                     b"X-Spamd-Result: default: False [-9.00 / 1.00]",
                                     b"X-Spam-Level: ***") + b"x\r\n"),
    ]


def messages(keys):
    """Those that go through every line of real milters."""
    return [*of_header(PLAIN), *of_body(PLAIN), *of_envelope(PLAIN), *of_results(),
            *of_signatures(PLAIN, keys), *of_spam()]


def deeds(verdicts, changes):
    """Those that the python milter does something with: each change, each verdict at each event."""
    content = header(*DUPLICATES, b"X-8bit: \xe4") + b"body\r\n.dot\r\n"
    two = ("b.{tag}@example.net", "c.{tag}@example.net")
    cases = [Case(f"change: {name}", content, f"eom-{name}.{{tag}}@example.com", two)
             for name in changes]
    for verdict in verdicts:
        for stage in ("mail", "data", "header", "eoh", "body", "eom"):
            cases.append(Case(f"{verdict} at {stage}", content,
                              f"{stage}-{verdict}.{{tag}}@example.com", two))
        cases.append(Case(f"{verdict} at rcpt, once", content,
                          f"rcpt-{verdict}.{{tag}}@example.com",
                          (two[0], "refused.{tag}@example.net", two[1])))
        cases.append(Case(f"{verdict} at rcpt, always", content,
                          f"rcpt-{verdict}.{{tag}}@example.com", ("refused.{tag}@example.net",)))
        cases.append(Case(f"{verdict} at helo", content, recipients=two,
                          helo=f"helo-{verdict}.test"))
    return cases


def deeds_at_connect(clients):
    return [Case(f"{verdict} at connect", PLAIN, client=client)
            for client, verdict in clients.items()]
