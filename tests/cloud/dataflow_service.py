"""A stand-in of Dataflow's API, of Service Usage and of what Cloud Storage's emulator lacks, reached through a proxy.

Beam's validator accepts no endpoint with a port, except one for which it skips its checks. So clients are told of a
proxy, which answers for `http://dataflow.test` and, by a certificate of its own, for every host that they reach by TLS.
"""

from __future__ import annotations

import base64
import datetime
import json
import re
import socketserver
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cloud.answers import JsonHandler

ENDPOINT = "http://dataflow.test"
JOB_ID = "2026-01-01_00_00_00-1"


class Dataflow:
    """The service's state: what was asked of it, and what it answers."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.created: list[dict[str, Any]] = []
        self.requested = threading.Event()
        self.cancelled = threading.Event()
        self.watched = threading.Event()
        self.mended = threading.Event()
        self.state = "JOB_STATE_RUNNING"
        self.messages: list[dict[str, str]] = []
        self.counters: dict[str, int] = {}
        self.create_refusal: tuple[int, str] | None = None
        self.create_answers = True
        self.lists_jobs = True
        self.refused_calls: list[tuple[int, str]] = []
        self.raw_answers: list[bytes] = []
        self.replaced_by = ""
        self.token_refusals: list[str] = []
        self.cancel_refusals = 0
        self.broken_calls = 0
        self.disabled_apis: set[str] = set()
        self.callers: list[tuple[str, str]] = []
        self.denied_accounts: set[str] = set()
        self.denial = "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist)."
        self.secrets: dict[str, str] = {}

    def message(self, importance: str, text: str) -> None:
        time = f"2026-01-01T00:00:{len(self.messages):02d}Z"
        self.messages.append({"messageImportance": f"JOB_MESSAGE_{importance}", "messageText": text, "time": time})

    def metrics(self) -> list[dict[str, Any]]:
        """Each counter twice, as the service gives them: as attempted and as committed."""
        contexts: list[dict[str, str]] = [{"tentative": "true"}, {}]
        return [
            {
                "name": {"origin": "user", "name": name, "context": {"namespace": "beam_taxi", "step": "s1", **more}},
                "scalar": value,
            }
            for name, value in self.counters.items()
            for more in contexts
        ]


def handler_of(service: Dataflow, tls: ssl.SSLContext) -> type[JsonHandler]:
    class Handler(JsonHandler):
        protocol_version = "HTTP/1.1"
        host = ""

        def do_CONNECT(self) -> None:
            self.close_connection = False
            self.host, port = self.path.split(":")
            self.send_response(200)
            self.end_headers()
            if port == "443":
                self.connection = tls.wrap_socket(self.connection, server_side=True)
                self.rfile = self.connection.makefile("rb", -1)
                self.wfile = socketserver._SocketWriter(self.connection)

        def do_POST(self) -> None:
            if self.path == f"{ENDPOINT}/token":
                self.rfile.read(int(self.headers["Content-Length"]))
                refused = service.token_refusals.pop() if service.token_refusals else None
                granted = {"access_token": "token", "expires_in": 3600, "token_type": "Bearer"}
                self.answer({"error": refused} if refused else granted, 400 if refused else 200)
                return
            self.note_caller()
            if self.host == "iamcredentials.googleapis.com":
                self.impersonate(self.path.rpartition("/")[2].partition(":")[0])
                return
            job = self.body()
            if service.create_refusal is not None:
                status, message = service.create_refusal
                self.answer({"error": {"code": status, "message": message, "status": "REFUSED"}}, status)
                return
            service.created.append(job)
            service.requested.set()
            if not service.create_answers:
                self.close_connection = True
                return
            self.answer({**job, "id": JOB_ID, "currentState": service.state})

        def do_PUT(self) -> None:
            assert self.body() == {"requestedState": "JOB_STATE_CANCELLED"}
            if service.cancel_refusals:
                service.cancel_refusals -= 1
                self.answer({"error": {"code": 403, "message": "No."}}, 403)
                return
            service.state = "JOB_STATE_CANCELLED"
            service.cancelled.set()
            self.answer({"id": JOB_ID})

        def note_caller(self) -> None:
            host = self.host or urlsplit(self.path).hostname or ""
            service.callers.append((host, self.headers.get("Authorization", "")))

        def impersonate(self, account: str) -> None:
            self.body()
            if account in service.denied_accounts:
                self.answer({"error": {"code": 403, "message": service.denial, "status": "PERMISSION_DENIED"}}, 403)
                return
            self.answer({"accessToken": f"of {account}", "expireTime": "2100-01-01T00:00:00Z"})

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = parse_qs(url.query)
            self.note_caller()
            if self.host == "secretmanager.googleapis.com":
                secret = service.secrets.get(url.path.removeprefix("/v1/").removesuffix(":access"))
                if secret is None:
                    told = "Permission 'secretmanager.versions.access' denied for resource"
                    self.answer({"error": {"code": 403, "message": told}}, 403)
                    return
                self.answer({"payload": {"data": base64.b64encode(secret.encode()).decode()}})
                return
            if url.path.endswith("services:batchGet"):
                assert self.host == "serviceusage.googleapis.com"
                states = {name: name.rsplit("/", 1)[1] not in service.disabled_apis for name in query["names"]}
                services = [{"name": name, "state": "ENABLED" if on else "DISABLED"} for name, on in states.items()]
                self.answer({"services": services})
            elif self.host == "storage.googleapis.com" and url.path.endswith("/b/public/o/x.csv"):
                assert "Authorization" not in self.headers
                self.answer({"name": "x.csv", "size": "4", "generation": "7", "updated": "2026-01-01T00:00:00Z"})
            elif self.host == "storage.googleapis.com":
                told = "Anonymous caller does not have storage.objects.list access to the bucket."
                self.answer({"error": {"code": 401, "message": told}}, 401)
            elif service.refused_calls and self.path.startswith(ENDPOINT):
                status, message = service.refused_calls.pop()
                self.answer({"error": {"code": status, "message": message}}, status)
            elif service.raw_answers and self.path.startswith(ENDPOINT):
                body = service.raw_answers.pop()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            elif service.broken_calls:
                service.broken_calls -= 1
                if not service.broken_calls:
                    service.mended.set()
                self.close_connection = True
            elif url.path.endswith("/messages"):
                least = ["JOB_MESSAGE_DEBUG", "JOB_MESSAGE_BASIC", "JOB_MESSAGE_ERROR"]
                chosen = least[least.index(query["minimumImportance"][0]) :]
                start = query.get("startTime", [""])[0]
                found = [one for one in service.messages if one["messageImportance"] in chosen and one["time"] >= start]
                self.answer({"jobMessages": found})
            elif url.path.endswith("/metrics"):
                self.answer({"metrics": service.metrics()})
            elif url.path == f"/v1b3/projects/project/locations/us-east1/jobs/{JOB_ID}":
                service.watched.set()
                replaced = {"replacedByJobId": service.replaced_by} if service.replaced_by else {}
                self.answer({"id": JOB_ID, "currentState": service.state, **replaced})
            elif url.path == "/v1b3/projects/project/locations/us-east1/jobs":
                jobs = [{**job, "id": JOB_ID} for job in service.created if job["name"] == query["name"][0]]
                self.answer({"jobs": jobs} if service.lists_jobs else {})
            else:
                # Google's clients ask for more than is needed, such as the regions that may use an account.
                self.answer({"error": {"code": 404, "message": f"{self.host}{url.path}"}}, 404)

        def body(self) -> Any:
            return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    return Handler


def certificate(folder: Path) -> Path:
    """Make a key and a certificate for all of Google's hosts; return the file with both."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("*.googleapis.com")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "stand-in.pem"
    file.write_bytes(private + made.public_bytes(pem))
    return file


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Dataflow, dict[str, str]]]:
    """Yield the service and the environment variables under which clients reach it."""
    service = Dataflow()
    file = certificate(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(service, tls))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    proxy = f"http://127.0.0.1:{server.server_port}"
    yield (
        service,
        {
            "http_proxy": proxy,
            "https_proxy": proxy,
            "no_proxy": "127.0.0.1,localhost,0.0.0.0",
            "REQUESTS_CA_BUNDLE": str(file),
        },
    )
    server.shutdown()


class StorageFaults:
    """Between clients and the emulator: adds what it lacks, and faults.

    A call that `refused` matches is answered by 403; one that `away` matches by 503, the first time.
    """

    def __init__(self, emulator: str) -> None:
        self.emulator = emulator
        self.reset()

    def reset(self) -> None:
        self.locations: dict[str, dict[str, Any]] = {}
        self.permissions: dict[str, set[str]] = {}
        self.refused = ""
        self.away = ""
        self.uploading = threading.Event()
        self.failed: set[str] = set()
        self.callers: list[str] = []


def storage_handler_of(faults: StorageFaults) -> type[JsonHandler]:
    class Handler(JsonHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            call = f"{self.command} {self.path}"
            faults.callers.append(self.headers.get("Authorization", ""))
            if "/upload/" in call and "staging" in call:
                faults.uploading.set()
            if faults.away and re.search(faults.away, call) and call not in faults.failed:
                faults.failed.add(call)
                self.refuse(503, "Backend error")
                return
            if faults.refused and re.search(faults.refused, call):
                self.refuse(403, "tester does not have storage access.")
                return
            asked = re.fullmatch(r"GET .*/b/([^/?]+)/iam/testPermissions\?(.*)", call)
            if asked:
                wanted = parse_qs(asked[2])["permissions"]
                held = faults.permissions.get(asked[1], set(wanted))
                self.answer({"permissions": sorted(held.intersection(wanted))})
                return
            self.relay(body, re.fullmatch(r"GET .*/b/([^/?]+)(\?.*)?", call))

        do_GET = do_POST = do_PUT = do_DELETE = forward

        def refuse(self, status: int, message: str) -> None:
            self.answer({"error": {"code": status, "message": message, "errors": [{"message": message}]}}, status)

        def relay(self, body: bytes | None, bucket: re.Match[str] | None) -> None:
            kept = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            request = urllib.request.Request(faults.emulator + self.path, body, kept, method=self.command)
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Unraised())
            with opener.open(request) as answer:
                content, headers, status = answer.read(), answer.headers, answer.status
            if bucket and status == 200:
                self.answer({**json.loads(content), **faults.locations.get(bucket[1], {})})
                return
            # The emulator's answers have its own address in them.
            if headers.get_content_type() == "application/json":
                content = content.replace(faults.emulator.encode(), f"http://{self.headers['Host']}".encode())
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "connection", "server", "date", "transfer-encoding"):
                    self.send_header(name, value.replace(faults.emulator, f"http://{self.headers['Host']}"))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


class _Unraised(urllib.request.HTTPErrorProcessor):
    def http_response(self, request: Any, response: Any) -> Any:
        return response


@contextmanager
def storage_with_faults(emulator: str) -> Iterator[tuple[StorageFaults, str]]:
    """Yield what stands before the emulator, and its address."""
    faults = StorageFaults(emulator)
    server = ThreadingHTTPServer(("127.0.0.1", 0), storage_handler_of(faults))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield faults, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
