"""A DynamoDB client for storms: the requests and answers of botocore's, signed by botocore, at a fifth of its CPU time.

64,000 claims would take botocore alone over a minute on one core. What it leaves out is what a claim does not meet:
validation of parameters, retries, rules of endpoints, other protocols.
"""

import json
import threading
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from tests.support.aws.wire import aws_error


class WireClient:
    """``update_item`` at the endpoint, region and account of ``client``, for any number of threads."""

    def __init__(self, client: Any) -> None:
        self._url = client.meta.endpoint_url
        self._signer = SigV4Auth(client._get_credentials(), "dynamodb", client.meta.region_name)
        self._of_thread = threading.local()
        self._one_by_one = threading.Lock()

    def update_item(self, **request: Any) -> dict[str, Any]:
        """Send an UpdateItem.

        Raises:
            ClientError: as botocore raises it.
        """
        answer, content = self._send(self._connection(), "UpdateItem", request)
        if answer.status == 200:
            return content
        code = content.pop("__type").rpartition("#")[2]
        raise aws_error(code, answer.status, **content)

    def _send(self, connection: HTTPConnection, operation: str, request: dict[str, Any]) -> tuple[HTTPResponse, dict[str, Any]]:
        body = json.dumps(request).encode()
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"DynamoDB_20120810.{operation}"}
        signed = AWSRequest("POST", f"{self._url}/", data=body, headers=headers)
        self._signer.add_auth(signed)
        connection.request("POST", "/", body, dict(signed.headers.items()))
        answer = connection.getresponse()
        return answer, json.loads(answer.read())

    def _connection(self) -> HTTPConnection:
        connection: HTTPConnection | None = getattr(self._of_thread, "connection", None)
        if connection is None:
            url = urlsplit(self._url)
            kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
            connection = self._of_thread.connection = kind(url.hostname or "", url.port, timeout=60)
            with self._one_by_one:  # and used once: of many that come at once, the engine's full backlog resets some
                self._send(connection, "ListTables", {"Limit": 1})
        return connection
