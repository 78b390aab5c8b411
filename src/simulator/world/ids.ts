import { createHash } from "node:crypto";

/** What AWS names its things by. The same ones in every run. */
export class Ids {
  #made = 0;

  /** 16 hexadecimal digits. */
  next(): string {
    return this.#digits().slice(0, 16);
  }

  nextUuid(): string {
    const digits = this.#digits();
    const part = (start: number, end: number) => digits.slice(start, end);
    return `${part(0, 8)}-${part(8, 12)}-4${part(12, 15)}-8${part(15, 18)}-${part(18, 30)}`;
  }

  #digits(): string {
    this.#made += 1;
    return createHash("sha256").update(String(this.#made)).digest("hex");
  }
}
