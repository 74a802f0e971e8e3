// Which files are workflows, and what a look at their text tells: no parser, so what it tells is enough to find the
// right loader and the files they import, and no more.

import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Where two have the same name the first counts: a compiled file beside its source. */
export const EXTENSIONS = [".js", ".mjs", ".cjs", ".ts", ".mts"];
const TYPESCRIPT = /(?<!\.d)\.m?ts$/;
const EXTENSION = /(?<!\.d)\.(?:[cm]?js|m?ts)$/;

const IMPORT = /(?:\bfrom|\bimport|\brequire)\s*\(?\s*["'](\.{1,2}\/[^"']+|\/[^"']+)["']/g;
const MENTION = /["']muster-worker["']/;
const DEFAULT_EXPORT = /\bexport\s+default\b|\bas\s+default\b|\bmodule\.exports\s*=(?!\s*\{)|\bexports\.default\s*=/;
const MODULE_SYNTAX = /^\s*(?:import\s*(?:[\w*{"'$]|$)|export\b)/m;
const COMMONJS_SYNTAX = /\bmodule\.exports\b|\bexports\.\w|\brequire\s*\(/;

export const isTypeScript = (path) => TYPESCRIPT.test(path);
export const isSource = (path) => EXTENSION.test(path);
export const withoutExtension = (path) => path.replace(EXTENSION, "");
export const registersWorkflows = (text) => MENTION.test(text);
export const hasDefaultExport = (text) => DEFAULT_EXPORT.test(text);

/** True for code that `require` loads and `import` does not. */
export const isCommonJs = (text) => !MODULE_SYNTAX.test(text) && COMMONJS_SYNTAX.test(text);

/** What stacks call the file of inline code. */
export function labelOf(workflow) {
  return `inline-${workflow.replace(/[^\w.-]/g, "_") || "code"}.js`;
}

/** The files that a file imports by a relative path. */
export function importsOf(file, text) {
  const found = [...text.matchAll(IMPORT)].map(([, path]) => fileFor(resolve(dirname(file), path)));
  return found.filter((path) => path !== null);
}

/** The file a path of an import means: itself, the TypeScript it was written as, or with an extension left out. */
export function fileFor(path) {
  const candidates = [path, path.replace(/\.(m?)js$/, ".$1ts"), ...EXTENSIONS.map((one) => path + one), ...EXTENSIONS.map((one) => `${path}/index${one}`)];
  return candidates.find((one) => statSync(one, { throwIfNoEntry: false })?.isFile()) ?? null;
}
