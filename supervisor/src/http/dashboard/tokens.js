// Tokens: who is let in beside the holder of the settings' own. What lets somebody in is shown once, when it is made.
import { access } from "./access.js";
import { actions } from "./actions.js";
import { ask, part, tell } from "./api.js";
import { $, make, section, set, table } from "./dom.js";
import { confirmed, dialog, given } from "./form.js";
import { ago, moment, until } from "./format.js";
import { begin, button } from "./page.js";

const DAY = 86_400, HOUR = 3600;
const LIVES = [["", "it does not"], [`${7 * DAY}`, "in 7 days"], [`${30 * DAY}`, "in 30 days"], [`${90 * DAY}`, "in 90 days"], [`${365 * DAY}`, "in a year"]];
const OVERLAPS = [["", "no longer"], [`${HOUR}`, "for an hour"], [`${DAY}`, "for a day"], [`${7 * DAY}`, "for 7 days"]];
const ROLES = [["view", "view: look at everything, change nothing"], ["operate", "operate: also run and stop things"], ["admin", "admin: also define, and let others in"]];
let organizations = [];
const ownNote = name => name === access?.token ? " It is the one that you are looking with." : "";
const isOver = at => at && Date.parse(at) <= Date.now();

const rows = table({
  label: "Tokens", none: "None was made: only the token of the settings lets anybody in.", keyOf: one => one.name,
  columns: [
    { name: "Token", kind: "lead", make: () => {
      const name = make("span"), own = make("span", { class: "dim" }, " (yours)"), whole = make("span", {}, name, own);
      whole.update = one => { set(name, one.name); own.hidden = one.name !== access?.token; };
      return whole;
    } },
    { name: "Role", text: one => one.role },
    { name: "Organization", text: one => one.organization ?? "all", style: one => one.organization ? "" : "dim" },
    { name: "Expires", kind: "nowrap", text: one => isOver(one.expires_at) ? "expired" : one.expires_at ? until(one.expires_at) : "never", title: one => moment(one.expires_at), style: one => isOver(one.expires_at) ? "bad" : one.expires_at ? "" : "dim" },
    { name: "Last used", kind: "nowrap", text: one => ago(one.last_used_at) || "never", title: one => moment(one.last_used_at), style: one => one.last_used_at ? "" : "dim" },
    { name: "Secret", text: one => [`${one.rotated_at ? "rotated" : "made"} ${ago(one.rotated_at ?? one.created_at)}`, one.previous_until && !isOver(one.previous_until) && `the one before counts, too, ${until(one.previous_until)}`].filter(Boolean).join("; "),
      title: one => `made ${moment(one.created_at)} by ${one.created_by}` },
    actions([["Rotate…", rotate, { needs: "admin all" }], ["Remove…", remove, { needs: "admin all", danger: true }]], one => one.name),
  ],
});
$("content").append(section("Who is let in", [make("span", { class: "push" }), button("Make a token…", create, { needs: "admin all" })],
  make("p", { class: "dim" }, "Beside the token of the settings, ", make("code", {}, "http_token"), ", which may do everything and is changed there. What a holder does stands in the audit with the name of the token."), rows));

async function read() {
  const [found, owners] = await Promise.all([ask("api/tokens"), ask("api/organizations")]);
  organizations = owners.organizations.map(one => one.key);
  rows.show(found.tokens);
}

/** What its holder shows, this once. It is in this dialog and nowhere else. */
async function showSecret({ secret, token: { name } }) {
  const field = make("input", { id: "secret", class: "mono", readonly: true, value: secret, autocomplete: "off", spellcheck: "false", onfocus: () => field.select() });
  const copy = make("button", { type: "button" }, "Copy");
  copy.onclick = async () => {
    field.select();
    // Where the page is not let at the clipboard, what is marked can be copied by hand.
    set(copy, await navigator.clipboard?.writeText(secret).then(() => "Copied", () => null) ?? "Marked: copy it");
  };
  const text = [make("p", {}, "This is shown now and never again: nobody can look it up, here or in the database."), make("label", { class: "field" }, make("b", {}, "Token"), field), make("div", { class: "bar" }, copy)];
  await dialog({ title: `The token ${name}`, text, verb: "I have it", isTold: true });
  field.value = "";
}

async function create() {
  const made = await dialog({
    title: "Make a token", verb: "Make it",
    fields: [{ name: "name", label: "Name", required: true, hint: "the person or the program that has it: the audit names it" }, { name: "role", label: "Its holder may", options: ROLES, value: "view" },
      { name: "organization", label: "Only for the organization", suggestions: organizations, hint: "left out, it is for all of them" }, { name: "expires_seconds", label: "It expires", options: LIVES, value: `${90 * DAY}`, is: Number }],
    send: values => tell("POST", "api/tokens", given(values)),
  });
  if (!made) return "";
  await showSecret(made);
  return `Token ${made.token.name} is made.`;
}

async function rotate({ name, expires_at: expiresAt }) {
  const over = isOver(expiresAt);
  const made = await dialog({
    title: `Rotate ${name}?`, text: [`It gets another secret.${ownNote(name)}`], verb: "Rotate it", danger: true,
    fields: [{ name: "overlap_seconds", label: "The one before counts", options: OVERLAPS, value: "", is: Number },
      { name: "expires_seconds", label: "It expires", options: [...over ? [] : [["", "as before"]], ...LIVES.slice(1)], value: over ? `${90 * DAY}` : "", is: Number, hint: over ? "it has expired, and so would its new secret" : undefined }],
    send: values => tell("POST", `api/tokens/${part(name)}/rotate`, given(values)),
  });
  if (!made) return "";
  await showSecret(made);
  return `Token ${name} has another secret.`;
}

async function remove({ name }) {
  if (!await confirmed(`Remove the token ${name}?`, `Nobody is let in with it any more, from this second on.${ownNote(name)}`, "Remove it")) return "";
  await tell("DELETE", `api/tokens/${part(name)}`);
  return `Token ${name} is removed.`;
}

begin({ read, channels: [], everyMs: 10_000, needs: "admin all" });
