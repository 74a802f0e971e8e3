// What the default worker gives to JavaScript: no files and no processes, so all there is to try is `fetch`.
export default async function (at, ctx) {
  const outcomes = [];
  for (const [name, port] of [['fetch from the API', at.api], ['fetch from another server', at.server], ['fetch from a port of worker_ports', at.allowed]]) {
    try {
      await ctx.fetch(`http://127.0.0.1:${port}/`);
      outcomes.push([name, 'allowed']);
    } catch (error) {
      outcomes.push([name, 'refused']);
    }
  }
  try {
    const held = [];
    // Addresses only: nothing is written there.
    for (let count = 0; count < 4; count += 1) held.push(new ArrayBuffer(2 ** 31 - 2 ** 20));
    outcomes.push(['take more addresses than worker_limits', 'allowed']);
  } catch (error) {
    outcomes.push(['take more addresses than worker_limits', 'refused']);
  }
  return outcomes;
}
