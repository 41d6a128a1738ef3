// The marks of a list: editing a note, deleting a mark. Deleting wants a second press.

import { confirmed } from "./confirm.js";
import { post } from "./post.js";
import { texts } from "./texts.js";

/** Wires every list of marks on the page, whatever comes into it later. */
export function markLists() {
  for (const list of document.querySelectorAll("[data-marks]")) {
    const deleting = new WeakMap();
    list.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-mark]");
      const line = button?.closest("li");
      if (!line) return;
      if (button.dataset.mark === "edit") edit(list, line);
      if (button.dataset.mark === "delete") {
        if (!deleting.has(button)) deleting.set(button, confirmed(button, texts.deleteAgain));
        if (deleting.get(button).press()) change(list, line, { delete: true });
      }
    });
  }
}

async function change(list, line, wish) {
  const told = list.parentElement.querySelector(".mark-answer");
  const say = (text, failed = false) => {
    told.textContent = text;
    told.dataset.failed = failed;
  };
  const n = Number(line.dataset.key);
  const body = { ...wish, n, ...(list.dataset.marks && { take: list.dataset.marks }) };
  const result = await post("mark", body, say);
  if (!result) return false;
  if (wish.delete) {
    // The focus does not fall back to the page's beginning.
    const next = (line.nextElementSibling ?? line.previousElementSibling)?.querySelector("button") ?? list;
    next.focus();
    line.remove();
    say(texts.markDeleted(n));
  } else {
    line.querySelector(".note").textContent = wish.note;
    say(texts.noteOf(n));
  }
  return true;
}

function edit(list, line) {
  if (line.querySelector("form")) return;
  const form = document.getElementById("t-edit").content.firstElementChild.cloneNode(true);
  const field = form.elements.note;
  const button = line.querySelector("[data-mark=edit]");
  field.setAttribute("aria-label", texts.noteFor(line.dataset.key, line.querySelector(".time").textContent));
  field.value = line.querySelector(".note").textContent;
  const leave = () => {
    form.remove();
    line.classList.remove("editing");
    button.focus();
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await change(list, line, { note: field.value })) leave();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    leave();
  });
  form.querySelector("[type=button]").addEventListener("click", leave);
  line.append(form);
  line.classList.add("editing");
  field.focus();
}
