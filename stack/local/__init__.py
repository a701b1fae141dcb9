"""The local cloud: the real Pulumi program, deployed into moto, and served on loopback.

::

    python -m stack.local up        serves it until Ctrl-C
    python -m stack.local demo      plays every flow on it (demo/)
      program.py      runs stack/__main__.py's deploy() under Pulumi's mocks; resources/ creates each resource in moto
      aws_endpoint.py moto behind one URL, with `lambda invoke` served for real
      iam/            with --enforce-iam: who may make which AWS call
      functions.py    one process a function, under Lambda's own runtime client, fed by runtime_api.py
      invocations.py  synchronous and asynchronous invocation, with Lambda's retries and failure destinations
      http_gateway.py the HTTP API: requests into API Gateway events and back
      event_bridge.py EventBridge rule -> function          queues.py  SQS event source -> function
      bucket_events.py S3 -> queue, as the queue's policy lets it
      logs.py         each function's output into its log group
      standins/       Slack, Jira and GOV.UK Notify, with their real paths, answers and limits
      cloud.py        starts all of it and stops all of it

It is for one developer or one test run: everything lives in memory, and nothing is reachable from outside the machine.
"""
