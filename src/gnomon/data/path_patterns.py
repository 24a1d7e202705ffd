"""Globs over whole paths: ``*`` and ``?`` stay within a folder, ``**`` goes through folders, leading dots are written out."""

import re

_WILDCARD = re.compile(r"[*?\[]")


def is_glob(text: str) -> bool:
    """Return whether a path, or a part of one, stands for any number of names."""
    return _WILDCARD.search(text) is not None


def glob_expression(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a glob over whole paths."""
    parts = pattern.split("/")
    expression = ""
    for index, part in enumerate(parts):
        is_last = index == len(parts) - 1
        if part == "**":
            expression += r"(?:(?!\.)[^/]+/)*" + (r"(?!\.)[^/]+" if is_last else "")
        else:
            expression += _segment_expression(part) + ("" if is_last else "/")
    return re.compile(expression)


def _segment_expression(part: str) -> str:
    expression = "" if part.startswith(".") else r"(?!\.)"
    for piece in re.findall(r"\[!?\]?[^\]]*\]|.", part):
        match piece:
            case "*":
                expression += "[^/]*"
            case "?":
                expression += "[^/]"
            case _ if len(piece) > 1:
                inner = piece[1:-1].replace("\\", r"\\")
                expression += f"[^{inner[1:]}/]" if inner.startswith("!") else f"[{inner}]"
            case _:
                expression += re.escape(piece)
    return expression
