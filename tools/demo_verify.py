#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Verify every DKIM signature of a message by dkimpy, DNS answered from what keygen printed.

usage: demo_verify.py MESSAGE KEYGEN_OUTPUT...
Exit status 0 only when there is a signature and all of them pass.
"""
import re
import sys

import dkim


def records_of(paths):
    """The zone-file lines of keygen's output: name -> text."""
    records = {}
    for path in paths:
        with open(path, encoding="ascii") as f:
            text = f.read()
        for name, strings in re.findall(r"^(\S+\._domainkey\.\S+)\s+IN\s+TXT\s+\(?([^)\n]*)", text, re.M):
            records[name.rstrip(".")] = "".join(re.findall(r'"([^"]*)"', strings))
    return records


def main():
    with open(sys.argv[1], "rb") as f:
        message = f.read()
    records = records_of(sys.argv[2:])

    def lookup(name, timeout=5):
        record = records.get(name.decode().rstrip("."))
        return record.encode() if record else None

    verifier = dkim.DKIM(message)
    count = sum(1 for name, _ in verifier.headers if name.lower() == b"dkim-signature")
    good = 0
    for index in range(count):
        field = [v for n, v in verifier.headers if n.lower() == b"dkim-signature"][index]
        tags = dict(re.findall(rb"\b([a-z]+)=([^;\s]+)", field))
        passed = dkim.DKIM(message).verify(idx=index, dnsfunc=lookup)
        print(f"{'pass' if passed else 'FAIL'} a={tags[b'a'].decode()} s={tags[b's'].decode()}"
              f" d={tags[b'd'].decode()}")
        good += passed
    return 0 if count > 0 and good == count else 1


if __name__ == "__main__":
    sys.exit(main())
