"""Release write-back against real remotes: races, refusals, lost answers, sudden death."""

import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Literal

import pytest

from gnomon.errors import UsageError
from gnomon.operator.writeback import ReleaseRequest
from gnomon.resources.identity import Revision
from gnomon.resources.parse import parse_release
from gnomon.resources.release import release_path
from gnomon.stores.repositories.interface import FileChange, Identity
from tests.git_remote import Clone, HttpRemote, content_at, install_hook, make_remote, run_git, subjects, tip
from tests.operator.release_story import OPERATOR, PATH, SERVICE, TIMEOUT, Story, digest, request

SERVICES = [f"service-{number}" for number in range(8)]


def releases(remote: Path) -> list[str]:
    return [subject for subject in subjects(remote) if subject.startswith("release(")]


def test_a_release_is_one_commit_to_one_file_that_says_why(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.ada.commit_file("services/bikes.yaml", "kind: Service\n")
    story.release("A")
    outcome = story.offer("B")

    assert outcome.state == "landed"
    assert outcome.revision == tip(story.remote)
    assert run_git("show", "--name-only", "--format=", "main", cwd=story.remote) == PATH
    info = story.repository.commit_info(Revision(story.repository.fetch()))
    assert info.author == OPERATOR
    assert info.subject == "release(bikes): demand v2"
    assert info.body == request("B").body
    assert dict(info.trailers) == {
        "Gnomon-Service": "default/bikes",
        "Gnomon-Version": "v2",
        "Gnomon-Digest": digest("B"),
        "Gnomon-Run": "run-B",
        "Gnomon-Reason": "code changed",
    }
    spec = parse_release(content_at(story.remote, PATH).encode()).spec
    assert spec == outcome.release
    assert (spec.sequence, spec.version, spec.digest, spec.previous, spec.rejected) == (2, 2, digest("B"), digest("A"), ())
    assert spec.evidence == {"gates": {"rmse": 41.5}, "run": "run-B"}


def test_what_is_pinned_already_is_not_written_again(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.release("A")
    before = tip(story.remote)
    outcome = story.offer("A")
    assert (outcome.state, outcome.revision) == ("present", before)
    assert tip(story.remote) == before


def test_eight_services_land_together_beside_a_pushing_human(tmp_path: Path) -> None:
    story = Story(tmp_path)
    is_over = threading.Event()
    landed: list[str] = []

    def work() -> None:
        number = 0
        while not is_over.is_set():
            story.ada.commit_file(f"people/{number}.txt", f"by hand {number}", push=False)
            try:
                story.ada.push()
            except AssertionError:
                story.ada.pull()  # beaten to it; what was committed goes with the next push
            landed.append(f"people/{number}.txt")
            number += 1
            is_over.wait(0.3)

    human = threading.Thread(target=work)
    human.start()
    try:
        for letter in "AB":
            requests = [request(letter, service) for service in SERVICES]
            deadline = time.monotonic() + 60
            # On a machine that is slower than this person's pace, one call may lose all of its ten attempts.
            while (outcomes := story.writer.write(requests, TIMEOUT))[0].state == "deferred":
                assert time.monotonic() < deadline, outcomes[0].message
            assert [outcome.state for outcome in outcomes] == ["landed"] * len(SERVICES)
            assert [outcome.request for outcome in outcomes] == requests
            is_over.wait(0.2)
    finally:
        is_over.set()
        human.join()
    story.ada.pull()
    story.ada.push()
    assert sorted(releases(story.remote)) == sorted(f"release({s}): demand v{n}" for s in SERVICES for n in (1, 2))
    for number, path in enumerate(landed):
        assert content_at(story.remote, path) == f"by hand {number}"


def test_stacked_releases_can_be_reverted_one_by_one(tmp_path: Path) -> None:
    story = Story(tmp_path)
    for letter in "AB":
        outcomes = story.writer.write([request(letter, service) for service in (SERVICE, "trams")], TIMEOUT)
    assert outcomes[0].revision is not None
    story.revert(outcomes[0].revision)
    assert (story.pinned, story.withdrawn) == ("A", "B")
    assert story.offer("B", "trams").state == "present"


def test_a_race_is_run_again_until_it_is_won(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.repository.before_push = [partial(story.ada.commit_file, f"{n}.txt", "x") for n in range(4)]
    assert story.offer("A").state == "landed"
    assert subjects(story.remote) == ["release(bikes): demand v1", *(f"Change {n}.txt" for n in (3, 2, 1, 0)), "Begin"]


def test_a_race_that_is_always_lost_is_deferred(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.repository.before_push = [partial(story.ada.commit_file, f"{n}.txt", "x") for n in range(50)]
    outcome = story.writer.write([request("A")], timedelta(milliseconds=1))[0]
    assert outcome.state == "deferred"
    assert "stale info" in outcome.message
    assert releases(story.remote) == []


def test_a_revert_that_arrives_during_the_race_wins(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.release("A")
    other = Story(tmp_path / "second", story.remote, operator=Identity("second", "second@example.com"))

    def release_and_take_back() -> None:
        other.release("B")
        other.revert()

    story.repository.before_push = [release_and_take_back]
    assert story.offer("B").state == "withdrawn"
    assert (story.pinned, story.withdrawn) == ("A", "B")


def test_two_operators_by_mistake_pin_a_version_once(tmp_path: Path) -> None:
    story = Story(tmp_path)
    other = Story(tmp_path / "second", story.remote, operator=Identity("second", "second@example.com"))
    story.repository.before_push = [lambda: other.release("A")]
    assert story.offer("A").state == "present"
    assert releases(story.remote) == ["release(bikes): demand v1"]


def test_a_refusal_blocks_with_the_servers_words(tmp_path: Path) -> None:
    story = Story(tmp_path)
    install_hook(story.remote, "update", "echo 'main is frozen until Monday' >&2; exit 1")
    before = tip(story.remote)
    outcome = story.offer("A")
    assert outcome.state == "blocked"
    assert "main is frozen until Monday" in outcome.message
    assert tip(story.remote) == before
    assert story.records.release_mark(request("A").key) is None


def test_a_refusal_of_one_release_does_not_hold_the_others_back(tmp_path: Path) -> None:
    story = Story(tmp_path)
    rule = 'git diff --name-only $2 $3 | grep -q trams || exit 0; echo "trams are frozen" >&2; exit 1'
    install_hook(story.remote, "update", rule)
    outcomes = story.writer.write([request("A", service) for service in ("bikes", "trams", "ferries")], TIMEOUT)
    assert [outcome.state for outcome in outcomes] == ["landed", "blocked", "landed"]
    assert "trams are frozen" in outcomes[1].message
    assert sorted(releases(story.remote)) == ["release(bikes): demand v1", "release(ferries): demand v1"]


@pytest.mark.parametrize("cut", ["silent", "midway"])
def test_a_push_whose_answer_was_lost_is_not_repeated(tmp_path: Path, cut: Literal["silent", "midway"]) -> None:
    remote = make_remote(tmp_path)
    with HttpRemote(tmp_path, "gnomon", "pw") as site:
        story = Story(tmp_path / "story", remote, url=site.url())
        site.cut_next_push = cut
        outcomes = story.writer.write([request("A", service) for service in ("bikes", "trams")], TIMEOUT)
        assert [outcome.state for outcome in outcomes] == ["landed", "landed"]
        assert outcomes[1].revision == tip(story.remote)
        assert releases(story.remote) == ["release(trams): demand v1", "release(bikes): demand v1"]
        mark = story.records.release_mark(request("A").key)
        assert mark is not None
        assert mark.sequence == 1


def test_an_unreachable_remote_defers_and_later_it_lands(tmp_path: Path) -> None:
    story = Story(tmp_path)
    away = story.remote.rename(tmp_path / "away.git")
    outcome = story.offer("A")
    assert outcome.state == "deferred"
    assert "remote.git" in outcome.message
    away.rename(story.remote)
    assert story.offer("A").state == "landed"


def test_a_branch_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.repository.before_push = [lambda: run_git("update-ref", "-d", "refs/heads/main", cwd=story.remote)]
    assert story.offer("A").state == "deferred"
    assert run_git("for-each-ref", cwd=story.remote) == ""


DYING_WRITER = """
import os, signal, sys
from pathlib import Path
from tests.operator.release_story import Story
from gnomon.stores.records.interface import ReleaseMark
from gnomon.stores.records.memory import MemoryRecords

class DyingRecords(MemoryRecords):
    def put_release_mark(self, mark: ReleaseMark) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

folder = Path(sys.argv[1])
Story(folder / "first", folder / "remote.git", records=DyingRecords()).offer("A")
"""


def test_a_death_between_push_and_record_loses_and_doubles_nothing(tmp_path: Path) -> None:
    story = Story(tmp_path)
    root = Path(__file__).parents[2]
    died = subprocess.run([sys.executable, "-c", DYING_WRITER, str(tmp_path)], cwd=root, check=False, capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    assert releases(story.remote) == ["release(bikes): demand v1"]
    assert story.offer("A").state == "present"
    mark = story.records.release_mark(request("A").key)
    assert mark is not None
    assert mark.sequence == 1
    assert releases(story.remote) == ["release(bikes): demand v1"]


def test_a_person_who_works_on_the_same_file_keeps_what_was_written(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.release("A")
    story.repository.before_push = [lambda: story.edit("evidence:", "# approved by Ada\n  evidence:")]
    assert story.offer("B").state == "landed"
    assert "By hand" in subjects(story.remote)
    assert story.pinned == "B"


def test_a_link_in_the_place_of_the_file_is_not_written_through(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.ada.write("precious.yaml", "mine")
    (story.ada.path / "releases/default").mkdir(parents=True)
    (story.ada.path / PATH).symlink_to("../../precious.yaml")
    story.ada.commit("A link")
    story.ada.push()
    assert story.offer("A").state == "blocked"
    assert content_at(story.remote, "precious.yaml") == "mine"


def test_evidence_of_any_kind_can_be_written(tmp_path: Path) -> None:
    story = Story(tmp_path)
    evidence = {
        "b": (1, 2.5, float("nan")),
        "a": {"on": "no", "x\x00": "1e3", "π": None},
        "path": Path("x"),
        "012": "2026-11-22",
    }
    asked = ReleaseRequest("default", SERVICE, "demand", 1, digest("A"), evidence, reason="two\nlines", body="x\x00y")
    outcome = story.writer.write([asked], TIMEOUT)[0]
    assert outcome.state == "landed"
    spec = parse_release(content_at(story.remote, PATH).encode()).spec
    expected = {"012": "2026-11-22", "a": {"on": "no", "x�": "1e3", "π": None}, "b": [1, 2.5, "nan"], "path": "x"}
    assert spec.evidence == expected
    assert list(spec.evidence) == ["012", "a", "b", "path"]
    assert story.repository.commit_info(story.repository.fetch()).trailers["Gnomon-Reason"] == "two lines"


def test_two_releases_of_one_service_at_once_are_refused(tmp_path: Path) -> None:
    story = Story(tmp_path)
    with pytest.raises(UsageError, match="at once"):
        story.writer.write([request("A"), request("B")], TIMEOUT)
    assert list(story.writer.write([], TIMEOUT)) == []


def test_nothing_but_release_files_is_ever_touched(tmp_path: Path) -> None:
    story = Story(tmp_path)
    bob = Clone(story.remote, tmp_path / "bob", "Bob")
    bob.write("gnomon.yaml", "kind: Project\n")
    bob.commit_file("model/train.py", "pass\n")
    story.writer.write([request("A", service) for service in SERVICES], TIMEOUT)
    head = story.repository.fetch()
    changed = run_git("diff", "--name-only", bob.head(), head, cwd=story.remote).splitlines()
    assert changed == sorted(release_path("default", service) for service in SERVICES)
    empty = story.repository.commit(head, [FileChange(PATH, None)], "x", OPERATOR)
    assert "gnomon.yaml" in [entry.path for entry in story.repository.tree(empty)]
