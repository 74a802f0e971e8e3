// Elements. Every value is set as text, never as markup: names, errors and logs come from other people's code.
// What is there already is changed in place, so that focus, selection and scroll position stay.

export const $ = id => document.getElementById(id);

/** An element with its attributes, listeners (`on…`) and children; a child that is null is left out. */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter(child => child !== null && child !== undefined && child !== ""));
  return made;
}

export function set(node, text, kind) {
  const wanted = String(text ?? "");
  if (node.textContent !== wanted) node.textContent = wanted;
  if (kind !== undefined && node.className !== kind) node.className = kind;
}

/** Makes the children of `parent` those of `items`: each is made once for its key, and told of what it is now. */
export function list(parent, items, keyOf, create) {
  const there = new Map([...parent.children].map(one => [one.dataset.key, one]));
  items.forEach((item, at) => {
    const key = String(keyOf(item)), one = there.get(key) ?? create(item);
    there.delete(key);
    one.dataset.key = key;
    one.update(item);
    if (parent.children[at] !== one) parent.insertBefore(one, parent.children[at] ?? null);
  });
  for (const gone of there.values()) gone.remove();
}

/** Names and values: `[name, text, kind]`. What has no text is left out. */
export function pairs(parent, items) {
  list(parent, items.filter(([, value]) => value !== null && value !== undefined && value !== ""), ([name]) => name, ([name]) => {
    const value = make("dd"), made = make("div", {}, make("dt", {}, name), value);
    made.update = ([, text, kind]) => (text instanceof Node ? value.replaceChildren(text) : set(value, text, kind ?? ""));
    return made;
  });
}

/**
 * A table that becomes a list of cards on a narrow screen. A column has a `name`, and either `text(row)`, with a `style(row)`,
 * or `make(now)`, which makes what stands in the cell once and may give it an `update(row)`; `now()` is the row as it is.
 */
export function table({ label, columns, keyOf, none, fixed = false }) {
  const head = columns.map(({ name, kind, width, said }) => {
    const made = make("th", { scope: "col", role: "columnheader", class: kind }, said ? make("span", { class: "unseen" }, said) : name);
    if (width) made.style.width = width;
    return made;
  });
  const body = make("tbody", { role: "rowgroup" }), nothing = make("p", { class: "none", hidden: true }, none);
  const whole = make("table", { role: "table", "aria-label": label, class: fixed ? "fixed" : "" },
    make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, head)), body);
  const row = () => {
    const made = make("tr", { role: "row" });
    const cells = columns.map(({ name, kind, make: fill }) => {
      const cell = make("td", { role: "cell", class: kind, "data-label": name });
      if (fill) { const inside = fill(() => made.row); cell.append(inside); cell.inside = inside; }
      return cell;
    });
    made.append(...cells);
    made.update = now => {
      made.row = now;
      columns.forEach(({ text, style, kind = "", title }, at) => {
        if (text) set(cells[at], text(now), style ? `${kind} ${style(now)}` : undefined);
        if (title) cells[at].title = title(now) ?? "";
        cells[at].inside?.update?.(now);
        cells[at].toggleAttribute("data-empty", cells[at].textContent === "");
      });
    };
    return made;
  };
  const node = make("div", {}, whole, nothing);
  node.show = rows => {
    list(body, rows, keyOf, row);
    whole.hidden = rows.length === 0;
    nothing.hidden = rows.length > 0;
  };
  node.rows = () => [...body.children];
  return node;
}

/** A section with its heading and what stands beside it. */
export function section(title, beside = [], ...children) {
  const id = `title-${title.toLowerCase().replace(/\W+/g, "-")}`;
  return make("section", { "aria-labelledby": id }, make("div", { class: "bar" }, make("h2", { id }, title), beside), children);
}
