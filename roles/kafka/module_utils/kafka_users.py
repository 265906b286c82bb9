# SPDX-License-Identifier: Apache-2.0
"""The SCRAM users of a Kafka cluster, for the module kafka_resources, whose parameters are used here."""

from __future__ import annotations

from typing import Any

from kafka import KafkaAdminClient, errors
from kafka.admin import (
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePatternFilter,
    ResourceType,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

LOGIN_TIMEOUTS_MS = (2000, 5000)


class Rejected(Exception):
    """Kafka has other passwords than the stored ones; the text says whose."""


def password_works(params: dict[str, Any], user: str, password: str) -> bool:
    """Log in as the user, which must not fail several times in a row.

    A refusal is no error of its own: often kafka-python sees only that the broker hangs up, again and again.
    """
    for timeout_ms in LOGIN_TIMEOUTS_MS:
        try:
            KafkaAdminClient(
                bootstrap_servers=params["sasl_bootstrap_servers"],
                security_protocol="SASL_SSL",
                sasl_mechanism="SCRAM-SHA-512",
                sasl_plain_username=user,
                sasl_plain_password=password,
                ssl_cafile=params["ca_file"],
                bootstrap_timeout_ms=timeout_ms,
            ).close()
        except errors.KafkaError:
            continue
        return True
    return False


def user_changes(client: Any, params: dict[str, Any], check: bool) -> list[str]:
    """Create missing users, change passwords that are being replaced.

    Raises Rejected, with nothing written, if a user has a password that is not known here: it is never reset.
    """
    changes, upsertions, rejected = [], [], []
    present = client.describe_user_scram_credentials()
    for user, password in params["users"].items():
        replaced = params["replaced_passwords"].get(user, [])
        if not present.get(user, {}).get("credential_infos"):
            changes.append(f"user {user}: created")
        # The old one first: mostly it is what Kafka has, and a refusal takes seconds.
        elif any(password_works(params, user, old) for old in replaced):
            changes.append(f"user {user}: password changed")
        else:
            if not password_works(params, user, password):
                rejected.append(user)
            continue
        upsertions.append(UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_512, password))
    if rejected:
        raise Rejected(
            f"Kafka rejects the stored password of {', '.join(rejected)}: it was changed outside this deployment. "
            "No password was changed. Put the one that is in use into the store of secrets, or delete the user's SCRAM "
            "credential in Kafka, and run this again"
        )
    if upsertions and not check:
        result = client.alter_user_scram_credentials(upsertions)
        failed = {user: error for user, error in result.items() if error}
        if failed:
            raise ValueError(f"passwords were not set: {failed}")
    return changes


def unwanted_changes(client: Any, params: dict[str, Any], check: bool) -> list[str]:
    """Delete the users of a managed prefix that are not wanted any more, and their ACLs."""
    prefixes = tuple(params["managed_prefixes"])
    present = client.describe_user_scram_credentials()
    unwanted = [
        user
        for user, found in present.items()
        if prefixes and user.startswith(prefixes) and user not in params["users"] and found.get("credential_infos")
    ]
    if unwanted and not check:
        # The ACLs first: a run that ends in between leaves a user who is found again, and may do nothing.
        for _, _, error in client.delete_acls([acls_of(user) for user in unwanted]):
            if error is not errors.NoError:
                raise ValueError(f"the ACLs of {', '.join(unwanted)} were not deleted: {error}")
        result = client.alter_user_scram_credentials(
            [UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_512) for user in unwanted]
        )
        failed = {user: result[user] for user in unwanted if result.get(user)}
        if failed:
            raise ValueError(f"users were not deleted: {failed}")
    return [f"user {user}: deleted with all ACLs" for user in unwanted]


def acls_of(user: str | None = None) -> Any:
    """Return the filter of all ACLs of a user, or of everybody."""
    anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    return ACLFilter(user and f"User:{user}", None, ACLOperation.ANY, ACLPermissionType.ANY, anything)
