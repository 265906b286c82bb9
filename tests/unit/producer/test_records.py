# SPDX-License-Identifier: Apache-2.0
"""Bytes to records: lines and CSV rows, however the bytes are torn apart."""

import json
import random

import pytest
from login_producer.settings import Layout
from login_producer.sources import cutting
from login_producer.sources.cutting import Cutter, Lines, Piece, Rows
from login_producer.sources.records import Reader, Record

STREAM = b"s" * 32


def pieces(cutter: Cutter, data: bytes, rng: random.Random | None = None) -> list[Piece]:
    """Cut `data`, fed at once or in parts of random lengths."""
    found = []
    while data:
        size = rng.randint(1, 7) if rng else len(data)
        found += cutter.feed(data[:size])
        data = data[size:]
    return found + list(cutter.finish())


def records(data: bytes, layout: Layout = "csv", **more: object) -> list[Record]:
    reader = Reader("native", layout, **more)  # type: ignore[arg-type]
    return [*reader.feed(data), *reader.finish()]


def values(data: bytes, layout: Layout = "csv") -> list[bytes]:
    return [value for record in records(data, layout) for value in record.values]


def test_lines_know_their_place() -> None:
    assert pieces(Lines(100), b"one\n\ntwo\r\nthree") == [
        (100, 104, b"one"), (104, 105, b""), (105, 110, b"two\r"), (110, 115, b"three"),
    ]  # fmt: skip


def test_a_line_above_the_limit_is_told_and_not_kept() -> None:
    assert pieces(Lines(limit=5), b"12345\n123456\n12\n123456789") == [
        (0, 6, b"12345"), (6, 13, None), (13, 16, b"12"), (16, 25, None),
    ]  # fmt: skip


def test_rows_end_outside_of_quotes() -> None:
    data = b'a,"x\ny",b\n"p ""\n"" q"\nno"quote,"z"\nlast,"open\n'
    assert [piece.raw for piece in pieces(Rows(), data)] == [
        b'a,"x\ny",b', b'"p ""\n"" q"', b'no"quote,"z"', b'last,"open',
    ]  # fmt: skip


def test_a_row_above_the_limit_is_told_whole() -> None:
    found = pieces(Rows(limit=10), b'"12345\n67890123",x\nshort\n123456789012\nx\n')
    assert found == [(0, 19, None), (19, 25, b"short"), (25, 38, None), (38, 40, b"x")]


@pytest.mark.parametrize("cutter", [Lines, Rows])
def test_torn_bytes_make_no_difference(cutter: type[Lines] | type[Rows]) -> None:
    rng = random.Random(4)
    for _ in range(300):
        data = bytes(rng.choice(b'ab,"\n\r') for _ in range(rng.randint(0, 60)))
        whole = pieces(cutter(limit=20), data)
        assert pieces(cutter(limit=20), data, rng) == whole
        assert [piece.start for piece in whole[1:]] == [piece.end for piece in whole[:-1]]
        assert not data or (whole[0].start, whole[-1].end) == (0, len(data))


def test_blank_lines_line_ends_and_byte_order_mark_are_no_part_of_records() -> None:
    assert values(b"\xef\xbb\xbfone\r\n \r\n\ntwo\n", "lines") == [b"one", b"two"]


def test_rows_become_objects() -> None:
    data = '\ufeffuser,when,note\r\nalice,1,"a ""b"", c\nd"\r\n\r\nbob,2,\r\n'.encode()
    assert [json.loads(value) for value in values(data)] == [
        {"user": "alice", "when": "1", "note": 'a "b", c\nd'},
        {"user": "bob", "when": "2"},
    ]


@pytest.mark.parametrize("row", [b"alice", b"alice,1,2", b'"alice"x,1', b'"open,1', b"al\xffice,1"])
def test_a_row_that_does_not_fit_is_sent_as_it_stands(row: bytes) -> None:
    assert values(b"user,when\n" + row) == [row]


@pytest.mark.parametrize("header", [b"user,user", b"user,", b'"user"x,when'])
def test_rows_below_a_header_that_cannot_be_used_are_sent_as_they_stand(
    header: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert values(header + b"\nalice,1\nbob,2\n") == [b"alice,1", b"bob,2"]
    assert "mend the file's first line" in caplog.text


def test_rows_behind_the_start_need_no_second_header() -> None:
    found = records(b"alice,1\n", offset=10, columns=("user", "when"))
    assert (found[0].piece.start, found[0].values) == (10, (b'{"user":"alice","when":"1"}',))


def test_ids_tell_places_apart_and_are_the_same_again() -> None:
    data = b"same\nsame\n"
    ids = [next(record.ids(STREAM)) for record in records(data, "lines")]
    assert len(set(ids)) == 2
    assert ids == [next(record.ids(STREAM)) for record in records(data, "lines")]
    assert next(records(data, "lines")[0].ids(b"t" * 32)) not in ids


def test_what_is_taken_apart_gets_an_id_for_each_part() -> None:
    record = Record(Piece(0, 5, b"array"), (b"a", b"b"), apart=True)
    place = next(record._replace(apart=False).ids(STREAM))
    assert list(record.ids(STREAM)) == [f"{place}-1", f"{place}-2"]


def test_limits_are_what_the_consumer_takes() -> None:
    assert cutting.MAX_RECORD == 1024 * 1024


NULS = b"\0"


def test_nuls_are_no_part_of_lines_but_a_few_in_their_middle() -> None:
    data = NULS * 700 + b"one\n" + NULS * 3 + b"two\0\0\nto" + NULS * 512 + b"three\na\0b\n" + NULS * 5
    assert pieces(Lines(), data) == [
        (700, 704, b"one"), (707, 713, b"two"), (713, 715, b"to"), (1227, 1233, b"three"), (1233, 1237, b"a\0b"),
    ]  # fmt: skip


def test_nuls_end_a_row_whose_quotes_they_took() -> None:
    data = b'a,"b' + NULS * 600 + b'x,y\nq,"1' + NULS + b'\nz,"2\n' + NULS + b'w\nk,"1\n2"\n'
    assert [piece.raw for piece in pieces(Rows(), data)] == [b'a,"b', b"x,y", b'q,"1', b'z,"2', b"w", b'k,"1\n2"']


@pytest.mark.parametrize("cutter", [Lines, Rows])
def test_it_makes_no_difference_whether_nuls_are_torn_or_skipped(cutter: type[Lines] | type[Rows]) -> None:
    rng = random.Random(5)
    for _ in range(300):
        parts = [rng.choice((b"a", b"\n", b'"', b",", NULS, NULS * 511, NULS * 512)) for _ in range(rng.randint(0, 15))]
        whole = pieces(cutter(limit=20), b"".join(parts))
        assert pieces(cutter(limit=20), b"".join(parts), rng) == whole
        skipping = cutter(limit=20)
        found = [
            piece for part in parts for piece in (skipping.feed(part) if part.strip(NULS) else skipping.skip(len(part)))
        ]
        assert found + list(skipping.finish()) == whole
