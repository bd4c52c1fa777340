/** Why rules are refused: where, and the rest of a sentence that begins with the place. */
export interface RuleProblem {
  readonly at: readonly (string | number)[];
  readonly text: string;
}

/** @param at - the members that the problem is in */
export type Complain = (at: readonly string[], text: string) => void;

/** Reads an object that may have only some members. The function that it returns gives their values. */
export function fieldsOf(
  input: unknown,
  names: readonly string[],
  complain: (text: string) => void,
): (name: string) => unknown {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    complain(`must be an object with ${names.join(', ')}`);
    return () => undefined;
  }
  for (const name of Object.keys(input)) {
    if (!names.includes(name))
      complain(`has the unknown member ${JSON.stringify(name)}; possible are ${names.join(', ')}`);
  }
  return (name) => (Object.hasOwn(input, name) ? (input as Record<string, unknown>)[name] : undefined);
}
