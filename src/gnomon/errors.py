"""The one error hierarchy: every error tells its cause and its mend.

Both are positional, so an error survives pickling between processes. Messages carry names and digests, never secrets.
"""


class GnomonError(Exception):
    """Base of every error that people are meant to read.

    Args:
        cause: What is wrong, naming the thing that is wrong.
        mend: What the reader can do about it.
    """

    def __init__(self, cause: str, mend: str) -> None:
        super().__init__(cause, mend)
        self.cause = cause
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.cause} ({self.mend})" if self.mend else self.cause


class UsageError(GnomonError):
    """A command or a call was given arguments that do not fit."""


class ManifestError(GnomonError):
    """A declared file cannot become a resource."""


class DanglingReferenceError(ManifestError):
    """A resource names another one that does not exist or does not fit."""


class NotFoundError(GnomonError):
    """The named thing does not exist here."""


class ConflictError(GnomonError):
    """Another actor changed the same thing first, or holds it now."""


class DataError(GnomonError):
    """A data source cannot become a snapshot, or a snapshot does not hold what was declared."""


class CheckFailedError(DataError):
    """A declared data check with ``fail: block`` does not hold."""


class RepositoryError(GnomonError):
    """Git said no, or said nothing in time."""


class RemoteUnreachableError(RepositoryError):
    """The remote did not answer within the deadline, or refused the connection."""


class BranchMissingError(RepositoryError):
    """The remote has no such branch. Never taken to mean that everything was deleted."""


class PushRefusedError(RepositoryError):
    """The remote refused a push for a reason that trying again does not cure, such as a protected branch."""


class StoreError(GnomonError):
    """A store cannot keep or give back what it was asked for."""


class CorruptBlobError(StoreError):
    """Stored bytes do not have the digest that names them."""


class StepFailedError(GnomonError):
    """A pipeline step raised, was killed, or ran out of time or memory."""


class TrainingError(GnomonError):
    """A candidate cannot be trained on this data."""


class ExportRefusedError(TrainingError):
    """A fitted candidate's ONNX graph does not agree with the native model; the cause holds the figures."""


class ArtifactError(GnomonError):
    """An artifact cannot be packed, read or run."""


class GoldenRowsError(ArtifactError):
    """This runtime does not reproduce the golden rows that the artifact carries."""


class InputError(GnomonError):
    """A prediction request does not fit the model's schema; the cause names the column."""


class GateRefusedError(GnomonError):
    """A candidate did not pass its gates; the cause holds the figures."""


class GatewayError(GnomonError):
    """The gateway cannot be started, reached or stopped."""


class OperatorUnreachableError(GnomonError):
    """No operator answers at the address that a command asked."""


class DeadlineError(GnomonError):
    """Something waited for did not come in time."""
