// The smallest workflow: a file, a default export, a log line, a result. Its name is the file's.

export default async function ({ name = "world" }, ctx) {
  ctx.log.info("greeting", { name });
  return { greeting: `Hello, ${name}!` };
}
