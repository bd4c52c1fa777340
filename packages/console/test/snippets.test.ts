import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { snippetsOf } from '../src/snippets.ts';

const topics = ['news', 'it\'s "quoted" $HOME `x` \\', 'orders/7/ü😀', '*/`${1}'];
const messages = ['"hello"', '{"a":[1,true,false,null,"it\'s"],"b":{"c":-1.5}}', '"\\u0027\\\\\\n$(x)"'];

function snippet(language: string, topic: string, message: string): { publish: string; subscribe: string } {
  const found = snippetsOf({ base: 'http://localhost:5000/', topic, message, withToken: false }).find(
    (one) => one.language === language,
  );
  if (!found) throw new Error(`no snippet in ${language}`);
  return found;
}

/** What a snippet would publish, with what sends it put in the place of the real one. */
const publishedBy: Readonly<Record<string, (code: string) => string>> = {
  curl: (code) =>
    execFileSync('sh', ['-c', `curl() { for last; do :; done; printf %s "$last"; }\n${code}`], {
      encoding: 'utf8',
    }),
  JavaScript: (code) =>
    execFileSync(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `globalThis.fetch = (_, { body }) => { process.stdout.write(body); process.exit(0); };\n${code}`,
      ],
      { encoding: 'utf8' },
    ),
  Python: (code) =>
    execFileSync(
      'python3',
      [
        '-c',
        `import json, sys
class requests:
    def post(url, json):
        sys.stdout.write(dumps(json)); sys.stdout.flush(); sys.exit(0)
dumps = json.dumps
${code.replace('import requests', '')}`,
      ],
      { encoding: 'utf8' },
    ),
};

it.each(['curl', 'JavaScript', 'Python'])(
  'the snippet for %s publishes exactly the message of the page',
  (language) => {
    for (const topic of topics) {
      for (const message of messages) {
        const body = publishedBy[language]?.(snippet(language, topic, message).publish) ?? '';
        expect(JSON.parse(body)).toEqual({ topic, message: JSON.parse(message) as unknown });
      }
    }
  },
);

it('snippets contain a placeholder instead of the token', () => {
  const snippets = snippetsOf({ base: 'http://localhost:5000/', topic: 'a', message: '1', withToken: true });
  for (const { subscribe, publish } of snippets) {
    expect(subscribe).toContain('TOKEN');
    expect(publish).toContain('TOKEN');
  }
});
