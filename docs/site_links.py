"""What the site does with a link to a file of the repository that is no page: it stays as text, if the file is there.

A hook of mkdocs; in the repository itself such a link leads to the file.
"""

import logging
import re
from pathlib import Path
from typing import Final, Protocol

ROOT: Final = Path(__file__).resolve().parents[1]
_LINK: Final = re.compile(r"\[([^\]\n]+)\]\(((?:\.\./)+[^)\s#]+)(?:#[^)\s]*)?\)")
_LOG: Final = logging.getLogger("mkdocs.hooks.site_links")


class _File(Protocol):
    src_uri: str


class _Page(Protocol):
    file: _File


def on_page_markdown(markdown: str, page: _Page, **_: object) -> str:
    """Turn the links of a page that leave the documents into text; warn where nothing is at their end."""
    here = (ROOT / "docs" / page.file.src_uri).parent

    def told(link: re.Match[str]) -> str:
        target = (here / link[2]).resolve()
        if target.is_relative_to(ROOT / "docs"):
            return link[0]
        if not target.exists() or not target.is_relative_to(ROOT):
            _LOG.warning("%s: nothing is at %s", page.file.src_uri, link[2])
        return link[1]

    return _LINK.sub(told, markdown)
