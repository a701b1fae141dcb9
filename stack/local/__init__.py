"""The local cloud: the real Pulumi program, deployed into moto, and served on loopback.

::

    cloud.py          starts everything and stops it
    program.py        runs the program under Pulumi's mocks; resources/ creates each resource in moto
    aws_endpoint.py   moto behind one URL; `lambda invoke` runs the function
    iam/              --enforce-iam: who may make which AWS call
    functions.py      one process per function, under Lambda's own runtime client, fed by runtime_api.py
    invocations.py    synchronous and asynchronous invocation, with Lambda's retries and failure destinations
    http_gateway.py   the HTTP API
    event_bridge.py   EventBridge rule -> function
    queues.py         SQS event source -> function
    bucket_events.py  S3 -> queue, if the queue's policy allows it
    logs.py           each function's output into its log group
    standins/         Slack, Teams, Jira and GOV.UK Notify, with their real paths, answers and limits
    demo/             every flow on sample events

Everything is in memory and listens on loopback only. docs/reference/local-cloud.md is its manual.
"""
