"""The documents point at what exists, and the two READMEs say the same."""

from __future__ import annotations

import re

import pytest

from tests.house.source import ROOT

FOLDERS = "octshop_rt|tests|docs|deploy|static|scripts|loadtests|requirements"
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_links_and_paths_lead_somewhere(document) -> None:
    text = document.read_text()
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text):
        assert (document.parent / target).exists(), target
    for path in re.findall(
        r"`((?:octshop_rt|tests|docs|deploy|static|scripts|loadtests|requirements)/[\w./-]*\w)/?`", text
    ):
        if not path.startswith(("static/dist", "loadtests/out", "static/node_modules")):
            assert (ROOT / path).exists(), f"{document.name}: {path}"


def test_the_two_readmes_say_the_same() -> None:
    english, chinese = ((ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md"))
    for part in (r"^#+ ", r"^\|", r"^```", r"`tests/[a-z]+`", r"\]\(docs/[a-z-]+\.md\)"):
        assert len(re.findall(part, english, re.MULTILINE)) == len(re.findall(part, chinese, re.MULTILINE)), part


def test_every_document_is_named_in_both_readmes() -> None:
    for document in (ROOT / "docs").glob("*.md"):
        for name in ("README.md", "README.zh-CN.md"):
            assert f"docs/{document.name}" in (ROOT / name).read_text(), f"{name}: docs/{document.name}"
