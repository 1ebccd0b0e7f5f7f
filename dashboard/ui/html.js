// Elements are written as HTML in template strings.
import { h } from "./lib/preact.js";
import htm from "./lib/htm.js";

export const html = htm.bind(h);
