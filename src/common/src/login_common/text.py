# SPDX-License-Identifier: Apache-2.0
"""Text from outside, made fit to be shown."""


def printable(text: str) -> str:
    """Return `text` with all that a terminal might act on, or hide, as backslash escapes."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
