// The colours that were chosen for this browser, before anything is painted: a plain script, as modules come later.

(() => {
  const KEY = "syncslate.theme";
  const sheets = () => ({ light: document.getElementById("light"), contrast: document.getElementById("contrast") });
  const chosen = () => {
    try {
      return localStorage.getItem(KEY) ?? "";
    } catch {
      return "";
    }
  };

  function apply(theme) {
    const { light, contrast } = sheets();
    document.documentElement.dataset.theme = theme;
    light.media = { "": "(prefers-color-scheme: light)", light: "all" }[theme] ?? "not all";
    contrast.media = theme === "contrast" ? "all" : "(prefers-contrast: more)";
    // The browser's own bars.
    const dark = theme === "" ? !matchMedia("(prefers-color-scheme: light)").matches : theme !== "light";
    for (const meta of document.querySelectorAll("meta[name=theme-color]")) meta.content = dark ? "#0e1012" : "#f3f3f0";
    document.querySelector("meta[name=color-scheme]").content = { "": "dark light", light: "light" }[theme] ?? "dark";
  }

  apply(chosen());
  matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => apply(chosen()));
  // Chosen in another window of this browser, or on the page for it.
  addEventListener("storage", () => apply(chosen()));
  addEventListener("syncslate-theme", () => apply(chosen()));
})();
