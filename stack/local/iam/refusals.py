"""AccessDenied in the protocol and words of each service.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html. SQS and SNS write the action differently,
and SQS has the error code of its older protocol in a header.
"""

import json
import uuid
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from stack.local.iam.policy import Access, Verdict

_JSON_TARGETS = {
    "dynamodb": ("com.amazon.coral.service#AccessDeniedException", "application/x-amz-json-1.0"),
    "sqs": ("com.amazon.coral.service#AccessDeniedException", "application/x-amz-json-1.0"),
}


def sentence(caller_arn: str, access: Access, verdict: Verdict) -> str:
    """Why ``access`` is refused, in one sentence."""
    service, _, name = access.action.partition(":")
    action = {"sqs": f"sqs:{name.lower()}", "sns": f"SNS:{name}"}.get(service, access.action)
    resource = f'"{access.resource}"' if service == "s3" else access.resource
    because = (
        "with an explicit deny in an identity-based policy"
        if verdict is Verdict.DENIED
        else f"because no identity-based policy allows the {action} action"
    )
    return f"User: {caller_arn} is not authorized to perform: {action} on resource: {resource} {because}"


def unknown(caller_arn: str, what: str) -> str:
    """Why a request with unknown needs is refused. AWS has no such answer."""
    return f"User: {caller_arn} is not authorized: the permissions of this call are unknown ({what}); see stack/local/iam"


def refuse(service: str, method: str, message: str) -> Response:
    """The answer that refuses a request to ``service``."""
    request_id = str(uuid.uuid4())
    if service == "s3":
        return _s3(method, message, request_id)
    if service in {"sns", "sts", "iam"}:
        return _query(service, message, request_id)
    if service == "lambda":
        body = json.dumps({"Message": message})
        headers = {"x-amzn-ErrorType": "AccessDeniedException", "x-amzn-RequestId": request_id}
        return Response(body, 403, headers, content_type="application/json")
    kind, content_type = _JSON_TARGETS.get(service, ("AccessDeniedException", "application/x-amz-json-1.1"))
    headers = {"x-amzn-RequestId": request_id}
    if service == "sqs":
        headers["x-amzn-query-error"] = "AccessDenied;Sender"
        return Response(json.dumps({"__type": kind, "message": message}), 403, headers, content_type=content_type)
    return Response(json.dumps({"__type": kind, "Message": message}), 400, headers, content_type=content_type)


def _s3(method: str, message: str, request_id: str) -> Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>AccessDenied</Code><Message>{escape(message)}</Message><RequestId>{request_id}</RequestId></Error>"
    )
    return Response("" if method == "HEAD" else body, 403, {"x-amz-request-id": request_id}, content_type="application/xml")


def _query(service: str, message: str, request_id: str) -> Response:
    code = "AuthorizationError" if service == "sns" else "AccessDenied"
    namespace = {"sns": "http://sns.amazonaws.com/doc/2010-03-31/", "sts": "https://sts.amazonaws.com/doc/2011-06-15/"}
    body = (
        f'<ErrorResponse xmlns="{namespace.get(service, "")}"><Error><Type>Sender</Type><Code>{code}</Code>'
        f"<Message>{escape(message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return Response(body, 403, {"x-amzn-RequestId": request_id}, content_type="text/xml")
