// A take's own page: having its footage searched for the slate, and waiting for what comes of it.

import { post } from "./post.js";
import { texts } from "./texts.js";

const ASK_MS = 2000;

/** Wires the buttons of the page, if it has any. */
export function verifying() {
  for (const button of document.querySelectorAll("button[data-verify]")) {
    const told = button.closest("section").querySelector(".answer");
    const say = (text, failed = false) => {
      told.textContent = text;
      told.dataset.failed = failed;
    };
    const { take, stamp } = button.dataset;
    button.addEventListener("click", async () => {
      if (button.hasAttribute("aria-busy")) return;
      button.setAttribute("aria-busy", "true");
      if (await post(`takes/${take}/verify`, { stamp }, say)) await wait(take, stamp, say);
      button.removeAttribute("aria-busy");
    });
  }
}

/** Until the search has ended; then the page is the new one. */
async function wait(take, stamp, say) {
  for (;;) {
    say(texts.searching);
    await new Promise((done) => setTimeout(done, ASK_MS));
    const outcome = await fetch(`/api/takes/${take}/light/${stamp}`, { cache: "no-store" })
      .then((response) => response.json())
      // The controller may be away for a moment; the search goes on with it.
      .catch(() => ({ running: true }));
    if (outcome.running) continue;
    if (outcome.problem) return say(outcome.problem, true);
    return location.reload();
  }
}
