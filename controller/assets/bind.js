// Puts data into the page. The markup says where it goes:
//   data-text="field"    the element's text
//   data-set="a b"       its data-a and data-b, for the style
//   data-href, data-value, data-label   its link, its progress, its label
//   data-list="field"    one child for each entry, by its `key`, made from the template t-<field>
// Texts go in as texts only: whatever a name or a note holds, it never becomes markup.

/** Fills `root` with the fields of `scope`; a field that is not there leaves its element as it is. */
export function fill(root, scope) {
  const { text, set, href, value, label, list } = root.dataset ?? {};
  if (text !== undefined && text in scope) {
    const next = String(scope[text] ?? "");
    if (root.textContent !== next) root.textContent = next;
  }
  for (const name of set?.split(" ") ?? []) {
    if (name in scope && root.dataset[name] !== scope[name]) root.dataset[name] = scope[name];
  }
  if (href !== undefined && href in scope) root.setAttribute("href", scope[href]);
  if (value !== undefined && value in scope) root.value = scope[value];
  if (label !== undefined && label in scope) root.setAttribute("aria-label", scope[label]);
  if (list !== undefined) {
    if (list in scope) entries(root, list, scope[list]);
  } else {
    for (const child of root.children) fill(child, scope);
  }
}

function entries(parent, name, scopes) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = scopes.map((scope) => {
    const key = String(scope.key);
    const child = old.get(key) ?? blank(name, key);
    old.delete(key);
    fill(child, scope);
    return child;
  });
  for (const gone of old.values()) gone.remove();
  // Only what is out of place is moved, so that focus and selection stay.
  wanted.forEach((child, at) => {
    if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
  });
}

function blank(name, key) {
  const child = document.getElementById(`t-${name}`).content.firstElementChild.cloneNode(true);
  child.dataset.key = key;
  return child;
}
