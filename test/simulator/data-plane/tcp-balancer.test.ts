import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { TcpBalancer } from "../../../src/simulator/data-plane/tcp-balancer.ts";

/** A balancer in front of one target that does as `accept` says; without one, the machine is gone. */
async function balance(accept?: (socket: Socket) => void) {
  const target = createServer({ allowHalfOpen: true }, (socket) => accept?.(socket.on("error", () => {})));
  target.listen(0, "127.0.0.1");
  await once(target, "listening");
  const port = accept === undefined ? undefined : (target.address() as AddressInfo).port;
  let ended = 0;
  let accepted = 0;
  const cut = new AbortController();
  const balancer = new TcpBalancer(() => {
    accepted += 1;
    const onEnd = () => {
      ended += 1;
    };
    return { to: "target", port, onEnd, cut: cut.signal };
  });
  balancer.server.listen(0, "127.0.0.1");
  await once(balancer.server, "listening");
  onTestFinished(() => {
    balancer.close();
    target.close();
  });
  const open = (): Socket => {
    const { port } = balancer.server.address() as AddressInfo;
    const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    onTestFinished(() => void client.destroy());
    return client;
  };
  return { open, cut: () => cut.abort(), accepted: () => accepted, ended: () => ended };
}

/** Everything that the other side says until it ends. This side stays as it is, which Node's own consumers don't do. */
async function heard(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "end");
  return Buffer.concat(chunks);
}

test("bytes pass in both directions, whatever they mean", async () => {
  const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 256));
  const scene = await balance((socket) => void socket.pipe(socket));
  const client = scene.open();
  client.end(bytes);
  expect((await heard(client)).equals(bytes)).toBe(true);
  await expect.poll(scene.ended).toBe(1);
});

test("a client that has said all it has to say still gets the answer", async () => {
  const scene = await balance(async (socket) => void socket.end(`you said ${await heard(socket)}`));
  const client = scene.open();
  client.end("goodbye");
  expect(String(await heard(client))).toBe("you said goodbye");
});

test("a slow client gets everything that the target said before it closed", async () => {
  const large = Buffer.alloc(10_000_000, "x");
  const scene = await balance((socket) => void socket.resume().end(large));
  const client = scene.open();
  client.end("everything, please");
  let received = 0;
  for await (const chunk of client) {
    received += (chunk as Buffer).length;
    // Slower than the target: when that one closes, much is still on its way.
    await sleep(2);
  }
  expect(received).toBe(large.length);
});

test("a slow target gets everything that the client said before it closed", async () => {
  const large = Buffer.alloc(20_000_000, "x");
  let received = 0;
  let read = () => {};
  const scene = await balance((socket) => {
    socket.end("go on");
    read = () =>
      void socket.on("data", (chunk: Buffer) => {
        received += chunk.length;
      });
  });
  const client = scene.open();
  client.end(large);
  expect(String(await heard(client))).toBe("go on");
  read();
  await expect.poll(() => received).toBe(large.length);
});

test("a target that resets the flow resets the client", async () => {
  const scene = await balance((socket) => socket.resetAndDestroy());
  const [error] = await once(scene.open().resume(), "error");
  expect(error).toMatchObject({ code: "ECONNRESET" });
  await expect.poll(scene.ended).toBe(1);
});

test("a client that goes away takes the target's side with it", async () => {
  let closed = false;
  const scene = await balance((socket) => void socket.resume().once("close", () => (closed = true)));
  const client = scene.open();
  await once(client, "connect");
  await expect.poll(scene.accepted).toBe(1);
  client.resetAndDestroy();
  await expect.poll(() => closed).toBe(true);
  await expect.poll(scene.ended).toBe(1);
});

test("a flow that the load balancer closes is reset", async () => {
  const scene = await balance((socket) => void socket.pipe(socket));
  const client = scene.open();
  client.write("hello");
  await once(client, "data");
  const reset = once(client.resume(), "error");
  scene.cut();
  expect(await reset).toMatchObject([{ code: "ECONNRESET" }]);
  await expect.poll(scene.ended).toBe(1);
});

test("a client that gives up on a machine that is gone leaves nothing behind", async () => {
  const scene = await balance();
  const client = scene.open();
  client.write("hello?");
  await expect.poll(scene.accepted).toBe(1);
  expect(scene.ended()).toBe(0);
  client.destroy();
  await expect.poll(scene.ended).toBe(1);
});
