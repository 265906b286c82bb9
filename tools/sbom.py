# SPDX-License-Identifier: Apache-2.0
"""Write docs/sbom.cdx.json: all software that a deployment installs, with versions and licences, as CycloneDX 1.5.

The versions are those of the locked requirements, of the table of products and of its locks. The licences of Python
packages are what the packages say of themselves, so all of them must be installed here, as `make setup-test` does. Jars
have theirs inside. Debian's packages are not listed: their versions are the host's own, and /usr/share/doc has their
licences. Two runs write the same.
"""

import json
import re
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docs/sbom.cdx.json"
# By what is installed with it
REQUIREMENTS = {
    "controller": "requirements/deploy.txt",
    "build of our own packages": "requirements/build.txt",
    "login-producer": "src/producer/requirements.txt",
    "login-consumer": "src/spark_consumer/requirements.txt",
    "login-report": "src/report/requirements.txt",
    "kafka's administration": "roles/kafka/files/requirements.txt",
}
PRODUCTS = ROOT / "roles/artifact/vars/main.yml"
LOCKS = ROOT / "roles/artifact/files"
# The publishers' own words
LICENCES = {
    "kafka": "Apache-2.0",
    "spark": "Apache-2.0",
    "elasticsearch": "Elastic-2.0",
    "kibana": "Elastic-2.0",
    "jmx_exporter": "Apache-2.0",
}

Component = dict[str, Any]


def packages() -> list[Component]:
    """Return the Python packages. Raises PackageNotFoundError for one that is not installed here."""
    users: dict[tuple[str, str], list[str]] = {}
    for user, file in REQUIREMENTS.items():
        for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / file).read_text(), re.MULTILINE):
            users.setdefault((name, version), []).append(user)
    return [
        {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name}@{version}",
            "licenses": licences(name),
            "properties": [{"name": "login-pipeline:used-by", "value": user} for user in used],
        }
        for (name, version), used in sorted(users.items())
    ]


def licences(package: str) -> list[dict[str, Any]]:
    """Return what a package says of its licence: an expression of SPDX, else its classifiers, else free text."""
    told = metadata.metadata(package)
    if "License-Expression" in told:
        return [{"expression": told["License-Expression"]}]
    names = [each.rpartition(" :: ")[2] for each in told.get_all("Classifier") or [] if each.startswith("License")]
    if not names and "License" in told:
        names = told["License"].strip().splitlines()[:1]
    return [{"license": {"name": name}} for name in sorted(names)]


def products() -> list[Component]:
    """Return the products with their default versions. Raises ValueError for a version of another form."""
    found = set()
    for name, sources in yaml.safe_load(PRODUCTS.read_text())["artifact_products"].items():
        for source in sources.values():
            version = re.fullmatch(r"(?:.*default\(')?([\d.]+)(?:'\).*)?", source["version"])
            if version is None:
                raise ValueError(f"{name}: no version is read from {source['version']!r}")
            found.add((name, version[1]))
    return [
        {
            "type": "application",
            "name": name,
            "version": version,
            "licenses": [{"license": {"id": LICENCES[name]}}],
        }
        for name, version in sorted(found)
    ]


def jars() -> list[Component]:
    """Return the jars that Maven brings, with their hashes."""
    found: dict[tuple[str, str], list[str]] = {}
    for lock in sorted(LOCKS.glob("locks/*.sha256")):
        for line in lock.read_text().splitlines():
            sha256, name = line.split()
            found.setdefault((name, sha256), []).append(lock.stem)
    return [
        {
            "type": "library",
            "name": name,
            "hashes": [{"alg": "SHA-256", "content": sha256}],
            "properties": [{"name": "login-pipeline:used-by", "value": user} for user in used],
        }
        for (name, sha256), used in sorted(found.items())
    ]


def sbom() -> str:
    """Return the list."""
    told = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "name": "login-pipeline",
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": [*products(), *packages(), *jars()],
    }
    return json.dumps(told, indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(sbom(), encoding="utf-8")
