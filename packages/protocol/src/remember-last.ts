/**
 * Wraps a function so that it returns its last result at once when its input repeats. Most messages go to the
 * topic of the message before them. Results of functions that throw are not remembered.
 */
export function rememberLast<Input extends string, Result>(
  compute: (input: Input) => Result,
): (input: Input) => Result {
  let lastInput: Input | undefined;
  let lastResult: Result;
  return (input) => {
    if (input !== lastInput) {
      lastResult = compute(input);
      lastInput = input;
    }
    return lastResult;
  };
}
