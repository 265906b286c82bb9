#!/usr/bin/python3 -IB
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Kibana, for tests of the role kibana alone: it says nothing about Kibana itself.

It reads its settings as Kibana does, ends with Kibana's exit codes when they are wrong, and answers by HTTPS what the
role asks. What is imported lies in path.data.
"""

import http.server
import json
import ssl
import sys
from pathlib import Path

KEYS = ("xpack.security.encryptionKey", "xpack.encryptedSavedObjects.encryptionKey", "xpack.reporting.encryptionKey")
settings = {}
for file in sys.argv[2::2]:  # --config FILE --config FILE
    for line in Path(file).read_text().splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.partition(": ")
            settings[key] = value.strip('"')
if unknown := [key for key in settings if key.startswith("no.such.")]:
    sys.exit(print(f'FATAL Error: Unknown configuration key(s): "{unknown[0]}".', flush=True) or 64)
if not settings["elasticsearch.serviceAccountToken"] or any(len(settings[key]) < 32 for key in KEYS):
    sys.exit(print("FATAL Error: a secret is missing or too short", flush=True) or 78)
store = Path(settings["path.data"]) / "imported.json"


class Handler(http.server.BaseHTTPRequestHandler):
    """The three requests of the role."""

    def do_GET(self) -> None:
        self.answer({"status": {"overall": {"level": "available"}}} if self.path == "/api/status" else None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        known = json.loads(store.read_text()) if store.exists() else []
        if self.headers["kbn-xsrf"] is None or not self.headers["Authorization"].startswith("Basic "):
            self.answer(None)
        elif self.path == "/api/saved_objects/_bulk_get":
            asked = json.loads(body)
            found = [each if [each["type"], each["id"]] in known else each | {"error": {}} for each in asked]
            self.answer({"saved_objects": found})
        elif self.path == "/api/saved_objects/_import?overwrite=true":
            lines = [json.loads(line) for line in body.splitlines() if line.startswith("{")]
            store.write_text(json.dumps(known + [[each["type"], each["id"]] for each in lines]))
            self.answer({"success": True})
        else:
            self.answer(None)

    def answer(self, told: object) -> None:
        """Send `told` as JSON, or 400 for None."""
        text = json.dumps(told).encode()
        self.send_response(400 if told is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


server = http.server.ThreadingHTTPServer((settings["server.host"], int(settings["server.port"])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(settings["server.ssl.certificate"], settings["server.ssl.key"])
server.socket = context.wrap_socket(server.socket, server_side=True)
print("the stand-in listens", flush=True)
server.serve_forever()
