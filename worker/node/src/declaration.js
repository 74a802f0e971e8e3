// Where the text of a file declares a policy: `export const muster = { … }`, or a variable that is exported by that name, cut out,
// because the file is not run to be asked.

const LITERAL =
  /^([ \t]*)export\s+(?:const|let|var)\s+muster\s*(?::[^={;]*)?=\s*(?:Object\.freeze\(\s*)?(?=\{)|^(?:module\.)?exports\.muster\s*=\s*(?:Object\.freeze\(\s*)?(?=\{)/gm;
/** A list of exports of this file's own. */
const LIST = /^[ \t]*export\s*\{([^}]*)\}(?!\s*from\b)/gm;
const LISTED = /^(?:(muster)|([\w$]+)\s+as\s+muster)$/;
/** What looks as if it exported `muster`, whether it can be cut out or not. */
const EXPORT = /^[ \t]*(?:export\s+(?:const|let|var)\s+muster\b|export\s*\{[^}]*\bmuster\s*[,}]|(?:module\.)?exports\.muster\s*=(?!=))/gm;
const LITERAL_MAX_CHARS = 64 * 1024;
const TEXTS_AND_COMMENTS = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[^]|[^`\\])*`|\/\/.*|\/\*[^]*?\*\//g;

/** What to write in place of an export `muster` that was not found in the text. */
export const NOT_CUT_OUT =
  "it must stand in the text as `export const muster = { … }`, a plain literal of at most 64 KiB: it is read before the file is run";

/** The literal, from its first brace to the one that closes it; null when there is none. */
export function literalIn(source) {
  for (const found of source.matchAll(LITERAL)) {
    // In the first column neither a comment nor a text that speaks of it is taken for one.
    if (found[1] && !isCode(source, found.index)) continue;
    return closed(source, found.index + found[0].length);
  }
  return literalOfList(source);
}

/** Of `const policy = { … }` in the first column, where it is listed by `export { policy as muster }`. */
function literalOfList(source) {
  for (const list of source.matchAll(LIST)) {
    const [, own, other] = list[1].split(",").map((one) => LISTED.exec(one.trim())).find((one) => one !== null) ?? [];
    const name = own ?? other;
    if (name === undefined || !isCode(source, list.index)) continue;
    const declared = new RegExp(`^(?:const|let|var)\\s+${name.replaceAll("$", "\\$")}\\s*(?::[^={;]*)?=\\s*(?:Object\\.freeze\\(\\s*)?(?=\\{)`, "gm");
    for (const found of source.matchAll(declared)) {
      if (isCode(source, found.index)) return closed(source, found.index + found[0].length);
    }
  }
  return null;
}

/** True when the text seems to export `muster`. */
export function seemsToDeclare(source) {
  return [...source.matchAll(EXPORT)].some(({ index }) => isCode(source, index));
}

/** Texts and comments in it are passed over. */
function closed(source, start) {
  const TOKEN = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|\/\/.*|\/\*[^]*?\*\/|[{}]/g;
  const text = source.slice(start, start + LITERAL_MAX_CHARS);
  let depth = 0;
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (token === "{") depth++;
    else if (token === "}" && --depth === 0) return text.slice(0, index + 1);
  }
  return null;
}

/** False for a place within a text or a comment. */
function isCode(source, place) {
  for (const { 0: token, index } of source.matchAll(TEXTS_AND_COMMENTS)) {
    if (index > place) return true;
    if (place < index + token.length) return false;
  }
  return true;
}
