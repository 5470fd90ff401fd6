// The kernels that the page can choose from: the server's table, and those that the address names with parameters.

import { Problem } from "../problems.js";
import { fetchKernel } from "../server.js";
import { CUSTOM, LARGEST_KERNEL } from "./settings.js";

/** @returns {table, unknown}: the kernels, and why one that the address names is not among them, or null */
export async function openTable(app) {
  const table = [...(await app.kernels())];
  let unknown = null;
  for (const name of [app.state.kernel, app.state.second]) {
    if (name === CUSTOM || table.some((one) => one.name === name)) continue;
    try {
      table.push(await parameterised(name));
    } catch (error) {
      unknown ??= error;
    }
  }
  return { table, unknown };
}

/** A kernel with its parameters in its name: "gaussian:2.5". */
async function parameterised(name) {
  let entry;
  try {
    entry = await fetchKernel(name);
  } catch (error) {
    throw new Problem("kernel-unknown", { name }, error.detail ?? "");
  }
  if (Math.max(entry.weights.length, entry.weights[0].length) > LARGEST_KERNEL)
    throw new Problem("kernel-large", { name, most: LARGEST_KERNEL });
  return entry;
}
