import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { VirtualClock } from "../../../src/simulator/clock.ts";
import type { Cut, Enter } from "../../../src/simulator/data-plane/passages.ts";
import { TcpBalancer } from "../../../src/simulator/data-plane/tcp-balancer.ts";

const IDLE_MS = 350_000;

/** A balancer in front of one target that does as `accept` says; without one, the machine is gone. */
async function balance(accept?: (socket: Socket) => void, onIdle: Cut = "reset-when-used") {
  const target = createServer({ allowHalfOpen: true }, (socket) => accept?.(socket.on("error", () => {})));
  target.listen(0, "127.0.0.1");
  await once(target, "listening");
  const port = accept === undefined ? undefined : (target.address() as AddressInfo).port;
  let ended = 0;
  let accepted = 0;
  const underWay = new Set<(cut: Cut) => void>();
  const enter: Enter = (onCut) => {
    accepted += 1;
    underWay.add(onCut);
    return () => {
      ended += 1;
      underWay.delete(onCut);
    };
  };
  const clock = new VirtualClock();
  const route = () => ({ to: "target", port, enter }) as const;
  const balancer = new TcpBalancer({ route, clock, idle: () => ({ ms: IDLE_MS, cut: onIdle }) });
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
  const cut = (how: Cut) => {
    for (const onCut of underWay) onCut(how);
  };
  return { open, clock, cut, accepted: () => accepted, ended: () => ended };
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
  scene.cut("closed");
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

/** A client whose flow has carried something in both directions. */
async function established(scene: Awaited<ReturnType<typeof balance>>): Promise<Socket> {
  const client = scene.open();
  client.write("hello");
  await once(client, "data");
  return client;
}

const ECHO = (socket: Socket) => void socket.pipe(socket);

test.each(["moved", "reset-when-used"] as const)(
  "a flow that is %s stays open until the client uses it, and is then reset",
  async (how) => {
    const scene = await balance(ECHO);
    const client = await established(scene);
    scene.cut(how);
    await scene.clock.advance(1_000);
    expect([client.destroyed, scene.ended()]).toEqual([false, 0]);
    const reset = once(client.resume(), "error");
    client.write("are you there?");
    expect(await reset).toMatchObject([{ code: "ECONNRESET" }]);
    await expect.poll(scene.ended).toBe(1);
  },
);

test("a flow that is to be reset when it is used is reset by what the target says, too", async () => {
  let target: Socket | undefined;
  const scene = await balance((socket) => {
    target = socket;
    ECHO(socket);
  });
  const client = await established(scene);
  scene.cut("reset-when-used");
  const reset = once(client.resume(), "error");
  target?.write("are you there?");
  expect(await reset).toMatchObject([{ code: "ECONNRESET" }]);
});

test("on a flow that has gone silent nothing comes back, not even when its target ends", async () => {
  let target: Socket | undefined;
  const scene = await balance((socket) => {
    target = socket;
    ECHO(socket);
  });
  const client = await established(scene);
  const heardMore: unknown[] = [];
  for (const event of ["data", "end", "close", "error"]) client.on(event, () => heardMore.push(event));
  scene.cut("silent");
  client.write("are you there?");
  await expect.poll(() => target?.destroyed).toBe(true);
  await scene.clock.advance(1_000);
  expect(heardMore).toEqual([]);
  // The client gives up.
  client.destroy();
  await expect.poll(scene.ended).toBe(1);
});

test("a flow on which neither side sends anything for the idle timeout is reset when it is used again", async () => {
  const scene = await balance(ECHO);
  const client = await established(scene);
  await scene.clock.advance(IDLE_MS - 1);
  client.write("still there");
  await once(client, "data");
  await scene.clock.advance(IDLE_MS - 1);
  expect(scene.ended()).toBe(0);
  client.write("and still");
  await once(client, "data");
  await scene.clock.advance(IDLE_MS);
  expect(client.destroyed).toBe(false);
  const reset = once(client.resume(), "error");
  client.write("too late");
  expect(await reset).toMatchObject([{ code: "ECONNRESET" }]);
});

test("an idle flow is closed at once where the load balancer does so", async () => {
  const scene = await balance(ECHO, "closed");
  const client = await established(scene);
  const reset = once(client.resume(), "error");
  await scene.clock.advance(IDLE_MS);
  expect(await reset).toMatchObject([{ code: "ECONNRESET" }]);
});

test("a flow to a machine that is gone is reset once it was idle, when the client tries again", async () => {
  const scene = await balance();
  const client = scene.open();
  client.write("hello?");
  await expect.poll(scene.accepted).toBe(1);
  await scene.clock.advance(IDLE_MS);
  expect(client.destroyed).toBe(false);
  const reset = once(client.resume(), "error");
  client.write("hello??");
  expect(await reset).toMatchObject([{ code: "ECONNRESET" }]);
});
