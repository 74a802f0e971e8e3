// The entry of the user thread.

import { parentPort, workerData } from "node:worker_threads";
import { start } from "./runtime.js";

await start(parentPort, workerData);
