"""Every chain by which functions can feed themselves is known, with what bounds it and how Lambda treats it.

The chains are derived from what the program declares: who may send to which queue, write to which bucket, invoke which
function, and what each queue, bucket, rule and topic feeds. A new one fails here until it is listed.
"""

from collections.abc import Iterator

from lib.approvals.workflow import Policy
from lib.jira.backfill.messages import MAX_PARTS as BACKFILL_PARTS
from lib.jira.reconciliation.requests import MAX_PARTS
from stack.local.iam.conditions import arn_like
from tests.support.project.pulumi_graph import ALIAS, EVERYTHING, Graph, declare, statements

FUNCTION, ROLE_POLICY = "aws:lambda/function:Function", "aws:iam/rolePolicy:RolePolicy"
MAPPING, NOTIFICATION = "aws:lambda/eventSourceMapping:EventSourceMapping", "aws:s3/bucketNotification:BucketNotification"
RECURSION = "aws:lambda/functionRecursionConfig:FunctionRecursionConfig"
FEEDING = {"sqs:SendMessage", "lambda:InvokeFunction", "s3:PutObject", "events:PutEvents", "sns:Publish"}

# By (function, what it goes through, function): the most links, by what bounds them, and whether Lambda lets it go on.
CHAINS = {
    # A first attempt, a repeatedly postponed search for the marker, and the preview's refresh after it.
    ("jira_worker", "approval-work", "jira_worker"): (3 + Policy().search_retries, "Allow"),
    # A sweep that hands itself what is left.
    ("reconciliation", "itself", "reconciliation"): (MAX_PARTS, "Allow"),
    # A segment of a legacy table that hands on what is left.
    ("backfill", "backfill-work", "backfill"): (BACKFILL_PARTS, "Allow"),
    # The sweep, which only the schedule starts, sends the messages of waiting exports; running an export sends none.
    ("imports", "shuttle-jobs", "imports"): (1, "Terminate"),
}


def links(graph: Graph) -> Iterator[tuple[str, str, str]]:
    """From each function to each that it can cause to run, and through what."""
    sources = sources_of(graph)
    functions = {each.outputs["name"]: each.name for each in graph.all(FUNCTION)}
    owners = {each.inputs["role"]: each.name for each in graph.all(FUNCTION)}
    roles = {each.outputs["name"]: owners.get(each.outputs["arn"]) for each in graph.all("aws:iam/role:Role")}
    for policy in graph.all(ROLE_POLICY):
        sender = roles[policy.inputs["role"]]
        for statement in statements(policy.inputs["policy"]):
            if sender is None or not FEEDING & set(statement["Action"]):
                continue
            for resource in statement["Resource"]:
                for source, (through, fed) in sources.items():
                    if arn_like(resource, source):
                        yield sender, through if functions[fed] != sender or through != fed else "itself", functions[fed]


def sources_of(graph: Graph) -> dict[str, tuple[str, str]]:
    """What causes a function to run, as grants name it: its logical name, and the function's name in AWS."""
    functions = {each.outputs["arn"]: each.inputs["functionName"] for each in graph.all(ALIAS)}
    fed_by_queue = {each.inputs["eventSourceArn"]: functions[each.inputs["functionName"]] for each in graph.all(MAPPING)}
    queues = {each.outputs["arn"]: each.name for each in graph.all("aws:sqs/queue:Queue")}
    found = {arn: (queues[arn], function) for arn, function in fed_by_queue.items()}
    found |= {arn: (function, function) for arn, function in functions.items()}
    buckets = {each.outputs["bucket"]: each for each in graph.all("aws:s3/bucket:Bucket")}
    for each in graph.all(NOTIFICATION):
        bucket = buckets[each.inputs["bucket"]]
        for queue in each.inputs["queues"]:
            of_object = f"{bucket.outputs['arn']}/{queue['filterPrefix']}x"
            found[of_object] = (bucket.name, fed_by_queue[queue["queueArn"]])
    rules = {each.outputs["name"]: each for each in graph.all("aws:cloudwatch/eventRule:EventRule")}
    buses = {each.outputs["name"]: each for each in graph.all("aws:cloudwatch/eventBus:EventBus")}
    for each in graph.all("aws:cloudwatch/eventTarget:EventTarget"):
        bus = buses[rules[each.inputs["rule"]].inputs["eventBusName"]]
        found[bus.outputs["arn"]] = (bus.name, functions[each.inputs["arn"]])
    for each in graph.all("aws:sns/topicSubscription:TopicSubscription"):
        if each.inputs["protocol"] in {"lambda", "sqs"}:
            fed = functions.get(each.inputs["endpoint"]) or fed_by_queue[each.inputs["endpoint"]]
            found[each.inputs["topic"]] = (each.name, fed)
    return found


def chains(graph: Graph) -> set[tuple[str, str, str]]:
    """The links that lie on a way from a function back to itself."""
    every = set(links(graph))
    reached = {(sender, fed) for sender, _, fed in every}
    while more := {(a, d) for a, b in reached for c, d in reached if b == c} - reached:
        reached |= more
    return {link for link in every if link[0] == link[2] or (link[2], link[0]) in reached}


def test_every_chain_by_which_functions_feed_themselves_is_listed() -> None:
    assert chains(declare(*EVERYTHING)) == CHAINS.keys()


def test_lambda_lets_long_chains_continue_that_are_bounded() -> None:
    graph = declare(*EVERYTHING)
    names = {each.outputs["name"]: each.name for each in graph.all(FUNCTION)}
    allowed = {names[each.inputs["functionName"]]: each.inputs["recursiveLoop"] for each in graph.all(RECURSION)}

    assert allowed == {function: setting for (function, _, _), (_, setting) in CHAINS.items() if setting == "Allow"}
    assert all((bound > 16) == (setting == "Allow") for bound, setting in CHAINS.values())


def test_an_unlisted_link_is_found() -> None:
    """The webhooks function feeds the worker. Were the worker to feed the webhooks' queue too, the chain would show."""
    assert ("webhooks", "jira-work", "jira_worker") in set(links(declare(*EVERYTHING)))
    assert ("reconciliation", "jira-work", "jira_worker") in set(links(declare(*EVERYTHING)))
