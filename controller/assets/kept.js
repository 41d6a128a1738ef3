// What this browser remembers for itself. One that remembers nothing (a private window) is served all the same.

/** What was kept under `key`; empty when nothing was. */
export function kept(key) {
  try {
    return localStorage.getItem(`syncslate.${key}`) ?? "";
  } catch {
    return "";
  }
}

/** Keeps `value`; an empty one is forgotten. */
export function keep(key, value) {
  try {
    if (value) localStorage.setItem(`syncslate.${key}`, value);
    else localStorage.removeItem(`syncslate.${key}`);
  } catch {
    // It holds for this page then.
  }
}
