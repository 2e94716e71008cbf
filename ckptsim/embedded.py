"""Pages inside a page: a link to one of them opens it below, so that one file is enough.

A page that a report's links lead to (`explore.html#limit=6h`) lies beside the report, where the
links find it without a script too. The web page has it inside, once, as text; a script opens it in
a frame below the link that is followed.
"""

import re
from base64 import b64encode
from collections.abc import Mapping

STYLE = """\
iframe { display: block; width: 100%; height: min(90vh, 60rem); border: 1px solid var(--line);
  border-radius: 4px; }
@media print { iframe, p:has(> a[data-opens]) { display: none; } }
"""
SCRIPT = """\
const addresses = {};
function addressOf(name) {
  const kept = document.querySelector(`script[data-page="${name}"]`).textContent;
  const bytes = Uint8Array.from(atob(kept.trim()), (each) => each.charCodeAt(0));
  addresses[name] ??= URL.createObjectURL(new Blob([bytes], { type: "text/html" }));
  return addresses[name];
}
function opened(link) {
  const [name, fragment] = link.getAttribute("href").split("#");
  const frame = document.createElement("iframe");
  frame.title = link.textContent;
  frame.src = `${addressOf(name)}#${fragment}`;
  return frame;
}
for (const link of document.querySelectorAll("a[data-opens]")) {
  const paragraph = link.closest("p");
  link.setAttribute("role", "button");
  link.setAttribute("aria-expanded", "false");
  const turn = (event) => {
    event.preventDefault();
    const isOpen = paragraph.nextElementSibling?.matches("iframe");
    if (isOpen) paragraph.nextElementSibling.remove();
    else paragraph.after(opened(link));
    link.setAttribute("aria-expanded", String(!isOpen));
  };
  link.addEventListener("click", turn);
  link.addEventListener("keydown", (event) => event.key === " " && turn(event));
}
"""


def with_pages(body: str, pages: Mapping[str, bytes]) -> str:
    """The body of a web page, with those pages in it that its links lead to."""
    if not pages:
        return body
    names = "|".join(map(re.escape, pages))
    marked = re.sub(rf'<a href="(?:{names})#', lambda found: f"<a data-opens {found[0][3:]}", body)
    kept = "\n".join(
        f'<script type="text/plain" data-page="{name}">{b64encode(content).decode()}</script>'
        for name, content in pages.items()
    )
    return f"<style>\n{STYLE}</style>\n{marked}{kept}\n<script>\n{SCRIPT}</script>\n"
