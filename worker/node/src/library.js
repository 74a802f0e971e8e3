// The workflows folder as files: which there are, what they import, and whether a loaded one has changed.
//
// Modules cannot be unloaded in Node. When a file that was loaded has changed, by content, the user thread is
// replaced; until then every module keeps its state.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, realpathSync, statSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { Rejection } from "./outcome.js";
import { EXTENSIONS, hasDefaultExport, importsOf, isSource, isTypeScript, registersWorkflows, withoutExtension } from "./source_files.js";

const NAME = /^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/;
const SKIPPED = new Set(["node_modules", "__pycache__"]);
const RACY_MS = 100;

export class Library {
  #files = new Map();
  #loaded = new Map();

  constructor(folder) {
    this.folder = folder;
    this.root = folder && existsSync(folder) ? realpathSync(folder) : null;
  }

  /** The files that register workflows; they are loaded at the start. */
  registering() {
    return this.#all().filter((file) => this.#read(file).registers);
  }

  /** True when a file that registers workflows came or changed since the thread was started. */
  hasNews() {
    return this.registering().some((file) => !this.#loaded.has(file) || this.isStale(file));
  }

  /** The names of files with a default export. */
  fileNames() {
    return this.#all()
      .filter((file) => this.#read(file).hasDefault)
      .map((file) => withoutExtension(relative(this.root, file)).split(sep).join("/"))
      .filter((name) => NAME.test(name));
  }

  /** The file of a name, if there is one. */
  fileOf(name) {
    if (this.root === null || !NAME.test(name)) return null;
    const file = EXTENSIONS.map((extension) => join(this.root, name + extension)).find((file) => existsSync(file));
    return file !== undefined && isBelow(this.root, file) ? file : null;
  }

  /** A path of a request as a file below the folder, and never outside of it. */
  fileAt(path) {
    if (this.root === null) throw new Rejection(`the workflows folder ${this.folder ?? "(none is set)"} does not exist`);
    const file = resolve(this.root, path);
    const real = existsSync(file) ? realpathSync(file) : file;
    if (path.startsWith("/") || !real.startsWith(this.root + sep)) {
      throw new Rejection(`${path} is not below the workflows folder ${this.root}`);
    }
    if (!existsSync(real)) throw new Rejection(`there is no file ${path} in the workflows folder ${this.root}`);
    if (!isSource(real)) {
      throw new Rejection(`${path} is not a JavaScript file; this worker runs files that end with ${EXTENSIONS.join(", ")}`);
    }
    return real;
  }

  /** Notes what the thread is about to load. */
  noteLoaded(file) {
    for (const one of this.closure(file)) {
      if (!this.#loaded.has(one)) this.#loaded.set(one, this.#read(one).digest);
    }
  }

  /** Another text when the file, or one it imports, has another content. */
  fingerprint(file) {
    return this.closure(file)
      .map((one) => this.#read(one).digest)
      .join();
  }

  /** True when the thread holds an older content of the file, or of one it imports. */
  isStale(file) {
    return this.closure(file).some((one) => this.#loaded.has(one) && this.#loaded.get(one) !== this.#read(one).digest);
  }

  /** A new thread has loaded nothing yet. */
  forgetLoaded() {
    this.#loaded.clear();
  }

  /** True when there is TypeScript among the files. */
  hasTypeScript() {
    return this.#all().some(isTypeScript);
  }

  #all() {
    const files = this.root === null ? [] : walk(this.root).filter((file) => isBelow(this.root, file));
    // Beside what it was compiled to, a source is not run.
    const compiled = new Set(files.filter((file) => !isTypeScript(file)).map(withoutExtension));
    return files.filter((file) => !isTypeScript(file) || !compiled.has(withoutExtension(file)));
  }

  /** The file and all that it imports by relative paths, and what those import. */
  closure(file) {
    const found = [file];
    for (const one of found) {
      for (const path of this.#read(one).imports) if (!found.includes(path)) found.push(path);
    }
    return found;
  }

  #read(file) {
    const known = this.#files.get(file);
    const stamp = stampOf(file);
    if (known?.stamp === stamp && !known.racy) return known;
    const text = stamp === null ? "" : readFileSync(file, "utf8");
    const entry = {
      stamp,
      registers: registersWorkflows(text),
      hasDefault: hasDefaultExport(text),
      digest: createHash("sha1").update(text).digest("base64"),
      imports: importsOf(file, text),
      // Within one tick of the file system's clock equal stamps do not mean equal content.
      racy: stamp !== null && Date.now() - Number(stamp.split(":")[0]) / 1e6 < RACY_MS,
    };
    this.#files.set(file, entry);
    return entry;
  }
}

/** True when a file that is there is below the folder, whatever links lead to it: what is elsewhere is not ours to run. */
function isBelow(root, file) {
  const real = realpathOf(file);
  return real !== null && real.startsWith(root + sep);
}

function realpathOf(file) {
  try {
    return realpathSync(file);
  } catch {
    return null; // It is gone, or a link that leads nowhere.
  }
}

function stampOf(file) {
  const status = statSync(file, { bigint: true, throwIfNoEntry: false });
  return status === undefined ? null : [status.mtimeNs, status.ctimeNs, status.size, status.ino].join(":");
}

function walk(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith(".") && !SKIPPED.has(entry.name))
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return walk(path);
      return isSource(entry.name) ? [path] : [];
    });
}
