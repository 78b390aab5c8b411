import { chmod, cp, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import type { Program } from "./child-process.ts";
import { only, readStage, type Stage } from "./dockerfile.ts";

const NODE = "/nodejs/bin/node";

/**
 * What a final stage of the Dockerfile makes, without Docker: the files that it copies and no others, in a folder that
 * nobody may write to, with the image's command, run by its user where this process may choose one.
 */
export class Image {
  readonly stage: Stage;
  readonly #folder: string;

  private constructor(stage: Stage, folder: string) {
    this.stage = stage;
    this.#folder = folder;
  }

  /** Lays it out until the test ends. The bundles must have been built. */
  static async of(stageName: string): Promise<Image> {
    const stage = readStage(stageName);
    const folder = await mkdtemp(join(tmpdir(), "image-"));
    onTestFinished(async () => {
      await setModes(folder, 0o755);
      await rm(folder, { recursive: true });
    });
    for (const { keyword, words } of stage.instructions) {
      if (keyword !== "COPY") continue;
      const [source = "", target = ""] = words;
      // What another stage has built is built here too, in the same place below the root.
      const from = source.replace(/^\/build\//, "");
      const to = join(folder, target, target.endsWith("/") ? basename(source) : "");
      await mkdir(dirname(to), { recursive: true });
      await cp(from, to, { recursive: true });
    }
    await setModes(folder, 0o555);
    return new Image(stage, folder);
  }

  /** The image with arguments of one's own, or else those that it brings along. */
  program(args?: readonly string[]): Program {
    const given = args ?? this.#words("CMD");
    return this.#program([...only(this.stage, "ENTRYPOINT").words, ...given]);
  }

  /** What Docker runs to see whether a container is well. */
  healthCheck(): Program {
    return this.#program(only(this.stage, "HEALTHCHECK").words);
  }

  #words(keyword: string): readonly string[] {
    return this.stage.instructions.find((instruction) => instruction.keyword === keyword)?.words ?? [];
  }

  #program(words: readonly string[]): Program {
    const [uid, gid] = (only(this.stage, "USER").words[0] ?? "").split(":").map(Number);
    const user = process.getuid?.() === 0 ? { uid, gid } : {};
    const command = words.map((word) =>
      word === NODE ? process.execPath : word.replace(/^\/app\b/, join(this.#folder, "app")),
    );
    return { command, options: { cwd: join(this.#folder, only(this.stage, "WORKDIR").words[0] ?? ""), ...user } };
  }
}

/** Of a folder and everything in it; files get no leave to be executed. */
async function setModes(folder: string, mode: number): Promise<void> {
  await chmod(folder, mode);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    await chmod(join(entry.parentPath, entry.name), entry.isDirectory() ? mode : mode & 0o666);
  }
}
