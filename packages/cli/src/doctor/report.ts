import { painted, print, printPainted, type Style } from '../output.ts';
import type { Found, Result } from './check.ts';
import type { Deployment } from './deployment.ts';
import type { Finding, FindingCode } from './finding.ts';
import { findings } from './findings.ts';
import { withoutTokens } from './without-tokens.ts';

const nameWidth = 12;
const textWidth = 78;

/** Prints the results: a line for each check that found nothing, and all about the others. */
export class Report {
  readonly #deployment: Deployment;
  readonly #json: boolean;
  readonly #codes: FindingCode[] = [];
  #fine = 0;

  constructor(deployment: Deployment, json: boolean) {
    this.#deployment = deployment;
    this.#json = json;
  }

  begin(): void {
    if (!this.#json) print(`Checking ${this.#deployment.target.name} …`, '');
  }

  add(name: string, seen: Result): void {
    const result = this.#cleaned(seen);
    if (result.kind === 'found') this.#codes.push(result.code);
    if (result.kind === 'fine') this.#fine++;
    if (this.#json) print(JSON.stringify({ check: name, ...this.#membersOf(result) }));
    else if (result.kind === 'found') this.#printFound(name, result);
    else if (result.kind === 'fine') this.#line('✓', 'green', name, result.saw);
    else this.#line('-', 'dim', name, `not checked: ${result.why}`);
  }

  /** @returns the codes of all findings */
  end(): readonly FindingCode[] {
    if (this.#json) return this.#codes;
    const count = (level: 'problem' | 'warning'): number =>
      this.#codes.filter((code) => findings[code].level === level).length;
    print(
      '',
      `${many(count('problem'), 'problem')}, ${many(count('warning'), 'warning')}, ${this.#fine} fine`,
    );
    return this.#codes;
  }

  #printFound(name: string, { code, tried, saw }: Found): void {
    const { level, title, mend, nginx } = this.#finding(code);
    if (level === 'problem') this.#line('✗', 'red', name, title);
    else this.#line('!', 'yellow', name, title);
    const rows = [
      ['Tried:', tried],
      ['Saw:', saw],
      ['Do:', mend],
    ] as const;
    for (const [word, text] of rows) {
      const lines = wrapped(text, textWidth - 11);
      print(...lines.map((line, at) => `    ${(at === 0 ? word : '').padEnd(7)}${line}`));
    }
    if (nginx.length > 0)
      print(`    ${'nginx:'.padEnd(7)}${nginx[0]}`, ...nginx.slice(1).map((line) => `           ${line}`));
    print(`    ${'Code:'.padEnd(7)}${code}`);
  }

  #line(sign: string, style: Style, name: string, text: string): void {
    printPainted(`${painted(sign, style)} ${painted(`${name.padEnd(nameWidth)}${text}`)}`);
  }

  #membersOf(result: Result): object {
    if (result.kind === 'fine') return { result: 'fine', saw: result.saw };
    if (result.kind === 'skipped') return { result: 'skipped', why: result.why };
    const { code, tried, saw } = result;
    const { level, ...texts } = this.#finding(code);
    return { result: level, code, tried, saw, ...texts };
  }

  /** What a person must do, with the origin that was checked. */
  #finding(code: FindingCode): Required<Finding> {
    const { mend, nginx = [], ...finding } = findings[code];
    return { ...finding, mend: mend.replaceAll('ORIGIN', this.#deployment.origin), nginx };
  }

  #cleaned(result: Result): Result {
    const clean = (text: string): string => withoutTokens(text, this.#deployment.target.token);
    if (result.kind === 'fine') return { ...result, saw: clean(result.saw) };
    if (result.kind === 'skipped') return { ...result, why: clean(result.why) };
    return { ...result, tried: clean(result.tried), saw: clean(result.saw) };
  }
}

function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** Breaks a text between words. */
function wrapped(text: string, width: number): readonly string[] {
  const lines = [''];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1) ?? '';
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
