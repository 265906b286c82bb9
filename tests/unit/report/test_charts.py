# SPDX-License-Identifier: Apache-2.0
"""Charts: drawings that parse, say what they show, and can stand side by side in one page."""

import re
import warnings
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from login_common.times import moment
from login_report.charts import COLOURS, NAMES, charts, short, time_text
from login_report.numbers import Moment, Month, Numbers, Outcomes, Row
from login_report.queries import Step

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314  (drawn by us)


def texts(svg: str) -> list[str]:
    return ["".join(each.itertext()) for each in parsed(svg).iter(f"{SVG}text")]


def test_there_is_a_chart_for_each_kind_of_number(numbers: Numbers) -> None:
    assert tuple(charts(numbers)) == NAMES


def test_nothing_to_draw(nothing: Numbers) -> None:
    assert charts(nothing) == {}


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("over_time", {"success", "failure", "unknown", "25 Nov", "08:00"}),
        ("months", {"Dec", "2025", "Nov", "6,207"}),
        ("countries", {"KR", "637", "not given", "all others"}),
        ("browsers", {"Chrome", "<script>alert(1)</scr…"}),
        ("failing_users", {"user-15"}),
        ("failing_addresses", {"192.0.2.0"}),
        ("reasons", {"bad password", "not given"}),
        ("dead_reasons", {"not_json"}),
        ("latency", {"highest p99", "8 s"}),
    ],
)
def test_an_svg_parses_and_holds_its_labels_as_text(numbers: Numbers, name: str, labels: set[str]) -> None:
    svg = charts(numbers)[name].svg()
    assert labels <= set(texts(svg))
    root = parsed(svg)
    assert root.tag == f"{SVG}svg"
    assert root.get("viewBox")
    assert root.get("width") is None, "it must shrink to a phone's screen"


def test_an_svg_says_in_words_what_it_shows(numbers: Numbers) -> None:
    root = parsed(charts(numbers)["countries"].svg())
    assert root.get("role") == "img"
    told = {each.get("id"): each.text for each in root if each.tag in (f"{SVG}title", f"{SVG}desc")}
    assert told == {
        "countries-title": "Logins by country",
        "countries-alt": "Bars: KR 637, US 438, DE 216 and 9 more.",
    }
    assert root.get("aria-labelledby") == "countries-title countries-alt"


def test_no_id_is_used_twice_and_each_reference_leads_to_one(numbers: Numbers) -> None:
    whole = "".join(chart.svg() for chart in charts(numbers).values())
    ids = re.findall(r'\bid="([^"]+)"', whole)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', whole)) <= set(ids)


def test_all_colours_are_the_pages_own(numbers: Numbers) -> None:
    for chart in charts(numbers).values():
        alone = re.sub(r"var\(--chart-\w+, #\w+\)", "", chart.svg())
        assert not re.search(r"#[0-9a-f]{6}\b", alone), "a colour that dark mode cannot change"
    assert "var(--chart-failure, #d1570f)" in charts(numbers)["over_time"].svg()
    assert set(COLOURS) == {"ink", "grid", "success", "failure", "other"}


def test_a_drawing_brings_no_rules_for_the_page(numbers: Numbers) -> None:
    for chart in charts(numbers).values():
        assert "<style" not in chart.svg()
        assert "<metadata" not in chart.svg()


def test_the_same_numbers_give_the_same_drawing(numbers: Numbers) -> None:
    assert charts(numbers)["latency"].svg() == charts(numbers)["latency"].svg()


@pytest.mark.parametrize("label", ["$x^2$", "$\\frac{", "<b>&\"'", "]]>", "구글 크롬", "😀", "a\\x1bb"])
def test_odd_labels_stay_as_they_are(numbers: Numbers, label: str) -> None:
    chart = charts(replace(numbers, browsers=(Row(label, 3),)))["browsers"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert label in texts(chart.svg())
        assert chart.png().startswith(b"\x89PNG\r\n\x1a\n")


def test_a_long_label_is_cut(numbers: Numbers) -> None:
    chart = charts(replace(numbers, browsers=(Row("n" * 80, 3),)))["browsers"]
    assert "n" * 21 + "…" in texts(chart.svg())


def test_users_are_not_dwarfed_by_all_the_others(numbers: Numbers) -> None:
    assert "all others" not in texts(charts(numbers)["failing_users"].svg())


def test_failures_that_name_nobody_have_no_chart(numbers: Numbers) -> None:
    assert "failing_addresses" not in charts(replace(numbers, failing_addresses=(Row("not given", 9, False),)))


def test_one_bar_is_enough(numbers: Numbers) -> None:
    one = replace(numbers, over_time=(Moment(0, Outcomes(1)),), months=(Month(0, 1),))
    assert "1" in texts(charts(one)["months"].svg())
    assert "failure" not in texts(charts(one)["over_time"].svg()), "an outcome that did not come up"


@pytest.mark.parametrize(
    ("name", "ms", "bars", "expected"),
    [
        ("30m", 1_800_000, 40, ["06:00", "25 Nov", "09:00", "12:00", "15:00", "18:00", "21:00", "00:00", "26 Nov"]),
        ("1d", 86_400_000, 10, ["25 Nov", "2026", "27 Nov", "29 Nov", "1 Dec", "3 Dec"]),
        ("month", 2_678_400_000, 12, ["Nov", "2026", "Dec", "Jan", "2027", "Feb", "Mar", "Apr", "May"]),
        ("year", 31_536_000_000, 10, ["2026", "2028", "2030", "2032", "2034"]),
    ],
)
def test_times_below_a_chart(numbers: Numbers, name: str, ms: int, bars: int, expected: list[str]) -> None:
    start = moment("2026-11-25T06:00:00Z")
    moments = tuple(Moment(start + place * ms, Outcomes(1)) for place in range(bars))
    step = Step("fixed_interval" if name[0].isdigit() else "calendar_interval", name, ms)
    shown = texts(charts(replace(numbers, over_time=moments, step=step))["over_time"].svg())
    assert shown[: len(expected)] == expected


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (9999, "9,999"), (12_340, "12.3k"), (4_000_000, "4M"), (2_500_000_000, "2.5G")]
)
def test_short(value: float, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize(
    ("name", "ms", "text"),
    [
        ("5m", 300_000, "2026-11-25 06:00"),
        ("week", 604_800_000, "2026-11-25"),
        ("month", 0, "2026-11"),
        ("year", 0, "2026"),
    ],
)
def test_time_text(name: str, ms: int, text: str) -> None:
    assert time_text(moment("2026-11-25T06:00:00Z"), Step("", name, ms)) == text
