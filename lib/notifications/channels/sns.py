"""Tells by an SNS topic: the text to people who subscribed by e-mail, the structure to machines.

SNS puts the right one in front of each subscriber by protocol (``MessageStructure=json``). It knows no subscriber.
"""

import json
import unicodedata
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lib.notifications.message import Message
from lib.platform import aws, errors

MAX_SUBJECT_CHARACTERS = 99
"""https://docs.aws.amazon.com/sns/latest/api/API_Publish.html: ASCII, one line, less than 100 characters."""
MAX_BYTES = 256 * 1024
"""Message and attributes together; a message of lib/notifications/message.py stays far below."""
MACHINES = ("sqs", "lambda", "http", "https")


class Sns:
    """The topic.

    Args:
        client: an SNS client.
        topic_arn: the topic.
    """

    def __init__(self, client: Any, topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def send(self, message: Message) -> None:
        """Publish the message.

        Raises:
            ConfigurationError: there is no topic.
            SwitchboardError: SNS can't be reached or refuses.
        """
        if not self._topic_arn:
            raise errors.ConfigurationError("NOTIFICATION_TOPIC_ARN is not set")
        try:
            self._client.publish(
                TopicArn=self._topic_arn,
                Subject=subject(message.title),
                MessageStructure="json",
                Message=body(message),
                MessageAttributes={
                    "event_type": {"DataType": "String", "StringValue": message.event_type},
                    "enriched": {"DataType": "String", "StringValue": "true" if message.enriched else "false"},
                },
            )
        except (BotoCoreError, ClientError) as error:
            raise aws.translate(error, "publish to the topic") from None


def body(message: Message) -> str:
    """The text for each protocol. Not escaped to ASCII: that would make six bytes of a character, twice over."""
    structured = json.dumps(message.structured, ensure_ascii=False)
    texts = {"default": message.text, "email": message.text, **dict.fromkeys(MACHINES, structured)}
    return json.dumps(texts, ensure_ascii=False)


def subject(title: str) -> str:
    """``title`` as SNS takes a subject: accents are dropped, other characters beyond ASCII become a question mark."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", title) if not unicodedata.combining(letter))
    line = " ".join(plain.encode("ascii", "replace").decode().split())[:MAX_SUBJECT_CHARACTERS].rstrip()
    printable = "".join(letter for letter in line if letter.isprintable())
    return printable or "Sandbox notification"
