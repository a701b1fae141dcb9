"""A secret: cached, correct during a rotation, and available while Secrets Manager is not."""

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from lib.platform import aws, errors
from lib.platform.secrets import Secret
from tests.support.aws.environment import point_at
from tests.support.aws.secrets import SecretsManager
from tests.support.dynamodb.servers import cut_off
from tests.support.stopwatch import Stopwatch

DOWN = EndpointConnectionError(endpoint_url="secretsmanager")


@pytest.fixture
def stopwatch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def manager() -> SecretsManager:
    return SecretsManager("one")


@pytest.fixture
def secret(manager: SecretsManager, stopwatch: Stopwatch) -> Secret:
    """A secret with the value ``one``, which was read."""
    secret = Secret(manager, "arn", stopwatch)
    secret.values()
    return secret


def test_a_secret_is_read_on_first_use_and_then_cached(stopwatch: Stopwatch) -> None:
    manager = SecretsManager("one")
    secret = Secret(manager, "arn", stopwatch)
    assert manager.reads == 0

    assert [secret.values() for _ in range(100)] == [("one",)] * 100
    assert manager.reads == 1


def test_both_values_count_after_a_rotation_the_current_first(stopwatch: Stopwatch) -> None:
    assert Secret(SecretsManager("one", "two"), "arn", stopwatch).values() == ("two", "one")


def test_the_previous_value_is_read_after_a_mismatch_only(stopwatch: Stopwatch) -> None:
    manager = SecretsManager("one", "two")
    secret = Secret(manager, "arn", stopwatch)

    assert secret.any_value("two".__eq__)
    assert manager.stages_read == ["AWSCURRENT"]
    assert secret.any_value("one".__eq__)
    assert secret.any_value("one".__eq__)
    assert manager.stages_read == ["AWSCURRENT", "AWSPREVIOUS"]


def test_the_previous_value_is_not_refused_while_it_cannot_be_read(stopwatch: Stopwatch) -> None:
    manager = SecretsManager("one", "two")
    secret = Secret(manager, "arn", stopwatch)
    assert secret.any_value("two".__eq__)
    manager.error = DOWN

    for _ in range(10):  # a service that is down is not called for each
        with pytest.raises(errors.UnavailableError):
            secret.any_value("one".__eq__)
    assert manager.stages_read == ["AWSCURRENT", "AWSPREVIOUS"]


def test_the_cache_is_at_most_five_minutes_old(secret: Secret, manager: SecretsManager, stopwatch: Stopwatch) -> None:
    manager.rotate("two")

    stopwatch.seconds += 299.9
    assert secret.values() == ("one",)
    stopwatch.seconds += 0.1
    assert secret.values() == ("two", "one")


def test_a_revoked_value_is_refused_after_five_minutes(stopwatch: Stopwatch) -> None:
    manager = SecretsManager("leaked", "new")
    secret = Secret(manager, "arn", stopwatch)
    assert "leaked" in secret.values()

    del manager.stages["AWSPREVIOUS"]

    stopwatch.seconds += 300
    assert secret.values() == ("new",)


def test_a_refresh_finds_a_rotation_at_once(secret: Secret, manager: SecretsManager, stopwatch: Stopwatch) -> None:
    manager.rotate("two")

    assert secret.refresh() is True
    assert secret.values() == ("two", "one")


def test_a_refresh_without_a_change_returns_false(secret: Secret, stopwatch: Stopwatch) -> None:
    stopwatch.seconds += 30
    assert secret.refresh() is False


def test_refreshing_reads_at_most_every_thirty_seconds(secret: Secret, manager: SecretsManager, stopwatch: Stopwatch) -> None:
    for _ in range(600):  # a minute of bad signatures, ten a second
        stopwatch.seconds += 0.1
        secret.refresh()
    assert manager.reads == 1 + 2


def test_the_old_value_is_used_while_the_service_is_down(secret: Secret, manager: SecretsManager, stopwatch: Stopwatch) -> None:
    manager.error = DOWN
    stopwatch.seconds += 3600

    assert secret.values() == ("one",)
    assert secret.refresh() is False


def test_a_failed_service_is_not_called_again_for_30_seconds(
    secret: Secret, manager: SecretsManager, stopwatch: Stopwatch
) -> None:
    manager.error = DOWN
    stopwatch.seconds += 3600
    for _ in range(10):
        secret.values()
    assert manager.reads == 2


def test_a_recovered_services_value_is_used(secret: Secret, manager: SecretsManager, stopwatch: Stopwatch) -> None:
    manager.error = DOWN
    stopwatch.seconds += 3600
    secret.values()
    manager.error = None
    manager.rotate("two")
    stopwatch.seconds += 30

    assert secret.values() == ("two", "one")


def test_a_secret_that_was_never_read_is_an_error(stopwatch: Stopwatch) -> None:
    manager = SecretsManager("one")
    manager.error = DOWN
    secret = Secret(manager, "arn", stopwatch)
    with pytest.raises(errors.UnavailableError):
        secret.values()

    manager.error = None
    assert secret.values() == ("one",)


def test_a_secret_without_a_value_is_a_missing_resource(stopwatch: Stopwatch) -> None:
    with pytest.raises(errors.ResourceMissingError) as raised:
        Secret(SecretsManager(), "arn", stopwatch).values()
    assert errors.http_answer(raised.value).status == 503


def test_an_unset_secret_has_no_values_and_is_never_read(stopwatch: Stopwatch) -> None:
    manager = SecretsManager("one")
    secret = Secret(manager, "", stopwatch)

    assert secret.values() == ()
    assert secret.refresh() is False
    assert manager.reads == 0
    with pytest.raises(errors.ConfigurationError):
        secret.current()


def test_an_empty_secret_counts_as_unset(stopwatch: Stopwatch) -> None:
    secret = Secret(SecretsManager(""), "arn", stopwatch)
    assert secret.values() == ()
    with pytest.raises(errors.ConfigurationError):
        secret.current()


def test_the_current_value_is_the_newest(stopwatch: Stopwatch) -> None:
    assert Secret(SecretsManager("one", "two"), "arn", stopwatch).current() == "two"


def test_no_error_contains_the_value_or_the_services_message(stopwatch: Stopwatch) -> None:
    manager = SecretsManager("hunter2")
    manager.error = ClientError({"Error": {"Code": "DecryptionFailure", "Message": "hunter2"}}, "GetSecretValue")
    with pytest.raises(errors.PermanentError) as raised:
        Secret(manager, "arn", stopwatch).values()
    assert "hunter2" not in str(raised.value)
    assert raised.value.__suppress_context__


def test_half_of_an_answer_is_not_an_empty_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    with cut_off(b'{"Name": "webhook", "SecretString": "what the sender signs with"}') as url:
        point_at(monkeypatch, url)
        secret = Secret(aws.make_client("secretsmanager"), "arn")

        with pytest.raises(errors.ConnectionLostError):
            secret.values()


# Using a value


def accepts_only(good: str, sent: list[str]) -> Callable[[str], str]:
    def send(value: str) -> str:
        sent.append(value)
        if value != good:
            raise errors.CredentialRefusedError("refused")
        return "accepted"

    return send


def test_a_refused_secret_that_was_rotated_is_read_again_and_used(stopwatch: Stopwatch) -> None:
    manager = SecretsManager("old")
    sent: list[str] = []
    secret = Secret(manager, "arn", stopwatch)
    secret.current()
    manager.rotate("new")
    stopwatch.seconds += 31

    assert secret.use(accepts_only("new", sent)) == "accepted"
    assert sent == ["old", "new"]


def test_a_refused_secret_that_was_not_rotated_is_used_once(stopwatch: Stopwatch) -> None:
    sent: list[str] = []
    secret = Secret(SecretsManager("wrong"), "arn", stopwatch)
    secret.current()
    stopwatch.seconds += 31

    with pytest.raises(errors.CredentialRefusedError):
        secret.use(accepts_only("right", sent))
    assert sent == ["wrong"]


def test_a_line_break_around_a_secret_is_not_used(stopwatch: Stopwatch) -> None:
    sent: list[str] = []
    Secret(SecretsManager(" token\n"), "arn", stopwatch).use(sent.append)
    assert sent == ["token"]
