"""Wrong config stops with one sentence that names the key; right config arrives typed, however it was written."""

from typing import cast

import pulumi
import pytest

from lib.jira.reconciliation.checkpoint import DeleteLimit
from stack.config_values import SettingsError
from stack.settings import Settings
from tests.support.project.pulumi_graph import JIRA_CONFIG, declare

# Never opened here. A real output outside a run would wait forever for an event loop of its own.
SECRET = cast("pulumi.Output[str]", object())

WRONG_VALUES = [
    ("leaseTableArn", "LeaseTable", "must be the ARN of a DynamoDB table"),
    ("leaseTableArn", "arn:aws:s3:us-west-2:123456789012:table/LeaseTable", "must be the ARN of a DynamoDB table"),
    ("leaseTableArn", "arn:aws:dynamodb:us-west-2:1234:table/LeaseTable", "must be the ARN of a DynamoDB table"),
    ("leaseTableArn", "arn:aws:dynamodb:us-west-2:123456789012:table/Leases/index/ByUser", "is the ARN of an index"),
    ("leaseTableArn", "arn:aws:dynamodb:us-west-2:123456789012:table/Leases/stream/2026-01-01", "a stream or a backup"),
    ("leaseTableArn", "arn:aws:dynamodb:us-gov-west-1:123456789012:table/Leases", "us-gov-west-1 is in aws-us-gov"),
    ("leaseTableArn", "arn:aws-cn:dynamodb:us-west-2:123456789012:table/Leases", "us-west-2 is in aws"),
    ("leaseTableKeyArn", "alias/leases", "must be the ARN of a KMS key"),
    ("leaseTableKeyArn", "arn:aws:kms:us-west-2:123456789012:alias/leases", "must be the ARN of a KMS key (not of an alias)"),
    ("leaseTableKeyArn", "arn:aws:dynamodb:us-west-2:123456789012:table/Leases", "must be the ARN of a KMS key"),
    ("eventBusName", "arn:aws:events:us-west-2:123456789012:event-bus/isb", "must be the name of an event bus"),
    ("leaseEventSources", "", "must not be empty"),
    ("leaseEventSources", "*", "must be event sources"),
    ("leaseEventSources", "Innovation*Sandbox", "must be event sources"),
    ("consoleUrl", "sandbox.example.com", "must be an https:// URL"),
    ("consoleUrl", "http://sandbox.example.com", "must be an https:// URL"),
    ("consoleUrl", "https://[", "must be an https:// URL"),
    ("consoleUrl", "https://sandbox.example.com/a b", "must be an https:// URL"),
    ("consoleUrl", "https://sandbox.example.com:99999", "must be an https:// URL"),
    ("consoleUrl", "https://ada:secret@sandbox.example.com", "must not have a user name or password."),
    ("jiraBaseUrl", "https://example.atlassian.net?x", "must not have a query or a fragment"),
    ("notifyChannels", "sns,sms", "names the unknown channel 'sms'"),
    ("notifyChannels", "[]", "must not be empty"),
    ("notifyRoutes", "[{", "is not valid JSON"),
    ("notifyRoutes", '[{"drop": true}, {"match": {"severity": "info"}, "drop": true}]', "has a rule 2 that never applies"),
    (
        "notifyRoutes",
        '[{"match": {"event": "LeaseFrosen"}, "drop": true}]',
        "has a wrong rule 1: it names the unknown event type",
    ),
    (
        "notifyRoutes",
        '[{"match": {}, "channels": "teams"}]',
        "has a rule 1 for teams, which switchboard:notifyChannels does not have",
    ),
    ("notifyRoutes", '[{"mention": "here"}]', "has a rule 1 for slack, which switchboard:notifyChannels does not have"),
    ("notifyChannels", '["sns"', "starts like a JSON list"),
    ("notifyChannels", "[1]", "must be a list of strings"),
    ("notifyChannels", {"sns": True}, "must be a list of strings"),
    ("alarmEmail", "operations", "must be an e-mail address"),
    ("alarmTargets", "operations", "must be e-mail addresses and https:// URLs"),
    ("alarmTargets", "ops@example.com,http://alerts.example.com", "like ticket:ops@example.com (entry 2)"),
    ("alarmTargets", "pager:ops@example.com", "each alone or after page: or ticket:"),
    ("alarmTargets", "page:", "(entry 1)"),
    ("alarmTargets", "page:page:ops@example.com", "(entry 1)"),
    ("alarmTargets", "https://alerts.example.com/a b", "(entry 1)"),
    ("alarmTargets", {"page": "ops@example.com"}, "must be a list of strings"),
    ("runbookBaseUrl", "docs/runbooks", "must be an https:// URL"),
    ("runbookBaseUrl", f"https://docs.example.com/{'a' * 300}", "must be at most 300 characters long"),
    ("logRetentionDays", "31", "must be a retention that CloudWatch Logs supports"),
    ("logRetentionDays", "a month", "must be a whole number"),
    ("historyDays", "0", "must be 1 to 36,500, not 0"),
    ("historyDays", True, "must be a whole number"),
    ("reconcileMaxDeletes", "-5", "must be a number of issues up to 1000, like 50, or a share of them, like 5%"),
    ("reconcileMaxDeletes", "1001", "must be a number of issues up to 1000"),
    ("reconcileMaxDeletes", "some", "must be a number of issues"),
    ("reconcileMaxDeletes", "5.5%", "must be a number of issues"),
    ("reconcileMaxDeletes", "101%", "must be a number of issues"),
    ("reconcileMaxDeletes", 50, "must be a string"),
    ("tags", "blue", "must be an object"),
    ("tags", ["blue"], "must be an object of strings"),
    ("tags", {"Owner": ["a"]}, "must be an object of strings"),
    ("tags", {"": "a"}, "has the tag key ''"),
    ("tags", {"a" * 129: "a"}, "a key is 1 to 128"),
    ("tags", {"Owner ": "a"}, "has the tag key 'Owner '"),
    ("leaseEventSources", "leases,switchboard.*", "includes switchboard.shuttle, whose events are not about leases"),
    ("leaseEventSources", "switchboard.shuttle", "remove or lengthen 'switchboard.shuttle'"),
    ("tags", {"Owner?": "a"}, "has the tag key 'Owner?'"),
    ("tags", {"AWS:owner": "a"}, "does not start with aws:"),
    ("tags", {"Owner": "a,b"}, "has a value of Owner that"),
    ("tags", {"Owner": "a" * 257}, "has a value of Owner that"),
    ("tags", {"Owner": "a", "owner": "a"}, "has tag keys that differ only in case"),
    ("tags", {"project": "a"}, "has tag keys that differ only in case: project and Project"),
    ("tags", {f"key{number}": "" for number in range(49)}, "has 49 tags"),
    ("consoleLeasePath", "/leases", "must be a path like /leases/{leaseId}"),
    ("consoleLeasePath", "leases/{uuid}", "must be a path like"),
    ("consoleLeasePath", "/leases/{id}", "must be a path like"),
    ("protect", "maybe", "must be auto, true or false, not 'maybe'"),
    ("jiraDryRun", "1", "must be true or false"),
    ("jiraProjects", "TES,ops", "must be project keys like TES (entry 2)"),
    ("jiraEmail", "bot at example.com", "must be an e-mail address"),
    ("slackApiUrl", "slack.com", "must be an https:// URL"),
    ("slackApiUrl", "", "must not be empty"),
    ("slackChannel", 5, "must be a string"),
    ("slackChannel", "a b", "must be a Slack channel's name or ID"),
    ("slackChannel", "#", "must be a Slack channel's name or ID"),
    ("approvalReminderHours", "337", "must be at most 336, since switchboard:approvalExpiryDays is 14"),
    ("govukNotifyTemplateId", "welcome", "must be the UUID of a template"),
    ("corsOrigins", "https://shop.example.com/upload", "must be origins"),
    ("httpRateLimit", "0", "must be 1 to 100,000, not 0"),
    ("httpRateLimit", "1000000000", "must be 1 to 100,000, not 1000000000"),
    ("httpBurstLimit", "-1", "must be 1 to 100,000, not -1"),
    ("httpRateLimit", "2.5", "must be a whole number"),
    ("approvalsReservedConcurrency", "-1", "must be 0 (none) to 100,000, not -1"),
    ("webhooksReservedConcurrency", "many", "must be a whole number"),
    ("shuttleReservedConcurrency", "5", "is not a Switchboard key"),
    ("notifyChanels", "sns", "is not a Switchboard key (did you mean switchboard:notifyChannels?)"),
    ("colour", "green", "is not a Switchboard key."),
]


@pytest.mark.parametrize(("key", "value", "complaint"), WRONG_VALUES)
def test_a_wrong_value_is_refused_in_one_sentence_that_names_its_key(key: str, value: object, complaint: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_mapping({key: value}, {})

    sentence = str(refused.value)
    assert sentence.startswith(f"switchboard:{key} ")
    assert complaint in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_the_cli_prints_only_the_message_of_a_run_error() -> None:
    assert issubclass(SettingsError, pulumi.RunError)


def test_a_route_to_a_slack_channel_needs_the_bot() -> None:
    rules = [{"match": {"severity": "critical"}, "slackChannel": "C0123456789"}]
    with pytest.raises(SettingsError, match=r"^switchboard:notifyRoutes has a rule 1 with a slackChannel, which needs"):
        Settings.from_mapping({"notifyChannels": "slack", "notifyRoutes": rules}, {"slackWebhookUrl": SECRET})

    by_bot = {"notifyChannels": "slack", "slackChannel": "C1", "notifyRoutes": rules}
    assert Settings.from_mapping(by_bot, {"slackBotToken": SECRET}).notify_routes[0].slack_channel == "C0123456789"


def test_a_lease_path_needs_the_consoles_url() -> None:
    with pytest.raises(SettingsError, match=r"^switchboard:consoleUrl is not set"):
        Settings.from_mapping({"consoleLeasePath": "/leases/{uuid}"}, {})


@pytest.mark.parametrize(
    ("key", "value"),
    [("alarmEmail", "jane.doe@example"), ("alarmTargets", "jane.doe@example"), ("alarmTargets", "page: http://jane.example")],
)
def test_an_address_or_url_that_is_wrong_is_not_shown_back(key: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_mapping({key: value}, {})

    assert "jane" not in str(refused.value)


@pytest.mark.parametrize(
    ("channel", "values", "secrets", "missing"),
    [
        ("slack", {}, (), "slackWebhookUrl"),
        ("slack", {"slackChannel": "#leases"}, (), "slackWebhookUrl"),
        ("slack", {}, ("slackBotToken",), "slackChannel"),
        ("teams", {}, (), "teamsWebhookUrl"),
        ("govuk_notify", {}, (), "govukNotifyApiKey"),
        ("govuk_notify", {}, ("govukNotifyApiKey",), "govukNotifyTemplateId"),
    ],
)
def test_a_channel_without_what_it_needs_is_refused(
    channel: str, values: dict[str, str], secrets: tuple[str, ...], missing: str
) -> None:
    with pytest.raises(SettingsError, match=f"^switchboard:{missing} is not set, but the channel {channel} ") as refused:
        Settings.from_mapping({"notifyChannels": f"sns,{channel}", **values}, dict.fromkeys(secrets, SECRET))

    assert str(refused.value).count(".") == 1


@pytest.mark.parametrize(
    ("channel", "values", "secrets"),
    [
        ("sns", {}, ()),
        ("slack", {}, ("slackWebhookUrl",)),
        ("slack", {"slackChannel": "#leases"}, ("slackBotToken",)),
        ("teams", {}, ("teamsWebhookUrl",)),
        ("govuk_notify", {"govukNotifyTemplateId": "9d751e0e-f929-4891-82a1-a3e1c3c18ee3"}, ("govukNotifyApiKey",)),
    ],
)
def test_a_channel_with_what_it_needs_is_accepted(channel: str, values: dict[str, str], secrets: tuple[str, ...]) -> None:
    settings = Settings.from_mapping({"notifyChannels": channel, **values}, dict.fromkeys(secrets, SECRET))

    assert settings.notify_channels == (channel,)


@pytest.mark.parametrize(
    ("missing", "needing"),
    [("jiraBaseUrl", "jiraProjects"), ("jiraEmail", "jiraBaseUrl"), ("jiraApiToken", "jiraBaseUrl")],
)
def test_projects_to_reconcile_need_a_site_and_an_account(missing: str, needing: str) -> None:
    config = {key: value for key, value in JIRA_CONFIG.items() if key != missing}
    secrets = {} if missing == "jiraApiToken" else {"jiraApiToken": SECRET}

    with pytest.raises(
        SettingsError, match=f"^switchboard:{missing} is not set, but switchboard:{needing} needs it"
    ) as refused:
        Settings.from_mapping(config, secrets)

    assert str(refused.value).count(".") == 1


@pytest.mark.parametrize("missing", ["jiraEmail", "jiraApiToken"])
def test_a_site_without_projects_needs_an_account_too(missing: str) -> None:
    """Events that hold too little are completed from Jira."""
    config = {"jiraBaseUrl": JIRA_CONFIG["jiraBaseUrl"]} | ({} if missing == "jiraEmail" else {"jiraEmail": "a@example.com"})
    secrets = {} if missing == "jiraApiToken" else {"jiraApiToken": SECRET}

    with pytest.raises(SettingsError, match=f"^switchboard:{missing} is not set, but switchboard:jiraBaseUrl needs it"):
        Settings.from_mapping(config, secrets)


def test_webhooks_need_no_site_and_an_account_alone_asks_for_none() -> None:
    secrets = {"jiraWebhookSecret": SECRET, "commitWebhookSecret": SECRET, "jiraApiToken": SECRET}

    assert Settings.from_mapping({"jiraEmail": "switchboard@example.com"}, secrets).jira_projects == ()


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("", DeleteLimit(50, 0.05)),
        ("0", DeleteLimit(0, 0.0)),
        ("50", DeleteLimit(50, 0.0)),
        (" 5% ", DeleteLimit(0, 0.05)),
        ("100%", DeleteLimit(0, 1.0)),
    ],
)
def test_an_accepted_deletion_limit_is_what_reconciliation_reads(written: str, means: DeleteLimit) -> None:
    assert DeleteLimit.parse(Settings.from_mapping({"reconcileMaxDeletes": written}, {}).reconcile_max_deletes) == means


@pytest.mark.parametrize("written", [["sns", "slack"], '["sns", "slack"]', "sns,slack", " sns , slack ", "sns,slack,sns"])
def test_a_list_may_be_a_list_or_json_or_separated_by_commas(written: object) -> None:
    settings = Settings.from_mapping({"notifyChannels": written}, {"slackWebhookUrl": SECRET})

    assert settings.notify_channels == ("sns", "slack")


@pytest.mark.parametrize("written", [{"Owner": "Ada", "CostCenter": 42}, '{"Owner": "Ada", "CostCenter": 42}'])
def test_tags_may_be_an_object_or_json_and_a_number_is_text(written: object) -> None:
    """`pulumi config set --path tags.CostCenter 42` stores a number."""
    assert Settings.from_mapping({"tags": written}, {}).tags == {"Owner": "Ada", "CostCenter": "42"}


@pytest.mark.parametrize("written", ["", {}, {"Project": "leases", "Team": "Plattform-Größe 7 @ a/b:c=d+e", "Empty": ""}])
def test_tags_within_the_limits_of_aws_are_accepted(written: object) -> None:
    assert Settings.from_mapping({"tags": written}, {}).tags == (written or {})


@pytest.mark.parametrize(("written", "means"), [(90, 90), ("90", 90), (" 90 ", 90)])
def test_a_number_may_be_text(written: object, means: int) -> None:
    assert Settings.from_mapping({"historyDays": written}, {}).history_days == means


@pytest.mark.parametrize(("written", "means"), [(True, True), ("true", True), ("false", False), ("True", True)])
def test_a_switch_may_be_text(written: object, means: bool) -> None:
    assert Settings.from_mapping({"jiraDryRun": written}, {}).jira_dry_run is means


@pytest.mark.parametrize("stand_in", ["http://127.0.0.1:8081/api/", "http://localhost:8081/api/"])
def test_a_stand_in_on_loopback_needs_no_tls(stand_in: str) -> None:
    assert Settings.from_mapping({"slackApiUrl": stand_in}, {}).slack_api_url == stand_in


@pytest.mark.parametrize(
    ("protect", "stack", "protected"),
    [
        ("auto", "prod", True),
        ("auto", "staging", True),
        ("auto", "dev", False),
        ("auto", "local", False),
        ("auto", "ada-dev", False),
        ("auto", "ada-local", False),
        ("auto", "dev-eu", True),
        ("auto", "mydev", True),
        ("true", "ada-dev", True),
        ("", "prod", True),
        ("true", "dev", True),
        ("false", "prod", False),
    ],
)
def test_every_stack_but_disposable_ones_is_protected_unless_set_otherwise(protect: str, stack: str, protected: bool) -> None:
    assert Settings.from_mapping({"protect": protect}, {}).protects(stack) is protected


def test_an_unknown_config_key_stops_the_program() -> None:
    with pytest.raises(SettingsError, match=r"^switchboard:notifyChanel is not a Switchboard key"):
        declare({"notifyChanel": "sns"})


def test_a_plain_text_secret_fails_with_a_hint_how_to_set_it() -> None:
    with pytest.raises(SettingsError) as refused:
        declare({"eventWebhookSecret": "in the clear"})

    assert "pulumi config set --secret switchboard:eventWebhookSecret" in str(refused.value)
    assert "in the clear" not in str(refused.value)


@pytest.mark.parametrize("stack", ["local", "ada-local"])
def test_a_local_stack_may_hold_its_secrets_in_plain_text(stack: str) -> None:
    graph = declare({"eventWebhookSecret": "signs nothing but demos"}, stack=stack)

    assert graph.one("aws:secretsmanager/secretVersion:SecretVersion").name == "event-webhook-secret"


def test_a_lease_table_of_another_region_stops_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-west-2")

    with pytest.raises(
        SettingsError, match=r"^switchboard:leaseTableArn names a table in eu-west-2, but this stack is in us-west-2: deploy to"
    ):
        declare({"leaseTableArn": "arn:aws:dynamodb:eu-west-2:123456789012:table/Leases"})


@pytest.mark.parametrize("region", ["ap-east-2", "ap-southeast-6", "us-gov-west-1"])
def test_snap_start_where_lambda_lacks_it_stops_the_program(monkeypatch: pytest.MonkeyPatch, region: str) -> None:
    monkeypatch.setenv("AWS_REGION", region)
    declare()

    with pytest.raises(
        SettingsError, match=rf"^switchboard:snapStart is on, but Lambda has no SnapStart in {region}: leave it"
    ):
        declare({"snapStart": "true"})


KEY = "arn:aws:kms:us-west-2:123456789012:key/1a2b3c4d-1a2b-1a2b-1a2b-1a2b3c4d5e6f"


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("arn:aws:dynamodb:us-west-2:123456789012:table/Leases", KEY),
        ("arn:aws:dynamodb:us-west-2:210987654321:table/Leases", KEY.replace("123456789012", "210987654321")),
        (
            "arn:aws-us-gov:dynamodb:us-gov-west-1:123456789012:table/Leases",
            "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d",
        ),
    ],
    ids=["own account", "another account", "another partition, a key of several regions"],
)
def test_the_lease_table_and_its_key_may_be_of_any_account_and_partition(table: str, key: str) -> None:
    assert Settings.from_mapping({"leaseTableArn": table, "leaseTableKeyArn": key}, {}).lease_table_key_arn == key


def test_a_lease_table_key_without_its_table_is_refused() -> None:
    """Nothing would be read with the key."""
    with pytest.raises(SettingsError, match=r"^switchboard:leaseTableArn is not set, but switchboard:leaseTableKeyArn "):
        Settings.from_mapping({"leaseTableKeyArn": KEY}, {})


def test_a_key_of_another_region_than_the_table_is_refused() -> None:
    table = "arn:aws:dynamodb:us-west-2:123456789012:table/Leases"

    with pytest.raises(
        SettingsError, match=r"^switchboard:leaseTableKeyArn names a key in eu-west-2, but the table is in us-west-2"
    ):
        Settings.from_mapping({"leaseTableArn": table, "leaseTableKeyArn": KEY.replace("us-west-2", "eu-west-2")}, {})
