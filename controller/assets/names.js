// The rules of take names, as the controller has them: said while somebody types.

import { texts } from "./texts.js";

/** What is wrong with a name; null when nothing is. */
export function nameProblem(text) {
  if (!text) return texts.emptyName;
  const bad = /[^A-Za-z0-9._-]/u.exec(text);
  if (bad) return texts.badCharacter(bad[0]);
  return /^[A-Za-z0-9]/.test(text) ? null : texts.badStart;
}
