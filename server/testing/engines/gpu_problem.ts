// Whether this machine has a GPU for tests, or a driver that reckons on the CPU.

/** Why tests on WebGPU cannot run here; undefined when they can. Asked in a process of its own, which loads the driver. */
export async function gpuProblem(): Promise<string | undefined> {
  const script =
    "const gpu = await navigator.gpu?.requestAdapter(); Deno.exit(gpu?.features.has('shader-f16') ? 0 : 1);";
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", "--no-lock", script],
    stdout: "null",
    stderr: "null",
  }).output();
  return success
    ? undefined
    : "there is no Vulkan driver with shader-f16 (Debian: apt-get install mesa-vulkan-drivers libvulkan1)";
}
