#!/usr/bin/env node
// Started as `node bin/muster-worker.js`; `bin/muster-worker` does the same without a second process.
import { main } from "../src/command_line.js";

process.exitCode = await main(process.argv.slice(2));
