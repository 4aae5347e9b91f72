"""Pages of the web, as markdown.

The parser (libxml2 by lxml) hands over one event after the other, so that neither a deep nor a large page makes a tree.
What is written is `loaders.markdown_page`'s affair.
"""

from __future__ import annotations

from strata_git.pipeline.documents.blob import Blob
from strata_git.pipeline.documents.document import Loaded
from strata_git.pipeline.documents.encoding import decoded
from strata_git.pipeline.documents.limits import Limits
from strata_git.pipeline.documents.loaders.markdown_page import Page
from strata_git.pipeline.documents.refusal import Refused

_PART = 1 << 16


def load(blob: Blob, limits: Limits) -> Loaded:
    """The page's text with its headings, lists, links, code and tables."""
    found = decoded(blob.content(limits), declared=True)
    page = convert(found.text, limits)
    facts: dict[str, object] = {"encoding": found.encoding}
    if page.title:
        facts["title"] = page.title
    return Loaded(page.text(), True, facts, found.notes)


def convert(text: str, limits: Limits) -> Page:
    """Markup as a page. Raises Refused when its text passes the limits."""
    from lxml import etree

    page = Page(limits)
    parser = etree.HTMLParser(target=page, huge_tree=True, encoding="utf-8", remove_comments=True, remove_pis=True)
    data = text.replace("\0", "").encode("utf-8", "replace")
    try:
        for place in range(0, len(data), _PART):
            parser.feed(data[place : place + _PART])
        if data:
            parser.close()
    except etree.LxmlError as error:
        if not page.began:
            raise Refused("malformed", f"it is no page: {error}") from None
    page.close()
    return page
