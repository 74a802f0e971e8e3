// The API, with the token in hand. Addresses are those beside this page, so that it works below any path.
import { $, make } from "./dom.js";

export const base = new URL(".", document.baseURI);
let token = sessionStorage.getItem("token"), asked = null;
export const tokenNow = () => token;

/** Other tabs of this supervisor are asked before the person is: a link in a new tab opens as it would have in the old one. */
const tabs = new BroadcastChannel(`muster ${base.pathname}`);
tabs.onmessage = ({ data }) => { if (data === "token?" && token) tabs.postMessage({ token }); };
export const whenToken = new Promise(done => {
  if (tokenOfAddress() || token) return done();
  const answered = ({ data }) => { if (data?.token) { keep(data.token); done(); } };
  tabs.addEventListener("message", answered);
  tabs.postMessage("token?");
  setTimeout(done, 150);
});

function keep(known) { token = known; sessionStorage.setItem("token", token); }

/** A token in the address is taken out of it at once: neither a bookmark nor the history keeps it. */
export function tokenOfAddress() {
  if (!location.hash.startsWith("#token=")) return false;
  keep(decodeURIComponent(location.hash.slice(7)));
  history.replaceState(null, "", location.pathname + location.search);
  return true;
}

export async function request(path, options = {}) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const answer = await fetch(new URL(path, base), { ...options, headers }).catch(() => { throw new Error("The supervisor does not answer."); });
  if (answer.status === 401) { await askToken(); return request(path, options); }
  if (answer.ok || path === "readyz") return answer;
  throw new Error((await answer.json().catch(() => ({}))).detail || `${path}: ${answer.status} ${answer.statusText}`);
}

// Numbers that no double holds stay as they were written, in browsers that show how that was. They can be shown, and no longer be
// reckoned with: this is for what people gave.
const exactly = text => JSON.parse(text, (_, value, at) => typeof value === "number" && JSON.rawJSON && at?.source && at.source.replace(/\D/g, "").length > 15 ? JSON.rawJSON(at.source) : value);
export const ask = async path => (await request(path)).json();
export const askExactly = async path => exactly(await (await request(path)).text());
export const tell = async (method, path, body) => (await request(path, { method, body: body && JSON.stringify(body) })).json();
/** A name as a part of a path. What would lead elsewhere is none. */
export const part = name => {
  if (["", ".", ".."].includes(name)) throw new Error(`"${name}" cannot be a name`);
  return encodeURIComponent(name);
};
/** The name of something in an address, with the organization it belongs to. */
export const named = (kind, name, organization) => `api/${kind}/${part(name)}${organization ? `?organization=${part(organization)}` : ""}`;
/** JSON as somebody typed it, with its numbers as they are. */
export function typed(text, what) {
  try { return exactly(text); } catch (error) { throw new Error(`${what}: ${error.message}`); }
}

function askToken() {
  asked ??= new Promise(done => {
    const input = make("input", { type: "password", id: "token", autocomplete: "current-password", required: true });
    const door = make("dialog", { "aria-labelledby": "door-title" }, make("form", {},
      make("h2", { id: "door-title" }, token ? "The supervisor does not know this token" : "This supervisor wants a token"),
      make("p", { class: "dim" }, "Open the address that ", make("code", {}, "supervisor dashboard"), " prints, or give the token here: it is the setting ", make("code", {}, "http_token"),
        ", else in the file ", make("code", {}, "http_token"), " of the supervisor's ", make("code", {}, "data_dir"), ". The page keeps it until its tab is closed."),
      make("label", { class: "field" }, "Token", input), make("div", { class: "bar" }, make("button", { class: "main" }, "Enter"))));
    $("said").before(door);
    door.oncancel = event => event.preventDefault();
    door.firstElementChild.onsubmit = event => {
      event.preventDefault();
      keep(input.value);
      door.remove(); asked = null; done();
    };
    door.showModal();
  });
  return asked;
}
