"""Objects as read-only files below one folder. Any number of processes may put and get at the same time."""

from pathlib import Path

from gnomon.stores.content import ContentFolder


class DiskObjectStore(ContentFolder):
    """The real object store: ``root/sha256/ab/abcd…``; ``root/tmp`` holds what is being written, for ``sweep`` to clear."""

    def __init__(self, root: Path) -> None:
        self.root = root
        super().__init__(root / "sha256", root / "tmp", fan_out=True)
