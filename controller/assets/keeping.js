// A take's own page: deleting the cameras' copies, renaming and deleting what is here. Each wants a second press.

import { confirmed } from "./confirm.js";
import { nameProblem } from "./names.js";
import { post } from "./post.js";
import { texts } from "./texts.js";

/** Wires the buttons; `send` posts a command for a button, `say` tells what came of it. */
export function keeping(send, say) {
  const at = (id) => document.getElementById(id);
  for (const button of document.querySelectorAll("button[data-cleanup]")) {
    const deleting = confirmed(button, texts.cleanupAgain);
    button.addEventListener("click", () => {
      if (button.hasAttribute("aria-busy") || !deleting.press()) return;
      const { take, stamp, ip } = button.dataset;
      send("download", { take, stamp, nodes: ip ? [ip] : null, delete_after_verify: true }, button);
    });
  }

  const tell = (text, failed = false) => {
    at("told").textContent = text;
    at("told").dataset.failed = failed;
  };
  const discard = at("discard");
  const discarding = confirmed(discard, texts.discardAgain);
  discard?.addEventListener("click", async () => {
    if (!discarding.press()) return;
    const take = discard.dataset.take;
    if (await post(`takes/${take}/delete`, { confirm: take }, tell)) tell(texts.discarded);
  });

  const form = at("rename-form");
  const renaming = confirmed(at("rename"), texts.renameAgain);
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [take, to] = [form.dataset.take, form.elements.to.value];
    const wrong = to === take ? texts.sameName : nameProblem(to);
    at("to-problem").textContent = wrong ?? "";
    if (wrong || !renaming.press()) return;
    const done = await post(`takes/${take}/rename`, { confirm: take, to }, tell);
    if (done) location.assign(`/takes/${to}`);
  });
}
