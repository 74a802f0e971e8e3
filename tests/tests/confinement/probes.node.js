// Harmless tries at what a worker should not reach: each opens or asks, and changes nothing that it gets at.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { workflow } from 'muster-worker';

const REFUSED = new Set(['EPERM', 'EACCES', 'EMFILE', 'EFBIG', 'ENOMEM']);

function read(file) {
  const descriptor = fs.openSync(file, 'r');
  try {
    fs.readSync(descriptor, Buffer.alloc(64), 0, 64, 0);
  } catch (error) {
    // Of a process's memory nothing is at address 0.
    if (error.code !== 'EIO' && error.code !== 'EOF') throw error;
  } finally {
    fs.closeSync(descriptor);
  }
}

function connect(where) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(where);
    socket.once('connect', () => { socket.destroy(); resolve(); });
    socket.once('error', reject);
  });
}

function writeIn(folder) {
  const file = path.join(folder, `probe-${process.pid}`);
  fs.writeFileSync(file, 'x');
  fs.unlinkSync(file);
}

function lowerScore() {
  const file = '/proc/self/oom_score_adj';
  const score = Number(fs.readFileSync(file, 'utf8'));
  fs.writeFileSync(file, String(score - 1));
  fs.writeFileSync(file, String(score));
}

function openMany() {
  const opened = [];
  try {
    for (let count = 0; count < 300; count += 1) opened.push(fs.openSync('/dev/null', 'r'));
  } finally {
    opened.forEach((one) => fs.closeSync(one));
  }
}

function shell(script) {
  try {
    execFileSync('/bin/sh', ['-c', script], { stdio: 'ignore' });
  } catch (error) {
    throw error.code ? error : Object.assign(new Error(script), { code: 'EPERM' });
  }
}

function fillFolder() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'fill-'));
  for (let number = 0; number < 4; number += 1) fs.writeFileSync(path.join(folder, String(number)), Buffer.alloc(6 << 20));
  fs.rmSync(folder, { recursive: true });
}

function* probes(at) {
  const sibling = at.workers.find((pid) => pid !== process.pid);
  for (const [who, pid] of [['the supervisor', at.supervisor], ['another worker', sibling]]) {
    yield [`read the environment of ${who}`, () => read(`/proc/${pid}/environ`)];
    yield [`open the memory of ${who}`, () => read(`/proc/${pid}/mem`)];
    yield [`count the descriptors of ${who}`, () => fs.readdirSync(`/proc/${pid}/fd`)];
    yield [`see a descriptor of ${who}`, () => fs.readlinkSync(`/proc/${pid}/fd/0`)];
    yield [`signal ${who}`, () => process.kill(pid, 0)];
  }
  yield ['list data_dir', () => fs.readdirSync(at.data_dir)];
  yield ["read another organization's rows", () => read(path.join(at.data_dir, 'muster.db'))];
  yield ["read the API's token", () => read(path.join(at.data_dir, 'http_token'))];
  yield ['read the settings file', () => read(at.settings)];
  yield ['connect to the API', () => connect({ host: '127.0.0.1', port: at.api })];
  yield ['connect to another server', () => connect({ host: '127.0.0.1', port: at.server })];
  yield ['connect to a port of worker_ports', () => connect({ host: '127.0.0.1', port: at.allowed })];
  yield ['fetch from a port of worker_ports', () => fetch(`http://127.0.0.1:${at.allowed}/`)];
  yield ['connect to a UNIX socket in a folder', () => connect({ path: at.socket })];
  yield ['write into its temporary folder', () => writeIn(os.tmpdir())];
  yield ['write into a folder that is open to all', () => writeIn(at.open_folder)];
  yield ['write into a folder of worker_paths_rw', () => writeIn(at.allowed_folder)];
  yield ['write into workflows_dir', () => writeIn(at.workflows_dir)];
  yield ['write a setting of the kernel', () => fs.closeSync(fs.openSync('/proc/sys/kernel/core_pattern', 'r+'))];
  yield ['read /etc/shadow', () => read('/etc/shadow')];
  yield ['lower its oom_score_adj', lowerScore];
  yield ['open more files than worker_limits', openMany];
  yield ['write a larger file than worker_limits', () => shell('head -c 9437184 /dev/zero > "$TMPDIR/large"; wait; test $(wc -c < "$TMPDIR/large") = 9437184')];
  yield ['raise its limits again', () => shell('ulimit -Hn $(($(ulimit -Hn) + 1))')];
  yield ['allow itself core dumps again', () => shell('ulimit -Hc 1000')];
  yield ['fill its temporary folder, file by file', fillFolder];
}

// Starts a process that leaves its parent, its group and its session, and maybe its environment. It ends by itself.
workflow('leave', async ({ forgets }) => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'left-')), 'pid');
  const program = forgets ? 'env -i sleep 60' : 'sleep 60';
  execFileSync('setsid', ['-f', 'sh', '-c', `echo $$ > ${file}.new; mv ${file}.new ${file}; exec ${program}`], { stdio: 'ignore' });
  for (;;) {
    const left = fs.existsSync(file) ? Number(fs.readFileSync(file, 'utf8')) : 0;
    if (left > 0 && fs.readFileSync(`/proc/${left}/comm`, 'utf8') === 'sleep\n') return left;
    await new Promise((done) => setTimeout(done, 5));
  }
});

workflow('probe', async (at) => {
  const outcomes = [];
  for (const [name, attempt] of probes(at)) {
    try {
      await attempt();
      outcomes.push([name, 'allowed']);
    } catch (error) {
      const code = error.code ?? error.cause?.code ?? String(error);
      outcomes.push([name, REFUSED.has(code) ? 'refused' : `error ${code}`]);
    }
  }
  return outcomes;
});
