import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gnomon.operator.source import SourceFollower
from gnomon.resources.canonical import declaration_json
from gnomon.resources.status import Status
from gnomon.stores.records.interface import Records, ReleaseMark, ResourceRecord
from gnomon.stores.records.memory import MemoryRecords
from gnomon.stores.repositories.git import GitRepository
from tests.git_remote import Clone, make_remote
from tests.operator.states import DATASET, DATASET_YAML, MANIFESTS, SERVICE, SERVICE_YAML, digest, release_yaml

NOW = datetime(2026, 4, 1, tzinfo=UTC)


class Place:
    """A remote with the three manifests, a person, and a mirror."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.remote = make_remote(folder)
        self.person = Clone(self.remote, folder / "clone")
        self.mirror = folder / "mirror.git"
        for path, text in MANIFESTS.items():
            self.person.write(path, text)
        self.person.write("data/a.csv", "x\n1\n")
        self.person.commit("Declare")
        self.person.push()

    def follower(self, records: Records | None = None) -> SourceFollower:
        """A follower of a new process."""
        repository = GitRepository(str(self.remote), "main", self.mirror, timedelta(seconds=20))
        return SourceFollower(repository, records or MemoryRecords(), lambda: NOW)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_while_nothing_moves_the_desired_state_is_the_same_object(place: Place) -> None:
    follower = place.follower()
    assert follower.desired() is None
    follower.poll()
    first = follower.desired()
    follower.poll()
    assert first is not None
    assert follower.desired() is first
    assert set(first.compiled.declared) == {DATASET, SERVICE} | {key for key in first.compiled.declared if key.kind == "Model"}


def test_a_vanished_remote_changes_nothing_and_is_told_until_it_comes_back(place: Place) -> None:
    follower = place.follower()
    follower.poll()
    before = follower.desired()
    away = place.remote.rename(place.folder / "away.git")
    follower.poll()
    assert follower.desired() is before
    assert "remote.git" in follower.state.error
    away.rename(place.remote)
    place.person.commit_file("data/b.csv", "x\n2\n")
    follower.poll()
    assert follower.state.error == ""
    after = follower.desired()
    assert before is not None
    assert after is not None
    assert after.sources[DATASET].fingerprint != before.sources[DATASET].fingerprint


def test_an_operator_that_starts_without_the_remote_takes_up_the_last_good_state(place: Place) -> None:
    place.follower().poll()
    place.remote.rename(place.folder / "away.git")
    follower = place.follower()
    follower.recover()
    follower.poll()
    desired = follower.desired()
    assert desired is not None
    assert SERVICE in desired.compiled.declared
    assert follower.state.error


def test_a_damaged_mirror_does_not_keep_the_operator_down_and_is_made_anew(place: Place) -> None:
    place.follower().poll()
    shutil.rmtree(place.mirror / "objects")
    (place.mirror / "objects").mkdir()
    follower = place.follower()
    follower.recover()
    assert follower.desired() is None
    assert follower.state.error
    follower.poll()
    assert follower.desired() is not None
    assert follower.state.error == ""


def test_a_branch_that_was_moved_by_force_is_told_also_after_a_restart(place: Place) -> None:
    place.follower().poll()
    place.person.git("commit", "-q", "--amend", "-m", "Rewritten")
    place.person.push(force=True)
    follower = place.follower()
    follower.recover()
    assert follower.state.rewritten == ""
    follower.poll()
    assert "does not contain it" in follower.state.rewritten
    place.person.commit_file("README.md", "more\n")
    follower.poll()
    assert follower.state.rewritten == ""


def test_a_broken_file_holds_its_resource_also_after_a_restart(place: Place) -> None:
    records = MemoryRecords()
    follower = place.follower(records)
    follower.poll()
    desired = follower.desired()
    assert desired is not None
    for key, declared in desired.compiled.declared.items():
        document = declaration_json(declared.resource)
        records.put_resource(
            ResourceRecord(
                key, document, declared.spec_digest, 1, declared.path, declared.line, declared.blob, desired.revision, Status()
            )
        )
    place.person.commit_file("service.yaml", SERVICE_YAML + "\t- broken\n")
    for each in (follower, place.follower(records)):
        each.recover()
        each.poll()
        held = each.desired()
        assert held is not None
        assert held.compiled.held == {SERVICE}
        assert held.compiled.declared[SERVICE].spec_digest == desired.compiled.declared[SERVICE].spec_digest


def test_files_outside_the_repository_are_looked_at_without_a_commit(place: Place) -> None:
    data = place.folder / "outside.csv"
    data.write_text("x\n1\n")
    place.person.commit_file("dataset.yaml", DATASET_YAML.replace("data/*.csv", str(data)))
    follower = place.follower()
    follower.poll()
    first = follower.desired()
    data.write_text("x\n1\n2\n")
    second = follower.desired()
    data.unlink()
    third = follower.desired()
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.revision == second.revision == third.revision
    assert first.sources[DATASET].fingerprint != second.sources[DATASET].fingerprint
    assert str(data) in third.sources[DATASET].error


def test_a_mark_outlives_the_history_that_a_force_push_took_away(place: Place) -> None:
    records = MemoryRecords()
    place.person.commit_file("releases/default/delay.yaml", release_yaml(1, "1"))
    follower = place.follower(records)
    follower.poll()
    before = follower.desired()
    assert before is not None
    assert before.locks[SERVICE].withdrawn == frozenset()
    records.put_release_mark(ReleaseMark(SERVICE, 2, (digest("1"), digest("2"))))
    after = follower.desired()
    assert after is not None
    assert after.locks[SERVICE].withdrawn == {digest("2")}
    assert after.locks[SERVICE].top_sequence == 2


def test_only_a_trailer_of_the_newest_commit_lets_resources_go(place: Place) -> None:
    follower = place.follower()
    place.person.write("README.md", "less\n")
    place.person.commit("Tidy up\n\nGnomon-Allow-Prune: 3")
    place.person.push()
    follower.poll()
    allowed = follower.desired()
    place.person.commit_file("README.md", "more\n")
    follower.poll()
    afterwards = follower.desired()
    assert allowed is not None
    assert afterwards is not None
    assert (allowed.allowed_prunes, afterwards.allowed_prunes) == (3, None)
