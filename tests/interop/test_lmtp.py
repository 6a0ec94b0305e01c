# SPDX-License-Identifier: MPL-2.0
"""Mail into Dovecot's mailboxes by LMTP, over its unix socket and by TCP."""

import os
import pwd
import shutil
import smtplib
import subprocess
import time

import pytest

from peers import LIMIT_S, free_port, wait_for_port
from test_clients import LOGIN, MESSAGE
from test_upstreams import needs_root, session_with

DOVECOT_CONF = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = lmtp
ssl = no
first_valid_uid = 1
mail_location = maildir:~/Maildir
mail_plugins = quota
plugin {{
  quota = count:User quota
  quota_vsizes = yes
}}
mailbox_list_index = yes
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
service lmtp {{
  unix_listener {folder}/lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service stats {{
  chroot =
}}
"""


class Dovecot:
    """carol and dave have mailboxes at example.net; full is one without room."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.port = free_port()
        owner = pwd.getpwnam("nobody")
        for path in (self.folder, os.path.dirname(self.folder)):
            os.chmod(path, 0o755)
        for name in ("run", "state", "mail"):
            os.makedirs(f"{self.folder}/{name}", exist_ok=True)
        shutil.chown(f"{self.folder}/mail", "nobody", "nogroup")
        users = "".join(
            f"{name}@example.net:{{PLAIN}}x:{owner.pw_uid}:{owner.pw_gid}::"
            f"{self.folder}/mail/{name}::{more}\n"
            for name, more in (("carol", ""), ("dave", ""), ("full", "quota_rule=*:bytes=10")))
        self._write("users", users.replace("::quota", "::userdb_quota"))
        self._write("dovecot.conf", DOVECOT_CONF.format(folder=self.folder, port=self.port))
        self.process = subprocess.Popen(
            ["/usr/sbin/dovecot", "-F", "-c", f"{self.folder}/dovecot.conf"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port, self.process, f"dovecot ({self.log()})")

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as out:
            out.write(text)

    def log(self):
        path = os.path.join(self.folder, "log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def mailbox(self, user, count=0):
        """Its messages, when there are count of them."""
        folder = f"{self.folder}/mail/{user}/Maildir/new"
        deadline = time.monotonic() + LIMIT_S
        while count and (not os.path.isdir(folder) or len(os.listdir(folder)) < count):
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)
        found = []
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            with open(os.path.join(folder, name), "rb") as file:
                found.append(file.read().replace(b"\r\n", b"\n"))
        return found

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def dovecot(tmp_path):
    server = Dovecot(tmp_path)
    yield server
    server.stop()


def group(server):
    return {"type": "lmtp", "servers": [server]}


@needs_root
@pytest.mark.parametrize("way", ["unix", "tcp"])
def test_dovecot_takes_mail(start_gate, dovecot, way):
    server = f"unix:{dovecot.folder}/lmtp" if way == "unix" else f"127.0.0.1:{dovecot.port}"
    gate = start_gate(group(server))
    with session_with(gate) as session:
        refused = session.sendmail(
            LOGIN, ["carol@example.net", "ghost@example.net", "dave@example.net"], MESSAGE)
        assert list(refused) == ["ghost@example.net"] and \
            refused["ghost@example.net"][0] // 100 == 5
        session.sendmail(LOGIN, ["carol@example.net"], MESSAGE)
    for user, count in (("carol", 2), ("dave", 1)):
        messages = dovecot.mailbox(user, count)
        assert len(messages) == count
        assert all(data.endswith(MESSAGE.replace(b"\r\n", b"\n")) for data in messages)
    assert gate.wait_for("upstream.rcpt", {"rcpt": "dave@example.net"}).fields["reply"] \
        .startswith("250 2.0.0")
    assert gate.wait_for("msg.done").fields["result"] == "delivered"


@needs_root
def test_a_full_mailbox_beside_others(start_gate, dovecot):
    """Nobody is told that it went well; who has it gets it once, however often it is sent."""
    gate = start_gate(group(f"unix:{dovecot.folder}/lmtp"))
    message = b"Message-ID: <full@example.com>\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\n" + \
        MESSAGE
    for wanted in (554, 552):  # the second time there is only the full one left
        with session_with(gate) as session:
            with pytest.raises(smtplib.SMTPDataError) as error:
                session.sendmail(LOGIN, ["carol@example.net", "full@example.net"], message)
            assert error.value.smtp_code == wanted
            assert b"Quota exceeded" in error.value.smtp_error
    assert len(dovecot.mailbox("carol", 1)) == 1
    assert not dovecot.mailbox("full")
    gate.wait_for("upstream.rcpt", {"rcpt": "carol@example.net", "reply": "has it already"})
