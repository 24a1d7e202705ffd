"""A person's rollback: what it restores, and that it never goes further than was asked for."""

from functools import partial
from pathlib import Path

import pytest

from gnomon.errors import NotFoundError, PushRefusedError, UsageError
from gnomon.operator.commits import commit_and_push
from gnomon.operator.rollback import rolling_back
from gnomon.resources.identity import Revision
from gnomon.stores.repositories.interface import Identity
from tests.git_remote import content_at, install_hook, run_git, subjects, tip
from tests.operator.release_story import PATH, SERVICE, TIMEOUT, Story, digest

GRACE = Identity("Grace", "grace@example.com")


def roll_back(story: Story, to_version: int | None = None) -> Revision:
    return commit_and_push(story.repository, rolling_back(story.repository, "default", SERVICE, to_version), GRACE, TIMEOUT)


def test_a_rollback_restores_the_release_before_and_withdraws_the_one_taken_back(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.release("A", "B")
    before = content_at(story.remote, PATH, "main~1")
    revision = roll_back(story)
    assert tip(story.remote) == revision
    assert content_at(story.remote, PATH) == before
    assert (story.pinned, story.withdrawn) == ("A", "B")
    info = story.repository.commit_info(revision)
    assert info.author == GRACE
    assert info.subject == "rollback(bikes): demand v2 to v1"
    assert dict(info.trailers) == {"Gnomon-Service": "default/bikes", "Gnomon-Version": "v1", "Gnomon-Digest": digest("A")}
    assert run_git("show", "--name-only", "--format=", "main", cwd=story.remote) == PATH


def test_rolling_back_twice_goes_back_twice(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.release("A", "B", "C")
    roll_back(story)
    assert story.pinned == "B"
    roll_back(story)
    assert (story.pinned, story.withdrawn) == ("A", "BC")


def test_a_rollback_after_a_rollback_and_a_release_skips_what_was_taken_back(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.release("A", "B")
    roll_back(story)
    story.release("C")
    roll_back(story)
    assert (story.pinned, story.withdrawn) == ("A", "BC")


def test_a_rollback_to_a_version_restores_what_last_pinned_it(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.release("A", "B", "C")
    roll_back(story, to_version=1)
    assert (story.pinned, story.withdrawn) == ("A", "BC")
    roll_back(story, to_version=3)
    assert (story.pinned, story.withdrawn) == ("C", "")


def test_a_rollback_of_the_first_release_removes_the_file(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.release("A")
    roll_back(story)
    assert (story.pinned, story.withdrawn) == (None, "A")
    assert run_git("ls-tree", "-r", "--name-only", "main", cwd=story.remote) == "README.md"
    with pytest.raises(NotFoundError, match="no release"):
        roll_back(story)
    roll_back(story, to_version=1)
    assert story.pinned == "A"


def test_a_rollback_of_nothing_is_refused(tmp_path: Path) -> None:
    story = Story(tmp_path)
    with pytest.raises(NotFoundError, match="default/bikes"):
        roll_back(story)
    story.release("A", "B")
    with pytest.raises(NotFoundError, match="ever pinned v7") as caught:
        roll_back(story, to_version=7)
    assert "v1, v2" in caught.value.mend
    with pytest.raises(UsageError, match="v2"):
        roll_back(story, to_version=2)


def test_a_rollback_over_a_broken_file_mends_it(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.release("A", "B")
    good = content_at(story.remote, PATH)
    story.edit("kind: Release", "kind: [")
    roll_back(story)
    assert content_at(story.remote, PATH) == good
    assert story.withdrawn == ""


def test_a_rollback_goes_back_one_step_also_when_somebody_else_was_faster(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.release("A", "B", "C")
    story.repository.before_push = [story.revert]
    revision = roll_back(story)
    assert revision == tip(story.remote)
    assert (story.pinned, story.withdrawn) == ("B", "C")


def test_a_rollback_is_made_again_on_what_others_pushed(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.release("A", "B")
    story.ada.pull()
    story.repository.before_push = [partial(story.ada.commit_file, name, "x") for name in ("x.txt", "y.txt")]
    roll_back(story)
    assert subjects(story.remote)[:3] == ["rollback(bikes): demand v2 to v1", "Change y.txt", "Change x.txt"]


def test_a_refused_rollback_says_why(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.release("A", "B")
    install_hook(story.remote, "pre-receive", "echo 'ask the release manager' >&2; exit 1")
    with pytest.raises(PushRefusedError, match="ask the release manager"):
        roll_back(story)
    assert story.pinned == "B"
