"""AccessDenied, and other errors, in the protocol and words of each service.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html. SQS and SNS write the action differently,
and SQS has the error code of its older protocol in a header.
"""

import json
import uuid
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from stack.local.iam.policy import Access, Verdict

_JSON_TARGETS = {
    "dynamodb": ("com.amazon.coral.service#", "application/x-amz-json-1.0"),
    "sqs": ("com.amazon.coral.service#", "application/x-amz-json-1.0"),
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
    return fail(service, method, "AccessDenied", message)


_CODES: dict[str, dict[str, str]] = {
    "AccessDenied": {"sns": "AuthorizationError", "s3": "AccessDenied", "sts": "AccessDenied", "iam": "AccessDenied"},
    "ThrottlingException": {"s3": "SlowDown", "sns": "Throttling", "lambda": "TooManyRequestsException"},
    "InternalServerError": {
        "dynamodb": "InternalServerError",
        "secretsmanager": "InternalServiceError",
        "lambda": "ServiceException",
        "events": "InternalException",
        "": "InternalError",
    },
    "ServiceUnavailable": {},
}
"""What services call these errors. The others say ``AccessDeniedException``, and the same for throttling; "" is any other."""

_STATUSES = {"SlowDown": 503, "ServiceUnavailable": 503, "TooManyRequestsException": 429}


def fail(service: str, method: str, error: str, message: str) -> Response:
    """An answer with an error, in the protocol of ``service``. An ``error`` of _CODES becomes what the service calls it."""
    request_id = str(uuid.uuid4())
    names = _CODES.get(error, {})
    code = names.get(service) or names.get("") or ("AccessDeniedException" if error == "AccessDenied" else error)
    status = _STATUSES.get(code) or (500 if error.startswith("Internal") else 403 if error == "AccessDenied" else 400)
    if service == "s3":
        return _s3(method, status, code, message, request_id)
    if service in {"sns", "sts", "iam"}:
        return _query(service, status, code, message, request_id)
    headers = {"x-amzn-RequestId": request_id}
    if service == "lambda":
        headers["x-amzn-ErrorType"] = code
        return Response(json.dumps({"Message": message}), status, headers, content_type="application/json")
    prefix, content_type = _JSON_TARGETS.get(service, ("", "application/x-amz-json-1.1"))
    body = json.dumps({"__type": f"{prefix}{code}", "message" if service == "sqs" else "Message": message})
    if service == "sqs":
        old_code = code.removesuffix("Exception") if error == "AccessDenied" else code
        headers["x-amzn-query-error"] = f"{old_code};{'Receiver' if status >= 500 else 'Sender'}"
    elif status == 403:
        status = 400
    return Response(body, status, headers, content_type=content_type)


def _s3(method: str, status: int, code: str, message: str, request_id: str) -> Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message><RequestId>{request_id}</RequestId></Error>"
    )
    headers = {"x-amz-request-id": request_id}
    return Response("" if method == "HEAD" else body, status, headers, content_type="application/xml")


def _query(service: str, status: int, code: str, message: str, request_id: str) -> Response:
    namespace = {"sns": "http://sns.amazonaws.com/doc/2010-03-31/", "sts": "https://sts.amazonaws.com/doc/2011-06-15/"}
    body = (
        f'<ErrorResponse xmlns="{namespace.get(service, "")}"><Error><Type>{"Sender" if status < 500 else "Receiver"}</Type>'
        f"<Code>{code}</Code><Message>{escape(message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return Response(body, status, {"x-amzn-RequestId": request_id}, content_type="text/xml")
