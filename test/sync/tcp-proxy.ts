/**
 * A TCP proxy that makes a network misbehave on purpose: it cuts, hangs without closing, delays, throttles and flips
 * bits, while the two ends are real.
 * @module
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** Slices in which a throttled or delayed stream is passed on. */
const SLICE_MS = 20;

type Direction = 'down' | 'up';

/** What is to be done to a bit: counted from now over all connections, in one direction. */
interface Flip {
  readonly direction: Direction;
  readonly at: number;
  readonly mask: number;
}

/** `down` is from the service to the client, `up` from the client to the service. */
export class TcpProxy {
  /** Added to every chunk, in both directions. */
  delayMs = 0;
  /** Of each connection and direction. */
  bytesPerSecond = Number.POSITIVE_INFINITY;
  /** New connections are closed at once. */
  isRefusing = false;
  /** Bytes passed on so far, over all connections. */
  readonly bytes = { down: 0, up: 0 };
  /** Connections accepted so far. */
  connectionCount = 0;

  private readonly sockets = new Set<Socket>();
  /** Those that end by themselves when they have everything. */
  private readonly ending = new WeakSet<Socket>();
  private readonly flips = new Set<Flip>();
  private readonly cuts = new Set<Flip>();
  private resumed: Promise<void> | null = null;
  private resumeNow: (() => void) | null = null;

  private constructor(
    private readonly server: Server,
    private target: { readonly host: string; readonly port: number },
  ) {
    server.on('connection', (client) => this.accept(client));
  }

  /** A proxy on a free port of this machine, in front of a service. */
  static async open(target: { readonly host?: string; readonly port: number }): Promise<TcpProxy> {
    const server = createServer({ noDelay: true });
    const proxy = new TcpProxy(server, { host: target.host ?? '127.0.0.1', port: target.port });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get openCount(): number {
    return this.sockets.size;
  }

  /** Where connections go from now on. */
  retarget(port: number): void {
    this.target = { host: this.target.host, port };
  }

  /** Breaks every connection off, as a crash does. */
  cut(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  /** Ends the connection that carries byte `byteCount` from now, before that byte; what came before it arrives. */
  cutAfter(byteCount: number, direction: Direction = 'down'): void {
    this.cuts.add({ direction, at: this.bytes[direction] + byteCount, mask: 0 });
  }

  /** Passes nothing on any more and closes nothing: what a network that lost its way looks like. */
  hang(): void {
    this.resumed ??= new Promise((resolve) => {
      this.resumeNow = resolve;
    });
  }

  resume(): void {
    this.resumeNow?.();
    this.resumed = null;
    this.resumeNow = null;
  }

  /** Flips bits of the byte that comes `byteCount` bytes from now. */
  flip(byteCount: number, direction: Direction = 'down', mask = 0x01): void {
    this.flips.add({ direction, at: this.bytes[direction] + byteCount, mask });
  }

  async close(): Promise<void> {
    this.resume();
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private accept(client: Socket): void {
    this.connectionCount++;
    if (this.isRefusing) {
      client.resetAndDestroy();
      return;
    }
    const service = connect({ ...this.target, noDelay: true });
    for (const socket of [client, service]) {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.sockets.delete(socket);
        const other = socket === client ? service : client;
        if (this.ending.has(other)) return;
        if (this.resumed === null) other.destroy();
        else void this.resumed.then(() => other.destroy());
      });
    }
    client.pipe(this.wire('up', client, service)).pipe(service);
    service.pipe(this.wire('down', client, service)).pipe(client);
  }

  private wire(direction: Direction, client: Socket, service: Socket): Transform {
    const wire = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        void this.pass(wire, chunk, direction).then((isCut) => {
          if (!isCut) return done();
          const [from, to] = direction === 'down' ? [service, client] : [client, service];
          this.ending.add(to);
          wire.push(null); // ends the one it goes to, when it has everything
          from.destroy();
        });
      },
    });
    wire.on('error', () => {});
    return wire;
  }

  /** True if the connection is to end here. */
  private async pass(wire: Transform, chunk: Buffer, direction: Direction): Promise<boolean> {
    if (this.delayMs > 0) await sleep(this.delayMs);
    for (let from = 0; from < chunk.length; ) {
      const isThrottled = this.bytesPerSecond < Number.POSITIVE_INFINITY;
      const sliceBytes = isThrottled ? Math.max(1, Math.floor((this.bytesPerSecond * SLICE_MS) / 1000)) : chunk.length;
      if (isThrottled) await sleep(Math.max(SLICE_MS, 1000 / this.bytesPerSecond));
      while (this.resumed !== null) await this.resumed;
      const slice = this.spoiled(chunk.subarray(from, from + sliceBytes), direction);
      from += sliceBytes;
      this.bytes[direction] += slice.bytes.length;
      wire.push(slice.bytes);
      if (slice.isCut) return true;
    }
    return false;
  }

  /** The slice with the flips that fall into it, and shortened by a cut that does. */
  private spoiled(slice: Buffer, direction: Direction): { readonly bytes: Buffer; readonly isCut: boolean } {
    const start = this.bytes[direction];
    const falls = (flip: Flip) => flip.direction === direction && flip.at >= start && flip.at < start + slice.length;
    let bytes = Buffer.from(slice);
    for (const flip of [...this.flips].filter(falls)) {
      bytes[flip.at - start] = (bytes[flip.at - start] ?? 0) ^ flip.mask;
      this.flips.delete(flip);
    }
    const cut = [...this.cuts].filter(falls).sort((a, b) => a.at - b.at)[0];
    if (cut === undefined) return { bytes, isCut: false };
    this.cuts.delete(cut);
    bytes = bytes.subarray(0, cut.at - start);
    return { bytes, isCut: true };
  }
}
