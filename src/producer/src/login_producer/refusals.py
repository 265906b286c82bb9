# SPDX-License-Identifier: Apache-2.0
"""What a broker's refusal of events means: it can be reached, and it is the topic that has to be put right."""

from kafka.errors import (
    AuthorizationError,
    BrokerResponseError,
    InvalidRecordError,
    MessageSizeTooLargeError,
)

_SITE = "run site.yml, which puts the topic's settings right"


def refusal(error: BaseException) -> str | None:
    """Return why a broker refuses events and what helps; None if `error` is no answer of a broker."""
    if not isinstance(error, BrokerResponseError):
        return None
    named = str(error) or type(error).__name__
    if isinstance(error, InvalidRecordError):
        return f"the topic takes no such records: is its cleanup.policy compact? {_SITE} ({named})"
    if isinstance(error, MessageSizeTooLargeError):
        return f"the topic takes smaller batches than the product's limit: is its max.message.bytes lowered? {_SITE}"
    if isinstance(error, AuthorizationError):
        return f"the user may not write to the topic; {_SITE.split(',')[0]}, which grants it ({named})"
    return named
