"""Publishes to an SNS topic: text for people who subscribed by e-mail, the structure for machines.

SNS chooses by each subscriber's protocol (``MessageStructure=json``).
"""

import json
import unicodedata
from typing import Any

from lib.notifications.message import Message
from lib.platform import aws, errors

MAX_SUBJECT_CHARACTERS = 99
"""https://docs.aws.amazon.com/sns/latest/api/API_Publish.html: ASCII, one line, less than 100 characters."""
MACHINES = ("sqs", "lambda", "http", "https")


class Sns:
    """One topic. ``client`` is an SNS client."""

    def __init__(self, client: Any, topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def send(self, message: Message) -> None:
        """Publish the message.

        Raises:
            ConfigurationError: no topic is configured.
            SwitchboardError: SNS can't be reached or refuses.
        """
        if not self._topic_arn:
            raise errors.ConfigurationError("NOTIFICATION_TOPIC_ARN is not set")
        with aws.translated("publish to the topic"):
            self._client.publish(
                TopicArn=self._topic_arn,
                Subject=subject(message.title),
                MessageStructure="json",
                Message=body(message),
                MessageAttributes=attributes(message),
            )


def attributes(message: Message) -> dict[str, dict[str, str]]:
    """What filter policies of subscriptions can select by. SNS takes no empty value, so what is not known is absent."""
    about = message.about
    values = {
        "event_type": about.event_type,
        "severity": str(about.severity),
        "account": about.account,
        "template": about.template,
        "enriched": "true" if message.enriched else "false",
    }
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items() if value}


def body(message: Message) -> str:
    """The text for each protocol. Not escaped to ASCII, which would turn one character into six bytes or more."""
    structured = json.dumps(message.structured, ensure_ascii=False)
    texts = {"default": message.text, "email": message.text, **dict.fromkeys(MACHINES, structured)}
    return json.dumps(texts, ensure_ascii=False)


def subject(title: str) -> str:
    """``title`` as a subject for SNS: accents are dropped, other characters outside of ASCII become question marks."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", title) if not unicodedata.combining(letter))
    line = " ".join(plain.encode("ascii", "replace").decode().split())[:MAX_SUBJECT_CHARACTERS].rstrip()
    printable = "".join(letter for letter in line if letter.isprintable())
    return printable or "Sandbox notification"
