// Options as people write them. One that nobody knows is refused: misspelt it would not count, without a word.

/** The options of a call, which knows these names. */
export function known(call, given, names) {
  if (given === undefined) return {};
  if (typeof given !== "object" || given === null) throw new TypeError(`${call}: its options are an object, as in { ${names[0]}: … }, not a ${typeof given}`);
  const strange = Object.keys(given).find((name) => !names.includes(name));
  if (strange !== undefined) throw new TypeError(`${call}: ${strange} is no option; there are ${names.join(", ")}`);
  return given;
}
