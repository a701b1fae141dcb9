"""Dead letters: those of all queues by reason; send them back, or drop them.

The letters on a page were released at once, so a change first finds the chosen ones again, by queue and id.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import flask
from flask import request
from markupsafe import Markup
from werkzeug import Response

from handlers.console import confirmation
from handlers.console.context import current
from handlers.console.filters import link
from lib.operations import redrive
from lib.operations.deployed import logical_name
from lib.operations.letter_groups import About, Group, Subject, group_by_reason, subject_of
from lib.operations.redrive import Held, LetterBox, Reading
from lib.platform import errors
from lib.platform.log import scrub
from lib.platform.wording import counted

pages = flask.Blueprint("dead_letters", __name__)

LIMIT = 50
"""How many letters of each queue are read at first."""
_RETRIED = timedelta(hours=5)
"""An event arrived at most this long before its dead letter was sent."""
_FILTERS = ("function", "reason", "payload")


@pages.get("/dead-letters")
def show() -> str:
    """The letters by reason."""
    limit = _limit()
    reading, groups = _read(limit)
    return flask.render_template(
        "dead_letters.html",
        groups=groups,
        number=sum(len(group.letters) for group in groups),
        reading=reading,
        filters=_filters(),
        functions=[
            ("", "all"),
            *((name, name) for name in sorted({of for of, _ in current().deployed.dead_letter_queues()})),
        ],
        command=_command(),
        next_limit=min(limit * 2, redrive.MOST_READ) if reading.has_more and limit < redrive.MOST_READ else None,
        subject_of=lambda each: subject_of(each.letter.payload),
        url_of=_url_of,
        logical_name=logical_name,
    )


@pages.route("/dead-letters/send-back", methods=["GET", "POST"])
def send_back() -> str | Response:
    """Send the chosen letters back."""
    if request.method == "GET":
        chosen = _chosen()
        lost = sum(1 for each in chosen if each.letter.refused)
        effects = _counted_by(
            chosen, lambda each: f"for the {'queue of' if each.queue.goes_to == 'queue' else 'function'} {each.function}"
        )
        if lost:
            effects.append(f"{counted(lost, 'dead letter')} can't go back and will stay: not a record of a failed event.")
        return confirmation.ask(
            f"Send {counted(len(chosen), 'dead letter')} back?",
            *effects,
            "A letter is deleted only after it was accepted. If its cause is not fixed, it comes back.",
            button="Send back",
            back=_back(),
            command=_command(chosen),
            hidden={"letters": " ".join(each.key for each in chosen)},
        )
    return _change("dead_letters.send_back", "sent back", redrive.send_back)


@pages.route("/dead-letters/drop", methods=["GET", "POST"])
def drop() -> str | Response:
    """Write the chosen letters to a file, and delete them."""
    if request.method == "GET":
        chosen = _chosen()
        number = counted(len(chosen), "dead letter")
        field = Markup('<label>Type {} to drop {} <input name="typed" inputmode="numeric" autocomplete="off" required></label>')
        return confirmation.ask(
            f"Drop {number}?",
            *_counted_by(chosen, lambda each: f"of {each.queue.name}"),
            f"The content is written to a file in {Path.cwd()} on this computer first, complete, with personal data.",
            "The work will not be done.",
            button="Drop",
            back=_back(),
            command=f"{_command(chosen)} --drop",
            hidden={"letters": " ".join(each.key for each in chosen)},
            extra=field.format(len(chosen), number),
        )
    if request.form.get("typed", "").strip() != str(len(_keys())):
        raise errors.InvalidInputError(f"nothing was dropped: type {len(_keys())} to confirm")
    return _change("dead_letters.drop", "dropped", redrive.drop, writes=True)


def _change(action: str, done: str, act: Callable[[Held], None], *, writes: bool = False) -> Response:
    """Act on the letters of the form that are still there."""
    keys, where, left = _keys(), "", list[str]()
    with confirmation.change(action, number=len(keys), letters=keys, left=left), _box().hold(keys) as held:
        gone = len(keys) - len(held)
        if writes and held:
            path = redrive.dropped_path(current().now()).resolve()
            redrive.write_dropped(path, held, current().now)
            where = f", written to {path}"
        reasons = [(each.key, error) for each, error in redrive.attempt(act, held) if error]
        left += [key for key, _ in reasons]
    sentence = f"{counted(len(keys) - gone - len(left), 'dead letter')} {done}{where}."
    if gone:
        sentence += f" {counted(gone, 'dead letter')} not found: held by another reader, or already sent back."
    if reasons:
        sentence += f" {len(left)} left: {scrub(reasons[0][1])}."
    return confirmation.done(sentence, flask.url_for("dead_letters.show"))


def _box() -> LetterBox:
    return LetterBox(current().deployed)


def _read(limit: int) -> tuple[Reading, list[Group]]:
    """The letters that the filters of the URL choose."""
    reading, filters = _box().read(limit), _filters()
    function = filters.pop("function", None)
    return reading, group_by_reason(
        each for each in reading.letters if function in (None, each.function) and each.matches(filters)
    )


def _chosen() -> list[Held]:
    """The letters that the URL chooses: by their keys, by their group, or all.

    Raises:
        InvalidInputError: none.
    """
    reading, groups = _read(_limit())
    keys, group = set(request.args.getlist("letter")), request.args.get("group", "")
    if keys:
        chosen = [each for each in reading.letters if each.key in keys]
    else:
        some = [each for each in groups if each.key == group or (not group and "all" in request.args)]
        chosen = [each for of_group in some for each in of_group.letters]
    if not chosen:
        raise errors.InvalidInputError(
            "no dead letter is chosen: check some boxes, or reload the list, since another reader may have them"
        )
    return chosen


def _keys() -> list[str]:
    keys = request.form.get("letters", "").split()
    if not keys:
        raise errors.InvalidInputError("no dead letter is chosen")
    return keys


def _limit() -> int:
    text = request.args.get("limit", "")
    return min(max(int(text[:9]), 1), redrive.MOST_READ) if text.isascii() and text.isdigit() else LIMIT


def _filters() -> dict[str, str]:
    return {name: value for name in _FILTERS if (value := request.args.get(name, "").strip())}


def _command(chosen: Iterable[Held] = ()) -> str:
    """The command that shows, or chooses, the same letters."""
    letters, filters = list(chosen), _filters()
    function = filters.pop("function", None)
    if len(letters) == 1:
        return redrive.selection(letters[0].function, letters[0].letter.message_id, ())
    return scrub(redrive.selection(function, None, filters.items())) + ("" if letters else " --dry-run")


def _back() -> str:
    filters: dict[str, Any] = _filters()
    return flask.url_for("dead_letters.show", **filters)


def _counted_by(chosen: Iterable[Held], phrase: Callable[[Held], str]) -> list[str]:
    """One sentence per phrase: "2 dead letters of failures."."""
    return [f"{counted(number, 'dead letter')} {text}." for text, number in Counter(map(phrase, chosen)).items()]


def _url_of(subject: Subject, sent_at: datetime) -> str:
    """The page of what a letter that was sent then is about; empty if it names nothing."""
    if not subject.id:
        return ""
    views: dict[About, tuple[str, dict[str, Any]]] = {
        About.EVENT: ("events.event", {"event_id": subject.id, "at": (sent_at - _RETRIED).isoformat()}),
        About.ISSUE: ("issues.issue", {"key": subject.id}),
        About.SESSION: ("approvals.draft", {"session_id": subject.id}),
        About.JOB: ("jobs.job", {"domain": subject.shop, "job_id": subject.id}),
    }
    view, values = views.get(subject.about, ("", {}))
    return link(view, **values) or flask.url_for("trace.show", id=subject.id)
