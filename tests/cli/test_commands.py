"""Every command against a real operator with a served model; each worker of the test run starts one."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from gnomon.cli.main import main
from gnomon.evaluation.report_schema import report_schema
from tests.acceptance.live import Live, manifests
from tests.acceptance.rows import rides_csv
from tests.git_remote import Clone, content_at, run_git

ROW = {"started_at": "2025-03-01T00:00:00Z", "city": "Ghent", "member": True, "temperature": 11.5, "distance": 3.0}


@dataclass(frozen=True)
class Told:
    """What a command came to."""

    code: int
    out: str
    err: str


Ask = Callable[..., Told]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    alive = Live(tmp_path_factory.mktemp("live"))
    extra = "  features: [started_at, city, member, temperature, distance]\n"
    try:
        alive.up()
        files = manifests(
            "rides",
            files="data/*.csv",
            task="regression",
            target="minutes",
            candidates="[{algorithm: ridge}]",
            extra=extra,
            data="  time: started_at\n",
        )
        alive.push_files("Declare rides", {**files, "data/march.csv": rides_csv(300), ".gitignore": "scratch/\n"})
        alive.until(lambda: alive.version("rides") == 1, "v1")
        alive.push_files("Add rides", {"data/april.csv": rides_csv(300, seed=2)})
        alive.until(lambda: alive.version("rides") == 2, "v2")
        yield alive
    finally:
        alive.close()


@pytest.fixture
def ask(live: Live, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    assert live.operator is not None
    monkeypatch.setenv("GNOMON_URL", f"http://{live.operator.listen}")
    monkeypatch.delenv("GNOMON_TOKEN", raising=False)

    def asked(*arguments: str) -> Told:
        capsys.readouterr()
        code = main(list(arguments))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Told(code, out, err)

    return asked


@pytest.fixture
def clone(live: Live, tmp_path: Path) -> Clone:
    return Clone(live.remote, tmp_path / "clone")


@pytest.mark.parametrize("kind", ["service", "Services", "SERVICES"])
def test_a_kind_may_be_singular_or_plural_in_any_case(ask: Ask, kind: str) -> None:
    told = ask("get", kind)
    assert told.code == 0
    assert told.out.splitlines()[0].split() == ["NAMESPACE", "NAME", "READY", "REASON", "MESSAGE"]
    assert told.out.splitlines()[1].split()[:4] == ["default", "rides", "True", "Serving"]


@pytest.mark.parametrize(
    "command",
    [
        ("get", "models"),
        ("get", "service/rides"),
        ("events",),
        ("runs",),
        ("history", "rides"),
        ("status",),
        ("describe", "model/rides"),
    ],
    ids=" ".join,
)
def test_whatever_is_told_is_told_to_programs_too(ask: Ask, command: tuple[str, ...]) -> None:
    as_json, as_yaml = ask(*command, "-o", "json"), ask(*command, "-o", "yaml")
    assert (as_json.code, as_yaml.code) == (0, 0)
    assert json.loads(as_json.out)
    assert type(yaml.safe_load(as_yaml.out)) is type(json.loads(as_json.out))
    table, wide = ask(*command), ask(*command, "-o", "wide")
    assert (table.code, wide.code) == (0, 0)
    assert len(wide.out) >= len(table.out) > 0


def test_one_resource_is_named_in_every_usual_way(ask: Ask) -> None:
    told = [ask("describe", *way).out for way in (("service/rides",), ("services", "rides"), ("service/default/rides",))]
    assert told[0].startswith("apiVersion: gnomon.dev/v1alpha1\nkind: Service\n")
    assert told[0] == told[1] == told[2]
    assert json.loads(ask("get", "service", "rides", "-o", "json").out)["status"]["version"] in {1, 2}


@pytest.mark.parametrize(
    ("arguments", "code", "cause", "mend"),
    [
        (["get", "modl"], 2, "'modl' is not a kind", 'did you mean "Model"?'),
        (["get", "model", "ride"], 1, "there is no Model ride", 'did you mean "rides"?'),
        (["get", "model", "zzz"], 1, "there is no Model zzz", "list them with `gnomon get models`"),
        (["describe", "service/ride"], 1, "there is no service/default/ride", 'did you mean "rides"?'),
        (["describe", "service/rides", "-n", "x"], 1, "there is no service/x/rides", "it is in namespace default"),
        (["describe", "rides"], 2, "'rides' does not name a resource", "write KIND/NAME"),
        (["history", "ride"], 1, "there is no service/default/ride", 'did you mean "rides"?'),
        (["history", "model/rides"], 2, "model/rides is no Service", "service/NAME"),
        (["events", "servce/rides"], 2, "'servce' is not a kind", 'did you mean "Service"?'),
        (["events", "-n", "x"], 2, "--namespace is for the events of one resource", "gnomon events KIND/NAME"),
        (["events", "-w", "-o", "yaml"], 2, "--watch has no end", "-o json"),
        (["runs", "nope"], 1, "there is no run nope", "gnomon runs"),
        (["runs", "../source"], 1, "there is no", ""),
        (["runs", "--model", "ride"], 1, "there is no model/default/ride", 'did you mean "rides"?'),
        (["runs", "--limit", "0"], 2, "greater than or equal to 1", "see gnomon runs --help"),
        (["logs", "nope"], 1, "there is no run nope", "gnomon runs"),
        (["wait", "service/rides", "--for", "condition=Redy"], 2, "there is no condition Redy", 'did you mean "Ready"?'),
        (["wait", "service/rides", "--for", "version=new"], 2, "new is no version", "version=2"),
        (["wait", "service/rides", "--for", "revision=HEAD"], 2, "HEAD is no commit", "at least 7 digits"),
        (["wait", "service/rides", "--timeout", "soon"], 2, "--timeout soon", "--timeout 5m"),
        (
            ["wait", "service/rides", "--for", "version=99", "--timeout", "1s"],
            3,
            "version=99 did not come within 1s",
            "gnomon describe",
        ),
        (["rollback", "rides", "--to", "nine"], 2, "--to nine is not a version", "--to 3"),
        (["rollback", "rides", "--to", "99"], 1, "no release of default/rides ever pinned v99", "v1, v2"),
        (["rollback", "ride"], 1, "there is no service/default/ride", 'did you mean "rides"?'),
        (["predict", "ride", "--data", "{}"], 1, "there is no service 'ride'", 'did you mean "rides"?'),
        (["predict", "rides"], 2, "give the rows once", "--data"),
        (["predict", "rides", "--version", "99", "--data", "{}"], 1, "version '99'", "gnomon history rides"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_told_with_cause_mend_and_exit_code(
    ask: Ask, arguments: list[str], code: int, cause: str, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Ada")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "ada@example.com")
    told = ask(*arguments)
    assert (told.code, told.out) == (code, "")
    assert cause in told.err
    assert mend in told.err


@pytest.mark.parametrize(
    ("url", "code", "cause"),
    [
        ("http://127.0.0.1:1", 1, "no operator answers at http://127.0.0.1:1"),
        ("127.0.0.1:8080", 2, "GNOMON_URL '127.0.0.1:8080' is not the address of a server"),
        ("http://[bad", 2, "is not the address of a server"),
        ("http://", 2, "is not the address of a server"),
        ("http://joe:sesame@127.0.0.1:1", 2, "GNOMON_URL '127.0.0.1:1' is not"),
        ("GATEWAY", 2, "is no operator (status 404)"),
    ],
)
def test_a_wrong_address_is_told_for_what_it_is(
    ask: Ask, live: Live, monkeypatch: pytest.MonkeyPatch, url: str, code: int, cause: str
) -> None:
    assert live.operator is not None
    monkeypatch.setenv("GNOMON_URL", f"http://{live.operator.serve}" if url == "GATEWAY" else url)
    for command in (["status"], ["wait", "service/rides", "--timeout", "0.1s"]):
        told = ask(*command)
        assert told.code == (3 if command[0] == "wait" and code == 1 else code)
        assert cause in told.err
        assert "sesame" not in told.err


def test_a_token_that_no_header_can_carry_is_not_told(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GNOMON_TOKEN", "open\nsesame")
    told = ask("status")
    assert told.code == 2
    assert "GNOMON_TOKEN holds characters" in told.err
    assert "sesame" not in told.err


def test_waiting_ends_when_it_has_come(ask: Ask) -> None:
    assert ask("wait", "Services/default/rides", "--for", "condition=ready=true", "--timeout", "60s").code == 0
    assert ask("wait", "model/rides", "--for", "condition=Stalled=False").code == 0


def test_a_run_is_told_with_its_steps_and_their_logs(ask: Ask) -> None:
    run = json.loads(ask("runs", "--model", "models/rides", "-o", "json").out)[0]["id"]
    told = ask("runs", run)
    assert told.code == 0
    assert told.out.startswith(f"{run}  model/rides  passed: ")
    steps = [step["name"] for step in json.loads(ask("runs", run, "-o", "json").out)["steps"]]
    assert all(f"==> {step}" in ask("logs", run).out for step in steps)
    assert ask("logs", run, steps[0]).code == 0
    assert "did you mean" in ask("logs", run, steps[0][:-1]).err


def test_rows_are_predicted_alike_from_json_and_csv(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "rows.JSON").write_text(json.dumps([ROW, {**ROW, "temperature": None, "city": None}]))
    header = "started_at,note,city,member,temperature,distance\n"
    (tmp_path / "rows.CSV").write_text(
        f"\ufeff{header}{ROW['started_at']},x,Ghent,TRUE,11.5,3\n{ROW['started_at']},y,,true,NA,3\n"
    )
    told = [ask("predict", "service/rides", "--file", str(tmp_path / name)) for name in ("rows.JSON", "rows.CSV")]
    assert told[0].code == 0, told[0].err
    assert told[0].out == told[1].out
    assert told[0].out.splitlines()[0] == "PREDICTION"
    assert len(told[0].out.splitlines()) == 3
    answer = json.loads(ask("predict", "rides", "--data", json.dumps(ROW), "-o", "json").out)
    assert answer["model_name"] == "rides"


@pytest.mark.parametrize(
    ("data", "code", "cause", "mend"),
    [
        (json.dumps({**ROW, "distnce": 1}), 1, "the model reads no column 'distnce'", 'did you mean "distance"?'),
        (json.dumps({"city": "Ghent"}), 1, "are missing", "/v2/models/rides"),
        (json.dumps({**ROW, "distance": "far"}), 1, "column 'distance'", "/v2/models/rides"),
        (json.dumps({**ROW, "started_at": "yesterday"}), 1, "column 'started_at'", ""),
        (json.dumps({**ROW, "city": {"a": [1]}}), 1, "city", ""),
        ('{"distance": NaN}', 2, "NaN is no value in JSON", "null"),
        (json.dumps(ROW).replace("3.0", "1e999"), 1, "not a finite number", "null"),
        ("{", 2, "the rows are not JSON", ""),
        ("[]", 2, "the rows are not objects", ""),
        ("[1]", 2, "the rows are not objects", ""),
        ("[" * 100_000, 2, "the rows are not JSON", ""),
    ],
)
def test_rows_that_cannot_be_predicted_are_told(ask: Ask, data: str, code: int, cause: str, mend: str) -> None:
    told = ask("predict", "rides", "--data", data)
    assert (told.code, told.out) == (code, "")
    assert cause in told.err
    assert mend in told.err


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "holds no rows"),
        ("city,city\na,b\n", "names a column twice"),
        ("city,distance\nGhent\n", "rows.csv:2: 1 fields under a header of 2"),
        ("distance\nfar\n", "column 'distance', row 1: 'far' is not a number"),
        ("member\nmaybe\n", "column 'member', row 1: 'maybe' is not a boolean"),
        ("distance\n3\n", "are missing"),
        ("distance\ninf\n", "not a finite number"),
        ('city\n"Ghent\n', "rows.csv:2: "),
        (b"city\nLi\xe8ge\n", "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_predicted_is_told(ask: Ask, tmp_path: Path, text: str | bytes, cause: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    told = ask("predict", "rides", "--file", str(file))
    assert told.code in {1, 2}
    assert cause in told.err


def test_a_server_that_is_no_gateway_is_told(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GNOMON_SERVE_URL", os.environ["GNOMON_URL"])
    assert "is no gateway (status 404)" in ask("predict", "rides", "--data", "{}").err
    assert "no gateway answers" in ask("predict", "rides", "--data", "{}", "--url", "http://127.0.0.1:1").err


def test_a_clean_tree_has_nothing_to_do(ask: Ask, clone: Clone) -> None:
    assert ask("plan", str(clone.path)) == Told(0, "nothing to do\n", "")
    assert ask("plan", str(clone.path / "data")) == Told(0, "nothing to do\n", "")


def test_a_clean_tree_behind_the_operators_own_commits_has_nothing_to_do(ask: Ask, clone: Clone) -> None:
    clone.git("reset", "-q", "--hard", clone.git("log", "-1", "--format=%H", "--author=Ada", "--skip=1"))
    told = ask("plan", str(clone.path))
    assert "the branch has moved on to" in told.err
    assert "prune" not in told.out
    clone.write("models/more.yaml", (clone.path / "models/rides.yaml").read_text().replace("name: rides", "name: more"))
    clone.git("add", "--all")
    clone.commit("Not pushed")
    assert "  create model/default/more\n" in ask("plan", str(clone.path)).out


def test_what_a_commit_would_bring_is_told_and_nothing_happens(ask: Ask, live: Live, clone: Clone) -> None:
    clone.write("data/may.csv", rides_csv(50, seed=3))
    clone.write("scratch/services/x.yaml", "apiVersion: gnomon.dev/v1alpha1\nkind: Nonsense\n")
    clone.write("odd\nname.txt", "x")
    (clone.path / os.fsdecode(b"odd\xff.txt")).write_text("x")
    clone.remove("services/rides.yaml")
    clone.remove("releases/default/rides.yaml")
    before = live.api("/events")["items"], live.api("/runs")["items"]
    told = ask("plan", str(clone.path))
    assert told.code == 0, told.err
    assert "  snapshot dataset/default/rides\n" in told.out
    assert "  prune service/default/rides\n" in told.out
    planned = json.loads(ask("plan", str(clone.path), "-o", "json").out)
    assert {"Prune", "TakeSnapshot"} <= {action["action"] for action in planned["actions"]}
    assert (live.api("/events")["items"], live.api("/runs")["items"]) == before


def test_a_mistake_fails_the_plan_and_is_told_with_its_place(ask: Ask, clone: Clone) -> None:
    file = clone.write("models/rides.yaml", (clone.path / "models/rides.yaml").read_text().replace("target:", "taget:"))
    told = ask("plan", str(clone.path))
    assert told.code == 1
    assert f"error: models/{file.name}:" in told.err
    assert "nothing to do" not in told.out


def test_without_an_operator_the_plan_is_against_the_last_commit(
    ask: Ask, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GNOMON_URL", "http://127.0.0.1:1")
    told = ask("plan", str(clone.path))
    assert (told.code, told.out) == (0, "nothing to do\n")
    assert "comparing with the last commit only" in told.err
    clone.write("data/may.csv", "x")
    clone.remove("data/april.csv")
    clone.write("models/rides.yaml", (clone.path / "models/rides.yaml").read_text() + "  seed: x\n")
    told = ask("plan", str(clone.path))
    assert told.code == 1
    assert told.out.splitlines() == ["  changed file data/may.csv", "  removed file data/april.csv"]


def test_a_folder_without_git_cannot_be_planned(ask: Ask, tmp_path: Path) -> None:
    assert "cannot be read as a Git repository" in ask("plan", str(tmp_path)).err
    assert ask("plan", str(tmp_path / "absent")).code == 2


def test_a_new_repository_without_a_commit_can_be_planned(ask: Ask, tmp_path: Path) -> None:
    run_git("init", "-q", tmp_path, cwd=tmp_path)
    told = ask("plan", str(tmp_path))
    assert told.code == 0
    assert "every resource left the repository" in told.out


def test_a_rollback_is_the_persons_commit_and_moves_the_traffic(
    ask: Ask, live: Live, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    assert "Git does not know who you are" in ask("rollback", "rides").err
    config = tmp_path / "gitconfig"
    config.write_text("[user]\nname = Grace\nemail = grace@example.com\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    told = ask("rollback", "rides")
    assert told.code == 0, told.err
    assert told.out.startswith("committed ")
    assert "v1 serves" in told.out
    assert live.version("rides") == 1
    assert run_git("log", "-1", "--format=%an <%ae>", cwd=live.remote) == "Grace <grace@example.com>"
    assert "version: 1" in content_at(live.remote, "releases/default/rides.yaml")
    assert "is what default/rides has now" in ask("rollback", "rides", "--to", "v1").err
    rows = json.loads(ask("history", "rides", "-o", "json").out)
    assert [row["version"] for row in rows] == [1, 2, 1]


def test_what_others_wrote_commands_no_terminal(ask: Ask, clone: Clone) -> None:
    """A file name reaches the table of events, the plan and the error with everything that it holds."""
    evil = "models/\x1b]0;evil\x07\u202e.yaml"
    clone.write(evil, 'apiVersion: gnomon.dev/v1alpha1\nkind: Model\nmetadata: {name: "\\e[31m"}\n')
    told = ask("plan", str(clone.path))
    assert told.code == 1
    assert not {"\x1b", "\x07", "\u202e"} & set(told.out + told.err)
    as_json = ask("plan", str(clone.path), "-o", "json")
    assert not {"\x1b", "\x07", "\u202e"} & set(as_json.out)
    assert "\u202e" in "".join(json.loads(as_json.out)["problems"])
    as_yaml = ask("plan", str(clone.path), "-o", "yaml")
    assert not {"\x1b", "\x07", "\u202e"} & set(as_yaml.out)
    assert yaml.safe_load(as_yaml.out) == json.loads(as_json.out)
    shutil.rmtree(clone.path)


def test_asking_the_remote_now_is_accepted(ask: Ask) -> None:
    assert ask("reconcile").code == 0
    assert ask("reconcile", "dataset/rides").out == "asked\n"
    missing = ask("reconcile", "dataset/ridse")
    assert missing.code != 0
    assert "there is no dataset/default/ridse" in missing.err
    assert ask("reconcile", "model/rides").code != 0


def test_the_quality_of_a_dataset_is_told_and_written_as_a_page(ask: Ask, tmp_path: Path) -> None:
    told = ask("quality", "dataset/rides")
    assert told.code == 0
    assert told.out.startswith("default/rides: ")
    assert json.loads(ask("quality", "rides", "-o", "json").out)["columns"]
    page = tmp_path / "quality.html"
    assert ask("quality", "rides", "--html", str(page)).code == 0
    assert page.read_text().startswith("<!doctype html>")
    unknown = ask("quality", "ride")
    assert unknown.code == 1
    assert "rides" in unknown.err


def test_the_report_of_a_version_and_of_a_run_is_told_and_written_as_a_page(ask: Ask, tmp_path: Path) -> None:
    told = ask("report", "rides:1")
    assert told.code == 0
    assert "test rows" in told.out
    assert "rmse better than baseline" in told.out
    document = json.loads(ask("report", "model/rides", "-o", "json").out)
    assert json.loads(ask("report", document["run"]["id"], "-o", "json").out) == document
    assert not list(Draft202012Validator(report_schema()).iter_errors(document))
    assert ask("report", "rides:v1", "--html", str(tmp_path / "report.html")).code == 0
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    for asked, cause in (("rides:9", "rides has no version 9"), ("ridez", "there is no Model and no run ridez")):
        refused = ask("report", asked)
        assert refused.code == 1
        assert cause in refused.err
