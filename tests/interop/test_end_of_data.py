# SPDX-License-Identifier: MPL-2.0
"""Every imitation of the end of content, CRLF.CRLF with anything else in the place of one of its
octets, in one piece and split at each octet: refused, or content, and never an end. What the
upstream has received is compared with what a reading of the raw octets says (is_sound, content_of),
which knows nothing of the gate's decoder."""

import itertools
import re

import pytest

from harness.client import Closed
from hostile import HEADER, Ward

LINE_ENDS = [b"\r\n", b"\n", b"\r", b"\n\r", b"\r\r\n", b"\r\n\r", b"\0\r\n", b"\r\0\n", b"\r\n\0",
             b"\r\n ", b" \r\n", b"\x85", b"\xe2\x80\xa8", b"\x0b", b"\x0c", b"=0D=0A", b""]
DOTS = [b".", b"..", b"\0.", b".\0", b". ", b" .", b"\xe3\x80\x82"]
REST = b"MAIL FROM:<mallory@example.org>\r\nRCPT TO:<victim@example.net>\r\nDATA\r\n" \
    b"Subject: smuggled\r\n\r\nsmuggled\r\n"
END = b"\r\n.\r\n"


def imitations():
    """All of them but the real end."""
    for before, dot, after in itertools.product(LINE_ENDS, DOTS, LINE_ENDS):
        imitation = before + dot + after
        if END not in b"x" + imitation + b"x":
            yield imitation


def is_sound(wire):
    """Lines that end in CRLF, and in nothing else; no NUL."""
    return re.search(rb"\r(?!\n)|(?<!\r)\n|\0", wire) is None


def content_of(wire):
    """What a sound stream with its final dot says: dots off."""
    assert wire.endswith(END)
    return re.sub(rb"(?m)^\.", b"", wire[:-len(b".\r\n")])


@pytest.fixture
def ward(start_gate, sink):
    there = Ward(start_gate, sink, {"limits.greeting": "60s", "limits.command": "60s",
                                    "limits.data": "60s"})
    yield there
    there.check()


def begin(ward):
    client = ward.client()
    assert client.reply().code == "220"
    client.send(b"EHLO h.test\r\nMAIL FROM:<mallory@example.org>\r\nRCPT TO:<bob@example.net>\r\n"
                b"DATA\r\n")
    assert [client.reply().code for _ in range(4)] == ["250", "250", "250", "354"]
    return client


def send_in_pieces(client, wire, cuts):
    """Each piece is a segment of its own: TCP_NODELAY is set. The gate may close before the end."""
    at = 0
    for cut in [*cuts, len(wire)]:
        try:
            client.send(wire[at:cut])
        except Closed:
            return
        at = cut


def judge(ward, wire, cuts, name):
    """Sent so, it has one reply: 250 and exactly this content, or 550 and the end of all."""
    before = len(ward.hostile_messages())
    client = begin(ward)
    send_in_pieces(client, wire, cuts)
    code = client.reply().code
    if is_sound(wire):
        assert code == "250", name
        client.send(b"QUIT\r\n")
        assert client.reply().code == "221", name
        message = ward.hostile_messages()[-1]
        assert len(ward.hostile_messages()) == before + 1, name
        assert message.data.endswith(content_of(wire)), name
        assert b"victim" not in b"".join(r.encode() for r in message.recipients), name
    else:
        assert code == "550", name
        with pytest.raises(Closed):
            raise AssertionError(f"{name}: and then {client.reply()}")
        assert len(ward.hostile_messages()) == before, name
    client.close()


def wire_of(imitation):
    return HEADER + b"beginning" + imitation + REST + END[2:]


def test_no_imitation_ends_the_content_in_one_piece(ward):
    count = 0
    for imitation in imitations():
        judge(ward, wire_of(imitation), [], imitation)
        count += 1
    assert count > 1500
    assert not [line for _, line in ward.sink.commands if "mallory@example.org" in line
                and "victim" in line]


def test_no_imitation_ends_the_content_octet_by_octet(ward):
    """Those of the line ends and dots that have been used in attacks."""
    for before, dot, after in itertools.product(LINE_ENDS[:9], DOTS[:4], LINE_ENDS[:9]):
        imitation = before + dot + after
        if END not in b"x" + imitation + b"x":
            wire = wire_of(imitation)
            start = wire.index(imitation + REST)
            judge(ward, wire, range(start - 2, start + len(imitation) + 3), imitation)


@pytest.mark.parametrize("imitation", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r",
                                       b"\r.\r\n", b"\n.\r", b"\r\n.\0\r\n", b"\r\n\0.\r\n",
                                       b"\r\n..\r\n", b"\r\n. \r\n"])
def test_no_split_makes_an_end_of_an_imitation(ward, imitation):
    """One cut, at each place from the line before to the line behind."""
    wire = wire_of(imitation)
    start = wire.index(imitation + REST)
    for cut in range(start - 3, start + len(imitation) + 4):
        judge(ward, wire, [cut], (imitation, cut))


def test_the_real_end_is_one_however_it_is_split(ward):
    wire = HEADER + b"The message.\r\n..\r\n.. \r\n" + END[2:]
    for cut in range(len(HEADER), len(wire)):
        judge(ward, wire, [cut], cut)
    judge(ward, wire, range(1, len(wire)), "octet by octet")
    judge(ward, HEADER[:-2] + END, [], "no body")


@pytest.mark.parametrize("tail", [b"", b"\r", b"\r\n", b"\r\n.", b"\r\n.\r", b".", b"\r\n.."])
def test_the_end_of_the_connection_is_no_end_of_the_content(ward, tail):
    for how in ("close", "half_close", "reset"):
        client = begin(ward)
        client.send(HEADER + b"beginning" + tail)
        getattr(client, how)()
        if how == "half_close":
            with pytest.raises(Closed):
                raise AssertionError(f"then {client.reply()}")
            client.close()
    ward.check()
    assert not ward.hostile_messages()
    assert not ward.sink.cut
