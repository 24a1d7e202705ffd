"""The repository against a real bare repository on disk: reading, committing, pushing, and the oddities that trees may hold."""

import os
import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gnomon.errors import BranchMissingError, RepositoryError, UsageError
from gnomon.resources.identity import Revision
from gnomon.stores.repositories.git import GitRepository
from gnomon.stores.repositories.interface import FileChange, Identity, TreeEntry
from tests.git_remote import (
    Clone,
    clean_environment,
    content_at,
    install_hook,
    make_remote,
    run_git,
    subjects,
    tip,
)

TIMEOUT = timedelta(seconds=20)
OPERATOR = Identity("gnomon", "gnomon@example.com")
UNKNOWN = Revision("1" * 40)


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return make_remote(tmp_path)


@pytest.fixture
def ada(remote: Path, tmp_path: Path) -> Clone:
    return Clone(remote, tmp_path / "ada")


@pytest.fixture
def repository(remote: Path, tmp_path: Path) -> GitRepository:
    return open_repository(remote, tmp_path)


def open_repository(remote: Path | str, tmp_path: Path, branch: str = "main", mirror: str = "mirror.git") -> GitRepository:
    return GitRepository(str(remote), branch, tmp_path / mirror, TIMEOUT)


def commit(repository: GitRepository, path: str, content: str, parent: Revision | None = None) -> Revision:
    on = parent or repository.fetch()
    return repository.commit(on, [FileChange(path, content.encode())], f"Change {path}", OPERATOR)


def test_what_is_pushed_is_seen_and_fetched(repository: GitRepository, ada: Clone) -> None:
    assert repository.head() is None
    first = repository.fetch()
    second = ada.commit_file("gnomon.yaml", "kind: Project\n")
    assert repository.head() == first
    assert repository.remote_head() == second
    assert repository.fetch() == second
    assert repository.head() == second


def test_a_tree_lists_odd_names_links_and_submodules(repository: GitRepository, ada: Clone) -> None:
    odd = ["a b.txt", "new\nline.txt", 'tab\tquote".txt', "häßlich-日本.txt", "-dash.txt", "folder/in/folder.txt"]
    for path in odd:
        ada.write(path, path)
    (ada.path / "run.sh").write_text("#!/bin/sh\n")
    (ada.path / "run.sh").chmod(0o755)
    (ada.path / "link").symlink_to("/etc/passwd")
    ada.git("add", "-A")
    ada.git("update-index", "--add", "--cacheinfo", f"160000,{UNKNOWN},module")
    ada.git("commit", "-q", "-m", "Odd")
    ada.push()

    tree = repository.tree(repository.fetch())

    by_path = {entry.path: entry for entry in tree}
    assert [entry.path for entry in tree] == sorted(by_path)
    assert set(odd) | {"README.md", "run.sh", "link", "module"} == set(by_path)
    assert by_path["run.sh"].mode == "100755"
    assert by_path["link"].mode == "120000"
    assert by_path["module"] == TreeEntry("module", "160000", UNKNOWN, 0)
    assert by_path["a b.txt"].size == len("a b.txt")
    contents = repository.read_blobs([by_path[path].blob for path in odd])
    assert [contents[by_path[path].blob].decode() for path in odd] == odd


def test_a_name_that_is_not_utf8_can_be_listed_and_printed(repository: GitRepository, remote: Path) -> None:
    stream = b"commit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 2\nx\nfrom refs/heads/main^0\n"
    stream += b'M 100644 inline "bad-\\377.txt"\ndata 1\nx\ndone\n'
    subprocess.run(["git", "fast-import", "--quiet", "--done"], cwd=remote, env=clean_environment(), input=stream, check=True)
    paths = [entry.path for entry in repository.tree(repository.fetch())]
    assert "bad-\\xff.txt" in paths
    assert "\n".join(paths).encode()


def test_a_path_is_never_a_pattern(repository: GitRepository, ada: Clone) -> None:
    ada.commit_file("releases/*.yaml", "star")
    ada.commit_file("releases/other.yaml", "other")
    assert [v.content for v in repository.file_history(repository.fetch(), "releases/*.yaml")] == [b"star"]


def test_blobs_are_read_by_id_and_an_unknown_one_is_named(repository: GitRepository) -> None:
    tree = repository.tree(repository.fetch())
    blob = tree[0].blob
    assert repository.read_blobs([blob, blob]) == {blob: b"#\n"}
    assert repository.read_blobs([]) == {}
    with pytest.raises(RepositoryError, match=UNKNOWN):
        repository.read_blobs([blob, UNKNOWN])
    with pytest.raises(UsageError, match="not the full id"):
        repository.read_blobs(["--batch-check\n"])


def test_a_large_blob_is_exported_whole_or_not_at_all(
    repository: GitRepository, ada: Clone, remote: Path, tmp_path: Path
) -> None:
    for folder in (ada.path, remote):
        run_git("config", "core.compression", "0", cwd=folder)
        run_git("config", "core.bigFileThreshold", "1m", cwd=folder)
    content = os.urandom(20 << 20)
    ada.commit_file("data/large.bin", content)
    (entry,) = (e for e in repository.tree(repository.fetch()) if e.path == "data/large.bin")
    destination = tmp_path / "large.bin"
    destination.write_bytes(b"old")
    with pytest.raises(RepositoryError):
        repository.export_blob(UNKNOWN, destination)
    assert destination.read_bytes() == b"old"
    repository.export_blob(entry.blob, destination)
    assert destination.read_bytes() == content
    assert entry.size == len(content)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".gnomon")] == []
    with pytest.raises(RepositoryError, match="nowhere"):
        repository.export_blob(entry.blob, tmp_path / "nowhere" / "large.bin")


def test_a_commit_replaces_only_its_files_and_moves_no_branch(repository: GitRepository, ada: Clone, remote: Path) -> None:
    base = ada.commit_file("keep/this.txt", "kept")
    ada.commit_file("drop.txt", "dropped")
    parent = repository.fetch()
    changes = [FileChange('releases/new "file".yaml', "ünï".encode()), FileChange("drop.txt", None)]
    made = repository.commit(parent, changes, "Subject\n\nWhy.\n\nGnomon-Reason: because\n", Identity("Op <x>", "op@x"))

    paths = [entry.path for entry in repository.tree(made)]
    assert paths == ["README.md", "keep/this.txt", 'releases/new "file".yaml']
    assert tip(remote) == parent != base
    assert repository.head() == parent
    info = repository.commit_info(made)
    assert info.parents == (parent,)
    assert info.author == Identity("Op x", "op@x")
    assert (info.subject, info.body, dict(info.trailers)) == ("Subject", "Why.", {"Gnomon-Reason": "because"})
    assert abs(info.authored_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert (
        run_git("log", "-1", "--format=%ad %cd", "--date=format:%z", made, cwd=repository_folder(repository)) == "+0000 +0000"
    )


def repository_folder(repository: GitRepository) -> Path:
    return repository._mirror.folder


@pytest.mark.parametrize("path", ["", "/etc/passwd", "a/../b", "a//b", ".git/config", "a/.GIT/hooks/x", "nul\0"])
def test_a_path_that_a_commit_cannot_hold_is_refused(repository: GitRepository, path: str) -> None:
    parent = repository.fetch()
    with pytest.raises(UsageError, match="cannot be the path"):
        repository.commit(parent, [FileChange(path, b"")], "x", OPERATOR)


def test_a_commit_on_an_unknown_parent_is_refused(repository: GitRepository) -> None:
    repository.fetch()
    with pytest.raises(RepositoryError, match=UNKNOWN):
        repository.commit(UNKNOWN, [FileChange("x", b"")], "x", OPERATOR)


def test_a_push_lands_once_and_again_without_harm(repository: GitRepository, remote: Path) -> None:
    made = commit(repository, "x", "1")
    assert repository.push(made).outcome == "landed"
    assert repository.push(made).outcome == "landed"
    assert tip(remote) == made == repository.fetch()


def test_a_push_after_somebody_else_has_raced(repository: GitRepository, ada: Clone, remote: Path) -> None:
    made = commit(repository, "x", "1")
    theirs = ada.commit_file("y", "2")
    assert repository.push(made).outcome == "raced"
    assert tip(remote) == theirs
    again = commit(repository, "x", "1")
    assert repository.push(again).outcome == "landed"
    assert content_at(remote, "y") == "2"


def test_a_push_of_a_commit_that_is_not_on_the_fetched_tip_has_raced(repository: GitRepository, ada: Clone) -> None:
    made = commit(repository, "x", "1")
    ada.commit_file("y", "2")
    repository.fetch()
    assert repository.push(made).outcome == "raced"


def test_a_push_never_brings_back_what_was_forced_off_the_branch(repository: GitRepository, ada: Clone, remote: Path) -> None:
    ada.commit_file("bad.txt", "taken off")
    made = commit(repository, "x", "1")
    ada.git("reset", "-q", "--hard", "HEAD~1")
    ada.push(force=True)
    assert repository.push(made).outcome == "raced"
    assert tip(remote) == ada.head()


def test_a_push_never_recreates_a_deleted_branch(repository: GitRepository, remote: Path) -> None:
    made = commit(repository, "x", "1")
    run_git("update-ref", "-d", "refs/heads/main", cwd=remote)
    assert repository.push(made).outcome == "raced"
    with pytest.raises(BranchMissingError, match="main"):
        repository.fetch()
    assert run_git("for-each-ref", cwd=remote) == ""


def test_a_hook_that_refuses_is_quoted(repository: GitRepository, remote: Path) -> None:
    install_hook(remote, "pre-receive", "echo 'Policy 7: only on Mondays' >&2; exit 1")
    result = repository.push(commit(repository, "x", "1"))
    assert result.outcome == "refused"
    assert "pre-receive hook declined" in result.message
    assert "Policy 7: only on Mondays" in result.message


def test_a_branch_that_only_moves_forward_takes_our_commits(repository: GitRepository, remote: Path, ada: Clone) -> None:
    run_git("config", "receive.denyNonFastForwards", "true", cwd=remote)
    run_git("config", "receive.denyDeletes", "true", cwd=remote)
    stale = commit(repository, "x", "0")
    ada.commit_file("y", "2")
    assert repository.push(stale).outcome == "raced"
    assert repository.push(commit(repository, "x", "1")).outcome == "landed"


def test_a_checked_out_branch_refuses_with_the_servers_reason(tmp_path: Path) -> None:
    make_remote(tmp_path)
    work = Clone(tmp_path / "remote.git", tmp_path / "work")
    repository = open_repository(work.path, tmp_path)
    result = repository.push(commit(repository, "x", "1"))
    assert result.outcome == "refused"
    assert "checked out" in result.message


def test_a_missing_branch_is_an_error_and_changes_nothing(repository: GitRepository, ada: Clone, remote: Path) -> None:
    ada.git("push", "-q", "origin", "HEAD:refs/heads/other/refs/heads/main")  # ends like the one that is asked for
    seen = repository.fetch()
    run_git("update-ref", "-d", "refs/heads/main", cwd=remote)
    for call in (repository.remote_head, repository.fetch):
        with pytest.raises(BranchMissingError, match="main"):
            call()
    assert repository.head() == seen
    assert repository.tree(seen)


def test_an_empty_remote_has_no_branch(tmp_path: Path) -> None:
    repository = open_repository(make_remote(tmp_path, empty=True), tmp_path)
    for call in (repository.remote_head, repository.fetch):
        with pytest.raises(BranchMissingError, match="main"):
            call()
    assert repository.head() is None


def test_a_rewritten_history_is_fetched_and_told(repository: GitRepository, ada: Clone) -> None:
    ada.commit_file("x", "1")
    before = repository.fetch()
    ada.git("commit", "-q", "--amend", "-m", "Rewritten")
    ada.push(force=True)
    after = repository.fetch()
    assert after == ada.head() != before
    assert not repository.is_ancestor(before, after)
    assert repository.is_ancestor(after, after)
    assert not repository.is_ancestor(UNKNOWN, after)


def test_a_history_holds_changes_removals_and_merges_on_the_first_parent_line(repository: GitRepository, ada: Clone) -> None:
    path = "releases/default/bikes.yaml"
    ada.commit_file(path, "A")
    ada.commit_file(path, "B")
    ada.switch("fix", create=True)
    ada.revert()
    ada.switch("main")
    ada.commit_file("other.txt", "meanwhile")
    merge = ada.merge("fix")
    ada.push()
    ada.remove(path)
    gone = ada.commit("Remove it")
    ada.commit_file(path, "C", "Bring it back")

    head = repository.fetch()
    history = repository.file_history(head, path)
    assert [version.content for version in history] == [b"C", None, b"A", b"B", b"A"]
    assert [history[1].revision, history[2].revision] == [gone, merge]
    log = repository.first_parent_log(head, 10, path)
    assert [info.revision for info in log] == [version.revision for version in history]
    assert repository.first_parent_log(head, 2, path) == log[:2]
    assert [info.subject for info in repository.first_parent_log(head, 3)] == ["Bring it back", "Remove it", "Merge fix"]
    assert repository.file_history(head, "never/was.yaml") == ()


def test_a_file_that_became_a_folder_or_a_submodule_was_removed(repository: GitRepository, ada: Clone) -> None:
    ada.commit_file("thing", "file")
    ada.remove("thing")
    ada.commit_file("thing/inside", "folder")
    ada.remove("thing/inside")
    ada.git("add", "-A")
    ada.git("update-index", "--add", "--cacheinfo", f"160000,{UNKNOWN},thing")
    ada.git("commit", "-q", "-m", "Module")
    ada.push()
    assert [v.content for v in repository.file_history(repository.fetch(), "thing")] == [None, None, b"file"]


def test_many_histories_at_once_equal_each_by_itself(repository: GitRepository, ada: Clone) -> None:
    paths = [f"releases/team-{i % 3}/s{i}.yaml" for i in range(20)]
    for turn in range(2):
        for path in paths[:: turn + 1]:
            ada.write(path, f"{turn} {path}")
        ada.commit(f"Turn {turn}")
    ada.commit_file("releases/team-0/unasked.yaml", "x")
    head = repository.fetch()
    together = repository.file_histories(head, paths)
    assert list(together) == paths
    assert together == {path: repository.file_history(head, path) for path in paths}
    assert {len(history) for history in together.values()} == {1, 2}


def test_peoples_settings_do_not_change_what_is_read(
    repository: GitRepository, ada: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remote: Path
) -> None:
    settings = tmp_path / "gitconfig"
    settings.write_text(
        "[core]\n\tquotePath = true\n\thooksPath = /nonexistent\n[log]\n\tshowSignature = true\n\tdate = relative\n"
        "[diff]\n\trenames = copies\n\tnoprefix = true\n[color]\n\tui = always\n[push]\n\tfollowTags = true\n"
        "[format]\n\tpretty = oneline\n[i18n]\n\tlogOutputEncoding = latin1\n[gc]\n\tauto = 0\n"
        "[user]\n\tname = Someone Else\n\temail = else@x\n[commit]\n\tgpgSign = true\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_TRACE", "1")
    ada.commit_file("ä.txt", "1", "Größe")
    again = open_repository(remote, tmp_path, mirror="second.git")
    head = again.fetch()
    assert again.tree(head) == repository.tree(repository.fetch())
    assert again.commit_info(head).subject == "Größe"
    assert again.push(commit(again, "x", "1")).outcome == "landed"
    assert again.commit_info(again.fetch()).author == OPERATOR


def test_a_sha256_repository_is_followed_too(tmp_path: Path) -> None:
    remote = make_remote(tmp_path, object_format="sha256")
    repository = open_repository(remote, tmp_path)
    assert len(repository.fetch()) == 64
    made = commit(repository, "x", "1")
    assert repository.push(made).outcome == "landed"
    assert repository.fetch() == made


def test_threads_share_one_repository(repository: GitRepository, ada: Clone) -> None:
    errors: list[BaseException] = []

    def work(call: Callable[[], object]) -> None:
        try:
            for _ in range(5):
                call()
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    head = repository.fetch()
    calls = [
        repository.fetch,
        lambda: repository.tree(head),
        lambda: commit(repository, "x", "1", head),
        repository.remote_head,
    ]
    threads = [threading.Thread(target=work, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    ada.commit_file("y", "1")
    for thread in threads:
        thread.join()
    assert errors == []
    assert repository.fetch() == ada.head()


@pytest.mark.parametrize("branch", ["", "a..b", "with space", "-x/../y", "end.lock", "a:b"])
def test_what_cannot_be_a_branch_is_refused(remote: Path, tmp_path: Path, branch: str) -> None:
    with pytest.raises(UsageError, match="branch"):
        open_repository(remote, tmp_path, branch=branch)


def test_subjects_of_the_remote_are_untouched_by_reading(repository: GitRepository, remote: Path) -> None:
    repository.tree(repository.fetch())
    assert subjects(remote) == ["Begin"]
    assert run_git("for-each-ref", "--format=%(refname)", cwd=remote) == "refs/heads/main"
