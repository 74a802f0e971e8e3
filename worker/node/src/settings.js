// Settings of Node's modules that are made and read by functions: what a run set is set back before the next one.

import process from "node:process";

const { getBuiltinModule } = process;
const { sourceMapsEnabled } = Object.getOwnPropertyDescriptors(process);
const { setSourceMapsEnabled } = process;

/** Each as it is read, with what compares equal when it is the same, and how that is set back. Loads the modules. */
function settings() {
  const dns = getBuiltinModule("dns");
  const net = getBuiltinModule("net");
  const stream = getBuiltinModule("stream");
  const { promises, setServers } = dns;
  const { setServers: setServersOfPromises } = promises;
  return [
    { read: dns.getDefaultResultOrder, setBack: dns.setDefaultResultOrder },
    { read: net.getDefaultAutoSelectFamily, setBack: net.setDefaultAutoSelectFamily },
    { read: net.getDefaultAutoSelectFamilyAttemptTimeout, setBack: net.setDefaultAutoSelectFamilyAttemptTimeout },
    // It is another function whenever other servers were set; to ask it takes longer than all else.
    { read: () => dns.getServers, look: () => dns.getServers(), setBack: (servers) => setServers(servers) },
    { read: () => promises.getServers, look: () => promises.getServers(), setBack: (servers) => setServersOfPromises(servers) },
    { read: () => stream.getDefaultHighWaterMark(false), setBack: (size) => stream.setDefaultHighWaterMark(false, size) },
    { read: () => stream.getDefaultHighWaterMark(true), setBack: (size) => stream.setDefaultHighWaterMark(true, size) },
    { read: () => sourceMapsEnabled?.get?.call(process) ?? false, setBack: setSourceMapsEnabled },
  ];
}

export class Settings {
  /** @type {{ read: () => any, look?: () => any, setBack: (value: any) => void, kept?: any, value?: any }[]} */
  #all = [];

  /** Takes what is set now for what is to be set. */
  accept() {
    if (this.#all.length === 0) this.#all = settings();
    for (const one of this.#all) {
      one.kept = one.read();
      one.value = one.look === undefined ? one.kept : one.look();
    }
  }

  putBack() {
    for (const one of this.#all) {
      if (one.read() === one.kept) continue;
      one.setBack(one.value);
      one.kept = one.read();
    }
  }
}
