// What every page has: the frame around it, what is wrong, and when it is read again.
import { access, isBound, offer, readAccess, refusal } from "./access.js";
import { ask, request, tokenOfAddress, whenToken } from "./api.js";
import { $, list, make, set } from "./dom.js";
import { coarse, moment, since } from "./format.js";
import { connect } from "./live.js";

const REFRESH_MS = 300, SAID_MS = 7000;
/** What is wrong, by who noticed; each clears its own. */
const trouble = {};
let reading = null, refreshing = false, again = false, readAt = 0, saidAt = 0;
/** The pool as it was read last; of it whoever is bound to an organization sees their pauses, and nothing else. */
export let pool = null;

function showTrouble(who, text) {
  if (who) trouble[who] = text;
  set($("trouble"), Object.values(trouble).filter(Boolean).join(" · "));
  document.body.classList.toggle("away", Boolean(trouble.away));
}

/** Tells what was done. */
export function say(text) {
  if (!text) return;
  set($("said"), text);
  saidAt = Date.now();
  setTimeout(() => { if (Date.now() - saidAt >= SAID_MS) set($("said"), ""); }, SAID_MS + 50);
}

/** What a button does: not twice at once, and its failure is shown. */
export async function act(button, action) {
  button.disabled = true;
  try { say(await action()); showTrouble("action", ""); } catch (error) { showTrouble("action", error.message); }
  button.disabled = false;
  refreshSoon();
}

/** A button; `needs` is what whoever presses it must have. */
export const button = (name, action, { kind, needs } = {}) => {
  const made = make("button", { type: "button", class: kind, "data-needs": needs }, name);
  made.onclick = () => act(made, action);
  offer(made);
  return made;
};

/** A burst of news is one refresh, and the next begins when the last is over. */
export async function refreshSoon() {
  if (refreshing) { again = true; return; }
  refreshing = true;
  await new Promise(done => setTimeout(done, REFRESH_MS));
  again = false;
  await refresh();
  refreshing = false;
  if (again) refreshSoon();
}

async function refresh() {
  try {
    await readFrame();
    trouble.away = "";
    await reading().then(() => { trouble.page = ""; }, error => { trouble.page = error.message; });
  } catch (error) {
    trouble.away = `${error.message}${readAt ? ` What you see is of ${new Date(readAt).toLocaleTimeString()}.` : ""} Trying again.`;
  }
  showTrouble();
}

async function readFrame() {
  await readAccess();
  const [now, readiness] = await Promise.all([ask(isBound() ? "api/pauses" : "api/pool"), request("readyz").then(answer => answer.json())]);
  pool = now; readAt = Date.now();
  const parts = readiness.parts ?? [], unready = readiness.ready ? [] : parts.filter(part => !part.ready).map(part => `${part.part}: ${part.detail}`);
  showTrouble("pool", [pool.problem, ...unready.filter(text => !pool.problem || !text.includes(pool.problem))].filter(Boolean).join(" · "));
  const files = parts.find(({ part }) => part === "files");
  const notices = [...(pool.pauses ?? []).map(({ target, who, why, since: at }) => `${target === "all" ? "Everything" : target} is paused by ${who} since ${moment(at)}${why ? `: ${why}` : ""}`), ...(files ? [`Workflow files: ${files.detail}`] : [])];
  list($("notices"), notices, text => text, text => { const made = make("p", { class: "banner warn" }, text); made.update = () => {}; return made; });
  showAbout();
}

function showAbout() {
  if (!pool) return;
  const who = [access.token, access.role, isBound() && `of ${access.organization}`].filter(Boolean).join(" · ");
  set($("who"), who);
  if (!isBound()) set($("about"), `${pool.version} · up ${coarse(since(pool.started_at))} · generation ${pool.generation}${pool.reload === "settled" ? "" : ` (reload: ${pool.reload})`}${pool.draining ? " · draining" : ""}`);
}

/** Whether whoever looks may not see the page; then it says why. */
function isClosed(needs) {
  const reason = refusal(needs);
  if (reason && !$("closed")) $("content").replaceChildren($("title"), make("p", { id: "closed", class: "banner warn" }, reason));
  return Boolean(reason);
}

/**
 * Begins a page: `read` reads and shows it, now, at news of `channels` and every so often; `show` shows what changes with the clock;
 * `news(channel, data)` may take a message for itself by giving true. Whoever has not what the page `needs` is told why not.
 */
export async function begin({ read, show, channels = ["pool"], news, everyMs = 5000, needs }) {
  const here = document.body.dataset.page;
  for (const link of document.querySelectorAll("nav a")) if (link.dataset.for.split(" ").includes(here)) link.setAttribute("aria-current", "page");
  $("menu").onclick = () => {
    const isOpen = document.querySelector("header").classList.toggle("open");
    $("menu").setAttribute("aria-expanded", isOpen);
  };
  addEventListener("hashchange", () => { if (tokenOfAddress()) location.reload(); });
  addEventListener("keydown", event => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || /INPUT|SELECT|TEXTAREA/.test(event.target.tagName)) return;
    const search = document.querySelector("main input[type=search]");
    if (search) { event.preventDefault(); search.focus(); }
  });
  reading = async () => { if (!isClosed(needs)) await read(); };
  await whenToken;
  await refresh();
  document.body.dataset.ready = "";
  // What the pool does is told to nobody who is bound to an organization.
  connect(isBound() ? channels.filter(channel => channel !== "pool") : channels, (channel, data) => { if (!news?.(channel, data)) refreshSoon(); }, isLive => {
    set($("link"), isLive ? "live" : "connecting again", isLive ? "good" : "bad");
    if (isLive) refreshSoon();
  });
  setInterval(() => { if (!document.hidden && readAt && !isClosed(needs)) { showAbout(); show?.(); } }, 1000);
  setInterval(() => { if (!document.hidden) refreshSoon(); }, everyMs);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refreshSoon(); });
}
