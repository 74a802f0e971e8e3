// Where a supervisor is and what it wants to be shown, found as the command line finds them.
//
// The address: MUSTER_URL, else http://127.0.0.1:7420. The token: MUSTER_HTTP_TOKEN; else, for a supervisor of this machine,
// the file that it names when it is asked without one; else what the settings file and data_dir say.

import { closeSync, constants, existsSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { isIP } from "node:net";
import { basename, dirname, join, resolve } from "node:path";

const DEFAULT_URL = "http://127.0.0.1:7420";
const TOKEN_FILE = "http_token";
const SETTINGS_FILES = ["./muster.toml", "/etc/muster/muster.toml"];
const FILE_MAX_BYTES = 4096;

/** The address of the supervisor, without a slash at its end. */
export function urlOf(given) {
  const text = given || process.env.MUSTER_URL || DEFAULT_URL;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !["http:", "https:"].includes(url.protocol) || !url.hostname) {
    throw new TypeError(`${JSON.stringify(text)} is no address of a supervisor: it must be like ${DEFAULT_URL}`);
  }
  // The address of the API is what comes to mind, too; all that is asked is below it.
  return text.replace(/\/+$/, "").replace(/\/api$/, "");
}

/** The token that somebody gave, perhaps with the end of the line it stood on. "none" is the setting of a supervisor without one. */
export function givenToken(given) {
  const token = (given || process.env.MUSTER_HTTP_TOKEN || "").trim();
  if (!/^[!-~]*$/.test(token)) throw new TypeError("a token is one word without spaces or line breaks, and what was given is not");
  return token === "" || token === "none" ? null : token;
}

/** A file of ours is of no use to a supervisor elsewhere, and none of its business. */
export function isOfThisMachine(url) {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, "");
  return host === "localhost" || (isIP(host) === 4 && host.startsWith("127.")) || host === "::1";
}

/** The token in the file that a supervisor of this machine names, else the one that the settings lead to. */
export function tokenOf(problem) {
  const named = typeof problem.token_file === "string" ? readNamed(problem.token_file) : null;
  return named ?? tokenOfSettings();
}

/**
 * The token in a file that somebody named, perhaps a server that is not what it seems: only a file of this name that is
 * ours alone and holds one word is read, so that nothing else can be asked out of us.
 */
export function readNamed(path) {
  if (basename(path) !== TOKEN_FILE) return null;
  let file;
  try {
    // Neither through a link, nor waiting for the other end of a pipe.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const status = fstatSync(file);
    const us = process.geteuid();
    if (!status.isFile() || (status.uid !== us && us !== 0) || (status.mode & 0o077) !== 0) return null;
    const bytes = Buffer.alloc(FILE_MAX_BYTES);
    const token = bytes.toString("latin1", 0, readSync(file, bytes)).trim();
    return /^[!-~]+$/.test(token) ? token : null;
  } catch {
    return null;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function tokenOfSettings() {
  const path = SETTINGS_FILES.find((one) => existsSync(one));
  let text = "";
  try {
    text = path ? readFileSync(path, "utf8") : "";
  } catch {
    // Settings that cannot be read are for those who need them.
    return null;
  }
  const token = textOf(text, "http_token");
  if (token) return token === "none" ? null : token;
  if (process.env.MUSTER_DATA_DIR) return readNamed(resolve(process.env.MUSTER_DATA_DIR, TOKEN_FILE));
  const folder = textOf(text, "data_dir");
  return readNamed(path && folder ? join(resolve(dirname(path), folder), TOKEN_FILE) : resolve("muster-data", TOKEN_FILE));
}

/** A text of the settings file, which is flat: its keys stand at the top, each on a line of its own. */
function textOf(toml, key) {
  const found = new RegExp(`^[ \\t]*"?${key}"?[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|'([^']*)')`, "m").exec(toml);
  if (!found) return null;
  return found[1] === undefined ? found[2] : found[1].replace(/\\(["\\])/g, "$1");
}
