"""A DynamoDB client for storms: the requests and answers of botocore's, signed by botocore, at a fifth of its CPU time.

64,000 claims would take botocore alone over a minute on one core. What it leaves out is what a claim does not meet:
validation of parameters, retries, rules of endpoints, other protocols.
"""

import json
import threading
from http.client import HTTPConnection, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError


class WireClient:
    """``update_item`` at the endpoint, region and account of ``client``, for any number of threads."""

    def __init__(self, client: Any) -> None:
        self._url = client.meta.endpoint_url
        self._signer = SigV4Auth(client._get_credentials(), "dynamodb", client.meta.region_name)
        self._of_thread = threading.local()

    def update_item(self, **request: Any) -> dict[str, Any]:
        """Send an UpdateItem.

        Raises:
            ClientError: as botocore raises it.
        """
        body = json.dumps(request).encode()
        signed = AWSRequest("POST", f"{self._url}/", data=body, headers=_HEADERS)
        self._signer.add_auth(signed)
        connection = self._connection()
        connection.request("POST", "/", body, dict(signed.headers.items()))
        answer = connection.getresponse()
        content: dict[str, Any] = json.loads(answer.read())
        if answer.status == 200:
            return content
        code = content.pop("__type").rpartition("#")[2]
        raise ClientError(
            {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": answer.status}, **content}, "UpdateItem"
        )

    def _connection(self) -> HTTPConnection:
        connection: HTTPConnection | None = getattr(self._of_thread, "connection", None)
        if connection is None:
            url = urlsplit(self._url)
            kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
            connection = self._of_thread.connection = kind(url.hostname or "", url.port, timeout=60)
        return connection


_HEADERS = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.UpdateItem"}
