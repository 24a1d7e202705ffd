"""The address of a remote, divided into what may be shown and what must not."""

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from gnomon.errors import UsageError
from gnomon.stores.repositories.failures import without_userinfo

_HTTP = ("http", "https")
_SCHEMES = (*_HTTP, "ssh", "git", "file")
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
_CONCEALED = "***"


@dataclass(frozen=True)
class RemoteAddress:
    """Where a remote is. ``url`` goes to Git and to people; ``settings`` and ``secrets`` to nobody but Git."""

    url: str
    settings: dict[str, str] = field(default_factory=dict, repr=False)
    """Git settings that carry the credentials."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """The credentials in every form in which they may turn up in a text, longest first."""

    def conceal(self, text: str) -> str:
        """Return ``text`` without credentials."""
        for secret in self.secrets:
            text = text.replace(secret, _CONCEALED)
        return without_userinfo(text)


def parse_address(text: str) -> RemoteAddress:
    """Return the address of a remote: a URL, an scp-like ``user@host:path``, or a path, which is made absolute.

    Raises:
        UsageError: This cannot be a remote.
    """
    if not text or text.startswith("-") or any(ord(character) < 0x20 for character in text):
        shown = without_userinfo(text)
        raise UsageError(f"{shown!r} is not the address of a repository", "give a URL, user@host:path, or a path")
    scheme = _SCHEME.match(text)
    if scheme is None:
        return RemoteAddress(_plain(text))
    if scheme[1].lower() not in _SCHEMES:
        raise UsageError(
            f"{scheme[1]}:// is not an address that git is allowed to use here", f"use one of {', '.join(_SCHEMES)}"
        )
    return _from_url(text)


def _plain(text: str) -> str:
    """Return an scp-like address as it is, and a path from the root; Git runs elsewhere than we do."""
    if "::" in text.split("/", 1)[0]:
        raise UsageError(f"{text!r} names a remote helper", f"use a path, user@host:path, or one of {', '.join(_SCHEMES)}")
    before_slash = text.split("/", 1)[0]
    return text if ":" in before_slash else str(Path(text).expanduser().resolve())


def _from_url(text: str) -> RemoteAddress:
    try:
        parts = urlsplit(text)
        host = parts.netloc.rpartition("@")[2]
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError as error:
        raise UsageError(f"{without_userinfo(text)!r} is not a URL: {error}", "write it as https://host/path") from error
    scheme = parts.scheme.lower()
    if "@" not in parts.netloc:
        return RemoteAddress(text)
    bare = parts._replace(netloc=host).geturl()
    secrets = _forms(user, password)
    if scheme in _HTTP:
        return RemoteAddress(bare, _http_settings(f"{scheme}://{host}", user, password), secrets)
    if password:
        raise UsageError(
            f"the address {bare} carries a password, which {scheme}:// has no use for", "leave it out, and use an ssh key"
        )
    return RemoteAddress(parts._replace(netloc=f"{quote(user, safe='')}@{host}").geturl())


def _http_settings(origin: str, user: str, password: str) -> dict[str, str]:
    if not password:
        return {f"credential.{origin}.username": user}
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {
        # Only to this origin; and no helper is asked besides, which could then store the password.
        f"http.{origin}/.extraHeader": f"Authorization: Basic {token}",
        "credential.helper": "",
    }


def _forms(user: str, password: str) -> tuple[str, ...]:
    if not password:
        return (user, quote(user, safe="")) if len(user) >= 20 else ()  # a long user name may be a token
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return tuple(sorted({token, password, quote(password, safe=""), quote(password)}, key=len, reverse=True))
