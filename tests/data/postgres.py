"""A PostgreSQL server of the tests' own, where the machine has one."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_BARE = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]


@contextmanager
def postgres_server() -> Iterator[int]:
    """Start a server with the user ``gnomon`` (password ``hush-hush``); give its port."""
    programs = shutil.which("initdb"), shutil.which("pg_ctl")
    if None in programs:
        pytest.skip("there is no PostgreSQL server on this machine: initdb and pg_ctl are not on the PATH")
    # Its socket's path must be short, and its folder belong to the user that it runs as.
    folder = Path(tempfile.mkdtemp(prefix="gnomon-pg-"))
    prefix: list[str] = []
    if os.geteuid() == 0:
        try:
            user = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    (folder / "password").write_text("hush-hush\n")
    (folder / "password").chmod(0o644)
    data = str(folder / "data")

    def run(*command: str) -> None:
        subprocess.run([*prefix, *command], check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=60)

    run("initdb", "-D", data, "-A", "scram-sha-256", "-U", "gnomon", "--pwfile", str(folder / "password"), "--no-sync")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} {' '.join(_BARE)}"
    try:
        run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        yield port
    finally:
        subprocess.run(
            [*prefix, "pg_ctl", "-D", data, "-m", "immediate", "stop"], check=False, cwd=folder, stdout=subprocess.DEVNULL
        )
        shutil.rmtree(folder)
