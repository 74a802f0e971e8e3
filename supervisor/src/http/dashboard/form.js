// Questions in a dialog: what is wrong with an answer is said there, and nothing that was typed is lost.
import { typed } from "./api.js";
import { $, make, set } from "./dom.js";

/** What is typed in a field, as a value; undefined when it is empty. */
function valueOf({ type, label, is }, input) {
  if (type === "check") return input.checked;
  const text = type === "secret" || type === "text" ? input.value : input.value.trim();
  if (text.trim() === "") return undefined;
  if (type === "number") return typed(text, label);
  if (type === "json") return typed(text, label);
  if (type === "words") return text.split(/[\s,]+/).filter(Boolean);
  return is ? is(text) : text;
}

function inputOf({ name, type = "line", options, value, required, placeholder, min, step, suggestions, fixed }) {
  const common = { name, id: `field-${name}`, required, placeholder, "aria-describedby": `hint-${name}` };
  if (options) {
    return make("select", common, options.map(option => {
      const [word, text] = Array.isArray(option) ? option : [option, option];
      return make("option", { value: word, selected: word === (value ?? "") }, text);
    }));
  }
  if (type === "check") return make("input", { ...common, type: "checkbox", checked: Boolean(value) });
  if (type === "json" || type === "text") {
    const area = make("textarea", { ...common, spellcheck: "false" });
    area.value = value === undefined ? "" : type === "json" ? JSON.stringify(value, null, 2) : value;
    return area;
  }
  const shown = Array.isArray(value) ? value.join(", ") : value;
  return make("input", { ...common, type: type === "secret" ? "password" : type === "number" ? "number" : "text", autocomplete: type === "secret" ? "new-password" : "off",
    min, step: type === "number" ? step ?? "any" : null, value: shown, list: suggestions ? `list-${name}` : null, readonly: fixed });
}

/** One field with its label and what there is to know of it. */
function fieldOf(field) {
  const input = inputOf(field), label = make("b", {}, field.label, field.required ? " *" : "");
  const hint = make("span", { id: `hint-${field.name}` }, field.hint ?? "");
  const suggestions = field.suggestions ? make("datalist", { id: `list-${field.name}` }, field.suggestions.map(value => make("option", { value }))) : null;
  const made = field.type === "check" ? make("label", { class: "field check" }, input, make("span", {}, label, " ", hint))
    : make("label", { class: "field" }, label, input, suggestions, hint);
  return { made, input };
}

/**
 * Asks for `fields` and does `send(values)` with them; gives what that gives, or null when nothing is done. A field has a name,
 * a label, a type (line, text, number, words, json, secret, check), options, a value, a hint. With `isTold` there is nothing to refuse.
 */
export function dialog({ title, text = [], fields = [], verb = "Save", danger = false, isTold = false, send = values => values ?? {} }) {
  return new Promise(done => {
    const inputs = fields.map(field => [field, fieldOf(field)]);
    const wrong = make("p", { class: "wrong", role: "alert" }), go = make("button", { class: danger ? "danger" : "main" }, verb), no = make("button", { type: "button" }, "Not now");
    const form = make("form", { novalidate: false }, make("h2", { id: "dialog-title" }, title), [text].flat().map(line => line instanceof Node ? line : make("p", {}, line)),
      inputs.map(([, { made }]) => made), wrong, make("div", { class: "bar" }, isTold ? null : no, go));
    const box = make("dialog", { "aria-labelledby": "dialog-title" }, form);
    let result = null;
    box.say = what => set(go, what);
    form.onsubmit = async event => {
      event.preventDefault();
      go.disabled = true; set(wrong, "");
      try {
        const values = Object.fromEntries(inputs.map(([field, { input }]) => [field.name, valueOf(field, input)]));
        result = (await send(values, box)) ?? true;
        box.close();
      } catch (error) { set(wrong, error.message); }
      go.disabled = false;
    };
    no.onclick = () => box.close();
    box.onclose = () => { box.remove(); done(result); };
    $("said").before(box);
    box.showModal();
  });
}

export const confirmed = (title, text, verb) => dialog({ title, text, verb, danger: true });

/** Whatever has a value. */
export const given = values => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== "" && value !== null));

/** Fields for the parameters of a JSON Schema; null when it is none that fields can be made of. */
export function fieldsOf(schema) {
  const properties = schema?.properties;
  if (!properties || typeof properties !== "object" || schema.$ref) return null;
  return Object.entries(properties).map(([name, raw]) => {
    // What may be null besides is asked for as what it is else.
    const choices = raw.anyOf ?? raw.oneOf, plain = choices?.filter(one => one.type !== "null");
    const of = plain?.length === 1 ? { ...raw, ...plain[0] } : raw;
    const kinds = [of.type].flat().filter(kind => kind && kind !== "null"), kind = kinds.length === 1 ? kinds[0] : undefined;
    const required = schema.required?.includes(name) ?? false;
    const hint = [of.description, of.default === undefined ? "" : `default ${JSON.stringify(of.default)}`].filter(Boolean).join("; ");
    const field = { name, label: of.title ?? name, required, hint, value: of.default };
    if (Array.isArray(of.enum)) {
      const known = of.enum.map(value => [JSON.stringify(value), String(value)]);
      return { ...field, options: required ? known : [["", "(left out)"], ...known], value: of.default === undefined ? "" : JSON.stringify(of.default), is: text => JSON.parse(text) };
    }
    if (kind === "boolean") return { ...field, required: false, options: [["", required ? "choose" : "(left out)"], ["true", "true"], ["false", "false"]], value: of.default === undefined ? "" : String(of.default), is: text => text === "true" };
    if (kind === "string") return { ...field, type: of.maxLength > 200 || of.format === "textarea" ? "text" : "line" };
    if (kind === "integer" || kind === "number") return { ...field, type: "number", step: kind === "integer" ? 1 : "any", min: of.minimum };
    return { ...field, type: "json", hint: [hint, "JSON"].filter(Boolean).join("; ") };
  });
}
