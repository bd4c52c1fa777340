import { HttpConnection } from './http.ts';

export interface HttpPublisherEvents {
  readonly onAck: () => void;
  readonly onFailure: (reason: string) => void;
}

/** Publishes with `POST /publish`, one at a time. */
export class HttpPublisher {
  readonly #http: HttpConnection;

  constructor(port: number, { onAck, onFailure }: HttpPublisherEvents, token?: string) {
    this.#http = new HttpConnection(
      port,
      {
        onResponse: (status, bytes, bodyStart, bodyEnd) => {
          if (status === 200) return onAck();
          onFailure(
            `the server answered a publish with ${status} ${bytes.toString('utf8', bodyStart, bodyEnd)}`,
          );
        },
        onFailure,
      },
      token,
    );
  }

  publish(topic: string, message: string): void {
    this.#http.post('/publish', 'application/json', `{"topic":"${topic}","message":"${message}"}`);
  }

  close(): void {
    this.#http.close();
  }
}
