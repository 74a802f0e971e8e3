// The entry of the user thread.

import { syncBuiltinESMExports } from "node:module";
import threads, { MessageChannel, parentPort, workerData } from "node:worker_threads";
import { start } from "./runtime.js";

const [port, data] = [parentPort, workerData];
// What goes over the port are executions with all that is theirs: for the SDK alone. Some packages do not work in a thread
// without one, so there is another, and what is posted to it is heard by nobody.
const nowhere = new MessageChannel();
nowhere.port2.on("message", () => {}).unref();
Object.assign(threads, { parentPort: nowhere.port1, workerData: null });
syncBuiltinESMExports();

await start(port, data);
