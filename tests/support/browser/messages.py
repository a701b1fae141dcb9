"""A notification in each channel, and the preview of a draft that waits, as the product renders them."""

from lib.approvals import drafts, preview
from lib.approvals.records import StoredDraft, preview_name
from lib.approvals.rules import Rules
from lib.notifications.channels import slack, teams
from lib.notifications.channels.govuk_notify import personalisation
from tests.support.approvals.builders import PLACE, make_draft
from tests.support.project.messages_page import sample

MESSAGE = sample("LeaseBudgetThresholdAlert")
NOTIFICATION = slack.render(MESSAGE)
CARD = teams.render(MESSAGE)["attachments"][0]["content"]
MAIL = personalisation(MESSAGE)

DRAFT = make_draft(title="Refuse <b>uploads</b> over 1 GB & count *them*")
_CHANNEL, _TS = PLACE.values()
_STORED = StoredDraft(
    draft=DRAFT,
    draft_hash=drafts.draft_hash(DRAFT),
    preview_channel=_CHANNEL,
    preview_ts=_TS,
    previews=frozenset({preview_name(_CHANNEL, _TS)}),
)
PREVIEW = preview.waiting(_STORED, Rules(approvers=frozenset({"U0ADA"})))
