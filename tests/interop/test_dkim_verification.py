# SPDX-License-Identifier: MPL-2.0
"""Signed messages, whole and damaged, through the real binary: what the gate says of each
signature is compared with what dkimpy and Mail::DKIM say. The good ones are by three signers that
share no code with the gate: dkimpy, Mail::DKIM, OpenDKIM.

Where the gate is stricter by its own policy, the case names the result and the reason that it
must give. Where another one sees it differently, DIFFERENT says so, so that such a difference
cannot come or go unnoticed; docs/TESTING.md explains each of them.
"""

import re
import smtplib
import time
from typing import NamedTuple

import pytest

from awkward_messages import MESSAGES
from dkim_signers import CANONS, SIGNERS, Keys, craft, fields_of, openssl
from dkim_tools import verify_dkimpy, verify_mail_dkim
from harness import config

TIMEOUT_S = 60
NOW = int(time.time())
BASE = (b"From: Alice <alice@example.com>\r\nTo: Bob <bob@example.net>\r\n"
        b"Subject: On  signatures\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\n"
        b"Message-ID: <1@example.com>\r\n\r\nHello  there. \r\n\r\nSecond paragraph.\r\n")

# Good ones beside BASE; "5 MB" and the like cost too much of the others' time here.
GOOD = ["an empty body", "a body of many empty lines", "empty lines at the end",
        "lines of blanks at the end", "blanks before, within and behind", "leading dots",
        "UTF-8 in the body", "Latin-1 but in From", "encoded words", "folded fields",
        "blanks behind fields", "no blank behind the colon", "names in odd case",
        "fields that occur twice", "signed by others already", "of a mailing list", "multipart",
        "a line of 998 octets"]


class Result(NamedTuple):
    """Of one signature, from our Authentication-Results."""
    result: str
    reason: str
    properties: dict


def results_of(message):
    field = re.match(rb"Authentication-Results: here\.test;\s+((?:[^\r\n]|\r\n[ \t])*)\r\n", message)
    assert field, message[:300]
    text = b" ".join(field[1].split()).decode()
    found = []
    for one in re.finditer(r'dkim=(\w+)(?: \([^)]*\))?(?: reason=(?:"([^"]*)"|(\S+)))?([^;]*)', text):
        properties = dict(re.findall(r'header\.(\w+)=(?:"([^"]*)"|)', one[4]))
        properties.update(re.findall(r'header\.(\w+)=([^\s";]+)', one[4]))
        found.append(Result(one[1], one[2] or one[3] or "", properties))
    return [] if [r.result for r in found] == ["none"] else found


class Through:
    """The gate with its DNS, and the others with the same records."""

    def __init__(self, start_gate, sink, dns_server, keys):
        self.sink, self.dns, self.keys = sink, dns_server, keys
        self.records = {}
        settings = {"inbound.chain": ["dkim_verify", "auth_results"],
                    "auth_results.authserv_id": "here.test"}
        self.gate = start_gate(config.smtp_upstream([sink.address]),
                               {**settings, **dns_server.settings})
        self.publish("rsa", "v=DKIM1; k=rsa; p=" + keys.public("rsa"))
        self.publish("ed25519", "v=DKIM1; k=ed25519; p=" + keys.public("ed25519"))

    def publish(self, selector, text, domain="example.com"):
        name = f"{selector}._domainkey.{domain}"
        self.records[name] = text
        self.dns.set(name, "TXT", text.encode())

    def ask(self, message):
        """A Result for each signature, from the gate."""
        with smtplib.SMTP("localhost", self.gate.ports["inbound"], timeout=TIMEOUT_S) as session:
            session.sendmail("alice@example.com", ["bob@example.net"], message)
        arrived = self.sink.messages[-1].data
        assert arrived.endswith(message)
        return results_of(arrived)

    def ask_others(self, message):
        """{who: [True, False or None (cannot say) for each signature]}"""
        said = {}
        for who, verify in (("dkimpy", verify_dkimpy), ("Mail::DKIM", verify_mail_dkim)):
            try:
                said[who] = [None if v.result == "unsupported" else v.result == "pass"
                             for v in verify(message, self.records)]
            except Exception as error:  # pylint: disable=broad-except
                said[who] = [False]  # whoever breaks on it does not let it pass
                assert not isinstance(error, RuntimeError), error
        return said


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("dkim-keys"))


@pytest.fixture
def through(start_gate, sink, dns_server, keys):
    return Through(start_gate, sink, dns_server, keys)


# (case, who) -> passes for them, other than for the gate.
PY, PERL = "dkimpy", "Mail::DKIM"
DIFFERENT = {
    ("From is not in h=", PY): True,
    ("From is not in h=", PERL): True,
    ("a blank before the one of b=", PY): True,  # libopendkim cannot: docs/TESTING.md
    ("a blank before the one of b=", PERL): True,
    ("a tag that ends in b", PY): True,
    ("a tag that ends in b", PERL): True,
    ("x= before t=", PY): True,
    ("t= tomorrow", PERL): True,
    ("t= is no number", PERL): True,
    ("v= is missing", PERL): True,
    ("h= is missing", PERL): True,
    ("bh= is missing", PERL): True,
    ("bh= is empty", PERL): True,
    ("d= twice", PERL): True,
    ("an unknown tag twice", PERL): True,
    ("an empty tag", PERL): True,
    ("l= is 0", PY): True,  # the policy of the gate: what is not signed is no pass
    ("l= beyond the body", PY): True,
    ("l= beyond the body", PERL): True,
    ("a line behind l=", PY): True,
    ("a line behind l=", PERL): True,
    ("rsa-sha1", PY): True,
    ("rsa-sha1", PERL): True,
    ("a From on top", PERL): True,
    ("a From before the author", PERL): True,
    ("key rsa768", PERL): True,
    ("key rsa512", PERL): True,
    ("key vlast", PY): True,
    ("key vlast", PERL): True,
    ("key twice", PERL): True,
    ("key email", PY): False,
    ("key sha1", PY): True,
    ("key hashes", PERL): False,
    ("key strict", PY): True,
    ("key rsapublickey", PERL): False,
}

compared = set()  # of the messages that were compared with both


def compare(through, case, message, expected):
    """The first signature, by all three. expected: True, False, or (result, reason) that the gate
    must give: no pass."""
    ours = through.ask(message)
    compared.add(case)
    if not ours:
        return [(case, "the gate sees no signature")]
    wrong = []
    is_reason = isinstance(expected, tuple)
    if (ours[0].result == "pass") != (expected is True) or is_reason and (
            ours[0].result != expected[0] or expected[1] not in ours[0].reason):
        wrong.append((case, ours[0]))
    for who, verdicts in through.ask_others(message).items():
        theirs = verdicts[0] if verdicts else False
        if theirs is not None and theirs != DIFFERENT.get((case, who), expected is True):
            wrong.append((case, who, theirs))
    return wrong


def test_the_good(through):
    """Three signers, four canonicalizations, RSA and Ed25519; awkward content."""
    wrong = []
    for (signer, kind), sign in SIGNERS.items():
        for canon in CANONS:
            if (signer, kind) == ("OpenDKIM", "ed25519") and canon.startswith("simple"):
                continue  # its own come out folded otherwise than signed: nobody passes them
            message = sign(BASE, through.keys, kind, canon)
            wrong += compare(through, f"{signer} {kind} {canon}", message, True)
    signers = [item for item in SIGNERS.items() if item[0][1] == "rsa"]
    for number, name in enumerate(GOOD):
        for step in range(2):
            (signer, kind), sign = signers[(number + step) % len(signers)]
            canon = CANONS[(number + 2 * step) % len(CANONS)]
            message = sign(MESSAGES[name], through.keys, kind, canon)
            wrong += compare(through, f"{signer} {canon}: {name}", message, True)
    assert not wrong, "\n".join(map(str, wrong))
    assert len(compared) >= 50


def swap(old, new):
    def damage(message):
        assert old in message, old
        return message.replace(old, new, 1)
    return damage


def above(field):
    """On top of everything."""
    return lambda message: field + b"\r\n" + message


def above_author(field):
    """Below the signature."""
    return swap(b"\r\nFrom: Alice", b"\r\n" + field + b"\r\nFrom: Alice")


def in_signature(pattern, new):
    def damage(message):
        after, count = re.subn(pattern, new, message, count=1)
        assert count == 1, pattern
        return after
    return damage


def with_body(body):
    return lambda message: message.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body


FROM_ADDED = ("policy", "more From fields")

# Name -> damage of a signed BASE (relaxed/relaxed), what comes of it.
DAMAGES = {
    "a word of the body": (swap(b"Second", b"Third"), False),
    "one letter of the body": (swap(b"Hello", b"hello"), False),
    "a line behind the body": (lambda message: message + b"Buy this.\r\n", False),
    "a line before the body": (swap(b"\r\n\r\n", b"\r\n\r\nBuy this.\r\n"), False),
    "an empty line less": (swap(b"there. \r\n\r\n", b"there. \r\n"), False),
    "an empty body": (with_body(b""), False),
    "blanks in the body": (swap(b"Hello  there. ", b"Hello\tthere."), True),
    "empty lines behind the body": (lambda message: message + b"\r\n \r\n\r\n", True),
    "the subject": (swap(b"On  signatures", b"[list] On signatures"), False),
    "the subject is gone": (swap(b"Subject: On  signatures\r\n", b""), False),
    "blanks in the subject": (swap(b"On  signatures", b"On\r\n\tsignatures "), True),
    "the case of a name": (swap(b"\r\nSubject:", b"\r\nSUBJECT:"), True),
    "the author": (swap(b"From: Alice", b"From: Malice"), False),
    "the author's address": (swap(b"<alice@", b"<mallory@"), False),
    "the date": (swap(b"24 Nov", b"25 Nov"), False),
    "a field that nobody signs": (above(b"Received: from x by y"), True),
    "another From below": (swap(b"\r\nTo: Bob", b"\r\nFrom: x@evil.example\r\nTo: Bob"), False),
    "d= is another domain": (in_signature(rb"\bd=example\.com", b"d=example.org"), False),
    "s= is no selector": (in_signature(rb"\bs=rsa", b"s=nobody"), False),
    "b= has another start": (in_signature(rb"(\bb=\s*)....", rb"\1AAAA"), False),
    "bh= is of something else":
        (in_signature(rb"\bbh=[^;]+", b"bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="), False),
    "v= is 2": (in_signature(rb"\bv=1", b"v=2"), False),
    "a tag is added": (in_signature(rb"\bv=1;", b"v=1; zz=1;"), False),
    "a= is gone": (in_signature(rb"\ba=rsa-sha256;", b""), False),
}


def test_the_damaged(through):
    """Each damage, on what each signer made."""
    wrong = []
    for (signer, kind), sign in SIGNERS.items():
        if kind == "ed25519":
            continue
        whole = sign(BASE, through.keys, kind, "relaxed/relaxed")
        for name, (damage, expected) in DAMAGES.items():
            wrong += compare(through, name, damage(whole), expected)
    assert not wrong, "\n".join(map(str, wrong))


V = "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=rsa; "
H = "h=from:to:subject; "
END = "bh={bh}; b="
TAGS = V + H + END
SIMPLE = "v=1; a=rsa-sha256; d=example.com; s=rsa; h=from:to:subject; bh={bh}; b="

SYNTAX = "permerror"

# Name -> tags (or a whole craft), what comes of it. All are signed well.
CRAFTED = {
    "plain": (TAGS, True),
    "all simple": (SIMPLE, True),
    "c= of the header only": (V.replace("relaxed/relaxed", "relaxed") + H + END, True),
    "c= is unknown": (V.replace("relaxed/relaxed", "relaxed/x") + H + END, False),
    "d= in upper case": (V.replace("example.com", "EXAMPLE.COM") + H + END, True),
    "h= names a field twice": (V + "h=from:from:subject:subject; " + END, True),
    "h= in odd case": (V + "h=FROM:To:sUBJECT; " + END, True),
    "h= has blanks and folds": (V + "h=from :\r\n\t to\r\n : subject ; " + END, True),
    "h= names a field that is not there": (V + "h=from:cc:x-none:to; " + END, True),
    "From is not in h=": (V + "h=to:subject; " + END, ("permerror", "From")),
    "b= in the middle": (V + "b=; " + H + "bh={bh}", True),
    "b= first": ("b=; " + V + H + "bh={bh}", True),
    "blanks around the equals signs": ("v = 1 ; a = rsa-sha256; c = relaxed/relaxed; "
                                       "d = example.com ; s = rsa; h = from ; bh = {bh} ; b=", True),
    "a blank before the one of b=": (V + H + "bh={bh}; b =", ("permerror", "libopendkim")),
    "a tag that ends in b": (V + "zb=1; " + H + END, ("permerror", "libopendkim")),
    "bh= is folded": (V + H + "bh=\r\n\t{bh}; b=", True),
    "a final semicolon": (V + "b=; " + H + "bh={bh};", True),
    "unknown tags": (V + "zz=1; x_1=a:b; " + H + END, True),
    "z= is there": (V + "z=From:a@b|Subject:=20x; " + H + END, True),
    "q=dns/txt": (V + "q=dns/txt; " + H + END, True),
    "i= of d=": (V + "i=alice@example.com; " + H + END, True),
    "i= without a local part": (V + "i=@example.com; " + H + END, True),
    "i= of a subdomain": (V + "i=alice@mail.example.com; " + H + END, True),
    "i= of another domain": (V + "i=alice@example.org; " + H + END, False),
    "i= of the parent": (V + "i=alice@com; " + H + END, False),
    "i= that only ends alike": (V + "i=alice@badexample.com; " + H + END, False),
    "t= a day ago": (V + f"t={NOW - 86400}; " + H + END, True),
    "x= tomorrow": (V + f"t={NOW - 60}; x={NOW + 86400}; " + H + END, True),
    "expired": (V + f"t={NOW - 864000}; x={NOW - 86400}; " + H + END, False),
    "expired, without t=": (V + f"x={NOW - 86400}; " + H + END, False),
    "x= before t=": (V + f"t={NOW - 60}; x={NOW - 120}; " + H + END, False),
    "t= tomorrow": (V + f"t={NOW + 86400}; " + H + END, ("fail", "future")),
    "t= is no number": (V + "t=today; " + H + END, False),
    "v= is 2, signed so": (TAGS.replace("v=1", "v=2"), False),
    "v= is missing": (TAGS.replace("v=1; ", ""), False),
    "a= is missing": (TAGS.replace("a=rsa-sha256; ", ""), False),
    "d= is missing": (TAGS.replace("d=example.com; ", ""), False),
    "s= is missing": (TAGS.replace("s=rsa; ", ""), False),
    "h= is missing": (V + END, False),
    "bh= is missing": (V + H + "b=", False),
    "bh= is empty": (V + H + "bh=; b=", False),
    "a= is unknown": (TAGS.replace("rsa-sha256", "rsa-sha999"), False),
    "d= twice": (TAGS.replace("s=rsa", "d=example.com; s=rsa"), False),
    "an unknown tag twice": (TAGS.replace("s=rsa", "zz=1; zz=1; s=rsa"), False),
    "rubbish in between": (TAGS.replace("s=rsa", "rubbish; s=rsa"), False),
    "an empty tag": (TAGS.replace("s=rsa", "; s=rsa"), (SYNTAX, "tags")),
    "l= of the whole body": (V + "l=35; " + H + END, True),
    "l= is 0": (V + "l=0; " + H + END, ("policy", "not signed")),
    "l= is no number": (V + "l=x; " + H + END, False),
    "l= beyond the body": (V + "l=99999; " + H + END, ("fail", "shorter")),
    "the name in odd case": ({"tags": TAGS, "name": "dkim-SIGNATURE: "}, True),
    "no blank behind the colon": ({"tags": TAGS, "name": "DKIM-Signature:"}, True),
    "rsa-sha1": ({"tags": TAGS.replace("sha256", "sha1"), "sha": "sha1"}, ("policy", "rsa-sha1")),
    "by another key": ({"tags": TAGS, "key": "other"}, False),
}


def crafted(through, how, message=BASE):
    return craft(message, through.keys, **(how if isinstance(how, dict) else {"tags": how}))


def test_fields(through):
    wrong = []
    for name, (how, expected) in CRAFTED.items():
        wrong += compare(through, name, crafted(through, how), expected)
    assert not wrong, "\n".join(map(str, wrong))


# Name -> tags of the signature, a change afterwards, what comes of it.
ADDED = {
    "a From on top": (TAGS, above(b"From: x@evil.example"), FROM_ADDED),
    "a From before the author": (TAGS, above_author(b"From: x@evil.example"), FROM_ADDED),
    "a From on top of an oversigned one":
        (V + "h=from:from; " + END, above(b"From: x@evil.example"), False),
    "a Subject on top": (TAGS, above(b"Subject: x"), True),
    "a Subject on top of an oversigned one":
        (V + "h=from:subject:subject; " + END, above(b"Subject: x"), False),
    "a Reply-To that was signed as absent":
        (V + "h=from:reply-to; " + END, above(b"Reply-To: x@evil.example"), False),
    "a line behind l=":
        (V + "l=35; " + H + END, lambda message: message + b"Buy this.\r\n",
         ("policy", "not signed")),
    "empty lines behind l=": (V + "l=35; " + H + END, lambda message: message + b"\r\n\r\n", True),
    "a change before l=": (V + "l=35; " + H + END, swap(b"Hello", b"hello"), False),
    "a blank in a simple body": (SIMPLE, swap(b"Hello  there. ", b"Hello  there."), False),
    "a fold in a simple field": (SIMPLE, swap(b"On  signatures", b"On\r\n  signatures"), False),
    "the case of a simple field's name": (SIMPLE, swap(b"\r\nSubject:", b"\r\nSUBJECT:"), False),
    "a tag is refolded": (TAGS, in_signature(rb"; bh=", b";\r\n\tbh="), True),
    "a tag is refolded in a simple header": (SIMPLE, in_signature(rb"; bh=", b";\r\n\tbh="), False),
    "b= is refolded": (TAGS, in_signature(rb"\bb=(....)", rb"b=\1\r\n\t"), True),
    "b= is cut off": (TAGS, in_signature(rb"(\bb=....)[^:]*\r\n(From:)", rb"\1\r\n\2"), False),
    "b= is empty": (TAGS, in_signature(rb"\bb=[^:]*\r\n(From:)", rb"b=\r\n\1"), False),
    "c= is simple now": (TAGS, in_signature(rb"c=relaxed/relaxed", b"c=simple/simple"), False),
    "x= is later now": (V + f"x={NOW - 60}; " + H + END,
                        in_signature(rb"x=\d+", b"x=%d" % (NOW + 86400)), False),
}


def test_additions(through):
    wrong = []
    for name, (tags, change, expected) in ADDED.items():
        wrong += compare(through, name, change(crafted(through, tags)), expected)
    assert not wrong, "\n".join(map(str, wrong))


def key_cases(keys):
    """Selector -> record, how the signature is made, what comes of it."""
    p = "p=" + keys.public("rsa")
    spaced = re.sub("(.{40})", r"\1 ", p)
    weak = {name: "v=DKIM1; p=" + keys.public(name) for name in ("rsa1024", "rsa768", "rsa512")}
    sub = "i=@mail.example.com; "
    return {
        "bare": (p, {}, True),
        "rsa1024": (weak["rsa1024"], {"key": "rsa1024"}, True),
        "rsa768": (weak["rsa768"], {"key": "rsa768"}, ("policy", "768 bits")),
        "rsa512": (weak["rsa512"], {"key": "rsa512"}, ("policy", "512 bits")),
        "revoked": ("v=DKIM1; p=", {}, False),
        "revoked2": ("v=DKIM1; k=rsa; p= ;", {}, False),
        "spaced": (f"v=DKIM1; {spaced}", {}, True),
        "semicolon": (f"v=DKIM1; {p};", {}, True),
        "unknown": (f"v=DKIM1; zz=1; {p}; n=note", {}, True),
        "nov": (f"k=rsa; {p}", {}, True),
        "vlast": (f"k=rsa; {p}; v=DKIM1", {}, (SYNTAX, "first")),
        "v2": (f"v=DKIM2; {p}", {}, False),
        "malformed": ("v=DKIM1; p=***", {}, False),
        "cut": (f"v=DKIM1; {p[:100]}", {}, False),
        "nop": ("v=DKIM1; k=rsa", {}, False),
        "twice": (f"v=DKIM1; {p}; {p}", {}, (SYNTAX, "twice")),
        "otherk": (f"v=DKIM1; k=ed25519; {p}", {}, False),
        "unknownk": (f"v=DKIM1; k=dsa; {p}", {}, False),
        "tlsrpt": (f"v=DKIM1; s=tlsrpt; {p}", {}, (SYNTAX, "s=")),
        "star": (f"v=DKIM1; s=*; {p}", {}, True),
        "email": (f"v=DKIM1; s=tlsrpt:email; {p}", {}, True),
        "sha1": (f"v=DKIM1; h=sha1; {p}", {}, (SYNTAX, "SHA-256")),
        "sha256": (f"v=DKIM1; h=sha256; {p}", {}, True),
        "hashes": (f"v=DKIM1; h=sha1 : sha256; {p}", {}, True),
        "test": (f"v=DKIM1; t=y; {p}", {}, True),
        "strict": (f"v=DKIM1; t=s; {p}", {"more": sub}, (SYNTAX, "subdomain")),
        "strict2": (f"v=DKIM1; t=y:s; {p}", {"more": "i=a@example.com; "}, True),
        "other": ("v=DKIM1; p=" + keys.public("other"), {}, False),
        "rsapublickey": ("v=DKIM1; p=" + keys.public_bare("rsa", 2048), {}, True),
        "notakey": ("v=spf1 -all", {}, False),
    }


def test_keys(through):
    wrong = []
    for selector, (record, how, expected) in key_cases(through.keys).items():
        through.publish(selector, record)
        tags = TAGS.replace("s=rsa", f"s={selector}").replace("h=from", how.get("more", "") + "h=from")
        message = craft(BASE, through.keys, tags, key=how.get("key", "rsa"))
        wrong += compare(through, f"key {selector}", message, expected)
    assert not wrong, "\n".join(map(str, wrong))


def test_keys_in_the_dns(through):
    """By CNAME, in many strings, twice; not there; not now."""
    good = through.records["rsa._domainkey.example.com"]

    def signed_by(selector):
        return craft(BASE, through.keys, TAGS.replace("s=rsa", f"s={selector}"))

    def name(selector):
        return f"{selector}._domainkey.example.com"

    def both_say(case, message, expected):
        assert not compare(through, case, message, expected)

    through.records[name("alias")] = through.records[name("strings")] = good
    through.records[name("sub.selector")] = good
    through.dns.add("keys.provider.example", "TXT", good.encode())
    through.dns.add(name("alias"), "CNAME", "keys.provider.example.")
    through.dns.add(name("strings"), "TXT", [good[at:at + 17] for at in range(0, len(good), 17)])
    through.dns.add(name("sub.selector"), "TXT", good.encode())
    both_say("key by CNAME", signed_by("alias"), True)
    both_say("key in many strings", signed_by("strings"), True)
    both_say("selector of two labels", signed_by("sub.selector"), True)
    both_say("key is not there", signed_by("nobody"), False)
    both_say("domain is not there",
             craft(BASE, through.keys, TAGS.replace("example.com", "nowhere.example")), False)

    through.dns.add(name("several"), "TXT", good.encode(), b"v=DKIM1; p=")
    through.dns.behave(name("down"), "TXT", "servfail")
    for selector, result, reason in (("several", "permerror", "more than one"),
                                     ("down", "temperror", "SERVFAIL")):
        found = through.ask(signed_by(selector))
        assert [r.result for r in found] == [result] and reason in found[0].reason


def test_several_signatures(through):
    """One good and one bad, in both orders; each has its own verdict, in the message's order."""
    keys = through.keys
    good = craft(BASE, keys, TAGS)
    expired = TAGS.replace("h=from", f"x={NOW - 86400}; h=from")
    both = {
        "good on top of bad": (craft(craft(BASE, keys, expired), keys, TAGS), [True, False]),
        "bad on top of good": (craft(good, keys, expired), [False, True]),
        "l= above another": (craft(good, keys, V + "l=2; " + H + END.replace("{bh}", "AAAA")),
                             [False, True]),
        "two algorithms": (craft(good, keys, TAGS.replace("rsa-sha256", "ed25519-sha256")
                                 .replace("s=rsa", "s=ed25519"), key="ed25519"), [True, True]),
        "malformed on top of good": (b"DKIM-Signature: v=1; v=1; rubbish\r\n" + good, [False, True]),
        "five": (craft(craft(craft(good, keys, TAGS), keys, SIMPLE), keys, expired), None),
        "signed by a later one": (craft(good, keys, V + "h=from:dkim-signature; " + END),
                                  [True, True]),
    }
    for name, (message, expected) in both.items():
        ours = [r.result == "pass" for r in through.ask(message)]
        if expected is None:
            expected = [False, True, True, True]
        assert ours == expected, name
        if name.startswith("malformed"):
            continue  # the others leave it out of their lists
        for who, verdicts in through.ask_others(message).items():
            for at, theirs in enumerate(verdicts):
                assert theirs in (None, DIFFERENT.get((f"{name} {at}", who), ours[at])), (name, who)


def test_too_many_signatures(through):
    """Eight are looked at, the rest is counted."""
    message = BASE
    for _ in range(12):
        message = craft(message, through.keys, TAGS)
    assert [r.result for r in through.ask(message)] == ["pass"] * 8
    assert ",+4" in through.gate.wait_for("msg.done").fields["links"]


def test_properties(through):
    tags = TAGS.replace("h=from", "i=alice@mail.example.com; h=from")
    message = craft(BASE, through.keys, tags)
    (result,) = through.ask(message)
    start = re.search(rb"\bb=(.{8})", message)[1].decode()
    assert result.properties == {"d": "example.com", "i": "alice@mail.example.com", "s": "rsa",
                                 "a": "rsa-sha256", "b": start}
    assert through.ask(BASE) == []


def test_fields_are_read_as_here():
    """The tests' own reader of messages, and the number of messages."""
    fields, body = fields_of(BASE)
    assert len(fields) == 5 and body.startswith(b"Hello")
    assert openssl("version")
    total = (len(SIGNERS) * len(CANONS) + 2 * len(GOOD) + 3 * len(DAMAGES) + len(CRAFTED)
             + len(ADDED) + 30 + 5)
    assert total >= 150
