// Variables and secrets. A variable is shown; the value of a secret never is.
import { access, isBound } from "./access.js";
import { actions } from "./actions.js";
import { ask, askExactly, named, tell, typed } from "./api.js";
import { $, make, section, table } from "./dom.js";
import { confirmed, dialog } from "./form.js";
import { compact } from "./format.js";
import { begin, button } from "./page.js";

const SHOWN = 300;
let all = { variables: [], secrets: [] }, organizations = [];
const search = make("input", { type: "search", placeholder: "key or organization", "aria-label": "Look for an entry", autocomplete: "off", size: 22 });
const owner = { name: "Organization", text: one => one.organization ?? "everybody", style: one => one.organization ? "" : "dim" };
const keyOf = one => `${one.key}\n${one.organization ?? ""}`, called = one => one.organization ? `${one.key} of ${one.organization}` : one.key;

const variables = table({
  label: "Variables", none: "There are none.", keyOf,
  columns: [{ name: "Key", kind: "lead mono", text: one => one.key }, owner, { name: "Value", kind: "mono", text: one => compact(one.value) },
    actions([["Change…", setVariable, { needs: "admin" }], ["Remove…", one => remove("variables", "variable", one), { needs: "admin", danger: true }]], called)],
});
const secrets = table({
  label: "Secrets", none: "There are none.", keyOf,
  columns: [{ name: "Key", kind: "lead mono", text: one => one.key }, owner,
    { name: "Encrypted", text: one => one.key_id ? `with key ${one.key_id}` : "no: it is in clear, as an earlier version wrote it", style: one => one.key_id ? "dim" : "warn" },
    actions([["Replace…", setSecret, { needs: "admin all" }], ["Remove…", one => remove("secrets", "secret", one), { needs: "admin all", danger: true }]], called)],
});
const secretsPart = section("Secrets", [make("span", { class: "push" }), button("Encrypt all anew…", rotate, { needs: "admin all" }), button("Set a secret…", () => setSecret({}), { needs: "admin all" })], secrets);
$("content").append(
  make("section", { "aria-label": "Look" }, search),
  section("Variables", [make("span", { class: "push" }), button("Set a variable…", () => setVariable({}), { needs: "admin" })], variables),
  secretsPart,
);
search.oninput = show;

async function read() {
  const [known, hidden, owners] = await Promise.all([askExactly("api/variables"), isBound() ? { secrets: [] } : ask("api/secrets"), ask("api/organizations")]);
  secretsPart.hidden = isBound();
  all = { variables: known.variables, secrets: hidden.secrets };
  organizations = owners.organizations.map(one => one.key);
  show();
}

function show() {
  const text = search.value.trim().toLowerCase(), fits = one => [one.key, one.organization].some(word => word?.toLowerCase().includes(text));
  variables.show(all.variables.filter(fits).slice(0, SHOWN));
  secrets.show(all.secrets.filter(fits).slice(0, SHOWN));
}

const which = one => [{ name: "key", label: "Key", value: one.key, required: true, fixed: Boolean(one.key) },
  { name: "organization", label: "Organization", value: one.organization ?? access.organization, suggestions: organizations, fixed: Boolean(one.key) || isBound(), hint: isBound() ? "" : "left out, it is everybody's" }];

async function setVariable(one) {
  return (await dialog({
    title: one.key ? `Change ${called(one)}` : "Set a variable", text: ["Runs that start from now on see it."],
    fields: [...which(one), { name: "value", label: "Value", type: "json", value: one.value, required: true, hint: "JSON; text stands in quotes" }],
    send: async ({ key, organization, value }) => { await tell("PUT", named("variables", key, organization), { value }); return `Variable ${key} is set.`; },
  })) || "";
}

async function setSecret(one) {
  return (await dialog({
    title: one.key ? `Replace ${called(one)}` : "Set a secret", text: ["It is encrypted before it is stored, and never shown again."],
    fields: [...which(one), { name: "value", label: "Value", type: "secret", required: true }, { name: "isJson", label: "The value is JSON", type: "check", hint: "else it is text" }],
    send: async ({ key, organization, value, isJson }) => {
      let secret = value;
      // What a parser says of it would show it.
      if (isJson) try { secret = typed(value, "Value"); } catch { throw new Error("Value: is no JSON"); }
      await tell("PUT", named("secrets", key, organization), { value: secret });
      return `Secret ${key} is set.`;
    },
  })) || "";
}

async function rotate() {
  if (!await confirmed("Encrypt every secret with the current key?", "Those that are encrypted with it already stay as they are.", "Encrypt them")) return "";
  const { changes } = await tell("POST", "api/secrets");
  return `${changes.length} secrets are encrypted anew.`;
}

async function remove(kind, word, one) {
  if (!await confirmed(`Remove the ${word} ${called(one)}?`, "Runs that start from now on do not find it.", "Remove it")) return "";
  await tell("DELETE", named(kind, one.key, one.organization));
  return `The ${word} ${called(one)} is removed.`;
}

begin({ read, channels: [], everyMs: 10_000 });
