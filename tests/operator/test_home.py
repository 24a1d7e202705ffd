import subprocess
import sys
from pathlib import Path

import pytest

from gnomon.errors import ConflictError
from gnomon.operator.home import Home, HomeLock, is_operated


def test_a_second_operator_on_one_home_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    first = HomeLock(home)
    first.acquire({"pid": 4711})
    with pytest.raises(ConflictError, match="process 4711"):
        HomeLock(home).acquire({"pid": 4712})
    assert is_operated(home)
    assert home.describe()["pid"] == 4711
    first.release()
    assert not is_operated(home)


def test_the_lock_ends_with_its_holder_however_it_ends(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from gnomon.operator.home import Home, HomeLock\n"
        "HomeLock(Home(Path(sys.argv[1]))).acquire({'pid': os.getpid()}); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    home = Home(tmp_path)
    assert not is_operated(home)
    lock = HomeLock(home)
    lock.acquire({"pid": 1})
    lock.release()


def test_a_home_is_for_its_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    assert home.path.stat().st_mode & 0o077 == 0


def test_a_home_that_never_had_an_operator_has_nothing_to_tell(tmp_path: Path) -> None:
    home = Home(tmp_path / "nothing")
    assert home.describe() == {}
    assert not is_operated(home)


def test_a_folder_of_other_things_is_not_taken_for_a_home(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("mine")
    mode = tmp_path.stat().st_mode
    with pytest.raises(ConflictError, match="holds files that are no operator's"):
        HomeLock(Home(tmp_path)).acquire({})
    assert tmp_path.stat().st_mode == mode


def test_a_home_that_lost_its_lock_file_is_a_home(tmp_path: Path) -> None:
    (tmp_path / "records.db").write_text("")
    lock = HomeLock(Home(tmp_path))
    lock.acquire({"pid": 1})
    assert is_operated(Home(tmp_path))
    lock.release()


def test_a_home_below_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConflictError, match="cannot be an operator's home"):
        HomeLock(Home(tmp_path / "file" / "home")).acquire({})
