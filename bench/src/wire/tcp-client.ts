import { Answers } from './answers.ts';
import type { Client, ClientEvents } from './client.ts';
import { Connection, cutFrames } from './connection.ts';

/** What clients of protocols over plain TCP have in common. A subclass knows the frames of its protocol. */
export abstract class TcpClient implements Client {
  protected readonly connection: Connection;
  protected readonly events: ClientEvents;
  protected readonly answers: Answers;

  constructor(port: number, events: ClientEvents) {
    this.events = events;
    this.answers = new Answers(events.onFailure);
    this.connection = new Connection(
      port,
      cutFrames(
        (bytes, start) => this.frameEnd(bytes, start),
        (bytes, start, end) => this.takeFrame(bytes, start, end),
      ),
      (reason) => this.answers.fail(reason),
    );
  }

  abstract subscribe(topics: readonly string[]): Promise<void>;
  abstract publish(topic: string, message: string): void;
  /** Introduces the client. Resolves once the server has accepted it. */
  protected abstract greet(): Promise<void>;
  /** Where the frame that begins at `start` ends; -1 if it is not complete. */
  protected abstract frameEnd(bytes: Buffer, start: number): number;
  protected abstract takeFrame(bytes: Buffer, start: number, end: number): void;

  /** To be called once, and before all else. Resolves once the server has accepted the client. */
  async open(): Promise<this> {
    await this.greet();
    return this;
  }

  close(): void {
    this.connection.close();
  }

  /** Writes a request. Resolves after so many answers. */
  protected ask(bytes: string | Uint8Array, answers: number): Promise<void> {
    this.connection.write(bytes);
    return this.answers.next(answers);
  }
}
