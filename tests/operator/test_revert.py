"""The revert rule, on real histories and on random ones."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.operator.revert import REMEMBERED, LockState, lock_state, mark_of, merge_mark
from gnomon.operator.writeback import next_release
from gnomon.resources.identity import Digest, Revision
from gnomon.resources.lockfile import render_release
from gnomon.resources.parse import parse_release
from gnomon.resources.release import ReleaseSpec
from gnomon.stores.records.interface import ReleaseMark
from gnomon.stores.records.memory import MemoryRecords
from gnomon.stores.repositories.interface import FileVersion
from tests.git_remote import Clone
from tests.operator.release_story import PATH, SERVICE, Story, digest, request


@dataclass(frozen=True)
class Case:
    """What people do after the releases in ``released``, and what holds then. ``offers`` happen in order, afterwards."""

    name: str
    released: str
    people: Callable[[Story], None]
    pinned: str | None
    withdrawn: str
    offers: dict[str, str] = field(default_factory=dict)
    finally_withdrawn: str = ""

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def nothing(story: Story) -> None:
    assert story.pinned is not None


def revert(story: Story) -> None:
    story.revert()


def revert_twice(story: Story) -> None:
    story.revert()
    story.revert("HEAD~2")


def revert_the_revert(story: Story) -> None:
    story.revert()
    story.revert()


def on_a_branch(story: Story, land: Callable[[Clone], object]) -> None:
    """Revert on a branch while main goes on, then land the branch."""
    ada = story.ada
    ada.pull()
    ada.switch("fix", create=True)
    ada.revert()
    ada.switch("main")
    ada.commit_file("other.txt", "meanwhile", push=False)
    land(ada)
    ada.push()


def revert_by_merge(story: Story) -> None:
    on_a_branch(story, lambda ada: ada.merge("fix"))


def revert_by_squash(story: Story) -> None:
    on_a_branch(story, lambda ada: ada.merge("fix", squash=True))


def revert_by_cherry_pick(story: Story) -> None:
    on_a_branch(story, lambda ada: ada.git("cherry-pick", "fix"))


def revert_by_rebase(story: Story) -> None:
    on_a_branch(story, lambda ada: ada.git("rebase", "-q", "fix"))


def revert_the_merge_of_a_revert(story: Story) -> None:
    revert_by_merge(story)
    story.revert()


def revert_hidden_behind_a_merge(story: Story) -> None:
    """Bob, who worked on an old main, merges the new one into his: release and revert are not on the first-parent line."""
    bob = Clone(story.remote, story.ada.path.parent / "bob", "Bob")
    bob.git("reset", "-q", "--hard", "HEAD~1")
    bob.commit_file("bob.txt", "1", push=False)
    story.revert()
    bob.git("fetch", "-q")
    bob.merge("origin/main")
    bob.push()


def hand_edit(story: Story) -> None:
    story.edit(digest("B"), digest("A"))
    story.edit("version: 2", "version: 1")


def hand_edit_then_undo(story: Story) -> None:
    hand_edit(story)
    story.revert()
    story.revert("HEAD~2")


def force_push(story: Story) -> None:
    story.ada.pull()
    story.ada.git("reset", "-q", "--hard", "HEAD~1")
    story.ada.push(force=True)


def force_push_two(story: Story) -> None:
    story.ada.pull()
    story.ada.git("reset", "-q", "--hard", "HEAD~2")
    story.ada.push(force=True)


def revert_and_allow_again(story: Story) -> None:
    story.revert()
    story.release("C")
    story.edit(f"rejected:\n  - {digest('B')}", "rejected: []")


def remove_the_file(story: Story) -> None:
    story.ada.pull()
    story.ada.remove(PATH)
    story.ada.commit("Retire the service")
    story.ada.push()


def touch_other_files(story: Story) -> None:
    story.ada.pull()
    story.ada.commit_file("gnomon.yaml", "# nothing to do with releases\n")
    story.edit("# Written by", "# Indeed written by")


CASES = [
    Case("a normal successor rejects nothing", "AB", nothing, "B", "", {"B": "present"}),
    Case("an older winner may come back", "AB", nothing, "B", "", {"A": "landed"}),
    Case("a revert withdraws", "AB", revert, "A", "B", {"B": "withdrawn", "A": "present"}),
    Case("a revert stays in force after the next release", "AB", revert, "A", "B", {"C": "landed", "B": "withdrawn"}, "B"),
    Case("a revert of the revert allows again", "AB", revert_the_revert, "B", "", {"B": "present"}),
    Case("two reverts in a row withdraw both", "ABC", revert_twice, "A", "BC", {"B": "withdrawn", "C": "withdrawn"}, "BC"),
    Case("a revert by a merge commit", "AB", revert_by_merge, "A", "B", {"B": "withdrawn"}, "B"),
    Case("a revert by a squash", "AB", revert_by_squash, "A", "B", {"B": "withdrawn", "C": "landed"}, "B"),
    Case("a revert by a cherry-pick", "AB", revert_by_cherry_pick, "A", "B", {"B": "withdrawn"}, "B"),
    Case("a revert by a rebase", "AB", revert_by_rebase, "A", "B", {"B": "withdrawn"}, "B"),
    Case("a revert of the merge of a revert", "AB", revert_the_merge_of_a_revert, "B", "", {"B": "present"}),
    Case(
        "a revert hidden behind a merge", "AB", revert_hidden_behind_a_merge, "A", "B", {"B": "withdrawn", "C": "landed"}, "B"
    ),
    Case("a hand edit of the digest", "AB", hand_edit, "A", "B", {"B": "withdrawn", "C": "landed"}, "B"),
    Case("a hand edit that was undone", "AB", hand_edit_then_undo, "B", "A", {"B": "present", "C": "landed"}, "A"),
    Case("the first release reverted", "A", revert, None, "A", {"A": "withdrawn", "B": "landed"}, "A"),
    Case("the file removed", "AB", remove_the_file, None, "AB", {"A": "withdrawn", "B": "withdrawn", "C": "landed"}, "AB"),
    Case("a forced push that drops the release", "AB", force_push, "A", "B", {"B": "withdrawn", "C": "landed"}, "B"),
    Case("a forced push that drops two", "ABC", force_push_two, "A", "BC", {"C": "withdrawn", "B": "withdrawn"}, "BC"),
    Case("a forced push that drops the only release", "A", force_push, None, "A", {"A": "withdrawn", "B": "landed"}, "A"),
    Case("a person who allows it again", "AB", revert_and_allow_again, "C", "", {"B": "landed"}),
    Case("changes that are none", "AB", touch_other_files, "B", "", {"B": "present", "C": "landed"}),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_people_do_in_git_decides_who_may_be_released(case: Case, tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.release(*case.released)
    case.people(story)
    assert (story.pinned, story.withdrawn) == (case.pinned, case.withdrawn)
    assert {letter: story.offer(letter).state for letter in case.offers} == case.offers
    assert story.withdrawn == (case.finally_withdrawn or case.withdrawn)


def test_a_lost_database_is_made_up_for_by_history(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.release("A", "B")
    story.revert()
    story.writer._records = MemoryRecords()
    assert story.offer("B").state == "withdrawn"
    story.release("C")
    mark = story.writer._records.release_mark(request("A").key)
    assert mark is not None
    assert mark.sequence == 3
    assert digest("B") in mark.withdrawn


def test_a_release_over_a_file_that_cannot_be_read_is_blocked(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.release("A", "B")
    story.edit("kind: Release", "<<<<<<< HEAD")
    state = story.state()
    assert state.head_error
    assert state.current is not None
    assert state.current.digest == digest("B")
    outcome = story.offer("C")
    assert outcome.state == "blocked"
    assert PATH in outcome.message
    story.revert()
    assert story.state().head_error == ""
    assert [version.revision for version in story.state().unreadable] == [story.ada.git("rev-parse", "HEAD~1")]
    assert story.withdrawn == ""
    assert story.offer("C").state == "landed"


def test_no_history_is_no_release() -> None:
    assert lock_state(()) == LockState() == LockState.empty()


def version(spec: ReleaseSpec | None, number: int) -> FileVersion:
    if spec is None:
        return FileVersion(Revision(f"{number:040x}"), None)
    release = next_release(request("A"), LockState()).model_copy(update={"spec": spec})
    return FileVersion(Revision(f"{number:040x}"), render_release(release))


@dataclass
class Person:
    """Remembers, by words of people alone and not by the rule, which releases they took back."""

    taken: dict[Digest, bool] = field(default_factory=dict)
    sequence: dict[Digest, int] = field(default_factory=dict)

    def moves_to(self, spec: ReleaseSpec | None) -> None:
        for pinned, sequence in self.sequence.items():
            if spec is None:
                self.taken[pinned] = True
            elif pinned == spec.digest:
                self.taken[pinned] = False
            else:
                self.taken[pinned] = sequence >= spec.sequence or pinned in spec.rejected


@settings(max_examples=60, deadline=None)
@given(
    moves=st.lists(
        st.one_of(
            st.tuples(st.just("promote"), st.sampled_from("ABCDEFGH")),
            st.tuples(st.just("restore"), st.integers(0, 12)),
            st.tuples(st.just("edit"), st.sampled_from("ABCDEFGH")),
            st.tuples(st.just("remove"), st.just(0)),
        ),
        max_size=14,
    )
)
def test_automation_never_pins_again_what_people_took_back(moves: list[tuple[str, str | int]]) -> None:
    history: list[FileVersion] = []  # newest first
    specs: list[ReleaseSpec | None] = []
    person = Person()

    def write(spec: ReleaseSpec | None) -> None:
        history.insert(0, version(spec, len(history)))
        specs.insert(0, spec)
        if spec is not None:
            person.sequence[Digest(spec.digest)] = max(spec.sequence, person.sequence.get(Digest(spec.digest), 0))

    for kind, what in moves:
        state = lock_state(history)
        if kind == "promote":
            offered = request(str(what))
            is_current = state.current is not None and state.current.digest == offered.digest
            if is_current or offered.digest in state.withdrawn:
                continue
            assert not person.taken.get(offered.digest, False), f"{what} was taken back, and is pinned again"
            spec = next_release(offered, state).spec
            assert spec.sequence > max((s.sequence for s in specs if s is not None), default=0)
            write(spec)
        elif kind == "restore" and specs:
            restored = specs[int(what) % len(specs)]
            write(restored)
            person.moves_to(restored)
        elif kind == "edit" and specs and specs[0] is not None:
            edited = specs[0].model_copy(update={"digest": digest(str(what))})
            write(edited)
            person.moves_to(edited)
        elif kind == "remove" and specs and specs[0] is not None:
            write(None)
            person.moves_to(None)


@given(letters=st.lists(st.sampled_from("ABCDEFGH"), max_size=6), kept=st.integers(0, 6))
@settings(max_examples=40, deadline=None)
def test_a_mark_makes_a_shortened_history_as_strict_as_reverts(letters: list[str], kept: int) -> None:
    history: list[FileVersion] = []
    mark: ReleaseMark | None = None
    for letter in dict.fromkeys(letters):
        state = lock_state(history)
        history.insert(0, version(next_release(request(letter), state).spec, len(history)))
        mark = mark_of(request(letter).key, lock_state(history), mark)
    remaining = history[max(0, len(history) - kept) :]
    dropped = {Digest(parse_release(v.content or b"").spec.digest) for v in history[: len(history) - len(remaining)]}
    merged = merge_mark(lock_state(remaining), mark)
    assert merged.withdrawn == dropped
    assert merged.top_sequence == len(history)
    assert merged.is_reverted == bool(dropped)


def test_a_mark_adds_nothing_to_a_history_that_reaches_it() -> None:
    spec = next_release(request("A"), LockState()).spec
    state = lock_state([version(spec, 1)])
    assert merge_mark(state, ReleaseMark(request("A").key, 1, (digest("B"),))) is state
    assert merge_mark(state, None) is state


def test_a_mark_and_a_file_stay_small() -> None:
    many = tuple(Digest(f"sha256:{number:064x}") for number in range(REMEMBERED + 50))
    mark = mark_of(request("A").key, LockState(taken_back=many, top_sequence=9), None)
    assert mark.withdrawn == many[50:]
    assert next_release(request("A"), LockState(taken_back=many)).spec.rejected == many[50:]


def test_the_release_file_says_how_to_roll_back_and_reads_back_the_same() -> None:
    release = next_release(request("B"), LockState())
    content = render_release(release)
    assert content.startswith(b"# ")
    assert b"git revert" in content.split(b"apiVersion")[0]
    assert parse_release(content) == release
    assert render_release(parse_release(content)).split(b"spec:")[0] == content.split(b"spec:")[0]
    assert SERVICE.encode() in content
