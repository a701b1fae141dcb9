"""What people do in the console: each step is a link, a button or a key that the page before it shows."""

import re
import uuid
from datetime import timedelta
from pathlib import Path

import requests
from playwright.sync_api import Browser, Page, expect

from lib.approvals.records import Approval
from lib.approvals.repository import ApprovalStore
from lib.platform import clock
from lib.platform.dynamodb import Table
from stack.local.demo.approvals import ADA
from stack.local.demo.shuttle import SHOP
from tests.support.browser.demo import LEAD_CHANNEL, LEAD_TEMPLATE, PROJECT, Demo
from tests.support.cloud import until


def title(page: Page, text: str) -> None:
    """The page has this heading, and its scripts have run."""
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(text))
    page.wait_for_load_state()


def pages(page: Page, name: str) -> None:
    """Open a page of the navigation."""
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True).click()


def eventually(page: Page, text: str, *, exact: bool = False) -> None:
    """Read the page again until it shows a text."""
    shown = page.get_by_role("main").get_by_text(text, exact=exact).first
    until(lambda: shown.is_visible() or not page.reload() or shown.is_visible(), 30, every=0.3)


def new_id() -> str:
    """The id of a session that no other test has."""
    return f"session-{uuid.uuid4()}"


# What a console is for


def test_find_a_failed_delivery_and_replay_it(page: Page, demo: Demo) -> None:
    lease, event_id = demo.fail_to_notify()

    demo.open(page)
    page.get_by_role("link", name="Lease notifications").click()
    page.get_by_label("Outcome").select_option("failed")
    page.get_by_label("Text").fill(lease)
    page.get_by_role("button", name="Show").click()
    page.get_by_role("table").get_by_role("link").first.click()
    title(page, f"LeaseApproved of {lease}")
    expect(page.get_by_role("main")).to_contain_text("invalid_auth")
    page.get_by_role("link", name="Send back").click()
    title(page, "Send 1 dead letter back")
    page.get_by_role("button", name="Send back").click()

    expect(page.get_by_role("status")).to_contain_text("1 dead letter sent back")
    assert len(until(lambda: demo.messages_with(event_id))) == 1


def test_follow_a_draft_to_its_issue(page: Page, demo: Demo) -> None:
    """From the form of the playground over the buttons in Slack and the board to the stored issue."""
    summary = f"Paint bridge {new_id()[-6:]}"
    demo.open(page, "/playground?kind=draft")
    field = page.get_by_role("textbox", name="Draft")
    field.fill(re.sub('"title": "[^"]*"', f'"title": "{summary}"', field.input_value()))
    page.get_by_role("button", name="Send").click()
    page.get_by_role("link", name="What Slack shows").click()
    message = page.get_by_role("listitem").filter(has_text=summary).filter(has=page.get_by_role("button"))
    eventually(page, summary)
    message.get_by_role("button", name="Approve").first.click()
    expect(page.get_by_role("status")).to_contain_text("answered with 200")

    pages(page, "Approvals")
    eventually(page, summary)
    page.get_by_role("link", name=summary, exact=True).click()
    eventually(page, "done", exact=True)
    title(page, summary)
    expect(page.get_by_role("main")).to_contain_text(f"approved by {ADA}")
    page.get_by_role("link", name=re.compile(r"^[A-Z]+-\d+$")).first.click()

    title(page, r"^[A-Z]+-\d+")
    expect(page.get_by_role("main")).to_contain_text(summary)


def test_roll_a_catalogue_back(page: Page, demo: Demo) -> None:
    demo.open(page)
    pages(page, "Jobs")
    page.get_by_role("link", name=SHOP).first.click()
    page.get_by_role("link", name="Roll back to version 2").click()
    expect(page.get_by_role("main")).to_contain_text("is kept and can be restored")
    page.get_by_role("button", name="Roll back").click()

    expect(page.get_by_role("status")).to_contain_text("with the rows of version 2")
    newest = page.get_by_role("table", name="Versions of the catalogue").get_by_role("row").nth(1)
    expect(newest).to_contain_text("rollback to version 2")
    expect(newest).to_contain_text("current")
    page.reload()
    expect(page.get_by_role("status")).to_have_count(0)


# By keyboard alone


def focused(page: Page) -> str:
    """The text of what has the focus."""
    text = page.evaluate("document.activeElement.innerText || document.activeElement.name || document.activeElement.id")
    return " ".join(text.split())


def tab_to(page: Page, text: str) -> None:
    """Press Tab until the focus is on what begins with ``text``, and see that each stop can be seen."""
    for _ in range(60):
        page.keyboard.press("Tab")
        assert page.evaluate(_OUTLINE), f"the focus on {focused(page)} can't be seen"
        if focused(page).startswith(text):
            return
    raise AssertionError(f"Tab does not reach {text}")


_OUTLINE = """() => {
  const style = getComputedStyle(document.activeElement);
  return document.activeElement === document.body || style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
}"""


def test_keys_find_open_and_close(page: Page, demo: Demo) -> None:
    demo.open(page)
    page.wait_for_load_state()
    press = page.keyboard.press
    press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()

    press("g")
    press("j")
    title(page, "Jobs")
    press("j")
    first = focused(page)
    press("j")
    assert focused(page) != first
    press("k")
    assert focused(page) == first
    press("Enter")
    title(page, first)

    press("/")
    page.keyboard.type(f"{PROJECT}-4")
    press("Enter")
    title(page, f"{PROJECT}-4")


def test_a_letter_in_a_field_is_not_a_shortcut(page: Page, demo: Demo) -> None:
    demo.open(page)
    page.keyboard.press("/")
    page.keyboard.type("g?jk/")

    expect(page.get_by_role("searchbox")).to_have_value("g?jk/")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_tab_first_reaches_the_link_to_the_content(page: Page, demo: Demo) -> None:
    demo.open(page)
    tab_to(page, "Skip to the content")
    page.keyboard.press("Enter")
    tab_to(page, "")

    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_a_replay_with_keys_only(page: Page, demo: Demo) -> None:
    lease, event_id = demo.fail_to_notify()

    demo.open(page)
    page.keyboard.press("g")
    page.keyboard.press("d")
    title(page, "Dead letters")
    tab_to(page, "payload")
    page.keyboard.type(lease)
    page.keyboard.press("Enter")
    title(page, "Dead letters")
    tab_to(page, "Send back")
    page.keyboard.press("Enter")
    title(page, "Send 1 dead letter back")
    tab_to(page, "Send back")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_contain_text("1 dead letter sent back")
    assert len(until(lambda: demo.messages_with(event_id))) == 1


def test_a_live_part_changes_and_keeps_the_focus_elsewhere(page: Page, demo: Demo) -> None:
    demo.open(page, "/events")
    field = page.get_by_label("Text")
    field.focus()
    lease = demo.put_lease()["uuid"]
    demo.cloud.put_event("LeaseApproved", {"leaseId": {"userEmail": "ada@sandbox.example", "uuid": lease}})

    expect(page.get_by_role("table")).to_contain_text(lease, timeout=30_000)
    expect(field).to_be_focused()


def test_a_live_part_in_use_is_left_alone(page: Page, demo: Demo) -> None:
    """A row with the focus must not disappear under the person's fingers."""
    demo.open(page, "/events")
    page.evaluate("document.querySelector('[data-live]').dataset.live = '1'")
    page.keyboard.press("j")
    row = page.evaluate_handle("document.activeElement")
    page.wait_for_timeout(2500)

    assert row.evaluate("(link) => link.isConnected && link === document.activeElement")


# An operator: from Home, with a browser only


def test_an_operator_drops_a_poison_message(page: Page, demo: Demo, tmp_path: Path) -> None:
    demo.send_poison()
    before = demo.letters()

    demo.open(page)
    page.get_by_role("table", name="What needs a person").get_by_role("link", name="dead letters").first.click()
    group = page.get_by_role("region", name=re.compile("the event has no detail object")).first
    group.get_by_role("link", name="Drop", exact=True).first.click()
    title(page, r"Drop 1 dead letter\?")
    page.get_by_label("Type 1 to drop").fill("1")
    page.get_by_role("button", name="Drop").click()

    status = page.get_by_role("status")
    expect(status).to_contain_text("1 dead letter dropped, written to ")
    kept = Path(re.search(r"written to (\S+\.jsonl)", status.inner_text())[1])  # type: ignore[index]
    assert "half of" in kept.read_text()
    kept.unlink()
    assert demo.letters() == before - 1


def test_an_operator_allows_a_refused_deletion(page: Page, demo: Demo) -> None:
    """Three issues vanish from Jira without a webhook, and a run may delete two."""
    jira = f"{demo.standins['jiraBaseUrl']}/_standin"
    keys = [
        requests.post(f"{jira}/issues", json={"project": PROJECT, "summary": "Gone"}, timeout=10).json()["key"] for _ in "123"
    ]
    demo.cloud.invoke("reconciliation", {"mode": "full"})
    for key in keys:
        requests.delete(f"{jira}/issues/{key}", timeout=10)
    assert demo.cloud.invoke("reconciliation", {"mode": "full"})["payload"]["refused"]

    demo.open(page)
    page.get_by_role("row").filter(has_text=f"{PROJECT}:").get_by_role("link", name="projects").click()
    page.get_by_role("table", name="Last runs").get_by_role("link").first.click()
    for key in keys:
        expect(page.get_by_role("main")).to_contain_text(key)
    page.go_back()
    page.get_by_label("Compare").select_option("full")
    page.get_by_label("Delete at most").fill("3")
    page.get_by_role("button", name="Resync").click()
    page.get_by_role("button", name="Reconcile").click()

    until(lambda: (demo.cloud.jira_row(keys[0]) or {}).get("deleted") == {"BOOL": True}, 30)
    eventually(page, "The run is done.")


def test_an_operator_retries_a_stuck_approval(page: Page, demo: Demo) -> None:
    """The message to the worker was lost an hour ago."""
    session_id = new_id()
    summary = f"Approved and forgotten in {session_id}"
    demo.submit(session_id, summary)
    store = ApprovalStore(Table(demo.client("dynamodb"), demo.cloud.outputs["jira_operations_table_name"]))
    view = store.read_current(session_id)
    assert view is not None
    an_hour_ago = clock.utc_now() - timedelta(hours=1)
    assert store.record_decision(
        session_id, Approval(draft_hash=view.draft_hash, approved=True, decided_by=ADA, at=an_hour_ago)
    )

    demo.open(page)
    needed = page.get_by_role("table", name="What needs a person")
    needed.get_by_role("row").filter(has_text=session_id).get_by_role("link", name="drafts").click()
    title(page, summary)
    page.get_by_role("link", name="Retry").click()
    page.get_by_label("Your Slack user ID").fill("U0OPERATOR")
    page.get_by_role("button", name="Retry").click()

    expect(page.get_by_role("status")).to_contain_text("The worker retries the draft now.")
    eventually(page, "done", exact=True)
    assert len(demo.desk.issues(summary)) == 1


# A lead


def test_a_lead_sees_only_critical_events_of_one_template(page: Page, demo: Demo) -> None:
    """In their channel; the other events of the template are dropped, and the console says by which rule."""
    lease = demo.put_lease(originalLeaseTemplateName=LEAD_TEMPLATE)
    demo.cloud.put_event("LeaseApproved", {"leaseId": lease})
    event_id = demo.cloud.put_event("LeaseBudgetExceeded", {"leaseId": lease})
    until(lambda: demo.messages_with(event_id))

    demo.open(page, f"/playground/slack?channel={LEAD_CHANNEL}")
    messages = page.get_by_role("article")
    expect(messages.filter(has_text=event_id)).to_contain_text("Critical")
    expect(messages.filter(has_text="Critical")).to_have_count(messages.count())
    pages(page, "Leases")
    page.get_by_role("link", name=lease["uuid"]).click()
    row = page.get_by_role("row").filter(has_text="LeaseApproved")
    expect(row).to_contain_text("rule 2 of notifyRoutes drops it")


def test_a_lead_rejects_a_draft_with_a_reason(page: Page, demo: Demo) -> None:
    session_id = new_id()
    summary = f"A second rack for {session_id}"
    demo.submit(session_id, summary)

    demo.open(page, "/playground/slack?channel=approvals")
    message = page.get_by_role("listitem").filter(has_text=summary).first
    message.get_by_label("If you reject it: why?").select_option(label="Not planned")
    message.get_by_label("In your own words").fill("Ask again in May")
    message.get_by_role("button", name="Reject").click()
    pages(page, "Approvals")
    eventually(page, summary)
    page.get_by_role("link", name=summary, exact=True).click()

    eventually(page, "Not planned: Ask again in May")
    assert demo.desk.issues(summary) == []


# The owner of a lease


def test_an_operator_sees_the_mail_to_the_owner_of_a_lease(page: Page, demo: Demo) -> None:
    """And shows it without the owner's address."""
    lease = demo.put_lease(status="Frozen")
    demo.cloud.put_event("LeaseUnfrozen", {"leaseId": lease})

    demo.open(page, "/leases")
    page.get_by_label("Uuid of a lease").fill(lease["uuid"])
    page.get_by_role("button", name="Show").click()
    eventually(page, "LeaseUnfrozen")
    page.get_by_role("table").get_by_role("link").first.click()

    expect(page.get_by_role("main")).to_contain_text("govuk_notify")
    assert lease["userEmail"] not in page.content()


def test_pages_work_without_javascript(browser: Browser, demo: Demo) -> None:
    tab = browser.new_page(java_script_enabled=False)
    for path in ("/", "/events", "/approvals", "/playground/slack"):
        demo.open(tab, path)
        expect(tab.get_by_role("heading", level=1)).to_be_visible()
    tab.close()
