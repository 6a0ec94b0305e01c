# SPDX-License-Identifier: MPL-2.0
"""What dialogs and interop tests share: the gate under test, scripted peers, keys."""
