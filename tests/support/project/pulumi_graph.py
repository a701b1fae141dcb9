"""The infrastructure program run under Pulumi's mocks, as a graph of resources to assert on.

Every resource gets the computed outputs that the program uses, in AWS's own forms, so that a test can distinguish one ARN
from another.
"""

import asyncio
import dataclasses
import functools
import gc
import json
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

import pulumi
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.settings import set_root_resource
from pulumi.runtime.stack import run_pulumi_func

from lib.platform.contract import ALL_ENTRY_POINTS, CHANNELS
from stack.local.program import skip_stack_traces

ACCOUNT, REGION = "123456789012", "us-west-2"
ALIAS = "aws:lambda/alias:Alias"

# A Jira site, for the tests that need one: config and secrets.
JIRA_CONFIG = {
    "jiraBaseUrl": "https://example.atlassian.net",
    "jiraEmail": "switchboard@example.com",
    "jiraProjects": "TES,OPS",
}
JIRA_SECRETS = dict.fromkeys(("jiraApiToken", "jiraWebhookSecret", "jiraAutomationToken", "commitWebhookSecret"), "hush")
APPROVALS_SECRETS = dict.fromkeys(("slackBotToken", "slackSigningSecret"), "hush")

# Config and secrets with which the program declares all that it can: every channel, projects, approvals, every secret, a legacy
# table. Running the program takes most of the time of the tests of the stack: they share this graph and declare().
EVERYTHING = (
    {
        **JIRA_CONFIG,
        "alarmEmail": "operations@example.com",
        "alarmTargets": (
            "page:https://alerts.example.com/a?key=hush, ticket:ops@example.com, all@example.com, page:all@example.com"
        ),
        "approvalsReservedConcurrency": "10",
        "corsOrigins": "https://shop.example.com,https://admin.example.com",
        "historyDays": "90",
        "httpBurstLimit": "400",
        "httpRateLimit": "200",
        "logRetentionDays": "90",
        "runbookBaseUrl": "https://docs.example.com/runbooks",
        "tags": '{"Owner": "platform", "Project": "leases"}',
        "webhooksReservedConcurrency": "20",
        "notifyChannels": ",".join(CHANNELS),
        "govukNotifyTemplateId": "9d751e0e-f929-4891-82a1-a3e1c3c18ee3",
        "backfillSourceTableArn": "arn:aws:dynamodb:us-west-2:123456789012:table/legacy-issues",
    },
    {
        **JIRA_SECRETS,
        **APPROVALS_SECRETS,
        **dict.fromkeys(("slackWebhookUrl", "teamsWebhookUrl", "govukNotifyApiKey", "eventWebhookSecret"), "hush"),
    },
)

# How a secret looks where the program hands it to the engine.
_SIGNATURE, _SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"


@dataclasses.dataclass(frozen=True, slots=True)
class Resource:
    """One resource as the program declared it, with what AWS would answer. Secrets are opened."""

    type: str
    name: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    secret_inputs: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Graph:
    """Everything that the program declared.

    Attributes:
        resources: the resources of AWS.
        components: the components that they are grouped in.
        outputs: the outputs of the stack.
        options: Pulumi's own, by type and name.
        classes: the SDK's class, by type and name.
    """

    resources: tuple[Resource, ...]
    components: tuple[Resource, ...]
    outputs: dict[str, Any]
    options: dict[tuple[str, str], pulumi.ResourceOptions]
    classes: dict[tuple[str, str], type[pulumi.Resource]]

    def all(self, type_: str) -> list[Resource]:
        """The resources of a type (``aws:sqs/queue:Queue``)."""
        return [resource for resource in self.resources if resource.type == type_]

    def one(self, type_: str, name: str | None = None) -> Resource:
        """The one resource of a type, or the one that has this logical name."""
        found = [resource for resource in self.all(type_) if name in (None, resource.name)]
        assert len(found) == 1, f"{len(found)} of {type_} {name or ''}, not 1"
        return found[0]

    def arn(self, type_: str, name: str) -> str:
        """The ARN of a resource."""
        return str(self.one(type_, name).outputs["arn"])


class _Recorder(Mocks):
    def __init__(self, replaced: str = "") -> None:
        self.resources: list[Resource] = []
        self.components: list[Resource] = []
        self._replaced = replaced

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        inputs = _open(args.inputs)
        if not args.custom:
            self.components.append(Resource(args.typ, args.name, inputs, {}, frozenset()))
            return f"{args.name}-id", inputs
        physical = inputs.get("name") or f"{args.name}-1a2b3c4"
        arn = _arn(args.typ, f"{inputs['functionName']}:{physical}" if args.typ == ALIAS else physical)
        outputs = {**inputs, "name": physical, "arn": arn, **_computed(args.typ, physical)}
        secret = frozenset(name for name, value in args.inputs.items() if _is_secret(value))
        self.resources.append(Resource(args.typ, args.name, inputs, outputs, secret))
        if args.typ == self._replaced:
            return "", dict(args.inputs)  # a preview does not know what AWS will compute
        return _identifier(args.typ, physical), outputs

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"the program asks AWS while it runs: {args.token}")


def declare(config: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None, stack: str = "prod") -> Graph:
    """Run the program with config and secrets (keys without the namespace) for a stack, and return what it declared.

    A run is done once for the same arguments and region.
    """
    region = os.environ.get("AWS_REGION", "")
    return _declare(tuple(sorted((config or {}).items())), tuple(sorted((secrets or {}).items())), stack, region)


@functools.cache
def _declare(config: tuple[tuple[str, str], ...], secrets: tuple[tuple[str, str], ...], stack: str, _region: str) -> Graph:
    def program() -> Mapping[str, pulumi.Output[Any]]:
        from stack.__main__ import deploy
        from stack.settings import Settings

        values = {f"switchboard:{key}": value for key, value in (*config, *secrets)}
        pulumi.runtime.set_all_config(values, secret_keys=[f"switchboard:{key}" for key, _ in secrets])
        return deploy(Settings.load(), dict.fromkeys(ALL_ENTRY_POINTS, pulumi.AssetArchive({})), stack)

    return record(program, stack)


def record(program: Callable[[], Mapping[str, pulumi.Output[Any]]], stack: str = "prod", *, replaced: str = "") -> Graph:
    """Run any piece of program, which returns its outputs, and return what it declared.

    With ``replaced``, as a preview that is about to replace every resource of that type, and nothing else.
    """
    recorder = _Recorder(replaced)
    outputs: dict[str, Any] = {}
    options: dict[tuple[str, str], pulumi.ResourceOptions] = {}
    classes: dict[tuple[str, str], type[pulumi.Resource]] = {}
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # A failure that is reported to the engine is also raised as an exception.
    logging.getLogger("pulumi").setLevel(logging.CRITICAL)

    def note_options(args: pulumi.ResourceTransformationArgs) -> None:
        options[args.type_, args.name] = args.opts
        classes[args.type_, args.name] = type(args.resource)

    def run() -> None:
        pulumi.runtime.register_stack_transformation(note_options)
        for name, value in program().items():
            value.apply(functools.partial(outputs.__setitem__, name))

    skip_stack_traces()
    gc.disable()  # a run makes so many objects that collecting them takes half of its time
    try:
        set_root_resource(None)  # type: ignore[arg-type]  # else this run would inherit what an earlier one registered
        set_mocks(recorder, project="switchboard", stack=stack, preview=bool(replaced))
        loop.run_until_complete(run_pulumi_func(run))
    finally:
        asyncio.set_event_loop(None)
        loop.close()
        gc.enable()
    return Graph(tuple(recorder.resources), tuple(recorder.components), outputs, options, classes)


def statements(policy: str) -> list[dict[str, Any]]:
    """The statements of a policy's JSON text."""
    return list(json.loads(policy)["Statement"])


def _is_secret(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get(_SIGNATURE) == _SECRET


def _open(value: Any) -> Any:
    if _is_secret(value):
        return _open(value["value"])
    if isinstance(value, Mapping):
        return {key: _open(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_open(item) for item in value]
    return value


def _arn(type_: str, name: str) -> str:
    at = f"{REGION}:{ACCOUNT}"
    forms = {
        "aws:dynamodb/table:Table": f"arn:aws:dynamodb:{at}:table/{name}",
        ALIAS: f"arn:aws:lambda:{at}:function:{name}",
        "aws:lambda/function:Function": f"arn:aws:lambda:{at}:function:{name}",
        "aws:iam/role:Role": f"arn:aws:iam::{ACCOUNT}:role/{name}",
        "aws:cloudwatch/logGroup:LogGroup": f"arn:aws:logs:{at}:log-group:{name}",
        "aws:cloudwatch/eventRule:EventRule": f"arn:aws:events:{at}:rule/{name}",
        "aws:cloudwatch/eventBus:EventBus": f"arn:aws:events:{at}:event-bus/{name}",
        "aws:cloudwatch/metricAlarm:MetricAlarm": f"arn:aws:cloudwatch:{at}:alarm:{name}",
        "aws:s3/bucket:Bucket": f"arn:aws:s3:::{name}",
        "aws:scheduler/scheduleGroup:ScheduleGroup": f"arn:aws:scheduler:{at}:schedule-group/{name}",
        "aws:scheduler/schedule:Schedule": f"arn:aws:scheduler:{at}:schedule/default/{name}",
        "aws:secretsmanager/secret:Secret": f"arn:aws:secretsmanager:{at}:secret:{name}-AbCdEf",
    }
    service = type_.split(":")[1].split("/", maxsplit=1)[0]
    return forms.get(type_, f"arn:aws:{service}:{at}:{name}")


def _computed(type_: str, name: str) -> dict[str, str]:
    if type_ == "aws:apigatewayv2/api:Api":
        return {
            "apiEndpoint": f"https://{name}.execute-api.{REGION}.amazonaws.com",
            "executionArn": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{name}",
        }
    if type_ == "aws:s3/bucket:Bucket":
        return {"bucket": name}
    if type_ == "aws:lambda/function:Function":
        return {"version": "7"}
    if type_ == "aws:sqs/queue:Queue":
        return {"url": _identifier(type_, name)}
    return {}


def _identifier(type_: str, name: str) -> str:
    if type_ == "aws:sqs/queue:Queue":
        return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"
    return f"{name}-id"
