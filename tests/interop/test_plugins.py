# SPDX-License-Identifier: MPL-2.0
"""Links from shared objects: the examples, the skeleton built as docs/FILTERS.md says, and every
kind of a bad one, through the real binary."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from harness import config
from harness.client import Client

TEXT = b"From: alice@example.com\r\nSubject:  hello\r\n\r\nbody\r\n"

# A bad plugin: the skeleton with one thing changed; and what check-config says of it.
BAD = {
    "an older interface": ("LINK_ABI,", "LINK_ABI - 1,", r"was built for link interface \d+, this"),
    "other headers": ("LINK_SIZE", "LINK_SIZE - 8", r"was built with other headers \(size \d+, not"),
    "no link": ("gatepost_link", "gate_link", 'has no "const struct link gatepost_link"'),
    "no name": ('.name = "skeleton",\n\t.summary', ".summary", "the link's name must be 1 to 32"),
    "a name in capitals": ('.name = "skeleton",\n\t.summary', '.name = "Skel",\n\t.summary',
                           "the link's name must be"),
    "a name that is built in": ('.name = "skeleton",\n\t.summary', '.name = "spf",\n\t.summary',
                                '"spf" is the name of a link that is built in'),
    "a name of a group": ('.name = "skeleton",\n\t.summary', '.name = "limits",\n\t.summary',
                          '"limits" is a key of the configuration'),
    "no hook": ("\t.mail = skeleton_mail,\n\t.message = skeleton_message,\n", "",
                "the link has no hook"),
    "a wrong default": ('.type = CONF_STRING,', '.type = CONF_DURATION,',
                        'row field would not take its own default "X-Skeleton"'),
    "an offset out of its struct": ("offsetof(struct skeleton_settings, field)", "4000",
                                    "row field is at offset 4000 of a struct of 16 octets"),
    "a key that every link has": ('"refused_domain"', '"mode"',
                                  '"mode" is a setting that every link has'),
    "one key twice": ('"refused_domain"', '"field"', "two rows have the key field"),
    "a function that is not there": ('link_note(call, "skeleton", "seen");',
                                     "extern int no_such(void);\n\tno_such();",
                                     "undefined symbol: no_such"),
}


def build(source, target, *flags):
    subprocess.run(["gcc", "-std=c17", "-Wno-all", "-shared", "-fPIC", "-D_GNU_SOURCE",
                    *(flags or ["-I."]), "-o", target, source], check=True)
    os.chmod(target, 0o755)
    return target


@pytest.fixture(name="folder")
def fixture_folder(tmp_path):
    for path in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        os.chmod(path, 0o755)
    return str(tmp_path)


@pytest.fixture(name="example")
def fixture_example(folder):
    def copy(name):
        path = shutil.copy(f"{os.environ.get('GATEPOST_BUILD', 'build')}/plugins/{name}.so", folder)
        os.chmod(path, 0o755)
        return path
    return copy


@pytest.fixture(name="skeleton")
def fixture_skeleton(folder):
    def make(old="", new=""):
        with open("filters/skeleton.c", encoding="ascii") as file:
            text = file.read()
        assert old in text
        source = os.path.join(folder, "skeleton.c")
        with open(source, "w", encoding="ascii") as file:
            file.write(text.replace(old, new) if old else text)
        return build(source, os.path.join(folder, "skeleton.so"))
    return make


def start(start_gate, sink, chain, **groups):
    return start_gate(config.smtp_upstream([sink.address]), {"inbound.chain": chain, **groups})


def send(gate, sender="alice@example.com", recipient="b@example.net"):
    client = Client(gate.ports["inbound"])
    try:
        client.reply()
        client.command("EHLO client.test")
        answer = client.command(f"MAIL FROM:<{sender}>")
        if answer.code != "250":
            return str(answer)
        for line in (f"RCPT TO:<{recipient}>", "DATA"):
            assert client.command(line).code[0] in "23"
        client.send(TEXT + b".\r\n")
        return str(client.reply())[:3]
    finally:
        client.close()


def test_the_skeleton(start_gate, sink, skeleton):
    gate = start(start_gate, sink, [f"plugin:{skeleton()}"],
                 skeleton={"field": "X-Mine", "refused_domain": "bad.example"})
    assert send(gate) == "250"
    assert b"\r\nX-Mine: seen\r\n" in b"\r\n" + sink.accepted()[0].data
    assert gate.wait_for("msg.done").fields["links"] == "skeleton=seen"
    assert send(gate, "x@BAD.example") == \
        "550 5.7.1 mail from bad.example is not taken here, please use another address"
    assert gate.wait_for("link.refuse").fields["link"] == "skeleton"


def test_what_its_setup_refuses(start_gate, sink, skeleton):
    gate = start(start_gate, sink, [f"plugin:{skeleton()}"])
    gate.set("skeleton.refused_domain", "a@b.example")
    gate.write_config()
    code, _, err = gate.command("check-config")
    assert code == 1
    assert re.search(r':\d+: skeleton.refused_domain: "a@b.example" is an address', err)


def test_several_groups_of_one_plugin(start_gate, sink, example):
    path = example("subject_tag")
    gate = start(start_gate, sink, [f"plugin:{path}:a", f"plugin:{path}:b"], subject_tag=[
        {"name": "a", "tag": "[a]", "domains": ["example.net"]},
        {"name": "b", "tag": "[b]", "domains": ["example.org"]}])
    for domain, subject in (("example.net", b"[a] hello"), ("EXAMPLE.org", b"[b] hello"),
                            ("example.com", b" hello")):
        assert send(gate, recipient=f"x@{domain}") == "250"
        assert b"\r\nSubject: " + subject + b"\r\n" in sink.accepted()[-1].data
    assert [line.fields["link"] for line in gate.events("link.edit")] == \
        ["subject_tag:a", "subject_tag:b"]
    code, out, _ = gate.command("check-config", "--dump")
    assert code == 0 and re.search(r'(?s)subject_tag = \( \{.*tag = "\[b\]";', out)


def test_it_stands_in_explain_and_in_shadow(start_gate, sink, example):
    gate = start(start_gate, sink, [f"plugin:{example('subject_tag')}"],
                 subject_tag={"domains": ["example.net"], "mode": "shadow"})
    assert send(gate) == "250" and b"[external]" not in sink.accepted()[0].data
    assert gate.wait_for("link.shadow").fields["link"] == "subject_tag"
    path = gate.write_file("m.eml", TEXT, 0o644)
    code, out, _ = gate.command("explain", "--json", "--ip", "192.0.2.1", "--helo", "x.test",
                                "--from", "alice@example.com", "--to", "b@example.net", path)
    assert code == 0
    assert any(change["text"] == "Subject: [external] hello"
               for call in json.loads(out)["calls"] for change in call["changes"])


def explain(gate, cases):
    """Verdicts of a login's message at each hour."""
    path = gate.write_file("m.eml", TEXT, 0o644)
    for settings, login, code in cases:
        for key, value in settings.items():
            gate.set(f"quiet_hours.{key}", value)
        gate.write_config()
        _, out, err = gate.command("explain", "--json", *(["--as", login] if login else []),
                                   "--ip", "192.0.2.1", "--helo", "x.test", "--from",
                                   "alice@example.com", "--to", "b@example.net", path)
        assert out, err
        calls = [c for c in json.loads(out)["calls"] if c["link"] == "quiet_hours"]
        assert [c["verdict"] for c in calls] == [code], (settings, login, err)


def test_quiet_hours(start_gate, sink, example):
    gate = start(start_gate, sink, ["hop_limit"])
    gate.set("submission.chain", ["identity", f"plugin:{example('quiet_hours')}"])
    hour = int(subprocess.run(["date", "-u", "+%H"], capture_output=True, check=True).stdout)
    now = {"from": hour, "until": (hour + 2) % 24}  # also when the hour ends meanwhile
    later = {"from": (hour + 3) % 24, "until": (hour + 5) % 24}
    explain(gate, [({**now, "except": []}, "alice@example.com", "refuse"),
                   ({"except": ["alice@example.com"]}, "alice@example.com", "next"), ({**later, "except": []}, "alice@example.com", "next")])
    gate.set("quiet_hours.until", (hour + 3) % 24)
    gate.write_config()
    code, _, err = gate.command("check-config")
    assert code == 1 and "quiet_hours: from and until are the same hour" in err


def test_a_bad_one_is_refused_with_a_reason(start_gate, sink, skeleton):
    gate = start(start_gate, sink, ["hop_limit"])
    for what, (old, new, reason) in BAD.items():
        gate.set("inbound.chain", ["hop_limit", f"plugin:{skeleton(old, new)}"])
        gate.write_config()
        code, _, err = gate.command("check-config")
        assert code == 1, what
        assert re.search(r":\d+: inbound\.chain\[1\]: .*" + reason, err), (what, err)
    gate.signal(signal.SIGHUP)
    gate.wait_for("gate.reload_failed")
    assert send(gate) == "250"  # as before


def test_a_bad_file(start_gate, sink, folder, skeleton):
    path = skeleton()
    gate = start(start_gate, sink, ["hop_limit"])

    def said(name):
        gate.set("inbound.chain", [name])
        gate.write_config()
        code, _, err = gate.command("check-config")
        assert code == 1
        return err
    assert "plugin.so is not an absolute path" in said("plugin:plugin.so")
    assert "No such file" in said(f"plugin:{folder}/none.so")
    assert "no regular file" in said(f"plugin:{folder}")
    assert "did you mean" not in said("plugin:")
    os.chmod(path, 0o775)
    assert "chmod go-w" in said(f"plugin:{path}")
    os.chmod(path, 0o755)
    os.chown(path, 12345, -1)
    assert "belongs neither to root nor to this user" in said(f"plugin:{path}")
    with open(os.path.join(folder, "text.so"), "w", encoding="ascii") as file:
        file.write("no object\n" * 100)
    assert "text.so" in said(f"plugin:{folder}/text.so")
    os.chown(path, 0, -1)
    again = shutil.copy(path, os.path.join(folder, "again.so"))
    gate.set("inbound.chain", [f"plugin:{path}", f"plugin:{again}"])
    gate.write_config()
    code, _, err = gate.command("check-config")
    assert code == 1 and re.search('"skeleton" is the link in .*skeleton.so already', err)


def test_a_stranger_builds_one_from_what_is_installed(start_gate, sink, folder):
    """As docs/FILTERS.md leads: make install, copy the skeleton, pkg-config, gcc."""
    root = os.path.join(folder, "root")
    prefix = os.path.join(root, "usr")
    subprocess.run(["make", "-s", "install", f"PREFIX={prefix}", f"SYSCONFDIR={root}/etc",
                    "BUILD=" + os.environ.get("GATEPOST_BUILD", "build")],
                   check=True, stdout=subprocess.DEVNULL)
    flags = subprocess.run(["pkg-config", "--cflags", "gatepost"], check=True, text=True,
                           capture_output=True, env={**os.environ, "PKG_CONFIG_PATH":
                                                     f"{prefix}/lib/pkgconfig"}).stdout.split()
    source = shutil.copy(f"{prefix}/share/doc/gatepost/skeleton.c", os.path.join(folder, "mine.c"))
    path = build(source, f"{prefix}/lib/gatepost/mine.so", *flags)
    gate = start(start_gate, sink, [f"plugin:{path}"])
    assert send(gate) == "250" and b"X-Skeleton: seen" in sink.accepted()[0].data


def test_what_is_exported_is_true_and_nobody_elses():
    binary = os.path.join(os.environ.get("GATEPOST_BUILD", "build"), "gatepost")

    def names(path):
        out = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True,
                             check=True).stdout
        return {line.split()[-1].split("@")[0] for line in out.splitlines()}
    with open("dist/plugin.exports", encoding="ascii") as file:
        wanted = set(re.findall(r"^\t(\w+);", file.read(), re.M))
    assert "link_refuse" in wanted and not wanted - names(binary)
    linked = re.findall(r"=> (/\S+)", subprocess.run(["ldd", binary], capture_output=True,
                                                     text=True, check=True).stdout)
    assert linked and not [(path, wanted & names(path)) for path in linked if wanted & names(path)]
    for kind in ("exports", "headers"):
        fresh = subprocess.run([sys.executable, "tools/plugin_api.py", kind], capture_output=True,
                               text=True, check=True).stdout
        with open(f"dist/plugin.{kind}", encoding="ascii") as file:
            assert file.read() == fresh, f"dist/plugin.{kind} is stale: make docs"
