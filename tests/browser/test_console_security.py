"""What a browser does with hostile content and with the forms of other sites, beyond what unit tests see in the HTML."""

from collections.abc import Iterator

import flask
import pytest
from playwright.sync_api import Page, expect

from stack.local.demo.shuttle import SHOP
from stack.local.serving import Server
from tests.support.browser.demo import Demo
from tests.support.cloud import until
from tests.support.shuttle.api import ShuttleApi

HOSTILE = """"><img src=x onerror="window.hacked='image'"><script>window.hacked='script'</script>'"""
HACKED = """() => {
  const planted = [...document.querySelectorAll("img, script, iframe, [onerror], [onload]")];
  return window.hacked || planted.filter((each) => !each.src || !each.src.startsWith(location.origin + "/static/")).length;
}"""


@pytest.fixture(scope="module")
def hostile(demo: Demo) -> dict[str, str]:
    """Pages that show a text of a stranger: HTML in a lease, an issue, a draft, a file, and in what fails."""
    lease = demo.put_lease(status="Active", originalLeaseTemplateName=HOSTILE, comments=HOSTILE)
    demo.cloud.put_event(HOSTILE, {"leaseId": lease, "reason": HOSTILE})
    demo.cloud.put_event("LeaseApproved", HOSTILE)  # type: ignore[arg-type]
    key = demo.create_issue(HOSTILE)
    text = dict.fromkeys(("problem", "solution"), HOSTILE)
    lists = {name: [HOSTILE] for name in ("acceptance_criteria", "risks", "constraints", "dependencies")}
    demo.submit("session-hostile", HOSTILE, **text, **lists)
    demo.refuse_issue_of("session-hostile-failed", f"Refused {HOSTILE}")
    shop = ShuttleApi(demo.cloud).shop(columns=[{"name": "sku", "required": True}, {"name": HOSTILE[:30], "max_length": 3}])
    job = shop.start(f'sku,"{HOSTILE[:30].replace(chr(34), chr(34) * 2)}"\n1,{"x" * 9}\n'.encode())
    shop.ended(job)
    until(lambda: demo.letters() > 0)
    until(lambda: demo.is_there(f"/leases/{lease['uuid']}"))
    return {
        "events": "/events",
        "filters": f"/events?text={HOSTILE}&type={HOSTILE}",
        "lease": f"/leases/{lease['uuid']}",
        "issue": f"/issues/{key}",
        "issues": "/issues?project=OPS",
        "trace of an issue": f"/trace?id={key}",
        "draft": "/approvals/session-hostile",
        "failed draft": "/approvals/session-hostile-failed",
        "board": "/approvals",
        "slack": "/playground/slack",
        "dead letters": "/dead-letters",
        "dead letters of a payload": f"/dead-letters?payload={HOSTILE}",
        "shop": f"/jobs/{shop.domain}",
        "job": f"/jobs/{shop.domain}/{job}",
        "home": "/",
    }


def test_no_page_runs_what_a_stranger_wrote(page: Page, demo: Demo, hostile: dict[str, str]) -> None:
    """Also nothing of it becomes an element, which the Content-Security-Policy would have stopped."""
    demo.open(page, hostile["lease"])
    paths = {**hostile, "event": page.get_by_role("table").get_by_role("link").first.get_attribute("href")}
    page.goto(f"{demo.console}/events?outcome=failed")
    paths["failed event"] = page.get_by_role("table").get_by_role("link").first.get_attribute("href")
    hacked = {}
    shown = 0
    for name, path in paths.items():
        page.goto(f"{demo.console}{path}")
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        shown += "onerror=" in page.get_by_role("main").inner_text()
        if found := page.evaluate(HACKED):
            hacked[name] = found
    assert not hacked
    assert shown >= 8, "the texts are shown as text"


@pytest.fixture
def foreign_site(demo: Demo) -> Iterator[str]:
    """Another site on this machine, with a page that submits a form to the console when it is opened."""
    site = flask.Flask(__name__)

    @site.get("/")
    def attack() -> str:
        url = f"{demo.console}/jobs/{SHOP}/rollback/1"
        return f"<!doctype html><body onload='document.forms[0].submit()'><form method='post' action='{url}'></form>"

    server = Server(site, 0, purpose="a foreign site")
    yield server.url
    server.close()


def test_a_form_of_a_foreign_site_changes_nothing(page: Page, demo: Demo, foreign_site: str) -> None:
    """Even if the person has a session, and even from the same host: sites on other ports share cookies with it."""
    demo.open(page)
    tab = page.context.new_page()
    versions = ShuttleApi(demo.cloud).call("GET", f"/shuttle/shops/{SHOP}/catalogue/versions").json()

    with tab.expect_response(f"{demo.console}/jobs/**") as answer:
        tab.goto(foreign_site)

    assert answer.value.status == 403
    assert answer.value.request.method == "POST"
    expect(tab.get_by_role("heading", level=1)).to_have_text("This change was not made")
    assert ShuttleApi(demo.cloud).call("GET", f"/shuttle/shops/{SHOP}/catalogue/versions").json() == versions


def test_the_token_is_not_in_the_history(page: Page, demo: Demo) -> None:
    demo.open(page, "/events?flow=jira")

    assert page.url == f"{demo.console}/events?flow=jira"
    assert "token" not in page.evaluate("document.cookie + location.href")
