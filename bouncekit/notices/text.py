"""The words of a notice for people: its text parts, HTML made plain, with the returned original cut off."""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs

from bouncekit.message import Part

__all__ = ["MAX_WORDS", "Words", "plain_of_html", "words_of"]

MAX_WORDS = 200_000
"""How many characters of the words for people are read."""


@attrs.frozen
class Words:
    """What a notice says to people, and what follows: the original, where it was pasted in."""

    text: str
    pasted: str = ""


def words_of(root: Part) -> Words:
    """The words for people of a notice."""
    texts = list(_texts(root))
    return cut_original("\n\n".join(texts)[:MAX_WORDS])


def _texts(root: Part) -> Iterator[str]:
    plain = [part for part in root.walk() if part.content_type == "text/plain" and part.body.strip()]
    if plain:
        yield from (part.text() for part in plain[:10])
        return
    for part in root.walk():
        if part.content_type == "text/html" and part.body:
            yield plain_of_html(part.text())


def plain_of_html(html: str) -> str:
    """The text of an HTML page, one line a block."""
    from selectolax.lexbor import LexborHTMLParser  # only HTML-only notices need it

    tree = LexborHTMLParser(html[:MAX_WORDS])
    tree.strip_tags(["script", "style", "head", "title"])
    for node in tree.css("br"):
        node.replace_with("\n")
    for node in tree.css("p, div, tr, li, h1, h2, h3, h4, table, blockquote, pre"):
        node.insert_before("\n")
        node.insert_after("\n")
    text = tree.body.text(separator="") if tree.body else ""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.strip() for line in text.replace("\xa0", " ").split("\n")))


_ORIGINAL = re.compile(
    r"^[ \t]*(?:"
    r"[-=_*+]{2,}[ \t]*(?:this is (?:a|the) copy|below (?:this line|the next line) is|enclosed (?:are|is)|original (?:message|mail)|"
    r"unsent message|message header|returned (?:message|mail)|the header|the headers|the body of|header of the source|"
    r"undelivered message|original email|mensaje original|non-delivered information|forwarded message|header follows|"
    r"the original|message text|headers? of the|copy of|here is listed|start of)"
    r"|-{6,}original (?:message|mail)"
    r"|(?:the )?original message(?: as received)?(?: is)?(?: headers?)?(?: follows?| below| as follows)?\.{0,3}:?[ \t]*$"
    r"|(?:original )?message headers(?: follow)?:?[ \t]*$"
    r"|below is (?:a copy of )?the original message"
    r"|included is a copy of the message header"
    r"|(?:the )?(?:text of the )?(?:following is )?(?:a )?copy of (?:the|your) (?:original )?message"
    r"|old message:[ \t]*$|the message you sent was[ \t]*:?"
    r"|message details:[ \t]*$"
    r"|(?:return-path|received)[ \t]*:[ \t]?(?=\S).*"
    r").*$",
    re.IGNORECASE | re.MULTILINE,
)


def cut_original(text: str) -> Words:
    """Cut the words where the returned original begins."""
    marker = _ORIGINAL.search(text)
    # A notice that begins with its own headers, or with the original, is kept whole.
    if marker is None or not text[: marker.start()].strip():
        return Words(text)
    is_header = re.match(r"[ \t]*(?:return-path|received)[ \t]*:", marker[0], re.IGNORECASE)
    return Words(text[: marker.start()], text[marker.start() if is_header else marker.end() :].lstrip("\n"))
