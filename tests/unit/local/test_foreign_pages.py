"""The local AWS API answers programs on this machine, not foreign web pages."""

import pytest
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from stack.local.aws_endpoint import is_foreign


def foreign(path: str = "/", **headers: str) -> bool:
    given = Headers({"Host": "127.0.0.1:4566"} | headers)
    return is_foreign(Request(EnvironBuilder(path, method="POST", headers=given).get_environ()))


@pytest.mark.parametrize("host", ["127.0.0.1:4566", "127.0.0.1", "localhost:4566", "imports.localhost:4566"])
def test_a_name_of_this_machine_is_answered(host: str) -> None:
    assert not foreign(Host=host)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:4566", "127.0.0.1.evil.example:4566", "localhost.evil.example", ""]
)
def test_a_foreign_name_is_refused(host: str) -> None:
    assert foreign(Host=host)
    assert foreign("/_local/ready", Host=host)


def test_a_page_may_upload_but_not_use_the_controls() -> None:
    assert not foreign("/imports/uploads/a", Origin="http://localhost:3000")
    assert foreign("/_local/faults", Origin="http://evil.example")
    assert not foreign("/_local/faults")
