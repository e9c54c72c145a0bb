"""What is particular to Cloud Storage: the requests that are sent, its patterns, its errors, its credentials."""

from __future__ import annotations

import email
import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from google.cloud import storage as google_storage

from beam_taxi import storage
from beam_taxi.errors import StorageError, UsageError
from beam_taxi.launch import cloud_storage as bucket_checks
from beam_taxi.settings import Settings
from beam_taxi.sources.plan import plan_input
from beam_taxi.storage import credentials, gcs
from beam_taxi.storage.gcs_errors import advice
from tests.cloud.answers import JsonHandler
from tests.storage.conftest import Requests

READ_AHEAD = 4 << 20
HEAD = 64 << 10


@pytest.fixture
def large(cloud_storage: google_storage.Bucket) -> bytes:
    """Return the content of gs://bucket/gcs/large.bin, which is read ahead three times."""
    content = bytes(range(256)) * ((10 << 20) // 256)
    cloud_storage.blob("gcs/large.bin").upload_from_string(content)
    return content


def lengths(requests: Requests, size: int) -> list[int]:
    """Return how many bytes each range covered."""
    ranges = [text.removeprefix("bytes=").split("-") for text in requests.ranges]
    return [min(int(end), size - 1) - int(start) + 1 for start, end in ranges]


def query_of(requests: Requests, part: str) -> dict[str, list[str]]:
    """Return the query of the only request with `part` in its URL; some versions of the client send others, too."""
    (url,) = [url for url in requests.urls if part in url]
    return parse_qs(urlsplit(url).query)


def test_sequential_reading_reads_ahead_and_asks_for_each_byte_once(large: bytes, requests: Requests):
    with storage.open_input("gs://bucket/gcs/large.bin") as file:
        parts = list(iter(lambda: file.read(100_000), b""))
        assert file.read() == b""
    assert b"".join(parts) == large
    assert lengths(requests, len(large)) == [READ_AHEAD, READ_AHEAD, len(large) - 2 * READ_AHEAD]


def test_a_whole_object_is_read_in_one_request(large: bytes, requests: Requests):
    assert storage.read_bytes("gs://bucket/gcs/large.bin") == large
    assert lengths(requests, len(large)) == [len(large)]


def test_a_large_read_is_not_cut_into_buffers(large: bytes, requests: Requests):
    with storage.open_input("gs://bucket/gcs/large.bin") as file:
        file.seek(1000)
        assert file.read(9 << 20) == large[1000 : 1000 + (9 << 20)]
    assert lengths(requests, len(large)) == [2 * READ_AHEAD, len(large) - 2 * READ_AHEAD - 1000]


def test_reading_the_start_again_fetches_it_once(large: bytes, requests: Requests):
    with storage.open_input("gs://bucket/gcs/large.bin") as file:
        assert file.read(4) == large[:4]
        for size in (100, 100_000):
            file.seek(0)
            assert file.read(size) == large[:size]
    assert lengths(requests, len(large)) == [READ_AHEAD]


def test_looking_at_the_beginning_fetches_little(large: bytes, requests: Requests):
    (file,) = storage.match("gs://bucket/gcs/large.bin")
    requests.clear()
    with storage.open_head(file) as head:
        for size in (4, HEAD):
            head.seek(0)
            assert head.read(size) == large[:size]
        assert lengths(requests, len(large)) == [HEAD]
        assert head.read() == large[HEAD:]
    # The size and the generation are those that were listed.
    assert all("alt=media" in url for url in requests.urls)


def test_a_plan_fetches_a_header_of_each_file_once(cloud_storage: google_storage.Bucket, requests: Requests):
    content = b"a,b\n" + b"1,2\n" * (1 << 18)
    for number in range(5):
        cloud_storage.blob(f"many/{number}.csv").upload_from_string(content)
    requests.clear()
    assert len(plan_input(Settings(("gs://bucket/many/*.csv",), "out", "r"), {}).sources) == 5
    assert lengths(requests, len(content)) == [HEAD] * 5


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("gs://bucket/places/in", "gs://bucket/places/in: is a folder; use gs://bucket/places/in/*.csv"),
        ("gs://bucket/places/in/", "gs://bucket/places/in/: is a folder; use gs://bucket/places/in/*.csv"),
        ("gs://bucket", "gs://bucket: is a bucket; use gs://bucket/*.csv"),
        ("gs://bucket/", "gs://bucket/: is a bucket; use gs://bucket/*.csv"),
    ],
)
def test_a_folder_is_no_file(cloud_storage: google_storage.Bucket, uri: str, message: str):
    for name in ("places/in/", "places/in/x.csv"):
        cloud_storage.blob(name).upload_from_string("")
    assert [file.uri for file in storage.match("gs://bucket/places/in/*")] == ["gs://bucket/places/in/x.csv"]
    with pytest.raises(UsageError) as caught:
        storage.match(uri)
    assert str(caught.value) == message


def test_a_version_is_a_generation(cloud_storage: google_storage.Bucket):
    blob = cloud_storage.blob("gcs/x.csv")
    blob.upload_from_string("x")
    assert storage.stat("gs://bucket/gcs/x.csv") == storage.InputFile("gs://bucket/gcs/x.csv", 1, str(blob.generation))
    assert storage.stat("gs://bucket/gcs/none.csv") is None


@pytest.fixture
def losing_answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """Yield the objects of a server that checks preconditions, and whose first answer to an upload is lost."""
    objects: dict[str, bytes] = {}

    class Objects(JsonHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            parts = email.message_from_bytes(b"Content-Type: " + self.headers["Content-Type"].encode() + b"\n\n" + body)
            properties, content = (part.get_payload(decode=True) for part in parts.get_payload())
            assert parse_qs(urlsplit(self.path).query)["ifGenerationMatch"] == ["0"]
            name = json.loads(properties)["name"]
            if name in objects:
                self.answer({"error": {"code": 412, "message": "conditionNotMet"}}, 412)
                return
            objects[name] = content
            self.answer({"error": {"code": 503, "message": "the answer is lost"}}, 503)

        def do_GET(self) -> None:
            name = unquote(urlsplit(self.path).path.rpartition("/o/")[2])
            if urlsplit(self.path).path.endswith("/o"):
                self.answer({"items": [{"name": name} for name in objects]})
            elif name not in objects:
                self.answer({"error": {"code": 404, "message": "not found"}}, 404)
            elif "alt=media" in self.path:
                self.send_response(200)
                self.send_header("Content-Length", str(len(objects[name])))
                self.end_headers()
                self.wfile.write(objects[name])
            else:
                self.answer({"bucket": "bucket", "name": name, "size": str(len(objects[name])), "generation": "1"})

    server = ThreadingHTTPServer(("127.0.0.1", 0), Objects)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
    gcs.client.cache_clear()
    yield objects
    server.shutdown()
    server.server_close()
    gcs.client.cache_clear()


@pytest.mark.usefixtures("cloud_storage")
def test_an_upload_whose_answer_was_lost_is_ours(losing_answers: dict[str, bytes]):
    storage.claim("gs://bucket/run", "mine")
    with storage.publish("gs://bucket/run", "x.bin") as file:
        file.write(b"content")
    assert losing_answers == {"run/_staging/claim": b"mine", "run/x.bin": b"content"}
    with pytest.raises(FileExistsError):
        storage.claim("gs://bucket/run", "other")


DENIED = "worker@p.iam.gserviceaccount.com does not have storage.objects.get access to the Google Cloud Storage object."
PERIMETER = "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: x"
WORKER = "gs://b --member serviceAccount:worker@p.iam.gserviceaccount.com --role roles/storage.objectViewer`"
ADVICE = {
    "reading": (403, DENIED, WORKER),
    "writing": (
        403,
        "me@x.com does not have storage.objects.create access",
        "user:me@x.com --role roles/storage.objectU",
    ),
    "requester pays": (400, "Bucket is a requester pays bucket but no user project provided.", "--project PROJECT"),
    "perimeter": (403, PERIMETER, "VPC Service Controls perimeter"),
    "key": (403, "Permission denied on Cloud KMS key. Please ensure that …", "roles/cloudkms.cryptoKeyEncrypter"),
    "billing": (403, "The billing account for the owning project is disabled in state absent", "gcloud billing"),
    "retention": (403, "Object 'b/o' is subject to bucket's retention policy", "use another --output"),
    "API": (403, "Cloud Storage JSON API has not been used in project 1 before or it is disabled.", "services enable"),
    "rate": (429, "The object exceeded the rate limit for object mutation operations", "try again later"),
}


@pytest.mark.parametrize(("code", "message", "fix"), ADVICE.values(), ids=ADVICE)
def test_the_repair_fits_the_reason(code: int, message: str, fix: str):
    assert fix in advice(code, message, "b")


@pytest.mark.parametrize("content", [b"", b"small"])
def test_the_end_of_an_object_is_known_without_a_request(
    cloud_storage: google_storage.Bucket, requests: Requests, content: bytes
):
    cloud_storage.blob("gcs/x.bin").upload_from_string(content)
    with storage.open_input("gs://bucket/gcs/x.bin") as file:
        assert (file.read(100), file.read(100), file.read()) == (content, b"", b"")
    assert len(requests.ranges) == (1 if content else 0)


def test_an_object_with_a_content_encoding_is_read_as_stored(cloud_storage: google_storage.Bucket):
    blob = cloud_storage.blob("gcs/x.csv.gz")
    blob.content_encoding = "gzip"
    blob.upload_from_string(gzip.compress(b"a,b\n1,2\n"))
    stored = storage.read_bytes("gs://bucket/gcs/x.csv.gz")
    assert gzip.decompress(stored) == b"a,b\n1,2\n"
    assert storage.match("gs://bucket/gcs/x.csv.gz")[0].size == len(stored)


def test_a_read_is_of_the_generation_that_was_opened(cloud_storage: google_storage.Bucket, requests: Requests):
    blob = cloud_storage.blob("gcs/x.bin")
    blob.upload_from_string("x")
    assert storage.read_bytes("gs://bucket/gcs/x.bin") == b"x"
    assert query_of(requests, "alt=media")["generation"] == [str(blob.generation)]


def test_an_object_that_vanishes_while_it_is_read(cloud_storage: google_storage.Bucket, large: bytes):
    with storage.open_input("gs://bucket/gcs/large.bin") as file:
        file.read(1)
        cloud_storage.blob("gcs/large.bin").delete()
        file.seek(READ_AHEAD + 100)
        with pytest.raises(StorageError, match="gs://bucket/gcs/large.bin: 404 ") as caught:
            file.read(1)
    assert caught.value.code == 404
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("uri", "message", "code"),
    [
        ("gs://bucket/none.csv", "gs://bucket/none.csv: object not found", None),
        ("gs://none/x.csv", "gs://none/x.csv: object not found", None),
    ],
)
def test_a_missing_object_cannot_be_opened(
    cloud_storage: google_storage.Bucket, uri: str, message: str, code: int | None
):
    with pytest.raises(StorageError) as caught:
        storage.open_input(uri)
    assert (str(caught.value), caught.value.code) == (message, code)


@pytest.mark.parametrize("pattern", ["gs://none/x.csv", "gs://none/*.csv"])
def test_a_missing_bucket_is_not_an_empty_one(cloud_storage: google_storage.Bucket, pattern: str):
    with pytest.raises(StorageError, match=r"404 .*; `gcloud storage ls gs://none` lists what exists") as caught:
        storage.match(pattern)
    assert (caught.value.code, len(str(caught.value).splitlines())) == (404, 1)


def test_the_service_narrows_the_list(cloud_storage: google_storage.Bucket, requests: Requests):
    cloud_storage.blob("narrow/a.csv").upload_from_string("x")
    cloud_storage.blob("narrow/deep/b.csv").upload_from_string("x")
    assert [file.uri for file in storage.match("gs://bucket/narrow/*.csv")] == ["gs://bucket/narrow/a.csv"]
    query = query_of(requests, "matchGlob=")
    assert (query["prefix"], query["matchGlob"]) == (["narrow/"], ["narrow/*.csv"])


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*{1,2}.csv", "x{1,2}.csv"),
        ("*[[]1].csv", "odd[1].csv"),
        ("*odd[1.csv", "an odd[1.csv"),
        ("*back\\slash.csv", "a back\\slash.csv"),
        ("*}.csv", "x}.csv"),
        ("*]?", "x]y"),
        ("*[{]x", "a{x"),
    ],
)
def test_characters_that_only_the_service_treats_as_special(
    cloud_storage: google_storage.Bucket, pattern: str, name: str
):
    cloud_storage.blob(f"special/{name}").upload_from_string("x")
    cloud_storage.blob("special/other.csv").upload_from_string("x")
    found = storage.match(f"gs://bucket/special/{pattern}")
    cloud_storage.blob(f"special/{name}").delete()
    assert [file.uri for file in found] == [f"gs://bucket/special/{name}"]


def test_two_asterisks_and_a_slash_match_at_least_one_folder(cloud_storage: google_storage.Bucket):
    for name in ("x.csv", "a/x.csv", "a/b/x.csv"):
        cloud_storage.blob(f"folders/{name}").upload_from_string("x")
    found = [file.uri.removeprefix("gs://bucket/folders/") for file in storage.match("gs://bucket/folders/**/x.csv")]
    assert found == ["a/b/x.csv", "a/x.csv"]


def test_a_pattern_that_is_no_regular_expression_is_refused(cloud_storage: google_storage.Bucket):
    with pytest.raises(StorageError, match=r"gs://bucket/\[z-a\]: bad character range"):
        storage.match("gs://bucket/[z-a]")


def test_what_is_asked_before_a_launch(cloud_storage: google_storage.Bucket):
    assert bucket_checks.location("bucket")[0] == bucket_checks.location("bucket")[1][0]
    with pytest.raises(StorageError) as caught:
        bucket_checks.location("none")
    assert caught.value.code == 404
    assert credentials.member() == "serviceAccount:tester@project.iam.gserviceaccount.com"


def test_credentials_are_looked_for_where_googles_libraries_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    for flavor in ("Google", "of another cloud"):

        class Metadata(JsonHandler):
            sent = flavor

            def do_GET(self) -> None:
                self.answer({}, headers={"Metadata-Flavor": self.sent})

        server = ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("GCE_METADATA_HOST", f"127.0.0.1:{server.server_port}")
        assert gcs.has_credentials() == (flavor == "Google")
        server.shutdown()
        server.server_close()
    assert not gcs.has_credentials()
    (tmp_path / "application_default_credentials.json").write_text("{}")
    assert gcs.has_credentials()


def test_a_forked_process_has_a_client_of_its_own():
    """Two processes that write to one connection would spoil it."""
    code = """
import os
from beam_taxi.storage.gcs_client import client
before = client()
pid = os.fork()
if pid == 0:
    os._exit(client() is before)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), client() is before)
"""
    environment = {**os.environ, "STORAGE_EMULATOR_HOST": "http://127.0.0.1:9"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "0 True\n"
