import { parseAst } from 'rolldown/parseAst';

/** Code of a test that may wait for ever, sleeps, or has no visible expectation. */
export interface Finding {
  readonly line: number;
  readonly rule: keyof typeof rules;
  readonly source: string;
}

export const rules = {
  once: "Node's `once` waits for ever: put it into `within`, or use `nextEvent`",
  promise:
    'a promise that something outside settles may never be settled: put it into `within`, or use `nextEvent`',
  loop: 'a loop that awaits must be bounded in time: use `until`, or put it into `within`',
  iteration: '`for await` waits for ever: put it into `within`',
  sleep:
    'a test waits for events; `sleep` of test/waits.ts needs a comment beside it that says why time must pass',
  expectation: 'a case without `expect` says in a comment in it what it proves: "// Proves: …"',
} as const;

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/** The context of a node for the functions below. */
interface Scope {
  /** Inside the arguments of `within`, `until` or `expect.poll`. */
  readonly isBounded: boolean;
}

/**
 * Finds code in the source of a test that waits without a bound, sleeps, or expects nothing.
 *
 * @param expecting - names of functions that call `expect` for others
 */
export function findWaits(source: string, expecting: ReadonlySet<string> = new Set()): Finding[] {
  const findings: Finding[] = [];
  const find = (rule: Finding['rule'], { start, end }: Node): void => {
    const line = source.slice(0, start).split('\n').length;
    findings.push({ line, rule, source: source.slice(start, end).split('\n')[0] ?? '' });
  };
  const program = parseAst(source, { lang: 'ts' });
  const imports = importsOf(program);
  const handedOver = namesInBounds(program);
  const visit = (node: Node, { isBounded }: Scope): void => {
    if (!isBounded && isCall(node, imports.once)) find('once', node);
    if (!isBounded && isOpenPromise(node)) find('promise', node);
    if (!isBounded && isOpenLoop(node)) find('loop', node);
    if (!isBounded && node.type === 'ForOfStatement' && get(node, 'await') === true) find('iteration', node);
    if (isTimer(node, imports)) find('sleep', node);
    if (isCall(node, imports.sleep) && !hasComment(source, node)) find('sleep', node);
    if (isCase(node) && !expects(source, node, expecting)) find('expectation', node);
    const isBounding = isCall(node, bounding) || isPoll(node) || handedOver.has(declaredWait(node) ?? '');
    for (const each of childrenOf(node)) visit(each, { isBounded: isBounded || isBounding });
  };
  visit(program, { isBounded: false });
  return findings;
}

/** The files that a source imports by their path. */
export function importedFiles(source: string): string[] {
  return [...source.matchAll(/ from '(\.[^']+)'/g)].map(([, path = '']) => path);
}

/** The functions of a source that call `expect`. */
export function expectingFunctions(source: string): string[] {
  const names: string[] = [];
  const visit = (node: Node): void => {
    const name = isFunction(node) || node.type === 'MethodDefinition' ? nameOf(node) : declaredFunction(node);
    if (name !== undefined && callsSome(source.slice(node.start, node.end))) names.push(name);
    childrenOf(node).forEach(visit);
  };
  visit(parseAst(source, { lang: 'ts' }));
  return names;
}

/** Names in the arguments of `within` and `until`: promises, and functions that wait. */
function namesInBounds(program: Node): Set<string> {
  const calls = descendantsOf(program).filter((node) => isCall(node, bounding));
  const names = calls.flatMap((call) => descendantsOf(call)).map((node) => nameOf(node) ?? '');
  return new Set(names.filter((name) => name !== ''));
}

/** The name of a variable or field that holds a promise or a function, not an awaited value. */
function declaredWait(node: Node): string | undefined {
  if (node.type === 'VariableDeclarator') {
    return child(node, 'init')?.type === 'AwaitExpression' ? undefined : nameOf(child(node, 'id'));
  }
  return undefined;
}

const bounding: ReadonlySet<string> = new Set(['within', 'until']);

interface Imports {
  /**
   * Local names of `once` of node:events, of `setTimeout` of node:timers/promises, and of the tests' `sleep`.
   */
  readonly once: ReadonlySet<string>;
  readonly timers: ReadonlySet<string>;
  readonly sleep: ReadonlySet<string>;
}

function importsOf(program: Node): Imports {
  const once = new Set<string>();
  const timers = new Set<string>();
  const sleep = new Set<string>();
  for (const declaration of list(program, 'body')) {
    const from =
      declaration.type === 'ImportDeclaration' ? get(child(declaration, 'source'), 'value') : undefined;
    if (typeof from !== 'string') continue;
    for (const specifier of list(declaration, 'specifiers')) {
      const imported = nameOf(child(specifier, 'imported'));
      const local = nameOf(child(specifier, 'local')) ?? '';
      if (from === 'node:events' && imported === 'once') once.add(local);
      if (from === 'node:timers/promises' && imported === 'setTimeout') timers.add(local);
      if (from.endsWith('/waits.ts') && imported === 'sleep') sleep.add(local);
    }
  }
  return { once, timers, sleep };
}

/** `new Promise` whose function passes `resolve` to code that may never call it. */
function isOpenPromise(node: Node): boolean {
  if (node.type !== 'NewExpression' || nameOf(child(node, 'callee')) !== 'Promise') return false;
  const [executor] = list(node, 'arguments');
  if (!executor || !isFunction(executor) || list(executor, 'params').length === 0) return false;
  const settling = descendantsOf(executor).filter(({ type }) => type === 'CallExpression');
  return settling.some((call) => {
    const callee = child(call, 'callee');
    return callee?.type === 'MemberExpression' && listening.has(nameOf(child(callee, 'property')) ?? '');
  });
}

const listening: ReadonlySet<string> = new Set([
  'once',
  'on',
  'onAny',
  'onStatus',
  'addListener',
  'addEventListener',
  'prependListener',
  'listen',
  'write',
  'end',
]);

/** A loop with `await` in it whose condition is not the count of its own variable, the clock or an abort. */
function isOpenLoop(node: Node): boolean {
  if (!['WhileStatement', 'DoWhileStatement', 'ForStatement'].includes(node.type)) return false;
  if (!descendantsOf(node, isFunction).some(({ type }) => type === 'AwaitExpression')) return false;
  const test = child(node, 'test');
  if (!test) return true;
  const names = new Set(descendantsOf(test).map((part) => nameOf(part)));
  if (names.has('aborted') || names.has('now')) return false;
  const init = child(node, 'init');
  const counters = init ? descendantsOf(init).filter(({ type }) => type === 'VariableDeclarator') : [];
  return !counters.some((counter) => names.has(nameOf(child(counter, 'id'))));
}

/** `setTimeout` as a sleep: that of node:timers/promises, or with the `resolve` of a promise. */
function isTimer(node: Node, { timers }: Imports): boolean {
  if (isCall(node, timers)) return true;
  if (node.type !== 'NewExpression' || nameOf(child(node, 'callee')) !== 'Promise') return false;
  return descendantsOf(node).some((part) => isCall(part, new Set(['setTimeout'])));
}

function hasComment(source: string, { start }: Node): boolean {
  const before = source.slice(0, start).split('\n');
  const rest = source.slice(start).split('\n')[0] ?? '';
  return /^\s*(?:\/\/|\*|\/\*)/.test(before.at(-2) ?? '') || rest.includes('//');
}

/** `it(…)` and `it.each(…)(…)` with a function. */
function isCase(node: Node): boolean {
  if (node.type !== 'CallExpression' || !list(node, 'arguments').some(isFunction)) return false;
  let callee = child(node, 'callee');
  while (callee && callee.type !== 'Identifier')
    callee = child(callee, callee.type === 'CallExpression' ? 'callee' : 'object');
  return ['it', 'test'].includes(nameOf(callee) ?? '');
}

function expects(source: string, node: Node, expecting: ReadonlySet<string>): boolean {
  const text = source.slice(node.start, node.end);
  return callsSome(text, expecting) || text.includes('// Proves: ');
}

function callsSome(text: string, names: ReadonlySet<string> = new Set()): boolean {
  if (/\bexpect(?:[A-Z]\w*)?\b|\bfc\.assert\b/.test(text)) return true;
  return [...text.matchAll(/\b(\w+)\s*(?=[(<,)])/g)].some(([, name = '']) => names.has(name));
}

function isPoll(node: Node): boolean {
  const callee = node.type === 'CallExpression' ? child(node, 'callee') : undefined;
  return (
    callee?.type === 'MemberExpression' &&
    nameOf(child(callee, 'property')) === 'poll' &&
    nameOf(child(callee, 'object')) === 'expect'
  );
}

function isCall(node: Node, names: ReadonlySet<string>): boolean {
  if (node.type !== 'CallExpression') return false;
  const callee = child(node, 'callee');
  return callee?.type === 'Identifier' && names.has(nameOf(callee) ?? '');
}

function isFunction({ type }: Node): boolean {
  return (
    type === 'ArrowFunctionExpression' || type === 'FunctionExpression' || type === 'FunctionDeclaration'
  );
}

/** The name of a variable that holds a function. */
function declaredFunction(node: Node): string | undefined {
  let value = node.type === 'VariableDeclarator' ? child(node, 'init') : undefined;
  while (value && /^(?:TS\w+|Parenthesized)Expression$/.test(value.type)) value = child(value, 'expression');
  return value && isFunction(value) ? nameOf(child(node, 'id')) : undefined;
}

function nameOf(node: Node | undefined): string | undefined {
  if (!node) return undefined;
  const name = get(node, 'name');
  if (typeof name === 'string') return name;
  return nameOf(child(node, 'id') ?? child(node, 'key'));
}

function descendantsOf(node: Node, isLeftOut: (node: Node) => boolean = () => false): Node[] {
  const found: Node[] = [];
  for (const each of childrenOf(node))
    if (!isLeftOut(each)) found.push(each, ...descendantsOf(each, isLeftOut));
  return found;
}

function childrenOf(node: Node): Node[] {
  return Object.values(node).flat().filter(isNode);
}

function child(parent: Node | undefined, name: string): Node | undefined {
  const value = parent && get(parent, name);
  return isNode(value) ? value : undefined;
}

function list(node: Node, name: string): Node[] {
  const value = get(node, name);
  return Array.isArray(value) ? value.filter(isNode) : [];
}

function get(node: Node | undefined, name: string): unknown {
  return (node as Record<string, unknown> | undefined)?.[name];
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}
