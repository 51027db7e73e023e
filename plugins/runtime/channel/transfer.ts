// Marks a handler's answer whose buffers should be moved, not copied, where the port can.

export class Transferred {
  constructor(readonly value: unknown, readonly buffers: Transferable[]) {}
}

/** `return transferred({ bytes }, [bytes.buffer])` from a channel handler moves the buffer. */
export function transferred(value: unknown, buffers: Transferable[]): Transferred {
  return new Transferred(value, buffers);
}
