"""Routing: which rule applies to an event, where it sends the event, and which rules are refused."""

import json
from typing import Any

import pytest

from lib.leases.events import EventType
from lib.notifications.routing import MAX_BYTES, Attributes, Route, Rule, RulesError, as_json, find_route, parse_rules
from lib.notifications.severity import Severity, severity_of
from tests.support.leases.messages import enriched, message

CHANNELS = ("sns", "slack", "teams")
ABOUT = Attributes(
    event_type="LeaseFrozen",
    severity=Severity.WARNING,
    account="444455556666",
    template="Data science, small",
    template_id="c2b2a7f4-0d3e-4d5b-8a55-1f6c0e8f7b21",
    owner_domain="example.gov.uk",
)


def route(*rules: dict[str, Any], about: Attributes = ABOUT) -> Route:
    return find_route(parse_rules(list(rules)), about, CHANNELS)


# Which rule


def test_without_rules_an_event_goes_to_every_channel() -> None:
    assert route() == Route(CHANNELS)


def test_an_event_that_no_rule_matches_goes_to_every_channel() -> None:
    assert route({"match": {"severity": "critical"}, "drop": True}) == Route(CHANNELS)


def test_the_first_rule_that_matches_applies() -> None:
    rules = (
        {"match": {"severity": "critical"}, "channels": ["teams"]},
        {"match": {"event": "LeaseFrozen"}, "channels": ["slack"], "slackChannel": "C012345", "mention": "@here"},
        {"match": {"event": "LeaseFrozen"}, "drop": True},
    )
    assert route(*rules) == Route(("slack",), "C012345", "here", 2)


def test_a_rule_can_drop_an_event() -> None:
    assert route({"drop": True}) == Route((), rule=1)


def test_a_rule_without_channels_keeps_all_of_them() -> None:
    assert route({"mention": "here"}) == Route(CHANNELS, mention="here", rule=1)


@pytest.mark.parametrize(
    ("match", "matches"),
    [
        ({}, True),
        ({"event": "LeaseFrozen"}, True),
        ({"event": ["LeaseExpired", "LeaseFrozen"]}, True),
        ({"event": "Lease*"}, True),
        ({"event": "Account*"}, False),
        ({"severity": ["warning", "critical"]}, True),
        ({"severity": "critical"}, False),
        ({"template": "Data science, small"}, True),
        ({"template": "Data science*"}, True),
        ({"template": "c2b2a7f4-0d3e-4d5b-8a55-1f6c0e8f7b21"}, True),
        ({"template": "Data"}, False),
        ({"account": "444455556666"}, True),
        ({"account": 444455556666}, True),
        ({"account": "111122223333"}, False),
        ({"ownerDomain": "Example.GOV.uk"}, True),
        ({"ownerDomain": "gov.uk"}, False),
        ({"event": "LeaseFrozen", "severity": "warning", "account": "444455556666"}, True),
        ({"event": "LeaseFrozen", "severity": "critical"}, False),
    ],
)
def test_a_rule_matches_if_every_condition_holds(match: dict[str, Any], matches: bool) -> None:
    assert (route({"match": match, "drop": True}).rule == 1) == matches


def test_what_is_not_known_matches_no_condition() -> None:
    unknown = Attributes(event_type="LeaseFrozen", severity=Severity.WARNING)
    for match in ({"template": "D*"}, {"account": "444455556666"}, {"ownerDomain": "example.gov.uk"}):
        assert route({"match": match, "drop": True}, about=unknown).rule is None


def test_a_message_says_what_it_can_be_routed_by() -> None:
    assert message("LeaseFrozen", enrichment=enriched("Frozen")).about == ABOUT


# Which rules are refused


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        ("[{", "is not valid JSON"),
        ({"drop": True}, "must be a list of rules"),
        (["drop"], "must be a list of rules"),
        ([{"drop": True}] * 51, "has 51 rules"),
        ([{"match": {"severity": "info"}, "drop": True}, {}], "rule 2: it has neither"),
        ([{"chanels": ["sns"]}], r"rule 1: it has the unknown field 'chanels' \(did you mean channels\?\)"),
        ([{"match": {"owner": "x"}, "drop": True}], "unknown field 'owner'"),
        ([{"match": {"event": "LeaseFroze"}, "drop": True}], r"'LeaseFroze' \(did you mean LeaseFrozen\?\)"),
        ([{"match": {"event": "Quite.Other"}, "drop": True}], "with \\*"),
        ([{"match": {"event": []}, "drop": True}], "event must be a text that is not empty, or a list of such texts"),
        ([{"match": {"event": [None]}, "drop": True}], "event must be a text"),
        ([{"match": {"severity": "high"}, "drop": True}], r"severity 'high' \(known: info, warning, critical\)"),
        ([{"match": {"account": "12"}, "drop": True}], "account must be 12 digits"),
        ([{"match": {"ownerDomain": "rosa@example.org"}, "drop": True}], "ownerDomain must be what follows the @"),
        ([{"match": "LeaseFrozen", "drop": True}], "match must be an object"),
        ([{"channels": ["pigeon"]}], r"channel 'pigeon' \(known: sns, slack, teams, govuk_notify\)"),
        ([{"slackChannel": "#a b"}], "slackChannel must be a Slack channel"),
        ([{"slackChannel": 5}], "slackChannel must be"),
        ([{"slackChannel": "", "channels": ["sns"]}], "slackChannel must be"),
        ([{"match": {"event": "*"}, "drop": True}], "without event, the rule matches every type"),
        ([{"mention": "rosa"}], "mention must be here"),
        ([{"mention": 5}], "mention must be here"),
        ([{"drop": "yes"}], "drop must be true or false"),
        ([{"drop": True, "channels": ["sns"]}], "it drops the event and has channels"),
        ([{"channels": ["sns"], "mention": "here"}], "it has mention, but its channels do not include slack"),
        ([{"drop": True}, {"match": {"severity": "info"}, "drop": True}], "has a rule 2 that never applies: rule 1 matches"),
        ([{"match": {"template": "x" * 3000}, "drop": True}], f"at most {MAX_BYTES} are possible"),
    ],
)
def test_a_wrong_rule_is_refused_in_words(rules: Any, complaint: str) -> None:
    with pytest.raises(RulesError, match=complaint) as refused:
        parse_rules(rules)
    assert "rosa@" not in str(refused.value)


def test_rules_are_written_and_read_back() -> None:
    rules = parse_rules(
        [
            {"match": {"event": "Lease*", "severity": ["info"], "template": "T", "account": "444455556666"}, "drop": "true"},
            {"match": {"ownerDomain": "example.org"}, "channels": "slack", "slackChannel": "#a", "mention": "S0123"},
        ]
    )
    assert parse_rules(as_json(rules)) == rules
    assert json.loads(as_json(rules))[1]["match"] == {"ownerDomain": ["example.org"]}
    assert as_json(()) == ""
    assert parse_rules("") == ()


# Severity


def test_every_event_type_has_a_severity_and_an_unknown_one_is_info() -> None:
    assert severity_of("SomethingNew") is Severity.INFO
    assert {severity_of(event_type) for event_type in EventType} == set(Severity)


@pytest.mark.parametrize("event_type", ["AccountQuarantined", "AccountCleanupFailed", "LeaseProvisioningFailed"])
def test_what_an_administrator_must_act_on_is_critical(event_type: str) -> None:
    assert severity_of(event_type) is Severity.CRITICAL


def test_a_rule_has_no_condition_by_default() -> None:
    assert Rule(drop=True).matches(ABOUT)
    assert Rule(drop=True).matches_all
