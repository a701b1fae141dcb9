"""Snapshots of issues that are too large for a row: gzip objects in the artifact bucket."""

from collections.abc import Callable
from typing import Any

from lib.platform import aws


class BucketSnapshots:
    """Snapshots in one bucket. ``get_client`` returns an S3 client of :mod:`lib.platform.aws`; it is called only for a
    snapshot, since most processes store none."""

    def __init__(self, get_client: Callable[[], Any], bucket: str) -> None:
        self._get_client = get_client
        self._bucket = bucket

    def write(self, name: str, data: bytes) -> None:
        """Store ``data``, gzip of JSON, under ``name``.

        Raises:
            SwitchboardError: the bucket can't be reached or refuses.
        """
        with aws.translated(f"store the snapshot {name}"):
            self._get_client().put_object(
                Bucket=self._bucket, Key=name, Body=data, ContentType="application/json", ContentEncoding="gzip"
            )
