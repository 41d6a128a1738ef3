// The page of events: what happens while it is open comes on top. The connection only says that there is something
// new; the list is asked for it, so nothing is missed after a loss of the connection.

import { fill } from "./bind.js";

const SHOWN = 200;

/** Wires the list, when it is on this page; gives what is called when fields of the view changed. */
export function eventList() {
  const list = document.getElementById("events");
  if (!list) return () => {};
  const form = document.getElementById("narrow");
  form.elements.node.addEventListener("change", () => form.submit());
  let latest = Number(list.dataset.latest);
  let wanted = latest;
  let busy = false;

  async function fetchNew() {
    if (busy) return;
    busy = true;
    try {
      while (wanted > latest) {
        const query = new URLSearchParams({ node: list.dataset.node, after: latest, limit: SHOWN });
        const response = await fetch(`/api/events/lines?${query}`, { signal: AbortSignal.timeout(8000) });
        if (!response.ok) return;
        const news = await response.json();
        latest = Math.max(news.latest, wanted);
        show(news.events);
      }
    } catch {
      // The connection is gone; when it is back the view comes again.
    } finally {
      busy = false;
    }
  }

  function show(events) {
    const template = document.getElementById("t-events").content.firstElementChild;
    for (const event of events.reverse()) {
      const line = template.cloneNode(true);
      line.dataset.key = event.key;
      fill(line, event);
      list.prepend(line);
    }
    while (list.children.length > SHOWN) list.lastElementChild.remove();
  }

  return (fields) => {
    if (!("latest_event" in fields)) return;
    wanted = fields.latest_event;
    // Another book, in another state folder.
    if (wanted < latest) location.reload();
    fetchNew();
  };
}
