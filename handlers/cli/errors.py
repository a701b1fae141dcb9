"""How commands report an error: in one sentence, never as a stack trace."""

import traceback
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from lib.platform import aws
from lib.platform.errors import SwitchboardError

_ROOT = Path(__file__).resolve().parents[2]
_HINTS: dict[type[BaseException], str] = {
    NoCredentialsError: aws.NO_CREDENTIALS,
    NoRegionError: aws.NO_REGION,
}


def explain(error: BaseException) -> str:
    """The sentence for ``error``."""
    for kind, hint in _HINTS.items():
        if any(isinstance(each, kind) for each in _chain(error)):
            return hint
    if isinstance(error, ClientError):
        error = aws.translate(error, "do that")
    if isinstance(error, SwitchboardError):
        return str(error) or type(error).__name__
    if isinstance(error, BotoCoreError):  # of making a client: what the configuration lacks
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
    return f"internal error: {type(error).__name__} at {_place(error)}; please report it"


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _place(error: BaseException) -> str:
    """The last line of our own code in the traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if any(Path(frame.filename).is_relative_to(_ROOT / top) for top in ("handlers", "lib"))]
    frame = (own or frames)[-1]
    path = Path(frame.filename)
    return f"{path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else path.name}:{frame.lineno}"
