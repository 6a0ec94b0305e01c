# SPDX-License-Identifier: MPL-2.0
"""A milter on the real libmilter, by pymilter; a process of its own.

usage: python_milter.py SOCKET LOG [--names]

What it does is in the envelope: the sender's local part is STAGE-DEED.tag, and at that stage the
deed is done: a verdict of VERDICTS, or at eom a change of CHANGES. Before MAIL there is the
client's address (CONNECT) and the name in HELO, helo-DEED.test. Each event that it hears goes to
LOG as a line of JSON, with all macros that it can see then. --names: it tells the MTA which
macros it wants, instead of what the MTA sends by itself.
"""

import json
import re
import sys

import Milter

MACROS = ["j", "v", "_", "i", "{daemon_name}", "{daemon_addr}", "{daemon_port}", "{client_addr}",
          "{client_name}", "{client_port}", "{client_ptr}", "{client_resolve}",
          "{client_connections}", "{tls_version}", "{cipher}", "{cipher_bits}", "{cert_subject}",
          "{cert_issuer}", "{auth_type}", "{auth_authen}", "{auth_author}", "{auth_ssf}", "{mail_addr}",
          "{mail_host}", "{mail_mailer}", "{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}"]
CONNECT = {"192.0.2.101": "reject", "192.0.2.102": "tempfail", "192.0.2.103": "accept",
           "192.0.2.104": "reply5", "192.0.2.105": "reply4", "192.0.2.106": "reply421"}
BLOCK = 60000


def reply(code, enhanced, *lines):
    """The verdict that goes with a reply of one's own."""
    def give(milter):
        milter.setreply(code, enhanced, *lines)
        return Milter.REJECT if code[0] == "5" else Milter.TEMPFAIL
    return give


VERDICTS = {
    "accept": lambda milter: Milter.ACCEPT,
    "discard": lambda milter: Milter.DISCARD,
    "reject": lambda milter: Milter.REJECT,
    "tempfail": lambda milter: Milter.TEMPFAIL,
    "reply5": reply("554", "5.7.9", "because of a reason"),
    "reply4": reply("452", "4.3.1", "not now, thank you"),
    "replylines": reply("550", "5.7.1", "the first line", "the second line", "the third"),
    "replypercent": reply("550", "5.7.1", "100%% of it"),
    "replybare": reply("553", None, "no enhanced code"),
    "reply421": reply("421", "4.7.0", "go away"),
    "reply521": reply("521", "5.3.2", "never"),
}


def several_fields(m):
    m.addheader("X-Added", "at the end")
    m.addheader("X-Inserted", "at the top", 0)
    m.addheader("X-Second", "below the MTA's own", 1)
    m.addheader("X-Third", "and one more", 3)
    m.addheader("X-Far", "beyond the end", 1000)


def all_of_it(m):
    m.progress()
    several_fields(m)
    m.chgheader("Subject", 1, "changed, too")
    m.chgheader("X-Dup", 2, "")
    m.addrcpt("<added.%s@example.net>" % m.tag)
    m.delrcpt(m.recipients[0])
    m.chgfrom("<all.%s@example.org>" % m.tag)
    m.replacebody(b"a new body\r\n")


def replace_by_pieces(m):
    m.replacebody(b"x" * 70 + b"\r\n")
    for number in range(4):
        m.replacebody((b"%d" % number * 70 + b"\r\n") * (BLOCK // 72))
    m.replacebody(b"half a line")


def change_twice(m):
    m.chgheader("Subject", 1, "once")
    m.chgheader("Subject", 1, "twice")
    m.chgheader("X-Not-There", 1, "so it is added")
    m.chgheader("X-Dup", 9, "so it is added as well")


def delete_several(m):
    m.chgheader("X-Dup", 3, "")
    m.chgheader("X-Dup", 1, "")
    m.chgheader("X-Not-There", 1, "")


def add_and_delete(m):
    m.addheader("X-Added", "here for a moment")
    m.chgheader("X-Added", 1, "")
    m.addheader("X-Dup", "the fourth")
    m.chgheader("X-Dup", 4, "the fourth, changed")


def recipients(m):
    m.addrcpt("<added.%s@example.net>" % m.tag)
    m.addrcpt("second.%s@example.net" % m.tag)
    m.delrcpt("<second.%s@example.net>" % m.tag)
    m.delrcpt(m.recipients[-1])
    m.delrcpt("<nobody.at.all@example.net>")


def nobody_left(m):
    for address in m.recipients:
        m.delrcpt(address)


CHANGES = {
    "addheader": lambda m: m.addheader("X-Added", "one more"),
    "addfolded": lambda m: m.addheader("X-Added", "one\n\ttwo\n three"),
    "addblank": lambda m: m.addheader("X-Added", "  two blanks"),
    "add8bit": lambda m: m.addheader("X-Added", "gr\u00fc\u00dfe"),
    "addlong": lambda m: m.addheader("X-Added", "x" * 900),
    "addmany": lambda m: [m.addheader("X-Added", str(number)) for number in range(40)],
    "insert": several_fields,
    "change": lambda m: m.chgheader("Subject", 1, "changed"),
    "changecase": lambda m: m.chgheader("SUBJECT", 1, "changed, and its name"),
    "changesecond": lambda m: m.chgheader("X-Dup", 2, "the second, changed"),
    "changetwice": change_twice,
    "changezero": lambda m: m.chgheader("X-Dup", 0, "the index is nought"),
    "delete": lambda m: m.chgheader("Subject", 1, ""),
    "deleteseveral": delete_several,
    "addanddelete": add_and_delete,
    "body": lambda m: m.replacebody(b"new\r\n.dots\r\n..\r\n"),
    "bodylf": lambda m: m.replacebody(b"one\ntwo\n\nthree\n"),
    "bodylarge": replace_by_pieces,
    "bodyempty": lambda m: m.replacebody(b""),
    "recipients": recipients,
    "nobody": nobody_left,
    "sender": lambda m: m.chgfrom("<changed.%s@example.org>" % m.tag),
    "sendernull": lambda m: m.chgfrom("<>"),
    "senderparameters": lambda m: m.chgfrom("<changed.%s@example.org>" % m.tag, "RET=HDRS"),
    "quarantine": lambda m: m.quarantine("looks bad"),
    "progress": lambda m: [m.progress() for _ in range(5)],
    "all": all_of_it,
}


class Hearing(Milter.Base):
    """Notes, and obeys."""

    log = None

    def __init__(self):
        self.deed = (None, None)
        self.tag, self.recipients, self.octets = "", [], 0

    def note(self, event, *arguments):
        seen = {name: self.getsymval(name) for name in MACROS}
        self.log.write(json.dumps({
            "event": event, "arguments": arguments,
            "macros": {name: value for name, value in seen.items() if value is not None}}) + "\n")
        self.log.flush()

    def obey(self, stage):
        return VERDICTS[self.deed[1]](self) if self.deed[0] == stage and \
            self.deed[1] in VERDICTS else Milter.CONTINUE

    def connect(self, hostname, family, hostaddr):
        self.note("connect", hostname, int(family), *hostaddr[:2])
        verdict = VERDICTS.get(CONNECT.get(hostaddr[0]))
        return verdict(self) if verdict else Milter.CONTINUE

    def hello(self, hostname):
        self.note("helo", hostname)
        found = re.fullmatch(r"helo-(\w+)\.test", hostname)
        return VERDICTS[found[1]](self) if found else Milter.CONTINUE

    def envfrom(self, f, *s):
        self.note("mail", f, *s)
        found = re.match(r"<(\w+)-(\w+)\.(\w+)@", f)
        self.deed, self.tag = (found.group(1, 2), found[3]) if found else ((None, None), "")
        self.recipients, self.octets = [], 0
        return self.obey("mail")

    def envrcpt(self, to, *s):
        self.note("rcpt", to, *s)
        if to.startswith("<refused."):
            return self.obey("rcpt")
        self.recipients.append(to)
        return Milter.CONTINUE

    def data(self):
        self.note("data")
        return self.obey("data")

    def header(self, field, value):
        self.note("header", field, value)
        return self.obey("header") if field.lower() == "subject" else Milter.CONTINUE

    def eoh(self):
        self.note("eoh")
        return self.obey("eoh")

    def body(self, blk):
        self.note("body", blk.decode("latin-1"))
        return self.obey("body")

    def eom(self):
        self.note("eom")
        if self.deed[0] == "eom" and self.deed[1] in CHANGES:
            CHANGES[self.deed[1]](self)
        return self.obey("eom")

    def abort(self):
        self.note("abort")
        return Milter.CONTINUE


class Naming(Hearing):
    """The same, with lists of macros of its own."""

    def negotiate(self, opts):
        wanted = " ".join(MACROS)
        for stage in range(Milter.M_CONNECT, Milter.M_EOH + 1):
            self._ctx.setsymlist(stage, wanted)
        return super().negotiate(opts)


def main():
    Hearing.log = open(sys.argv[2], "w", encoding="ascii")  # noqa: SIM115
    Milter.factory = Naming if "--names" in sys.argv[3:] else Hearing
    Milter.set_flags(Milter.CURR_ACTS)
    Milter.runmilter("gatepost-test", sys.argv[1], 300)


if __name__ == "__main__":
    main()
