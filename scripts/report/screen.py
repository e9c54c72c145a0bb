"""The texts of a page in a browser: those on its first screen, and all of them."""

from __future__ import annotations

import time
from pathlib import Path

from selenium.webdriver import Chrome

from tests.report.browser import show

WIDTH, HEIGHT = 1280, 900
LONGEST = 600
"""Maximum length of a text in which a name and what is said of it are next to each other."""

_SETTLED = 0.5
"""Seconds without a change after which a page is ready."""

_TEXTS = """
const [onScreen, longest] = arguments, texts = new Map();
function isClipped(owner, x, y) {
  for (let at = owner; at; at = at.parentElement || at.getRootNode().host) {
    const box = at.getBoundingClientRect(), style = getComputedStyle(at);
    const isOutside = x < box.left || x > box.right || y < box.top || y > box.bottom;
    if (isOutside && style.overflow !== 'visible' && style.display !== 'inline') return true;
  }
  return false;
}
function isSeen(node) {
  const range = document.createRange(), owner = node.parentElement, root = node.getRootNode();
  range.selectNodeContents(node);
  if (!owner.checkVisibility({checkOpacity: true, checkVisibilityCSS: true})) return false;
  return [...range.getClientRects()].some((box) => {
    const x = (Math.max(0, box.left) + Math.min(innerWidth, box.right)) / 2, y = (box.top + box.bottom) / 2;
    if (!box.width || x < 0 || x >= innerWidth || y < 0 || y >= innerHeight) return false;
    if (isClipped(owner, x, y)) return false;
    const hit = root.elementFromPoint(x, y);
    return hit && (owner.contains(hit) || hit.contains(owner));
  });
}
function add(node) {
  const text = node.nodeValue.trim();
  if (!text || (onScreen && !isSeen(node))) return;
  let at = node.parentNode;
  for (let levels = 0; at && levels < 12; levels++) {
    if (!texts.has(at)) texts.set(at, []);
    texts.get(at).push(text);
    at = at.parentNode || at.host;
  }
}
function walk(node) {
  if (node.nodeType === Node.TEXT_NODE) return add(node);
  if (['SCRIPT', 'STYLE', 'NOSCRIPT', 'METADATA'].includes(node.nodeName.toUpperCase())) return;
  for (const inner of [node, node.shadowRoot, node.content]) {
    if (inner && inner.childNodes) for (const child of inner.childNodes) walk(child);
  }
}
walk(document.body);
const joined = [...texts.values()].map((parts) => parts.join(' ').replace(/\\s+/g, ' '));
return [...new Set(joined.filter((text) => text.length <= longest))];
"""


def texts(browser: Chrome, page: Path) -> tuple[list[str], list[str]]:
    """Return the texts of elements on the first screen of a page, and those anywhere in it, seen or not."""
    show(browser, page, WIDTH, HEIGHT)
    before, size = -1, 0
    while size != before:
        time.sleep(_SETTLED)
        before, size = size, len(browser.page_source)
    first, whole = (browser.execute_script(_TEXTS, on_screen, LONGEST) for on_screen in (True, False))
    return first, whole
