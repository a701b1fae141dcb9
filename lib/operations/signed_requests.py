"""Requests to the AWS_IAM routes of the HTTP API, signed with the operator's own credentials (Signature Version 4)."""

import json
from dataclasses import dataclass
from typing import Any

from lib.platform import aws, errors, http_errors

TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP API answered.

    Attributes:
        status: of HTTP.
        text: the body.
    """

    status: int
    text: str

    def json(self) -> Any:
        """The body as JSON; None if it is not JSON."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None


def send_signed(method: str, url: str, body: bytes = b"") -> Answer:
    """Send a request with a JSON ``body``, signed with the credentials of the environment.

    Raises:
        AccessDeniedError: there are no credentials to sign with.
        ConfigurationError: there is no region to sign with.
        UnavailableError: the API can't be reached.
        AmbiguousError: no answer came.
    """
    import requests  # noqa: PLC0415 - most commands don't need these
    from botocore.auth import SigV4Auth  # noqa: PLC0415
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.session import get_session  # noqa: PLC0415

    session = get_session()
    credentials, region = session.get_credentials(), session.get_config_variable("region")
    if credentials is None:
        raise errors.AccessDeniedError(aws.NO_CREDENTIALS)
    if not region:
        raise errors.ConfigurationError(aws.NO_REGION)
    request = AWSRequest(method, url, data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(credentials.get_frozen_credentials(), "execute-api", region).add_auth(request)
    try:
        response = requests.request(method, url, data=body, headers=dict(request.headers), timeout=TIMEOUT_SECONDS)
    except requests.RequestException as error:
        raise http_errors.no_answer("the API", "send the request", error) from None
    return Answer(response.status_code, response.text)
