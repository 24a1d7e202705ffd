from typing import Any

from gnomon.cli.run_table import newest_by_window
from tests.acceptance.live import Live, manifests
from tests.acceptance.rows import rides_csv

WINDOW = "  features: [city, member, temperature, distance]\n  window: {span: 2d, origin: 2025-03-01, backfill: {windows: 3}}\n"
CHAINED = "  gates: [{metric: rmse, against: champion, maxRatio: 9}]\n"
TWO_DAYS = 262
LABELS = ["2025-03-01/2025-03-02", "2025-03-03/2025-03-04", "2025-03-05/2025-03-06"]


def test_windows_are_backfilled_through_a_crash_and_late_rows_run_their_window_again(live: Live) -> None:
    table = rides_csv(3 * TWO_DAYS + 20)
    rides = manifests(
        "rides",
        files="data/*.csv",
        task="regression",
        target="minutes",
        candidates="[{algorithm: ridge}]",
        extra=WINDOW,
        data="  time: started_at\n",
    )
    chained = rides["models/rides.yaml"].replace("name: rides", "name: chained").replace("windows: 3", "windows: 2") + CHAINED

    def windows(model: str) -> list[dict[str, Any]]:
        return [dict(run) for run in newest_by_window(live.api("/runs", model=model)["items"])]

    def passed() -> int:
        return sum(run["state"] == "passed" for run in live.api("/runs", limit="100")["items"])

    def are_done(count: int) -> bool:
        done = live.reason("Model", "rides").startswith("GatesPassed: 3 of 3 windows")
        return done and live.reason("Model", "chained").startswith("GatesPassed: 2 of 2 windows") and passed() == count

    live.up()
    live.push_files("Declare rides", {**rides, "models/chained.yaml": chained, "data/rides.csv": table})
    live.until(lambda: passed() >= 1, "the first window")
    live.kill_operator()
    live.up()
    live.until(lambda: are_done(5), "every window of both models")
    by_window = windows("rides")
    assert [run["summary"]["window"]["label"] for run in by_window] == LABELS
    assert sum(run["summary"]["window"]["rows"] for run in by_window) == 3 * TWO_DAYS

    # Each window of the other model was held against the version of the one before.
    first, second = windows("chained")
    assert (first["champion"], second["champion"]) == (None, first["artifact"])

    # The newest window alone is released, whatever number its version got.
    live.until(lambda: live.version("rides") == by_window[-1]["version"], "the release of the newest window")

    live.person.pull()
    assert f"window: {LABELS[-1]}" in (live.person.path / "releases/default/rides.yaml").read_text()

    # Rows that come late run the window that they fall into again, and no other; the release stays.
    header, *lines = table.splitlines(keepends=True)
    live.push_files("Late rides", {"data/late.csv": header + b"".join(lines[5:15])})
    live.until(lambda: are_done(6), "the touched window")
    again = windows("rides")
    assert [new["id"] == old["id"] for new, old in zip(again, by_window, strict=True)] == [False, True, True]
    assert again[0]["summary"]["why"] == f"window {LABELS[0]} has 10 late rows"
    assert live.version("rides") == by_window[-1]["version"]
    head, *rows = live.run_cli("runs", "--model", "rides", "--windows", "-o", "wide").stdout.splitlines()
    assert {"WINDOW", "ROWS", "rmse", "mae"} <= set(head.split())
    assert [LABELS[n] in row for n, row in enumerate(rows)] == [True, True, True]
