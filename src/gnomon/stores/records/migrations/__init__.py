"""How a database comes to the tables of ``schema``: one file in ``versions`` for each change of them.

Importing this imports Alembic, so that is done only for a database that is behind.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from gnomon.stores.records.schema import REVISION


def upgrade(connection: sa.Connection) -> None:
    """Bring the database to the newest revision, inside the connection's transaction: whole or not at all."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, REVISION)


def revisions() -> tuple[str, ...]:
    """Return every revision that this program knows, oldest first."""
    script = ScriptDirectory.from_config(_config())
    return tuple(reversed([revision.revision for revision in script.walk_revisions()]))


def _config() -> Config:
    config = Config()
    # A percent sign in the path would be read as an interpolation.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
