"""Histories that are carried on from tip to tip equal those that are read anew."""

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from gnomon.resources.identity import Revision
from gnomon.stores.repositories.git import GitRepository
from tests.git_remote import Clone, make_remote

PATHS = ["releases/a.yaml", "releases/b.yaml", "top.yaml"]


def open_repository(folder: Path, mirror: str) -> GitRepository:
    return GitRepository(str(folder / "remote.git"), "main", folder / mirror, timedelta(seconds=20))


def change_something(people: list[Clone], seed: int) -> None:
    """Let somebody do what people do: change, remove, revert, merge in either direction, or rewrite."""
    chance = random.Random(seed)
    ada, bob = people
    path = chance.choice(PATHS)
    match seed % 6:
        case 0 | 1:
            ada.commit_file(path, f"{seed}")
            ada.commit_file("other.txt", f"{seed}")
        case 2:
            place = ada.path / path
            if place.exists():
                place.unlink()
            ada.commit("Remove", allow_empty=True)
            ada.push()
        case 3:  # merged the right way round
            ada.switch(f"side-{seed}", create=True)
            ada.commit_file(path, f"side {seed}", push=False)
            ada.switch("main")
            ada.commit_file("other.txt", f"{seed}", push=False)
            ada.merge(f"side-{seed}")
            ada.push()
        case 4:  # merged the wrong way round: what was on the line is behind a merge now
            bob.git("fetch", "-q")
            bob.git("reset", "-q", "--hard", "origin/main~1")
            bob.commit_file(f"bob-{seed}.txt", f"{seed}", push=False)
            bob.merge("origin/main")
            bob.push()
            ada.pull()
        case _:
            ada.git("commit", "-q", "--amend", "--allow-empty", "-m", f"Rewritten {seed}")
            ada.push(force=True)


def test_a_carried_on_history_equals_one_that_is_read_anew(tmp_path: Path) -> None:
    remote = make_remote(tmp_path)
    people = [Clone(remote, tmp_path / "ada"), Clone(remote, tmp_path / "bob", "Bob")]
    people[0].commit_file(PATHS[0], "first")
    lasting = open_repository(tmp_path, "lasting.git")
    for seed in range(12):
        change_something(people, seed)
        if seed % 5 == 3:
            continue  # several commits between two looks
        head = lasting.fetch()
        fresh = open_repository(tmp_path, f"fresh-{seed}.git")
        fresh.fetch()
        assert lasting.file_histories(head, PATHS) == fresh.file_histories(head, PATHS), f"after step {seed}"


def test_a_new_commit_costs_a_look_at_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = Clone(make_remote(tmp_path), tmp_path / "ada")
    for number in range(3):
        ada.commit_file(PATHS[0], str(number))
    repository = open_repository(tmp_path, "mirror.git")
    assert len(repository.file_history(repository.fetch(), PATHS[0])) == 3
    head = Revision(ada.commit_file(PATHS[0], "last"))
    repository.fetch()
    asked: list[str] = []
    git = repository._mirror.git

    def listen(doing: str, arguments: list[str], **options: object) -> object:
        asked.append(arguments[0])
        call: Callable[..., object] = git
        return call(doing, arguments, **options)

    monkeypatch.setattr(repository._mirror, "git", listen)
    assert [v.content for v in repository.file_history(head, PATHS[0])] == [b"last", b"2", b"1", b"0"]
    assert asked == ["log", "cat-file"]
    repository.file_history(head, PATHS[0])
    assert asked == ["log", "cat-file"]


def test_an_older_revision_can_be_asked_for_in_between(tmp_path: Path) -> None:
    ada = Clone(make_remote(tmp_path), tmp_path / "ada")
    repository = open_repository(tmp_path, "mirror.git")
    tips = []
    for number in range(3):
        ada.commit_file(PATHS[0], str(number))
        tips.append(repository.fetch())
    lengths = [len(repository.file_history(tips[at], PATHS[0])) for at in (2, 0, 1, 2, 0)]
    assert lengths == [3, 1, 2, 3, 1]
