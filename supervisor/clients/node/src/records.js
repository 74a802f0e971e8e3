// What the supervisor tells, with names as JavaScript has them and moments as dates; `raw` is it as it came.

const MOMENT = /(?:^at|^since|At|After)$/;

/** A record with the names and dates of JavaScript. Values of users stay as they are. */
export function record(told) {
  const made = {};
  for (const [name, value] of Object.entries(told)) {
    const known = name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
    made[known] = MOMENT.test(known) && typeof value === "string" ? new Date(value) : value;
  }
  Object.defineProperty(made, "raw", { value: told, enumerable: false });
  return made;
}

/** The row of an execution. */
export function execution(told) {
  const made = record(told);
  made.isOver = isOver(told.status);
  return made;
}

/** A line of a log. */
export function logLine(told) {
  return { logger: "", fields: {}, ...record(told) };
}

/** True when nothing changes any more. */
export function isOver(status) {
  return status !== "PENDING" && status !== "RUNNING";
}
