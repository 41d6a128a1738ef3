// A take for editors: having it made, how far that is, and what is there.

import { post } from "./post.js";

/** What files are for, by how their names end; the first that fits. */
const kinds = [
  ["_conformed.mp4", "film at a constant rate"],
  ["_proxy.mp4", "light film"],
  [".mp4", "film"],
  [".otio", "timeline for Resolve and Kdenlive"],
  [".fcpxml", "timeline for Final Cut Pro"],
  [".xml", "timeline for Premiere Pro"],
  ["_markers.csv", "marks"],
  ["_markers.edl", "marks for Resolve"],
  ["_conform.csv", "what was repeated or left out"],
  ["_sheet.html", "contact sheet"],
  ["_export.json", "what was made, of what"],
];

/** How often one looks how far it is. */
export const EVERY_MS = 700;
const words = {
  queued: "Waits for another one.",
  running: (file) => `Making ${file || "the first file"} …`,
  done: "Done.",
  cancelled: "Cancelled; what was finished stays.",
  cancel: "Cancel",
  make: "Make films and timelines",
  lost: "The controller does not answer.",
  none: (ip, why) => `${ip} has no film: ${why}`,
};

/** What is there and what is being made of each take of this name, newest first; null when nobody answers. */
export async function exported(take) {
  try {
    const response = await fetch(`/api/takes/${take}/export`, { signal: AbortSignal.timeout(8000) });
    return response.ok ? (await response.json()).takes : null;
  } catch {
    return null;
  }
}

function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  let value = bytes;
  while (value >= 1000 && at < units.length - 1) [value, at] = [value / 1000, at + 1];
  return `${at ? value.toFixed(1) : value} ${units[at]}`;
}

function line(take, { name, bytes }) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = `/media/${take}/editor/${name}`;
  link.textContent = name;
  if (!name.endsWith("_sheet.html")) link.download = name;
  const told = document.createElement("span");
  told.className = "quiet";
  const kind = kinds.find(([end]) => name.endsWith(end));
  told.textContent = [kind?.[1], size(bytes)].filter(Boolean).join(" · ");
  item.append(link, told);
  return item;
}

function start(section) {
  const { take } = section.dataset;
  const at = (id) => document.getElementById(id);
  const [button, bar, told, list] = ["export", "export-bar", "export-told", "products"].map(at);
  let on = false;
  let listed = "";
  const say = (text, failed = false) => {
    told.textContent = text;
    told.dataset.failed = failed;
  };

  async function look() {
    const takes = await exported(take);
    if (!takes) return say(words.lost, true);
    const files = takes.flatMap((one) => one.files);
    if (JSON.stringify(files) !== listed) {
      listed = JSON.stringify(files);
      list.replaceChildren(...files.map((file) => line(take, file)));
    }
    at("export-play").hidden = !files.some((file) => file.name.endsWith("_export.json"));
    const all = takes.map((one) => one.export).filter(Boolean);
    const current = all.find((one) => one.state === "running") ?? all.find((one) => one.state === "queued") ?? all[0];
    if (!current) return;
    on = current.state === "running" || current.state === "queued";
    button.textContent = on ? words.cancel : words.make;
    bar.hidden = !on;
    bar.value = current.total ? current.done / current.total : 0;
    if (current.state === "running") say(words.running(current.file));
    else if (current.state === "failed") say(current.error, true);
    else {
      const problems = Object.entries(current.problems).map(([ip, why]) => words.none(ip, why));
      say([words[current.state], ...problems, ...current.notes].join("\n"), problems.length > 0);
    }
    if (on) setTimeout(look, EVERY_MS);
  }

  button.addEventListener("click", async () => {
    const cancelling = on;
    button.disabled = true;
    const takes = await exported(take);
    for (const { id } of takes ?? []) {
      // The stamp is what tells two takes of one name apart.
      const wish = { stamp: id.slice(-15), conform: at("conform").checked, proxies: at("proxies").checked };
      if (!(await post(`takes/${take}/export${cancelling ? "/cancel" : ""}`, wish, say))) break;
    }
    button.disabled = false;
    look();
  });
  look();
}

const section = document.getElementById("editor");
if (section) start(section);
