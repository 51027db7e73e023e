// How a GGUF file is refused; and, for those who name files and ids in messages, how text is quoted.

import { createRefuse, type Refuse } from "../format/refuse.ts";

export { escapeUnprintable, hasUnprintable, quote } from "../format/text.ts";

export const refuse: Refuse = createRefuse("GGUF");
