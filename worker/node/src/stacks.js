// What the user thread is doing, as text: the answer to Dump. The inspector interrupts even a busy loop.

import { Session } from "node:inspector";

const WAIT_MS = 80;

/** The JavaScript stack of the user thread, or that it waits. */
export function stacksOf() {
  const session = new Session();
  session.connect();
  return new Promise((resolve) => {
    const done = (text) => {
      clearTimeout(timer);
      session.disconnect();
      resolve(text);
    };
    const timer = setTimeout(() => done("no JavaScript is running: the user thread waits, or is in native code\n"), WAIT_MS);
    let target = null;
    const tell = (id, method) =>
      session.post("NodeWorker.sendMessageToWorker", { sessionId: target, message: JSON.stringify({ id, method }) });
    session.on("NodeWorker.attachedToWorker", ({ params }) => {
      target = params.sessionId;
      tell(1, "Debugger.enable");
      tell(2, "Debugger.pause");
    });
    session.on("NodeWorker.receivedMessageFromWorker", ({ params }) => {
      const message = JSON.parse(params.message);
      if (message.method !== "Debugger.paused") return;
      tell(3, "Debugger.resume");
      tell(4, "Debugger.disable");
      done(message.params.callFrames.map(shown).filter(Boolean).join("\n") || "only the SDK is running\n");
    });
    session.post("NodeWorker.enable", { waitForDebuggerOnStart: false });
  });
}

function shown({ functionName, url, location }) {
  if (url.startsWith("node:") || url.includes("/muster-worker/src/") || url.includes("/worker/node/src/")) return null;
  return `  at ${functionName || "(anonymous)"} (${url}:${location.lineNumber + 1}:${location.columnNumber + 1})`;
}
