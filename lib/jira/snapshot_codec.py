"""How a snapshot is stored: compressed in its row, or as a gzip object in the artifact bucket if it is large.

In a row, the first byte is the number of a dictionary, and zlib's data follow, with its checksum. A row of a release before
docs/adr/0033 has the JSON itself. :func:`decode` reads all three.
"""

import gzip
import zlib

from lib.jira.snapshot_dictionaries import DICTIONARIES
from lib.platform import errors
from lib.platform.wording import counted

MAX_BYTES = 5_000_000
"""A snapshot that is larger when it is decompressed is not read."""

_CURRENT = max(DICTIONARIES)
_LEVEL = 9  # measured: docs/adr/0033
_GZIP_MAGIC = b"\x1f\x8b"


def encode(snapshot: str) -> bytes:
    """A snapshot as its row keeps it."""
    compressor = zlib.compressobj(_LEVEL, zdict=DICTIONARIES[_CURRENT])
    return bytes([_CURRENT]) + compressor.compress(snapshot.encode()) + compressor.flush()


def encode_large(snapshot: str) -> bytes:
    """A snapshot as the artifact bucket keeps it: gzip, which any tool reads. The same snapshot always gives the same bytes."""
    return gzip.compress(snapshot.encode(), mtime=0)


def decode(stored: str | bytes) -> str:
    """The snapshot that a row or an object keeps, in any form that was ever written.

    Raises:
        PayloadTooLargeError: it has more than :data:`MAX_BYTES`.
        InvalidInputError: it is damaged, or a later release wrote it.
    """
    if isinstance(stored, str):
        return stored
    try:
        return _decompressed(stored).decode()
    except (zlib.error, UnicodeDecodeError) as error:
        raise errors.InvalidInputError(f"the snapshot is damaged: {error}") from error


def _decompressed(stored: bytes) -> bytes:
    if stored.startswith(_GZIP_MAGIC):
        data, decompressor = stored, zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    else:
        number = stored[0] if stored else 0
        if number not in DICTIONARIES:
            raise errors.InvalidInputError(f"the snapshot is damaged, or of a later release: it begins with the byte {number}")
        data, decompressor = stored[1:], zlib.decompressobj(zdict=DICTIONARIES[number])
    content = decompressor.decompress(data, MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise errors.PayloadTooLargeError(f"the snapshot has more than {counted(MAX_BYTES, 'byte')}")
    if not decompressor.eof or decompressor.unused_data:
        raise errors.InvalidInputError("the snapshot is damaged: it does not end where it should")
    return content
