import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

const logger = new URL('../../dist/observability/logger.js', import.meta.url);

it('the log never contains terminal control characters that a client has sent', () => {
  const text = 'a\u001b[2J\u009b2J\u007f\u202eb\u2066c\u2069';
  const program = `import { defaultLogger } from '${logger.href}';
    defaultLogger().warn({ text: ${JSON.stringify(text)} }, 'told');`;
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  expect(JSON.parse(stderr)).toMatchObject({ name: 'fanfare', text, msg: 'told' });
  expect(stderr.trimEnd()).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
});
