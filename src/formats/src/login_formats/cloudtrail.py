# SPDX-License-Identifier: Apache-2.0
"""Sign-ins to the AWS console, as CloudTrail records them: one JSON object an event.

Fields: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aws-console-sign-in-events.html
A file of CloudTrail is one object with all its records: `split` takes it apart. All other events are ignored, also
those of a sign-in's steps (CheckMfa, SwitchRole), which would count it again.

Whoever is no user of IAM has no name of his own. The root user is "root". A role or a federation is named as in the
end of its ARN, as in Admin/alice: the part after the role is chosen by whoever assumes it, and alone could be anybody's
name. An unknown name stays out, as AWS hides it: it could be a password typed into the wrong field.
"""

from collections.abc import Iterable
from typing import Any

import orjson

from login_formats import known
from login_formats.event import NotALogin
from login_formats.mapping import From, Table, at, identifier, mapped, one_of, text, time, unless
from login_formats.reasons import Reason, Rejected, unrecognised
from login_formats.strict_json import load_object
from login_formats.wrapper import Arrival

_HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"


def _name_in(arn: Any) -> str | None:
    # arn:aws:sts::111122223333:assumed-role/Admin/alice
    kind, _, name = text(arn).rpartition(":")[2].partition("/")
    return name if kind in ("assumed-role", "federated-user") else None


_TABLE: Table = {
    "@timestamp": From("eventTime", time),
    "event.id": From("eventID"),
    "event.action": From("eventName"),
    "event.outcome": From(
        "responseElements.ConsoleLogin", one_of({"Success": "success", "Failure": "failure"}, otherwise="unknown")
    ),
    "event.reason": From("errorMessage"),
    "event.module": "aws",
    "event.dataset": "aws.cloudtrail",
    "cloud.account.id": From("userIdentity.accountId", identifier, or_path="recipientAccountId"),
    "cloud.region": From("awsRegion"),
    "user.id": From("userIdentity.principalId", identifier, or_path="userIdentity.arn"),
    "user.name": From("userIdentity.userName", unless(_HIDDEN)),
    "source.address": From("sourceIPAddress"),
    "user_agent.original": From("userAgent"),
    "login.mfa": From("additionalEventData.MFAUsed", one_of({"Yes": True, "No": False}, otherwise=None)),
}
_NAMELESS: Table = {"user.name": From("userIdentity.arn", _name_in)}


def fields(raw: bytes | None, arrival: Arrival) -> dict[str, Any]:
    """Return the ECS fields of a record. Raises Rejected, NotALogin."""
    record = load_object(raw)
    if type(record.get("Records")) is list:
        raise Rejected(Reason.SEVERAL_EVENTS, "the value is a whole file: login-producer sends each of its Records")
    source, name = record.get("eventSource"), record.get("eventName")
    if (source, name) != (known.SIGNIN, "ConsoleLogin"):
        if type(source) is str and type(name) is str and known.cloudtrail_event(source, name):
            raise NotALogin
        raise unrecognised("eventName", f"{name or 'is missing'} of {source}" if source else "is missing")
    found = mapped(record, _TABLE)
    if at(record, "userIdentity.type") == "Root":
        return found | {"user.name": "root"}
    return mapped(record, _NAMELESS) | found


def split(raw: bytes) -> Iterable[bytes]:
    """Return the records of a whole file, {"Records": [...]} on one line, else `raw` itself."""
    if b'"Records"' not in raw:
        return (raw,)
    try:
        records = load_object(raw, at_most=len(raw)).get("Records")
        return [orjson.dumps(record) for record in records] if type(records) is list else (raw,)
    except (Rejected, orjson.JSONEncodeError):
        return (raw,)  # whoever reads it says what is wrong
