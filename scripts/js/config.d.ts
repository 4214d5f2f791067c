/** config.js, which a deploy writes beside the pages. */
export const settings: unknown;
