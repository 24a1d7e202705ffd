"""Addresses: what is shown, what is hidden, what is refused."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.errors import UsageError
from gnomon.stores.repositories.address import parse_address
from gnomon.stores.repositories.failures import without_userinfo


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://host/team/repo.git", "https://host/team/repo.git"),
        ("https://ada:pw@host:8443/repo", "https://host:8443/repo"),
        ("https://ada@host/repo", "https://host/repo"),
        ("http://ada:p%40w@[::1]:80/repo", "http://[::1]:80/repo"),
        ("ssh://git@host:22/repo", "ssh://git@host:22/repo"),
        ("git@host:team/repo.git", "git@host:team/repo.git"),
        ("file:///srv/repo.git", "file:///srv/repo.git"),
        ("/srv/repo.git", "/srv/repo.git"),
    ],
)
def test_an_address_is_shown_without_credentials(text: str, shown: str) -> None:
    assert parse_address(text).url == shown


def test_a_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_address(".").url == str(tmp_path.resolve())
    assert parse_address("./a:b").url == str(tmp_path.resolve() / "a:b")


@pytest.mark.parametrize(
    "text",
    ["", "--upload-pack=touch /tmp/x", "ext::sh -c touch", "fd::3", "ftp://host/x", "https://host/a\nb", "ssh://a:b@host/x"],
)
def test_what_git_must_not_be_given_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_address(text)


def test_a_user_name_alone_leaves_the_users_helpers_in_charge() -> None:
    address = parse_address("https://ada@host/repo")
    assert address.settings == {"credential.https://host.username": "ada"}


@given(password=st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="/?#@[]:%\x7f"), min_size=4))
def test_no_form_of_a_password_survives_in_a_text(password: str) -> None:
    address = parse_address(f"https://ada:{password}@host/repo")
    token = base64.b64encode(f"ada:{password}".encode()).decode()
    said = address.conceal(f"<{password}> <{token}> fatal: 'https://ada:{password}@host/repo' not found")
    assert password not in said.replace("***", "").replace("fatal: 'https://host/repo' not found", "")
    assert token not in said
    assert password not in repr(address) or password in "https://host/repo RemoteAddress(url='')"


def test_user_names_and_passwords_are_cut_from_any_address_in_a_text() -> None:
    text = "fatal: unable to access 'https://x:y@host/a': see http://z@other/b and mail a@b.c"
    assert without_userinfo(text) == "fatal: unable to access 'https://host/a': see http://other/b and mail a@b.c"
