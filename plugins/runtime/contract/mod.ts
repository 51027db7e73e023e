// What both sides of the sandbox agree on. The rest of bkg imports the contract from here.

export * from "./capability.ts";
export * from "./error.ts";
export * from "./grant.ts";
export * from "./manifest.ts";
export * from "./message.ts";
export * from "./schema.ts";
