# SPDX-License-Identifier: Apache-2.0
"""Requests to Elasticsearch for the modules here, and the mark that tells what they have written."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from urllib.error import HTTPError, URLError

from ansible.module_utils.urls import open_url

HASH = "login_pipeline_hash"


class Refused(Exception):
    """Elasticsearch refused a request; the text says which and why."""


class Cluster:
    """Requests to one cluster, as one user."""

    def __init__(self, params: dict[str, Any]) -> None:
        self._url, self._ca = params["url"].rstrip("/"), params["ca_file"]
        self._user, self._password = params["username"], params["password"]

    def call(self, method: str, path: str, body: Any = None, authorization: str = "", missing: int = 404) -> Any:
        """The parsed answer, or None for the status `missing`. Raises Refused for any other failure.

        `authorization` is a header to be used instead of the user and password.
        """
        authorization = authorization or basic(self._user, self._password)
        headers = {"Authorization": authorization, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body)
        try:
            answer = open_url(self._url + path, method=method, data=data, ca_path=self._ca, timeout=60, headers=headers)
            return json.load(answer)
        except HTTPError as error:
            if error.code == missing:
                return None
            hint = ": the stored password of the user is wrong" if error.code == 401 else ""
            raise Refused(
                f"{method} {path}: {error.code}{hint}: {error.read().decode(errors='replace')[:1000]}"
            ) from error
        except (URLError, OSError) as error:
            raise Refused(f"{method} {self._url}{path}: {error}") from error


def basic(user: str, password: str) -> str:
    """Return the Authorization header of a user."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def hash_of(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


OPTIONS: dict[str, Any] = {
    "url": {"type": "str", "required": True},
    "ca_file": {"type": "path", "required": True},
    "username": {"type": "str", "default": "elastic"},
    "password": {"type": "str", "required": True, "no_log": True},
}
"""The options that say how to reach Elasticsearch."""
