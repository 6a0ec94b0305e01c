# SPDX-License-Identifier: MPL-2.0
"""Messages that are valid, or common though not valid, and hard to get right.

MESSAGES maps a name to the octets as a client submits them: From example.com, every line ended
by CRLF, no bare CR, LF or NUL. They must leave as they came, and every signature must hold.
UNREADABLE says which verifiers cannot take a message at all, and why.
"""


def crlf(text):
    octets = text if isinstance(text, bytes) else text.encode("utf-8")
    return octets.replace(b"\n", b"\r\n")


FROM = "From: Alice <alice@example.com>\n"
HEAD = FROM + "To: Bob <bob@example.net>\nSubject: a test\n"
DATED = HEAD + "Date: Tue, 24 Nov 2026 20:57:50 +0000\nMessage-ID: <1@example.com>\n"

MULTIPART = (
    DATED
    + """MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="=_b"

A preamble.
--=_b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Gr=C3=BC=C3=9Fe =
weiter
--=_b
Content-Type: text/html

<p>Hi</p>
--=_b--

An epilogue.
"""
)

LIST = (
    DATED
    + """Sender: list@example.com
Reply-To: list@example.com
List-Id: A list <list.example.com>
List-Unsubscribe: <https://example.com/u?x=1>,
 <mailto:u@example.com>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
Precedence: bulk
"""
)

SIGNED = (
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=other.example; s=s;\n"
    "\th=from:to; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\n\tb=AAAA\n"
    "Authentication-Results: other.example; dkim=pass header.d=other.example\n"
)

RESENT = (
    "Resent-From: carol@example.com\nResent-To: dave@example.net\n"
    "Resent-Date: Tue, 24 Nov 2026 20:58:00 +0000\nResent-Message-ID: <2@example.com>\n"
)

MESSAGES = {
    "plain": crlf(DATED + "\nHello.\n"),
    "without To, Date and Message-ID": crlf(FROM + "\nHello.\n"),
    "an empty body": crlf(DATED + "\n"),
    "a body of one empty line": crlf(DATED + "\n\n"),
    "a body of many empty lines": crlf(DATED + "\n" + "\n" * 500),
    "no body and no empty line": crlf(DATED),
    "empty lines at the end": crlf(DATED + "\nHello.\n\n\n\n"),
    "lines of blanks at the end": crlf(DATED + "\nHello.\n \n\t\n  \t \n"),
    "a body of blanks": crlf(DATED + "\n   \t  \n"),
    "blanks before, within and behind": crlf(DATED + "\n  a  b\t\tc \t\n\n \n\n\td\n"),
    "leading dots": crlf(DATED + "\n.\n..\n.a\n...\n. \n"),
    "a dot alone, last": crlf(DATED + "\nHello.\n.\n"),
    "lines that look like SMTP": crlf(DATED + "\nQUIT\nRSET\n250 ok\nMAIL FROM:<>\n"),
    "lines that look like a header": crlf(DATED + "\nFrom: x\n\nTo: y\n\n\nSubject: z\n"),
    "lines that begin with From": crlf(DATED + "\nFrom here\n>From there\n"),
    "UTF-8 in the body": crlf(DATED + "\nGrüße, 你好, \U0001f600\u00a0\u2028\n"),
    "UTF-8 in fields": crlf(
        "From: Jürgen Müller <alice@example.com>\nTo: Ólafur <bob@example.net>\n"
        "Subject: Grüße \u00a0 你好 \U0001f600\n\nHi\n"
    ),
    "Latin-1 everywhere": crlf(
        b"From: J\xfcrgen <alice@example.com>\nSubject: Gr\xfc\xdfe \xa0\x85\n\n\xe4\xf6\xfc\xa0\n"
    ),
    "Latin-1 but in From": crlf(
        FROM.encode() + b"Subject: Gr\xfc\xdfe \xa0\x85\nX-Name: J\xfcrgen\n\n\xe4\xf6\xfc\xa0\n"
    ),
    "every octet but NUL, CR and LF": crlf(DATED)
    + b"\r\n"
    + bytes(octet for octet in range(1, 256) if octet not in (10, 13))
    + b"\r\n",
    "encoded words": crlf(
        FROM + "Subject: =?UTF-8?B?R3LDvMOfZQ==?=\n =?UTF-8?Q?_und_mehr?=\n\nHi\n"
    ),
    "folded fields": crlf(
        "From: Alice\n <alice@example.com>\nTo: Bob <bob@example.net>,\n\tCarol\n"
        "\t <carol@example.org>\nSubject: a\n \tsubject  in\n  three lines \n\nHi\n"
    ),
    "folds with nothing in them": crlf(FROM + "Subject:\n \n\t\n x\nTo:\n\tb@example.net\n\nHi\n"),
    "fields that are nothing but folds": crlf(FROM + "Subject:\n \nCc:\n\t\n  \n\nHi\n"),
    "empty fields": crlf(FROM + "Subject:\nTo: \nCc:\t\nX-Empty:\n\nHi\n"),
    "blanks behind fields": crlf(FROM + "To: bob@example.net \t\nSubject: a \t b  \n\nHi\n"),
    "no blank behind the colon": crlf("From:alice@example.com\nSubject:x\nTo:b@example.net\n\nHi\n"),
    "blanks before the colon": crlf(FROM + "Subject : x\nTo   : bob@example.net\n\nHi\n"),
    "names in odd case": crlf("FROM: alice@example.com\nsUbJeCt: x\nmessage-id: <1@x>\n\nHi\n"),
    "control characters in a field": crlf(FROM + "Subject: a\x01\x0b\x0c b\x1f\x7f\n\nHi\n"),
    "fields that occur twice": crlf(FROM + "To: b@x.example\nSubject: 1\nTo: c@x.example\nSubject: 2\n\nHi\n"),
    "fields of the trace": crlf("Return-Path: <x@y.example>\nReceived: from a by b; now\n" + DATED + "\nHi\n"),
    "signed by others already": crlf(SIGNED + DATED + "\nHello.\n"),
    "sent once more": crlf(RESENT + DATED + "\nHello.\n"),
    "of a mailing list": crlf(LIST + "\nHello.\n"),
    "multipart": crlf(MULTIPART),
    "a group and comments": crlf(
        'From: "Alice (not a comment)" (a (nested) comment) <alice@example.com>\n'
        "To: undisclosed-recipients:;\n\nHi\n"
    ),
    "several authors": crlf(
        "From: alice@example.com, Bob <bob@example.com>\nSender: alice@example.com\n\nHi\n"
    ),
    "a line of 998 octets": crlf(DATED + "\n" + "x" * 998 + "\n"),
    "a line of 100 000 octets": crlf(DATED + "\n" + "long " * 20000 + "\n"),
    "a field of 998 octets": crlf(FROM + "Subject: " + "s" * 989 + "\n\nHi\n"),
    "a field of 2000 folds": crlf(
        FROM + "References:" + "".join(f"\n <{n}@example.org>" for n in range(2000)) + "\n\nHi\n"
    ),
    "1900 fields": crlf(HEAD + "".join(f"X-Field-{n}: {n}\n" for n in range(1897)) + "\nHi\n"),
    "900 recipients": crlf(
        FROM + "To: " + ",\n ".join(f"user{n}@example.net" for n in range(900)) + "\n\nHi\n"
    ),
    "an odd name": crlf(FROM + "X!#$%&'*+-.^_`|~: x\nX;Y: z\n\nHi\n"),
    "base64": crlf(DATED + "\n" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZn\n" * 1000),
    "5 MB": crlf(DATED + "\n" + "0123456789 abcdefghi \n" * 240000),
}

# A verifier that cannot read a message at all: no signature could satisfy it.
UNREADABLE = {
    ("dkimpy", "blanks before the colon"): "dkimpy 1.1 takes no blank there",
}
