import { shown } from "./drain/shown.ts";
import { readTextFile } from "./text-file.ts";

/** A file that an option names. */
export interface OptionFile {
  /** The variable or flag that it was given by. */
  readonly option: string;
  readonly path: string;
}

/** What is wrong with such a file, without any of its content. */
export class OptionFileError extends Error {
  constructor({ option, path }: OptionFile, why: string) {
    super(`${option} is '${shown(path)}', which can't be used: ${why}`);
    this.name = "OptionFileError";
  }
}

/** What `read` makes of the file's text. Whatever is wrong is thrown as `OptionFileError`, in the words of its message. */
export async function readOptionFile<T>(file: OptionFile, bytesMax: number, read: (text: string) => T): Promise<T> {
  try {
    return read(await readTextFile(file.path, bytesMax));
  } catch (error) {
    throw new OptionFileError(file, (error as Error).message);
  }
}
