"""Runbooks in the console: rendered, with this deployment's names, and nothing but pages of docs/."""

import re

import pytest

from handlers.console.markdown import render
from tests.support.console.client import console_client
from tests.support.operations.deployment import SHOPS, Deployment
from tests.support.project.documentation import ROOT, anchors_of, pages


def test_a_runbook_has_this_deployments_names(deployment: Deployment) -> None:
    page = console_client(deployment).page("/docs/runbooks/jobs")

    assert SHOPS in page
    assert "$SHUTTLE_TABLE_NAME" not in page


def test_every_runbook_is_listed_and_every_link_between_pages_of_docs_works(deployment: Deployment) -> None:
    client = console_client(deployment)
    seen, left = set(), {"/runbooks"}
    while left:
        path = left.pop()
        seen.add(path)
        page = client.page(path)
        left |= {link for link in re.findall(r'href="(/docs/[^"#]+)', page) if link not in seen}

    assert {f"/docs/runbooks/{page.stem}" for page in (ROOT / "docs/runbooks").glob("*.md")} - {"/docs/runbooks/README"} <= seen


def test_sections_have_the_anchors_that_links_name() -> None:
    for page in pages():
        html = render(page.read_text(encoding="utf-8"), "any", {}, str)
        assert re.findall(r'<h[1-6] id="([^"]*)"', html) == anchors_of(page), page


@pytest.mark.parametrize(
    "path",
    [
        "/docs/no-such-page",
        "/docs/../README",
        "/docs/%2e%2e/README",
        "/docs//etc/passwd",
        "/docs/openapi.yaml",
        "/docs/" + "a" * 300,
    ],
)
def test_only_pages_of_docs_are_shown(deployment: Deployment, path: str) -> None:
    assert console_client(deployment).get(path).status_code in {404, 308}


def test_the_name_of_a_missing_page_keeps_its_case(deployment: Deployment) -> None:
    assert "There is no page quickstart.md in docs/." in console_client(deployment).page("/docs/quickstart.md", 404)


def test_html_and_scripts_of_a_page_are_text() -> None:
    html = render(
        "# A <script>alert(1)</script>\n\n[x](javascript:alert(1)) ![<b>](x.png)\n\n```sh\necho $NAME ${OTHER} <b>\n```\n",
        "runbooks/a",
        {"NAME": "<i>"},
        lambda page: f"/docs/{page}",
    )

    assert not re.search(r"<(script|b|i)>", html)
    assert 'href="javascript' not in html
    assert "echo &lt;i&gt; ${OTHER} &lt;b&gt;" in html


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("functions.md#names", "/docs/runbooks/functions#names"),
        ("../reference/cli.md", "/docs/reference/cli"),
        ("#here", "#here"),
        ("https://docs.aws.amazon.com/x", "https://docs.aws.amazon.com/x"),
        ("../../README.md", ""),
        ("../../../etc/x.md", ""),
        ("http://plain.example", ""),
    ],
)
def test_links_stay_in_the_console_or_lead_to_the_web(target: str, leads_to: str) -> None:
    html = render(f"[x]({target})", "runbooks/jobs", {}, lambda page: f"/docs/{page}")

    assert f'href="{leads_to}"' in html
