/** A message that its queue will never take: there is no such queue, or the sender may not send to it. */
export class Undeliverable extends Error {
  constructor(message: string, options: ErrorOptions) {
    super(message, options);
    this.name = "Undeliverable";
  }
}
