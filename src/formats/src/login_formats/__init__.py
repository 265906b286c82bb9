# SPDX-License-Identifier: Apache-2.0
"""Formats of login records: the bytes of a record to a login event, or the reason why it is none.

`read` is the way in. Each format is one module; FORMATS lists them by the name that settings use.
"""

from login_formats.event import Event, Limits, NotALogin
from login_formats.formats import FORMATS, read, split
from login_formats.reasons import Reason, Rejected
from login_formats.wrapper import PLAIN, Wrapper

__all__ = ["FORMATS", "PLAIN", "Event", "Limits", "NotALogin", "Reason", "Rejected", "Wrapper", "read", "split"]
