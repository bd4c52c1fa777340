/** What a person types for this command: inside a checkout, or wherever npm has started it, `npx fanfare`. */
export function commandName(): string {
  return process.env['npm_execpath'] === undefined ? 'fanfare' : 'npx fanfare';
}
