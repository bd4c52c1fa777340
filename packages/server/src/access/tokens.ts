export type { Algorithm } from './algorithms.ts';
export { exposureOf } from './exposed-file.ts';
export { KeyError } from './jwt-keys.ts';
export { explainToken, mintToken, type MintOptions } from './mint.ts';
