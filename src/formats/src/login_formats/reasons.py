# SPDX-License-Identifier: Apache-2.0
"""Why a record becomes a dead letter: the one list of reason codes."""

from enum import StrEnum


class Reason(StrEnum):
    """A reason code, as stored in the field `reason` of a dead letter, with its meaning."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> "Reason":
        """Make a member that equals its code and carries its meaning."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    # the bytes
    NULL_VALUE = "null_value", "the record has no value (a tombstone)"
    EMPTY_VALUE = "empty_value", "the value has no bytes or only blanks"
    TOO_LARGE = "too_large", "the value is longer than 1 MiB"
    BINARY = "binary", "the value is compressed or otherwise no text"
    FRAMED = "framed", "the value starts with a schema registry's five-byte header"
    UTF16 = "utf16", "the value is UTF-16, not UTF-8"
    BAD_UTF8 = "bad_utf8", "the value is not valid UTF-8"
    # the JSON
    NOT_JSON = "not_json", "the value is not valid JSON"
    TRAILING_DATA = "trailing_data", "something follows the first JSON value, such as a second event"
    BAD_UNICODE = "bad_unicode", "a string holds one half of a surrogate pair"
    NON_FINITE_NUMBER = "non_finite_number", "a number is NaN, infinite or beyond a double"
    NOT_AN_OBJECT = "not_an_object", "the JSON value is no object"
    DOUBLE_ENCODED = "double_encoded", "the value is a JSON string that holds JSON"
    DUPLICATE_KEY = "duplicate_key", "an object has the same key twice"
    # the format and the headers
    FORMAT_UNKNOWN = "format_unknown", "the header login-format names no known format"
    HEADER_INVALID = "header_invalid", "a header login-id, login-timezone or login-written-before cannot be used"
    NOT_A_LINE = "not_a_line", "the value is not one line of the format, such as a syslog line"
    SEVERAL_EVENTS = "several_events", "the value stands for several events: login-producer would take it apart"
    UNRECOGNISED = "unrecognised", "the record is neither a login nor anything that is known to be none"
    # the fields
    EVENT_ID_TYPE = "event_id_type", "event_id is not a string"
    EVENT_ID_RESERVED = "event_id_reserved", "the id begins with the topic's id: the consumer makes such ids itself"
    EVENT_ID_LENGTH = "event_id_length", "event_id is empty or longer than 512 bytes"
    USER_ID_MISSING = "user_id_missing", "user_id is absent, null or empty"
    USER_ID_TYPE = "user_id_type", "user_id is neither a string nor an integer"
    TIMESTAMP_MISSING = "timestamp_missing", "timestamp is absent or null"
    TIMESTAMP_UNPARSEABLE = "timestamp_unparseable", "timestamp is neither RFC 3339 nor an epoch number"
    TIMESTAMP_WITHOUT_ZONE = "timestamp_without_zone", "timestamp has no Z and no offset from UTC"
    TIMESTAMP_IN_FUTURE = "timestamp_in_future", "timestamp is further ahead than spark_consumer_max_future_seconds"
    TIMESTAMP_OUT_OF_RANGE = (
        "timestamp_out_of_range",
        "timestamp is older than pipeline_retention_days, or no s or ms",
    )
    COUNTRY_UNKNOWN = "country_unknown", "country is neither a two-letter code nor a known English name"
    OUTCOME_UNKNOWN = "outcome_unknown", "outcome is neither success nor failure"
    FIELD_TYPE = "field_type", "a field has another type than the format says"
    FIELD_LENGTH = "field_length", "an id is longer than an index key may be"
    # the consumer
    UNREADABLE = "unreadable", "the consumer died each time it read the record, such as for want of memory"
    # the store
    REFUSED = "refused", "Elasticsearch refused the document; its own reason is in detail"


class Rejected(Exception):
    """The record is not a valid event: `reason` says why, `detail` where; neither is ever logged."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail or reason.meaning


_SHOWN = 100  # characters of a name that anybody may choose


def unrecognised(kind: str, name: object = "") -> Rejected:
    """Return the refusal of a record that a format knows neither as a login nor as none; to be raised.

    `kind` and `name` say what there is instead, such as a program or a type of event: letters are grouped by them.
    """
    shown = name if isinstance(name, str) else type(name).__name__
    return Rejected(Reason.UNRECOGNISED, f"{kind} {shown[:_SHOWN]}".rstrip())
