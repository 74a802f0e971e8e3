// When something is as it was in a recording, in which secrets read `***`.

export const MASK = "***";

/** Equal JSON values, but for what the recording masks. JavaScript has one kind of number, so 1 and 1.0 are equal here. */
export function isAlike(then, now) {
  if (typeof then === "string" && typeof now === "string") return isAlikeText(then, now);
  if (!isContainer(then) || !isContainer(now) || Array.isArray(then) !== Array.isArray(now)) return Object.is(then, now);
  if (Array.isArray(then)) return then.length === now.length && then.every((one, at) => isAlike(one, now[at]));
  return isAlikeObject(then, now);
}

/** Equal, where each mask stands for any text. */
export function isAlikeText(then, now) {
  const [first, ...rest] = then.split(MASK);
  if (rest.length === 0) return then === now;
  if (!now.startsWith(first)) return false;
  const last = rest.pop();
  let at = first.length;
  for (const part of rest) {
    const found = now.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return now.endsWith(last) && at + last.length <= now.length;
}

/** Keys are masked too. A key without a mask stands for itself, before one with a mask takes what is left. */
function isAlikeObject(then, now) {
  const [masked, plain] = [[], []];
  for (const key of Object.keys(then)) (key.includes(MASK) ? masked : plain).push(key);
  if (!plain.every((key) => Object.hasOwn(now, key) && isAlike(then[key], now[key]))) return false;
  const left = Object.keys(now).filter((key) => !plain.includes(key));
  return left.length === masked.length && arePaired(masked, left, then, now);
}

/**
 * True when each masked key has a key of now for itself. A pairing that leads nowhere is taken back.
 * @param {string[]} keys
 */
function arePaired(keys, left, then, now) {
  const [key, ...others] = keys;
  if (key === undefined) return true;
  return left.some(
    (one, at) => isAlikeText(key, one) && isAlike(then[key], now[one]) && arePaired(others, left.toSpliced(at, 1), then, now),
  );
}

function isContainer(value) {
  return value !== null && typeof value === "object";
}
