"""The domain errors: each message is a sentence that names the value and the remedy."""


class TerraweaveError(Exception):
    """Something the user can be told in one sentence."""

    exit_code = 1


class InputError(TerraweaveError):
    """What the user gave does not fit; the message names the value and the remedy."""

    exit_code = 2


class JobError(InputError):
    """A job document that cannot be understood."""


class ModelFileError(InputError):
    """A model file that is damaged, hostile, newer than this software, or of another family."""


class Cancelled(TerraweaveError):
    """The user, or the end of the host, asked the run to stop."""

    exit_code = 3


class ResourceError(TerraweaveError):
    """The machine ran out of something: disk, memory, a file that vanished during the run."""

    exit_code = 4
