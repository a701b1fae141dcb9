"""Snapshots of issues that are too large for a row: gzip objects in the artifact bucket."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lib.platform import aws


class BucketSnapshots:
    """Snapshots in one bucket.

    Args:
        get_client: gives an S3 client of :mod:`lib.platform.aws`. Called only for a snapshot: most processes have none.
        bucket: the bucket's name.
    """

    def __init__(self, get_client: Callable[[], Any], bucket: str) -> None:
        self._get_client = get_client
        self._bucket = bucket

    def write(self, name: str, data: bytes) -> None:
        """Store ``data``, gzip of JSON, under ``name``.

        Raises:
            SwitchboardError: the bucket can't be reached or refuses.
        """
        try:
            self._get_client().put_object(
                Bucket=self._bucket, Key=name, Body=data, ContentType="application/json", ContentEncoding="gzip"
            )
        except (ClientError, BotoCoreError) as error:
            raise aws.translate(error, f"store the snapshot {name}") from error
