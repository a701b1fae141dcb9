"""What a request must be signed for, so that the local API accepts it."""

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from stack.local.sigv4 import AccessKey, authenticate

KEY = AccessKey("test", "", "arn:aws:iam::123456789012:user/test")


@pytest.mark.parametrize(
    ("service", "region", "accepted"),
    [("execute-api", "us-west-2", True), ("s3", "us-west-2", False), ("execute-api", "eu-west-1", False)],
)
def test_a_signature_counts_only_for_its_service_and_region(service: str, region: str, accepted: bool) -> None:
    signed = AWSRequest("GET", "http://localhost/shuttle/shops/a.example")
    SigV4Auth(Credentials("test", "test"), service, region).add_auth(signed)
    request = Request(EnvironBuilder(path="/shuttle/shops/a.example", headers=list(signed.headers.items())).get_environ())

    key = authenticate(request, {"test": KEY}.get, service="execute-api", region="us-west-2")

    assert (key == KEY) is accepted
