# SPDX-License-Identifier: MPL-2.0
"""What an upstream of type maildir wrote."""

import os
import time


class Maildir:
    def __init__(self, path):
        self.path = path

    def names(self, part="new"):
        folder = os.path.join(self.path, part)
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def messages(self):
        """The messages in new/, as octets; how their lines end is the file's affair."""
        found = []
        for name in self.names():
            with open(os.path.join(self.path, "new", name), "rb") as file:
                found.append(file.read())
        return found

    def wait_for(self, count, limit_s=10):
        deadline = time.monotonic() + limit_s
        while len(self.names()) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.messages()
