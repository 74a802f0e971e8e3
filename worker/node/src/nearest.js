// Which name was probably meant.

/** The name that is nearest to a mistyped one; null when none is near. */
export function nearest(mistyped, names) {
  const asked = mistyped.toLowerCase().replace(/\.[cm]?[jt]s$/, "");
  let best = null;
  let least = Math.max(1, Math.floor(asked.length / 3)) + 1;
  for (const name of names) {
    const known = name.toLowerCase();
    const away = asked.endsWith(`/${known}`) ? 0 : distance(asked, known);
    if (away < least) [best, least] = [name, away];
  }
  return best;
}

/** How many characters must be put in, left out or changed to make one text of the other. */
function distance(one, other) {
  let above = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let row = 1; row <= one.length; row++) {
    const here = [row];
    for (let at = 1; at <= other.length; at++) {
      const changed = above[at - 1] + (one[row - 1] === other[at - 1] ? 0 : 1);
      here.push(Math.min(changed, above[at] + 1, here[at - 1] + 1));
    }
    above = here;
  }
  return above[other.length];
}
