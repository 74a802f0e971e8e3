// News from the supervisor, over a WebSocket that is opened again whenever it breaks.
import { base, tokenNow } from "./api.js";

const AGAIN_MS = 2000;

/** Subscribes to channels; `onNews(channel, data)` is told of each message, `onState` whether there is a connection. */
export function connect(channels, onNews, onState) {
  const token = tokenNow(), encoded = token && btoa(String.fromCharCode(...new TextEncoder().encode(token))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const socket = new WebSocket(new URL("ws", base).href.replace(/^http/, "ws"), encoded ? ["muster", `bearer.${encoded}`] : ["muster"]);
  socket.onopen = () => { socket.send(JSON.stringify({ subscribe: channels })); onState(true); };
  socket.onmessage = ({ data }) => { const { channel, data: news } = JSON.parse(data); onNews(channel, news); };
  socket.onclose = () => { onState(false); setTimeout(() => connect(channels, onNews, onState), AGAIN_MS); };
}
