// Who looks, and what they may do: what the supervisor would refuse is not offered, and says what it takes.
import { ask, tokenNow } from "./api.js";

const ROLES = ["view", "operate", "admin"];
/** A token's name, its role and its organization, as the supervisor answers; null until it has. */
export let access = null;
let readWith = null;

/** Reads it, once for a token: for another one the page begins anew. */
export async function readAccess() {
  if (access && readWith === tokenNow()) return;
  if (access) { location.reload(); await new Promise(() => {}); }
  const found = await ask("api/access");
  readWith = tokenNow();
  access = found;
  document.body.classList.toggle("bound", isBound());
  for (const button of document.querySelectorAll("button[data-needs]")) offer(button);
}

/** Whether they see what is of one organization, and nothing else. */
export const isBound = () => access?.organization_id != null;

/**
 * Why they may not do what needs this: a role, and `all` behind it where it is about what all organizations share. Empty when they may.
 * The supervisor decides; this says so before it is asked.
 */
export function refusal(needs) {
  if (!access || !needs) return "";
  const [role, all] = needs.split(" ");
  if (ROLES.indexOf(access.role) < ROLES.indexOf(role)) return `This needs the role ${role}; the token shown has the role ${access.role}.`;
  return all && isBound() ? `This is of all organizations, and the token shown is bound to ${access.organization}; it needs the role ${role} without an organization.` : "";
}

/** Leaves a button as it is, or makes it one that cannot be pressed and says why. */
export function offer(button) {
  const reason = refusal(button.dataset.needs);
  if (!reason) return;
  button.disabled = true;
  button.title = reason;
}
