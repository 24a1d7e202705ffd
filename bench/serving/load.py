"""Closed-loop load over kept connections: by ``wrk`` where it is installed, by asyncio in a process of its own where not."""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench.table import median

_WRK_SCRIPT = """
local body = io.open(os.getenv("BENCH_BODY")):read("*a")
if #body > 0 then
  wrk.method = "POST"
  wrk.headers["content-type"] = "application/json"
  wrk.body = body
end
done = function(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.stderr:write(string.format('{"requests":%d,"seconds":%f,"p50_ms":%f,"p99_ms":%f,"failed":%d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, failed))
end
"""


@dataclass(frozen=True)
class Measured:
    """One round of load."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failed: int

    @property
    def rps(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


def generator() -> str:
    """Return the name of what makes the load."""
    return "wrk" if shutil.which("wrk") else "an asyncio client"


def load(url: str, body: bytes | None, workdir: Path, *, connections: int, seconds: int, core: int) -> Measured:
    """Load ``url`` from ``core`` with POST requests that carry ``body``, or with GET requests."""
    body_file = workdir / "body.json"
    body_file.write_bytes(body or b"")
    if shutil.which("wrk"):
        script = workdir / "post.lua"
        script.write_text(_WRK_SCRIPT)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url]
    else:
        command = [sys.executable, "-m", "bench.serving.load", url, str(body_file), str(connections), str(seconds)]
    done = subprocess.run(
        ["taskset", "-c", str(core), *command],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "BENCH_BODY": str(body_file)},
        capture_output=True,
        text=True,
        check=True,
    )
    return Measured(**json.loads(done.stderr[done.stderr.index("{") :]))


async def _ask(host: str, port: int, request: bytes, until: float, latencies: list[float]) -> int:
    reader, writer = await asyncio.open_connection(host, port)
    failed = 0
    while (began := time.perf_counter()) < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length[15:]))
        failed += not head.startswith(b"HTTP/1.1 200")
        latencies.append(time.perf_counter() - began)
    writer.close()
    return failed


async def _load(url: str, body: bytes, connections: int, seconds: float) -> Measured:
    host, _, rest = url.removeprefix("http://").partition(":")
    port, _, path = rest.partition("/")
    method = "POST" if body else "GET"
    head = f"{method} /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    began = time.perf_counter()
    latencies: list[float] = []
    request = head.encode() + body
    asking = [_ask(host, int(port), request, began + seconds, latencies) for _ in range(connections)]
    failed = sum(await asyncio.gather(*asking))
    slowest = sorted(latencies)[int(len(latencies) * 0.99)]
    return Measured(len(latencies), time.perf_counter() - began, median(latencies) * 1e3, slowest * 1e3, failed)


if __name__ == "__main__":
    _, _url, _body, _connections, _seconds = sys.argv
    _measured = asyncio.run(_load(_url, Path(_body).read_bytes(), int(_connections), float(_seconds)))
    sys.stderr.write(json.dumps(_measured.__dict__))
