"""Whatever breaks is told clearly, and the last good state goes on serving."""

from typing import Any

from tests.acceptance.live import Live, manifests
from tests.acceptance.rows import rides_csv

FILES = manifests(
    "rides",
    files="data/rides.csv",
    task="classification",
    target="late",
    candidates="[{algorithm: logistic}]",
    extra="  features: [started_at, city, member, temperature, distance]\n",
)
ROW: dict[str, list[Any]] = {
    "started_at": ["2025-03-02T08:00:00Z"],
    "city": ["Ghent"],
    "member": [True],
    "temperature": [11.5],
    "distance": [4.2],
}
HEADER = "started_at,city,member,temperature,distance,minutes,late\n"


def test_every_broken_input_is_told_and_the_last_good_state_serves(live: Live) -> None:
    data = rides_csv(500)
    live.up()
    good = live.push_files("Declare rides", {**FILES, "data/rides.csv": data})
    live.until(lambda: live.version("rides") == 1, "v1")

    def broken(what: str, files: dict[str, str | bytes | None], kind: str, *told: str) -> None:
        """Push something broken, see it told and v1 serving, and put it right again."""
        live.push_files(f"Break: {what}", files)
        names = ("rides",) if kind != "Source" else ()

        def is_told() -> bool:
            text = live.reason(kind, names[0]) if names else " ".join(p["text"] for p in live.api("/source")["problems"])
            return all(part in text for part in told)

        live.until(is_told, f"{what}: {told}", 40)
        answer = live.infer("rides", ROW)
        assert answer.status_code == 200, what
        assert answer.json()["model_version"] == "1", what
        live.person.git("revert", "--no-edit", "HEAD")
        live.settle_push()
        live.until(
            lambda: live.version("rides") == 1 and live.reason("Model", "rides").startswith("GatesPassed"), f"mended {what}"
        )

    service, model, dataset = FILES["services/rides.yaml"], FILES["models/rides.yaml"], FILES["datasets/rides.yaml"]
    broken(
        "YAML syntax",
        {"services/rides.yaml": service + "  limits: {body: [\n"},
        "Service",
        "InvalidManifest",
        "services/rides.yaml:",
    )
    broken(
        "unknown key",
        {"services/rides.yaml": service + "  limts: {body: 1MiB}\n"},
        "Service",
        "services/rides.yaml:6:3",
        "limits",
    )
    broken("unknown kind", {"other.yaml": service.replace("Service", "Servise")}, "Source", "other.yaml:2", "Service")
    broken("missing file", {"data/rides.csv": None}, "Dataset", "SourceUnavailable", "data/rides.csv")
    broken("absent target", {"models/rides.yaml": model.replace("target: late", "target: latte")}, "Model", "latte")
    nothing = "\n".join(",".join([*line.split(",")[:3], "", *line.split(",")[4:]]) for line in data.decode().splitlines()[1:])
    broken("all-null column", {"data/rides.csv": HEADER + nothing + "\n"}, "Model", "temperature")
    broken("one row", {"data/rides.csv": "\n".join(data.decode().splitlines()[:2]) + "\n"}, "Model", "row")
    check = "  checks: [{name: enough-rows, expr: 'count(*) > 1000'}]\n"
    broken("failing check", {"datasets/rides.yaml": dataset + check}, "Dataset", "DataRefused", "enough-rows")
    gate = "  gates: [{metric: logLoss, max: 0.000001}]\n"
    broken("refusing gate", {"models/rides.yaml": model + gate}, "Model", "GatesRefused", "logLoss")

    # The remote vanishes and comes back; the service does not notice.
    away = live.remote.with_name("away.git")
    live.remote.rename(away)
    live.until(lambda: bool(live.api("/source")["error"]), "the vanished remote")
    assert live.infer("rides", ROW).status_code == 200
    away.rename(live.remote)
    live.until(lambda: not live.api("/source")["error"], "the remote again")
    assert live.version("rides") == 1
    assert good in live.person.git("log", "--format=%H")
