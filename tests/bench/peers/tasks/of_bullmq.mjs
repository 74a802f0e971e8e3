// BullMQ's side: `backlog COUNT` and `lone ROUNDS` print what they measured, `work` is a worker process.
import { createRequire } from 'node:module';

const { Queue, QueueEvents, Worker } = createRequire(process.env.BULLMQ_MODULES)('bullmq');
const address = new URL(process.env.BULLMQ_URL);
const connection = { host: address.hostname, port: Number(address.port), db: Number(address.pathname.slice(1)), maxRetriesPerRequest: null };
const text = 'x'.repeat(960);
const [what, number] = process.argv.slice(2);

if (what === 'work') {
  new Worker('bench', async (job) => job.data.text.length, { connection, concurrency: 1 });
} else if (what === 'fill') {
  const queue = new Queue('bench', { connection });
  for (let left = Number(number); left > 0; left -= 1000) {
    await queue.addBulk(Array.from({ length: Math.min(1000, left) }, () => ({ name: 'work', data: { text } })));
  }
  await queue.close();
} else {
  const queue = new Queue('bench', { connection });
  const events = new QueueEvents('bench', { connection });
  await events.waitUntilReady();
  const rounds = Number(number);
  const times = [];
  for (let round = 0; round < rounds + rounds / 10; round += 1) {
    const begun = performance.now();
    await (await queue.add('work', { text })).waitUntilFinished(events, 60000);
    times.push(performance.now() - begun);
  }
  console.log(JSON.stringify(times.slice(rounds / 10)));
  await events.close();
  await queue.close();
}
