"""Starts the whole local cloud, and stops it without leaving a process or a port.

Order: the AWS endpoint (moto), the port of the HTTP API, the stand-ins, the program against moto, the functions, then what
invokes them. It stops in reverse order.
"""

import contextlib
import dataclasses
import gc
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import boto3
import botocore.session
from botocore.config import Config
from moto.cloudwatch.models import cloudwatch_backends
from moto.logs.models import logs_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from werkzeug.wrappers import Response

from lib.platform.contract import ALIAS
from stack.components.iam import reason_in
from stack.local import aws_endpoint, bucket_events, event_bridge, in_process, seed
from stack.local.errors import StartError
from stack.local.functions import Credentials, FunctionHost, FunctionSpec
from stack.local.http_gateway import HttpGateway
from stack.local.iam import Guard, Ledger, PolicyError, Services
from stack.local.iam.services import MayDo
from stack.local.invocations import Invoker
from stack.local.logs import LogShipper
from stack.local.monitoring.aws_metrics import QueueMetrics
from stack.local.monitoring.evaluator import AlarmEvaluator
from stack.local.monitoring.store import store_of
from stack.local.processes import Start, Zygote, spawn
from stack.local.program import PROJECT, read_config, run_program
from stack.local.queues import QueueBridge
from stack.local.reload import Reloader
from stack.local.resources import Blueprint
from stack.local.resources.registry import random_suffix, stable_suffix
from stack.local.sandbox import CHECKOUTS, Sandbox
from stack.local.schedules import ScheduleRunner
from stack.local.serving import Server
from stack.local.sigv4 import AccessKey
from stack.local.standins.base import StandIn
from stack.local.standins.govuk_notify import GovukNotify
from stack.local.standins.jira import Jira
from stack.local.standins.slack import Slack
from stack.local.standins.teams import SIGNATURE, WEBHOOK_PATH, Teams
from stack.local.versions import Reference, Versions

__all__ = ["LocalCloud", "Ready", "StartError"]

DEFAULT_REGION = "us-west-2"
ACCOUNT_ID = "123456789012"
_OPERATOR = Credentials(access_key_id="test", secret_access_key="test", session_token="")  # noqa: S106 (every local cloud's)
_NAMES = {"jiraBaseUrl": "jira", "slackApiUrl": "slack", "teamsWebhookUrl": "teams", "govukNotifyUrl": "govuk_notify"}
"""The stand-ins as ``/_local/ready`` names them, by their config key."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The URLs and outputs of a running local cloud: the line that ``up`` prints. Without a console, its URL is empty."""

    http_url: str
    aws_url: str
    region: str
    outputs: dict[str, Any]
    console_url: str = ""


class LocalCloud:
    """One local cloud. Use it as a context manager.

    Args:
        http_port: port of the HTTP API, 0 for any free one.
        aws_port: port of the AWS API, 0 for any free one.
        config: config keys and values that override Pulumi.local.yaml.
        echo_logs: print the functions' output on standard error too.
        enforce_iam: refuse every AWS call that the caller's role does not grant.
        sandboxes: what each function runs, by entry point: this checkout, or its built archive.
        functions_aws_url: a proxy in front of the AWS API that the functions call instead.
        schedules: run the functions on their schedules.
        names: ``stable`` for the same names of resources at every start, or ``random``.
        reload: apply edits of the functions' sources.
        seeded: begin with leases, Jira issues and notifications to Slack (seed.py), instead of empty.

    Raises:
        StartError: a port is taken, the config is wrong, a resource could not be created, or a policy can't be enforced.
    """

    def __init__(
        self,
        *,
        http_port: int = 0,
        aws_port: int = 0,
        config: Mapping[str, str] | None = None,
        echo_logs: bool = False,
        enforce_iam: bool = False,
        sandboxes: Mapping[str, Sandbox] = CHECKOUTS,
        functions_aws_url: str = "",
        schedules: bool = False,
        names: str = "stable",
        seeded: bool = False,
        reload: bool = False,
    ) -> None:
        self._reload = reload
        self._suffix_of = stable_suffix if names == "stable" else random_suffix
        self._sandboxes = sandboxes
        self._functions_aws_url = functions_aws_url
        self._exit = contextlib.ExitStack()
        self._start_process: Start = spawn
        if sandboxes is CHECKOUTS:  # an archive shares nothing with others
            zygote = Zygote()
            self._exit.callback(zygote.close)
            self._start_process = zygote.start
        self._clients: dict[tuple[str, str], Any] = {}
        self._client_lock = threading.Lock()
        self._session = boto3.Session(botocore_session=_plain_session())
        self._credentials: dict[str, Credentials] = {}
        self._keys = {"test": AccessKey("test", "", f"arn:aws:iam::{ACCOUNT_ID}:user/test")}
        self.hosts: dict[str, FunctionHost] = {}
        self.standins: dict[str, str] = {}
        """The URL of each stand-in, by the config key that it replaces."""
        self.refused_status = 0
        """The status of a webhook that was to store an issue and was refused; 0 if none was."""
        self._seeded = seeded
        with contextlib.ExitStack() as undo, _garbage_kept():
            undo.callback(self._exit.close)
            self.ready = self._start(http_port, aws_port, dict(config or {}), echo_logs, enforce_iam)
            if schedules:
                self._exit.callback(ScheduleRunner(ACCOUNT_ID, self._region, self._invoke_as).close)
            undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop everything and release every port."""
        self._exit.close()

    def client(self, service: str, function: str = "") -> Any:
        """A boto3 client of this cloud's AWS API, as an operator or as the role of ``function``."""
        with self._client_lock:
            if (service, function) not in self._clients:
                credentials = self._credentials[function] if function else _OPERATOR
                self._clients[service, function] = self._make_client(service, credentials)
            return self._clients[service, function]

    def _make_client(self, service: str, credentials: Credentials) -> Any:
        client = self._session.client(
            service,
            endpoint_url=self._aws.url,
            region_name=self._region,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token or None,
            config=Config(retries={"total_max_attempts": 1}, proxies={}, user_agent="local-cloud"),
        )
        in_process.connect(client, self._endpoint)
        return client

    def _start(self, http_port: int, aws_port: int, given: dict[str, str], echo_logs: bool, enforce_iam: bool) -> Ready:
        config = read_config(given)
        if self._seeded:
            config = {**_qualified(seed.defaults(_own(config))), **config}
        self._region = config.setdefault("aws:region", DEFAULT_REGION)
        if self._region not in _plain_session().get_available_regions("dynamodb"):
            raise StartError(f"aws:region is {self._region[:40]!r}, which is not an AWS region.")
        ledger = Ledger(reason_in) if enforce_iam else None
        guard = Guard(ACCOUNT_ID, ledger) if ledger else None
        endpoint = self._endpoint = aws_endpoint.AwsEndpoint(guard, ledger, self._keys.get)
        self._aws = self._serve(endpoint, aws_port, "the AWS API (--aws-port)", aws_endpoint.HANDLER)
        gateway = _Placeholder()
        http = self._serve(gateway, http_port, "the HTTP API (--http-port)")
        config, jira = self._with_standins(config)

        blueprint = Blueprint(self.client, self._region, ACCOUNT_ID, http.url, self._suffix_of)
        outputs = run_program(blueprint, config)
        may = _enforce(guard, Services(ACCOUNT_ID, ledger), blueprint) if guard and ledger else _allow_all

        versions = Versions(ACCOUNT_ID, self._region)
        live = [versions.resolve(Reference(name, ALIAS)).spec for name in blueprint.functions]
        writers = {spec.log_group: spec.name for spec in live}
        alarms: Any = cloudwatch_backends[ACCOUNT_ID][self._region]
        metrics = store_of(alarms)
        logs = LogShipper(
            lambda group: self.client("logs", writers.get(group, "")),
            logs_backends[ACCOUNT_ID][self._region],
            metrics.add,
            echo=echo_logs,
        )
        self._exit.callback(logs.close)
        for spec in live:  # their processes start with the first call, as on Lambda
            self._credentials[spec.name] = self._assume(spec.role_arn, spec.name)
            self.hosts[spec.name] = self._make_host(spec, logs)
        sqs = self.client("sqs")
        invoker = Invoker(
            self.hosts,
            versions,
            make_host=lambda spec: self._make_host(spec, logs),
            async_configs=blueprint.async_configs,
            sqs=sqs,
            sqs_of=lambda function: self.client("sqs", function),
            record=metrics.add,
            before_call=Reloader(self.hosts.values()).apply_edits if self._reload else lambda: None,
        )
        self._exit.callback(invoker.close)
        self._exit.callback(self._stop_functions)
        endpoint.invoker = invoker
        event_bridge.connect(invoker, may)
        self._exit.callback(event_bridge.disconnect)
        bucket_events.connect(may)
        self._exit.callback(bucket_events.disconnect)
        for source in blueprint.event_sources:
            poller = self.client("sqs", Reference.read(source.function).name)
            self._exit.callback(QueueBridge(source, invoker, sqs, poller).close)
        gateway.app = HttpGateway(
            blueprint.http_api, invoker, self._keys.get, write_log=logs.write, may=may, record=metrics.add
        )
        if self._seeded:
            seed.fill_lease_table(self.client("dynamodb"), _own(config), outputs)
            seed.fill_legacy_table(self.client("dynamodb"), _own(config))
        if self._seeded and jira is not None:
            self.refused_status = seed.fill_jira(jira, http.url, _own(config).get("jiraWebhookSecret", ""))
        queues = QueueMetrics(sqs_backends[ACCOUNT_ID][self._region], metrics)
        evaluator = AlarmEvaluator(alarms, metrics, queues, publish=_publish, may=may)
        self._exit.callback(evaluator.close)
        endpoint.states_after = evaluator.states_after
        ready = Ready(http.url, self._aws.url, self._region, outputs)
        about = {**dataclasses.asdict(ready), "standins": {_NAMES[key]: url for key, url in self.standins.items()}}
        del about["console_url"]  # it contains the token of the console, which is for the person who started it
        endpoint.ready = about
        return ready

    def _serve(self, app: Any, port: int, purpose: str, handler: Any = None) -> Server:
        server = Server(app, port, purpose=purpose, handler=handler)
        self._exit.callback(server.close)
        return server

    def _with_standins(self, config: dict[str, str]) -> tuple[dict[str, str], Jira | None]:
        """Start a stand-in for each outside service that the config gives no URL of, and add its URL; Jira's, if it is used."""
        complete, jira = dict(config), None
        if not complete.get(f"{PROJECT}:slackApiUrl"):
            complete[f"{PROJECT}:slackApiUrl"] = self._stand_in("slackApiUrl", Slack()) + "/api/"
        if not complete.get(f"{PROJECT}:jiraBaseUrl"):
            account = {complete.get(f"{PROJECT}:jiraEmail", ""): complete.get(f"{PROJECT}:jiraApiToken", "")}
            jira = Jira(account)
            complete[f"{PROJECT}:jiraBaseUrl"] = self._stand_in("jiraBaseUrl", jira)
        uses_teams = "teams" in complete.get(f"{PROJECT}:notifyChannels", "")
        if uses_teams and not complete.get(f"{PROJECT}:teamsWebhookUrl"):
            complete[f"{PROJECT}:teamsWebhookUrl"] = self._stand_in("teamsWebhookUrl", Teams(SIGNATURE)) + WEBHOOK_PATH
        api_key = complete.get(f"{PROJECT}:govukNotifyApiKey")
        if api_key and not complete.get(f"{PROJECT}:govukNotifyUrl"):
            complete[f"{PROJECT}:govukNotifyUrl"] = self._stand_in("govukNotifyUrl", GovukNotify(api_key))
        return complete, jira

    def _stand_in(self, key: str, standin: StandIn) -> str:
        self.standins[key] = self._serve(standin, 0, f"the stand-in for {type(standin).__name__}").url
        return self.standins[key]

    def _stop_functions(self) -> None:
        for host in self.hosts.values():
            host.stop()

    def _make_host(self, spec: FunctionSpec, logs: LogShipper) -> FunctionHost:
        return FunctionHost(
            spec,
            aws_url=self._functions_aws_url or self._aws.url,
            region=self._region,
            credentials=self._credentials[spec.name],
            write_log=logs.write,
            sandbox=self._sandboxes[spec.entry_point],
            start=self._start_process,
        )

    def _assume(self, role_arn: str, session_name: str) -> Credentials:
        answer = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName=session_name)
        issued, principal = answer["Credentials"], answer["AssumedRoleUser"]["Arn"]
        key = AccessKey(issued["SecretAccessKey"], issued["SessionToken"], principal)
        self._keys[issued["AccessKeyId"]] = key
        return Credentials(access_key_id=issued["AccessKeyId"], secret_access_key=key.secret, session_token=key.token)

    def _invoke_as(self, function_arn: str, payload: str, role_arn: str) -> None:
        credentials = self._assume(role_arn, "schedules")
        with self._client_lock:  # a session is not safe for threads
            client = self._make_client("lambda", credentials)
        client.invoke(FunctionName=function_arn, InvocationType="Event", Payload=payload.encode())


@contextlib.contextmanager
def _garbage_kept() -> Iterator[None]:
    """Switch garbage collection off, and exclude the objects made inside from later collections.

    The models of moto, botocore and Pulumi are a million objects that stay. Scanning them takes a quarter of the start, and
    would delay requests by half a second every few seconds.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
        gc.set_threshold(20_000, 50, 1_000)
    finally:
        gc.enable()


def _enforce(guard: Guard, services: Services, blueprint: Blueprint) -> MayDo:
    try:
        guard.register_roles()
        for resource_arn, document in blueprint.resource_policies:
            services.add_policy(resource_arn, document)
    except PolicyError as error:
        raise StartError(f"--enforce-iam can't enforce a policy of the program: {error}.") from error
    return services.may


def _own(config: Mapping[str, str]) -> dict[str, str]:
    """The program's keys, without their namespace."""
    return {key.removeprefix(f"{PROJECT}:"): value for key, value in config.items() if key.startswith(f"{PROJECT}:")}


def _qualified(config: Mapping[str, str]) -> dict[str, str]:
    return {f"{PROJECT}:{key}": value for key, value in config.items()}


def _publish(topic_arn: str, subject: str, message: str) -> None:
    sns_backends[ACCOUNT_ID][topic_arn.split(":")[3]].publish(message, topic_arn, subject=subject)


def _allow_all(*_: str) -> bool:
    return True


def _plain_session() -> botocore.session.Session:
    """A session that ignores the user's AWS profiles: a stale AWS_PROFILE must not stop a local cloud."""
    return botocore.session.Session({"profile": (None, None, None, None)})


class _Placeholder:
    """Reserves the port of the HTTP API until its routes are known: the program needs the URL."""

    app: Any = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer one request (WSGI)."""
        app = self.app or Response('{"message":"Service Unavailable"}', 503, content_type="application/json")
        return app(environ, start_response)
