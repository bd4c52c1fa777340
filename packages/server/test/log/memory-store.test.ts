import { MemoryStore } from '../../src/log/store/memory-store.ts';
import { storeContract } from '../contracts/store.contract.ts';

storeContract('MemoryStore', { open: () => Promise.resolve(new MemoryStore()), runs: 40 });
