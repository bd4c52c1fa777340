/**
 * An argument of an event that is already JSON text. The encoder of Socket.IO gets an ordinary value through
 * `toJSON`.
 */
export class EncodedArgument {
  readonly json: string;

  constructor(json: string) {
    this.json = json;
  }

  toJSON(): unknown {
    return JSON.parse(this.json);
  }
}
