# SPDX-License-Identifier: Apache-2.0
"""Requests of the modules here to Elasticsearch and Kibana, and the mark that tells what they have written."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from urllib.error import HTTPError, URLError

from ansible.module_utils.urls import open_url

HASH = "login_pipeline_hash"

OPTIONS: dict[str, Any] = {
    "url": {"type": "str", "required": True},  # one, or several separated by commas
    "ca_file": {"type": "path", "required": True},
    "username": {"type": "str", "default": "elastic"},
    "password": {"type": "str", "required": True, "no_log": True},
}
"""The options that say how to reach a service."""


class Refused(Exception):
    """The service refused a request; the text says which and why."""


class Service:
    """Requests to one service, as one user. Of several URLs the first that answers is asked."""

    timeout_s = 60

    def __init__(self, params: dict[str, Any]) -> None:
        self._urls = [url.strip().rstrip("/") for url in params["url"].split(",")]
        self._ca = params["ca_file"]
        self._authorization = basic(params["username"], params["password"])

    def request(
        self, method: str, path: str, data: str | None, headers: dict[str, str], missing: int | None = None
    ) -> Any:
        """The parsed answer, or None for the status `missing`. Raises Refused for any other failure.

        `headers` are added to those that every request has, or take their place.
        """
        headers = {"Authorization": self._authorization, "Content-Type": "application/json", **headers}
        # A proxy that the host has for the world outside knows nothing of the pipeline's own names.
        options = {"ca_path": self._ca, "timeout": self.timeout_s, "headers": headers, "use_proxy": False}
        try:
            # Some changes are answered without a word.
            return json.loads(self._open(path, method=method, data=data, **options).read() or "{}")
        except HTTPError as error:
            if error.code == missing:
                return None
            hint = ": the stored password of the user is wrong" if error.code == 401 else ""
            raise Refused(
                f"{method} {path}: {error.code}{hint}: {error.read().decode(errors='replace')[:1000]}"
            ) from error
        except (URLError, OSError) as error:
            raise Refused(f"{method} {', '.join(self._urls)}{path}: {error}") from error

    def _open(self, path: str, method: str, **options: Any) -> Any:
        """Return the answer of the first node that gives one; it is asked first from then on."""
        for _ in self._urls[1:]:
            try:
                return open_url(self._urls[0] + path, method=method, **options)
            except HTTPError:
                raise
            except (URLError, OSError) as error:
                # What may have been done already, and was only not answered, is not asked of another node.
                unsent = isinstance(getattr(error, "reason", error), ConnectionRefusedError)
                if method != "GET" and not unsent:
                    raise
                self._urls.append(self._urls.pop(0))
        return open_url(self._urls[0] + path, method=method, **options)


class Cluster(Service):
    """An Elasticsearch cluster."""

    def call(self, method: str, path: str, body: Any = None, authorization: str = "", missing: int = 404) -> Any:
        """The parsed answer to `body`, or None for the status `missing`. Raises Refused for any other failure.

        `authorization` is a header to be used instead of the user and password.
        """
        headers = {"Authorization": authorization} if authorization else {}
        return self.request(method, path, None if body is None else json.dumps(body), headers, missing)


def basic(user: str, password: str) -> str:
    """Return the Authorization header of a user."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def hash_of(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def outcome(changes: list[str]) -> dict[str, Any]:
    """Return the results that tell what was changed, for a module's exit."""
    return {"changed": bool(changes), "changes": changes, "diff": {"prepared": "".join(f"+ {c}\n" for c in changes)}}
