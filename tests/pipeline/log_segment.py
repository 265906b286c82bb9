# SPDX-License-Identifier: Apache-2.0
"""The end of a partition's log, as files of Kafka, is cut off: as after a power cut. Runs on the host by itself."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_HEAD = struct.Struct(">qi")  # of a batch: its first offset, how many bytes follow
_DELTA = struct.Struct(">i")  # its last offset, from its first
_DELTA_AT = 23
_SMALLEST = 61


def batches(segment: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """Yield of each whole batch at which byte it begins, its first offset, and the one after its last."""
    segment.seek(0, 2)
    size, position = segment.tell(), 0
    while position + _SMALLEST <= size:
        segment.seek(position)
        head = segment.read(_SMALLEST)
        first, length = _HEAD.unpack_from(head)
        end = position + _HEAD.size + length
        if length <= 0 or end > size:
            return
        yield position, first, first + _DELTA.unpack_from(head, _DELTA_AT)[0] + 1
        position = end


def cut(folder: str, least: int) -> dict[str, int]:
    """Cut so many records or a few more off the newest segment; return its `end` now, and how many are `lost`.

    Kafka must have been killed: it then makes indices anew, and takes the end of the file for the end of the log.
    Raises ValueError if the segment holds fewer.
    """
    file = max(Path(folder).glob("*.log"), key=lambda each: int(each.stem))
    with file.open("r+b") as segment:
        found = list(batches(segment))
        ends = [end for _, _, end in found]
        for position, first, _ in reversed(found):
            if ends[-1] - first >= least:
                segment.truncate(position)
                for kind in (".index", ".timeindex", ".txnindex"):
                    file.with_suffix(kind).unlink(missing_ok=True)
                return {"end": first, "lost": ends[-1] - first}
    raise ValueError(f"{file} holds fewer than {least} records")
