// The smallest useful workflow: it greets whoever the parameters name.
//
//   worker run hello --params '{"name": "Ada"}'
//
// A workflow is a module with one default export. `params` is the JSON it was started with; `ctx` is how it talks to
// Muster (its log, progress, configuration, state, and the signal that says "please stop").
// What it returns becomes the execution's result.
export default async function (params, ctx) {
  const name = params.name ?? "world";
  ctx.log.info(`greeting ${name}`, { attempt: ctx.attempt });
  return { greeting: `Hello, ${name}!` };
}
