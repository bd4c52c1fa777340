import { readFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { formatOffset, parseOffset } from '@fanfare/protocol';
import { syncDirectory } from '../log/store/directory/data-directory.ts';
import { webhooksFile } from '../log/store/directory/file-names.ts';
import type { Missing, TopicEvent } from './payload.ts';

/** How long a change can take to be on disk. What was delivered in the time is repeated after a crash. */
const saveMs = 1_000;

/** How far a webhook is. */
export interface WebhookPlace {
  /** Everything up to this offset is delivered. Absent if the webhook wants no messages. */
  readonly offset?: string;
  /** Messages are missing before the next one that is delivered. */
  readonly gap?: Missing;
  /** Events that are not delivered. */
  readonly events: readonly TopicEvent[];
}

/** The places of webhooks, by the `match` of their rules. */
export type Places = Readonly<Record<string, WebhookPlace>>;

/** The content of the file. */
interface Content {
  readonly version: 1;
  readonly webhooks: Places;
  /** In a backup: the epoch of the original. A log that has it up to the backup continues in a new epoch. */
  readonly copyOf?: string;
}

/** Keeps the places of webhooks. */
export interface PlaceStore {
  /** The places of the last run. */
  readonly places: Places;
  /** Stores the places at once. A failure is logged. */
  save(places: Places): Promise<void>;
  /** Some place has changed: `collect` is called soon, and its result is stored. */
  noteChange(collect: () => Places): void;
  /** Stores the last places. */
  close(places: Places): Promise<void>;
}

/** Without a data directory, a restart begins with new messages. */
export const noPlaces: PlaceStore = {
  places: {},
  save: async () => {},
  noteChange: () => {},
  close: async () => {},
};

/**
 * A file in the data directory. It is replaced as a whole, so that a crash leaves the old one or the new one.
 */
export class PlaceFile implements PlaceStore {
  readonly places: Places;
  readonly #directory: string;
  readonly #onFailure: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();
  #hasChanged = false;
  #isClosed = false;
  #isAbandoned = false;

  /**
   * @param epoch - that of the log
   * @throws Error if there is a file that cannot be read
   */
  constructor(directory: string, epoch: string, onFailure: (error: unknown) => void) {
    this.#directory = directory;
    this.#onFailure = onFailure;
    this.places = readPlaces(directory, epoch) ?? {};
  }

  noteChange(collect: () => Places): void {
    this.#hasChanged = true;
    if (!this.#isClosed) this.#timer ??= setTimeout(() => void this.#saveChanges(collect), saveMs).unref();
  }

  async #saveChanges(collect: () => Places): Promise<void> {
    this.#hasChanged = false;
    this.#saving = this.save(collect());
    await this.#saving;
    this.#timer = undefined;
    if (this.#hasChanged) this.noteChange(collect);
  }

  async close(places: Places): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#saving;
    await this.save(places);
  }

  /** Another server has taken the directory: this one writes nothing more to it. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  async save(places: Places): Promise<void> {
    if (this.#isAbandoned) return;
    await write(this.#directory, { version: 1, webhooks: places }).catch(this.#onFailure);
  }
}

/**
 * Puts places beside a copy of a log.
 *
 * @param copyOf - the epoch of the original
 */
export async function writeCopiedPlaces(directory: string, webhooks: Places, copyOf: string): Promise<void> {
  await write(directory, { version: 1, webhooks, copyOf });
}

async function write(directory: string, content: Content): Promise<void> {
  const path = join(directory, webhooksFile);
  const temporary = `${path}-new`;
  try {
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(JSON.stringify(content));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDirectory(directory);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}

/**
 * Reads the places in a data directory. Undefined if there are none.
 *
 * @param epoch - that of the log
 * @throws Error if they cannot be read
 */
export function readPlaces(directory: string, epoch: string): Places | undefined {
  let text: string;
  try {
    text = readFileSync(join(directory, webhooksFile), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const { version, webhooks, copyOf } = JSON.parse(text) as Content;
  if (version !== 1 || typeof webhooks !== 'object') throw new Error('it has another version');
  if (copyOf === undefined) return webhooks;
  const moved = Object.entries(webhooks).map(([name, place]) => [name, moveToCopy(place, copyOf, epoch)]);
  return Object.fromEntries(moved) as Places;
}

/**
 * The same place in a copy of the log. What the original got after the copy was made is missing there, so the
 * receiver is told.
 */
function moveToCopy(place: WebhookPlace, copyOf: string, epoch: string): WebhookPlace {
  const move = (text: string): string => {
    const offset = parseOffset(text);
    return offset?.epoch === copyOf ? formatOffset({ ...offset, epoch }) : text;
  };
  const { offset, events } = place;
  return {
    ...place,
    ...(offset !== undefined && { offset: move(offset), gap: {} }),
    events: events.map((event) => Object.assign({}, event, { after: move(event.after) })),
  };
}
