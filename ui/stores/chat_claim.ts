// One tab answers in a chat at a time: a Web Lock, which the browser frees when its tab is gone.

export interface ChatClaims {
  /** Undefined when another tab has it. */
  claim(chatId: string): Promise<(() => void) | undefined>;
  /** Resolves when no tab has it any more; false when that is only likely, after some seconds. */
  free(chatId: string): Promise<boolean>;
}

/** What is used of the browser's LockManager. */
export interface Locks {
  request<Value>(
    name: string,
    options: { ifAvailable?: boolean; mode?: "shared" | "exclusive" },
    work: (lock: unknown) => Value | Promise<Value>,
  ): Promise<Value>;
}

/** Without locks (on plain http) every claim is granted: two tabs then write messages beside each other. */
export function createChatClaims(
  locks: Locks | undefined = (navigator as { locks?: Locks }).locks,
): ChatClaims {
  const nameOf = (chatId: string) => `bkg.chat.${chatId}`;
  return {
    claim(chatId) {
      if (locks === undefined) return Promise.resolve(() => {});
      const { promise, resolve, reject } = Promise.withResolvers<(() => void) | undefined>();
      locks.request(nameOf(chatId), { ifAvailable: true }, (lock) => {
        if (lock === null) return resolve(undefined);
        const held = Promise.withResolvers<void>();
        resolve(held.resolve);
        return held.promise;
      }).catch(reject);
      return promise;
    },
    async free(chatId) {
      if (locks === undefined) {
        await new Promise((resolve) => setTimeout(resolve, unsureMs));
        return false;
      }
      await locks.request(nameOf(chatId), { mode: "shared" }, () => {});
      return true;
    },
  };
}

/** A tab that answers stores what it has more often than this. */
const unsureMs = 4000;
