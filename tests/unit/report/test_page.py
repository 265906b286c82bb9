# SPDX-License-Identifier: Apache-2.0
"""The page: complete in itself, and nothing from outside acts in it."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from login_report.charts import charts
from login_report.numbers import Numbers, Outcomes, Pair, Row
from login_report.page import change, count, percent, points, render, seconds

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Reader(HTMLParser):
    """Keeps the page's elements, attributes and text, and sees to it that each element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.text += " "

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.text += " "

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, name: str) -> list[str]:
        return [value or "" for key, value in self.attributes if key == name]


def page(numbers: Numbers) -> str:
    return render(numbers, charts(numbers))


def flat(text: str) -> str:
    return " ".join(text.split())


def test_the_head_of_the_page(numbers: Numbers) -> None:
    text = flat(Reader(page(numbers)).text)
    assert "2026-11-25 06:00 UTC to 2026-11-25 18:00 UTC" in text
    assert "Made 2026-11-25 18:03 UTC. The period before: 2026-11-24 18:00 UTC to 2026-11-25 06:00 UTC." in text
    assert "Logins 2,244 +204 % on the period before: 738" in text
    assert "Success rate 86.8 % +1.4 points on the period before: 85.5 %" in text
    assert "Failures 293 +176 % on the period before: 106" in text


def test_each_chart_has_its_numbers_below(numbers: Numbers) -> None:
    reader = Reader(page(numbers))
    assert reader.tags.count("svg") == len(charts(numbers)) == 9
    assert reader.tags.count("details") == reader.tags.count("summary") == 9
    assert reader.tags.count("table") == 10, "and the table of the pipeline's health"
    assert len(reader.of("id")) == len(set(reader.of("id")))


def test_health(numbers: Numbers) -> None:
    text = flat(Reader(page(numbers)).text)
    assert "Highest lag 2,400 records" in text
    assert "Highest latency p99 9.3 s" in text
    assert "Last batch 2026-11-25 17:50 UTC" in text


def test_nothing_is_loaded_from_elsewhere(numbers: Numbers) -> None:
    html = page(numbers)
    reader = Reader(html)
    links = [value for name in ("src", "href", "xlink:href", "srcset", "action", "data") for value in reader.of(name)]
    assert all(link.startswith("#") for link in links)
    assert not {"script", "link", "img", "iframe", "object", "embed", "image", "base"} & set(reader.tags)
    assert not re.search(r"@import|url\((?!#)", html)
    addresses = set(re.findall(r"https?://[^\"' <)]+", html))
    assert addresses == {"http://www.w3.org/2000/svg"}, "the name of a kind of XML, never loaded"
    assert "default-src 'none'; style-src 'unsafe-inline'" in reader.of("content")


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "</text></svg><script>alert(1)</script>",
        "</style><script>alert(1)</script>",
        "{{ 7 * 7 }}",
        "&lt;script&gt;",
    ],
)
def test_values_from_outside_stay_text(numbers: Numbers, evil: str) -> None:
    rows = (Row(evil, 7),)
    fields = ("browsers", "countries", "failing_users", "failing_addresses", "reasons", "dead_reasons")
    reader, plain = Reader(page(replace(numbers, **dict.fromkeys(fields, rows)))), Reader(page(numbers))
    assert {"script", "img"}.isdisjoint(reader.tags)
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    assert set(reader.tags) == set(plain.tags)
    assert reader.text.count(evil) >= len(fields)


def test_an_empty_range_says_so(nothing: Numbers) -> None:
    reader = Reader(page(nothing))
    text = flat(reader.text)
    assert "No data in this range" in text
    assert "login-consumer status" in text
    assert "Success rate none nothing to compare with" in text
    assert "svg" not in reader.tags
    assert "None in this range." in text


def test_a_range_with_data_does_not_say_so(numbers: Numbers) -> None:
    assert "No data in this range" not in page(numbers)


def test_unknown_outcomes_are_no_part_of_the_rate(numbers: Numbers) -> None:
    note = "of the logins whose outcome is known"
    assert note in page(numbers)
    assert note not in page(replace(numbers, logins=Outcomes(1, 1, 0)))


def test_very_many_users_are_told_as_an_estimate(numbers: Numbers) -> None:
    assert "estimated" in page(replace(numbers, users=Pair(50_000, 10)))
    assert "estimated" not in page(numbers)


def test_the_page_fits_dark_rooms_and_phones(numbers: Numbers) -> None:
    html = page(numbers)
    assert "@media (prefers-color-scheme: dark)" in html
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html


@pytest.mark.parametrize(
    ("pair", "text"),
    [
        (Pair(150, 100), "+50.0 % on the period before: 100"),
        (Pair(50, 1000), "-95.0 % on the period before: 1,000"),
        (Pair(100, 100), "as in the period before: 100"),
        (Pair(5, 0), "none in the period before"),
        (Pair(0, 0), "none in the period before"),
        (Pair(None, None), "nothing to compare with"),
    ],
)
def test_change(pair: Pair, text: str) -> None:
    assert flat(change(pair, count)) == text


def test_points() -> None:
    assert flat(points(Pair(86, 90.25))) == "-4.2 points on the period before: 90.2 %"
    assert points(Pair(None, 90)) == "nothing to compare with"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "none"), (0, "0.0 %"), (0.01, "< 0.1 %"), (86.25, "86.2 %"), (99.99, "> 99.9 %"), (100, "100.0 %")],
)
def test_percent(value: float | None, text: str) -> None:
    assert flat(percent(value)) == text


@pytest.mark.parametrize(("ms", "text"), [(None, "none"), (12.4, "12 ms"), (9300, "9.3 s"), (7_200_000, "7,200.0 s")])
def test_seconds(ms: float | None, text: str) -> None:
    assert seconds(ms) == text
