"""An S3 server of the tests' own, where the machine has one: SeaweedFS, whose program is called ``weed``."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import obstore
import pytest
from obstore.exceptions import BaseError
from obstore.store import S3Store

ACCESS, SECRET = "gnomon-tests", "hush-hush-secret"
_DEADLINE_S = 30.0
_HIGHEST = 55_000
"""Each port also opens the one 10,000 above it."""


def bucket_of(endpoint: str, name: str) -> S3Store:
    """Return a bucket as its owner sees it."""
    config = {"endpoint": endpoint, "access_key_id": ACCESS, "secret_access_key": SECRET, "region": "us-east-1"}
    retry = {"max_retries": 0, "retry_timeout": timedelta(seconds=5)}
    return S3Store(name, config=config, client_options={"allow_http": True}, retry_config=retry)  # type: ignore[arg-type] # mappings


@contextmanager
def object_server(folder: Path, bucket: str) -> Iterator[str]:
    """Start a server with one bucket; give its address."""
    program = shutil.which("weed")
    if program is None:
        pytest.skip("there is no S3 server on this machine: SeaweedFS (weed) is not on the PATH")
    s3, master, volume, filer = _ports(4)
    credentials = {
        "identities": [{"name": "t", "credentials": [{"accessKey": ACCESS, "secretKey": SECRET}], "actions": ["Admin"]}]
    }
    (folder / "s3.json").write_text(json.dumps(credentials))
    (folder / "data").mkdir()
    command = [program, "mini", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"]
    command += [f"-s3.port={s3}", "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={folder / 's3.json'}"]
    command += [f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", "-webdav=false", "-admin.ui=false"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        _await(f"http://127.0.0.1:{s3}", bucket, folder)
        yield f"http://127.0.0.1:{s3}"
    finally:
        server.kill()
        server.wait()


def _ports(count: int) -> list[int]:
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            probe = held.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            if port < _HIGHEST:
                found.append(port)
    return found


def _await(endpoint: str, bucket: str, folder: Path) -> None:
    """Wait until the bucket takes an object; SeaweedFS makes a bucket with its first one."""
    store = bucket_of(endpoint, bucket)
    deadline = time.monotonic() + _DEADLINE_S
    while True:
        try:
            obstore.put(store, "ready", b"yes")
        except BaseError:
            assert time.monotonic() < deadline, (folder / "log").read_text()[-2000:]
            time.sleep(0.1)
        else:
            return
