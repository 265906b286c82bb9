# SPDX-License-Identifier: Apache-2.0
"""docs/sbom.cdx.json lists what is deployed, as it is locked now."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

from sbom import FILE, REQUIREMENTS, ROOT, sbom

# What nothing of a deployment installs
OTHERS = {"requirements/test.txt", "tests/bench/requirements.txt"}


def components() -> list[dict[str, Any]]:
    return list(json.loads(FILE.read_text())["components"])


def test_the_list_is_of_now() -> None:
    assert FILE.read_text() == sbom(), "run 'make sbom'"


def test_every_file_of_requirements_is_in_it() -> None:
    told = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    locked = {file for file in told if re.search(r"requirements[^/]*(/[^/]+)?\.txt$", file)}
    assert locked == set(REQUIREMENTS.values()) | OTHERS


def test_each_product_and_package_has_a_licence() -> None:
    assert {"kafka", "spark", "elasticsearch", "kibana", "pyarrow"} <= {each["name"] for each in components()}
    assert [each["name"] for each in components() if "hashes" not in each and not each["licenses"]] == []


def test_each_jar_has_its_hash() -> None:
    jars = [each for each in components() if each["name"].endswith(".jar")]
    assert len(jars) > 90 and all(re.fullmatch("[0-9a-f]{64}", each["hashes"][0]["content"]) for each in jars)
