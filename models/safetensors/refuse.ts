// How a safetensors file is refused.

import { createRefuse, type Refuse } from "../format/refuse.ts";

export const refuse: Refuse = createRefuse("Safetensors");
