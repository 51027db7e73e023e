// How this program is called on this machine, for hints that a person can paste.

/** "bkg" as a binary, else the task, through npx where Deno itself came that way. */
export function programName(): string {
  if (Deno.build.standalone) return "bkg";
  return /[\\/]_npx[\\/]/.test(Deno.execPath())
    ? `npx --yes deno@${Deno.version.deno} task bkg`
    : "deno task bkg";
}
