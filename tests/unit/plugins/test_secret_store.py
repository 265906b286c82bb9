# SPDX-License-Identifier: Apache-2.0
"""What becomes of the stored secrets, and which cannot be secrets."""

from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail
from secret_store import Content, check_given, fault, parse

ODD = 'it\'s "odd" \\ $HOME ${x} `id` #1 %d {{ y }} äß€😀 : - '


def test_a_replaced_secret_stays_until_it_is_forgotten() -> None:
    content = Content({"a": "old"})
    content.give("a", "new")
    assert content == Content({"a": "new"}, {"a": ["old"]})
    content.give("a", "new")
    assert content == Content({"a": "new"}, {"a": ["old"]})


def test_another_change_while_one_is_on_its_way_keeps_both() -> None:
    content = Content({"a": "new"}, {"a": ["old"]})
    content.give("a", "newest")
    assert content == Content({"a": "newest"}, {"a": ["new", "old"]})
    content.give("a", "old")
    assert content == Content({"a": "old"}, {"a": ["newest", "new"]})


def test_a_given_secret_that_is_new_or_the_same_replaces_nothing() -> None:
    content = Content({"a": "same"})
    content.give("a", "same")
    content.give("b", "first")
    assert content == Content({"a": "same", "b": "first"})


def test_a_secret_is_drawn_once_until_it_is_in_use() -> None:
    content = Content({"a": "old"})
    content.draw("a", here=True)
    first = content.secrets["a"]
    assert first != "old" and content.replaced == {"a": ["old"]}
    content.draw("a", here=True)
    assert content.secrets["a"] == first


def test_an_issued_secret_is_dropped_for_a_new_one_to_be_issued() -> None:
    content = Content({"key": "old"})
    content.draw("key", here=False)
    assert content == Content({}, {"key": ["old"]})
    content.draw("key", here=False)
    assert content == Content({}, {"key": ["old"]})


def test_an_issued_secret_that_is_renewed_stays_beside_the_new_one() -> None:
    content = Content({"key": "old"})
    content.draw("key", here=False)
    content.secrets |= {"key": "new"}
    assert content == Content({"key": "new"}, {"key": ["old"]})


@pytest.mark.parametrize("value", [ODD, "eight to", " blanks at both ends "])
def test_what_can_be_a_password(value: str) -> None:
    assert fault("elastic_password", value, given=True) == ""


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("elastic_password", 12345678, "put it into quotes"),
        ("elastic_password", True, "put it into quotes"),
        ("elastic_password", None, "put it into quotes"),
        ("elastic_password", "two\nlines", "control character"),
        ("elastic_password", "ends with one\n", "control character"),
        ("elastic_password", "with a\ttab", "control character"),
        ("elastic_password", "with a\0null", "control character"),
        ("elastic_password", "line\u2028separator", "control character"),
        ("elastic_password", "short", "8 are needed"),
        ("elastic_password", "", "8 are needed"),
        ("spark_secret", "$" * 32, "32 or more letters"),
        ("pseudonym_key", "a" * 31, "32 or more letters"),
        ("kibana_security_key", "a" * 31, "32 or more letters"),
    ],
)
def test_what_cannot_be_a_secret(name: str, value: object, why: str) -> None:
    told = fault(name, value, given=True)
    assert told.startswith(name) and why in told
    assert len(str(value)) < 5 or str(value) not in told


def test_all_faults_of_given_secrets_are_told_without_them() -> None:
    given = {"elastic_password": "short", "elastik_password": "long enough", "spark_secret": "not a key"}
    with pytest.raises(AnsibleActionFail) as refused:
        check_given(given, ["elastic_password", "spark_secret"])
    told = str(refused.value)
    assert "elastik_password cannot be given; these can: elastic_password, spark_secret" in told
    assert "elastic_password has 5 characters" in told and "spark_secret has to be 32" in told
    assert not any(value in told for value in given.values())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- a list", "YAML mapping"),
        ("replaced: a text", "YAML mapping"),
        ("replaced: {a: b}", "YAML mapping"),
        ("a: 0123", "a is no text"),
        ("a: |\n  lines\n", "a holds a line break"),
        ("replaced: {a: [1]}", "a is no text"),
    ],
)
def test_a_store_that_cannot_be_used_is_refused(text: str, why: str) -> None:
    with pytest.raises(AnsibleActionFail, match=why):
        parse(text.encode(), Path("store"))


def test_an_empty_store_is_one() -> None:
    assert parse(b"", Path("store")) == Content()
