// wire.mjs: a TCP connection that can go dead without anybody being told, as when a
// laptop leaves the WLAN. In front of the gate: what is open stays open, and nothing
// comes through; a new connection is taken, and nothing comes through it either.
import net from 'node:net';

export class Wire {
  dead = false;
  #pairs = new Set();

  static async to(port) {
    const wire = new Wire();
    wire.server = net.createServer((near) => wire.#join(near, port));
    await new Promise((resolve) => wire.server.listen(0, '127.0.0.1', resolve));
    wire.port = wire.server.address().port;
    return wire;
  }

  cut() {
    this.dead = true;
  }

  // What was sent meanwhile is lost, and so are the connections that it was lost on:
  // their other end answers with a reset, as a router does that has forgotten them.
  mend() {
    this.dead = false;
    for (const pair of this.#pairs) if (pair.hurt) pair.end();
  }

  close() {
    this.server.close();
    for (const pair of this.#pairs) pair.end();
  }

  #join(near, port) {
    const far = net.connect(port, '127.0.0.1');
    const pair = { hurt: this.dead, end: () => [near, far].forEach((socket) => socket.destroy()) };
    this.#pairs.add(pair);
    for (const [from, to] of [[near, far], [far, near]]) {
      from.setNoDelay(true);
      from.on('data', (part) => (this.dead ? (pair.hurt = true) : to.write(part)));
      from.on('error', () => {});
      from.on('end', () => (this.dead ? (pair.hurt = true) : to.end()));
      from.on('close', () => {
        if (this.dead) pair.hurt = true;
        else pair.end(), this.#pairs.delete(pair);
      });
    }
  }
}
