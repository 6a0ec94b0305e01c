# SPDX-License-Identifier: MPL-2.0
"""What the gate does otherwise than Postfix with the same milters, each with its reason. Whatever
differs besides is an error."""

from typing import NamedTuple

import python_milter


class Outcome(NamedTuple):
    """What became of a case at one side."""
    replies: tuple  # (command, code, enhanced code, text if it was refused)
    delivered: tuple  # (sender, recipients, content)
    heard: tuple  # (event, arguments, macros) of the python milter


def with_replies(outcome, replies):
    return outcome._replace(replies=tuple(replies))


def with_content(outcome, change):
    return outcome._replace(delivered=tuple((sender, recipients, change(data))
                                            for sender, recipients, data in outcome.delivered))


def with_macros(outcome, change):
    return outcome._replace(heard=tuple((event, arguments, change(event, dict(macros)))
                                        for event, arguments, macros in outcome.heard))


def words(_, outcome):
    return with_replies(outcome, [
        (*reply[:3], reply[3].replace("unavailable, please", "unavailable -"))
        for reply in outcome.replies])


def bare_codes(_, outcome):
    return with_replies(outcome, [
        (what, code, "", text[6:]) if text == "5.7.1 no enhanced code" else
        (what, code, enhanced, text) for what, code, enhanced, text in outcome.replies])


def at_data(case, outcome):
    replies = list(outcome.replies)
    if not case.name.endswith(" at data") or outcome.replies[-1][1] == "250":
        return outcome
    at = next((i for i, reply in enumerate(replies) if reply[0] == "data"), len(replies))
    if replies[at:at + 1] == [("data", "354", "", "")] and len(replies) > at + 1:
        replies[at:at + 2] = [("data", *replies[at + 1][1:])]
    return with_replies(outcome, replies)


def at_helo(_, outcome):
    replies = list(outcome.replies)
    if len(replies) > 2 and replies[1][0] == "helo" and replies[1][1][0] in "45" and \
            replies[2][1] == "503":
        replies[1:3] = [("helo", "250", "", ""), ("mail", *replies[1][1:])]
    return with_replies(outcome, replies)


def at_connect(case, outcome):
    what, code, enhanced, text = outcome.replies[0]
    verdict = python_milter.CONNECT.get(case.client)
    if what != "connect" or code == "220" or verdict is None:
        return outcome
    if verdict == "reply421":
        return with_replies(outcome, [
            (what, code, "", "gate.test Service unavailable - try again later"),
            *outcome.replies[1:]])
    code = {"reject": "550", "reply5": "554", "tempfail": "451", "reply4": "452"}[verdict]
    greeting = ("554", "", "gate.test ESMTP not accepting connections") if code[0] == "5" else \
        ("220", "", "")
    return with_replies(outcome, [("connect", *greeting), ("helo", "250", "", ""),
                                  ("mail", code, enhanced, text)])


def code_521(_, outcome):
    at = next((i for i, reply in enumerate(outcome.replies) if reply[1] == "521"), None)
    if at is None:
        return outcome
    replies = [*outcome.replies[:at + 1], ("closed", "", "", "")]
    refused = next((i for i, event in enumerate(outcome.heard)
                    if event[0] == "rcpt" and event[1][0].startswith("<refused.")), None)
    return Outcome(tuple(replies), (), outcome.heard[:refused + 1 if refused else None])


def quarantine(case, outcome):
    if case.name != "change: quarantine":
        return outcome
    return with_content(outcome, lambda data: data.replace(
        b"X-Quarantine: milter:python; looks bad\r\n", b"", 1))


def turns(_, outcome):
    """OpenDMARC has refused before the python milter behind it hears of the content."""
    if outcome.replies[-1][0] != "content" or outcome.replies[-1][1] == "250" or \
            not outcome.heard or outcome.heard[-1][0] != "rcpt":
        return outcome
    macros = {**outcome.heard[-1][2], "i": "..."}
    return outcome._replace(heard=(*outcome.heard, ("data", [], macros)))


def parameters(_, outcome):
    return outcome._replace(heard=tuple(
        (event, [arguments[0], *sorted(arguments[1:])] if event == "mail" else arguments, macros)
        for event, arguments, macros in outcome.heard))


def blanks(_, outcome):
    return with_content(outcome, lambda data: data.replace(b"X-Blank : 1\r\n", b"X-Blank: 1\r\n"))


def client_v6(_, outcome):
    def change(event, macros):
        if event in ("eoh", "body", "eom") and "{client_addr}" in macros:
            macros["{client_addr}"] = macros["{client_addr}"].replace("IPv6:", "")
        return macros
    return with_macros(outcome, change)


def early_names(_, outcome):
    taken = [reply[1] == "250" for reply in outcome.replies if reply[0] == "rcpt"]
    seen = []

    def change(event, macros):
        if event in ("mail", "rcpt") and not any(taken[:len(seen)]):
            macros.pop("i", None)
        seen.extend([event] if event == "rcpt" else [])
        return macros
    return with_macros(outcome, change)


def has_named_its_own(macros):
    return "{client_resolve}" in macros


def client_macros(_, outcome):
    def change(_, macros):
        if not has_named_its_own(macros):
            for name in ("addr", "name", "port", "ptr"):
                macros.pop("{client_%s}" % name, None)
        return macros
    return with_macros(outcome, change)


def client_count(_, outcome):
    return with_macros(outcome, lambda _, macros: {
        **macros, **({"{client_connections}": "0"} if has_named_its_own(macros) else {})})


def first_recipient(_, outcome):
    first = next((macros.get("{rcpt_addr}") for event, _, macros in outcome.heard
                  if event == "rcpt"), None)

    def change(event, macros):
        if first and has_named_its_own(macros) and event not in ("connect", "helo", "mail", "rcpt"):
            macros["{rcpt_addr}"] = first
        return macros
    return with_macros(outcome, change)


def lower_case(_, outcome):
    return with_macros(outcome, lambda _, macros: {
        name: value.lower() if name in ("{mail_addr}", "{rcpt_addr}") else value
        for name, value in macros.items()})


# What the gate does otherwise than Postfix: why, and what its outcome would be if it did not.
DIFFERENT = {
    "tempfail": ("the reply has words of the gate's own", words),
    "no enhanced code": ("RFC 2034: each reply has one, so 5.7.1 is added", bare_codes),
    "DATA": ("the content is told when it is whole, so a word at DATA comes behind it", at_data),
    "HELO": ("the gate answers where the milter spoke; Postfix says 250, and refuses MAIL",
             at_helo),
    "connect": ("the gate ends a connection that was refused, or defers it at once (RFC 5321 3.1); "
                "Postfix goes on, and refuses MAIL", at_connect),
    "521": ("Postfix closes the connection behind it; RFC 7504 leaves that open", code_521),
    "quarantine": ("Postfix holds the message in its queue, whence the test releases it; the gate "
                   "has none, and marks it", quarantine),
    "turns": ("Postfix tells each command to every milter; the gate tells the content to one "
              "behind the other, and not to those behind one that refuses", turns),
    "parameters": ("the gate tells those of MAIL in an order of its own", parameters),
    "blanks": ("Postfix takes away blanks before a colon; the gate leaves fields as they are",
               blanks),
    "IPv6": ("behind the header Postfix leaves out IPv6: before {client_addr}, unlike before",
             client_v6),
    "i": ("Postfix has no name for a message before its first recipient was taken", early_names),
    "client": ("sent at connect without being asked for; Postfix does so when asked",
               client_macros),
    "connections": ("the gate does not count a client's connections by itself", client_count),
    "first recipient": ("asked for {rcpt_addr} behind RCPT, Postfix names the first one; the gate "
                        "sends it at RCPT alone", first_recipient),
    "lower case": ("Postfix writes {mail_addr} and {rcpt_addr} in lower case", lower_case),
}


def differences(case, postfix, gate):
    """(names of DIFFERENT that explain something, what is left as text)."""
    used = []
    for name, (_, explain) in DIFFERENT.items():
        explained = explain(case, gate)
        used += [name] if explained != gate else []
        gate = explained
    return used, [f"{name}:\n{difference(first, second)}"
                  for name, first, second in parts(postfix, gate) if first != second]


def difference(first, second):
    if isinstance(first, bytes):
        first, second = first.splitlines(), second.splitlines()
    else:
        first, second = [first], [second]
    return "\n".join(["    Postfix  " + repr(line) for line in first if line not in second] +
                     ["    Gatepost " + repr(line) for line in second if line not in first])


def parts(postfix, gate):
    """(name, Postfix's, the gate's) of each thing that is compared by itself."""
    yield "replies", postfix.replies, gate.replies
    yield "messages", len(postfix.delivered), len(gate.delivered)
    for first, second in zip(postfix.delivered, gate.delivered):
        yield "envelope", first[:2], second[:2]
        yield "content", first[2], second[2]
    yield "events", [event[:2] for event in postfix.heard], [event[:2] for event in gate.heard]
    for first, second in zip(postfix.heard, gate.heard):
        for name in sorted({*first[2], *second[2]}):
            yield f"{name} at {first[0]}", first[2].get(name), second[2].get(name)
