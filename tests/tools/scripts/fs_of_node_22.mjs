// The conformance suite imports fs.globSync for another command, which node has from version 22 on:
// before that, nothing of the suite would start.
import { register } from "node:module";

const stand_in =
  'export * from "node:fs"; export const globSync = () => { throw new Error("needs node 22"); };';
const hooks = `
  export async function resolve(specifier, context, next) {
    return specifier === "fs" && (context.parentURL ?? "").includes("conformance/dist")
      ? { url: "data:text/javascript,${encodeURIComponent(stand_in)}", shortCircuit: true }
      : next(specifier, context);
  }`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
