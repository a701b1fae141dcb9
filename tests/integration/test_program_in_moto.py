"""The program with everything that config can switch on, created in moto by the local cloud's own creators."""

import functools
from typing import Any

import boto3
import pytest

from stack.local import in_process, program
from stack.local.aws_endpoint import AwsEndpoint
from stack.local.resources import Blueprint, creator_of
from stack.local.resources.registry import Creator
from tests.support.project.pulumi_graph import ACCOUNT, EVERYTHING, REGION, declare

CONFIG, SECRETS = EVERYTHING
URL = "http://127.0.0.1:4566"


@pytest.fixture(scope="module")
def created() -> dict[str, list[object]]:
    """The inputs that each kind of resource was created from, in an AWS endpoint that accepted all of them."""
    seen: dict[str, list[object]] = {}

    def recording(token: str) -> Creator:
        def create(cloud: Blueprint, logical: str, inputs: dict[str, object]) -> tuple[str, dict[str, object]]:
            seen.setdefault(token, []).append(inputs)
            return creator_of(token)(cloud, logical, inputs)

        return create

    endpoint = AwsEndpoint()
    session: Any = boto3.Session("test", "test", region_name=REGION)

    @functools.cache
    def client(service: str) -> Any:
        made = session.client(service, endpoint_url=URL)
        in_process.connect(made, endpoint)
        return made

    blueprint = Blueprint(client, REGION, ACCOUNT, URL)
    config = {f"switchboard:{key}": value for key, value in {**CONFIG, **SECRETS}.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "creator_of", recording)
        program.run_program(blueprint, config)
    cors = blueprint.client("s3").get_bucket_cors(
        Bucket=next(name for name in buckets(blueprint) if name.startswith("imports"))
    )
    seen["cors in moto"] = cors["CORSRules"]
    functions = [each["FunctionName"] for each in blueprint.client("lambda").list_functions()["Functions"]]
    reserved = (blueprint.client("lambda").get_function(FunctionName=name).get("Concurrency") for name in functions)
    seen["concurrency in moto"] = [each["ReservedConcurrentExecutions"] for each in reserved if each]
    return seen


def test_every_target_of_alarms_is_subscribed(created: dict[str, list[object]]) -> None:
    subscribed = [each for each in created["aws:sns/topicSubscription:TopicSubscription"] if isinstance(each, dict)]

    assert sorted((each["protocol"], each["endpoint"]) for each in subscribed) == [
        ("email", "all@example.com"),
        ("email", "all@example.com"),
        ("email", "operations@example.com"),
        ("email", "operations@example.com"),
        ("email", "ops@example.com"),
        ("https", "https://alerts.example.com/a?key=hush"),
    ]


def test_every_kind_of_resource_is_created(created: dict[str, list[object]]) -> None:
    assert created.keys() - {"cors in moto", "concurrency in moto"} == {
        resource.type for resource in declare(*EVERYTHING, "local").resources
    }


def test_no_creator_gets_a_whole_number_as_a_float_since_aws_refuses_one(created: dict[str, list[object]]) -> None:
    assert {kind: found for kind, inputs in created.items() if (found := whole_floats(inputs))} == {}


def test_browsers_may_cache_the_bucket_s_answer_for_an_hour(created: dict[str, list[object]]) -> None:
    [rule] = created["cors in moto"]

    assert isinstance(rule, dict)
    assert rule["MaxAgeSeconds"] == 3600


def test_the_functions_that_config_names_have_their_reserved_concurrency(created: dict[str, list[object]]) -> None:
    assert sorted(created["concurrency in moto"], key=str) == [10, 20]


def whole_floats(value: object) -> list[float]:
    if isinstance(value, dict):
        return [found for item in value.values() for found in whole_floats(item)]
    if isinstance(value, list):
        return [found for item in value for found in whole_floats(item)]
    return [value] if isinstance(value, float) and value.is_integer() else []


def buckets(blueprint: Blueprint) -> list[str]:
    return [bucket["Name"] for bucket in blueprint.client("s3").list_buckets()["Buckets"]]
