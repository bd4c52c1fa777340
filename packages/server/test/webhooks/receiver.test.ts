import { describe, expect, it } from 'vitest';
import { addressCheck, isPublicAddress } from '../../src/webhooks/addresses.ts';
import { Receiver } from '../../src/webhooks/receiver.ts';
import { parseSecrets } from '../../src/rules/webhook-secret.ts';
import { signedHeaders } from '../../src/webhooks/signature.ts';
import { answer, TestReceiver } from './test-receiver.ts';

const body = Buffer.from('{}');

async function post(receiver: TestReceiver, timeoutMs?: number): Promise<number> {
  const poster = new Receiver(new URL(receiver.url), () => true, timeoutMs);
  return poster
    .post({}, body)
    .then(({ status }) => status)
    .finally(() => poster.close());
}

describe('the receiver of a webhook', () => {
  it('a receiver that never answers fails after the time limit', async () => {
    const receiver = await TestReceiver.start();
    receiver.behaviour = () => {};
    await expect(post(receiver, 50)).rejects.toThrow('no response within 0.05 seconds');
  });

  it('a receiver that closes or resets the connection, or sends something else than HTTP, fails', async () => {
    const receiver = await TestReceiver.start();
    receiver.behaviour = (_got, _response, socket) => void socket.end();
    await expect(post(receiver)).rejects.toThrow('ECONNRESET');
    receiver.behaviour = (_got, _response, socket) => void socket.resetAndDestroy();
    await expect(post(receiver)).rejects.toThrow('ECONNRESET');
    receiver.behaviour = (_got, _response, socket) => void socket.end('SSH-2.0-OpenSSH\r\n');
    await expect(post(receiver)).rejects.toThrow('HPE_INVALID');
    receiver.behaviour = (_got, _response, socket) =>
      void socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n');
    await expect(post(receiver)).rejects.toThrow('closed without a response');
  });

  it('the status counts, even if the rest of the response is endless, is cut off or never comes', async () => {
    const receiver = await TestReceiver.start();
    receiver.behaviour = (_got, response) => {
      response.writeHead(200);
      const write = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', write);
      write();
    };
    expect(await post(receiver)).toBe(200);
    receiver.behaviour = (_got, _response, socket) =>
      void socket.end('HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nten bytes.');
    expect(await post(receiver)).toBe(201);
    receiver.behaviour = (_got, _response, socket) =>
      void socket.write('HTTP/1.1 202 OK\r\nContent-Length: 9\r\n\r\n');
    expect(await post(receiver, 100)).toBe(202);
  });

  it('a redirect is an answer like any other, and is not followed', async () => {
    const receiver = await TestReceiver.start();
    receiver.behaviour = answer(307, { location: receiver.url });
    expect(await post(receiver)).toBe(307);
    expect(receiver.got).toHaveLength(1);
  });
});

describe('the signature of webhooks', () => {
  it('signs the published example of Standard Webhooks as its libraries do', () => {
    const secrets = parseSecrets('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw') ?? [];
    const example = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: Buffer.from('{"test": 2432232314}') };
    expect(signedHeaders(secrets, { ...example, timeMs: 1_614_265_330_999 })).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });
});

describe('the addresses of webhooks', () => {
  it('only public addresses are public, in whatever form a private one is written', () => {
    const secrets = [
      '127.0.0.1',
      '10.1.2.3',
      '172.31.255.255',
      '192.168.0.1',
      '169.254.169.254',
      '100.64.0.1',
      '0.0.0.0',
      '224.0.0.1',
      '255.255.255.255',
      '198.18.0.1',
    ];
    const others = [
      '::',
      '::1',
      'fe80::1%eth0',
      'fd00::1',
      'fec0::1',
      'ff02::1',
      '::ffff:10.0.0.1',
      '::ffff:8.8.8.8',
      '64:ff9b::7f00:1',
      '2002:7f00:1::',
      '2001::1',
      '2001:db8::1',
      'fd00:ec2::254',
      'localhost',
      '',
    ];
    for (const address of [...secrets, ...others])
      expect([address, isPublicAddress(address)]).toEqual([address, false]);
    for (const address of ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450::1'])
      expect([address, isPublicAddress(address)]).toEqual([address, true]);
  });

  it('without encryption, a webhook connects only to networks that the operator has named', () => {
    const isNamed = (address: string | undefined): boolean => address === '10.0.0.1';
    expect(['8.8.8.8', '10.0.0.1', '10.0.0.2'].map(addressCheck(false, isNamed))).toEqual([
      false,
      true,
      false,
    ]);
    expect(['8.8.8.8', '10.0.0.1', '10.0.0.2'].map(addressCheck(true, isNamed))).toEqual([true, true, false]);
  });
});
