# SPDX-License-Identifier: MPL-2.0
"""A checklist of RFC 9990's report format: the tables of its section 3.1.1, as Python reads them.

    problems(document)  ->  a list of sentences, empty for a good one
"""

import re
import xml.etree.ElementTree as ET

NAMESPACE = "{urn:ietf:params:xml:ns:dmarc-2.0}"
DISPOSITIONS = {"none", "pass", "quarantine", "reject"}
POLICIES = {"none", "quarantine", "reject"}
OVERRIDES = {"local_policy", "mailing_list", "other", "policy_test_mode", "trusted_forwarder"}
DKIM = {"none", "pass", "fail", "policy", "neutral", "temperror", "permerror"}

NUMBER = re.compile(r"\d+")
ANY = re.compile(r"(?s).*")
SOME = re.compile(r"(?s).+")

# Element -> (is the order of its members fixed, [(member, how often, what)]); how often is one of
# "1", "?", "*", "+". What is a set of values, a pattern, or the name of another element here.
ELEMENTS = {
    "feedback": (True, [("version", "?", {"1.0"}), ("report_metadata", "1", "report_metadata"),
                        ("policy_published", "1", "policy_published"),
                        ("extension", "?", ANY), ("record", "+", "record")]),
    "report_metadata": (False, [("org_name", "1", SOME), ("email", "1", SOME),
                                ("extra_contact_info", "?", ANY), ("report_id", "1", SOME),
                                ("date_range", "1", "date_range"), ("error", "?", ANY),
                                ("generator", "?", ANY)]),
    "date_range": (False, [("begin", "1", NUMBER), ("end", "1", NUMBER)]),
    "policy_published": (False, [("domain", "1", SOME),
                                 ("discovery_method", "?", {"psl", "treewalk"}),
                                 ("p", "1", POLICIES), ("sp", "?", POLICIES),
                                 ("np", "?", POLICIES), ("fo", "?", ANY),
                                 ("adkim", "?", {"r", "s"}), ("aspf", "?", {"r", "s"}),
                                 ("testing", "?", {"y", "n"})]),
    "record": (True, [("row", "1", "row"), ("identifiers", "1", "identifiers"),
                      ("auth_results", "1", "auth_results")]),
    "row": (False, [("source_ip", "1", SOME), ("count", "1", NUMBER),
                    ("policy_evaluated", "1", "policy_evaluated")]),
    "policy_evaluated": (True, [("disposition", "1", DISPOSITIONS), ("dkim", "1", {"pass", "fail"}),
                                ("spf", "1", {"pass", "fail"}), ("reason", "*", "reason")]),
    "reason": (False, [("type", "1", OVERRIDES), ("comment", "?", ANY)]),
    "identifiers": (False, [("header_from", "1", SOME), ("envelope_from", "?", ANY),
                            ("envelope_to", "?", ANY)]),
    "auth_results": (True, [("dkim", "*", "dkim"), ("spf", "?", "spf")]),
    "dkim": (False, [("domain", "1", SOME), ("selector", "1", ANY), ("result", "1", DKIM),
                     ("human_result", "?", ANY)]),
    "spf": (False, [("domain", "1", SOME), ("scope", "?", {"mfrom"}),
                    ("result", "1", DKIM | {"softfail"}), ("human_result", "?", ANY)]),
}
TIMES = {"1": (1, 1), "?": (0, 1), "*": (0, None), "+": (1, None)}


def _check_value(element, what, path):
    text = element.text or ""
    if len(element):
        yield f"{path}: has members"
    elif isinstance(what, set) and text not in what:
        yield f"{path}: {text!r} is not one of {sorted(what)}"
    elif not isinstance(what, set) and not what.fullmatch(text):
        yield f"{path}: {text!r}"


def _check(element, name, path):
    is_ordered, members = ELEMENTS[name]
    names = [member.tag.removeprefix(NAMESPACE) for member in element]
    known = [member for member, _, _ in members]
    for member, often, _ in members:
        least, most = TIMES[often]
        count = names.count(member)
        if count < least or (most is not None and count > most):
            yield f"{path}: {count} times {member}"
    for child, child_name in zip(element, names):
        if not child.tag.startswith(NAMESPACE) or child_name not in known:
            yield f"{path}: {child.tag} has no place there"
            continue
        what = members[known.index(child_name)][2]
        where = f"{path}/{child_name}"
        yield from (_check(child, what, where) if isinstance(what, str)
                    else _check_value(child, what, where))
    order = [known.index(name) for name in names if name in known]
    if is_ordered and order != sorted(order):
        yield f"{path}: the order is {names}"


def problems(document):
    root = ET.fromstring(document)
    if root.tag != NAMESPACE + "feedback":
        return [f"the root is {root.tag}"]
    return list(_check(root, "feedback", "feedback"))


def records(document):
    """Each record as a dict of its leaves; several of a name as a list of dicts."""
    def value(element):
        if not len(element):
            return (element.text or "").strip()
        out = {}
        for child in element:
            name = child.tag.removeprefix(NAMESPACE)
            if name in ("dkim", "reason") and len(child):
                out.setdefault(name, []).append(value(child))
            else:
                out[name] = value(child)
        return out
    return [value(element) for element in ET.fromstring(document).iter(NAMESPACE + "record")]


def text_of(document, *path):
    """The text of one element of a document: text_of(xml, "report_metadata", "report_id")."""
    return ET.fromstring(document).findtext("/".join(NAMESPACE + name for name in path))
