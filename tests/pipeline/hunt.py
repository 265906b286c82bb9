# SPDX-License-Identifier: Apache-2.0
"""Where on the deployed host a secret can be read."""

from __future__ import annotations

import base64
from pathlib import Path

from deployment import Deployment

HUNT = Path(__file__).with_name("secret_hunt.py").read_text()


def hunt(deployment: Deployment, places: list[str], user: str = "root") -> list[str]:
    """Return where `user` can read a stored secret, a part of one, or the CA's key."""
    secrets = dict(deployment.secrets)
    for name in [name for name in secrets if name.endswith("_api_key")]:
        secrets[f"{name}, decoded"] = base64.b64decode(secrets[name]).decode().split(":")[1]
    secrets["CA key"] = (deployment.ca_dir / "ca.key").read_text().splitlines()[1]
    return deployment.python(f"SECRETS = {secrets!r}\nPLACES = {places!r}\n{HUNT}", user)
