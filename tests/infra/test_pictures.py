"""The pictures of the documentation (``make screenshots``) are small, used, and described for those who can't see them."""

import re
from pathlib import Path

import pytest

from tests.support.project.documentation import ROOT, links_of, pages

IMAGES = sorted((ROOT / "docs" / "images").iterdir())
SHOWN = {link.file for page in pages() for link in links_of(page)}


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_a_picture_is_on_a_page_and_loads_fast(image: Path) -> None:
    assert image in SHOWN
    assert image.stat().st_size < 150_000


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_picture_has_an_alternative_text(page: Path) -> None:
    assert re.findall(r"!\[\s*\]\(", page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("image", [image for image in IMAGES if image.suffix == ".svg"], ids=lambda image: image.name)
def test_a_drawing_needs_nothing_from_the_web(image: Path) -> None:
    assert re.findall(r"url\(\W*http|href=\W*http|<script|<image", image.read_text(encoding="utf-8")) == []
