// What the user thread is doing, as text: the answer to Dump.
//
// Node shows the stack of another thread through the inspector only, which can block the thread that asks. So
// this tells what the event loop knows: whether JavaScript runs without a pause, else what is waited for.

const WAIT_MS = 60;

/** Asks the user thread; one that does not answer is busy. */
export async function stateOf(host, workflow, runningMs) {
  const head = `${workflow}, running for ${Math.round(runningMs)} ms\n`;
  const resources = await host.resources(WAIT_MS);
  if (resources === null) return `${head}the user thread does not come back to its event loop: a busy loop, or a blocking call\n`;
  if (resources.length === 0) return `${head}the user thread waits for a promise that nothing is left to settle\n`;
  return `${head}the user thread waits for: ${resources.join(", ")}\n`;
}
