# SPDX-License-Identifier: MPL-2.0
"""Real milters do through the gate what they do behind Postfix: the same messages go through both,
and the replies, the envelope and the content that comes out, and what a milter on libmilter heard
are compared. Where they differ, DIFFERENT says why."""

import concurrent.futures
import re
from typing import NamedTuple

import dkim
import pytest

import python_milter
from harness import config
from harness.client import Client, Closed, dot_stuff, proxy_v1
from harness.dns import DnsServer
from harness.upstream import ScriptedUpstream
from milter_messages import deeds, deeds_at_connect, messages
from real_milters import DMARC, LINES, SPF, Authority, GateSide, Heard, Milters, PostfixSide

LOGIN, PASSWORD = "alice@example.com", config.USERS["alice@example.com"][0]


class Outcome(NamedTuple):
    """What became of a case at one side."""
    replies: list  # (command, code, enhanced code, text if it was refused)
    delivered: list  # (sender, recipients, content)
    heard: list  # events of the python milter


# ---- the two sides ----

def converse(port, line, case, tag, replies):
    """One transaction on a connection of its own; replies is filled as far as it gets."""
    def note(what, answer):
        is_good = answer.code[0] in "23"
        text = "" if is_good else "|".join(answer.lines)
        replies.append((what, answer.code, answer.enhanced, text))
        return is_good

    client = Client(port)
    try:
        if line != "submission":
            client.send(proxy_v1(case.client))
        note("connect", client.reply())
        note("helo", client.command(f"EHLO {case.helo}"))
        if line == "submission":
            client.expect("STARTTLS", "220")
            client.start_tls()
            client.expect(f"EHLO {case.helo}", "250")
            assert client.auth_plain(LOGIN, PASSWORD).code == "235"
        sender, recipients = case.envelope(tag)
        if not note("mail", client.command(f"MAIL FROM:<{sender}>{case.parameters}")):
            return
        taken = [note("rcpt", client.command(f"RCPT TO:<{one}>")) for one in recipients]
        if any(taken) and note("data", client.command("DATA")):
            client.send(dot_stuff(case.content))
            note("content", client.reply())
        client.expect("QUIT", "221")
    except Closed:
        replies.append(("closed", "", "", ""))
    finally:
        client.close()


def run_line(side, line, cases, python):
    replies, heard = [], []
    for number, case in enumerate(cases):
        replies.append([])
        converse(side.ports[line], line, case, f"{line}{number}", replies[-1])
        heard.append(python.news() if python else [])
    return replies, heard


def run_side(side, plan, milters):
    """{line: [Outcome of each case]}"""
    import time
    results = {}
    for line, cases in plan.items():
        python = next((Heard(milters.python_log[f"{name}:{side.name}"]) for name in LINES[line]
                       if f"{name}:{side.name}" in milters.python_log), None)
        if python:
            python.news()
        t=time.time();results[line] = run_line(side, line, cases, python);print(side.name,line,len(cases),time.time()-t,flush=True)
    t=time.time();side.settle();print('settle',time.time()-t)
    t=time.time();side.release();print('release',time.time()-t)
    return {line: [Outcome(replies, delivered_to(side.sink, f"{line}{number}"), heard)
                   for number, (replies, heard) in enumerate(zip(*both))]
            for line, both in results.items()}


def delivered_to(sink, tag):
    found = []
    for message in sink.accepted():
        addresses = [re.search("<(.*)>", text)[1] for text in (message.sender, *message.recipients)]
        if any(re.search(rf"\.{tag}\b", address) for address in addresses):
            found.append((addresses[0], addresses[1:], message.data))
    return found


@pytest.fixture(scope="module")
def all_of_it(gate_keys, tmp_path_factory):
    return gate_keys
