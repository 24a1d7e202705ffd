"""Objects in memory, for tests."""

from gnomon.stores.content_memory import ContentMemory


class MemoryObjectStore(ContentMemory):
    """The twin of the real store."""
