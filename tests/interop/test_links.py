# SPDX-License-Identifier: MPL-2.0
"""gatepost links: what can stand in a chain, from the links' own tables."""

import json
import os
import re
import subprocess

import pytest

BUILD = os.environ.get("GATEPOST_BUILD", "build")
PLUGINS = os.path.join(BUILD, "plugins")


def links(*arguments):
    return subprocess.run([os.path.join(BUILD, "gatepost"), "links", *arguments], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20, check=False)


def described(*arguments):
    done = links("--json", *arguments)
    assert done.returncode == 0 and not done.stderr
    return json.loads(done.stdout)


def manual():
    done = subprocess.run([os.path.join(BUILD, "gatepost"), "check-config", "--print-manual"],
                          text=True, stdout=subprocess.PIPE, timeout=20, check=True)
    return done.stdout


def test_the_list_has_a_line_for_each_link():
    lines = links().stdout.splitlines()
    everything = described()
    assert [line.split()[0] for line in lines] == [link["name"] for link in everything]
    for line, link in zip(lines, everything):
        assert line.split()[1] == link["kind"] and line.endswith(link["summary"])


def test_settings_are_those_of_the_manual():
    """What the configuration takes below a link's name, the listing names; and nothing else."""
    text = manual()
    for link in described():
        section = re.search(rf"^## {link['name']}\n(.*?)(?=^## |\Z)", text, re.M | re.S).group(1)
        settings = {row["key"]: row for row in link["settings"]}
        assert {"mode", "on_error", "timeout", "name"} <= set(settings)
        own = set(re.findall(r"^\| `(\w+)` \|", section, re.M))
        assert set(settings) == own, link["name"]
        for row in settings.values():
            assert row["help"], (link["name"], row["key"])
    rows = {row["key"]: row for row in described("hop_limit")[0]["settings"]}
    assert rows["max"]["type"] == "number" and rows["max"]["default"] == "50"
    assert (rows["max"]["min"], rows["max"]["max"]) == (1, 1000)
    assert rows["mode"]["choices"] == ["enforce", "shadow"]


def test_stages_and_kinds_are_those_that_run():
    by_name = {link["name"]: link for link in described()}
    assert by_name["identity"]["stages"] == ["mail", "message"]
    assert by_name["milter"]["stages"] == ["connect", "helo", "mail", "rcpt", "message"]
    assert by_name["identity"]["fails_closed"] and not by_name["spf"]["fails_closed"]
    assert by_name["access"]["kind"] == "policy" and by_name["dkim_sign"]["kind"] == "filter"
    assert by_name["arc"]["refuses"] is None


def test_one_link_whole():
    text = links("recipient_limit").stdout
    assert "kind:    policy" in text and "stages:  rcpt" in text and "refuses: 452 4.5.3" in text
    assert re.search(r"^  max: number, 1 to \d+, default \d+$", text, re.M)
    two = links("hop_limit", "identity").stdout
    assert two.index("hop_limit: ") < two.index("identity: ")
    assert 'on_error can only be "defer"' in two


def test_a_plugins_file_is_described_like_a_link():
    link, = described(os.path.abspath(os.path.join(PLUGINS, "quiet_hours.so")))
    assert link["name"] == "quiet_hours" and link["kind"] == "policy"
    keys = [row["key"] for row in link["settings"]]
    assert "from" in keys and "timeout" in keys
    text = links(os.path.abspath(os.path.join(PLUGINS, "quiet_hours.so"))).stdout
    assert "refuses: 450 4.7.1" in text


def test_a_file_that_is_no_plugin_is_refused_with_the_reason(tmp_path):
    path = tmp_path / "x.so"
    path.write_bytes(b"no shared object")
    done = links(str(path))
    assert done.returncode == 1 and not done.stdout and str(path) in done.stderr


@pytest.mark.parametrize("word, near", [("hoplimit", "hop_limit"), ("dkim_sing", "dkim_sign"),
                                        ("zzz", None)])
def test_a_name_that_is_no_link_exits_with_2(word, near):
    done = links("access", word)
    assert done.returncode == 2 and not done.stdout
    assert f'there is no link "{word}"' in done.stderr
    assert near is None or f'did you mean "{near}"' in done.stderr


def test_the_table_in_the_documents_is_markdown():
    lines = links("--markdown").stdout.splitlines()
    assert lines[0].startswith("| link |") and len(lines) == 2 + len(described())
    assert all(line.count("|") == 5 for line in lines)
