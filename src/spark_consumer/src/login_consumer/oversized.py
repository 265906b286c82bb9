# SPDX-License-Identifier: Apache-2.0
"""Records so large that they are cut in the JVM: they never reach Python, and never a dead letter as a whole.

Kafka's limits count compressed bytes, so a value may be a thousand times as long as what max.message.bytes allows.
"""

import base64
from typing import TYPE_CHECKING, NamedTuple

import orjson
from login_formats.reasons import Reason, Rejected

from login_consumer.documents import DEAD_LETTERS, Document, Origin, index_name, letter_fields
from login_consumer.privacy import OPEN, Protection

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

COLUMNS = ("value", "partition", "offset", "timestamp", "timestampType", "headers", "cut")
"""What workers read: as in Kafka's source, the timestamp in ms; `cut`, as in Cut, is null for the whole ones."""

MOST_VALUE_BYTES, MOST_HEADER_BYTES = 2 << 20, 64 << 10
"""A record with more is cut. The formats take 1 MiB; a value up to here is kept whole, to be looked at and repaired."""
HEAD_BYTES = 1024
"""What is kept of the value of a record that is cut."""


class Cut(NamedTuple):
    """What a record was before: the bytes of its value and, nearly, of its headers, and the value's SHA-256 in hex."""

    size: int
    header_bytes: int
    sha256: str


def worker_columns(source: "DataFrame") -> "DataFrame":
    """Return Kafka's records as COLUMNS. A record that is too large keeps the head of its value, and no headers."""
    from pyspark.sql import functions as f

    none = f.lit(0).cast("long")
    # Columns of their own, so that Spark computes them once. A record without headers has null for them.
    sized = source.withColumns(
        {
            "size": f.coalesce(f.octet_length("value"), none).cast("long"),
            # As text, a few signs longer: functions that walk through arrays take Spark out of compiled code.
            "header_bytes": f.coalesce(f.octet_length(f.col("headers").cast("string")), none).cast("long"),
        }
    )
    too_large = (f.col("size") > MOST_VALUE_BYTES) | (f.col("header_bytes") > MOST_HEADER_BYTES)
    hash_ = f.sha2(f.coalesce("value", f.lit(b"")), 256).alias("sha256")
    columns = {
        "value": f.when(too_large, f.substring("value", 1, HEAD_BYTES)).otherwise(f.col("value")),
        "timestamp": f.unix_millis("timestamp"),
        "headers": f.when(~too_large, f.col("headers")),
        "cut": f.when(too_large, f.struct("size", "header_bytes", hash_)),
    }
    return sized.select(*(columns.get(name, f.col(name)).alias(name) for name in COLUMNS))


def cut_letter(cut: Cut, head: bytes | None, origin: Origin, ingested: int, protection: Protection = OPEN) -> Document:
    """Return the dead letter of a record that was cut: the head of its value, its size and its hash.

    It has no `raw`, so it cannot be sent again.
    """
    parts = {"value": (cut.size, MOST_VALUE_BYTES), "headers": (cut.header_bytes, MOST_HEADER_BYTES)}
    over = [f"{size} bytes of {name}, above {most}" for name, (size, most) in parts.items() if size > most]
    head = head or b""
    rejected = Rejected(
        Reason.TOO_LARGE, f"{' and '.join(over)}: only the first {len(head)} bytes of the value are kept"
    )
    fields = letter_fields(rejected, origin, ingested)
    fields |= {"size": cut.size, "head": base64.b64encode(head).decode(), "sha256": cut.sha256}
    return Document(index_name(DEAD_LETTERS, origin.timestamp), origin.id, orjson.dumps(protection.letter(fields)))
